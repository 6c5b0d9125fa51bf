//! What a healthy log does: append, number, recover, rotate, seal, trim, close.

use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd_journal::wal::{Lost, WalError, recover};
use restockd_testkit::disk::SimDisk;

use crate::support::{Run, arc, hold, names, options, read, read_from, record, segment_path, ticket};

#[test]
fn an_empty_log_starts_at_one_and_closes_twice() {
    let sim = SimDisk::new(1);
    let (recovered, seen) = read(&sim).unwrap();
    assert_eq!((recovered.next, recovered.first, recovered.segments, seen.len()), (1, 1, 0, 0));
    let run = Run::start(&sim);
    assert_eq!((run.log.next_lsn(), run.log.durable_lsn()), (1, 0));
    run.log.close();
    run.log.close();
    assert_eq!(run.append("late"), Err(Lost::Ended));
    assert_eq!(run.barrier(), Err(Lost::Ended));
    assert!(!run.log.poisoned());
    assert_eq!(names(&sim, ".tmp"), Vec::<String>::new());
}

#[test]
fn what_was_appended_comes_back_in_order_and_from_any_number() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=50_u64 {
        assert_eq!(run.append(format!("record {n}")), Ok(n));
    }
    assert_eq!((run.log.next_lsn(), run.log.durable_lsn()), (51, 50));
    run.log.close();
    for from in [0, 1, 2, 37, 50, 51] {
        let (recovered, seen) = read_from(&sim, from, 50).unwrap();
        let numbers: Vec<u64> = seen.iter().map(|(lsn, _)| *lsn).collect();
        assert_eq!(numbers, (from.max(1)..=50).collect::<Vec<_>>());
        assert!(seen.iter().all(|(lsn, bytes)| *bytes == format!("record {lsn}").into_bytes()));
        assert_eq!((recovered.next, recovered.records, recovered.torn), (51, 50, None));
    }
}

#[test]
fn one_batch_costs_one_sync_and_a_barrier_without_work_costs_none() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    // While the first ticket holds the writer, the others gather.
    let (open, gate) = channel::<()>();
    run.log.append(record("first"), Box::new(move |_| hold(&gate)));
    let answers: Vec<_> = (0..99).map(|n| run.send(format!("{n}"))).collect();
    run.log.append_quiet(record("quiet"));
    let (waiting, barrier) = ticket();
    run.log.barrier(waiting);
    drop(open);
    assert_eq!(barrier.recv().unwrap(), Ok(101));
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.recv().unwrap(), Ok(n as u64 + 2));
    }
    let syncs = run.log.stats().syncs;
    assert!(syncs <= 3, "{syncs} syncs");
    assert_eq!(run.barrier(), Ok(101));
    assert_eq!(run.log.stats().syncs, syncs);
    assert_eq!(run.log.stats().records, 101);
}

#[test]
fn a_full_segment_is_followed_by_the_next_and_all_verify() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=60_u8 {
        run.append(vec![n; 9_000]).unwrap();
    }
    run.log.close();
    assert_eq!(names(&sim, ".wal").len() as u64, run.log.stats().segments);
    let (recovered, seen) = read(&sim).unwrap();
    assert_eq!((seen.len(), recovered.segments), (60, 10));
    let again = Run::start(&sim);
    assert_eq!(again.append("more"), Ok(61));
}

#[test]
fn the_longest_record_fits_and_a_longer_one_fails_alone() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    let limit = options().max_record_bytes();
    assert_eq!(run.append(vec![1; limit]), Ok(1));
    assert_eq!(run.append(vec![2; limit + 1]), Err(Lost::TooLarge));
    assert_eq!(run.append(vec![3; limit]), Ok(2));
    assert_eq!(run.append(Vec::new()), Ok(3));
    assert!(!run.log.poisoned());
    run.log.append_quiet(record(vec![4; limit + 1]));
    assert_eq!(run.barrier(), Err(Lost::Ended));
    run.log.close();
    assert!(run.log.poisoned());
    assert_eq!(read(&sim).unwrap().1.len(), 3);
}

#[test]
fn a_seal_starts_a_new_segment_and_an_empty_one_is_not_sealed_again() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    assert_eq!(run.seal(), Ok(0));
    run.append("a").unwrap();
    assert_eq!(run.seal(), Ok(1));
    assert_eq!(run.seal(), Ok(1));
    run.append("b").unwrap();
    run.log.close();
    assert_eq!(names(&sim, ".wal"), ["00000000000000000001.wal", "00000000000000000002.wal"]);
    assert_eq!(read(&sim).unwrap().1.len(), 2);
}

#[test]
fn trimming_removes_whole_old_segments_and_never_the_last() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    for n in 1..=4 {
        run.append(format!("{n}")).unwrap();
        run.seal().unwrap();
    }
    run.log.trim(3);
    run.log.close();
    assert_eq!(names(&sim, ".wal").len(), 3);
    assert!(matches!(read(&sim), Err(WalError::Damaged(_))), "records 1 and 2 are gone");
    let (recovered, seen) = read_from(&sim, 3, 4).unwrap();
    assert_eq!((recovered.first, recovered.next, seen.len()), (3, 5, 2));

    let run = Run::start_on(arc(&sim), &options(), &recovered).unwrap();
    run.log.trim(u64::MAX);
    run.log.close();
    assert_eq!(names(&sim, ".wal"), ["00000000000000000005.wal"]);
    let (recovered, seen) = read_from(&sim, 5, 4).unwrap();
    assert_eq!((recovered.next, seen.len()), (5, 0));
    let run = Run::start_on(arc(&sim), &options(), &recovered).unwrap();
    assert_eq!(run.append("five"), Ok(5));
}

#[test]
fn a_record_that_the_reader_refuses_is_named_with_file_and_offset() {
    let sim = crate::support::closed_log(&[b"good", b"odd"]);
    let outcome = recover(&arc(&sim), &options(), 1, 0, &mut |_, record| match record.bytes {
        b"odd" => Err("kind 7 is unknown".to_owned()),
        _ => Ok(()),
    });
    let text = outcome.unwrap_err().to_string();
    assert!(
        text.contains("record 2") && text.contains("offset 4144") && text.contains("kind 7 is unknown"),
        "{text}"
    );
}

#[test]
fn another_engine_and_tiny_segments_are_refused() {
    let sim = crate::support::closed_log(&[b"good"]);
    let mut other = options();
    other.engine = [9; 16];
    let error = recover(&arc(&sim), &other, 1, 0, &mut |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains("another engine"), "{error}");
    other.segment_bytes = 4096;
    assert!(matches!(recover(&arc(&sim), &other, 1, 0, &mut |_, _| Ok(())), Err(WalError::Options(_))));
}

#[test]
fn a_dropped_log_keeps_what_was_appended_and_a_ticket_may_close_it() {
    let sim = SimDisk::new(1);
    let run = Run::start(&sim);
    run.log.append_quiet(record("kept"));
    drop(run);
    let run = Run::start(&sim);
    let (sender, closed) = channel();
    let log = Arc::new(run.log.clone());
    run.log.append(
        record("last"),
        Box::new(move |outcome| {
            log.close();
            sender.send(outcome).unwrap();
        }),
    );
    assert_eq!(closed.recv().unwrap(), Ok(2));
    crate::support::eventually("closed", || run.append("no") == Err(Lost::Ended));
    drop(run);
    let bytes = sim.contents()[&segment_path(1)].clone();
    assert_eq!(crate::support::frame_starts(&bytes).len(), 3);
}
