//! The power goes, a call fails, the disk is full, at every call of three rounds in turn, on a simulated disk: what was
//! committed is there whole, and the store goes on.

use std::path::Path;
use std::sync::Arc;

use restockd_journal::disk::Disk;
use restockd_journal::snapshots::{Backend, Generations, LoadOutcome, StoreError};
use restockd_testkit::disk::{DiskFault, Op, SimDisk};

use super::{ENGINE, Pages, load, loads, meta};

const DIR: &str = "/data/snapshots";
const SEEDS: u64 = 12;
const ROUNDS: u8 = 3;

fn disk(seed: u64) -> SimDisk {
    let sim = SimDisk::new(seed);
    sim.put_dir(Path::new("/data"));
    sim
}

fn open(sim: &SimDisk) -> Result<Generations, StoreError> {
    Generations::open(Arc::new(sim.clone()), DIR.into(), ENGINE, Backend::Flat)
}

/// A few pages over several sectors that differ by seed.
fn pages(seed: u8) -> Pages {
    (0..6_u8).map(|page| (vec![b'k', page], vec![seed ^ page; 1 + usize::from(page) * 400])).collect()
}

fn try_round(store: &Generations, seed: u8) -> Result<u64, StoreError> {
    let mut building = store.begin()?;
    for (key, value) in pages(seed) {
        building.put(&key, &value)?;
    }
    let sealed = building.seal(meta(u64::from(seed) * 10))?;
    let number = sealed.number();
    sealed.commit()?;
    Ok(number)
}

/// Opens and makes three rounds, up to the first that fails: the last that was committed.
fn story(sim: &SimDisk) -> u8 {
    let Ok(store) = open(sim) else { return 0 };
    (1..=ROUNDS).take_while(|&seed| try_round(&store, seed).is_ok()).last().unwrap_or(0)
}

/// How many changing calls the whole story makes.
fn calls() -> u64 {
    let sim = disk(0);
    assert_eq!(story(&sim), ROUNDS);
    assert_eq!(sim.list(Path::new(DIR)).unwrap(), ["CURRENT", "gen-2", "gen-3"], "the first was removed");
    sim.counts().total()
}

/// The newest committed generation, or the one that was under way, whole: which.
fn whole(store: &Generations, committed: u8, what: &str) -> u8 {
    match load(store) {
        (Ok(LoadOutcome::None), _) => {
            assert_eq!(committed, 0, "{what}: what was committed is lost");
            0
        }
        (Ok(LoadOutcome::Generation { number, meta, older, problems }), taken) => {
            let seed = u8::try_from(meta.replay_from / 10).unwrap();
            assert!([committed, committed + 1].contains(&seed), "{what}: {seed} after {committed}");
            assert!(committed == 0 || (!older && problems.is_empty()), "{what}: {problems:?}");
            assert!(taken == pages(seed), "{what}: {number} is not whole");
            seed
        }
        (other, _) => panic!("{what}: {other:?}"),
    }
}

/// Two more rounds are made as if nothing had been, and nothing else is left.
fn goes_on(sim: &SimDisk, what: &str) {
    let store = open(sim).unwrap_or_else(|error| panic!("{what}: {error}"));
    for seed in [8, 9] {
        let number = try_round(&store, seed).unwrap_or_else(|error| panic!("{what}: {error}"));
        loads(&store, number, &pages(seed));
    }
    assert!(store.list().iter().all(|it| it.damage.is_none()), "{what}");
    assert_eq!(sim.list(Path::new(DIR)).unwrap().len(), 3, "{what}");
    assert_eq!(store.replay_floor(), Some(80), "{what}");
}

#[test]
fn whenever_the_power_is_cut_in_a_round_what_was_committed_is_there_whole() {
    let (calls, mut seen) = (calls(), [0; 4]);
    for seed in 0..SEEDS {
        for cut in 1..=calls {
            let sim = disk(seed);
            sim.cut_power_after(cut);
            let committed = story(&sim);
            sim.crash();
            let what = format!("seed {seed}, cut at {cut}");
            let store = open(&sim).unwrap_or_else(|error| panic!("{what}: {error}"));
            seen[usize::from(whole(&store, committed, &what))] += 1;
            goes_on(&sim, &what);
        }
    }
    assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
}

#[test]
fn a_crash_while_the_start_cleans_up_loses_nothing_more() {
    let (calls, mut second) = (calls(), 0);
    for cut in 1..=calls {
        for again in 1..12 {
            let sim = disk(cut * 31 + again);
            sim.cut_power_after(cut);
            let committed = story(&sim);
            sim.crash();
            let before = sim.counts().total();
            sim.cut_power_after(again);
            let opened = open(&sim);
            let what = format!("cut at {cut}, then at {again}");
            if let Ok(store) = &opened {
                whole(store, committed, &what);
            }
            second += u32::from(opened.is_err());
            if opened.is_ok() && sim.counts().total() - before < again {
                break;
            }
            sim.crash();
            whole(&open(&sim).unwrap_or_else(|error| panic!("{what}: {error}")), committed, &what);
            goes_on(&sim, &what);
        }
    }
    assert!(second > 100, "{second} starts were cut");
}

#[test]
fn whichever_call_fails_what_was_committed_is_there_whole_with_and_without_a_crash() {
    use Op::{Create, MakeDir, Remove, RemoveDir, Rename, Sync, SyncDir, Write};
    for op in [Create, Write, Sync, SyncDir, Rename, Remove, MakeDir, RemoveDir] {
        for fault in [DiskFault::Broken, DiskFault::Full] {
            let mut failed = 0;
            for nth in 1..100 {
                let sim = disk(nth);
                sim.fail(op, "", nth, fault);
                let committed = story(&sim);
                // The story makes no such call any more.
                if sim.has_plans() {
                    break;
                }
                let what = format!("{op:?} {nth}, {fault:?}");
                let crashed = sim.fork(nth);
                crashed.crash();
                for sim in [sim, crashed] {
                    whole(&open(&sim).unwrap_or_else(|e| panic!("{what}: {e}")), committed, &what);
                    goes_on(&sim, &what);
                }
                // The removal of what is old may fail in a round that succeeds.
                failed += u32::from(committed < ROUNDS);
            }
            assert!(failed > 0 || matches!(op, Remove | RemoveDir), "{op:?} never failed a round");
        }
    }
}

#[test]
fn a_disk_that_is_full_refuses_a_round_and_one_with_room_again_takes_it() {
    let sim = disk(1);
    assert_eq!(story(&sim), ROUNDS);
    let store = open(&sim).unwrap();
    sim.set_full(true);
    assert!(matches!(try_round(&store, 4), Err(StoreError::NoSpace { .. })));
    loads(&store, 3, &pages(3));
    sim.set_full(false);
    loads(&store, try_round(&store, 4).unwrap(), &pages(4));
}

#[test]
fn sled_is_refused_on_a_disk_that_is_not_the_machines() {
    let refused = Generations::open(Arc::new(disk(1)), DIR.into(), ENGINE, Backend::Sled).map(|_| ());
    assert!(matches!(refused, Err(StoreError::NotTheMachine { .. })), "{refused:?}");
}

#[test]
fn the_same_seed_gives_the_same_disk_after_the_crash() {
    let after = |seed: u64, cut: u64| {
        let sim = disk(seed);
        sim.cut_power_after(cut);
        story(&sim);
        sim.crash();
        sim.contents()
    };
    for cut in 1..=calls() {
        assert_eq!(after(7, cut), after(7, cut), "cut at {cut}");
    }
}
