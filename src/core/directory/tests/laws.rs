//! Laws of the directory under any history.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One thing that happens; numbers name people, lists and keys, 0 is not given.
#[derive(Debug, Clone)]
enum Step {
    Ingest { email: u8, user: u8, browser: u8, bag: Vec<(u8, bool)>, key: u8, dated: bool },
    Erase(u32),
    Unsubscribe(u32, bool),
    Block(u8, Option<SuppressionReason>),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ingest = (
        (0u8..6, 0u8..4, 0u8..4),
        prop::collection::vec((0u8..4, any::<bool>()), 0..3),
        0u8..8,
        any::<bool>(),
    )
        .prop_map(|((email, user, browser), bag, key, dated)| Step::Ingest {
            email,
            user,
            browser,
            bag,
            key,
            dated,
        });
    let suppression_reason = prop_oneof![
        Just(None),
        Just(Some(SuppressionReason::Bounced)),
        Just(Some(SuppressionReason::Manual)),
        Just(Some(SuppressionReason::Unsubscribed))
    ];
    let step = prop_oneof![
        12 => ingest,
        1 => (1u32..8).prop_map(Step::Erase),
        2 => (1u32..8, any::<bool>()).prop_map(|(p, on)| Step::Unsubscribe(p, on)),
        1 => (1u8..6, suppression_reason).prop_map(|(email, suppression_reason)| Step::Block(email, suppression_reason)),
        1 => (0u64..86_400_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

fn email(n: u8) -> String {
    if n == 0 { String::new() } else { format!("p{n}@shop.example") }
}

fn name(kind: &str, n: u8) -> String {
    if n == 0 { String::new() } else { format!("{kind}{n}") }
}

/// One live person by each name, found by the index; counts agree with a plain walk.
fn check(directory: &Directory) -> Result<(), TestCaseError> {
    let (mut emails, mut users, mut browsers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for number in 1..=directory.last_person() {
        let id = PersonId(number);
        let Some((resolved, person)) = directory.person(id) else {
            prop_assert!(matches!(
                directory.status(id),
                Some(PersonStatus::Erased | PersonStatus::Merged(_))
            ));
            continue;
        };
        if resolved != id {
            prop_assert!(matches!(directory.status(id), Some(PersonStatus::Merged(_))));
            continue;
        }
        if let Some(email) = &person.email {
            prop_assert_eq!(emails.insert(email.clone(), id), None, "two people with one address");
            prop_assert_eq!(directory.by_email(email), Some(id));
        }
        if let Some(user) = &person.user_id {
            prop_assert_eq!(users.insert(user.clone(), id), None, "two people with one user id");
            prop_assert_eq!(directory.by_user(user), Some(id));
        }
        if let Some(browser) = person.anonymous_id() {
            prop_assert_eq!(browsers.insert(browser.to_owned(), id), None, "two people with one browser");
            prop_assert_eq!(directory.by_anonymous(browser), Some(id));
        }
    }
    for n in 1..6 {
        let email = Email::parse(&email(n)).unwrap();
        prop_assert_eq!(directory.by_email(&email), emails.get(&email).copied());
    }
    for n in 1..4 {
        prop_assert_eq!(directory.by_user(&name("u", n)), users.get(name("u", n).as_str()).copied());
        prop_assert_eq!(directory.by_anonymous(&name("b", n)), browsers.get(&name("b", n)).copied());
    }
    prop_assert_eq!(directory.mailable() as usize, emails.len());
    let mut busy: BTreeMap<PersonId, u32> = BTreeMap::new();
    for person in directory.open().filter_map(|(_, open)| open.person) {
        *busy.entry(person).or_default() += 1;
    }
    prop_assert_eq!(&directory.busy, &busy);
    Ok(())
}

/// Plays a history, checking at every step.
fn play(steps: &[Step]) -> Result<Desk, TestCaseError> {
    let (mut desk, mut now) = (Desk::new(), START);
    let mut keys: BTreeMap<u8, Millis> = BTreeMap::new();
    for step in steps {
        now = now.plus(1000);
        match step {
            Step::Wait(ms) => now = now.plus(*ms),
            Step::Erase(person) => _ = desk.ask(&DirectoryCommand::Erase(PersonId(*person), None)),
            Step::Unsubscribe(person, on) => {
                _ = desk.ask(&DirectoryCommand::Unsubscribe(PersonId(*person), None, *on))
            }
            Step::Block(n, suppression_reason) => {
                let address = hash(&email(*n));
                let event = suppression_reason
                    .map_or(DirectoryEvent::Released { address }, |why| blocked(address, why));
                desk.record(event, now);
            }
            Step::Ingest { email: e, user, browser, bag, key, dated } => {
                let lists = ["restock-x", "restock-y", "news", "all"];
                let bag: Vec<(&str, bool)> =
                    bag.iter().map(|(list, join)| (lists[usize::from(*list)], *join)).collect();
                let ingest = Ingest {
                    key: (*key > 0).then(|| u128::from(*key) << 120 | u128::from(*key)),
                    timestamp: dated.then_some(now),
                    ..event(who(&email(*e), &name("u", *user), &name("b", *browser)), &bag)
                };
                let outcome = desk.ingest(&ingest, now).unwrap();
                let repeat = *key > 0 && keys.get(key).is_some_and(|at| now.since(*at) < 7 * 86_400_000);
                // Minutes are the grain of the window, so a key may be held a minute longer.
                let edge = keys.get(key).is_some_and(|at| now.since(*at) / 60_000 == 7 * 86_400_000 / 60_000);
                prop_assert!(edge || outcome.stored != repeat);
                if outcome.stored && *key > 0 {
                    keys.insert(*key, now);
                }
                let named = *e > 0 || *user > 0 || *browser > 0;
                prop_assert_eq!(outcome.person.is_some(), named);
                if let Some(id) = outcome.person.filter(|_| outcome.stored) {
                    let joins: Vec<String> =
                        tasks(&desk.directory).into_iter().filter(|task| task.starts_with('+')).collect();
                    let fresh = desk.directory.open().last().is_some_and(|(n, _)| n == desk.directory.seq());
                    let blocked = desk.directory.suppression_reason(hash(&email(*e))).is_some();
                    let unsubscribed =
                        desk.directory.undeliverable(id, None) == Some(Undeliverable::Unsubscribed);
                    prop_assert!(!fresh || joins.is_empty() || !(blocked || unsubscribed));
                }
            }
        }
        check(&desk.directory)?;
    }
    Ok(desk)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_name_is_one_live_person_whatever_happens(steps in steps()) {
        play(&steps)?;
    }

    #[test]
    fn replay_equals_the_live_directory_from_the_start_and_from_any_snapshot(steps in steps(), cut in 0.0f64..1.0) {
        let desk = play(&steps)?;
        prop_assert_eq!(pages(&desk.replay()), pages(&desk.directory));
        let cut = (desk.records.len() as f64 * cut) as usize;
        let mut directory = Directory::new(8, 1000);
        for (n, (event, at)) in desk.records.iter().enumerate() {
            if n == cut {
                directory = restored(&directory);
            }
            directory.apply(event, *at);
        }
        prop_assert_eq!(pages(&directory), pages(&desk.directory));
        check(&directory)?;
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_after_it(steps in steps()) {
        let half = steps.len() / 2;
        let mut desk = play(&steps[..half])?;
        let image = desk.directory.image();
        let before = pages(&desk.directory);
        let more = play(&steps[half..])?;
        more.records.into_iter().for_each(|(event, at)| desk.record(event, at));
        prop_assert_eq!(image.pages().collect::<Vec<_>>(), before);
    }
}
