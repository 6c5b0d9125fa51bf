//! Damage of every kind: named, never silent, never "there was no snapshot".

use std::fs;
use std::path::Path;

use restockd::store::{Backend, Outcome};

use super::{BOTH, Dice, Place, load, loads, pages, round, tree};

/// Loads from a fresh handle and expects the older generation, with the file named.
fn falls_back(place: &Place, file: &str) {
    match load(&place.open()) {
        (Ok(Outcome::Generation { number: 1, older: true, problems, meta }), taken) => {
            assert!(taken == pages(1), "{file}");
            assert_eq!(meta.replay_from, 10);
            assert!(problems.len() == 1 && problems[0].contains(file), "{file}: {problems:?}");
        }
        (other, _) => panic!("{file}: {other:?}"),
    }
}

/// The files of the newest generation, below the store's directory.
fn newest_files(place: &Place) -> Vec<String> {
    let files = tree(&place.path("gen-2")).into_keys().filter(|path| path.is_file());
    files.map(|path| path.strip_prefix(&place.dir).unwrap().to_str().unwrap().to_owned()).collect()
}

fn flip(path: &Path, at: usize, with: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= with;
    fs::write(path, bytes).unwrap();
}

#[test]
fn any_file_missing_cut_grown_or_a_directory_is_named_and_the_older_used() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let files = newest_files(&place);
        assert!(files.len() > 1, "{files:?}");
        for file in files {
            let path = place.path(&file);
            let whole = fs::read(&path).unwrap();
            let cuts = [0, whole.len() / 2, whole.len().saturating_sub(1)];
            for cut in cuts.into_iter().filter(|&cut| cut < whole.len()) {
                fs::write(&path, &whole[..cut]).unwrap();
                falls_back(&place, &file);
            }
            fs::write(&path, [&whole[..], b"\0"].concat()).unwrap();
            falls_back(&place, &file);
            fs::remove_file(&path).unwrap();
            falls_back(&place, &file);
            fs::create_dir(&path).unwrap();
            falls_back(&place, &file);
            fs::remove_dir(&path).unwrap();
            fs::write(&path, whole).unwrap();
        }
        loads(&place.open(), 2, &pages(2));
        fs::rename(place.path("gen-2"), place.path("gone")).unwrap();
        falls_back(&place, "gen-2");
    }
}

#[test]
fn every_byte_of_the_small_files_matters() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let small = newest_files(&place)
            .into_iter()
            .filter(|file| !file.ends_with("/db") && !file.ends_with(".flat"));
        for file in small {
            let path = place.path(&file);
            let length = fs::metadata(&path).unwrap().len() as usize;
            if length > 5_000 {
                continue;
            }
            for at in 0..length {
                flip(&path, at, 1 << (at % 8));
                falls_back(&place, &file);
                flip(&path, at, 1 << (at % 8));
            }
        }
        loads(&place.open(), 2, &pages(2));
    }
}

#[test]
fn three_hundred_places_of_the_large_files_matter() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let file = if backend == Backend::Sled { "gen-2/db" } else { "gen-2/pages.flat" };
        let path = place.path(file);
        let length = fs::metadata(&path).unwrap().len() as usize;
        let mut dice = Dice(0x5eed);
        for _ in 0..300 {
            let (at, bit) = (dice.below(length), 1 << dice.below(8));
            flip(&path, at, bit);
            falls_back(&place, file);
            flip(&path, at, bit);
        }
        loads(&place.open(), 2, &pages(2));
    }
}

#[test]
fn a_current_flipped_or_cut_anywhere_is_named_and_the_newest_still_used() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        let path = place.path("CURRENT");
        let whole = fs::read(&path).unwrap();
        let flips = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let cuts = (0..whole.len()).map(|at| whole[..at].to_vec());
        for bytes in flips.chain(cuts).chain([vec![b'x'; 5_000]]) {
            fs::write(&path, bytes).unwrap();
            match load(&place.open()) {
                (Ok(Outcome::Generation { number: 2, older: false, problems, .. }), taken) => {
                    assert!(taken == pages(2));
                    assert!(problems.len() == 1 && problems[0].contains("CURRENT"), "{problems:?}");
                }
                (other, _) => panic!("{other:?}"),
            }
            assert_eq!(place.open().replay_floor(), None);
            assert!(place.open().current_problem().unwrap().contains("CURRENT"));
        }
    }
}

#[test]
fn two_bad_generations_are_all_bad_and_never_none() {
    for backend in BOTH {
        let place = Place::with_two(backend);
        fs::remove_file(place.path("gen-1/MANIFEST")).unwrap();
        flip(&place.path("gen-2/MANIFEST"), 40, 1);
        let named = |outcome| match outcome {
            Ok(Outcome::AllBad { problems }) => problems.join("\n"),
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
        assert!(matches!(load(&store).0, Ok(Outcome::Generation { number: 1, older: true, .. })));
        assert_eq!(store.replay_floor(), None);
        assert_eq!(round(&store, 30, &pages(3)), 3);
        assert_eq!(place.names(), ["CURRENT", "gen-1", "gen-3"]);
        assert_eq!(store.replay_floor(), Some(10));
        flip(&place.path("gen-3/MANIFEST"), 1, 1);
        assert!(matches!(load(&place.open()).0, Ok(Outcome::Generation { number: 1, older: true, .. })));
    }
}
