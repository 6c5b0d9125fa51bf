//! A disk that fails: the promise is kept or no promise is made, and a full disk is no failure.

use std::sync::mpsc::channel;

use restockd_journal::disk::Disk;
use restockd_journal::wal::{Lost, WalError, recover};
use restockd_testkit::disk::{DiskFault, Op, SimDisk};

use crate::support::{
    Run, arc, eventually, hold, names, options, read, read_from, record, segment_path, ticket,
};

#[test]
fn a_ticket_is_answered_only_when_a_crash_can_no_longer_take_the_record() {
    for seed in 0..50 {
        let sim = SimDisk::new(seed);
        let run = Run::start(&sim);
        for n in 1..=5_u64 {
            let (sender, receiver) = channel();
            let disk = sim.clone();
            run.log.append(
                record(vec![n as u8; 700]),
                Box::new(move |outcome| {
                    // The power goes in the very moment the ticket runs.
                    let twin = disk.fork(seed * 31 + n);
                    twin.crash();
                    sender.send((outcome, twin)).unwrap();
                }),
            );
            let (outcome, twin) = receiver.recv().unwrap();
            assert_eq!(outcome, Ok(n));
            assert_eq!(read(&twin).unwrap().1.len() as u64, n, "seed {seed}");
        }
    }
}

#[test]
fn a_failed_write_or_sync_poisons_for_good_and_fails_every_ticket() {
    for (op, fault) in [
        (Op::Write, DiskFault::Broken),
        (Op::Write, DiskFault::Full),
        (Op::Sync, DiskFault::Broken),
        (Op::Sync, DiskFault::Full),
    ] {
        let sim = SimDisk::new(3);
        let run = Run::start(&sim);
        run.append("before").unwrap();
        // While a ticket holds the writer, the rest queues up behind it.
        let ((open, gate), (held, holds)) = (channel::<()>(), channel::<()>());
        let holder = move |_| {
            held.send(()).unwrap();
            hold(&gate);
        };
        run.log.append(record("holds the writer"), Box::new(holder));
        holds.recv().unwrap();
        sim.fail(op, ".wal", 1, fault);
        let answers: Vec<_> = (0..20).map(|n| run.send(format!("{n}"))).collect();
        drop(open);
        for answer in answers {
            assert_eq!(answer.recv().unwrap(), Err(Lost::Ended));
        }
        assert!(run.log.poisoned());
        eventually("on_poison", || run.poisons() == 1);
        assert!(run.poison_text.lock().unwrap().contains("00000000000000000001.wal"));
        run.log.close();
        let calls = sim.counts();
        assert_eq!(run.append("after"), Err(Lost::Ended));
        assert_eq!(run.barrier(), Err(Lost::Ended));
        run.log.close();
        assert_eq!(run.poisons(), 1);
        assert_eq!(
            (sim.counts().writes, sim.counts().syncs),
            (calls.writes, calls.syncs),
            "nothing is tried again"
        );
        sim.crash();
        assert!(read(&sim).unwrap().1.iter().any(|(_, bytes)| bytes == b"before"));
    }
}

#[test]
fn a_failed_take_over_of_a_segment_poisons() {
    for (op, nth) in [(Op::Rename, 1), (Op::SyncDir, 1)] {
        let sim = SimDisk::new(3);
        let run = Run::start(&sim);
        run.append("before").unwrap();
        sim.fail(op, if op == Op::Rename { ".wal" } else { "/data/wal" }, nth, DiskFault::Broken);
        assert_eq!(run.seal(), Err(Lost::Ended));
        assert!(run.log.poisoned());
        run.log.close();
        sim.crash();
        assert_eq!(read(&sim).unwrap().1.len(), 1);
    }
}

#[test]
fn what_a_failed_sync_left_in_memory_is_made_durable_by_the_next_start() {
    for seed in 0..40 {
        let sim = SimDisk::new(seed);
        let run = Run::start(&sim);
        run.append("one").unwrap();
        sim.fail(Op::Sync, ".wal", 1, DiskFault::Broken);
        assert_eq!(run.append(vec![2; 3_000]), Err(Lost::Ended));
        run.log.close();
        // Only the process died. The frame can be read although the disk never got it.
        let run = Run::start(&sim);
        let third = run.append("three").unwrap();
        drop(run);
        sim.crash();
        let (_, seen) = read(&sim).unwrap();
        assert_eq!(seen.len() as u64, third, "seed {seed}: acknowledged behind a hole");
    }
}

/// Fills the disk and uses up the spare, so that the next one cannot be made; the current segment is nearly empty.
fn fill_up(sim: &SimDisk, run: &Run) {
    run.append("first").unwrap();
    run.seal().unwrap();
    sim.set_full(true);
    // The spare that was being made when the disk filled up may have come through.
    run.append("second").unwrap();
    run.seal().unwrap();
    eventually("no room", || !run.log.room());
}

#[test]
fn no_space_for_a_spare_stops_admission_and_nothing_else() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    fill_up(&sim, &run);
    // The writer goes on in the current segment.
    let appended = run.barrier().unwrap();
    let letter = run.append("letters in flight still settle").unwrap();
    assert_eq!(letter, appended + 1);
    assert_eq!(run.seal(), Ok(letter), "a seal does not wait for space");
    // More than fits: its tickets wait, nobody is told anything wrong.
    let answers: Vec<_> = (0..16).map(|_| run.send(vec![2; 8_000])).collect();
    assert!(!run.log.poisoned());
    assert_eq!(names(&sim, ".tmp"), Vec::<String>::new(), "a half-made spare gives its space back");
    sim.set_full(false);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.recv().unwrap(), Ok(letter + 1 + n as u64));
    }
    assert!(run.log.room() && !run.log.poisoned() && run.poisons() == 0);
    run.log.close();
    assert_eq!(read(&sim).unwrap().1.len() as u64, letter + 16);
}

#[test]
fn a_log_starts_on_a_full_disk_and_waits_and_can_be_closed() {
    let sim = SimDisk::new(3);
    let (recovered, _) = read(&sim).unwrap();
    sim.set_full(true);
    let run = Run::start_on(arc(&sim), &options(), &recovered).unwrap();
    let answer = run.send("waits");
    eventually("no room", || !run.log.room());
    run.log.close();
    assert_eq!(answer.recv().unwrap(), Err(Lost::Ended));
    assert!(!run.log.poisoned());
    sim.set_full(false);
    assert_eq!(Run::start(&sim).append("works"), Ok(1));
}

#[test]
fn trimming_makes_room_again_at_once() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    fill_up(&sim, &run);
    sim.set_full(false);
    run.log.trim(2);
    eventually("room", || run.log.room());
    run.log.close();
    assert_eq!(
        sim.open(&segment_path(1)).err().map(|error| error.kind()),
        Some(std::io::ErrorKind::NotFound)
    );
}

#[test]
fn an_error_while_a_spare_is_made_that_is_no_shortage_poisons() {
    let sim = SimDisk::new(3);
    sim.fail(Op::Sync, "spare-2", 1, DiskFault::Broken);
    let run = Run::start(&sim);
    let mut last = run.append("a");
    while last.is_ok() {
        last = run.append("b");
    }
    run.log.close();
    assert!(run.log.poisoned());
    assert_eq!(run.poisons(), 1);
}

#[test]
fn the_mark_may_fail_without_anybody_noticing() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    run.append("a").unwrap();
    sim.fail(Op::Create, "mark", 1, DiskFault::Broken);
    sim.fail(Op::Write, "mark", 1, DiskFault::Broken);
    sim.fail(Op::Sync, "mark", 1, DiskFault::Broken);
    run.append("b").unwrap();
    run.log.close();
    assert!(!run.log.poisoned());
    assert_eq!(read_from(&sim, 1, 2).unwrap().1.len(), 2);
}

#[test]
fn the_mark_is_written_when_nothing_more_comes() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    run.append("a").unwrap();
    let mark = std::path::PathBuf::from("/data/wal/mark");
    eventually("mark", || sim.contents().get(&mark).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)));
    assert_eq!(run.log.stats().syncs, 1);
}

#[test]
fn a_panicking_ticket_poisons_and_the_others_still_hear() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    let (open, gate) = channel::<()>();
    run.log.append(record("a"), Box::new(move |_| hold(&gate)));
    run.log.append(record("b"), Box::new(|_| panic!("a bug in a ticket, on purpose")));
    let (waiting, answer) = ticket();
    run.log.append(record("c"), waiting);
    drop(open);
    assert_eq!(answer.recv().unwrap(), Err(Lost::Ended));
    run.log.close();
    assert!(run.log.poisoned());
    assert_eq!(run.poisons(), 1);
}

#[test]
fn a_start_needs_the_sync_of_the_file_system() {
    let sim = crate::support::closed_log(&[b"a"]);
    sim.fail(Op::SyncFs, "", 1, DiskFault::Broken);
    let error = recover(&arc(&sim), &options(), 1, 0, &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, WalError::Io { .. }), "{error}");
}

#[test]
fn a_cut_whose_sync_failed_is_made_again_at_the_next_start() {
    let sim = SimDisk::new(3);
    let run = Run::start(&sim);
    run.append("one").unwrap();
    run.append("two").unwrap();
    run.log.close();
    crate::support::forget_mark(&sim);
    let mut bytes = sim.contents()[&segment_path(1)].clone();
    let starts = crate::support::frame_starts(&bytes);
    bytes[starts[1] + 20] ^= 1;
    sim.put(&segment_path(1), bytes);
    // The tail is cut, but the disk never gets the zeros: the kernel only calls their pages clean.
    sim.fail(Op::Sync, "1.wal", 1, DiskFault::Broken);
    assert!(read(&sim).is_err());
    // The same machine starts again: it reads zeros.
    let run = Run::start(&sim);
    run.append("three").unwrap();
    run.seal().unwrap();
    run.append("four").unwrap();
    drop(run);
    sim.crash();
    assert_eq!(read(&sim).unwrap().1.len(), 3);
}
