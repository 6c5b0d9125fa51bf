//! Who is meant, who becomes one, who is forgotten, who takes no mail.

use super::*;

const A: &str = "ann@shop.example";
const B: &str = "bob@shop.example";

#[test]
fn one_address_is_one_person() {
    let mut desk = Desk::new();
    let first = desk.press(who(A, "", ""), &[]);
    let second = desk.press(who(" ANN@shop.Example ", "", ""), &[]);
    assert_eq!((first.created, second.created), (true, false));
    assert_eq!(first.person, second.person);
    assert_eq!(desk.directory.mailable(), 1);
}

#[test]
fn an_unknown_address_moves_the_mail_to_it() {
    let mut desk = Desk::new();
    desk.press(who(A, "u1", ""), &[]);
    let moved = desk.press(who(B, "u1", ""), &[]);
    assert_eq!((moved.created, moved.linked, moved.problem), (false, true, None));
    assert_eq!((desk.number(A), desk.number(B)), (None, Some(1)));
    assert_eq!(desk.directory.mailable(), 1);
}

#[test]
fn the_address_of_a_person_without_user_id_makes_the_two_one() {
    let mut desk = Desk::new();
    let mut first = event(who(B, "", "browser"), &[("news", true)]);
    first.props = vec![("colour".into(), "1".into()), ("size".into(), "2".into())];
    desk.ingest(&first, START);
    let mut second = event(who(A, "u1", ""), &[("restock-x", true)]);
    second.props = vec![("colour".into(), "3".into())];
    desk.ingest(&second, START.plus(5));
    let merged = desk.press(who(B, "u1", ""), &[("restock-y", true)]);
    assert_eq!((merged.person, merged.linked), (Some(PersonId(2)), true));
    let (id, person) = desk.directory.person(PersonId(1)).unwrap();
    assert_eq!((id, person.created), (PersonId(2), START));
    assert_eq!((person.prop("colour"), person.prop("size")), (Some("3"), Some("2")));
    assert_eq!((desk.number(A), desk.number(B)), (None, Some(2)));
    assert_eq!(desk.directory.by_anonymous("browser"), Some(PersonId(2)), "names of either hold");
    let lists: Vec<&str> = desk.directory.lists_of(PersonId(2)).map(ListId::as_str).collect();
    assert_eq!(lists, ["restock-x", "news", "restock-y"]);
    let open: Vec<Vec<String>> =
        desk.directory.open().map(|(_, open)| open.tasks.iter().map(short).collect()).collect();
    assert_eq!(open[2..], [vec!["news<1".to_owned()], vec!["+restock-y".to_owned()]]);
}

#[test]
fn both_of_two_who_become_one_have_what_was_fetched_of_them_out_of_date() {
    let mut desk = Desk::new();
    desk.press(who(B, "", "browser"), &[("news", true)]);
    desk.press(who(A, "u1", ""), &[("news", true)]);
    let merging = event(who(B, "u1", ""), &[]);
    let decision = desk.directory.decide(&merging, &catalog(), START).unwrap();
    let moved = decision.events.iter().flat_map(|event| {
        let moved = desk.directory.moves(event);
        desk.directory.apply(event, START);
        moved
    });
    let moved: std::collections::BTreeSet<PersonId> = moved.collect();
    assert_eq!(
        moved,
        [PersonId(1), PersonId(2)].into(),
        "the one who remains may have got the other's address"
    );
}

#[test]
fn the_address_of_another_user_id_is_not_taken() {
    let mut desk = Desk::new();
    desk.press(who(A, "u1", ""), &[]);
    desk.press(who(B, "u2", ""), &[]);
    for user in ["u2", "u3"] {
        let refused = desk.press(who(A, user, ""), &[("restock-x", true)]);
        assert_eq!(refused.problem, Some(MembershipProblem::EmailTaken));
        assert!(refused.stored);
        assert_ne!(refused.person, Some(PersonId(1)));
    }
    assert_eq!((desk.number(A), desk.number(B)), (Some(1), Some(2)));
    assert_eq!(desk.directory.open().count(), 0);
}

#[test]
fn a_browser_becomes_the_person_it_turns_out_to_be_and_stays_the_first_ones() {
    let mut desk = Desk::new();
    let anonymous = desk.press(who("", "", "browser"), &[("restock-x", true)]);
    assert_eq!(anonymous.problem, Some(MembershipProblem::NoEmail));
    let known = desk.press(who(A, "u1", "browser"), &[("restock-x", true)]);
    assert_eq!((known.person, known.linked), (anonymous.person, true));
    let other = desk.press(who(B, "", "browser"), &[]);
    assert!(other.created);
    assert_eq!(desk.directory.by_anonymous("browser"), Some(PersonId(1)));
}

#[test]
fn unsubscribed_of_either_holds_when_two_become_one() {
    for unsubscribed in [1, 2] {
        let mut desk = Desk::new();
        desk.press(who(A, "", ""), &[]);
        desk.press(who(B, "u1", ""), &[]);
        desk.ask(&DirectoryCommand::Unsubscribe(PersonId(unsubscribed), None, true));
        let merged = desk.press(who(A, "u1", ""), &[("restock-x", true)]);
        assert_eq!(merged.problem, Some(MembershipProblem::Suppressed));
        assert_eq!(desk.directory.undeliverable(PersonId(2), None), Some(Undeliverable::Unsubscribed));
        assert_eq!(desk.directory.undeliverable(PersonId(1), None), Some(Undeliverable::Unsubscribed));
    }
}

#[test]
fn an_event_needs_no_person() {
    let mut desk = Desk::new();
    let outcome = desk.press(who("", "", ""), &[("restock-x", true)]);
    assert_eq!(
        (outcome.stored, outcome.person, outcome.problem),
        (true, None, Some(MembershipProblem::NoEmail))
    );
    assert_eq!((desk.records.len(), desk.directory.last_person()), (1, 0));
}

#[test]
fn erasure_forgets_every_name_and_keeps_the_block_by_hash() {
    for (unsubscribed, suppression_reason, kept) in [
        (false, None, None),
        (true, None, Some(SuppressionReason::Unsubscribed)),
        (false, Some(SuppressionReason::Bounced), Some(SuppressionReason::Bounced)),
        (true, Some(SuppressionReason::Complained), Some(SuppressionReason::Complained)),
    ] {
        let mut desk = Desk::new();
        let mut press =
            event(who("erika.muster@shop.example", "user-4711", "browser-4711"), &[("restock-x", true)]);
        press.props = vec![("nickname".into(), "\"Rikchen\"".into())];
        press.key = Some(1);
        desk.ingest(&press, START);
        desk.press(who("erika.other@shop.example", "", "browser-4712"), &[("news", true)]);
        desk.press(who("erika.other@shop.example", "user-4711", ""), &[]);
        let address = hash("erika.other@shop.example");
        if unsubscribed {
            desk.ask(&DirectoryCommand::Unsubscribe(PersonId(1), Some(address), true));
        }
        if let Some(suppression_reason) = suppression_reason {
            desk.record(blocked(address, suppression_reason), START);
        }
        assert!(desk.ask(&DirectoryCommand::Erase(PersonId(2), Some(address))), "by either number");
        assert!(!desk.ask(&DirectoryCommand::Erase(PersonId(1), Some(address))), "once");
        for directory in [&desk.directory, &restored(&desk.directory)] {
            assert!(directory.people.iter().all(|person| person.email.is_none()));
            let all = format!("{:?}", pages(directory));
            for secret in ["user-4711", "browser-47", "Rikchen", "nickname"] {
                assert!(!all.contains(secret), "{secret} is still there");
            }
        }
        assert_eq!(desk.directory.suppression_reason(address), kept);
        assert_eq!(desk.directory.undeliverable(PersonId(1), None), Some(Undeliverable::Erased));
        assert_eq!(
            (desk.directory.status(PersonId(1)), desk.directory.mailable()),
            (Some(PersonStatus::Erased), 0)
        );
        assert!(
            desk.directory.status(PersonId(1)) == Some(PersonStatus::Erased)
                && desk.directory.known(&who("", "user-4711", "")).is_none()
        );
        // The record itself has room for a hash alone.
        assert!(matches!(desk.records.last(), Some((DirectoryEvent::Erased { person: _, keep: _ }, _))));
        // A new press makes a new contact, which the block still holds back.
        let again = desk.press(who("erika.other@shop.example", "", ""), &[("restock-x", true)]);
        assert_eq!((again.person, again.created), (Some(PersonId(3)), true));
        assert_eq!(again.problem, kept.map(|_| MembershipProblem::Suppressed));
    }
}

#[test]
fn mail_again_lifts_what_the_person_said_and_no_other_block() {
    let mut desk = Desk::new();
    desk.press(who(A, "", ""), &[]);
    let address = Some(hash(A));
    assert!(!desk.ask(&DirectoryCommand::Unsubscribe(PersonId(1), address, false)));
    assert!(desk.ask(&DirectoryCommand::Unsubscribe(PersonId(1), address, true)));
    assert!(!desk.ask(&DirectoryCommand::Unsubscribe(PersonId(1), address, true)));
    desk.ask(&DirectoryCommand::Erase(PersonId(1), address));
    desk.press(who(A, "", ""), &[]);
    assert_eq!(desk.directory.undeliverable(PersonId(2), address), Some(Undeliverable::Unsubscribed));
    assert!(desk.ask(&DirectoryCommand::Unsubscribe(PersonId(2), address, false)));
    assert_eq!(desk.directory.undeliverable(PersonId(2), address), None);
    assert!(desk.directory.suppression_reasons.is_empty());
    let bounced = blocked(hash(A), SuppressionReason::Bounced);
    desk.record(bounced, START);
    desk.ask(&DirectoryCommand::Unsubscribe(PersonId(2), address, true));
    desk.ask(&DirectoryCommand::Unsubscribe(PersonId(2), address, false));
    assert_eq!(desk.directory.undeliverable(PersonId(2), address), Some(Undeliverable::Suppressed));
    desk.record(DirectoryEvent::Released { address: hash(A) }, START);
    assert_eq!(desk.directory.undeliverable(PersonId(2), address), None);
}

#[test]
fn why_somebody_gets_no_mail_is_answered_by_one_function() {
    let mut desk = Desk::new();
    desk.press(who("", "u1", ""), &[]);
    assert_eq!(desk.directory.undeliverable(PersonId(1), None), Some(Undeliverable::NoEmail));
    assert_eq!(
        desk.directory.undeliverable(PersonId(2), None),
        Some(Undeliverable::Erased),
        "a number never given out"
    );
    desk.press(who(A, "u1", ""), &[]);
    assert_eq!(desk.directory.undeliverable(PersonId(1), Some(hash(A))), None);
}

#[test]
fn an_api_key_is_held_until_it_is_revoked_and_then_remembered_as_revoked() {
    let mut desk = Desk::new();
    let (id, hash) = ("k1".to_owned(), [1; 32]);
    let key =
        ApiKey { id: id.clone(), name: "shop".into(), admin: false, hash, created: START, revoked: None };
    desk.record(DirectoryEvent::KeyMinted(key), START);
    desk.record(DirectoryEvent::KeyRevoked { id }, START.plus(1));
    let held: Vec<Option<Millis>> = restored(&desk.directory).api_keys().map(|key| key.revoked).collect();
    assert_eq!(held, [Some(START.plus(1))]);
}
