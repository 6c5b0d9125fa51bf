//! Golden bytes: one record of every kind as it is in existing logs.
//!
//! ```text
//! golden/v2.txt   kind version hex     one line for each sample, as the first version of its kind writes it
//! golden/v3.txt   …                    lines of the kinds that have a third version, and so on
//! ```
//!
//! A released file never changes. A new version of a kind gets lines of its own in the next file: run the
//! tests, and the failure shows the lines that are missing.

use std::collections::BTreeSet;

use crate::entry::{Encoded, read};
use crate::kind::{Kind, KindOwner};
use crate::sample::{encoded, entries};
use crate::{Entry, RecordError};

/// The content of every file.
const GOLDEN: [&str; 1] = [include_str!("golden/v2.txt")];

fn golden() -> impl Iterator<Item = &'static str> {
    GOLDEN.iter().flat_map(|file| file.lines())
}

/// The line for a record.
fn line(entry: &Entry) -> String {
    let Encoded { kind, version, bytes } = encoded(entry);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind:02x} {version} {hex}")
}

/// The record in a line.
fn parse(line: &str) -> Encoded {
    let [kind, version, hex] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Encoded {
        kind: u8::from_str_radix(kind, 16).unwrap(),
        version: version.parse().unwrap(),
        bytes: (0..hex.len()).step_by(2).map(byte).collect(),
    }
}

#[test]
fn every_kind_of_record_has_a_sample() {
    let seen: BTreeSet<u8> = entries().iter().map(|entry| encoded(entry).kind).collect();
    let records = Kind::ALL.iter().filter(|kind| kind.owner() != KindOwner::Page);
    assert_eq!(seen, records.map(|kind| *kind as u8).collect());
}

#[test]
fn records_are_written_as_they_always_were() {
    let golden: BTreeSet<&str> = golden().collect();
    let lines: Vec<String> = entries().iter().map(line).collect();
    let wanted: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !golden.contains(line)).collect();
    assert!(wanted.is_empty(), "lines wanted:\n{}", wanted.join("\n"));
}

#[test]
fn golden_lines_read_back_as_what_was_written() {
    let samples = entries();
    for golden in golden() {
        let Encoded { kind, version, bytes } = parse(golden);
        let entry = read(kind, version, &bytes).unwrap();
        // An older version is read as what the newest one would have written of it.
        let again = encoded(&entry);
        assert_eq!(read(again.kind, again.version, &again.bytes).unwrap(), entry, "{golden}");
        if Kind::of(kind).is_some_and(|kind| kind.version() == version) {
            assert!(samples.contains(&entry), "{golden} is no sample any more: a released line stays");
            assert_eq!(line(&entry), golden);
        }
        assert!(read(kind, version, &[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(read(kind, version, &bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn what_a_newer_build_wrote_is_refused_by_both_versions_and_never_called_damage() {
    let Encoded { kind, version, bytes } = encoded(&entries()[0]);
    let reads = format!("up to version {version}");
    for (kind, version, reads) in
        [(kind, version + 1, reads.as_str()), (0x1f, 2, "no such kind"), (0xc0, 2, "no such kind")]
    {
        let error = read(kind, version, &bytes).unwrap_err();
        let said = error.to_string();
        assert!(error.is_newer(), "{said}");
        assert!(said.contains("written by a newer restockd") && said.contains(reads), "{said}");
        assert!(said.contains(&format!("version {version}")), "{said}");
        assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
    }
}

#[test]
fn what_was_never_released_is_refused_by_name() {
    for (kind, version) in [(1, 2), (2, 1), (0x10, 1), (0x10, 0)] {
        let error = read(kind, version, &[0; 8]).unwrap_err();
        assert!(matches!(error, RecordError::Older { .. }), "{error}");
    }
}
