//! Damage below the files' digests: the manifest and `CURRENT` are made to agree with the flipped file, so
//! only the count and digest of the pages stand between a backend's silence and lost rows.

use std::fs;
use std::path::Path;

use restockd_journal::snapshots::{Backend, LoadOutcome};
use sha2::{Digest, Sha256};

use super::{BOTH, Dice, Place, load, pages};

fn sha(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces a text in a file that ends with a checksum line, and makes the line fit.
fn retell(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(old).count(), 1);
    let text = text.replace(old, new);
    let body = &text[..text.rfind("crc ").unwrap()];
    fs::write(path, format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()))).unwrap();
}

/// Flips one bit of a file and lets manifest and `CURRENT` agree with it.
fn forge(place: &Place, file: &str, at: usize, bit: u8) {
    let (path, manifest, current) = (place.path(file), place.path("gen-1/MANIFEST"), place.path("CURRENT"));
    let (file_before, manifest_before) = (sha(&path), sha(&manifest));
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= bit;
    fs::write(&path, bytes).unwrap();
    retell(&manifest, &file_before, &sha(&path));
    retell(&current, &manifest_before, &sha(&manifest));
}

#[test]
fn a_backend_that_reads_a_flipped_file_without_a_word_is_caught_by_count_and_digest() {
    for backend in BOTH {
        let place = Place::new(backend);
        place.round(10, &pages(1));
        let file = if backend == Backend::Sled { "gen-1/db" } else { "gen-1/pages.flat" };
        let length = fs::metadata(place.path(file)).unwrap().len() as usize;
        let (mut dice, mut noticed) = (Dice(0xf1a7), 0);
        for _ in 0..40 {
            let (at, bit) = (dice.below(length), 1 << dice.below(8));
            forge(&place, file, at, bit);
            match load(&place.open()) {
                (Ok(LoadOutcome::Generation { problems, .. }), taken) => {
                    assert!(taken == pages(1) && problems.is_empty(), "rows lost in silence at {at}");
                }
                (Ok(LoadOutcome::AllBad { problems }), _) => {
                    assert!(problems[0].contains("gen-1"), "{problems:?}");
                    noticed += 1;
                }
                (other, _) => panic!("{other:?}"),
            }
            forge(&place, file, at, bit);
        }
        assert!(noticed > 0, "no flip hit anything that matters");
    }
}

#[test]
fn a_manifest_that_promises_more_or_other_pages_is_caught() {
    for backend in BOTH {
        let place = Place::new(backend);
        place.round(10, &pages(1));
        let manifest = place.path("gen-1/MANIFEST");
        let text = fs::read_to_string(&manifest).unwrap();
        let line = text.lines().find(|line| line.starts_with("pages ")).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let zeros = "0".repeat(64);
        for lie in [
            ["pages", "22", words[2], words[3], words[4]],
            ["pages", "21", "7", words[3], words[4]],
            ["pages", "21", words[2], zeros.as_str(), words[4]],
            ["pages", "21", words[2], words[3], zeros.as_str()],
        ] {
            let before = sha(&manifest);
            retell(&manifest, line, &lie.join(" "));
            retell(&place.path("CURRENT"), &before, &sha(&manifest));
            assert!(matches!(load(&place.open()).0, Ok(LoadOutcome::AllBad { .. })), "{lie:?}");
            let lied = sha(&manifest);
            retell(&manifest, &lie.join(" "), line);
            retell(&place.path("CURRENT"), &lied, &sha(&manifest));
        }
        assert!(matches!(load(&place.open()).0, Ok(LoadOutcome::Generation { .. })));
    }
}
