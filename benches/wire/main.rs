//! Letters a second over SMTP: the engine, Postfix's `smtp-source`, and lettre, in turn, in one run; then two receiving
//! providers, one of which is refused for a minute.
//!
//! ```text
//! cargo bench --bench wire                both parts
//!   RESTOCKD_PARTS=peers                  loopback at 1, 10, 50 connections; then the same with 20 ms each way
//!     RESTOCKD_REPEATS=5                  rounds; in each, everybody has one stretch
//!     RESTOCKD_LETTERS=20000              of a stretch with 10 connections or more; a tenth of it with one
//!   RESTOCKD_PARTS=throttle               two runs of some eight minutes, needs nothing of Postfix
//!     RESTOCKD_WATCH=1                    says what GET /v1/providers says, each second
//!
//!  smtp-source ─┐
//!  lettre pool ─┤
//!  lettre kept ─┼──▶ [proxy, 20 ms each way] ──▶ smtp-sink
//!  restockd ────┘
//! ```
//!
//! `smtp-source` sends bytes that it makes once. lettre builds each letter and sends it: by its own pool, and (*kept*)
//! as its pool does, a NOOP before each letter, but over streams without Nagle's delay, which the pool does not offer.
//! restockd is the binary with its defaults except for the rate: a restock of a list on which everybody waits, from the
//! webhook to the campaign's end, each letter looked up, recorded as started, rendered, built, sent, recorded as sent.
//! The other peers' letters are as long as the engine's. `smtp-source` and `smtp-sink` are Postfix's, which must be installed.
//!
//! ```text
//!                          ┌─ @quick.example  accepted all the time
//!  restockd ──▶ receiver ──┤
//!    200/s each            └─ @slow.example   20 s accepted │ 60 s "421 4.7.0" and hung up │ accepted
//! ```
//!
//! In the second run the refusal is `451 4.7.1` and the connection stays. Wanted: the quick provider's rate within the minute
//! is at least 0.95 of that before, the slow one gets back to its rate, and at each of them letters are accepted in the order
//! of joining, except for those on two connections at once. It is asserted that nobody is mailed twice and that everybody is
//! mailed in the end.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use restockd_testkit::servers::{self, Server};
use rustix::process::Signal;
use tokio::runtime::Runtime;

mod engine;
mod lettre_peer;
mod proxy;
mod receiver;
#[allow(dead_code, reason = "the bench of the peers also asks for processor time")]
mod source;
mod throttle;

/// The delay of each direction through the proxy.
const DELAY: Duration = Duration::from_millis(20);

/// The senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Source,
    Pool,
    Kept,
    Restockd,
}

impl Peer {
    const ALL: [Self; 4] = [Self::Source, Self::Pool, Self::Kept, Self::Restockd];

    fn word(self) -> &'static str {
        match self {
            Self::Source => "smtp-source",
            Self::Pool => "lettre, its pool",
            Self::Kept => "lettre, delay mended",
            Self::Restockd => "restockd",
        }
    }
}

/// One stretch: where to send, over how many connections, how many letters.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    to: SocketAddr,
    connections: usize,
    letters: usize,
}

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let parts = std::env::var("RESTOCKD_PARTS").unwrap_or_else(|_| "peers,throttle".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for part in parts.split(',') {
        match part.trim() {
            "peers" => peers(&runtime),
            "throttle" => throttle::table(&runtime),
            other => panic!("no part {other:?}: peers, throttle"),
        }
    }
}

/// Compares the engine with the others.
fn peers(runtime: &Runtime) {
    let number = |name: &str, usual: usize| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number in the environment"))
    };
    let (repeats, letters) = (number("RESTOCKD_REPEATS", 5), number("RESTOCKD_LETTERS", 20_000));
    let program = postfix("smtp-sink").expect("smtp-sink is needed: install Debian's package postfix");
    let dir = tempfile::tempdir().unwrap();
    let port = servers::free_port();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let mut words = servers::lead("TERM", None);
    words.push(program.into());
    if rustix::process::geteuid().is_root() {
        // smtp-sink refuses to run as root.
        words.extend(["-u", "nobody"].map(OsString::from));
    }
    words.extend([format!("127.0.0.1:{port}"), "1024".to_owned()].map(OsString::from));
    let mut sink = Server::start(&words, dir.path(), Signal::TERM);
    sink.ready(|| TcpStream::connect(to).is_ok());
    println!("| way | connections | who | letters/s (spread) | restockd : who |\n|---|---:|---|---:|---:|");
    for connections in [1, 10, 50] {
        let letters = if connections == 1 { letters / 10 } else { letters };
        table("loopback", runtime, repeats, Stretch { to, connections, letters });
    }
    let far = runtime.block_on(proxy::start(to, DELAY));
    for connections in [1, 10, 50] {
        // A letter takes a connection two to five round trips of 40 ms here.
        table(
            "20 ms each way",
            runtime,
            repeats,
            Stretch { to: far, connections, letters: connections * 40 },
        );
    }
}

/// Runs all peers in turn, so many times; prints a row for each.
fn table(way: &str, runtime: &Runtime, repeats: usize, stretch: Stretch) {
    let rounds: Vec<[f64; 4]> =
        (0..repeats.max(1)).map(|_| Peer::ALL.map(|peer| run(peer, runtime, stretch))).collect();
    let ours = Peer::ALL.len() - 1;
    for (at, peer) in Peer::ALL.into_iter().enumerate() {
        let (rate, low, high) = median(rounds.iter().map(|round| round[at]).collect());
        let (ratio, ..) = median(rounds.iter().map(|round| round[ours] / round[at]).collect());
        let ratio = if at == ours { String::new() } else { format!("{ratio:.2}") };
        println!(
            "| {way} | {} | {} | {rate:.0} ({low:.0} to {high:.0}) | {ratio} |",
            stretch.connections,
            peer.word()
        );
    }
}

/// Letters a second of one stretch.
fn run(peer: Peer, runtime: &Runtime, stretch: Stretch) -> f64 {
    let (sent, span) = match peer {
        Peer::Source => source::send(stretch),
        // The pool takes 44 ms for a letter on a connection: fewer letters tell as much.
        Peer::Pool => {
            let letters = stretch.letters.min(stretch.connections * 20);
            runtime.block_on(lettre_peer::pool(Stretch { letters, ..stretch }))
        }
        Peer::Kept => runtime.block_on(lettre_peer::kept(stretch)),
        Peer::Restockd => engine::send(stretch),
    };
    sent as f64 / span.as_secs_f64()
}

/// One of Postfix's programs, which are outside the ordinary search path.
fn postfix(program: &str) -> Option<PathBuf> {
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(|dir| PathBuf::from(dir).join(program));
    servers::find(program).or_else(|| system.into_iter().find(|file| file.is_file()))
}

/// Median, least, most.
fn median(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
