//! A directory that a newer restockd wrote: refused by both versions by the start, told by `check`, left alone by
//! `--repair`, and never called damaged.

use std::path::Path;

use crate::place::{Case, frames, full};

/// Writes a segment's first frame again with a change to its payload, checksum and all.
fn change_frame(path: &Path, change: impl Fn(&mut [u8])) {
    let (at, end) = frames(path)[0];
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes[at + 32..end]);
    let mut seed = crc32fast::Hasher::new();
    seed.update(&bytes[16..40]);
    let mut hasher = crc32fast::Hasher::new_with_initial(seed.finalize());
    hasher.update(&bytes[at..at + 24]);
    hasher.update(&bytes[at + 28..end]);
    let crc = hasher.finalize();
    bytes[at + 24..at + 28].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

/// Writes the header of a segment again with another format.
fn change_format(path: &Path, format: u32) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..4092]);
    bytes[4092..4096].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

/// Writes a text file of the store again with another title.
fn change_title(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let body = text[..text.trim_end().rfind('\n').unwrap() + 1].replacen(from, to, 1);
    let crc = crc32fast::hash(body.as_bytes());
    std::fs::write(path, format!("{body}crc {crc:08x}\n")).unwrap();
}

/// What the start, `check` and `--repair` say of a directory: refused with these words, nothing touched.
async fn is_newer(case: &Case, words: &[&str]) {
    let refused = case.twin().start().await.map(|_| ()).unwrap_err();
    let mut said = vec![refused.to_string()];
    let mut source = std::error::Error::source(&refused);
    while let Some(inner) = source {
        said.push(inner.to_string());
        source = inner.source();
    }
    let started = said.join(": ");
    let checked = case.check();
    assert_eq!(checked.code, 1, "{}", checked.out);
    let json = case.json();
    let newer = json["newer"].as_str().unwrap();
    for word in ["written by a newer restockd"].iter().chain(words) {
        assert!(started.contains(word), "{word}: {started}");
        assert!(checked.out.contains(word), "{word}: {}", checked.out);
        assert!(newer.contains(word), "{word}: {newer}");
    }
    assert!(!checked.out.to_lowercase().contains("damage"), "{}", checked.out);
    assert!(json["log"]["damage"].is_null(), "{json}");
    let before = case.bytes();
    let repaired = case.run(&["--repair"]);
    assert!(repaired.code == 1 && repaired.out.contains("written by a newer restockd"), "{}", repaired.out);
    assert!(!repaired.out.to_lowercase().contains("damage"), "{}", repaired.out);
    assert!(before == case.bytes(), "--repair changed something: {}", repaired.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_newer_version_or_kind_is_refused_by_both_versions_and_left_alone() {
    let whole = Case::of(&full("flat").await);
    let case = whole.twin();
    change_frame(&case.last_used(), |payload| payload[5] = 3);
    is_newer(&case, &["of version 3", "up to version 2"]).await;
    let case = whole.twin();
    change_frame(&case.last_used(), |payload| payload[4] = 0x3f);
    is_newer(&case, &["kind 63 of version 2", "no such kind"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_segment_of_a_newer_format_is_refused_by_both_versions_and_left_alone() {
    let case = Case::of(&full("flat").await);
    change_format(&case.last_used(), 2);
    is_newer(&case, &["format 2", "format 1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_newer_version_is_refused_by_both_versions_and_left_alone() {
    for backend in ["flat", "sled"] {
        let whole = Case::of(&full(backend).await);
        let case = whole.twin();
        change_title(&case.generations()[0].join("MANIFEST"), "restockd manifest 2", "restockd manifest 3");
        is_newer(&case, &["of version 3", "version 2"]).await;
        let case = whole.twin();
        change_title(&case.data().join("snapshots/CURRENT"), "restockd current 1", "restockd current 2");
        is_newer(&case, &["of version 2", "version 1"]).await;
    }
}
