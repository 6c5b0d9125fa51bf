//! The same load on PostgreSQL, on Redis and on restockd, in turn, in one run.
//!
//! ```text
//! cargo bench --bench peers                       all that are installed here
//! cargo bench --bench peers -- postgres restockd  some of them
//!   RESTOCKD_SECONDS=5      of each stretch, after one second that does not count
//!   RESTOCKD_CLIENTS=64     each one connection; presses, waits for the answer, presses again
//!   RESTOCKD_LISTS=1000     a press is for one of them, at random
//!   RESTOCKD_REPEATS=5      rounds; in each, every peer has one stretch on a fresh data directory
//!   RESTOCKD_DATA=DIR       a directory on a real disk, the same for all; else below target/
//! ```
//!
//! Of a hundred requests about 90 are a new shopper who joins a list, 5 repeat an earlier join with its key, and 5 are a
//! shopper who leaves. Each is acknowledged when it is synced to the disk, which every peer must promise:
//! `synchronous_commit` and `fsync` on, `appendfsync always`. For every answer it is checked whether it says "new" or
//! "repeat" correctly, and at the end of each stretch the peer's contents are counted. Servers and clients share the
//! machine; the processor time of a request at either is printed beside the rates. Where a choice was open it was made in
//! the peer's favour: see the files beside this one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

mod disk;
mod instance;
mod load;
mod peer_postgres;
mod peer_redis;
mod peer_restockd;
mod shopper;
mod table;

use load::{Load, Stretch};
use peer_postgres::Form;

/// The peers, and the form of the requests to them.
#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Postgres(Form),
    Redis,
    Restockd,
}

impl Peer {
    const ALL: [Self; 4] =
        [Self::Postgres(Form::Plain), Self::Postgres(Form::Single), Self::Redis, Self::Restockd];

    /// Its name on the command line.
    fn word(self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Redis => "redis",
            Self::Restockd => "restockd",
        }
    }

    /// What must be installed for it; `None` when nothing is missing.
    fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Postgres(_) if instance::programs().is_none() => Some("postgresql"),
            Self::Redis if peer_redis::program().is_none() => Some("redis-server"),
            _ => None,
        }
    }

    /// Runs one stretch in an empty directory.
    fn stretch(self, runtime: &Runtime, dir: &Path, load: &Load) -> Stretch {
        match self {
            Self::Postgres(form) => peer_postgres::stretch(runtime, dir, load, form),
            Self::Redis => peer_redis::stretch(runtime, dir, load),
            Self::Restockd => peer_restockd::stretch(runtime, dir, load),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres(Form::Plain) => "PostgreSQL, a transaction of statements",
            Self::Postgres(Form::Single) => "PostgreSQL, one statement",
            Self::Redis => "Redis, one script",
            Self::Restockd => "restockd",
        })
    }
}

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let number = |name, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let load = Load {
        clients: number("RESTOCKD_CLIENTS", 64).max(1),
        lists: number("RESTOCKD_LISTS", 1000).max(1),
        warm: Duration::from_secs(1),
        span: Duration::from_secs(number("RESTOCKD_SECONDS", 5).max(1) as u64),
    };
    let repeats = number("RESTOCKD_REPEATS", 5).max(1);
    let peers = peers();
    let data = disk::directory();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();

    println!("{} clients, {} lists, {repeats} x {} s:\n", load.clients, load.lists, load.span.as_secs());
    let (mut rounds, mut syncs) = (Vec::new(), Vec::new());
    for round in 1..=repeats {
        syncs.push(disk::syncs_per_second(data.path()));
        let mut row = Vec::new();
        for peer in &peers {
            let dir = tempfile::Builder::new().prefix(peer.word()).tempdir_in(data.path()).unwrap();
            // Writes that the peer before left to be done must not slow this one down.
            disk::flush(dir.path());
            let stretch = peer.stretch(&runtime, dir.path(), &load);
            eprintln!("round {round}: {peer}: {:.0} joins/s", stretch.joins);
            row.push(stretch);
        }
        rounds.push(row);
    }
    table::print(&peers, &rounds, &syncs);
}

/// The peers that were asked for (all when none is named), without those that are not installed.
fn peers() -> Vec<Peer> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    for word in &asked {
        let known = Peer::ALL.iter().any(|peer| peer.word() == word);
        assert!(known, "{word}? One of postgres, redis, restockd, or none for all of them");
    }
    let mut peers: Vec<Peer> = Peer::ALL.into();
    peers.retain(|peer| asked.is_empty() || asked.iter().any(|word| word == peer.word()));
    peers.retain(|peer| {
        let lacks = peer.lacks();
        if let Some(package) = lacks {
            println!("{peer}: not installed here; the package is {package}. Going on without it.");
        }
        lacks.is_none()
    });
    peers
}
