//! What a process that died leaves behind, step by step.

use std::fs;

use restockd_journal::snapshots::{LoadOutcome, Role};

use super::{BOTH, Place, copy_tree, load, loads, pages, round};

#[test]
fn half_built_directories_copies_and_the_unpublished_current_are_cleaned() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        for debris in ["gen-3.building", "gen-2.copy"] {
            copy_tree(&place.path("gen-2"), &place.path(debris));
        }
        fs::copy(place.path("CURRENT"), place.path("CURRENT.tmp")).unwrap();
        fs::write(place.path("README"), "not ours").unwrap();
        let store = place.open();
        assert_eq!(place.names(), ["CURRENT", "README", "gen-1", "gen-2"]);
        loads(&store, 2, &pages(2));
    }
}

#[test]
fn a_generation_renamed_but_not_named_is_ignored_and_cleaned() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let current = fs::read(place.path("CURRENT")).unwrap();
        copy_tree(&place.path("gen-1"), &place.path("aside"));
        place.round(30, &pages(3));
        // as it was between the two renames
        fs::write(place.path("CURRENT"), current).unwrap();
        fs::rename(place.path("aside"), place.path("gen-1")).unwrap();
        let look = restockd_journal::snapshots::Generations::look(
            super::real(),
            place.dir.clone(),
            super::ENGINE,
            backend,
        );
        assert_eq!(look.list()[0].role, Role::Unnamed);
        assert_eq!(look.replay_floor(), Some(10));
        loads(&look, 2, &pages(2));
        loads(&place.open(), 2, &pages(2));
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-2"]);
        assert_eq!(place.round(30, &pages(4)), 3);
        loads(&place.open(), 3, &pages(4));
    }
}

#[test]
fn the_very_first_generation_counts_even_before_it_is_named() {
    for backend in BOTH {
        let place = Place::new(backend);
        place.round(10, &pages(1));
        fs::remove_file(place.path("CURRENT")).unwrap();
        let store = place.open();
        match load(&store) {
            (Ok(LoadOutcome::Generation { number: 1, older: false, problems, .. }), taken) => {
                assert!(taken == pages(1));
                assert!(problems[0].contains("CURRENT"), "{problems:?}");
            }
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(store.replay_floor(), None);
        assert_eq!(round(&store, 20, &pages(2)), 2);
        assert_eq!(store.replay_floor(), Some(10));
        loads(&store, 2, &pages(2));
    }
}

#[test]
fn an_old_generation_half_removed_disturbs_nobody() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        copy_tree(&place.path("gen-1"), &place.path("aside"));
        place.round(30, &pages(3));
        fs::rename(place.path("aside"), place.path("gen-1")).unwrap();
        fs::remove_file(place.path("gen-1/MANIFEST")).unwrap();
        loads(&place.open(), 3, &pages(3));
        assert_eq!(place.names(), ["CURRENT", "gen-2", "gen-3"]);
    }
}

#[test]
fn nothing_is_cleaned_away_while_the_named_ones_are_damaged() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        copy_tree(&place.path("gen-1"), &place.path("gen-3"));
        fs::remove_file(place.path("gen-2/MANIFEST")).unwrap();
        place.open();
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-2", "gen-3"]);
        fs::write(place.path("CURRENT"), "").unwrap();
        place.open();
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-2", "gen-3"]);
    }
}
