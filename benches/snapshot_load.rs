//! How much a snapshot round slows down the answers to presses.
//!
//! ```text
//! cargo bench --bench snapshot_load
//!   RESTOCKD_MEMBERSHIPS=1000000    three lists a shopper, over a tenth as many lists, and one that all are on
//!   RESTOCKD_CONNECTIONS=64         each presses, waits for the answer, presses again
//!   RESTOCKD_SECONDS=4              of each stretch: one without rounds, one with rounds back to back, …
//!   RESTOCKD_REPEATS=3              so many pairs of them
//!   RESTOCKD_BACKEND=sled           or flat
//! ```
//!
//! The engine is the binary in a process of its own, with its defaults. Every press is of a new shopper, for a list chosen at
//! random, and is answered when it is durable. A request that began in one stretch and ended in another counts for neither.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use restockd_journal::snapshots::Backend;
use restockd_testkit::process::{Client, KEY, Place, press};
use restockd_testkit::shop::{self, Shop, Size};
use serde_json::json;

/// The present stretch, from 1; 0 is before, between and after them.
static STRETCH: AtomicUsize = AtomicUsize::new(0);
const OVER: usize = usize::MAX;

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let number = |name, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let memberships = number("RESTOCKD_MEMBERSHIPS", 1_000_000);
    let (connections, repeats) = (number("RESTOCKD_CONNECTIONS", 64), number("RESTOCKD_REPEATS", 3));
    let span = Duration::from_secs(number("RESTOCKD_SECONDS", 4) as u64);
    let flat = std::env::var("RESTOCKD_BACKEND").is_ok_and(|name| name == "flat");
    let backend = if flat { Backend::Flat } else { Backend::Sled };
    let toml = format!("[engine]\nsnapshots = \"{}\"\n", backend.name());
    let place = Place::new("memory:").toml(&toml);
    let size = Size { people: memberships / 3, lists: memberships / 10, bag: 3, one_in: 1 };
    let data = place.dir().join("data");
    let secrets = shop::secrets(&data);
    let mut shop = Shop::new(size, &secrets);
    (0..size.people).for_each(|p| shop.press(p, &mut drop));
    shop.snapshot(&data, &secrets, backend);
    let engine = place.start();
    let client = &engine.client;
    let (mut rounds, mut took) = (0, Vec::new());
    let all: Vec<(usize, u64)> = std::thread::scope(|threads| {
        let pressing: Vec<_> =
            (0..connections).map(|n| threads.spawn(move || shopper(client, n, size.lists))).collect();
        for pair in 0..repeats {
            std::thread::sleep(Duration::from_millis(500));
            STRETCH.store(2 * pair + 1, Ordering::SeqCst);
            std::thread::sleep(span);
            let end = Instant::now() + span;
            STRETCH.store(2 * pair + 2, Ordering::SeqCst);
            // Rounds run back to back; one that is under way at the end is waited for, and counts.
            while Instant::now() < end {
                let round = client.post("/v1/admin/snapshot", &json!({}));
                rounds += 1;
                took.push(round["tookMs"].as_u64().unwrap());
            }
            STRETCH.store(0, Ordering::SeqCst);
        }
        STRETCH.store(OVER, Ordering::SeqCst);
        pressing.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    took.sort_unstable();
    println!("{} memberships, {connections} connections, {}:", size.memberships(), backend.name());
    println!(
        "{rounds} rounds, median {} ms; engine {:.0} MiB\n",
        took[took.len() / 2],
        engine.resident_mib()
    );
    println!(
        "| stretch | answers | p50 ms | p99 ms | max ms | p99 with / without |\n|---|---:|---:|---:|---:|---:|"
    );
    let mut ratios = Vec::new();
    for pair in 0..repeats {
        let without = row(&format!("{} without", pair + 1), &all, 2 * pair + 1, None);
        ratios.push(row(&format!("{} with", pair + 1), &all, 2 * pair + 2, Some(without)) / without);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian ratio of the p99: {:.2}", ratios[ratios.len() / 2]);
    engine.kill();
}

/// Presses until the end; returns stretch and microseconds of each answer.
fn shopper(client: &Client, n: usize, lists: usize) -> Vec<(usize, u64)> {
    let mut socket = TcpStream::connect(client.host()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut all, mut seed, mut buffer) = (Vec::new(), n as u64 + 1, vec![0; 4096]);
    for press in 0.. {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let request = request(client.host(), n, press, (seed >> 33) as usize % lists);
        let (stretch, start) = (STRETCH.load(Ordering::SeqCst), Instant::now());
        if stretch == OVER {
            break;
        }
        socket.write_all(request.as_bytes()).unwrap();
        answered(&mut socket, &mut buffer);
        let took = start.elapsed().as_micros() as u64;
        if stretch != 0 && stretch == STRETCH.load(Ordering::SeqCst) {
            all.push((stretch, took));
        }
    }
    all
}

fn request(host: &str, n: usize, number: usize, list: usize) -> String {
    let body = press(&format!("new.{n}.{number}@mail.example"), &format!("sku-{list:06}")).to_string();
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one answer, which must be good.
fn answered(socket: &mut TcpStream, buffer: &mut [u8]) {
    let mut used = 0;
    loop {
        let got = socket.read(&mut buffer[used..]).unwrap();
        assert!(got > 0, "the engine hung up");
        used += got;
        let text = std::str::from_utf8(&buffer[..used]).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 2"), "{text}");
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        if body.len() >= length.trim().parse().unwrap() {
            return;
        }
    }
}

fn row(name: &str, all: &[(usize, u64)], stretch: usize, without: Option<f64>) -> f64 {
    let mut spans: Vec<u64> = all.iter().filter(|(of, _)| *of == stretch).map(|(_, span)| *span).collect();
    spans.sort_unstable();
    let at = |part: usize| spans[(spans.len() * part / 100).min(spans.len() - 1)] as f64 / 1000.0;
    let ratio = without.map_or(String::new(), |without| format!("{:.2}", at(99) / without));
    println!("| {name} | {} | {:.1} | {:.1} | {:.1} | {ratio} |", spans.len(), at(50), at(99), at(100));
    at(99)
}
