//! Bags, keys, and events that stay open until their lists have answered.

use super::*;

const A: &str = "ann@shop.example";
const B: &str = "bob@shop.example";

/// An event with a key.
fn keyed(key: u128, bag: &[(&str, bool)]) -> Ingest {
    Ingest { key: Some(key), ..event(who(A, "", ""), bag) }
}

#[test]
fn a_bag_is_carried_out_by_the_lists_that_there_are() {
    let mut desk = Desk::new();
    let long = format!("restock-{}", "x".repeat(129));
    let bag = [("restock-x", true), ("nothing", true), ("news", false), (long.as_str(), true)];
    let outcome = desk.press(who(A, "", ""), &bag);
    assert_eq!(outcome.problem, Some(MembershipProblem::UnknownLists(vec!["nothing".into(), long.clone()])));
    assert_eq!(tasks(&desk.directory), ["+restock-x", "-news"]);
}

#[test]
fn who_takes_no_mail_can_leave_and_not_join() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[]);
    desk.record(blocked(hash(A), SuppressionReason::Complained), START);
    let outcome = desk.press(who(A, "", ""), &[("restock-x", true), ("news", false)]);
    assert_eq!((outcome.stored, outcome.problem), (true, Some(MembershipProblem::Suppressed)));
    assert_eq!(tasks(&desk.directory), ["-news"]);
}

#[test]
fn a_key_seen_before_stores_nothing_and_the_bag_still_applies() {
    let mut desk = Desk::new();
    assert!(desk.ingest(&keyed(1, &[("restock-x", true)]), START).unwrap().stored);
    desk.close_all();
    let again = desk.ingest(&keyed(1, &[("restock-x", true)]), START).unwrap();
    assert_eq!((again.stored, desk.records.len()), (false, 1));
    // The shop took them off after a purchase; the second "notify me" must work.
    desk.press(who(A, "", ""), &[("restock-x", false)]);
    desk.close_all();
    let again = desk.ingest(&keyed(1, &[("restock-x", true)]), START).unwrap();
    assert_eq!((again.stored, desk.records.len()), (false, 3));
    assert_eq!(tasks(&desk.directory), ["+restock-x"]);
    assert_eq!(desk.directory.keys_held(), 1);
}

#[test]
fn a_repeat_waits_behind_the_original_as_long_as_that_is_open() {
    let mut desk = Desk::new();
    desk.ingest(&keyed(1, &[("restock-x", true)]), START);
    desk.ingest(&keyed(1, &[("restock-x", true)]), START);
    assert_eq!(desk.records.len(), 2, "told again while the first is open");
    desk.close_all();
    desk.ingest(&keyed(1, &[("restock-x", true)]), START);
    assert_eq!(desk.records.len(), 2);
}

#[test]
fn a_key_is_new_again_after_seven_days_and_refused_when_the_window_is_full() {
    let mut desk = Desk::new();
    desk.directory = Directory::new(1, 3);
    for key in 0..3u128 {
        assert!(desk.ingest(&keyed(key << 100, &[]), START).unwrap().stored);
    }
    assert!(desk.ingest(&keyed(9, &[]), START).is_none());
    assert!(!desk.ingest(&keyed(1 << 100, &[]), START).unwrap().stored, "a repeat needs no room");
    let later = START.plus(77 * 3_600_000);
    assert!(desk.ingest(&keyed(9, &[]), later).unwrap().stored);
    assert!(desk.directory.keys_held() <= 3);
    let much_later = later.plus(8 * 86_400_000);
    assert!(desk.ingest(&keyed(9, &[]), much_later).unwrap().stored);
}

#[test]
fn a_restock_in_an_event_is_counted_once_and_has_a_key_of_its_own_if_none_is_given() {
    let mut desk = Desk::new();
    let list = ListId::parse("restock-x").unwrap();
    let restock = |key| {
        Some(RestockFact {
            list: list.clone(),
            key,
            product: None,
            quantity: Some(1),
            details: ProductDetails::default(),
        })
    };
    let system = Ingest { restock: restock(0), ..event(who("", "", ""), &[]) };
    desk.ingest(&system, START);
    desk.ingest(&system, START);
    let keys = |desk: &Desk| -> Vec<u128> {
        let all = desk.directory.open().flat_map(|(_, open)| open.tasks.iter());
        all.filter_map(|task| if let ListTask::Restock(fact) = task { Some(fact.key) } else { None })
            .collect()
    };
    assert_eq!(keys(&desk), [1, 2]);
    let keyed = Ingest { key: Some(5), restock: restock(77), ..event(who("", "", ""), &[]) };
    desk.ingest(&keyed, START);
    desk.ingest(&keyed, START);
    assert_eq!(keys(&desk), [1, 2, 77]);
}

#[test]
fn what_an_events_restock_says_is_its_lists_to_hear_also_after_a_restart_and_beside_a_consent() {
    let details = ProductDetails::of(Some("https://shop.example/1"), None, Some("5 €"));
    let list = ListId::parse("restock-x").unwrap();
    let fact = RestockFact { list, key: 7, product: None, quantity: None, details };
    for evidence in [None, Some(Box::new(ConsentEvidence::default()))] {
        let mut desk = Desk::new();
        let restock = Some(fact.clone());
        let both = Ingest { restock, evidence: evidence.clone(), ..event(who(A, "", ""), &[("news", true)]) };
        desk.ingest(&both, START);
        for directory in [&restored(&desk.directory), &desk.replay(), &desk.directory] {
            let (_, open) = directory.open().next().unwrap();
            assert_eq!(open.tasks.last(), Some(&ListTask::Restock(Box::new(fact.clone()))));
            let consent_records = directory.consent_records(PersonId(1)).count();
            assert_eq!(consent_records, usize::from(evidence.is_some()));
        }
    }
}

#[test]
fn an_event_is_open_until_its_lists_have_answered_also_after_a_restart() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[("restock-x", true)]);
    desk.press(who(A, "", ""), &[("restock-y", true)]);
    desk.directory.close(1);
    desk.directory.close(1);
    let again = restored(&desk.directory);
    let open: Vec<u64> = again.open().map(|(event, _)| event).collect();
    assert_eq!(open, [2]);
    assert_eq!(again.busy, desk.directory.busy);
    assert_eq!(again.open_event(2), desk.directory.open_event(2));
    // Without a snapshot every event of the log is open again, and the lists know what they heard.
    assert_eq!(desk.replay().open().count(), 2);
}

#[test]
fn erasure_leaves_every_list_and_lets_open_changes_go() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[("restock-x", true), ("news", true)]);
    desk.ask(&DirectoryCommand::Erase(PersonId(1), None));
    assert_eq!(desk.directory.open().count(), 1);
    assert_eq!(tasks(&desk.directory), ["-restock-x", "-news"]);
    assert_eq!(desk.directory.busy.len(), 1);
    desk.close_all();
    assert!(desk.directory.busy.is_empty());
}

#[test]
fn erasure_keeps_the_restock_of_an_open_event() {
    let mut desk = Desk::new();
    let list = ListId::parse("restock-x").unwrap();
    let fact =
        RestockFact { list, key: 7, product: None, quantity: None, details: ProductDetails::default() };
    let both = Ingest { restock: Some(fact), ..event(who(A, "", ""), &[("news", true)]) };
    desk.ingest(&both, START);
    desk.ask(&DirectoryCommand::Erase(PersonId(1), None));
    let open: Vec<Vec<String>> =
        desk.directory.open().map(|(_, open)| open.tasks.iter().map(short).collect()).collect();
    assert_eq!(open, [vec!["!restock-x"], vec!["-news"]]);
}

#[test]
fn erasure_after_a_merge_that_a_list_has_not_heard_of_still_reaches_both_halves() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[("restock-x", true)]);
    desk.press(who(B, "u1", ""), &[]);
    desk.press(who(A, "u1", ""), &[]);
    desk.ask(&DirectoryCommand::Erase(PersonId(2), None));
    let sent: Vec<(u32, String)> = desk
        .directory
        .open()
        .flat_map(|(_, open)| {
            open.tasks.iter().map(move |task| (open.person.map_or(0, |p| p.0), short(task)))
        })
        .collect();
    // The list that hears all of this, in order, ends with nobody on it.
    let expected = [(1, "+restock-x"), (2, "restock-x<1"), (2, "-restock-x")];
    assert_eq!(sent, expected.map(|(person, task)| (person, task.to_owned())));
}

#[test]
fn pages_out_of_turn_are_refused() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[("restock-x", true)]);
    for page in desk.directory.image().pages() {
        let counted = matches!(page, DirectoryPage::Lists(..) | DirectoryPage::People(..));
        let mut again = Directory::new(1, 10);
        again.restore(page.clone()).unwrap();
        assert_eq!(again.restore(page).is_err(), counted);
    }
}
