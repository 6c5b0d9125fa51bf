//! strace around the engine: first to see every call on every file, then to kill or fail one of them.
//!
//! strace counts the calls of each thread by itself, and an injection `when=N` comes true in the first thread that
//! reaches its N-th. Over all files that would find few places: one thread's first calls would hide the first calls of
//! all others. So a place is a call *on one path* (`-P`, which takes names and open files alike): each file is the work
//! of one thread, or of two after each other. The dry run says by thread how often each call meets each path, and n
//! goes up to the highest of these; [`Calls::hidden`] is how many calls are still shadowed by another thread's.
//!
//! `-D` leaves the engine our own child, so that it is killed and waited for as ever. A signal comes at the entry of the
//! call, which is then not done. `--seccomp-bpf` lets all other calls pass at full speed, but swallows signals, so it
//! is there for errors only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use restockd_testkit::process::until;

/// The calls that make bytes and names durable, or come before that.
pub const CALLS: &str = "fdatasync,fsync,syncfs,pwrite64,write,rename,renameat,renameat2,openat";

/// One place in a run: the n-th call of this name on this path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Below the data directory; empty for itself.
    pub path: String,
    pub call: String,
    pub nth: usize,
}

/// What is done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    Kill,
    Io,
    NoSpace,
}

impl Harm {
    fn words(self) -> &'static str {
        match self {
            Self::Kill => "signal=SIGKILL",
            Self::Io => "error=EIO",
            Self::NoSpace => "error=ENOSPC",
        }
    }
}

/// The command line that only watches.
pub fn watch(log: &Path) -> Vec<OsString> {
    words(log, &["--seccomp-bpf", "-y", "-e", &format!("trace={CALLS}")])
}

/// The command line that does harm in one spot.
pub fn inject(log: &Path, data: &Path, spot: &Spot, harm: Harm) -> Vec<OsString> {
    let path = if spot.path.is_empty() { data.to_owned() } else { data.join(&spot.path) };
    let trace = format!("trace={}", spot.call);
    let inject = format!("inject={}:{}:when={}", spot.call, harm.words(), spot.nth);
    let mut more = vec!["-P", path.to_str().unwrap(), "-e", &trace, "-e", &inject];
    if harm != Harm::Kill {
        more.push("--seccomp-bpf");
    }
    words(log, &more)
}

fn words(log: &Path, more: &[&str]) -> Vec<OsString> {
    let log = log.to_str().unwrap();
    let words = ["/usr/bin/env", "strace", "-D", "-f", "-q", "-o", log];
    // The environment of the engine is its own; strace is found without it.
    words.iter().chain(more).chain(&["--"]).map(OsString::from).collect()
}

/// Whether an error was injected.
pub fn came_true(log: &Path) -> bool {
    std::fs::read_to_string(log).unwrap_or_default().contains("(INJECTED)")
}

/// The calls of a run.
#[derive(Debug, Default)]
pub struct Calls {
    pub spots: BTreeSet<Spot>,
    pub seen: usize,
    /// Calls that another thread's earlier n-th on the same path hides.
    pub hidden: usize,
}

/// Reads what a dry run wrote, once its last line is there.
pub fn calls(log: &Path, data: &Path) -> Calls {
    let text = until("strace has written everything", || {
        let text = std::fs::read_to_string(log).ok()?;
        text.trim_end().ends_with("+++").then_some(text)
    });
    let mut calls = Calls::default();
    let mut counts: BTreeMap<(&str, String, &str), usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.split(',').any(|name| name == call) {
            continue;
        }
        let Some(path) = path_of(call, arguments, data) else { continue };
        let Ok(below) = path.strip_prefix(data) else { continue };
        let path = below.to_str().unwrap().to_owned();
        let nth = counts.entry((thread, path.clone(), call)).or_default();
        *nth += 1;
        calls.seen += 1;
        if !calls.spots.insert(Spot { path, call: call.to_owned(), nth: *nth }) {
            calls.hidden += 1;
        }
    }
    calls
}

/// The path that a call is about: the one it opens, the new name it gives, or that of its open file.
fn path_of(call: &str, arguments: &str, data: &Path) -> Option<PathBuf> {
    let mut quoted = arguments.split('"').skip(1).step_by(2);
    let open = arguments.split(['<', '>']).nth(1);
    match call {
        "openat" => Some(Path::new(open?).join(quoted.next()?)),
        "rename" => Some(data.join(quoted.nth(1)?)),
        "renameat" | "renameat2" => Some(data.join(quoted.nth(1)?)),
        _ => Some(PathBuf::from(open?)),
    }
}
