//! Each kind of damage: what check says, its exit code against a real start, what a repair makes of it.

use std::fs;

use crate::place::{Case, flip, frames, full, young};

/// What is done to a directory, what check must say, whether a start succeeds, whether a repair helps where not.
struct Damage {
    name: &'static str,
    act: fn(&Case),
    says: &'static str,
    sound: bool,
    repairable: bool,
}

const fn harmless(name: &'static str, act: fn(&Case), says: &'static str) -> Damage {
    Damage { name, act, says, sound: true, repairable: true }
}

const fn mendable(name: &'static str, act: fn(&Case), says: &'static str) -> Damage {
    Damage { name, act, says, sound: false, repairable: true }
}

const fn fatal(name: &'static str, act: fn(&Case), says: &'static str) -> Damage {
    Damage { name, act, says, sound: false, repairable: false }
}

/// All on a directory with two snapshots whose log no longer reaches back to the beginning.
const DAMAGES: [Damage; 22] = [
    harmless("none", |_| {}, "sound"),
    harmless("torn tail", tear, "were never acknowledged; the next start cuts them"),
    harmless("no mark", |case| fs::remove_file(case.data().join("wal/mark")).unwrap(), "sound"),
    harmless(
        "no CURRENT",
        |case| fs::remove_file(case.data().join("snapshots/CURRENT")).unwrap(),
        "CURRENT is missing",
    ),
    harmless("bad CURRENT", |case| flip(&case.data().join("snapshots/CURRENT"), 30), "passed over"),
    harmless("newest snapshot flipped", |case| spoil(case, 0), "passed over"),
    harmless(
        "newest snapshot gone",
        |case| fs::remove_dir_all(&case.generations()[0]).unwrap(),
        "passed over",
    ),
    harmless(
        "no manifest",
        |case| fs::remove_file(case.generations()[0].join("MANIFEST")).unwrap(),
        "passed over",
    ),
    harmless("older snapshot flipped", |case| spoil(case, 1), "its bytes are not those"),
    harmless(
        "a round that died",
        |case| fs::create_dir(case.data().join("snapshots/gen-9.building")).unwrap(),
        "sound",
    ),
    mendable(
        "a frame flipped",
        |case| flip(&case.last_used(), frames(&case.last_used())[1].0 + 40),
        "a frame is bad",
    ),
    mendable(
        "an old frame flipped",
        |case| flip(&case.segments()[0], frames(&case.segments()[0])[1].0 + 40),
        "a frame is bad",
    ),
    mendable("a header flipped", |case| flip(&case.last_used(), 50), "the segment header is bad"),
    mendable(
        "stray bytes",
        |case| flip(&case.segments()[0], frames(&case.segments()[0]).last().unwrap().1 + 800),
        "stray bytes",
    ),
    mendable(
        "the last segment gone",
        |case| fs::remove_file(case.last_used()).unwrap(),
        "acknowledged records are missing",
    ),
    mendable("the last segment cut", cut_short, "at risk"),
    mendable(
        "no log at all",
        |case| fs::remove_dir_all(case.data().join("wal")).unwrap(),
        "acknowledged records are missing",
    ),
    fatal("both snapshots flipped", |case| (0..2).for_each(|at| spoil(case, at)), "no snapshot can be used"),
    fatal(
        "no snapshots at all",
        |case| fs::remove_dir_all(case.data().join("snapshots")).unwrap(),
        "starts too late",
    ),
    fatal(
        "no secrets",
        |case| fs::remove_file(case.data().join("secrets")).unwrap(),
        "is not a secrets file",
    ),
    fatal(
        "bad secrets",
        |case| fs::write(case.data().join("secrets"), "x").unwrap(),
        "is not a secrets file",
    ),
    fatal("another engine's secrets", other_secrets, "was written by engine"),
];

/// Bytes behind the last frame, as a torn write leaves them.
fn tear(case: &Case) {
    let path = case.last_used();
    let end = frames(&path).last().unwrap().1;
    let mut bytes = fs::read(&path).unwrap();
    bytes[end..end + 100].fill(7);
    fs::write(path, bytes).unwrap();
}

fn cut_short(case: &Case) {
    let path = case.last_used();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..frames(&path)[1].0]).unwrap();
}

/// Flips a byte of the pages of a generation; 0 is the newest.
fn spoil(case: &Case, at: usize) {
    let dir = &case.generations()[at];
    let file = ["pages.flat", "db"].iter().map(|name| dir.join(name)).find(|path| path.exists()).unwrap();
    flip(&file, 60);
}

fn other_secrets(case: &Case) {
    let text = restockd_engine::token::Secrets::new(&[7; 80]).text().to_owned();
    fs::write(case.data().join("secrets"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_a_start_would_do_and_changes_nothing_and_a_repair_lets_it_start() {
    for backend in ["flat", "sled"] {
        let plan = full(backend).await;
        for damage in DAMAGES {
            let name = format!("{backend}, {}", damage.name);
            let case = Case::of(&plan);
            (damage.act)(&case);
            let said = case.check();
            assert_eq!(said.code == 0, damage.sound, "{name}: {}", said.out);
            assert!(said.out.contains(damage.says), "{name}: {}", said.out);
            assert_eq!(case.starts().await, damage.sound, "{name}: check and start differ");
            let repaired = case.twin();
            let done = repaired.run(&["--repair"]);
            assert_eq!(done.code == 0, damage.repairable, "{name}: {}", done.out);
            if damage.sound {
                assert!(done.out.contains("nothing to repair"), "{name}: {}", done.out);
            }
            let after = repaired.check();
            assert_eq!(after.code == 0, damage.repairable, "{name}: {}", after.out);
            assert_eq!(repaired.starts().await, damage.repairable, "{name}: {}", done.out);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_damage_or_without_hope_a_repair_changes_nothing() {
    let plan = full("flat").await;
    for damage in DAMAGES.iter().filter(|damage| damage.sound || !damage.repairable) {
        let case = Case::of(&plan);
        (damage.act)(&case);
        let before = case.twin();
        case.run(&["--repair"]);
        let names = |case: &Case| {
            let mut files = Vec::new();
            let mut folders = vec![case.data()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let bytes = fs::read(&path).unwrap();
                        files.push((path.strip_prefix(case.data()).unwrap().to_path_buf(), bytes));
                    }
                }
            }
            files.sort();
            files
        };
        assert!(names(&before) == names(&case), "{}", damage.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_reaches_back_stands_in_for_a_bad_snapshot() {
    let plan = young().await;
    let case = Case::of(&plan);
    spoil(&case, 0);
    let said = case.check();
    assert!(said.code == 0 && said.out.contains("(from log alone)"), "{}", said.out);
    assert!(said.out.contains("1, with 5 members"), "{}", said.out);
    assert!(case.starts().await);
    // With a hole in that log, what is before the hole remains.
    flip(&case.segments()[0], frames(&case.segments()[0])[2].0 + 40);
    assert_eq!((case.check().code, case.starts().await), (1, false));
    let done = case.run(&["--repair"]);
    assert!(done.code == 0 && done.out.contains("LOST"), "{}", done.out);
    assert!(case.starts().await);
}
