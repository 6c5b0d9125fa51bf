//! The repair, a human's act: what is lost is said exactly, copies stay, numbers are never used twice.

use std::path::{Path, PathBuf};

use restockd_journal::disk::Disk;
use restockd_journal::wal::{Harm, WalError, repair};
use restockd_testkit::disk::{DiskFault, Op, SimDisk};

use crate::support::{Run, arc, closed_log, frame_starts, names, options, read, read_from, segment_path};

/// Three segments of three records each, all acknowledged.
fn nine() -> SimDisk {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=9_u8 {
        run.append(vec![n; 40]).unwrap();
        if n % 3 == 0 && n < 9 {
            run.seal().unwrap();
        }
    }
    run.log.close();
    sim
}

fn flip(sim: &SimDisk, first: u64, at: usize) {
    let mut bytes = sim.contents()[&segment_path(first)].clone();
    bytes[at] ^= 0x40;
    sim.put(&segment_path(first), bytes);
}

fn numbers(sim: &SimDisk) -> Vec<u64> {
    read(sim).unwrap().1.into_iter().map(|(lsn, _)| lsn).collect()
}

#[test]
fn a_good_log_is_left_alone() {
    let sim = nine();
    let before = sim.contents();
    let done = repair(&arc(&sim), &options(), 0).unwrap();
    assert_eq!((done.lost, done.next, done.changed.len(), done.damage.len()), (None, 10, 0, 0));
    assert_eq!(sim.contents(), before);
}

#[test]
fn a_log_is_cut_at_the_first_damage_and_the_loss_is_named() {
    let sim = nine();
    let before = sim.contents();
    let starts = frame_starts(&before[&segment_path(4)]);
    flip(&sim, 4, starts[1] + 40);
    let wounded = sim.contents();
    assert!(read(&sim).is_err());
    let done = repair(&arc(&sim), &options(), 0).unwrap();
    assert_eq!((done.lost, done.next), (Some((5, 9)), 10));
    assert_eq!(done.changed, [segment_path(4), segment_path(7)]);
    for (changed, copy) in done.changed.iter().zip(&done.copies) {
        let copy = &sim.contents()[copy];
        assert_eq!(copy[..], wounded[changed][..copy.len()]);
        assert!(wounded[changed][copy.len()..].iter().all(|byte| *byte == 0));
    }
    let (recovered, _) = read(&sim).unwrap();
    assert_eq!((numbers(&sim), recovered.missing), (vec![1, 2, 3, 4], vec![(5, 9)]));
    assert_eq!(recovered.torn, None);
    let run = Run::start(&sim);
    assert_eq!(run.append("new"), Ok(10));
    run.log.close();
    assert_eq!(numbers(&sim), [1, 2, 3, 4, 10]);
}

#[test]
fn any_damaged_place_can_be_repaired_and_only_what_is_behind_it_is_lost() {
    let sim = nine();
    for first in [1, 4, 7] {
        let end = *frame_starts(&sim.contents()[&segment_path(first)]).last().unwrap();
        for at in (0..end).step_by(61) {
            let twin = sim.fork(9);
            flip(&twin, first, at);
            let Err(WalError::Damaged(found)) = read(&twin) else { panic!("accepted {first} {at}") };
            let done = repair(&arc(&twin), &options(), 0).unwrap();
            assert_eq!(done.lost, Some((found.expected, 9)), "{found}");
            assert_eq!(numbers(&twin), (1..found.expected).collect::<Vec<_>>(), "{found}");
            assert_eq!(Run::start(&twin).append("new"), Ok(10));
            assert_eq!(names(&twin, ".tmp"), Vec::<String>::new());
        }
    }
}

#[test]
fn stray_bytes_behind_a_closed_segment_cost_nothing() {
    let sim = nine();
    flip(&sim, 1, 60_000);
    let Err(WalError::Damaged(found)) = read(&sim) else { panic!("accepted") };
    assert_eq!((found.harm, found.at_risk), (Harm::Stray, 0));
    let done = repair(&arc(&sim), &options(), 0).unwrap();
    assert_eq!((done.lost, done.changed.len(), done.next), (None, 1, 10));
    assert_eq!(numbers(&sim), (1..=9).collect::<Vec<_>>());
}

#[test]
fn numbers_that_a_snapshot_knows_are_not_used_again() {
    let sim = closed_log(&[b"a", b"b"]);
    assert!(read_from(&sim, 2, 50).is_err());
    let done = repair(&arc(&sim), &options(), 50).unwrap();
    assert_eq!((done.lost, done.next), (Some((3, 50)), 51));
    assert_eq!(read_from(&sim, 2, 50).unwrap().0.next, 51);
    assert_eq!(read_from(&sim, 40, 50).unwrap().0.missing, [(3, 50)]);
}

#[test]
fn a_log_that_is_gone_altogether_starts_again_above_everything_known() {
    let sim = nine();
    for name in names(&sim, ".wal") {
        sim.remove(&Path::new("/data/wal").join(name)).unwrap();
    }
    assert_eq!(repair(&arc(&sim), &options(), 0).unwrap().lost, Some((1, 9)));
    assert_eq!(Run::start(&sim).append("new"), Ok(10));
}

#[test]
fn a_foreign_segment_is_refused_and_not_cut() {
    let sim = nine();
    let before = sim.contents();
    let mut other = options();
    other.engine = [1; 16];
    assert!(
        matches!(repair(&arc(&sim), &other, 0), Err(WalError::Damaged(found)) if found.harm == Harm::ForeignEngine)
    );
    assert_eq!(sim.contents(), before);
}

#[test]
fn a_full_disk_stops_a_repair_before_anything_is_given_up() {
    let sim = nine();
    flip(&sim, 4, 4096 + 40);
    let before = sim.contents();
    sim.fail(Op::Create, "repair", 1, DiskFault::Full);
    assert!(matches!(repair(&arc(&sim), &options(), 0), Err(WalError::NoSpace { .. })));
    assert_eq!(sim.contents(), before);
}

#[test]
fn an_interrupted_repair_can_be_run_again() {
    let sim = nine();
    let starts = frame_starts(&sim.contents()[&segment_path(4)]);
    flip(&sim, 4, starts[1] + 40);
    let mut interrupted = 0;
    for calls in 1..60 {
        let twin = sim.fork(calls);
        twin.cut_power_after(calls);
        interrupted += usize::from(repair(&arc(&twin), &options(), 0).is_err());
        twin.crash();
        let done = repair(&arc(&twin), &options(), 0).unwrap();
        assert_eq!(done.next, 10, "after {calls} calls");
        assert_eq!(numbers(&twin), [1, 2, 3, 4], "after {calls} calls");
        let copies: Vec<PathBuf> =
            twin.contents().into_keys().filter(|path| path.to_string_lossy().contains("broken")).collect();
        assert!(copies.len() >= 2, "after {calls} calls: {copies:?}");
    }
    assert!(interrupted > 10);
}
