//! The opposite of refusing: whatever happens inside a last frame that nobody was promised, the log starts, with
//! everything that was promised, and goes on.
//!
//! The power went while the frame was written: it may be cut, garbled byte by byte, or any of its sectors may be
//! old, zero, garbage or new.

use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd_journal::disk::Disk;
use restockd_journal::wal::Log;
use restockd_testkit::disk::SimDisk;

use super::cases::{Dice, Table, complete, seed};
use super::sample::{Frame, HEADER, Sample, options, read};

const SECTOR: usize = 512;

/// What can be wrong in a case: a file cut at a length, or the bytes that stand where the frame should.
enum Wrong {
    Cut(usize),
    Bytes(Vec<u8>),
}

fn starts(
    sample: &Sample,
    frame: Frame,
    promised: usize,
    wrong: Wrong,
    go_on: bool,
    what: &str,
) -> &'static str {
    let segment = sample.segments.last().unwrap();
    let disk = sample.disk.fork(9);
    let mut bytes = segment.bytes.clone();
    match wrong {
        Wrong::Cut(length) => bytes.truncate(length),
        Wrong::Bytes(new) => bytes[frame.start..frame.end].copy_from_slice(&new),
    }
    disk.put(&segment.path, bytes);
    let (outcome, seen) = read(&disk, &sample.records, false);
    let recovered = outcome.unwrap_or_else(|error| panic!("{what}: refused: {error}"));
    assert!(seen == promised || seen == sample.records.len(), "{what}: {seen} of {promised} came back");
    if go_on {
        goes_on(&disk, seen, what);
    }
    match (recovered.torn, seen == promised) {
        (None, false) => "whole",
        (Some(_), false) => "whole, stray bytes behind it cut and reported",
        (None, true) => "all that was promised, nothing of the frame was there",
        (Some(torn), true) => {
            assert_eq!((torn.file, torn.offset), (segment.path.clone(), frame.start as u64), "{what}");
            "torn, cut and reported, all that was promised came back"
        }
    }
}

/// The started log takes a record, and the next start finds it behind the others.
fn goes_on(disk: &SimDisk, seen: usize, what: &str) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let recovered = restockd_journal::wal::recover(&shared, &options(), 1, 0, &mut |_, _| Ok(())).unwrap();
    assert_eq!((recovered.next, recovered.torn.as_ref()), (seen as u64 + 1, None), "{what}: started twice");
    let log = Log::start(shared.clone(), options(), &recovered, Box::new(|error| panic!("{error}"))).unwrap();
    let (told, hear) = channel();
    let record = restockd_journal::wal::Record { kind: 1, version: 1, bytes: b"next".to_vec() };
    log.append(record, Box::new(move |outcome| told.send(outcome).unwrap()));
    assert_eq!(hear.recv().unwrap(), Ok(seen as u64 + 1), "{what}");
    log.close();
    let mut last = Vec::new();
    let read = restockd_journal::wal::recover(&shared, &options(), 1, 0, &mut |_, record| {
        last = record.bytes.to_vec();
        Ok(())
    });
    assert_eq!((read.unwrap().delivered, last.as_slice()), (seen as u64 + 1, &b"next"[..]), "{what}");
}

fn promised(sample: &Sample) -> (Frame, usize) {
    let (frame, first) = sample.last_frame();
    assert_eq!(sample.marked + 1, first, "only the last frame was never promised");
    (frame, first as usize - 1)
}

#[test]
fn a_last_frame_that_was_never_promised_may_be_cut_anywhere() {
    let sample = Sample::with_open_end(9_000);
    let (frame, promised) = promised(&sample);
    let mut table = Table::default();
    let step = if complete() { 1 } else { 11 };
    for length in (frame.start..frame.end).step_by(step).chain([frame.end - 1]) {
        table.add(starts(
            &sample,
            frame,
            promised,
            Wrong::Cut(length),
            length % 50 == 0,
            &format!("cut at {length}"),
        ));
    }
    table.print("a cut inside a last frame that was never promised");
}

#[test]
fn a_last_frame_that_was_never_promised_may_be_garbled_at_any_byte() {
    let sample = Sample::with_open_end(9_000);
    let (frame, promised) = promised(&sample);
    let whole = &sample.segments.last().unwrap().bytes[frame.start..frame.end];
    let mut dice = Dice(seed());
    let mut table = Table::default();
    // the head at every byte and value; of the rest every byte has its turn over eight runs of the short form
    let turn = seed() as usize % 8;
    for at in (0..whole.len()).filter(|at| complete() || *at < 40 || at % 8 == turn) {
        let values = [whole[at] ^ 1, whole[at] ^ 0x80, !whole[at], 0, 0xFF, dice.roll() as u8];
        let some = if complete() || at < 40 { values.len() } else { 1 };
        for (nth, value) in values.into_iter().cycle().skip(at).take(some).enumerate() {
            let mut bytes = whole.to_vec();
            bytes[at] = value;
            let go_on = at % 100 < 8 && nth == 0;
            table.add(starts(
                &sample,
                frame,
                promised,
                Wrong::Bytes(bytes),
                go_on,
                &format!("byte {at} = {value}"),
            ));
        }
    }
    table.print("a byte garbled inside a last frame that was never promised");
}

#[test]
fn a_last_frame_that_was_never_promised_may_have_lost_any_of_its_sectors() {
    let sample = Sample::with_open_end(9_000);
    let (frame, promised) = promised(&sample);
    let whole = &sample.segments.last().unwrap().bytes[frame.start..frame.end];
    let sectors: Vec<(usize, usize)> = (frame.start / SECTOR..=(frame.end - 1) / SECTOR)
        .map(|sector| (sector * SECTOR).max(frame.start)..((sector + 1) * SECTOR).min(frame.end))
        .map(|range| (range.start - frame.start, range.end - frame.start))
        .collect();
    assert!(sectors.len() > 15);
    let mut dice = Dice(seed());
    let mut table = Table::default();
    let mut case = |lost: &dyn Fn(usize) -> bool, garbled: bool, what: String, dice: &mut Dice| {
        let mut bytes = whole.to_vec();
        for (_, (from, to)) in sectors.iter().enumerate().filter(|(sector, _)| lost(*sector)) {
            bytes[*from..*to].fill_with(|| if garbled { dice.roll() as u8 } else { 0 });
        }
        let go_on = dice.below(20) == 0;
        table.add(starts(&sample, frame, promised, Wrong::Bytes(bytes), go_on, &what));
    };
    for garbled in [false, true] {
        for one in 0..sectors.len() {
            case(&|sector| sector == one, garbled, format!("sector {one} lost"), &mut dice);
            case(&|sector| sector != one, garbled, format!("only sector {one} kept"), &mut dice);
            case(&|sector| sector >= one, garbled, format!("sectors from {one} on lost"), &mut dice);
        }
        for _ in 0..if complete() { 20_000 } else { 200 } {
            let set = dice.roll();
            case(&|sector| set >> sector & 1 == 1, garbled, format!("sectors {set:b} lost"), &mut dice);
        }
    }
    table.print("sectors lost of a last frame that was never promised");
}

#[test]
fn a_segment_that_was_just_taken_into_use_may_be_torn_anywhere() {
    // The last file has a header and no frame: nobody was promised anything in it.
    let sample = Sample::closed();
    let shared: Arc<dyn Disk> = Arc::new(sample.disk.fork(1));
    let recovered = restockd_journal::wal::recover(&shared, &options(), 1, 0, &mut |_, _| Ok(())).unwrap();
    let log = Log::start(shared.clone(), options(), &recovered, Box::new(|error| panic!("{error}"))).unwrap();
    let (told, hear) = channel();
    log.seal(Box::new(move |outcome| told.send(outcome).unwrap()));
    hear.recv().unwrap().unwrap();
    log.close();
    let promised = sample.records.len();
    let path = options().dir.join(format!("{:020}.wal", promised + 1));
    let whole = shared.read(&path).unwrap();
    let fork = SimDisk::new(1);
    for name in shared.list(&options().dir).unwrap().iter().filter(|name| !name.ends_with(".tmp")) {
        fork.put(&options().dir.join(name), shared.read(&options().dir.join(name)).unwrap());
    }
    let mut dice = Dice(seed());
    let mut table = Table::default();
    for at in 0..HEADER {
        if !complete() && (80..HEADER - 4).contains(&at) && at % 16 != 0 {
            continue;
        }
        let mut garbled = whole.clone();
        garbled[at] ^= 1 << dice.below(8);
        let mut half = whole.clone();
        half[at..HEADER].fill(0);
        for (bytes, how) in [(garbled, "garbled"), (half, "zero from"), (whole[..at].to_vec(), "cut")] {
            let disk = fork.fork(2);
            disk.put(&path, bytes);
            let (outcome, seen) = read(&disk, &sample.records, false);
            let recovered = outcome.unwrap_or_else(|error| panic!("{how} at {at}: {error}"));
            assert_eq!(seen, promised, "{how} at {at}");
            table.add(if recovered.torn.is_some() { "set aside and reported" } else { "whole" });
            if at % 200 == 0 {
                goes_on(&disk, seen, how);
            }
        }
    }
    table.print("the header of a segment without a frame torn");
}
