//! The findings as lines for a person: a keyword, then a sentence.

use std::fmt::Write as _;

use super::findings::{Findings, GenerationFinding, LogFindings};
use restockd_engine::recovery_stats::RecoveryStats;

/// Days for which quarantine keeps a copy.
const COPY_DAYS: u64 = 7;

pub(super) fn text(found: &Findings) -> String {
    let mut lines = Lines(String::new());
    let engine = match (found.running, found.secrets) {
        (true, _) => "an engine is running; the end of the log may be a write in progress",
        (false, "none yet") => "never started here",
        (false, _) => "not running",
    };
    lines.put("engine", engine);
    lines.put("secrets", found.secrets);
    if let Some(snapshots) = &found.snapshots {
        if let Some(problem) = &snapshots.current_problem {
            lines.put("CURRENT", problem);
        }
        snapshots.generations.iter().for_each(|one| generation(&mut lines, one));
    }
    if let Some(log) = &found.log {
        self::log(&mut lines, log);
    }
    for copy in &found.copies {
        let when = match copy.days {
            Some(days) => format!("{days} days old; the engine removes it after {COPY_DAYS}"),
            None => format!("new; the engine removes it {COPY_DAYS} days after its next start"),
        };
        lines.put("copy", &format!("{} ({when}; it may hold addresses)", copy.path.display()));
    }
    match &found.start.refused {
        Some(why) if found.newer.is_some() => {
            lines.put("NEWER", found.newer.as_deref().unwrap_or_default());
            lines.put("", "it is as it was written; --repair would change nothing");
            lines.put("REFUSED", &format!("a start would not succeed: {why}"));
        }
        Some(why) => {
            lines.put("REFUSED", &format!("a start would not succeed: {why}"));
            lines.put("", "put the data back from a backup, or see what --repair can do");
        }
        None => {
            found.start.passed_over.iter().for_each(|one| lines.put("passed over", one));
            if let Some(survey) = &found.start.brings_back {
                brings_back(&mut lines, survey);
            }
            let then = if found.running { ", once the running engine has ended" } else { "" };
            let from = &found.start.from;
            lines.put("sound", &format!("a start would succeed{then} (from {from})"));
        }
    }
    lines.0
}

/// Lines that begin with a keyword.
struct Lines(String);

impl Lines {
    fn put(&mut self, word: &str, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{word:<11} {text}");
    }
}

fn generation(lines: &mut Lines, one: &GenerationFinding) {
    let GenerationFinding { number, role, made, bytes, replay_from, durable, .. } = one;
    let state = one.damage.as_deref().or(one.newer.as_deref()).unwrap_or("sound");
    lines.put("snapshot", &format!("{number} ({role}, made {made}, {bytes} bytes): {state}"));
    if !one.counts.is_empty() {
        let counts: Vec<String> = one.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let counts = counts.join(", ");
        lines.put("", &format!("{counts}; needs the log from record {replay_from}, at least to {durable}"));
    }
}

fn log(lines: &mut Lines, log: &LogFindings) {
    let LogFindings { records, segments, bytes, known_durable, .. } = log;
    let (first, last) = (log.first.unwrap_or(0), log.last.unwrap_or(0));
    let kinds: Vec<String> = log.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    lines.put(
        "log",
        &format!("{records} records, numbers {first} to {last}, in {segments} segments, {bytes} bytes"),
    );
    if !kinds.is_empty() {
        lines.put("", &format!("records that verify: {}", kinds.join(", ")));
    }
    lines.put("", &format!("durable at least to record {known_durable}"));
    for (first, last) in &log.given_up {
        lines.put("given up", &format!("records {first} to {last}, by an earlier repair"));
    }
    match (&log.torn, log.tail) {
        (Some((file, offset, bytes)), _) => lines.put(
            "tail",
            &format!(
                "{bytes} bytes at {} offset {offset} were never acknowledged; the next start cuts them (0 known \
                 records lost)",
                file.display()
            ),
        ),
        (None, "clean") => lines.put("tail", "clean"),
        _ if log.damage.is_none() => lines.put("tail", "cannot be told"),
        _ => lines.put("tail", "cannot be told because of the damage"),
    }
    if let Some(damage) = &log.damage {
        let file = damage.file.display();
        let (offset, expected, what) = (damage.offset, damage.expected, &damage.what);
        lines.put(
            "DAMAGE",
            &format!("{file} at offset {offset}, where record {expected} is expected: {what}"),
        );
        lines.put("", &format!("{} records known to have existed are at risk", damage.at_risk));
    }
}

/// What a start would bring back.
pub(super) fn survey(survey: &RecoveryStats) -> String {
    let mut lines = Lines(String::new());
    brings_back(&mut lines, survey);
    lines.0
}

fn brings_back(lines: &mut Lines, it: &RecoveryStats) {
    lines.put("replay", &format!("{} records", it.replayed));
    lines.put("lists", &format!("{}, with {} members ({} have left)", it.lists, it.members, it.left));
    let suppressed: Vec<String> = it.suppressed.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let suppressed = if suppressed.is_empty() { "none".to_owned() } else { suppressed.join(", ") };
    lines.put(
        "people",
        &format!(
            "{} ({} unsubscribed from all), {} erased, {} merged into others; suppressed addresses: {suppressed}",
            it.people, it.unsubscribed, it.erased, it.merged
        ),
    );
    let words = |counts: &std::collections::BTreeMap<&str, u64>| {
        let all: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    lines.put("campaigns", &words(&it.campaigns));
    if !it.letters.is_empty() {
        let law = if it.unbalanced.is_empty() { "they add up" } else { "THEY DO NOT ADD UP" };
        lines.put("letters", &format!("{}; {law}", words(&it.letters)));
    }
    it.unbalanced
        .iter()
        .for_each(|id| lines.put("UNBALANCED", &format!("campaign {id}; please report this")));
    lines.put("in doubt", &format!("{} letters", it.in_doubt));
    lines.put("open", &format!("{} events, {} restocks to be told again", it.open_events, it.claims));
    lines.put("API keys", &format!("{}, and {} revoked", it.api_keys, it.api_keys_revoked));
}
