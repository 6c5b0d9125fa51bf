//! The comparison: what the engine says after a restart, against what it had acknowledged.
//!
//! Every check answers what is wrong in words, so that a test can also hold that it finds a lie.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Client, count};
use restockd_testkit::sink::Letter;
use serde_json::Value;

use crate::oracle::Facts;

/// What is wrong, at most so many of them.
const WORDS_MAX: usize = 10;
/// Old facts in a cheap check, beside the newest.
const SAMPLE: usize = 12;

/// How much to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The newest of everything, and a few old ones by lot.
    Sample,
    /// Everybody, and this many of the rest.
    Full(usize),
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    pub wrong: Vec<String>,
    pub compared: u64,
}

impl Findings {
    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds && self.wrong.len() < WORDS_MAX {
            self.wrong.push(otherwise());
        }
    }

    /// Fails a test that found something.
    pub fn none(self, when: &str) -> u64 {
        assert!(self.wrong.is_empty(), "{when}: {:#?}", self.wrong);
        self.compared
    }
}

/// Asks the engine back.
pub fn compare(client: &Client, facts: &Facts, depth: Depth, dice: &mut Dice) -> Findings {
    let mut found = Findings::default();
    let some = match depth {
        Depth::Sample => {
            recent_members(client, facts, &mut found);
            SAMPLE
        }
        Depth::Full(some) => {
            all_members(client, facts, &mut found);
            some
        }
    };
    for restock in picked(&facts.restocks, some, dice) {
        let again = client.try_restock(&restock.delivery, &restock.sku);
        let duplicate = matches!(&again, Some((200, body)) if body["duplicate"] == true);
        found.hold(duplicate, || format!("{restock:?} is no duplicate: {again:?}"));
    }
    for event in picked(&facts.keyed, some, dice) {
        let again = client.try_post("/v1/events", event);
        let known = matches!(&again, Some((202, body)) if body["stored"] == false);
        found.hold(known, || format!("{event} is not known: {again:?}"));
    }
    for campaign in picked(&facts.campaigns, some.min(100), dice) {
        let again = client.try_post("/v1/campaigns", &campaign.body);
        let same = matches!(&again, Some((202, body)) if body["campaignId"] == *campaign.id);
        found.hold(same, || format!("{campaign:?} is not known by its key: {again:?}"));
        let there = client.try_get(&format!("/v1/campaigns/{}", campaign.id));
        let listed = matches!(&there, Some((200, body)) if body["subject"] == campaign.body["subject"]);
        found.hold(listed, || format!("{campaign:?} is not there: {there:?}"));
    }
    for email in picked(&facts.erased, some.min(100), dice) {
        let answer = client.try_get(&format!("/v1/contacts/find?email={email}"));
        let gone = matches!(&answer, Some((200, body)) if body["contacts"] == Value::Array(Vec::new()));
        found.hold(gone, || format!("{email} was erased and is there: {answer:?}"));
    }
    // The conservation law stands in every answer that names a campaign.
    found.compared += client.campaigns().len() as u64;
    found
}

/// The newest half of a sample, and as many by lot.
fn picked<'a, T>(all: &'a [T], some: usize, dice: &mut Dice) -> Vec<&'a T> {
    if all.len() <= some {
        return all.iter().collect();
    }
    let newest = some.div_ceil(2);
    let (old, new) = all.split_at(all.len() - newest);
    let by_lot = (newest..some).map(|_| &old[dice.below(old.len() as u64) as usize]);
    new.iter().chain(by_lot).collect()
}

fn recent_members(client: &Client, facts: &Facts, found: &mut Findings) {
    for key @ (list, email) in &facts.recent {
        let Some(here) = facts.members[key].here else { continue };
        let answer = client.try_get(&format!("/v1/lists/{list}/position?email={email}"));
        let is = match &answer {
            Some((200, _)) => Some(true),
            Some((404, _)) => Some(false),
            _ => None,
        };
        found.hold(is == Some(here), || format!("{email} on {list} should be {here}: {answer:?}"));
    }
}

/// Every list: nobody is missing, nobody is there who never asked or has left, and all stand in the order they came.
pub fn all_members(client: &Client, facts: &Facts, found: &mut Findings) {
    let lists: BTreeSet<&String> = facts.members.keys().map(|(list, _)| list).collect();
    for list in lists {
        if client.try_get(&format!("/v1/lists/{list}")).is_none_or(|(status, _)| status != 200) {
            let any = facts.members.iter().any(|((of, _), member)| of == list && member.here == Some(true));
            found.hold(!any, || format!("the list {list} is gone"));
            continue;
        }
        let line = client.members(list);
        let present: BTreeSet<&str> = line.iter().map(String::as_str).collect();
        let first = (list.clone(), String::new());
        let known = facts.members.range(first..).take_while(|((of, _), _)| of == list);
        let known: HashMap<&str, _> = known.map(|((_, email), member)| (email.as_str(), member)).collect();
        for (email, member) in &known {
            let is = present.contains(email);
            found.hold(member.here.is_none_or(|here| here == is), || {
                format!("{email} on {list} is {is}, acknowledged: {member:?}")
            });
        }
        let (mut latest, mut before) = (0, "");
        for email in &line {
            let Some(member) = known.get(email.as_str()) else {
                found.hold(false, || format!("{email} never asked for {list}"));
                continue;
            };
            if member.plain && member.here == Some(true) {
                found.hold(member.acked >= latest, || {
                    format!("{email} was acknowledged before {before} asked for {list}, and stands behind")
                });
                if member.asked > latest {
                    (latest, before) = (member.asked, email);
                }
            }
        }
    }
}

/// How the letters of a life ended.
#[derive(Debug, Default)]
pub struct Account {
    pub findings: Findings,
    pub accepted: u64,
    pub doubt: u64,
}

/// Holds the letters that the relay took against the campaigns, all of which are sent, and against who had waited.
pub fn account(client: &Client, facts: &Facts, dots: &[Letter], accepted: &[Letter]) -> Account {
    let mut account = Account::default();
    let found = &mut account.findings;
    once(dots, found);
    let mut mailed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for letter in accepted {
        mailed.entry(&letter.subject).or_default().insert(&letter.to);
    }
    // By subject: what the counts say, and of which list.
    let mut sums: BTreeMap<String, (u64, u64, String)> = BTreeMap::new();
    for campaign in client.campaigns() {
        let list = campaign["audienceId"].as_str().unwrap().to_owned();
        let subject = campaign["subject"].as_str().unwrap();
        let subject = subject.replace("{product}", &format!("The {}", list.trim_start_matches("restock-")));
        let sum = sums.entry(subject).or_insert((0, 0, list));
        sum.0 += count(&campaign, "sent");
        sum.1 += count(&campaign, "inDoubt");
        found.hold(count(&campaign, "failed") == 0, || format!("letters failed: {campaign}"));
    }
    for (subject, (sent, doubt, list)) in &sums {
        let got = mailed.remove(subject.as_str()).unwrap_or_default();
        let taken = got.len() as u64;
        found.hold(*sent <= taken && taken <= sent + doubt, || {
            format!("{subject}: sent {sent}, in doubt {doubt}, but {taken} were accepted")
        });
        let opened = opened(facts, subject, list);
        let waited = |((of, email), member): (&(String, String), &crate::oracle::Member)| {
            (of == list && member.plain && opened.is_some_and(|opened| member.acked < opened))
                .then(|| email.clone())
        };
        let missing = facts.members.iter().filter_map(waited).filter(|email| !got.contains(email.as_str()));
        let missing: Vec<String> = missing.collect();
        found.hold(missing.len() as u64 <= (sent + doubt).saturating_sub(taken), || {
            format!(
                "{subject}: {} got nothing, such as {:?}; sent {sent}, in doubt {doubt}, accepted {taken}",
                missing.len(),
                missing.first()
            )
        });
        account.accepted += taken;
        account.doubt += doubt;
    }
    for subject in mailed.keys() {
        account.findings.hold(false, || format!("letters of a campaign that is not there: {subject}"));
    }
    account
}

/// When the newest signal of a campaign was asked for; none where none was acknowledged.
fn opened(facts: &Facts, subject: &str, list: &str) -> Option<u64> {
    let manual = facts.campaigns.iter().find(|campaign| campaign.body["subject"] == subject);
    manual.map(|campaign| campaign.asked).or_else(|| {
        let sku = list.trim_start_matches("restock-");
        facts.restocks.iter().filter(|restock| restock.sku == sku).map(|restock| restock.asked).max()
    })
}

/// Nobody twice: no Message-ID a second time, and nobody twice under one subject.
pub fn once(letters: &[Letter], found: &mut Findings) {
    let (mut ids, mut people) = (BTreeSet::new(), BTreeSet::new());
    for letter in letters {
        let new = ids.insert(&letter.message_id) & people.insert((&letter.subject, &letter.to));
        found.hold(new, || format!("mailed twice: {letter:?}"));
    }
}
