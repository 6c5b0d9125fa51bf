//! Joining, leaving, merging, erasing; what is ignored; what is remembered.

use super::*;

#[test]
fn places_are_given_in_join_order_and_a_rejoin_goes_to_the_end() {
    let mut desk = Desk::default();
    (1..=3).for_each(|person| desk.join(person));
    desk.leave(1);
    desk.join(1);
    assert_eq!(line(&desk.list), [2, 3, 1]);
    assert_eq!(desk.list.position(PersonId(1)), Some((3, START)));
    assert_eq!(desk.list.position(PersonId(2)), Some((1, START)));
    assert_eq!((desk.list.joined(), desk.list.left()), (3, 0));
}

#[test]
fn the_same_word_again_and_a_no_from_a_stranger_write_nothing() {
    let mut desk = Desk::default();
    desk.join(1);
    assert_eq!(desk.change(1, true, START), ListDecision::Nothing);
    assert_eq!(desk.change(2, false, START), ListDecision::Nothing);
    assert_eq!((desk.records.len(), desk.list.subscribed(PersonId(2))), (1, None));
}

#[test]
fn a_timestamp_older_than_the_last_change_is_ignored_and_one_from_the_future_is_now() {
    let mut desk = Desk::default();
    let stamped = |event, join, sent| {
        let mut command = change(event, 1, join);
        if let ListCommand::Change { timestamp, .. } = &mut command {
            *timestamp = Some(sent);
        }
        command
    };
    let later = START.plus(1000);
    desk.ask(&stamped(1, true, later), START);
    assert_eq!(desk.list.row(PersonId(1)).map(|row| row.changed), Some(START));
    assert_eq!(desk.ask(&stamped(2, false, Millis(START.0 - 1)), later), ListDecision::Nothing);
    assert_eq!(desk.list.subscribed(PersonId(1)), Some(true));
    assert!(matches!(desk.ask(&stamped(3, false, START), later), ListDecision::New(_)));
    assert_eq!(desk.list.subscribed(PersonId(1)), Some(false));
}

#[test]
fn an_event_that_the_row_has_passed_is_ignored() {
    let mut desk = Desk::default();
    desk.ask(&change(5, 1, true), START);
    desk.ask(&change(7, 1, false), START);
    for event in 1..=7 {
        assert_eq!(desk.ask(&change(event, 1, true), START), ListDecision::Nothing);
    }
    assert!(matches!(desk.ask(&change(8, 1, true), START), ListDecision::New(_)));
}

#[test]
fn what_a_merge_or_an_erasure_swallowed_is_still_known_to_have_passed() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.join(2);
    desk.unite(1, 2);
    desk.join(3);
    desk.erase(3);
    assert!((1..=5).all(|event| desk.list.passed(event)));
    assert!(!desk.list.passed(6));
    let slept = slept(&desk.list);
    assert!(slept.passed(5) && !slept.passed(6));
}

#[test]
fn a_no_that_has_not_arrived_has_not_passed_even_where_it_would_change_nothing_yet() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.leave(1);
    // Sent but not heard before a crash: a yes (3) and a no (4). Judged by the row, the no would
    // look as if it had been heard, and the yes would stand.
    assert!(!desk.list.passed(3) && !desk.list.passed(4));
    // A stranger's no to a list that everybody is on is kept, so it must be sent again.
    assert!(!List::default().passed(1));
}

#[test]
fn of_two_that_become_one_the_earlier_place_stays() {
    for (from, to, expected) in [(1, 3, [3, 2]), (3, 1, [1, 2])] {
        let mut desk = Desk::default();
        (1..=3).for_each(|person| desk.join(person));
        desk.unite(from, to);
        assert_eq!(line(&desk.list), expected);
        assert_eq!((desk.list.joined(), desk.list.left()), (2, 0));
        assert_eq!(desk.list.row(PersonId(from)), None);
    }
}

#[test]
fn of_two_that_become_one_a_no_wins_and_a_stranger_takes_over() {
    let mut desk = Desk::default();
    (1..=4).for_each(|person| desk.join(person));
    desk.leave(1);
    desk.unite(1, 2);
    assert_eq!(desk.list.subscribed(PersonId(2)), Some(false));
    desk.leave(4);
    desk.unite(3, 4);
    assert_eq!(desk.list.subscribed(PersonId(4)), Some(false));
    assert_eq!((desk.list.joined(), desk.list.left()), (0, 2));
    desk.unite(4, 9);
    assert_eq!(desk.list.subscribed(PersonId(9)), Some(false));
    desk.join(5);
    desk.unite(5, 10);
    assert_eq!(line(&desk.list), [10]);
    assert_eq!(desk.unite(5, 10), ListDecision::Nothing);
    assert_eq!(desk.unite(10, 10), ListDecision::Nothing);
}

#[test]
fn a_merge_heard_again_does_not_set_back_what_the_row_has_heard_since() {
    let mut desk = Desk::default();
    desk.ask(&change(12, 2, true), START);
    desk.ask(&change(13, 2, false), START);
    desk.ask(&change(10, 1, true), START);
    desk.ask(&ListCommand::Move { event: 11, from: PersonId(1), to: PersonId(2) }, START);
    assert_eq!(desk.list.row(PersonId(2)).map(|row| row.event), Some(13));
    assert_eq!(desk.ask(&change(12, 2, true), START), ListDecision::Nothing);
}

#[test]
fn erasure_leaves_no_row_of_a_member_nor_of_one_who_had_left() {
    let mut desk = Desk::default();
    desk.join(1);
    desk.join(2);
    desk.leave(2);
    assert!(matches!(desk.erase(1), ListDecision::New(_)));
    assert!(matches!(desk.erase(2), ListDecision::New(_)));
    assert_eq!(desk.erase(3), ListDecision::Nothing);
    assert_eq!((desk.list.joined(), desk.list.left()), (0, 0));
    assert_eq!((desk.list.row(PersonId(1)), desk.list.row(PersonId(2))), (None, None));
    desk.join(1);
    assert_eq!(line(&desk.list), [1]);
}

#[test]
fn a_no_to_a_list_that_everybody_is_on_is_kept_and_never_forgotten() {
    let mut desk = Desk::default();
    let no = |event, person| match change(event, person, false) {
        ListCommand::Change { event, person, join, timestamp, source, .. } => {
            ListCommand::Change { event, person, join, timestamp, source, default_opt_in: true }
        }
        other => other,
    };
    desk.ask(&no(1, 1), START);
    assert_eq!(desk.list.subscribed(PersonId(1)), Some(false));
    // Two years of comings and goings, so that holes are cleared away many times.
    let later = START.plus(800 * DAY);
    desk.event = 1;
    for _ in 0..200 {
        desk.change(2, true, later);
        desk.change(2, false, later);
    }
    assert_eq!(desk.list.subscribed(PersonId(1)), Some(false));
    let page = desk.list.unless_left(&[PersonId(1), PersonId(2), PersonId(3)]);
    assert_eq!(page.iter().map(|invitee| invitee.here).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn who_left_a_list_is_forgotten_after_400_days_but_not_where_a_forgotten_no_would_be_a_yes() {
    let mut desk = Desk::default();
    let forget = |default_opt_in| ListCommand::Forget { default_opt_in };
    [1, 2, 3].into_iter().for_each(|person| desk.join(person));
    desk.leave(1);
    desk.event += 1;
    desk.ask(&change(desk.event, 2, false), START.plus(1));
    let then = START.plus(400 * DAY);
    assert_eq!(desk.ask(&forget(false), Millis(then.0 - 1)), ListDecision::Nothing);
    assert_eq!(desk.ask(&forget(true), then), ListDecision::Nothing);
    assert_eq!(desk.ask(&forget(false), then), ListDecision::New(ListEvent::Forgotten { upto: START }));
    let known = [1, 2, 3].map(|person| desk.list.subscribed(PersonId(person)));
    assert_eq!((known, desk.list.left()), ([None, Some(false), Some(true)], 1));
    assert_eq!(desk.ask(&forget(false), then), ListDecision::Nothing);
    assert_eq!(state(&desk.replay()), state(&desk.list));
    // Whoever was forgotten comes back as a stranger, at the end of the line.
    desk.event += 1;
    desk.ask(&change(desk.event, 1, true), then);
    assert_eq!(line(&desk.list), [3, 1]);
}

#[test]
fn a_list_tells_when_somebody_is_to_be_forgotten() {
    let mut desk = Desk::default();
    let midnight = Millis(START.0.next_multiple_of(DAY));
    assert!(!forgets(desk.list.left_since(), midnight.plus(999 * DAY)));
    desk.join(1);
    assert!(!forgets(desk.list.left_since(), midnight.plus(999 * DAY)));
    desk.leave(1);
    let since = desk.list.left_since();
    assert!(!forgets(since, Millis(midnight.plus(400 * DAY).0 - 1)));
    assert!(forgets(since, midnight.plus(400 * DAY)));
    let asked = desk.list.decide(&ListCommand::Forget { default_opt_in: false }, midnight.plus(400 * DAY));
    assert!(matches!(asked, ListDecision::New(_)));
}

#[test]
fn an_image_tells_what_the_list_tells() {
    let mut desk = Desk::default();
    (1..=5).for_each(|person| desk.join(person));
    desk.leave(2);
    let name = ListCommand::Name { event: 0, product: "Chair".into() };
    desk.ask(&name, START);
    desk.restock(1, 1);
    assert_eq!(desk.list.image().summary(), desk.list.summary());
    assert_eq!(state(&desk.list.image()), state(&desk.list));
    assert_eq!(desk.list.summary().running, [CampaignId(1)]);
    assert_eq!(desk.list.product(), Some("Chair"));
    assert_eq!(desk.ask(&name, START), ListDecision::Nothing);
}

#[test]
fn parts_that_no_list_can_be_in_are_refused() {
    let mut desk = Desk::default();
    desk.join(1);
    let whole = state(&desk.list);
    let hole: Pages<Membership> =
        whole.rows.iter().map(|row| Membership { status: MembershipStatus::Gone, ..row.clone() }).collect();
    for (odd, why) in [
        (ListState { joined: 2, ..whole.clone() }, "counts"),
        (ListState { left: 1, ..whole.clone() }, "counts"),
        (ListState { rows: hole, ..whole.clone() }, "hole"),
        (ListState { details: Some(Box::default()), ..whole.clone() }, "offer"),
    ] {
        assert!(List::from_state(odd).is_err_and(|said| said.contains(why)), "{why}");
    }
    assert!(List::from_state(whole).is_ok());
}
