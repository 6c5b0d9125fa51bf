//! Examples: what each condition looks like from outside.

use super::super::*;
use super::world::{START, World, email, id, list};
use crate::PersonId;
use crate::campaign::{CampaignCommand, SkipReason};
use crate::outcome::{DeliveryResult, SmtpPhase};
use crate::pace::Rate;

/// Answers every question; connects and delivers nothing.
fn answer_all(world: &mut World) {
    while world.answer() | world.arrive(0) | world.arrive(1) | world.arrive(2) {}
}

/// A world in which everybody who waits on list 0 is at hand, and nothing has connected.
fn at_hand(rate: Option<Rate>, people: u32) -> World {
    let mut world = World::new(rate);
    world.restock(0, people);
    answer_all(&mut world);
    world
}

#[test]
fn without_a_connection_past_its_greeting_nothing_starts_and_who_leaves_meanwhile_is_not_mailed() {
    let mut world = at_hand(None, 3);
    assert_eq!((world.starts.len(), world.connecting.len()), (0, 3), "as many connections as letters");
    world.leave(0, 2);
    answer_all(&mut world);
    while world.connect(true) {}
    world.settle();
    assert_eq!(world.sent(0), [3, 1], "the newest connection goes first");
    assert_eq!(world.scheduler.campaigns().get(id(0)).map(|c| c.skipped()[0]), Some(1));
}

#[test]
fn a_connection_idle_for_more_than_a_second_must_answer_before_a_letter_starts_on_it() {
    let mut world = at_hand(None, 1);
    world.connect(true);
    world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
    answer_all(&mut world);
    world.at = world.at.plus(1001);
    world.restock(1, 1);
    answer_all(&mut world);
    assert_eq!((world.starts.len(), world.connecting.len()), (1, 1));
    world.connect(true);
    assert_eq!(world.starts.len(), 2);
    // Within the second it goes at once.
    world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
    world.restock(2, 1);
    answer_all(&mut world);
    assert_eq!((world.starts.len(), world.connecting.len()), (3, 0));
}

#[test]
fn a_connection_that_dies_before_any_reply_to_mail_was_no_start_at_a_receiver() {
    // One letter a minute in all: a start that counted would hold the next one up.
    let rate = Some(Rate { letters: 1, period_ms: 60_000, burst: 1 });
    let mut world = at_hand(rate, 2);
    world.connect(true);
    world.deliver(0, DeliveryResult::Deferred, SmtpPhase::Connection);
    answer_all(&mut world);
    assert_eq!(world.starts, [(id(0), 0)]);
    world.at = world.at.plus(1000);
    world.ring();
    answer_all(&mut world);
    while world.connect(true) {
        answer_all(&mut world);
    }
    assert_eq!(
        world.starts,
        [(id(0), 0), (id(0), 0)],
        "the same letter, in its place, without a wait for the pace"
    );
    world.settle();
    assert_eq!(world.sent(0), [1, 2]);
}

#[test]
fn a_letter_that_could_not_go_on_a_good_connection_comes_back_by_its_schedule() {
    let mut world = at_hand(None, 2);
    world.connect(true);
    world.deliver_on(0, DeliveryResult::Deferred, SmtpPhase::Connection, true);
    assert_eq!(world.starts, [(id(0), 0), (id(0), 1)], "the next letter goes on the same connection");
    world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
    answer_all(&mut world);
    assert_eq!(world.starts.len(), 2, "the first one waits");
    let ledger = &world.scheduler.campaigns().get(id(0)).unwrap().ledger;
    assert!(
        ledger.not_before(0).is_some_and(|then| then.since(START) >= 30_000),
        "{:?}",
        ledger.not_before(0)
    );
    world.settle();
    assert_eq!(world.sent(0), [2, 1]);
}

/// Where the letters in flight of a provider are that takes two at once, or all others.
fn flying(world: &World, google: bool) -> Option<usize> {
    world.flying.values().position(|letter| (letter.person.0 % 4 == 0) == google)
}

/// All letters come back but those to the provider that takes two at once.
fn deliver_others(world: &mut World) {
    while let Some(nth) = flying(world, false) {
        world.deliver(nth, DeliveryResult::Sent, SmtpPhase::Dot);
        answer_all(world);
        while world.connect(true) {}
    }
}

/// A world in which a provider has the two letters that it takes at once, and a third of the campaign waits for it: those
/// of the persons 4, 8 and 12.
fn third_waits() -> World {
    let mut world = at_hand(None, 12);
    while world.connect(true) {}
    deliver_others(&mut world);
    let held = world.scheduler.held(id(0), world.now());
    assert_eq!(held.iter().map(|held| held.count).sum::<u64>(), 1, "{held:?}");
    world
}

#[test]
fn who_waited_for_a_provider_is_not_passed_by_all_that_another_campaign_has_at_hand() {
    let mut world = third_waits();
    // The other campaign takes both connections that are left, and has more at hand.
    world.restock(1, 40);
    answer_all(&mut world);
    while world.connect(true) {}
    assert_eq!(world.flying.len(), 4);
    while !world.starts.contains(&(id(0), 11)) {
        assert!(!world.starts.contains(&(id(1), 7)), "{:?}", world.starts);
        let nth = flying(&world, true).unwrap_or(0);
        world.deliver(nth, DeliveryResult::Sent, SmtpPhase::Dot);
        answer_all(&mut world);
    }
}

#[test]
fn a_campaign_that_is_paused_or_canceled_leaves_its_turn_at_a_provider_to_the_next_one() {
    for command in [CampaignCommand::Pause, CampaignCommand::Cancel] {
        let mut world = third_waits();
        world.restock(1, 4);
        answer_all(&mut world);
        deliver_others(&mut world);
        world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
        assert!(is_asked(&world, 0, 11) && !is_asked(&world, 1, 3), "it is the first one's turn");
        world.command(0, command);
        assert!(is_asked(&world, 1, 3), "{command:?}");
    }
}

/// True when a row of a campaign is being fetched.
fn is_asked(world: &World, n: u32, row: u32) -> bool {
    world.asked.iter().any(|effect| {
        matches!(effect, Effect::Fetch { campaign, rows, .. }
            if *campaign == id(n) && rows.iter().any(|(of, _)| *of == row))
    })
}

#[test]
fn a_letter_that_cannot_be_made_takes_no_place_in_the_pace() {
    // One letter a minute in all: a start that counted would hold the next one up.
    let rate = Some(Rate { letters: 1, period_ms: 60_000, burst: 1 });
    let mut world = at_hand(rate, 2);
    world.connect(true);
    world.deliver(0, DeliveryResult::Failed, SmtpPhase::Connection);
    answer_all(&mut world);
    while world.connect(true) {
        answer_all(&mut world);
    }
    assert_eq!(world.starts, [(id(0), 0), (id(0), 1)], "the next letter goes without a wait for the pace");
    world.settle();
    assert_eq!(world.sent(0).len(), 1);
    let counts = world.scheduler.campaigns().get(id(0)).map(|campaign| campaign.ledger.counts());
    assert_eq!(counts.map(|counts| (counts.failed, counts.deferred)), Some((1, 0)));
}

#[test]
fn a_relay_that_turns_us_away_is_tried_by_one_worker_at_growing_intervals_and_uses_nothing_up() {
    let mut world = at_hand(None, 8);
    while world.connect(false) {}
    let mut waits = Vec::new();
    for _ in 0..8 {
        let alarm = world.alarm.unwrap();
        waits.push(alarm.since(world.at));
        world.at = alarm;
        assert!(world.ring());
        assert_eq!(world.connecting.len(), 1);
        world.connect(false);
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits[7] == 60_000, "{waits:?}");
    assert_eq!(world.starts.len(), 0);
    let counts = world.scheduler.campaigns().get(id(0)).unwrap().ledger.counts();
    assert_eq!((counts.pending, counts.deferred), (8, 0), "nobody was tried");
    let held = world.scheduler.held(id(0), world.now());
    assert!(
        held.iter().any(|held| held.reason == HoldReason::Connection && held.until == world.alarm),
        "{held:?}"
    );
    world.settle();
    assert_eq!(world.sent(0).len(), 8);
}

#[test]
fn a_ceiling_counts_what_receivers_saw_and_is_said_once() {
    // Persons 1, 5, 9 … are with the provider that takes five a day.
    let mut world = at_hand(None, 40);
    for _ in 0..3 {
        world.connect(true);
        world.deliver(0, DeliveryResult::Deferred, SmtpPhase::Connection);
        world.at = world.at.plus(60_000);
        world.ring();
        answer_all(&mut world);
    }
    while world.at < START.plus(80_000_000) {
        let moved = world.answer()
            | world.arrive(0)
            | world.connect(true)
            | world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot)
            | world.ring();
        if !moved {
            world.at = world.at.plus(3_600_000);
        }
    }
    let yahoo = |world: &World| world.sent(0).iter().filter(|person| *person % 4 == 1).count();
    assert_eq!((yahoo(&world), world.sent(0).len()), (5, 35));
    let said: Vec<&Notice> =
        world.news.iter().filter(|news| matches!(news, Notice::Ceiling { .. })).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let held = world.scheduler.held(id(0), world.now());
    let midnight = Some(START.plus(86_400_000));
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0].reason, held[0].count, held[0].until), (HoldReason::Ceiling, 5, midnight));
    let report =
        world.scheduler.providers(world.at).into_iter().find(|report| report.name == "yahoo").unwrap();
    assert!(report.ceiling_reached && report.opens_at == midnight && report.today == 5, "{report:?}");
    world.settle();
    assert_eq!(yahoo(&world), 10);
}

#[test]
fn a_slow_provider_leaves_connections_to_the_others_with_nothing_set() {
    let mut world = World::new(None);
    // Persons 2, 6, 10 … share a domain; those who come later have their own.
    world.restock(0, 30);
    answer_all(&mut world);
    let slow = |letter: &super::world::Flying| letter.person.0 % 4 == 2;
    for _ in 0..200 {
        while world.connect(true) {}
        answer_all(&mut world);
        // Everybody else's letters are taken at once; the slow provider's never come back.
        let quick = world.flying.values().position(|letter| !slow(letter));
        match quick {
            Some(nth) => _ = world.deliver(nth, DeliveryResult::Sent, SmtpPhase::Dot),
            // Within a quarter of a second it is found to be slow, and the others go on.
            None if world.at < START.plus(1000) => {
                world.at = world.at.plus(250);
                world.ring();
            }
            None => break,
        }
    }
    let stuck = world.flying.values().filter(|letter| slow(letter)).count();
    assert!((1..=3).contains(&stuck), "{stuck} of four connections");
    let others = (1..=30).filter(|person| person % 4 != 2 && person % 4 != 1).count();
    assert_eq!(world.sent(0).iter().filter(|person| *person % 4 != 1).count(), others, "nobody else waits");
}

#[test]
fn a_paused_campaign_starts_nothing_and_its_neighbours_go_on() {
    let mut world = World::new(None);
    for n in 0..2 {
        world.restock(n, 4);
    }
    world.arrive(0);
    world.arrive(1);
    world.command(0, CampaignCommand::Pause);
    for _ in 0..60 {
        answer_all(&mut world);
        world.connect(true);
        world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
    }
    assert_eq!((world.sent(0).len(), world.sent(1).len()), (0, 4));
    world.settle();
    assert_eq!(world.sent(0).len(), 4);
}

#[test]
fn campaigns_take_turns_letter_by_letter() {
    let mut world = World::new(Some(Rate { letters: 10, period_ms: 1000, burst: 1 }));
    for n in 0..3 {
        world.restock(n, 6);
    }
    answer_all(&mut world);
    world.settle();
    let first: Vec<CampaignId> = world.starts.iter().take(6).map(|(id, _)| *id).collect();
    for n in 0..3 {
        assert_eq!(first.iter().filter(|of| **of == id(n)).count(), 2, "{first:?}");
    }
}

#[test]
fn somebody_whose_mailbox_changed_is_asked_for_again_before_a_letter_starts() {
    let mut world = at_hand(None, 2);
    assert!(!is_asked(&world, 0, 0));
    world.input(Input::MailboxChanged(PersonId(1)));
    assert!(is_asked(&world, 0, 0) && !is_asked(&world, 0, 1));
    world.settle();
    assert_eq!(world.sent(0).len(), 2);
}

#[test]
fn an_old_campaign_is_let_go_by_time_alone() {
    let mut world = at_hand(None, 1);
    world.settle();
    let mut rang = 0;
    while world.scheduler.campaigns().get(id(0)).is_some() {
        let alarm = world.alarm.unwrap();
        world.at = world.at.max(alarm);
        assert!(world.ring());
        rang += 1;
        assert!(rang < 401 * 24 + 9, "it is never let go");
    }
    assert!(world.at.since(START) > 400 * 86_400_000);
}

#[test]
fn a_template_that_renders_for_nobody_fails_its_campaign_before_any_letter_starts() {
    let mut world = World::new(None);
    world.restock(0, 2);
    world.arrive(0);
    let mut tried = false;
    for _ in 0..20 {
        if let Some(Effect::TryTemplate { campaign, .. }) = world.asked.front().cloned() {
            world.asked.pop_front();
            world.input(Input::TemplateTried { campaign, result: Err("no such block".into()) });
            tried = true;
        }
        world.answer();
        world.arrive(0);
        world.connect(true);
    }
    assert!(tried && world.starts.is_empty());
    let campaign = world.scheduler.campaigns().get(id(0)).unwrap();
    assert_eq!((campaign.status.as_str(), campaign.why.as_deref()), ("failed", Some("no such block")));
}

#[test]
fn a_note_of_all_lists_ends_what_is_at_hand_on_each() {
    let mut world = World::new(None);
    for n in 0..2 {
        world.restock(n, 2);
    }
    answer_all(&mut world);
    world.input(Input::RecipientExcluded { list: None, person: PersonId(1), reason: SkipReason::Suppressed });
    world.settle();
    assert_eq!((world.sent(0), world.sent(1)), (vec![2], vec![2]));
    assert_eq!(email(1).1, Some(2));
    assert_eq!(list(1).as_str(), "restock-s1");
}
