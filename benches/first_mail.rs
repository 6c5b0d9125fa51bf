//! From a signed webhook to the first accepted mail, for small lists that were at rest.
//!
//! ```text
//! cargo bench --bench first_mail          RESTOCKD_RESTOCKS=1000 by default
//!   RESTOCKD_PRESSES=8000                 while `restockd-storm press` sends so many new presses a second; that
//!                                         takes `cargo build --release -p restockd-storm` first
//! ```
//!
//! The engine runs in this process (so that its list counts can be read), on a temporary directory, with the real clock, the
//! real log and sled snapshots. Mail goes by SMTP over loopback to a sink that takes each letter at once, without a rate
//! limit. Each restock starts after the one before is over. The row `probe` is a write of 4 KiB and a sync in the same
//! directory: the cost of the disk alone. A first mail usually waits for it three times (restocked, opened, started).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use restockd::boot::boot;
use restockd::config::{Config, Flags};
use restockd_engine::clock::Clock;
use restockd_testkit::process::{self, Client, KEY, SECRET, until};
use restockd_testkit::sink::Sink;

const MEMBERS: usize = 3;

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let restocks = std::env::var("RESTOCKD_RESTOCKS").map_or(1000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start(Duration::ZERO);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let running = runtime.block_on(boot(config(dir.path(), &sink), Clock::real())).unwrap();
    let client = Client::new(format!("http://{}", running.addr));
    for n in 0..restocks {
        client.press_many((0..MEMBERS).map(|m| format!("p{m}.{n}@shop.example")), &sku(n));
    }
    until("all lists are at rest", || {
        let (awake, resting, leaving) = runtime.block_on(running.engine.list_counts()).unwrap();
        (awake == 0 && leaving == 0 && resting == restocks).then_some(())
    });
    let probe = probe(dir.path(), 200);
    let storm = std::env::var("RESTOCKD_PRESSES").ok().map(|rate| Storm::start(&client, &rate));
    let (mut first, mut answer, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..restocks {
        let sent = Instant::now();
        client.restock(&format!("d{n}"), &sku(n));
        answer.push(sent.elapsed());
        let before = n * MEMBERS;
        first.push(sink.wait_for(before + 1).at - sent);
        last.push(sink.wait_for(before + MEMBERS).at - sent);
        until("the campaign is sent", || {
            let newest = client.get("/v1/campaigns?limit=1");
            (newest["campaigns"][0]["status"] == "sent").then_some(())
        });
    }
    drop(storm);
    println!("{restocks} restocks of lists of {MEMBERS} that were at rest, milliseconds:\n");
    println!("| from the webhook sent to | p50 | p99 | max |\n|---|---:|---:|---:|");
    row("the webhook answered", answer);
    row("the first mail accepted", first);
    row("the third mail accepted", last);
    row("probe: one write and sync", probe);
    runtime.block_on(running.shut_down());
}

/// New presses meanwhile, from a process of its own that ends when this is dropped.
struct Storm(std::process::Child);

impl Storm {
    /// Starts presses at this rate, for at most five minutes.
    fn start(client: &Client, rate: &str) -> Self {
        let program = process::program().with_file_name("restockd-storm");
        assert!(program.is_file(), "build it with `cargo build --release -p restockd-storm`");
        let child = std::process::Command::new(program)
            .args(["press", "--url", &client.url, "--key", KEY, "--secret", SECRET])
            .args(["--rate", rate, "--seconds", "300", "--skus", "100"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The storm warms up for a second by itself.
        std::thread::sleep(Duration::from_secs(4));
        Self(child)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the storm was over before the restocks were");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn sku(n: usize) -> String {
    format!("s{n}")
}

fn config(dir: &Path, sink: &Sink) -> Config {
    let file = dir.join("restockd.toml");
    std::fs::write(&file, "[engine]\nrest_after = \"1s\"\n").unwrap();
    let env = BTreeMap::from([
        ("RESTOCKD_API_KEY", KEY.to_owned()),
        ("INVENTORY_WEBHOOK_SECRET", SECRET.to_owned()),
        ("RESTOCKD_MAIL", sink.setting()),
        ("RESTOCKD_MAIL_RATE", "unlimited".to_owned()),
        ("RESTOCKD_LISTEN", "127.0.0.1:0".to_owned()),
        ("RESTOCKD_PUBLIC_URL", "https://shop.example".to_owned()),
    ]);
    let flags = Flags { data: Some(dir.join("data")), ..Flags::default() };
    Config::load(Some(&file), |key| env.get(key).cloned(), &flags).unwrap()
}

/// The time of one write and sync, measured so many times.
fn probe(dir: &Path, times: usize) -> Vec<Duration> {
    let mut file = std::fs::File::create(dir.join("probe")).unwrap();
    let mut spans = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        spans.push(start.elapsed());
    }
    spans
}

/// Prints a row of the table.
fn row(name: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let at = |part: usize| spans[(spans.len() * part / 100).min(spans.len() - 1)].as_secs_f64() * 1000.0;
    println!("| {name} | {:.2} | {:.2} | {:.2} |", at(50), at(99), at(100));
}
