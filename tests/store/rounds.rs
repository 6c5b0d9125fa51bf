//! What rounds keep, what they remove, and what they refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use restockd_journal::snapshots::{
    Backend, Generations, KEY_BYTES_MAX, LoadOutcome, Meta, Role, StoreError, VALUE_BYTES_MAX,
};

use super::{BOTH, ENGINE, Pages, Place, load, loads, meta, pages, real, round, tree};

#[test]
fn nothing_was_ever_there() {
    for backend in BOTH {
        let place = Place::new(backend);
        let store = place.open();
        assert_eq!(load(&store).0.unwrap(), LoadOutcome::None);
        assert_eq!((store.replay_floor(), store.list(), store.current_problem()), (None, vec![], None));
        assert_eq!(fs::metadata(&place.dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(place.names().is_empty());
    }
}

#[test]
fn none_one_and_twenty_thousand_pages_come_back() {
    for backend in BOTH {
        for count in [0_u32, 1, 20_000] {
            let place = Place::new(backend);
            // put in an order that is not the keys'
            let page = |n: u32| (n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec(), vec![n as u8; 200]);
            let store = place.open();
            let mut building = store.begin().unwrap();
            (0..count).map(page).for_each(|(key, value)| building.put(&key, &value).unwrap());
            building.seal(meta(1)).unwrap().commit().unwrap();
            assert_eq!(loads(&store, 1, &(0..count).map(page).collect()), meta(1));
            assert_eq!(store.list()[0].pages, u64::from(count));
        }
    }
}

#[test]
fn the_largest_and_the_smallest_page_come_back() {
    for backend in BOTH {
        let place = Place::new(backend);
        let mut pages =
            Pages::from([(vec![0xff; KEY_BYTES_MAX], vec![0xab; VALUE_BYTES_MAX]), (vec![0], vec![])]);
        pages.extend((0..8_u8).map(|n| (vec![n, n], vec![n; VALUE_BYTES_MAX])));
        assert_eq!(place.round(1, &pages), 1);
        loads(&place.open(), 1, &pages);
    }
}

#[test]
fn two_are_kept_and_the_third_removes_the_first() {
    for backend in BOTH {
        let place = Place::new(backend);
        let store = place.open();
        assert_eq!(round(&store, 10, &pages(1)), 1);
        assert_eq!(place.names(), ["CURRENT", "gen-1"]);
        assert_eq!(round(&store, 20, &pages(2)), 2);
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-2"]);
        assert_eq!(round(&store, 30, &pages(3)), 3);
        assert_eq!(place.names(), ["CURRENT", "gen-2", "gen-3"]);
        loads(&place.open(), 3, &pages(3));
        let roles: Vec<_> = store.list().into_iter().map(|it| (it.number, it.role, it.damage)).collect();
        assert_eq!(roles, [(3, Role::Newest, None), (2, Role::Previous, None)]);
    }
}

#[test]
fn the_floor_is_the_lowest_of_two_and_none_of_one() {
    for backend in BOTH {
        let place = Place::new(backend);
        let store = place.open();
        round(&store, 10, &pages(1));
        assert_eq!(store.replay_floor(), None);
        round(&store, 20, &pages(2));
        assert_eq!(store.replay_floor(), Some(10));
        round(&store, 15, &pages(3));
        assert_eq!(store.replay_floor(), Some(15), "the newer one may need more");
        fs::remove_file(place.path("gen-2/MANIFEST")).unwrap();
        assert_eq!(store.replay_floor(), None, "one good generation is not two");
    }
}

#[test]
fn a_round_not_committed_changes_nothing() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let store = place.open();
        let before = tree(&place.dir);
        let mut building = store.begin().unwrap();
        building.put(b"k", b"v").unwrap();
        assert!(matches!(store.begin(), Err(StoreError::Busy { .. })));
        drop(building);
        assert!(tree(&place.dir) == before, "dropped while building");
        let mut building = store.begin().unwrap();
        building.put(b"k", b"v").unwrap();
        let sealed = building.seal(meta(99)).unwrap();
        assert_eq!(sealed.number(), 3);
        drop(sealed);
        assert!(tree(&place.dir) == before, "dropped when sealed");
        assert_eq!(store.replay_floor(), Some(10));
        loads(&store, 2, &pages(2));
    }
}

#[test]
fn opening_and_loading_change_no_byte() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let before = tree(&place.dir);
        let store = place.open();
        loads(&store, 2, &pages(2));
        loads(&store, 2, &pages(2));
        assert!(tree(&place.dir) == before);
    }
}

#[test]
fn looking_writes_nothing_at_all() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        fs::create_dir(place.path("gen-9.building")).unwrap();
        fs::write(place.path("CURRENT.tmp"), "x").unwrap();
        let before = tree(&place.dir);
        let store = Generations::look(real(), place.dir.clone(), ENGINE, backend);
        let list = store.list();
        assert_eq!(list.len(), 2);
        assert!(list.iter().all(|it| it.damage.is_none() && it.bytes > 70_000 && it.pages == 21), "{list:?}");
        assert_eq!(list[1].meta, Some(meta(10)));
        assert_eq!((store.replay_floor(), store.current_problem()), (Some(10), None));
        assert!(tree(&place.dir) == before);
    }
    assert!(Generations::look(real(), "nowhere".into(), ENGINE, Backend::Flat).list().is_empty());
}

#[test]
fn another_engines_snapshots_are_refused() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let before = tree(&place.dir);
        let foreign = Generations::open(real(), place.dir.clone(), [8; 16], backend);
        let error = foreign.map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::ForeignEngine { .. }), "{error}");
        let look = Generations::look(real(), place.dir.clone(), [8; 16], backend);
        assert!(matches!(load(&look).0, Err(StoreError::ForeignEngine { .. })));
        assert!(look.list().iter().all(|it| it.damage.as_ref().unwrap().contains("engine")));
        fs::remove_file(place.path("CURRENT")).unwrap();
        assert!(matches!(load(&look).0, Err(StoreError::ForeignEngine { .. })), "without CURRENT too");
        assert_eq!(tree(&place.dir).len(), before.len() - 1);
        let building = place.open().begin().unwrap();
        let wrong = Meta { engine: [8; 16], ..meta(1) };
        assert!(matches!(building.seal(wrong), Err(StoreError::Refused { .. })));
    }
}

#[test]
fn what_could_not_come_back_is_refused() {
    for backend in BOTH {
        let place = Place::new(backend);
        let store = place.open();
        let mut building = store.begin().unwrap();
        for (key, value) in [(0, 1), (KEY_BYTES_MAX + 1, 1), (1, VALUE_BYTES_MAX + 1)] {
            let refused = building.put(&vec![1; key], &vec![1; value]);
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{key} {value}");
        }
        building.put(b"twice", b"1").unwrap();
        building.put(b"twice", b"1").unwrap();
        let error = building.seal(meta(1)).map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::ReadBack { .. }), "{error}");
        for counts in
            [vec![(String::new(), 1)], vec![("a\nb".to_owned(), 1)], vec![("x".to_owned(), 1); 1_001]]
        {
            let sealed = store.begin().unwrap().seal(Meta { counts, ..meta(1) });
            assert!(matches!(sealed, Err(StoreError::Refused { .. })));
        }
        assert_eq!(load(&store).0.unwrap(), LoadOutcome::None);
        assert!(place.names().is_empty());
    }
}

#[test]
fn a_sink_that_refuses_ends_the_load() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let store = place.open();
        let before = tree(&place.dir);
        let mut calls = 0;
        let error = store.load(&mut |_, _| {
            calls += 1;
            if calls == 3 { Err("no room for page three".to_owned()) } else { Ok(()) }
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no room for page three"), "{error}");
        assert_eq!(calls, 3);
        assert!(tree(&place.dir) == before);
        loads(&store, 2, &pages(2));
    }
}

#[test]
fn a_generation_is_read_by_the_backend_that_wrote_it() {
    let place = Place::with_two(Backend::Sled);
    let store = Generations::open(real(), place.dir.clone(), ENGINE, Backend::Flat).unwrap();
    loads(&store, 2, &pages(2));
    round(&store, 30, &pages(3));
    loads(&place.open(), 3, &pages(3));
    assert!(place.path("gen-3/pages.flat").exists());
}
