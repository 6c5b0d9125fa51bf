//! The final account of the demo: the mails in the outbox, compared with the people who waited.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// Prints the account; true when it is right.
pub(super) fn give(
    dir: &Path,
    waited: &BTreeSet<String>,
    campaign: &Value,
    list: &Value,
) -> anyhow::Result<bool> {
    let outbox = dir.join("outbox");
    let mailed = mailed(&outbox)?;
    let count = |field: &str| campaign[field].as_u64().unwrap_or(0);
    let doubt = count("inDoubtCount");
    let strangers = mailed.keys().filter(|to| !waited.contains(*to)).count();
    let doubles = mailed.values().filter(|count| **count > 1).count();
    let missing = waited.iter().filter(|to| !mailed.contains_key(*to)).count() as u64;
    let parts = ["pendingCount", "startedCount", "deferredCount", "sentCount", "failedCount", "skippedCount"];
    let sum = parts.iter().map(|part| count(part)).sum::<u64>() + doubt;
    println!();
    println!("  waited for the chair          {}", waited.len());
    println!("  mails in the outbox           {}", mailed.len());
    println!("  counted as sent               {}", count("sentCount"));
    println!("  in doubt after the kill -9    {doubt} (held, never resent by itself)");
    println!("  waited and have no mail       {missing}");
    println!("  mailed twice                  {doubles}");
    println!("  mailed without having waited  {strangers}");
    println!("  on the list now               {}", list["members"]);
    println!();
    let right = strangers == 0
        && doubles == 0
        && missing <= doubt
        && campaign["status"] == "sent"
        && count("totalRecipients") == waited.len() as u64
        && count("totalRecipients") == sum
        && count("sentCount") + doubt == waited.len() as u64;
    if right {
        println!("The account is right. The mails lie in {}.", outbox.display());
    } else {
        println!("THE ACCOUNT IS WRONG: {campaign}");
    }
    Ok(right)
}

/// How many mails each address has.
fn mailed(outbox: &Path) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut mailed = BTreeMap::new();
    let entries = std::fs::read_dir(outbox).with_context(|| format!("no outbox at {}", outbox.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let to = text.lines().find_map(|line| line.strip_prefix("To: "));
        let to = to.with_context(|| format!("{} is addressed to nobody", path.display()))?;
        *mailed.entry(to.trim().trim_matches(['<', '>']).to_owned()).or_default() += 1;
    }
    Ok(mailed)
}
