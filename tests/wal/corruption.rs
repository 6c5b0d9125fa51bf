//! Damage: every acknowledged record comes back, or the start is refused. Never silence.

use std::path::{Path, PathBuf};

use restockd_journal::wal::{Harm, TailState, WalError, inspect};
use restockd_testkit::disk::SimDisk;

use crate::support::{
    Run, arc, closed_log, forget_mark, frame_starts, names, options, read, read_from, segment_path,
};

/// Two segments with two and three frames, all acknowledged.
fn two_segments() -> SimDisk {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=5_u8 {
        run.append(vec![n; 40]).unwrap();
        if n == 2 {
            run.seal().unwrap();
        }
    }
    run.log.close();
    sim
}

fn damage(sim: &SimDisk) -> restockd_journal::wal::Damage {
    match read(sim) {
        Err(WalError::Damaged(damage)) => damage,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn no_single_flipped_bit_loses_an_acknowledged_record_in_silence() {
    let sim = two_segments();
    let files = sim.contents();
    let (mut refused, mut started) = (0, 0);
    for (path, bytes) in &files {
        let used = match path.extension() {
            Some(_) => *frame_starts(bytes).last().unwrap(),
            None => bytes.len(),
        };
        // Every bit that says something, and some of the zeros behind.
        let zeros = (used..bytes.len()).step_by(977);
        for at in (0..used).chain(zeros) {
            // The empty middle of a header is covered by one checksum: one bit of each byte will do.
            let empty = path.extension().is_some() && (80..4_090).contains(&at);
            for bit in if empty { at % 8..at % 8 + 1 } else { 0..8 } {
                let twin = sim.fork(3);
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                twin.put(path, bad);
                match read(&twin) {
                    Ok((_, seen)) => {
                        started += 1;
                        assert_eq!(seen.len(), 5, "{} byte {at} bit {bit}", path.display());
                        assert!(seen.iter().all(|(lsn, bytes)| *bytes == vec![*lsn as u8; 40]));
                    }
                    Err(WalError::Damaged(_)) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    assert!(refused > 1_000 && started > 1_000, "{refused} refused, {started} started");
}

#[test]
fn a_missing_segment_is_refused_wherever_it_was() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=4_u8 {
        run.append(vec![n; 40]).unwrap();
        run.seal().unwrap();
    }
    run.log.close();
    for (first, expected) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
        let twin = sim.fork(1);
        restockd_journal::disk::Disk::remove(&twin, &segment_path(first)).unwrap();
        let found = damage(&twin);
        assert_eq!(found.expected, expected, "{found}");
        assert!(found.at_risk >= 1, "{found}");
    }
    for name in names(&sim, ".wal") {
        restockd_journal::disk::Disk::remove(&sim, &Path::new("/data/wal").join(name)).unwrap();
    }
    let found = damage(&sim);
    assert_eq!((found.harm, found.expected, found.at_risk), (Harm::Missing, 1, 4), "never start empty");
}

#[test]
fn a_segment_of_the_same_engine_from_elsewhere_breaks_the_chain() {
    let (sim, other) = (two_segments(), SimDisk::new(1));
    let run = Run::start(&other);
    for n in 1..=5_u8 {
        run.append(vec![n + 100; 40]).unwrap();
        if n == 2 {
            run.seal().unwrap();
        }
    }
    run.log.close();
    sim.put(&segment_path(3), other.contents()[&segment_path(3)].clone());
    assert_eq!(damage(&sim).harm, Harm::Chain);
}

#[test]
fn a_closed_segment_that_ends_early_is_refused_where_it_ends() {
    let sim = two_segments();
    let mut bytes = sim.contents()[&segment_path(1)].clone();
    let starts = frame_starts(&bytes);
    bytes[starts[1]..].fill(0);
    sim.put(&segment_path(1), bytes);
    let found = damage(&sim);
    assert_eq!((found.file, found.offset, found.expected), (segment_path(1), starts[1] as u64, 2));
    assert_eq!(found.at_risk, 4);
}

#[test]
fn a_log_that_starts_too_late_or_ends_too_early_for_the_caller_is_refused() {
    let sim = two_segments();
    assert!(matches!(read_from(&sim, 6, 5), Ok((_, seen)) if seen.is_empty()));
    assert!(matches!(read_from(&sim, 7, 5), Err(WalError::Damaged(found)) if found.harm == Harm::Missing));
    assert!(matches!(read_from(&sim, 1, 6), Err(WalError::Damaged(found)) if found.at_risk == 1));
    restockd_journal::disk::Disk::remove(&sim, &segment_path(1)).unwrap();
    assert!(matches!(read_from(&sim, 2, 5), Err(WalError::Damaged(found)) if found.harm == Harm::Uncovered));
    assert!(matches!(read_from(&sim, 3, 5), Ok((_, seen)) if seen.len() == 3));
}

#[test]
fn a_lagging_or_lost_mark_never_refuses_a_good_log() {
    let sim = two_segments();
    let old = closed_log(&[b"x"]).contents()[Path::new("/data/wal/mark")].clone();
    for mark in [Vec::new(), vec![0; 1024], vec![0xEE; 1024], old] {
        sim.put(Path::new("/data/wal/mark"), mark);
        assert_eq!(read(&sim).unwrap().1.len(), 5);
    }
}

#[test]
fn a_look_changes_nothing_whatever_it_finds() {
    let good = two_segments();
    let bytes = good.contents()[&segment_path(3)].clone();
    let starts = frame_starts(&bytes);
    let mut cases: Vec<(SimDisk, &str)> = vec![(SimDisk::new(1), "no directory"), (good.fork(1), "good")];
    for (forget, at, what) in
        [(true, starts[2] + 9, "torn"), (false, starts[2] + 9, "below the mark"), (true, 20, "header")]
    {
        let twin = good.fork(1);
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        twin.put(&segment_path(3), bad);
        twin.put(Path::new("/data/wal/spare-9.tmp"), vec![1; 10]);
        if forget {
            forget_mark(&twin);
        }
        cases.push((twin, what));
    }
    for (sim, what) in cases {
        let (files, calls) = (sim.contents(), sim.counts());
        let report = inspect(&arc(&sim), &options(), 1, 0).unwrap();
        assert_eq!((sim.contents(), sim.counts()), (files, calls), "{what}");
        match what {
            "no directory" => assert_eq!((report.records, report.tail), (0, TailState::Clean)),
            "good" => {
                assert_eq!((report.records, report.first, report.last), (5, Some(1), Some(5)));
                assert_eq!((report.segments.len(), report.known_durable, report.at_risk()), (2, 5, 0));
            }
            "torn" => assert!(matches!(report.tail, TailState::Torn { .. }) && report.last == Some(4)),
            "below the mark" => assert_eq!((report.tail.clone(), report.at_risk()), (TailState::Unknown, 1)),
            _ => assert_eq!((report.damage.as_ref().unwrap().offset, report.at_risk()), (0, 3)),
        }
    }
}

#[test]
fn files_that_are_no_segments_are_left_alone() {
    let sim = two_segments();
    sim.put(&PathBuf::from("/data/wal/notes.txt"), b"hello".to_vec());
    sim.put(&PathBuf::from("/data/wal/spare-3.tmp"), vec![1; 99]);
    assert_eq!(read(&sim).unwrap().1.len(), 5);
    assert_eq!((names(&sim, ".txt").len(), names(&sim, ".tmp").len()), (1, 0));
}
