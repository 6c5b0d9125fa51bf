//! Signals, audiences, invitations.

use super::*;

#[test]
fn a_restock_delivery_counts_once_within_seven_days() {
    let mut desk = Desk::default();
    desk.join(1);
    assert!(matches!(desk.restock(9, 1), ListDecision::New(_)));
    let again = ListDecision::Duplicate(Some(CampaignId(1)));
    assert_eq!(desk.restock(9, 1), again);
    assert_eq!(desk.ask(&restock(9, 7, 7), START.plus(7 * DAY - 1)), again);
    assert!(desk.list.has_signal(9));
    assert!(matches!(desk.ask(&restock(9, 8, 8), START.plus(7 * DAY)), ListDecision::New(_)));
}

#[test]
fn no_stock_is_noted_on_a_known_list_and_uses_up_no_delivery() {
    let mut desk = Desk::default();
    let none = |quantity| ListCommand::Restock {
        event: 7,
        key: 9,
        quantity: Some(quantity),
        day: Day(1),
        campaign: Some(CampaignId(1)),
        details: ProductDetails::default(),
    };
    assert_eq!(desk.ask(&none(0), START), ListDecision::Nothing);
    desk.join(1);
    assert_eq!(desk.ask(&none(0), START), ListDecision::New(ListEvent::Stock { event: 7, quantity: 0 }));
    assert_eq!(desk.ask(&none(0), START), ListDecision::Nothing);
    assert!(!desk.list.has_signal(9));
    assert!(matches!(desk.restock(9, 1), ListDecision::New(_)));
    assert_eq!(desk.list.stock(), Some(5));
}

#[test]
fn a_restock_that_nobody_waits_for_is_counted_and_opens_nothing() {
    let mut desk = Desk::default();
    match desk.restock(9, 1) {
        ListDecision::New(ListEvent::Restocked { campaign, added, .. }) => {
            assert_eq!((campaign, added), (None, 0));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(desk.restock(9, 1), ListDecision::Duplicate(None));
    assert_eq!(desk.list.running().count(), 0);
}

#[test]
fn a_later_restock_of_the_day_adds_those_who_joined_since_and_nobody_twice() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    desk.restock(1, 1);
    assert_eq!(here(&desk.invite(1, 9)), [1, 2, 3]);
    let close = ListCommand::Close { campaign: CampaignId(1), upto: 3 };
    assert!(matches!(desk.ask(&close, START), ListDecision::New(_)));
    desk.join(4);
    desk.leave(1);
    desk.join(1);
    match desk.restock(2, 1) {
        // The one who came back was counted by the first restock.
        ListDecision::New(ListEvent::Restocked { upto, added, .. }) => assert_eq!((upto, added), (5, 1)),
        other => panic!("{other:?}"),
    }
    let next = desk.invite(1, 9);
    assert_eq!((here(&next), next.last), (vec![4, 1], true));
    assert_eq!(desk.list.audience(CampaignId(1), None), (5, 5));
}

#[test]
fn asking_for_nobody_hands_over_nobody() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    desk.restock(1, 1);
    let none = desk.invite(1, 0);
    assert!(none.people.is_empty() && !none.last);
    assert_eq!(here(&desk.invite(1, 2)), [1, 2]);
    assert!(!desk.invite(1, 0).last);
    assert_eq!(here(&desk.invite(1, 2)), [3]);
}

#[test]
fn who_leaves_before_being_handed_over_is_handed_over_as_gone() {
    let mut desk = Desk::default();
    (1..=4).for_each(|person| desk.join(person));
    desk.restock(1, 1);
    desk.leave(2);
    desk.erase(3);
    let first = desk.invite(1, 3);
    assert_eq!((here(&first), gone(&first), first.last), (vec![1], vec![2, 3], false));
    let second = desk.invite(1, 3);
    assert_eq!((here(&second), second.last), (vec![4], true));
    desk.leave(4);
    let all = desk.list.invited(CampaignId(1)).unwrap();
    assert_eq!((here(&all), gone(&all), all.last), (vec![1], vec![2, 3, 4], true));
}

#[test]
fn a_merge_into_an_earlier_place_of_the_audience_is_no_leaving() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    desk.restock(1, 1);
    desk.unite(1, 3);
    let all = desk.invite(1, 9);
    assert_eq!((here(&all), gone(&all)), (vec![3, 2], vec![]));
}

#[test]
fn a_campaign_that_has_not_heard_of_the_latest_restock_cannot_close_it() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.restock(1, 1);
    desk.invite(1, 9);
    desk.join(2);
    desk.restock(2, 1);
    let late = ListCommand::Close { campaign: CampaignId(1), upto: 1 };
    assert_eq!(desk.ask(&late, START), ListDecision::Nothing);
    assert_eq!(desk.list.claims(|_| 1).len(), 1);
    assert_eq!(here(&desk.invite(1, 9)), [2]);
}

#[test]
fn what_a_campaign_has_not_heard_of_is_told_again_with_its_number() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    desk.restock(1, 1);
    desk.leave(1);
    let told = |desk: &Desk, known| desk.list.claims(|_| known).iter().map(|(_, n)| *n).collect::<Vec<_>>();
    assert_eq!((told(&desk, 0), told(&desk, 3)), (vec![3], vec![0]));
    desk.join(4);
    desk.restock(2, 1);
    assert_eq!((told(&desk, 0), told(&desk, 3)), (vec![4], vec![1]));
    desk.invite(1, 9);
    desk.ask(&ListCommand::Close { campaign: CampaignId(1), upto: 4 }, START);
    assert!(desk.list.claims(|_| 0).is_empty());
}

#[test]
fn a_campaign_by_hand_has_the_membership_of_its_start_and_begins_once() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    let begin = ListCommand::Begin { campaign: CampaignId(5), everybody: None };
    assert_eq!(
        desk.ask(&begin, START),
        ListDecision::New(ListEvent::Begun { campaign: CampaignId(5), upto: 3, added: 3 })
    );
    desk.join(4);
    assert_eq!(desk.ask(&begin, START), ListDecision::Nothing);
    let all = desk.invite(5, 9);
    assert_eq!((here(&all), all.last), (vec![1, 2, 3], true));
    desk.ask(&ListCommand::Close { campaign: CampaignId(5), upto: 3 }, START);
    assert!(desk.list.invite(CampaignId(5)).is_none());
}

#[test]
fn a_list_that_everybody_is_on_is_handed_over_by_contact_number() {
    let mut desk = Desk::default();
    let campaign = CampaignId(5);
    let begin = ListCommand::Begin { campaign, everybody: Some((10, 8)) };
    desk.join(1);
    desk.leave(1);
    assert_eq!(desk.ask(&begin, START), ListDecision::New(ListEvent::Begun { campaign, upto: 10, added: 7 }));
    let page = |to| ListCommand::InvitePage { campaign, to };
    assert_eq!(desk.ask(&page(4), START), ListDecision::New(ListEvent::Invited { campaign, from: 1, to: 4 }));
    assert_eq!(desk.ask(&page(4), START), ListDecision::Nothing);
    assert_eq!(
        desk.ask(&page(10), START),
        ListDecision::New(ListEvent::Invited { campaign, from: 5, to: 10 })
    );
}

#[test]
fn a_campaign_that_asks_again_is_not_done() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.restock(1, 1);
    desk.invite(1, 9);
    // The campaign's word that it is done crosses a restock that adds nobody but opens it again.
    desk.restock(2, 1);
    let close = ListCommand::Close { campaign: CampaignId(1), upto: 1 };
    assert!(matches!(desk.ask(&close, START), ListDecision::New(_)));
    let next = desk.invite(1, 0);
    assert!(next.people.is_empty() && next.last);
    assert_eq!(desk.list.running().collect::<Vec<_>>(), [CampaignId(1)]);
    let asked = desk.ask(&ListCommand::Invite { campaign: CampaignId(1), most: 5 }, START);
    assert_eq!(asked, ListDecision::Nothing);
}

#[test]
fn a_campaign_that_is_done_is_let_go_by_a_restock_two_days_later() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.restock(1, 1);
    desk.invite(1, 9);
    desk.ask(&ListCommand::Close { campaign: CampaignId(1), upto: 1 }, START);
    desk.ask(&restock(2, 2, 2), START.plus(DAY));
    assert!(desk.list.invited(CampaignId(1)).is_some());
    desk.ask(&restock(3, 3, 3), START.plus(2 * DAY));
    assert_eq!(desk.list.invited(CampaignId(1)), None);
    assert_eq!(desk.list.running().collect::<Vec<_>>(), [CampaignId(2), CampaignId(3)]);
}

#[test]
fn what_a_restock_said_is_kept_until_the_campaign_it_led_to_is_done_and_never_longer_than_the_next_restock() {
    let mut desk = Desk::default();
    let counts = |desk: &mut Desk, key, day, campaign, details: &ProductDetails| {
        let mut command = restock(key, day, campaign);
        if let ListCommand::Restock { details: said, .. } = &mut command {
            *said = details.clone();
        }
        assert!(matches!(desk.ask(&command, START), ListDecision::New(_)));
    };
    let known = |desk: &Desk| {
        let slept = slept(&desk.list);
        assert_eq!((slept.details(), desk.replay().details()), (desk.list.details(), desk.list.details()));
        assert_eq!(state(&slept), state(&desk.list));
        assert_eq!(desk.list.image().details(), desk.list.details());
        desk.list.details().cloned()
    };
    let close = |campaign| ListCommand::Close { campaign: CampaignId(campaign), upto: 9 };
    let priced = |price| ProductDetails::of(Some("https://shop.example/1"), None, Some(price));
    // Nobody waits: no mail will show it.
    counts(&mut desk, 1, 1, 1, &priced("1 €"));
    assert_eq!(known(&desk), None);
    desk.join(1);
    counts(&mut desk, 2, 1, 1, &priced("2 €"));
    assert_eq!(known(&desk), Some(priced("2 €")));
    counts(&mut desk, 3, 1, 1, &ProductDetails::default());
    assert_eq!(known(&desk), None, "an old price was kept");
    desk.join(2);
    counts(&mut desk, 4, 2, 2, &priced("4 €"));
    // Yesterday's campaign is done; today's may not be opened yet.
    desk.ask(&close(1), START);
    assert_eq!(known(&desk), Some(priced("4 €")));
    desk.ask(&close(2), START);
    assert_eq!(known(&desk), None);
}
