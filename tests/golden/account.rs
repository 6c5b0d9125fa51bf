//! A written account of a data directory: what is in it, in words that no build changes. Names of types and fields never
//! stand in it, so that code may be renamed and the account still compares.

use std::fmt::Write as _;

use restockd_core::PersonId;
use restockd_core::campaign::Campaign;
use restockd_core::directory::PersonStatus;
use restockd_core::list::List;
use restockd_engine::recovery::RecoveredState;

/// The whole account.
pub fn of(found: &RecoveredState) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| writeln!(text, "{words}").unwrap();
    let directory = &found.directory;
    line(format_args!("directory: {} records, {} mailable", directory.seq(), directory.mailable()));
    for id in (1..=directory.last_person()).map(PersonId) {
        match directory.status(id) {
            Some(PersonStatus::Merged(into)) => line(format_args!("{id} became {into}")),
            Some(PersonStatus::Erased) => line(format_args!("{id} was erased")),
            Some(PersonStatus::Live) => {
                let (_, person) = directory.person(id).unwrap();
                let email = person.email.as_ref().map_or("-", |email| email.as_str());
                let names = (person.user_id.as_deref(), person.anonymous_id());
                line(format_args!("{id} {email} {names:?} {:?}", person.props()));
                let lists: Vec<&str> = directory.lists_of(id).map(|list| list.as_str()).collect();
                let (times, silent) =
                    ((person.created.0, person.updated.0, person.seen.0), person.unsubscribed);
                line(format_args!("  lists {lists:?}, unsubscribed {silent}, times {times:?}"));
                if let Some(pending) = directory.waiting(id) {
                    let lists: Vec<_> =
                        pending.lists.iter().map(|one| (one.list, one.since, one.at.0)).collect();
                    line(format_args!("  pending {lists:?}, mailed {}", pending.mailed.len()));
                }
                for proof in directory.consent_records(id) {
                    let known = &proof.evidence;
                    let words = [&known.key, &known.source, &known.wording, &known.url];
                    line(format_args!("  asked for list {} at {}: {words:?}", proof.list, proof.at.0));
                }
            }
            None => {}
        }
    }
    for (address, held) in directory.suppressions(None) {
        let at = held.at.map(|at| at.0);
        line(format_args!("suppressed {address:x}: {} {at:?} {:?}", held.why.as_str(), &*held.evidence));
        for report in directory.evidence(address) {
            let (kind, status) = (report.kind.as_str(), report.status.map(|status| status.to_string()));
            line(format_args!(
                "  {kind} at {} by {}: {status:?} {:?}",
                report.at.0, report.source, report.diagnostic
            ));
        }
    }
    for key in directory.api_keys() {
        let (made, revoked) = (key.created.0, key.revoked.map(|at| at.0));
        line(format_args!("API key {} {:?} admin {} {made} {revoked:?}", key.id, key.name, key.admin));
    }
    for key in directory.public_keys() {
        line(format_args!("publishable key {} {:?} {:?}", key.id, key.name, key.origins));
    }
    line(format_args!("{} keys seen, {} open events", directory.keys_held(), directory.open().count()));
    let mut lists: Vec<_> = found.lists.iter().collect();
    lists.sort_by(|one, other| one.0.cmp(&other.0));
    for (id, packed) in lists {
        let list = packed.unpack().unwrap();
        line(format_args!("list {id}: {} records", list.seq()));
        line(format_args!("{}", of_list(&list).trim_end()));
    }
    for campaign in found.campaigns.newest() {
        line(format_args!("{}", of_campaign(campaign).trim_end()));
    }
    text
}

fn of_list(list: &List) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| writeln!(text, "  {words}").unwrap();
    line(format_args!(
        "{} joined, {} left, stock {:?}, {:?}",
        list.joined(),
        list.left(),
        list.stock(),
        list.product()
    ));
    if let Some(details) = list.details() {
        line(format_args!("says {:?}", details.named().collect::<Vec<_>>()));
    }
    for row in list.members(0) {
        line(format_args!(
            "place {} {} since {} by event {}",
            row.ordinal, row.person, row.joined.0, row.event
        ));
    }
    for invite in list.invites() {
        let moved: Vec<_> = invite.moved.iter().map(|(place, person)| (*place, person.0)).collect();
        let (upto, invited, closed) = (invite.upto, invite.invited, invite.closed);
        line(format_args!(
            "claimed by {} up to {upto}, handed over {invited}, closed {closed}, moved {moved:?}",
            invite.campaign
        ));
    }
    for (key, signal) in list.signals() {
        line(format_args!(
            "restock {key:x} at {} for {:?}",
            signal.at.0,
            signal.campaign.map(|id| id.to_string())
        ));
    }
    text
}

fn of_campaign(campaign: &Campaign) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| writeln!(text, "{words}").unwrap();
    let header = &campaign.header;
    let (status, total, pending) = (campaign.status.as_str(), campaign.total(), campaign.pending());
    line(format_args!(
        "campaign {} {:?} {:?}: {status}, {total} in all, {pending} pending",
        header.id, header.key, header.name
    ));
    let (rate, day) = (header.rate.map(|rate| rate.to_string()), header.day.map(|day| day.to_string()));
    line(format_args!(
        "  list {}, rule {}, day {day:?}, rate {rate:?}, template {}",
        header.list, header.rule, header.template
    ));
    let (from, subject, age) = (&header.from, &header.subject, header.max_age.map(|age| age.to_string()));
    line(format_args!("  from {from:?}, subject {subject:?}, props {}, at most {age:?} old", header.props));
    let counts = campaign.ledger.counts();
    let counted = [counts.started, counts.deferred, counts.sent, counts.failed, counts.doubt];
    line(format_args!(
        "  started, deferred, sent, failed, in doubt: {counted:?}; skipped {:?}",
        campaign.skipped()
    ));
    for row in campaign.ledger.rows() {
        line(format_args!(
            "  {} place {} attempts {} after {} s",
            row.person, row.ordinal, row.attempts, row.at_s
        ));
    }
    text
}
