//! Recovery: from a long log alone, and from a large snapshot.
//!
//! ```text
//! cargo bench --bench recovery
//!   RESTOCKD_LOG_MEMBERSHIPS=300000        3000000 and RESTOCKD_LOG_MIB=256 for the figure of the README
//!   RESTOCKD_LOG_MIB=26                    the log is brought to this length by events without a list
//!   RESTOCKD_SNAPSHOT_MEMBERSHIPS=500000   10000000 for the figure of the README
//!   RESTOCKD_ROUNDS=3                      each figure so many times; the median stands first
//! ```
//!
//! The machines themselves decide what is written (testkit's `shop`): three lists a press, one record of the directory and
//! three of lists; later the same people look at products. Then the binary is started on it, until it listens; the parts are
//! measured with the library, in a process of their own. Files are in the page cache, as after a crash of the process.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use restockd_core::Retry;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_engine::recovery;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations};
use restockd_journal::wal;
use restockd_records::Entry;
use restockd_testkit::process::Place;
use restockd_testkit::shop::{self, Pen, Shop, Size};

/// The environment variable that tells a process of its own what to measure.
const PART: &str = "RESTOCKD_BENCH_PART";
const DATA: &str = "RESTOCKD_BENCH_DATA";

fn main() {
    // Cargo also runs benches as tests, when there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if let Ok(part) = std::env::var(PART) {
        return measure(&part, &PathBuf::from(std::env::var(DATA).unwrap()));
    }
    let rounds = number("RESTOCKD_ROUNDS", 3);
    println!("| what | median | all | CPU | memory, MiB |\n|---|---:|---|---:|---:|");
    let memberships = number("RESTOCKD_LOG_MEMBERSHIPS", 300_000);
    if memberships > 0 {
        let place = Place::new("memory:").env("RESTOCKD_MAIL_RATE", "1/s");
        let bytes = write_log(&place, memberships, number("RESTOCKD_LOG_MIB", 26) as u64);
        let title = format!("log of {} MiB with {memberships} memberships", bytes >> 20);
        report(&place, &title, &["read", "decode", "directory", "lists", "recover"], rounds);
    }
    let memberships = number("RESTOCKD_SNAPSHOT_MEMBERSHIPS", 500_000);
    for backend in [Backend::Sled, Backend::Flat].into_iter().filter(|_| memberships > 0) {
        let place = Place::new("memory:");
        write_snapshot(&place, memberships, backend);
        let title = format!("snapshot of {memberships} memberships, {}", backend.name());
        report(&place, &title, &["recover"], rounds);
    }
}

/// Prints a row for the binary and one for each part.
fn report(place: &Place, title: &str, parts: &[&str], rounds: usize) {
    let mut starts = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let engine = place.start();
        let wall = start.elapsed();
        starts.push(Figure { wall, cpu: cpu(engine.id()), mib: engine.resident_mib() });
        engine.kill();
    }
    row(&format!("{title}: binary, from exec to listening"), starts);
    for part in parts {
        let all = (0..rounds).map(|_| {
            let child = Command::new(std::env::current_exe().unwrap())
                .arg("--bench")
                .env(PART, part)
                .env(DATA, place.dir().join("data"))
                .output()
                .unwrap();
            assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
            Figure::read(&String::from_utf8(child.stdout).unwrap())
        });
        row(&format!("… {part}"), all.collect());
    }
}

fn row(what: &str, mut all: Vec<Figure>) {
    all.sort_by_key(|figure| figure.wall);
    let middle = &all[all.len() / 2];
    let walls: Vec<String> = all.iter().map(|figure| format!("{:.2}", figure.wall.as_secs_f64())).collect();
    let (wall, cpu) = (middle.wall.as_secs_f64(), middle.cpu.as_secs_f64());
    println!("| {what} | {wall:.2} s | {} | {cpu:.2} s | {:.0} |", walls.join(" "), middle.mib);
}

struct Figure {
    wall: Duration,
    cpu: Duration,
    mib: f64,
}

impl Figure {
    fn read(line: &str) -> Self {
        let mut words = line.split_whitespace().map(|word| word.parse::<f64>().unwrap());
        let mut next = || words.next().unwrap();
        let (wall, cpu) = (Duration::from_secs_f64(next()), Duration::from_secs_f64(next()));
        Self { wall, cpu, mib: next() }
    }
}

/// Measures one part, in this process, and prints the figure.
fn measure(part: &str, data: &Path) {
    let secrets = shop::secrets(data);
    let options = shop::options(data, &secrets);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut directory = Directory::new(secrets.seed(), 20_000_000);
    let campaigns = Campaigns::new(None, Retry::default());
    let start = Instant::now();
    match part {
        "recover" => {
            let snapshots = shop::snapshots(data);
            let generations =
                Generations::open(Arc::clone(&disk), snapshots, secrets.engine, Backend::Sled).unwrap();
            let found = recovery::recover(&disk, &options, &generations, directory, campaigns, None).unwrap();
            assert_eq!(found.directory.open().count(), 0);
            done(start);
            std::mem::forget(found);
        }
        // The log read and verified; then also decoded; then also applied by one author, in order.
        "read" | "decode" | "directory" | "lists" => {
            let mut lists = std::collections::HashMap::<_, restockd_core::list::List>::new();
            let take = &mut |_, it: &wal::RecordRef<'_>| {
                if part == "read" {
                    return Ok(());
                }
                match restockd_records::read(it.kind, it.version, it.bytes)
                    .map_err(|error| error.to_string())?
                {
                    Entry::Directory(stamp, event) if part == "directory" => {
                        directory.apply(&event, stamp.at);
                        directory.close(stamp.seq);
                    }
                    Entry::List(stamp, id, event) if part == "lists" => {
                        lists.entry(id).or_default().apply(&event, stamp.at);
                    }
                    other => drop(black_box(other)),
                }
                Ok(())
            };
            wal::recover(&disk, &options, 1, 0, take).unwrap();
            done(start);
            std::mem::forget((lists, directory));
        }
        other => panic!("{other} is no part"),
    }
}

fn done(start: Instant) {
    let wall = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let mib = peak.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0;
    println!("{wall} {} {mib}", cpu(std::process::id()).as_secs_f64());
}

/// The processor time that a process has used.
fn cpu(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn write_log(place: &Place, memberships: usize, mib: u64) -> u64 {
    let data = place.dir().join("data");
    let secrets = shop::secrets(&data);
    let size = Size { people: memberships / 3, lists: (memberships / 30).max(10_000), bag: 3, one_in: 0 };
    let mut shop = Shop::new(size, &secrets);
    let mut pen = Pen::new(&data, &secrets);
    (0..size.people).for_each(|p| shop.press(p, &mut |record| pen.write(record)));
    assert_eq!(shop.memberships(), size.memberships());
    for p in 0..memberships * 2 {
        if pen.bytes() >= mib << 20 {
            break;
        }
        shop.look(p % size.people, &mut |record| pen.write(record));
    }
    let bytes = pen.bytes();
    pen.close();
    bytes
}

fn write_snapshot(place: &Place, memberships: usize, backend: Backend) {
    let data = place.dir().join("data");
    let secrets = shop::secrets(&data);
    let size = Size { people: memberships / 3, lists: memberships / 30, bag: 3, one_in: 0 };
    let mut shop = Shop::new(size, &secrets);
    (0..size.people).for_each(|p| shop.press(p, &mut drop));
    assert_eq!(shop.memberships(), size.memberships());
    shop.snapshot(&data, &secrets, backend);
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}
