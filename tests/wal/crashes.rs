//! Power cuts at random points, many seeds: what was acknowledged is always there, and the log always starts.

use std::sync::mpsc::Receiver;

use restockd_journal::wal::{Lost, Lsn};
use restockd_testkit::disk::SimDisk;

use crate::support::{Run, read, read_from};

const SEEDS: u64 = 600;

fn payload(n: u64, mix: u64) -> Vec<u8> {
    let len = (n.wrapping_mul(2_654_435_761) ^ mix) % 2_600;
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + len as usize, n as u8 | 1);
    bytes
}

/// Appends until the power goes; gives the highest acknowledged number and how many were sent.
fn work(sim: &SimDisk, seed: u64, sent: u64) -> (Lsn, u64) {
    let Ok(run) = Run::try_start(sim) else { return (0, 0) };
    let mut answers: Vec<Receiver<Result<Lsn, Lost>>> = Vec::new();
    for n in 0..40 {
        answers.push(run.send(payload(sent + n, seed)));
        if (seed + n).is_multiple_of(3) {
            let _ = run.barrier();
        }
        if (seed + n).is_multiple_of(11) {
            let _ = run.seal();
        }
    }
    let acked = answers.iter().filter_map(|answer| answer.recv().unwrap().ok()).max().unwrap_or(0);
    // Also a clean stop may be interrupted.
    run.log.close();
    (acked, 40)
}

#[test]
fn no_acknowledged_record_is_lost_by_power_cuts_at_random_points() {
    for seed in 0..SEEDS {
        let sim = SimDisk::new(seed);
        let (mut acked, mut sent) = (0, 0);
        for round in 0..3 {
            sim.cut_power_after(1 + seed.wrapping_mul(7_919).wrapping_add(round * 31) % 70);
            let (highest, more) = work(&sim, seed, sent);
            acked = acked.max(highest);
            sent += more;
            sim.crash();
            let (recovered, seen) =
                read(&sim).unwrap_or_else(|error| panic!("seed {seed} round {round}: {error}"));
            assert!(recovered.next > acked, "seed {seed} round {round}: {acked} was acknowledged");
            assert!(
                seen.iter().enumerate().all(|(at, (lsn, _))| *lsn == at as u64 + 1),
                "seed {seed}: gapless"
            );
            // Order is kept: payloads carry rising numbers.
            let order: Vec<u64> =
                seen.iter().map(|(_, bytes)| u64::from_le_bytes(bytes[..8].try_into().unwrap())).collect();
            assert!(order.is_sorted_by(|a, b| a < b), "seed {seed}: order");
        }
    }
}

#[test]
fn a_power_cut_inside_recovery_itself_is_survived() {
    let mut cut = 0;
    for seed in 0..300 {
        let sim = SimDisk::new(seed);
        sim.cut_power_after(12 + seed % 40);
        let (acked, _) = work(&sim, seed, 0);
        sim.crash();
        for calls in 1..12 {
            let twin = sim.fork(seed * 100 + calls);
            twin.cut_power_after(calls);
            cut += usize::from(read_from(&twin, 1, acked).is_err());
            twin.crash();
            let (recovered, seen) =
                read_from(&twin, 1, acked).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(recovered.next > acked && seen.len() as u64 + 1 == recovered.next, "seed {seed}");
        }
    }
    assert!(cut > 500, "{cut} recoveries were cut");
}

#[test]
fn a_simulated_crash_is_the_same_for_the_same_seed_and_differs_for_others() {
    use restockd_journal::disk::Disk;
    let after = |seed: u64| {
        let sim = SimDisk::new(seed);
        sim.create_dir("/d".as_ref()).unwrap();
        sim.sync_dir("/".as_ref()).unwrap();
        let mut file = sim.create("/d/f".as_ref()).unwrap();
        file.write_at(0, &[1; 4096]).unwrap();
        file.sync_all().unwrap();
        sim.sync_dir("/d".as_ref()).unwrap();
        file.write_at(1000, &[2; 2048]).unwrap();
        drop(sim.create("/d/g".as_ref()).unwrap());
        sim.crash();
        assert!(file.write_at(0, &[3]).is_err(), "an old handle is dead");
        sim.contents()
    };
    assert_eq!(after(5), after(5));
    let outcomes: std::collections::BTreeSet<_> = (0..40).map(after).collect();
    assert!(outcomes.len() > 20);
    for files in outcomes {
        let bytes = &files[std::path::Path::new("/d/f")];
        assert!(
            bytes[..1000].iter().chain(&bytes[3048..]).all(|byte| *byte == 1),
            "other bytes are not harmed"
        );
    }
}
