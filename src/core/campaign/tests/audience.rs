//! Restocks of a day, handing over, closing.

use super::*;

#[test]
fn a_campaign_counts_everybody_from_the_start() {
    let mut desk = Desk::new();
    desk.restock(&rule(1, 1), 5, 5, START);
    assert_eq!(
        (desk.get(1).total(), desk.get(1).pending(), desk.get(1).status),
        (5, 5, CampaignStatus::Sending)
    );
    desk.upsert(1, 1..=2);
    assert_eq!((desk.get(1).total(), desk.get(1).uninvited), (5, 3));
    desk.upsert(1, 1..=2);
    assert_eq!((desk.get(1).total(), desk.get(1).ledger.len()), (5, 2), "asked again, nobody twice");
}

#[test]
fn a_later_restock_of_the_day_looks_again_at_those_whose_reason_may_have_gone() {
    let mut desk = Desk::opened(12);
    for (person, reason) in (1u32..).zip(SkipReason::ALL) {
        desk.skip(1, person, Some(reason), START);
    }
    desk.send(1, 10, START);
    desk.start(1, 11, START);
    desk.settle(1, 11, Settlement::Failed { diagnostic: said("550") }, START);
    desk.start(1, 12, START);
    desk.settle(1, 12, Settlement::Doubt { diagnostic: said("") }, START);
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    assert!(desk.restock(&rule(1, 1), 13, 1, START.plus(HOUR)));
    desk.upsert(1, [13]);
    let again: Vec<SkipReason> = (1u32..)
        .zip(SkipReason::ALL)
        .filter(|(person, _)| desk.state(1, *person) == LetterState::Pending)
        .map(|(_, reason)| reason)
        .collect();
    assert_eq!(
        again,
        [SkipReason::Unsubscribed, SkipReason::Suppressed, SkipReason::NoEmail, SkipReason::RecentlyNotified]
    );
    assert_eq!(desk.state(1, 10), LetterState::Sent);
    assert_eq!((desk.state(1, 11), desk.state(1, 12)), (LetterState::Failed, LetterState::Doubt));
    assert_eq!((desk.get(1).status, desk.get(1).total()), (CampaignStatus::Sending, 13));
    assert_eq!(desk.take(1, START, 99), [2, 3, 5, 6, 13]);
}

#[test]
fn a_later_restock_without_anybody_new_or_to_look_at_again_changes_nothing() {
    let mut desk = Desk::opened(1);
    desk.send(1, 1, START);
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    assert!(!desk.restock(&rule(1, 1), 1, 0, START));
    assert_eq!(desk.get(1).status, CampaignStatus::Sent);
}

#[test]
fn a_campaign_opened_again_is_not_done_before_its_list_has_been_asked() {
    let mut desk = Desk::opened(1);
    assert!(desk.note(1, 1, SkipReason::Left));
    assert!(desk.get(1).is_done());
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    // The one who left came back further down: counted before, and to be handed over again.
    assert!(desk.restock(&rule(1, 1), 2, 0, START));
    assert!(!desk.get(1).is_done());
    desk.upsert_at(1, [(1, 1), (1, 2)]);
    desk.all_invited(1);
    assert_eq!(desk.state(1, 1), LetterState::Pending);
    assert!(!desk.get(1).is_done());
    desk.send(1, 1, START);
    assert!(desk.get(1).is_done());
    assert_eq!(desk.get(1).total(), 1);
}

#[test]
fn a_campaign_that_comes_back_from_the_disk_asks_its_list_before_it_is_done() {
    let mut desk = Desk::opened(1);
    desk.send(1, 1, START);
    assert!(desk.get(1).is_done() && restored(&desk.campaigns).get(CampaignId(1)).unwrap().is_done());
    desk.crash();
    assert!(!desk.get(1).is_done());
    desk.all_invited(1);
    assert!(desk.get(1).is_done());
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    desk.crash();
    assert!(desk.get(1).is_done());
}

#[test]
fn a_canceled_campaign_is_not_opened_again_and_a_paused_one_grows_and_stays_paused() {
    let mut desk = Desk::opened(2);
    desk.command(1, CampaignCommand::Pause).unwrap();
    assert!(desk.restock(&rule(1, 1), 5, 3, START));
    assert_eq!((desk.get(1).status, desk.get(1).total()), (CampaignStatus::Paused, 5));
    assert!(matches!(desk.letter(1, 1, None, 1, START), NextLetter::Gone));
    desk.command(1, CampaignCommand::Cancel).unwrap();
    assert!(!desk.restock(&rule(1, 1), 9, 4, START));
    let campaign = desk.get(1);
    assert_eq!((campaign.status, campaign.total(), campaign.pending()), (CampaignStatus::Canceled, 5, 0));
    assert_eq!(campaign.skipped()[6], 5, "handed over or not, all are skipped as canceled");
}

#[test]
fn who_is_handed_over_after_the_cancel_is_counted_once() {
    let mut desk = Desk::new();
    desk.restock(&rule(1, 1), 3, 3, START);
    desk.upsert(1, [1]);
    desk.command(1, CampaignCommand::Cancel).unwrap();
    desk.upsert(1, [2, 3]);
    assert_eq!((desk.get(1).total(), desk.get(1).pending()), (3, 0));
    assert_eq!(desk.replay().get(CampaignId(1)).map(Campaign::skipped), Some(desk.get(1).skipped()));
}

#[test]
fn the_key_held_by_a_campaign_of_another_list_is_not_touched() {
    let mut desk = Desk::opened(1);
    let other = Header { list: ListId::parse("restock-y").unwrap(), ..rule(1, 1) };
    assert!(desk.campaigns.collides(&other) && !desk.campaigns.collides(&rule(1, 1)));
    assert!(!desk.restock(&other, 9, 9, START));
}

#[test]
fn who_leaves_while_skipped_is_not_looked_at_again() {
    let mut desk = Desk::opened(3);
    (1..=2).for_each(|person| {
        assert_eq!(desk.skip(1, person, Some(SkipReason::Unsubscribed), START), SkipReason::Unsubscribed)
    });
    desk.send(1, 3, START);
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    assert!(desk.note(1, 1, SkipReason::Left));
    assert!(
        !desk.note(1, 1, SkipReason::Left)
            && !desk.note(1, 3, SkipReason::Left)
            && !desk.note(1, 2, SkipReason::Suppressed)
    );
    assert!(desk.restock(&rule(1, 1), 3, 0, START));
    assert_eq!(
        (desk.state(1, 1), desk.state(1, 2)),
        (LetterState::Skipped(SkipReason::Left), LetterState::Pending)
    );
    assert_eq!(desk.get(1).total(), 3);
}

#[test]
fn a_campaign_by_hand_waits_for_its_time_and_its_list() {
    let mut desk = Desk::new();
    let id = CampaignId(1);
    desk.record(CampaignEvent::Scheduled(Header { scheduled: Some(START.plus(1000)), ..manual(1) }), START);
    assert_eq!(desk.get(1).status, CampaignStatus::Scheduled);
    assert!(desk.command(1, CampaignCommand::Pause).is_err());
    desk.record(CampaignEvent::Opened { header: None, id, upto: 4, added: 4 }, START);
    assert_eq!((desk.get(1).status, desk.get(1).total()), (CampaignStatus::Sending, 4));
    desk.record(CampaignEvent::Scheduled(manual(2)), START);
    assert_eq!(desk.get(2).status, CampaignStatus::Queued);
    desk.command(2, CampaignCommand::Pause).unwrap();
    desk.record(CampaignEvent::Opened { header: None, id: CampaignId(2), upto: 1, added: 1 }, START);
    assert_eq!(desk.get(2).status, CampaignStatus::Paused);
    desk.command(2, CampaignCommand::Resume).unwrap();
    assert_eq!(desk.get(2).status, CampaignStatus::Sending);
    desk.record(CampaignEvent::Expired(CampaignId(2)), START);
    assert_eq!((desk.get(2).status, desk.get(2).skipped()[7]), (CampaignStatus::Expired, 1));
    desk.record(CampaignEvent::Failed { id, why: "no template".into() }, START);
    assert_eq!((desk.get(1).status, desk.get(1).total()), (CampaignStatus::Failed, 4));
    assert_eq!(desk.campaigns.open().count(), 0);
}

#[test]
fn old_ledgers_are_let_go_after_30_days_and_old_campaigns_after_400() {
    let mut desk = Desk::new();
    for n in 0..40u32 {
        let at = START.plus(u64::from(n) * 1000);
        desk.restock(&rule(u128::from(n), 1), 1, 1, at);
        desk.upsert(u128::from(n), [1]);
        desk.start(u128::from(n), 1, at.plus(u64::from(n) * DAY));
        desk.settle(u128::from(n), 1, Settlement::Sent, at);
        if n != 0 {
            desk.record(CampaignEvent::Closed { id: CampaignId(u128::from(n)) }, at);
        }
    }
    let mut restarts = Campaigns::new(None, Retry::default());
    let made = desk.records.len();
    for n in 0..30u32 {
        desk.restock(&rule(1000 + u128::from(n), 9), 1, 1, START.plus(31 * DAY + u64::from(n)));
    }
    // Each but the open one has let go of its rows, and all keep their counters.
    for n in 0..40u128 {
        assert_eq!((desk.get(n).ledger.len(), desk.get(n).total()), (usize::from(n == 0), 1), "{n}");
    }
    // A restart after each record sweeps no slower.
    for (n, (event, at)) in desk.records.iter().enumerate() {
        restarts.apply(event, *at);
        if n >= made {
            restarts = restored(&restarts);
        }
    }
    assert_eq!(pages(&restarts), pages(&desk.replay()));
    for n in 0..30u32 {
        desk.restock(&rule(2000 + u128::from(n), 99), 1, 1, START.plus(401 * DAY + u64::from(n)));
    }
    assert_eq!(desk.campaigns.count(), 1 + 30 + 30, "the open ones stay");
    assert_eq!(desk.campaigns.newest().count(), desk.campaigns.count());
}
