//! PostgreSQL with `synchronous_commit` and `fsync` on, over TCP, prepared statements.
//!
//! The same request in two forms: the transaction that a shop writes by hand, statement by statement (key, contact,
//! membership), and the best that one statement can do. The choices favour PostgreSQL: the C locale, no foreign key, no index
//! for the join order, only the key kept of an event, a log preallocated as after days of running, no checkpoint during the
//! measurement.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::path::Path;

use tokio::runtime::Runtime;
use tokio_postgres::{NoTls, Statement};

use crate::instance;
use crate::load::{Client, Load, Stretch};
use crate::shopper::Act;

/// The form of a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// BEGIN, one statement for each table, COMMIT.
    Plain,
    /// A single statement.
    Single,
}

const TABLES: &str = "
create table events (key text primary key, at timestamptz not null default now());
create table contacts (
  id bigint generated always as identity primary key, email text not null unique,
  seen_at timestamptz not null default now());
create table memberships (
  list text not null, contact bigint not null, ordinal bigint generated always as identity,
  joined_at timestamptz not null default now(), primary key (list, contact));
";

const EVENT: &str = "insert into events (key) values ($1) on conflict do nothing";
const CONTACT: &str = "insert into contacts (email) values ($1)
  on conflict (email) do update set seen_at = now() returning id";
const JOIN: &str = "insert into memberships (list, contact) values ($1, $2) on conflict do nothing";
const LEAVE: &str = "delete from memberships where list = $1 and contact = $2";

const SINGLE: &str = "
with event as (insert into events (key) values ($1) on conflict do nothing returning key),
contact as (insert into contacts (email) select $2 from event
  on conflict (email) do update set seen_at = now() returning id),
membership as (";
const SINGLE_JOIN: &str =
    "insert into memberships (list, contact) select $3, id from contact on conflict do nothing";
const SINGLE_LEAVE: &str = "delete from memberships using contact where list = $3 and contact = id";
const SINGLE_END: &str = ") select from event";

pub fn stretch(runtime: &Runtime, dir: &Path, load: &Load, form: Form) -> Stretch {
    let (server, port) = instance::start(dir, load.clients + 8);
    let clients = runtime.block_on(async {
        prepare(&connect(port).await).await;
        let mut clients = Vec::new();
        for _ in 0..load.clients {
            clients.push(Connection::open(port, form).await);
        }
        clients
    });
    crate::disk::flush(dir);
    let (stretch, tally) = load.run(runtime, clients, server.id());
    runtime.block_on(async {
        let count = connect(port).await;
        for (table, expected) in
            [("memberships", tally.members()), ("events", tally.keys()), ("contacts", tally.joins)]
        {
            let held: i64 =
                count.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
            assert_eq!(held as u64, expected, "{table}; acknowledged: {tally:?}");
        }
    });
    stretch
}

/// Creates the tables, and preallocates the log.
async fn prepare(postgres: &tokio_postgres::Client) {
    postgres.batch_execute(TABLES).await.unwrap();
    for _ in 0..24 {
        postgres.batch_execute("select pg_logical_emit_message(false, '', '')").await.unwrap();
        postgres.batch_execute("select pg_switch_wal()").await.unwrap();
    }
    postgres.batch_execute("checkpoint").await.unwrap();
}

async fn connect(port: u16) -> tokio_postgres::Client {
    let config = format!("host=127.0.0.1 port={port} user=shop dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A connection with its prepared statements.
enum Connection {
    Plain {
        postgres: tokio_postgres::Client,
        event: Statement,
        contact: Statement,
        join: Statement,
        leave: Statement,
    },
    Single {
        postgres: tokio_postgres::Client,
        join: Statement,
        leave: Statement,
    },
}

impl Connection {
    async fn open(port: u16, form: Form) -> Self {
        let postgres = connect(port).await;
        match form {
            Form::Plain => Self::Plain {
                event: postgres.prepare(EVENT).await.unwrap(),
                contact: postgres.prepare(CONTACT).await.unwrap(),
                join: postgres.prepare(JOIN).await.unwrap(),
                leave: postgres.prepare(LEAVE).await.unwrap(),
                postgres,
            },
            Form::Single => Self::Single {
                join: postgres.prepare(&[SINGLE, SINGLE_JOIN, SINGLE_END].concat()).await.unwrap(),
                leave: postgres.prepare(&[SINGLE, SINGLE_LEAVE, SINGLE_END].concat()).await.unwrap(),
                postgres,
            },
        }
    }
}

impl Client for Connection {
    async fn act(&mut self, act: &Act) -> bool {
        match self {
            Self::Plain { postgres, event, contact, join, leave } => {
                let transaction = postgres.transaction().await.unwrap();
                let fresh = transaction.execute(event, &[&act.key]).await.unwrap() == 1;
                if fresh {
                    let contact: i64 = transaction.query_one(contact, &[&act.email]).await.unwrap().get(0);
                    let membership = if act.on() { join } else { leave };
                    transaction.execute(membership, &[&act.list, &contact]).await.unwrap();
                }
                transaction.commit().await.unwrap();
                fresh
            }
            Self::Single { postgres, join, leave } => {
                let statement = if act.on() { join } else { leave };
                postgres.execute(statement, &[&act.key, &act.email, &act.list]).await.unwrap() == 1
            }
        }
    }
}
