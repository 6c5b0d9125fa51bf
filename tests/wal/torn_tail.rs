//! A torn last write must never stop a start, and the same bytes below a known number must never be cut.

use restockd_journal::wal::{Harm, TailState, WalError, inspect};
use restockd_testkit::disk::SimDisk;

use crate::support::{
    Run, arc, closed_log, forget_mark, frame_starts, names, options, read, read_from, segment_path,
};

const PAYLOADS: [&[u8]; 3] = [b"first", b"second, somewhat longer than the first", &[3; 300]];

/// A log of three frames where nothing says that the third was acknowledged, with its bytes.
fn unacknowledged() -> (SimDisk, Vec<u8>, Vec<usize>) {
    let sim = closed_log(&PAYLOADS);
    forget_mark(&sim);
    let bytes = sim.contents()[&segment_path(1)].clone();
    let starts = frame_starts(&bytes);
    (sim, bytes, starts)
}

/// The log starts with these many records, goes on, and is clean at the next start.
fn starts_with(sim: &SimDisk, records: usize, what: &str) {
    let (recovered, seen) = read(sim).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(seen.len(), records, "{what}");
    if let Some(torn) = &recovered.torn {
        assert!(sim.contents().contains_key(&torn.copy), "{what}: the copy is there");
    }
    let run = Run::start_on(arc(sim), &options(), &recovered).unwrap();
    assert_eq!(run.append("next"), Ok(records as u64 + 1), "{what}");
    run.log.close();
    let (again, seen) = read(sim).unwrap();
    assert_eq!((seen.len(), again.torn), (records + 1, None), "{what}");
}

#[test]
fn a_file_cut_at_any_length_in_the_last_frame_starts() {
    let (sim, bytes, starts) = unacknowledged();
    for len in starts[2]..starts[3] {
        let twin = sim.fork(7);
        twin.put(&segment_path(1), bytes[..len].to_vec());
        starts_with(&twin, 2, &format!("cut at {len}"));
        assert_eq!(twin.contents()[&segment_path(1)].len(), bytes.len(), "its length is given back");
    }
}

#[test]
fn any_byte_garbled_in_the_last_frame_starts() {
    let (sim, bytes, starts) = unacknowledged();
    for at in starts[2]..starts[3] {
        for change in [0xFF, 0x01, bytes[at]] {
            let twin = sim.fork(7);
            let mut bad = bytes.clone();
            bad[at] ^= change;
            twin.put(&segment_path(1), bad);
            let whole = change == 0;
            starts_with(&twin, if whole { 3 } else { 2 }, &format!("byte {at} xor {change}"));
        }
    }
}

#[test]
fn a_last_frame_that_lost_any_of_its_sectors_starts() {
    let sim = closed_log(&[b"first", b"second", &[0xAB; 5_000]]);
    forget_mark(&sim);
    let bytes = sim.contents()[&segment_path(1)].clone();
    let starts = frame_starts(&bytes);
    let sectors: Vec<usize> = (starts[2] / 512..starts[3].div_ceil(512)).collect();
    for lost in 1..(1_u32 << sectors.len()) {
        let mut bad = bytes.clone();
        for (bit, sector) in sectors.iter().enumerate().filter(|(bit, _)| lost & (1 << bit) != 0) {
            let (low, high) = ((sector * 512).max(starts[2]), ((sector + 1) * 512).min(starts[3]));
            bad[low..high].fill(if bit % 3 == 2 { 0x5A } else { 0 });
        }
        let twin = sim.fork(7);
        twin.put(&segment_path(1), bad);
        let (_, seen) = read(&twin).unwrap();
        assert_eq!(seen.len(), 2, "lost sectors {lost:b}");
    }
}

#[test]
fn the_torn_bytes_are_reported_copied_and_replaced_by_zeros() {
    let (sim, mut bytes, starts) = unacknowledged();
    bytes[starts[2] + 50] ^= 0x10;
    sim.put(&segment_path(1), bytes.clone());
    let report = inspect(&arc(&sim), &options(), 1, 0).unwrap();
    assert!(matches!(report.tail, TailState::Torn { offset, .. } if offset == starts[2] as u64));
    assert_eq!((report.records, report.damage.is_none()), (2, true));
    let (recovered, _) = read(&sim).unwrap();
    let torn = recovered.torn.unwrap();
    assert_eq!((torn.file, torn.offset), (segment_path(1), starts[2] as u64));
    let copy = &sim.contents()[&torn.copy];
    assert_eq!(copy[..], bytes[..copy.len()]);
    assert!(copy.len() as u64 == torn.offset + torn.bytes);
    assert!(sim.contents()[&segment_path(1)][starts[2]..].iter().all(|byte| *byte == 0));
    assert_eq!(names(&sim, ".broken-1").len(), 1);
}

#[test]
fn the_same_wounds_below_a_known_number_are_refused_with_the_place() {
    let (sim, bytes, starts) = unacknowledged();
    for at in (starts[2]..starts[3]).step_by(3) {
        let (cut, flipped) = (bytes[..at].to_vec(), {
            let mut bad = bytes.clone();
            bad[at] ^= 0x80;
            bad
        });
        for bad in [cut, flipped] {
            let twin = sim.fork(7);
            twin.put(&segment_path(1), bad);
            let Err(WalError::Damaged(damage)) = read_from(&twin, 1, 3) else { panic!("accepted at {at}") };
            assert_eq!((damage.offset, damage.expected, damage.at_risk), (starts[2] as u64, 3, 1));
            assert_eq!(damage.file, segment_path(1));
            assert!(at == starts[2] || matches!(damage.harm, Harm::Frame(_)), "{damage}");
            assert!(WalError::Damaged(damage).to_string().contains(&format!("offset {}", starts[2])));
        }
    }
}

#[test]
fn the_mark_alone_makes_a_clean_but_short_log_damaged() {
    let sim = closed_log(&PAYLOADS);
    let mut bytes = sim.contents()[&segment_path(1)].clone();
    let starts = frame_starts(&bytes);
    bytes[starts[2]..].fill(0);
    sim.put(&segment_path(1), bytes);
    let Err(WalError::Damaged(damage)) = read(&sim) else { panic!("acknowledged record 3 is gone") };
    assert_eq!((damage.harm, damage.expected, damage.at_risk), (Harm::Missing, 3, 1));
    forget_mark(&sim);
    starts_with(&sim, 2, "nobody knows of record 3 any more");
}

#[test]
fn a_good_frame_behind_a_bad_one_is_damage_even_when_the_length_is_garbled() {
    let (sim, bytes, starts) = unacknowledged();
    for at in starts[1]..starts[2] {
        let mut bad = bytes.clone();
        bad[at] ^= 0xFF;
        let twin = sim.fork(7);
        twin.put(&segment_path(1), bad);
        let Err(WalError::Damaged(damage)) = read(&twin) else { panic!("accepted at {at}") };
        assert_eq!((damage.offset, damage.expected, damage.at_risk), (starts[1] as u64, 2, 2));
    }
}

#[test]
fn a_new_segment_that_was_torn_before_its_first_record_is_set_aside() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    run.append("one").unwrap();
    run.seal().unwrap();
    run.log.close();
    let whole = sim.contents()[&segment_path(2)].clone();
    for wound in 0..4 {
        let twin = sim.fork(7);
        let mut bad = whole.clone();
        match wound {
            0 => bad.fill(0),
            1 => bad[40] ^= 1,
            2 => bad.truncate(100),
            _ => bad.clear(),
        }
        twin.put(&segment_path(2), bad);
        starts_with(&twin, 1, &format!("wound {wound}"));
    }
    // The same with a frame in it is damage: the header was synced before the frame was written.
    let run = Run::start(&sim);
    run.append("two").unwrap();
    run.log.close();
    forget_mark(&sim);
    let mut bad = sim.contents()[&segment_path(2)].clone();
    bad[40] ^= 1;
    sim.put(&segment_path(2), bad);
    assert!(
        matches!(read(&sim), Err(WalError::Damaged(damage)) if damage.expected == 2 && damage.at_risk == 1)
    );
}
