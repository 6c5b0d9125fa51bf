//! Damage that meets more than one place: named, never silent, never "there was no snapshot". What one damaged file
//! comes to is in `tests/damage`.

use std::fs;
use std::path::Path;

use restockd_journal::snapshots::{Backend, LoadOutcome};

use super::{BOTH, Place, load, pages, round, tree};

fn flip(path: &Path, at: usize, with: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= with;
    fs::write(path, bytes).unwrap();
}

#[test]
fn two_bad_generations_are_all_bad_and_never_none() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        fs::remove_file(place.path("gen-1/MANIFEST")).unwrap();
        flip(&place.path("gen-2/MANIFEST"), 40, 1);
        let named = |outcome| match outcome {
            Ok(LoadOutcome::AllBad { problems }) => problems.join("\n"),
            other => panic!("{other:?}"),
        };
        let problems = named(load(&place.open()).0);
        assert!(problems.contains("gen-1/MANIFEST") && problems.contains("gen-2/MANIFEST"), "{problems}");
        let list = place.open().list();
        assert!(list.len() == 2 && list.iter().all(|it| it.damage.is_some()));
        fs::remove_dir_all(place.path("gen-1")).unwrap();
        fs::remove_dir_all(place.path("gen-2")).unwrap();
        let problems = named(load(&place.open()).0);
        assert!(problems.contains("gen-1") && problems.contains("gen-2"), "CURRENT alone is not nothing");
        fs::write(place.path("CURRENT"), "").unwrap();
        assert!(named(load(&place.open()).0).contains("CURRENT"), "nor is a damaged one");
        fs::remove_file(place.path("CURRENT")).unwrap();
        fs::create_dir(place.path("gen-5")).unwrap();
        assert!(named(load(&place.open()).0).contains("gen-5"), "nor is a directory alone");
    }
}

#[test]
fn list_names_the_damaged_file() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let file = if backend == Backend::Sled { "gen-1/conf" } else { "gen-1/pages.flat" };
        flip(&place.path(file), 3, 4);
        let before = tree(&place.dir);
        let list = place.open().list();
        assert_eq!(list[0].damage, None);
        assert!(list[1].damage.as_ref().unwrap().contains(file), "{list:?}");
        assert!(list[1].meta.is_some());
        assert!(tree(&place.dir) == before);
    }
}

#[test]
fn the_next_round_keeps_the_good_older_one_not_the_bad_newest() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let file = if backend == Backend::Sled { "gen-2/db" } else { "gen-2/pages.flat" };
        flip(&place.path(file), 100, 1);
        let store = place.open();
        assert!(matches!(load(&store).0, Ok(LoadOutcome::Generation { number: 1, older: true, .. })));
        assert_eq!(store.replay_floor(), None);
        assert_eq!(round(&store, 30, &pages(3)), 3);
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-3"]);
        assert_eq!(store.replay_floor(), Some(10));
        flip(&place.path("gen-3/MANIFEST"), 1, 1);
        assert!(matches!(load(&place.open()).0, Ok(LoadOutcome::Generation { number: 1, older: true, .. })));
    }
}
