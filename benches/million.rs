//! A list with a million members: filling it, its campaign, and a small list at the same time.
//!
//! ```text
//! cargo bench --bench million             RESTOCKD_MEMBERS=1000000 by default
//! ```
//!
//! The engine is the binary in a process of its own, on a temporary directory, with its defaults except for a rate of 1,000
//! mails a second. Mail goes by SMTP over loopback to a sink that takes each letter at once. The bench ends when the small
//! lists are served.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::time::{Duration, Instant};

use restockd_testkit::process::{Client, Place, count};
use restockd_testkit::sink::Sink;

/// The small lists, restocked one after another while the campaign runs.
const SMALL: usize = 20;
/// Members of each small list.
const THREE: usize = 3;

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let members: usize = std::env::var("RESTOCKD_MEMBERS").map_or(1_000_000, |text| text.parse().unwrap());
    let sink = Sink::start(Duration::ZERO);
    let place = Place::new(&sink.setting()).env("RESTOCKD_MAIL_RATE", "1000/s");
    let engine = place.start();
    let client = &engine.client;
    println!("| what | value |\n|---|---:|");
    println!("| memory of the empty engine | {:.0} MiB |", engine.resident_mib());
    for n in 0..SMALL {
        client.press_many((0..THREE).map(|m| address(n, m)), &format!("small-{n}"));
    }
    let start = Instant::now();
    client.press_many((0..members).map(|n| format!("p{n}@shop.example")), "big");
    let loading = start.elapsed().as_secs_f64();
    println!("| {members} presses through the batch endpoint, one connection | {loading:.1} s |");
    println!("| presses a second | {:.0} |", members as f64 / loading);
    println!("| memory with them | {:.0} MiB |", engine.resident_mib());

    let start = Instant::now();
    client.restock("big-1", "big");
    println!("| restock of the big list: answered after | {} |", ms(start.elapsed()));
    println!("| … its first mail accepted after | {} |", ms(sink.wait_for(1).at - start));
    sink.wait_for(1000);
    let big = client.campaign_of("big").unwrap();
    let mut spans: Vec<Duration> = (0..SMALL).map(|n| small(n, client, &sink)).collect();
    spans.sort_unstable();
    println!(
        "| restock of a list of {THREE} meanwhile, its {THREE} mails: median of {SMALL} | {} |",
        ms(spans[SMALL / 2])
    );
    println!("| … slowest | {} |", ms(spans[SMALL - 1]));
    let now = client.campaign(big["id"].as_str().unwrap());
    assert_eq!(
        (now["status"].as_str(), now["totalRecipients"].as_u64()),
        (Some("sending"), Some(members as u64))
    );
    let rate = sink.look(|seen| {
        let (first, last) = (seen.accepted.first().unwrap().at, seen.accepted.last().unwrap().at);
        seen.accepted.len() as f64 / (last - first).as_secs_f64()
    });
    println!("| mails a second over all (pace 1,000/s) | {rate:.0} |");
    println!("| memory while it sends ({} sent) | {:.0} MiB |", count(&now, "sent"), engine.resident_mib());
    engine.kill();

    let start = Instant::now();
    let engine = place.start();
    println!("| kill -9, and listening again after | {:.1} s |", start.elapsed().as_secs_f64());
    let before = sink.look(|seen| seen.accepted.len());
    sink.wait_for(before + 1);
    println!("| … its next mail after | {:.1} s |", start.elapsed().as_secs_f64());
    println!("| memory then | {:.0} MiB |", engine.resident_mib());
    engine.kill();
}

/// Restocks a small list; the time until its last mail is accepted.
fn small(n: usize, client: &Client, sink: &Sink) -> Duration {
    let start = Instant::now();
    client.restock(&format!("small-{n}"), &format!("small-{n}"));
    let times =
        sink.wait(|seen| (0..THREE).map(|m| seen.first_to(&address(n, m))).collect::<Option<Vec<_>>>());
    times.into_iter().max().unwrap() - start
}

fn address(list: usize, member: usize) -> String {
    format!("small{member}.{list}@shop.example")
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}
