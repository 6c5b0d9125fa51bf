//! The architecture, where the compiler cannot hold it: which library may be named where, what the core must not know,
//! how long a file may be. Who may import whom is held by the members of the workspace.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file before its tests.
const LINES_MAX: usize = 400;

/// A library and the only places that may name it.
const LIVES_IN: [(&str, &[&str]); 13] = [
    ("ractor::", &["actors/"]),
    ("sled::", &["src/journal/snapshots/"]),
    ("bincode::", &["src/records/codec.rs"]),
    ("lettre::", &["src/mail/"]),
    ("minijinja::", &["src/render/"]),
    ("axum::", &["src/http/", "benches/storm/"]),
    ("hyper", &["src/http/", "benches/storm/"]),
    ("anyhow", &["src/main.rs", "src/cli/", "benches/storm/"]),
    ("ureq", &["src/cli/", "src/http/feedback/fetch.rs", "tests/testkit/"]),
    ("mail_parser", &["src/feedback/"]),
    ("ring::", &["src/mail/", "src/http/feedback/"]),
    ("simple_dns", &["src/cli/dkim/"]),
    ("webpki::", &["src/http/feedback/"]),
];

/// What the core must not know.
const NOT_IN_CORE: [&str; 13] = [
    "tokio",
    "ractor",
    "SystemTime",
    "Instant",
    "::now(",
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "rand::",
    "println!",
    "HashMap",
    "async fn",
];

/// All sources: path from the root, and the text before the unit tests.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "actors", "benches/storm", "tests/testkit"] {
        walk(&root.join(dir), &mut files);
    }
    assert!(files.len() > 60, "the sources were not found");
    let mut sources = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        sources.insert(name, code);
    }
    sources
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// True for files that are tests only.
fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("/golden.rs")
}

/// Lines without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn every_file_says_what_it_owns() {
    for (name, text) in sources() {
        assert!(text.starts_with("//!"), "{name} does not open with //!");
    }
}

#[test]
fn http_sees_only_the_engine() {
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("src/http/")) {
        for (line, code) in code(&text) {
            for part in code.split("restockd_engine::").skip(1) {
                let fits = ["{", "Engine", "EngineError", "RequestRefusal", "api"]
                    .iter()
                    .any(|word| part.starts_with(word));
                assert!(fits, "{name}:{} looks behind the Engine: {code}", line + 1);
            }
        }
    }
}

#[test]
fn the_core_knows_no_clock_no_dice_no_async_no_io() {
    for (name, text) in sources() {
        if !name.starts_with("src/core/") || is_test(&name) {
            continue;
        }
        for (line, code) in code(&text) {
            for word in NOT_IN_CORE {
                assert!(!code.contains(word), "{name}:{} says {word}", line + 1);
            }
        }
    }
}

#[test]
fn each_library_lives_where_it_belongs() {
    for (name, text) in sources() {
        for (library, homes) in LIVES_IN {
            if homes.iter().any(|home| name.starts_with(home)) {
                continue;
            }
            for (line, code) in code(&text) {
                let named = code.contains(&format!("use {library}")) || code.contains(&format!(" {library}"));
                assert!(!named, "{name}:{} names {library}", line + 1);
            }
        }
    }
}

#[test]
fn no_build_of_the_product_has_a_test_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = workspace.lines().find_map(|line| line.strip_prefix("default-members = [")).unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 5 && members.contains(&"src/mail"), "{members:?}");
    for member in members {
        let manifest = fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        for word in ["restockd-testkit", "restockd-storm", "\"testing\""] {
            assert!(!dependencies.contains(word), "{member} depends on {word}");
        }
    }
}

#[test]
fn no_file_has_outgrown_itself() {
    let mut lengths = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(is_test(&name) || lines <= LINES_MAX, "{name} has {lines} lines; it is more than one thing");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 180, "the median file has {median} lines");
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "actors", "tests", "benches"] {
        if root.join(dir).exists() {
            walk(&root.join(dir), &mut files);
        }
    }
    let later = ["to", "do!"].concat();
    let words = [["#[ig", "nore"].concat(), later, ["unimple", "mented!"].concat()];
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} says {word}", file.display());
        }
    }
}

/// The module of a file of the actors, as the parts of its path: `actors/engine/keys.rs` is `engine`, `keys`.
fn module(name: &str) -> Option<Vec<String>> {
    let path = name.strip_prefix("actors/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    Some(if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() })
}

/// The paths that a text names from here (`super::…`, `self::…`) or from the root of the actors, braces written out.
fn paths(text: &str) -> Vec<Vec<String>> {
    let text: String = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("::") {
        let before: String =
            text[..at].chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let first: String = before.chars().rev().collect();
        let begins = !text[..at - first.len()].ends_with(':');
        if begins && ["super", "self", "crate"].contains(&first.as_str()) {
            spread(vec![first], &text[at + 2..], &mut paths);
        }
    }
    paths
}

/// Follows one path to its ends, which are several where it has braces; answers what comes behind it.
fn spread<'a>(mut path: Vec<String>, mut text: &'a str, ends: &mut Vec<Vec<String>>) -> &'a str {
    loop {
        text = text.trim_start();
        if let Some(mut inside) = text.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                match inside.strip_prefix('}') {
                    Some(rest) => return rest,
                    None if inside.is_empty() => return inside,
                    None => inside = spread(path.clone(), inside, ends),
                }
            }
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = if end == 0 { text.split_at(text.len().min(1)) } else { text.split_at(end) };
        path.push(name.to_owned());
        match rest.strip_prefix("::") {
            Some(rest) => text = rest,
            None => {
                ends.push(path);
                // `as Other`, up to the end of this item.
                let next = rest.find([',', '}', ';', '\n', '(']).unwrap_or(rest.len());
                return &rest[next..];
            }
        }
    }
}

/// The module of a file that a path leads to from another one: its longest beginning that is a file.
fn leads_to(from: &[String], path: &[String], modules: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let mut at = from.to_vec();
    let mut rest = path;
    match path {
        [root, ..] if root == "crate" => (at, rest) = (Vec::new(), &path[1..]),
        _ => {
            while let [first, ..] = rest
                && ["super", "self"].contains(&first.as_str())
            {
                if first == "super" {
                    at.pop()?;
                }
                rest = &rest[1..];
            }
        }
    }
    let below = (0..=rest.len()).rev().map(|parts| [&at, &rest[..parts]].concat());
    below.into_iter().find(|module| modules.contains(module))
}

/// Who imports whom among the children of one module, each with all that lies below it.
type Siblings = BTreeMap<String, BTreeSet<String>>;

/// A way round among siblings, if there is one.
fn circle(siblings: &Siblings) -> Option<Vec<String>> {
    fn walk(at: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>, siblings: &Siblings) -> bool {
        if let Some(begin) = way.iter().position(|seen| seen == at) {
            way.drain(..begin);
            way.push(at.to_owned());
            return true;
        }
        if !done.insert(at.to_owned()) {
            return false;
        }
        way.push(at.to_owned());
        let round = siblings.get(at).into_iter().flatten().any(|next| walk(next, way, done, siblings));
        if !round {
            way.pop();
        }
        round
    }
    let mut done = BTreeSet::new();
    siblings.keys().find_map(|first| {
        let mut way = Vec::new();
        walk(first, &mut way, &mut done, siblings).then_some(way)
    })
}

#[test]
fn no_files_of_the_actors_import_one_another_in_a_circle() {
    let files: BTreeMap<Vec<String>, String> = sources()
        .into_iter()
        .filter(|(name, _)| !is_test(name))
        .filter_map(|(name, text)| Some((module(&name)?, text)))
        .collect();
    let modules: BTreeSet<Vec<String>> = files.keys().cloned().collect();
    let mut families: BTreeMap<Vec<String>, Siblings> = BTreeMap::new();
    let mut imports = 0;
    for (from, text) in &files {
        for to in paths(text).iter().filter_map(|path| leads_to(from, path, &modules)) {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            // A parent and what lies below it are one thing; circles are looked for among its children.
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let family = families.entry(from[..common].to_vec()).or_default();
                family.entry(one.clone()).or_default().insert(other.clone());
                imports += 1;
            }
        }
    }
    assert!(imports > 100, "the imports were not found");
    for (parent, siblings) in &families {
        let round = circle(siblings).map(|way| way.join(" -> "));
        assert_eq!(round, None, "below actors/{}", parent.join("/"));
    }
}
