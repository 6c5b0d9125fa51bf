//! Laws of campaigns under any history.

use crate::ids::PersonId;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One thing that happens, to campaign 1 or 2 (of the next day).
#[derive(Debug, Clone)]
enum Step {
    Restock(bool, u32),
    HandOver(bool, u32),
    Send(bool, usize, Option<SkipReason>),
    Reply(bool, usize, u8),
    Note(bool, u32, SkipReason),
    Command(bool, CampaignCommand),
    Close(bool),
    Wait(u64),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<bool>;
    let reason = || prop::sample::select(SkipReason::ALL.to_vec());
    let verbs = vec![
        CampaignCommand::Cancel,
        CampaignCommand::Pause,
        CampaignCommand::Resume,
        CampaignCommand::Resume,
        CampaignCommand::RetryFailed,
        CampaignCommand::ResendDoubt,
        CampaignCommand::DropDoubt,
    ];
    let step = prop_oneof![
        3 => (which(), 0u32..4).prop_map(|(b, n)| Step::Restock(b, n)),
        5 => (which(), 1u32..4).prop_map(|(b, n)| Step::HandOver(b, n)),
        8 => (which(), 1usize..4, prop::option::weighted(0.2, reason())).prop_map(|(b, n, r)| Step::Send(b, n, r)),
        8 => (which(), 0usize..4, 0u8..4).prop_map(|(b, n, r)| Step::Reply(b, n, r)),
        2 => (which(), 1u32..12, reason()).prop_map(|(b, n, r)| Step::Note(b, n, r)),
        1 => (which(), prop::sample::select(verbs)).prop_map(|(b, v)| Step::Command(b, v)),
        2 => which().prop_map(Step::Close),
        2 => (0u64..8 * HOUR).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..120)
}

/// What a history has shown so far.
#[derive(Default)]
struct Seen {
    /// The audience of each campaign and how far it was handed over.
    audience: BTreeMap<u128, (u32, u32)>,
    /// Letters on the wire.
    wire: BTreeSet<(u128, u32)>,
    /// Letters that a server accepted.
    sent: BTreeSet<(u128, u32)>,
}

/// Plays a history; each law is checked after each step.
fn play(steps: &[Step]) -> Result<Desk, TestCaseError> {
    let (mut desk, mut seen, mut now) = (Desk::new(), Seen::default(), START);
    for step in steps {
        now = now.plus(1000);
        let number = |second: bool| 1 + u128::from(second);
        match *step {
            Step::Wait(ms) => now = now.plus(ms),
            Step::Restock(second, n) => {
                let id = number(second);
                let upto = seen.audience.get(&id).map_or(0, |(upto, _)| *upto) + n;
                if upto == 0 {
                    continue;
                }
                if desk.restock(&rule(id, id as i32), upto, n, now) {
                    seen.audience.entry(id).or_default().0 = upto;
                }
            }
            Step::HandOver(second, n) => {
                let id = number(second);
                let Some((upto, known)) = seen.audience.get_mut(&id) else { continue };
                if desk.get(id).status.is_closed() {
                    continue;
                }
                let to = (*known + n).min(*upto);
                desk.upsert(id, *known + 1..=to);
                *known = to;
                if to == *upto {
                    desk.all_invited(id);
                }
            }
            Step::Send(second, n, undeliverable) => {
                send(&mut desk, &mut seen, number(second), n, undeliverable, now)?
            }
            Step::Reply(second, n, what) => reply(&mut desk, &mut seen, number(second), n, what, now),
            Step::Note(second, person, reason) => {
                let id = CampaignId(number(second));
                let event = desk.campaigns.decide_exclusion(id, PersonId(person), reason);
                event.into_iter().for_each(|event| desk.record(event, now));
            }
            Step::Command(second, command) => _ = desk.command(number(second), command),
            Step::Close(second) => {
                let id = CampaignId(number(second));
                if desk.campaigns.get(id).is_some_and(|c| c.is_done() && c.status == CampaignStatus::Sending)
                {
                    desk.record(CampaignEvent::Closed { id }, now);
                }
            }
            Step::Crash => crash(&mut desk, &mut seen, now)?,
        }
        check(&desk, &seen)?;
    }
    Ok(desk)
}

/// Takes letters and starts those that may.
fn send(
    desk: &mut Desk,
    seen: &mut Seen,
    id: u128,
    most: usize,
    undeliverable: Option<SkipReason>,
    now: Millis,
) -> Result<(), TestCaseError> {
    if !desk.campaigns.get(CampaignId(id)).is_some_and(Campaign::is_sending) {
        return Ok(());
    }
    for person in desk.take(id, now, most) {
        let (row, _) = desk.get(id).ledger.find(PersonId(person)).unwrap();
        let before = pages(&desk.campaigns);
        // Two people share each address.
        let next = desk.campaigns.decide_letter(
            CampaignId(id),
            row,
            undeliverable,
            u64::from(person / 2),
            GUARD,
            now,
        );
        prop_assert_eq!(before, pages(&desk.campaigns), "asking changed something");
        match next {
            NextLetter::Start(event) => {
                desk.record(event, now);
                prop_assert!(seen.wire.insert((id, person)));
                let twice = seen.sent.iter().any(|(of, other)| *of == id && other / 2 == person / 2);
                prop_assert!(!twice, "an address was mailed twice");
            }
            NextLetter::Skip(event) => desk.record(event, now),
            NextLetter::Gone => {}
        }
    }
    Ok(())
}

/// A server answers one of the letters on the wire.
fn reply(desk: &mut Desk, seen: &mut Seen, id: u128, n: usize, what: u8, now: Millis) {
    let wire: Vec<u32> = seen.wire.iter().filter(|(of, _)| *of == id).map(|(_, person)| *person).collect();
    let Some(person) = wire.get(n).copied() else { return };
    seen.wire.remove(&(id, person));
    match what {
        0 => {
            desk.settle(id, person, Settlement::Sent, now);
            seen.sent.insert((id, person));
        }
        1 => desk.settle(id, person, Settlement::Failed { diagnostic: said("550") }, now),
        2 => desk.settle(id, person, Settlement::Doubt { diagnostic: said("lost") }, now),
        _ => desk.defer(id, person, now),
    }
}

/// Everything but the records is forgotten; lists hand over again what they had.
fn crash(desk: &mut Desk, seen: &mut Seen, now: Millis) -> Result<(), TestCaseError> {
    let totals: Vec<u64> = desk.campaigns.newest().map(Campaign::total).collect();
    desk.crash();
    prop_assert_eq!(&totals, &desk.campaigns.newest().map(Campaign::total).collect::<Vec<_>>());
    for event in desk.campaigns.decide_doubt(now) {
        desk.record(event, now);
    }
    seen.wire.clear();
    for (id, (upto, known)) in &seen.audience {
        desk.upsert(*id, 1..=*known);
        if known == upto {
            desk.all_invited(*id);
        }
    }
    prop_assert_eq!(&totals, &desk.campaigns.newest().map(Campaign::total).collect::<Vec<_>>());
    Ok(())
}

/// Counters against a plain walk of the rows, and the total against the audience.
fn check(desk: &Desk, seen: &Seen) -> Result<(), TestCaseError> {
    for campaign in desk.campaigns.all.values() {
        let mut counts = Counts::default();
        for row in campaign.ledger.rows() {
            match row.state {
                LetterState::Pending => counts.pending += 1,
                LetterState::Started => counts.started += 1,
                LetterState::Deferred => counts.deferred += 1,
                LetterState::Sent => counts.sent += 1,
                LetterState::Failed | LetterState::Dropped => counts.failed += 1,
                LetterState::Doubt => counts.doubt += 1,
                LetterState::Skipped(reason) => {
                    let at = SkipReason::ALL.iter().position(|other| *other == reason).unwrap();
                    counts.skipped[at] += 1;
                }
            }
        }
        prop_assert_eq!(counts, campaign.ledger.counts());
        let id = campaign.header.id.0;
        let skipped: u64 = campaign.skipped().iter().sum();
        let sum = campaign.pending()
            + counts.started
            + counts.deferred
            + counts.sent
            + counts.failed
            + counts.doubt;
        let sum = sum + skipped;
        prop_assert_eq!(campaign.total(), sum);
        prop_assert_eq!(sum, u64::from(seen.audience[&id].0), "the total is the audience");
        let wire = seen.wire.iter().filter(|(of, _)| *of == id).count();
        prop_assert_eq!(counts.started as usize, wire);
        let sent: BTreeSet<u32> = seen.sent.iter().filter(|(of, _)| *of == id).map(|(_, p)| *p).collect();
        let rows = campaign.ledger.rows().filter(|row| row.state == LetterState::Sent);
        prop_assert_eq!(rows.map(|row| row.person.0).collect::<BTreeSet<_>>(), sent, "sent stays sent");
        if campaign.status == CampaignStatus::Sent {
            prop_assert_eq!(campaign.pending() + counts.started + counts.deferred, 0);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_always_add_up_and_nobody_is_mailed_twice(steps in steps()) {
        play(&steps)?;
    }

    #[test]
    fn replay_equals_any_snapshot_of_a_replay_and_the_records_after_it(steps in steps(), cut in 0.0f64..1.0) {
        let desk = play(&steps)?;
        let cut = (desk.records.len() as f64 * cut) as usize;
        let mut campaigns = Campaigns::new(None, Retry::default());
        for (n, (event, at)) in desk.records.iter().enumerate() {
            if n == cut {
                campaigns = restored(&campaigns);
            }
            campaigns.apply(event, *at);
        }
        prop_assert_eq!(pages(&campaigns), pages(&desk.replay()));
    }

    #[test]
    fn a_snapshot_of_the_live_campaigns_is_the_live_campaigns(steps in steps()) {
        let desk = play(&steps)?;
        let again = restored(&desk.campaigns);
        prop_assert_eq!(pages(&again), pages(&desk.campaigns));
        for (one, other) in again.newest().zip(desk.campaigns.newest()) {
            prop_assert_eq!(one.ledger.counts(), other.ledger.counts());
            prop_assert_eq!((one.total(), one.is_done()), (other.total(), other.is_done()));
        }
    }

    #[test]
    fn what_a_replay_holds_of_a_letter_is_what_was_live(steps in steps()) {
        let desk = play(&steps)?;
        let replayed = desk.replay();
        for campaign in replayed.newest() {
            let live = desk.get(campaign.header.id.0);
            prop_assert_eq!((campaign.status, campaign.total(), campaign.skipped()), (live.status, live.total(), live.skipped()));
            for row in campaign.ledger.rows() {
                let (_, other) = live.ledger.find(row.person).unwrap();
                prop_assert_eq!((row.state, row.attempts), (other.state, other.attempts));
            }
        }
    }
}
