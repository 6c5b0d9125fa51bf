//! Golden bytes: one record of every kind as it is in existing logs.
//!
//! The lines of a released file never change. A new version of a kind gets lines in a new file: run the test
//! on an empty one, and its failure shows the lines.

use std::collections::BTreeSet;

use crate::entry::{Encoded, read};
use crate::kind::{Kind, KindOwner};
use crate::sample::{encoded, entries};
use crate::{Entry, RecordError};

/// One record a line: `kind version hex`, in the order of the samples.
const GOLDEN: &str = include_str!("golden_v2.txt");

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
fn every_kind_of_record_has_a_golden_line() {
    let seen: BTreeSet<u8> = entries().iter().map(|entry| encoded(entry).kind).collect();
    let records = Kind::ALL.iter().filter(|kind| kind.owner() != KindOwner::Page);
    assert_eq!(seen, records.map(|kind| *kind as u8).collect());
}

#[test]
fn records_are_written_as_they_always_were() {
    let lines: Vec<String> = entries().iter().map(line).collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    for (n, (line, golden)) in lines.iter().zip(&golden).enumerate() {
        assert_eq!(line, golden, "golden line {}", n + 1);
    }
    assert_eq!(lines.len(), golden.len(), "lines wanted:\n{}", lines.join("\n"));
}

#[test]
fn golden_lines_read_back_as_what_was_written() {
    for (golden, entry) in GOLDEN.lines().zip(entries()) {
        let Encoded { kind, version, bytes } = parse(golden);
        assert_eq!(read(kind, version, &bytes).unwrap(), entry);
        assert!(read(kind, version, &[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(read(kind, version, &bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn what_a_newer_build_wrote_is_refused_by_both_versions_and_never_called_damage() {
    let Encoded { kind, version, bytes } = encoded(&entries()[0]);
    for (kind, version, reads) in
        [(kind, version + 1, "up to version 2"), (0x1f, 2, "no such kind"), (0xc0, 2, "no such kind")]
    {
        let error = read(kind, version, &bytes).unwrap_err();
        let said = error.to_string();
        assert!(error.is_newer(), "{said}");
        assert!(said.contains("written by a newer restockd") && said.contains(reads), "{said}");
        assert!(
            said.contains(&format!("version {version}")) && said.contains(env!("CARGO_PKG_VERSION")),
            "{said}"
        );
    }
}

#[test]
fn what_was_never_released_is_refused_by_name() {
    for (kind, version) in [(1, 2), (2, 1), (0x10, 1), (0x10, 0)] {
        let error = read(kind, version, &[0; 8]).unwrap_err();
        assert!(matches!(error, RecordError::Older { .. }), "{error}");
    }
}
