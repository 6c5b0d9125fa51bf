//! Letters: starting, coming back, doubt, and who is not mailed twice.

use super::*;
use crate::Span;
use crate::ids::PersonId;

#[test]
fn a_letter_that_was_taken_twice_starts_once() {
    let mut desk = Desk::opened(1);
    desk.start(1, 1, START);
    assert!(matches!(desk.letter(1, 1, None, 1, START), NextLetter::Gone));
    desk.defer(1, 1, START);
    // It came back meanwhile: its time is the schedule's to say.
    assert!(matches!(desk.letter(1, 1, None, 1, START.plus(1)), NextLetter::Gone));
    let due = desk.next_due(1).unwrap();
    assert_eq!(desk.take(1, due, 1), [1]);
    assert!(matches!(desk.letter(1, 1, None, 1, due), NextLetter::Start(_)));
}

#[test]
fn an_address_is_started_at_most_once_in_a_campaign_but_for_retries_of_its_own_letter() {
    let mut desk = Desk::opened(3);
    desk.send(1, 1, START);
    let second = |desk: &Desk, at| desk.letter(1, 2, None, 1, at);
    assert!(matches!(second(&desk, START), NextLetter::Skip(_)));
    // A letter that was tried elsewhere does not come to a started address either.
    desk.start(1, 2, START);
    desk.defer(1, 2, START);
    let due = desk.next_due(1).unwrap();
    assert!(matches!(second(&desk, due), NextLetter::Skip(_)));
    assert!(matches!(desk.letter(1, 2, None, 2, due), NextLetter::Start(_)));
    desk.crash();
    assert!(matches!(second(&desk, due), NextLetter::Skip(_)));
    desk.campaigns = restored(&desk.campaigns);
    assert!(matches!(second(&desk, due), NextLetter::Skip(_)));
    assert!(matches!(desk.letter(1, 2, None, 2, due), NextLetter::Start(_)));
}

#[test]
fn a_deferred_letter_comes_back_by_the_schedule_and_expires_with_its_age() {
    let mut desk = Desk::opened(1);
    let (mut now, mut tries) = (START, 0);
    while desk.state(1, 1) != LetterState::Skipped(SkipReason::Expired) {
        desk.start(1, 1, now);
        tries += 1;
        desk.defer(1, 1, now);
        let Some(due) = desk.next_due(1) else { break };
        assert!(due.since(now) >= 60_000 && due.since(START) <= DAY);
        assert!(desk.take(1, Millis(due.0 - 1), 9).is_empty());
        if tries % 2 == 0 {
            desk.crash();
        }
        assert_eq!(desk.take(1, due, 9), [1]);
        now = due;
    }
    assert!(tries > 8, "{tries}");
    assert_eq!((desk.get(1).skipped()[7], desk.get(1).total()), (1, 1));
}

/// The age of a letter that only ever comes back, when it is given up.
fn given_up(desk: &mut Desk, throttled: bool, mut upheaval: impl FnMut(&mut Desk)) -> u64 {
    let mut now = START;
    loop {
        desk.start(1, 1, now);
        if throttled {
            let (id, opens) = (CampaignId(1), now.plus(HOUR));
            let event = desk.campaigns.decide_throttled(id, PersonId(1), said("421"), opens, now);
            desk.record(event, now);
        } else {
            desk.defer(1, 1, now);
        }
        upheaval(desk);
        let Some(due) = desk.next_due(1) else { break };
        assert_eq!(desk.take(1, due, 9), [1]);
        now = due;
    }
    assert_eq!(desk.state(1, 1), LetterState::Skipped(SkipReason::Expired));
    now.since(START)
}

#[test]
fn a_campaigns_own_maximum_age_holds_for_its_letters_and_outlives_crash_and_snapshot() {
    let age = Some(Span(4 * HOUR));
    let upheavals: [fn(&mut Desk); 3] =
        [|_| (), Desk::crash, |desk| desk.campaigns = restored(&desk.campaigns)];
    for (upheaval, throttled) in upheavals.into_iter().zip([false, true, false]) {
        let mut desk = Desk::new();
        desk.restock(&Header { max_age: age, ..rule(1, 1) }, 1, 1, START);
        assert_eq!(desk.get(1).header, Header { max_age: age, ..rule(1, 1) });
        desk.upsert(1, [1]);
        let last = given_up(&mut desk, throttled, upheaval);
        assert!((HOUR..=4 * HOUR).contains(&last), "{last}");
        assert_eq!(desk.get(1).header.max_age, age);
    }
    // It may be longer than all others' as well.
    let mut desk = Desk::new();
    desk.restock(&Header { max_age: Some(Span(3 * DAY)), ..rule(1, 1) }, 1, 1, START);
    desk.upsert(1, [1]);
    assert!(given_up(&mut desk, false, |_| ()) > 2 * DAY);
    assert!(given_up(&mut Desk::opened(1), true, |_| ()) > 12 * HOUR);
}

#[test]
fn a_letter_that_came_to_its_age_while_it_waited_is_not_sent_and_one_never_tried_has_no_age() {
    let mut desk = Desk::new();
    desk.restock(&Header { max_age: Some(Span(HOUR)), ..rule(1, 1) }, 3, 3, START);
    desk.upsert(1, [1, 2, 3]);
    for person in [1, 2] {
        desk.start(1, person, START);
        desk.defer(1, person, START);
    }
    // The campaign was paused meanwhile.
    assert_eq!(desk.take(1, START.plus(HOUR + 1), 9).len(), 3);
    desk.start(1, 1, START.plus(HOUR));
    assert_eq!(desk.skip(1, 2, None, START.plus(HOUR + 1)), SkipReason::Expired);
    desk.start(1, 3, START.plus(5 * HOUR));
}

#[test]
fn a_campaign_asked_for_by_hand_keeps_its_own_maximum_age() {
    let mut desk = Desk::new();
    let header = Header { max_age: Some(Span(HOUR)), scheduled: Some(START.plus(DAY)), ..manual(1) };
    desk.record(CampaignEvent::Scheduled(header.clone()), START);
    desk.record(CampaignEvent::Scheduled(manual(2)), START);
    for campaigns in [desk.replay(), restored(&desk.campaigns), desk.campaigns] {
        let held = campaigns.get(CampaignId(1)).unwrap();
        assert_eq!((&held.header, held.status), (&header, CampaignStatus::Scheduled));
        assert_eq!(campaigns.retry(held).max_age_ms, HOUR);
        let other = campaigns.get(CampaignId(2)).unwrap();
        assert_eq!((&other.header, campaigns.retry(other)), (&manual(2), campaigns.retry));
    }
}

#[test]
fn a_letter_found_started_after_a_restart_is_in_doubt_and_held() {
    let mut desk = Desk::opened(3);
    desk.start(1, 1, START);
    desk.send(1, 2, START);
    desk.crash();
    for event in desk.campaigns.decide_doubt(START) {
        desk.record(event, START);
    }
    assert!(desk.campaigns.decide_doubt(START).is_empty());
    assert_eq!((desk.state(1, 1), desk.state(1, 2)), (LetterState::Doubt, LetterState::Sent));
    assert_eq!(desk.get(1).total(), 3);
    let (row, _) = desk.get(1).ledger.find(PersonId(1)).unwrap();
    assert!(desk.get(1).ledger.diagnostic(row).is_some());
    assert!(desk.command(1, CampaignCommand::ResendDoubt).unwrap());
    desk.start(1, 1, START);
    desk.settle(1, 1, Settlement::Doubt { diagnostic: said("") }, START);
    assert!(
        desk.command(1, CampaignCommand::DropDoubt).unwrap()
            && !desk.command(1, CampaignCommand::DropDoubt).unwrap()
    );
    assert_eq!(desk.state(1, 1), LetterState::Dropped);
}

#[test]
fn in_doubt_and_told_to_resend_goes_again_unless_canceled() {
    for canceled in [false, true] {
        let mut desk = Desk::new();
        desk.restock(&Header { on_doubt: InDoubtPolicy::Resend, ..rule(1, 1) }, 1, 1, START);
        desk.upsert(1, [1]);
        desk.start(1, 1, START);
        if canceled {
            desk.command(1, CampaignCommand::Cancel).unwrap();
        }
        desk.crash();
        for event in desk.campaigns.decide_doubt(START) {
            desk.record(event, START);
        }
        let expected = if canceled { LetterState::Doubt } else { LetterState::Deferred };
        assert_eq!((desk.state(1, 1), desk.get(1).total()), (expected, 1));
    }
}

#[test]
fn a_letter_on_the_wire_at_the_cancel_ends_as_the_server_says_and_is_not_tried_again() {
    let mut desk = Desk::opened(3);
    (1..=2).for_each(|person| desk.start(1, person, START));
    desk.command(1, CampaignCommand::Cancel).unwrap();
    desk.settle(1, 1, Settlement::Sent, START);
    desk.defer(1, 2, START);
    assert_eq!(
        (desk.state(1, 1), desk.state(1, 2)),
        (LetterState::Sent, LetterState::Skipped(SkipReason::Canceled))
    );
    assert_eq!((desk.get(1).total(), desk.next_due(1)), (3, None));
}

#[test]
fn a_flap_across_midnight_mails_nobody_twice() {
    let mut desk = Desk::opened(3);
    desk.send(1, 1, START);
    desk.start(1, 2, START);
    desk.restock(&rule(2, 2), 3, 3, START.plus(HOUR));
    desk.upsert(2, 1..=3);
    let early = START.plus(GUARD - 1);
    for person in 1..=3 {
        assert_eq!(desk.skip(2, person, None, early), SkipReason::RecentlyNotified, "{person}");
    }
    // It was skipped, so a later restock of the day looks again.
    desk.settle(1, 2, Settlement::Failed { diagnostic: said("550") }, START);
    desk.command(1, CampaignCommand::Cancel).unwrap();
    assert!(desk.restock(&rule(2, 2), 3, 0, early));
    for person in 1..=3 {
        let letter = desk.letter(2, person, None, u64::from(person), START.plus(GUARD + 1000));
        assert!(matches!(letter, NextLetter::Start(_)), "{person}");
    }
}

#[test]
fn the_guard_is_for_rule_campaigns_of_one_list_and_can_be_switched_off() {
    let mut desk = Desk::opened(1);
    desk.send(1, 1, START);
    desk.restock(&rule(2, 2), 1, 1, START);
    desk.upsert(2, [1]);
    let (row, _) = desk.get(2).ledger.find(PersonId(1)).unwrap();
    let off = desk.campaigns.decide_letter(CampaignId(2), row, None, 1, 0, START);
    assert!(matches!(off, NextLetter::Start(_)));
    let other = Header { list: ListId::parse("restock-y").unwrap(), ..rule(3, 2) };
    for header in [manual(4), other] {
        let id = header.id;
        desk.record(CampaignEvent::Opened { header: Some(header), id, upto: 1, added: 1 }, START);
        desk.upsert(id.0, [1]);
        assert!(matches!(desk.letter(id.0, 1, None, 1, START), NextLetter::Start(_)));
    }
}

#[test]
fn a_note_ends_what_has_not_begun_and_leaves_what_has() {
    let mut desk = Desk::opened(4);
    desk.start(1, 2, START);
    desk.defer(1, 2, START);
    desk.start(1, 3, START);
    desk.send(1, 4, START);
    let noted: Vec<bool> = (1..=5).map(|person| desk.note(1, person, SkipReason::Unsubscribed)).collect();
    assert_eq!(noted, [true, true, false, false, false]);
    assert_eq!(desk.next_due(1), None);
    assert!(matches!(desk.letter(1, 1, None, 1, START), NextLetter::Gone));
    assert_eq!(desk.get(1).total(), 4);
}

#[test]
fn who_leaves_while_the_letter_is_on_the_wire_or_failed_or_in_doubt_is_not_mailed_again() {
    for restart in [false, true] {
        let mut desk = Desk::opened(4);
        (1..=4).for_each(|person| desk.start(1, person, START));
        desk.settle(1, 2, Settlement::Failed { diagnostic: said("550") }, START);
        desk.settle(1, 3, Settlement::Doubt { diagnostic: said("") }, START);
        assert!((1..=3).all(|person| desk.note(1, person, SkipReason::Left)));
        assert!((1..=3).all(|person| !desk.note(1, person, SkipReason::Left)));
        if restart {
            desk.crash();
            desk.campaigns = restored(&desk.campaigns);
        }
        assert_eq!(desk.state(1, 2), LetterState::Failed, "what happened is not rewritten");
        desk.defer(1, 1, START);
        desk.defer(1, 4, START);
        desk.command(1, CampaignCommand::RetryFailed).unwrap();
        desk.command(1, CampaignCommand::ResendDoubt).unwrap();
        for person in 1..=3 {
            assert_eq!(desk.state(1, person), LetterState::Skipped(SkipReason::Left), "{person}");
        }
        assert_eq!(desk.state(1, 4), LetterState::Deferred);
        assert_eq!((desk.get(1).total(), desk.get(1).ledger.counts().deferred), (4, 1));
        // Who comes back does so by a new place.
        assert!(desk.restock(&rule(1, 1), 5, 0, START));
        desk.upsert_at(1, [(2, 5)]);
        assert_eq!(desk.state(1, 2), LetterState::Pending);
    }
}

#[test]
fn who_leaves_and_comes_back_while_the_letter_is_on_the_wire_is_tried_again() {
    let mut desk = Desk::opened(1);
    desk.start(1, 1, START);
    assert!(desk.note(1, 1, SkipReason::Left));
    desk.upsert_at(1, [(1, 2)]);
    desk.defer(1, 1, START);
    assert_eq!(desk.state(1, 1), LetterState::Deferred);
    desk.crash();
    assert_eq!(desk.state(1, 1), LetterState::Deferred);
}

#[test]
fn a_restart_grants_no_second_burst() {
    let rate = Some(Rate { letters: 1, period_ms: 1000, burst: 2 });
    let mut desk = Desk::new();
    desk.campaigns = Campaigns::new(rate, Retry::default());
    desk.restock(&rule(1, 1), 5, 5, START);
    desk.upsert(1, 1..=5);
    desk.start(1, 1, START);
    desk.start(1, 2, START);
    let told = desk.campaigns.check_pace(START);
    assert!(matches!(told, RateDecision::At(_)));
    assert_eq!(restored(&desk.campaigns).check_pace(START), told);
    desk.crash();
    assert_eq!(desk.campaigns.check_pace(START), told);
}
