//! Running many cases of damage on two cores, and sorting what came of each.
//!
//! ```text
//! whole     every record came back; stray bytes behind them may have been cut, and reported
//! torn      a last frame that nobody was promised was cut at its start, copied aside and reported
//! refused   no start; the damaged file and the place in it are named
//! silent    anything else: a record that was promised is gone and nobody says so. Must be 0
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use restockd_journal::wal::{Lsn, WalError};
use restockd_testkit::disk::SimDisk;

use super::sample::{Sample, read};

/// Whether the complete form was asked for.
pub fn complete() -> bool {
    std::env::var("RESTOCKD_DAMAGE").is_ok_and(|form| form == "all")
}

/// The seed of the places that the short form picks.
pub fn seed() -> u64 {
    std::env::var("RESTOCKD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260_302)
}

/// Random numbers from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        restockd_testkit::dice::next(&mut self.0)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit.max(1) as u64) as usize
    }
}

/// How many of what.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<String, u64>);

impl Table {
    pub fn add(&mut self, class: &str) {
        *self.0.entry(class.to_owned()).or_default() += 1;
    }

    pub fn count(&self, class: &str) -> u64 {
        self.0.get(class).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub fn merge(&mut self, other: Self) {
        for (class, count) in other.0 {
            *self.0.entry(class).or_default() += count;
        }
    }

    pub fn print(&self, what: &str) {
        let form = if complete() { "complete" } else { "short" };
        println!("{what} ({form} form, seed {}): {} cases", seed(), self.total());
        self.0.iter().for_each(|(class, count)| println!("    {count:>9}  {class}"));
    }
}

/// Where something was damaged.
pub struct Harm<'a> {
    pub path: &'a Path,
    /// The damaged file's bytes.
    pub bytes: Vec<u8>,
    /// What a refusal must name as its place, where that is certain.
    pub place: Option<u64>,
    pub what: String,
}

/// Works on all cases on two threads; `case` makes the damage of the n-th.
pub fn run<'a>(sample: &'a Sample, count: usize, case: impl Fn(usize) -> Harm<'a> + Sync) -> Table {
    let table = Mutex::new(Table::default());
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (table, case) = (&table, &case);
            scope.spawn(move || {
                let mut own = Table::default();
                let mut disk = sample.disk.fork(3);
                for at in (worker..count).step_by(2) {
                    let harm = case(at);
                    let before = disk.counts();
                    disk.put(harm.path, harm.bytes.clone());
                    own.add(&judge(sample, &disk, &harm, at % 97 < 2));
                    // A refusal has changed nothing: the same disk serves again.
                    let after = disk.counts();
                    if (after.writes, after.creates, after.renames)
                        == (before.writes, before.creates, before.renames)
                    {
                        disk.put(harm.path, sample.whole(harm.path));
                    } else {
                        disk = sample.disk.fork(3);
                    }
                }
                table.lock().unwrap().merge(own);
            });
        }
    });
    table.into_inner().unwrap()
}

impl Sample {
    /// The bytes of a file before the damage.
    pub fn whole(&self, path: &Path) -> Vec<u8> {
        let segment = self.segments.iter().find(|segment| segment.path == path);
        segment.map_or_else(|| self.mark.clone(), |segment| segment.bytes.clone())
    }
}

/// What the mark on a disk says after all: the damage may have hit it.
fn known(sample: &Sample, harm: &Harm<'_>) -> Lsn {
    if harm.path.ends_with("mark") { 0 } else { sample.marked }
}

/// The class of one case; a silent loss panics with its place.
fn judge(sample: &Sample, disk: &SimDisk, harm: &Harm<'_>, decode: bool) -> String {
    let (outcome, seen) = read(disk, &sample.records, decode);
    let what = &harm.what;
    match outcome {
        Ok(recovered) if seen == sample.records.len() => match recovered.torn {
            None => "whole".to_owned(),
            Some(torn) => {
                let end = sample.segments.last().unwrap().used() as u64;
                assert_eq!((torn.file.as_path(), torn.offset), (harm.path, end), "{what}");
                "whole, stray bytes behind it cut and reported".to_owned()
            }
        },
        Ok(recovered) => {
            let (frame, first) = sample.last_frame();
            assert!(first > known(sample, harm), "SILENT LOSS below the mark, {what}");
            assert_eq!(seen as u64 + 1, first, "SILENT LOSS of more than the last frame, {what}");
            let Some(torn) = recovered.torn else {
                // As if it had never been written; nobody was promised that it was.
                assert!(harm.bytes.iter().skip(frame.start).all(|byte| *byte == 0), "SILENT LOSS, {what}");
                return "all that was promised, nothing of the last frame was there".to_owned();
            };
            assert_eq!(torn.offset, frame.start as u64, "{what}");
            let copy = disk.contents()[&torn.copy].clone();
            assert!(harm.bytes.starts_with(&copy), "{what}: the copy is not the file");
            "torn, above the mark, cut and reported".to_owned()
        }
        Err(WalError::Damaged(damage)) => {
            assert_eq!(damage.file, harm.path, "{what}: {damage}");
            if let Some(place) = harm.place {
                assert_eq!(damage.offset, place, "{what}: {damage}");
            }
            assert!(damage.offset <= disk.contents()[harm.path].len() as u64, "{what}: {damage}");
            "refused, naming file and offset".to_owned()
        }
        Err(other) => panic!("{what}: {other}"),
    }
}
