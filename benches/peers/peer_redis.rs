//! Redis with every write synced before it is answered: one script for key, contact and member.
//!
//! `appendonly yes`, `appendfsync always`, and no rewriting of its file during the measurement. A list is a sorted set of
//! contact numbers in join order; keys do not expire. The script is called by its digest. Redis syncs once for all requests
//! that one turn of its loop has read.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, IntoConnectionInfo};
use restockd_testkit::servers::{Server, find, free_port, lead};
use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::load::{Client, Load, Stretch};
use crate::shopper::Act;

const SCRIPT: &str = "
if redis.call('SETNX', KEYS[1], '') == 0 then return 0 end
local person = redis.call('HGET', KEYS[3], ARGV[1])
if not person then
  person = redis.call('INCR', KEYS[4])
  redis.call('HSET', KEYS[3], ARGV[1], person)
end
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[2], 'NX', redis.call('INCR', KEYS[5]), person)
else
  redis.call('ZREM', KEYS[2], person)
end
return 1
";

/// The server's program, where it is installed.
pub fn program() -> Option<PathBuf> {
    find("redis-server")
}

pub fn stretch(runtime: &Runtime, dir: &Path, load: &Load) -> Stretch {
    let (port, clients) = (free_port().to_string(), (load.clients + 16).to_string());
    let mut words = lead("TERM", None);
    words.push(program().unwrap().into());
    let settings = [
        ("bind", "127.0.0.1"),
        ("port", &port),
        ("maxclients", &clients),
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("auto-aof-rewrite-percentage", "0"),
        ("save", ""),
    ];
    words.extend(
        settings.iter().flat_map(|(name, value)| [format!("--{name}").into(), OsString::from(value)]),
    );
    let mut server = Server::start(&words, dir, Signal::TERM);
    let address = format!("127.0.0.1:{port}");
    server.ready(|| std::net::TcpStream::connect(&address).is_ok());

    let tcp = TcpSettings::default().set_nodelay(true);
    let info = format!("redis://{address}").into_connection_info().unwrap().set_tcp_settings(tcp);
    let client = redis::Client::open(info).unwrap();
    let (mut asking, clients) = runtime.block_on(async {
        let mut asking = connect(&client).await;
        let digest: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut asking).await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..load.clients {
            clients.push(Connection { digest: digest.clone(), redis: connect(&client).await });
        }
        (asking, clients)
    });
    let (stretch, tally) = load.run(runtime, clients, server.id());
    let (members, all) = runtime.block_on(count(&mut asking, load.lists));
    assert_eq!(members, tally.members(), "acknowledged: {tally:?}");
    // The keys in Redis: those of events, the lists, the contacts and the two counters.
    assert!((tally.keys()..=tally.keys() + load.lists as u64 + 3).contains(&all), "{all} keys: {tally:?}");
    stretch
}

async fn connect(client: &redis::Client) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// Members of all lists, and keys of every kind.
async fn count(redis: &mut MultiplexedConnection, lists: usize) -> (u64, u64) {
    let mut members = 0;
    for list in 0..lists {
        let list = format!("restock-sku-{list:06}");
        members += redis::cmd("ZCARD").arg(list).query_async::<u64>(redis).await.unwrap();
    }
    (members, redis::cmd("DBSIZE").query_async(redis).await.unwrap())
}

struct Connection {
    digest: String,
    redis: MultiplexedConnection,
}

impl Client for Connection {
    async fn act(&mut self, act: &Act) -> bool {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.digest)
            .arg(5)
            .arg(&act.key)
            .arg(&act.list)
            .arg("contacts")
            .arg("people")
            .arg("joined");
        call.arg(&act.email).arg(u8::from(act.on()));
        call.query_async::<u8>(&mut self.redis).await.unwrap() == 1
    }
}
