//! Laws of the scheduler under any history. Each start is held against the world's own knowledge (`world.rs`): order
//! within a provider, a row at hand once, no start against any condition, conservation; whenever nothing is under way, each
//! open letter waits for a time and the alarm rings by then; and what is left to itself comes to its end by its alarms alone.

use proptest::prelude::*;

use super::super::*;
use super::world::{WORKERS, World, id};
use crate::PersonId;
use crate::campaign::{CampaignCommand, SkipReason};
use crate::outcome::{DeliveryResult, SmtpPhase};
use crate::pace::Rate;

/// One thing that happens; to one of three lists.
#[derive(Debug, Clone)]
enum Step {
    Restock(u32, u32),
    Leave(u32, u32),
    Note(u32),
    Moved(u32),
    Arrive(u32),
    Answer,
    Connect(bool),
    Deliver(usize, u8),
    Command(u32, CampaignCommand),
    Wait(u64),
    Ring,
    Room(bool),
    Crash,
    /// All that is under way ends while the clock stands still, in an order that follows from the number.
    Rest(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verbs = vec![
        CampaignCommand::Pause,
        CampaignCommand::Resume,
        CampaignCommand::Resume,
        CampaignCommand::RetryFailed,
        CampaignCommand::ResendDoubt,
        CampaignCommand::Cancel,
    ];
    let n = || 0u32..3;
    let step = prop_oneof![
        4 => (n(), 0u32..30).prop_map(|(n, more)| Step::Restock(n, more)),
        2 => (n(), 1u32..40).prop_map(|(n, person)| Step::Leave(n, person)),
        1 => (1u32..40).prop_map(Step::Note),
        2 => (1u32..40).prop_map(Step::Moved),
        24 => n().prop_map(Step::Arrive),
        24 => Just(Step::Answer),
        16 => prop::bool::weighted(0.9).prop_map(Step::Connect),
        40 => (0..WORKERS, 0u8..30).prop_map(|(nth, what)| Step::Deliver(nth, what)),
        2 => (n(), prop::sample::select(verbs)).prop_map(|(n, command)| Step::Command(n, command)),
        6 => (0u64..300).prop_map(Step::Wait),
        3 => (0u64..90_000).prop_map(Step::Wait),
        1 => (0u64..30).prop_map(|hours| Step::Wait(hours * 3_600_000)),
        6 => Just(Step::Ring),
        1 => any::<bool>().prop_map(Step::Room),
        1 => Just(Step::Crash),
        3 => any::<u64>().prop_map(Step::Rest),
    ];
    prop::collection::vec(step, 1..400)
}

fn play(rate: Option<Rate>, steps: Vec<Step>) -> World {
    let mut world = World::new(rate);
    for step in steps {
        match step {
            Step::Restock(n, more) => world.restock(n, more),
            Step::Leave(n, person) => world.leave(n, person),
            Step::Note(person) => {
                let (list, person, reason) = (None, PersonId(person), SkipReason::Suppressed);
                world.input(Input::RecipientExcluded { list, person, reason });
            }
            Step::Moved(person) => _ = world.input(Input::MailboxChanged(PersonId(person))),
            Step::Arrive(n) => while world.arrive(n) {},
            Step::Answer => while world.answer() {},
            Step::Connect(good) => while world.connect(good) {},
            Step::Deliver(nth, 8) => {
                _ = world.deliver_on(nth, DeliveryResult::Deferred, SmtpPhase::Connection, true);
            }
            Step::Deliver(nth, what) => {
                let (end, phase) = match what {
                    0 => (DeliveryResult::Failed, SmtpPhase::Rcpt),
                    1 => (DeliveryResult::Unknown, SmtpPhase::Data),
                    2 | 3 => (DeliveryResult::Deferred, SmtpPhase::Rcpt),
                    4 => (DeliveryResult::Throttled, SmtpPhase::Rcpt),
                    5 | 6 => (DeliveryResult::Deferred, SmtpPhase::Connection),
                    7 => (DeliveryResult::Failed, SmtpPhase::Connection),
                    _ => (DeliveryResult::Sent, SmtpPhase::Dot),
                };
                world.deliver(nth, end, phase);
            }
            Step::Command(n, command) if world.status(n).is_some() => world.command(n, command),
            Step::Command(..) => {}
            Step::Wait(ms) => world.at = world.at.plus(ms),
            Step::Ring => _ = world.ring(),
            Step::Room(true) => world.make_room(),
            Step::Room(false) => world.room = false,
            Step::Crash => world.crash(),
            Step::Rest(seed) => world.rest(dice(seed)),
        }
    }
    world
}

/// Numbers that follow from a seed, each below the one it is given.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    }
}

fn rates() -> impl Strategy<Value = Option<Rate>> {
    prop::option::of((1u32..50, 1u32..4).prop_map(|(letters, burst)| Rate {
        letters,
        period_ms: 1000,
        burst,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_letter_starts_against_any_condition_and_all_come_to_their_end(rate in rates(), steps in steps()) {
        let mut world = play(rate, steps);
        world.settle();
        for n in 0..3 {
            let mut sent = world.sent(n);
            let count = sent.len();
            sent.sort_unstable();
            sent.dedup();
            prop_assert_eq!(sent.len(), count, "somebody was sent two letters of one campaign");
            let Some(campaign) = world.scheduler.campaigns().get(id(n)) else { continue };
            prop_assert!(campaign.status.is_closed());
            let counts = campaign.ledger.counts();
            prop_assert_eq!((campaign.pending(), counts.started, counts.deferred), (0, 0, 0), "somebody is left");
        }
    }

    #[test]
    fn replay_equals_what_was_live(rate in rates(), steps in steps()) {
        let mut world = play(rate, steps);
        let before: Vec<_> = world.scheduler.campaigns().newest().map(|c| (c.header.id, c.total(), c.status)).collect();
        let flying = world.flying.len() as u64;
        let doubt = |world: &World| world.scheduler.campaigns().newest().map(|c| c.ledger.counts().doubt).sum::<u64>();
        let doubts = doubt(&world);
        world.crash();
        let after: Vec<_> = world.scheduler.campaigns().newest().map(|c| (c.header.id, c.total(), c.status)).collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(doubt(&world), doubts + flying, "what was in flight is in doubt, and nothing else");
    }

    #[test]
    fn a_stop_starts_nothing_and_is_done_when_the_last_letter_is_back(rate in rates(), steps in steps()) {
        let mut world = play(rate, steps);
        world.input(Input::Stop);
        while world.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot) || world.answer() || world.connect(true) {}
        prop_assert!(world.stopped);
    }
}

#[test]
fn histories_have_been_somewhere() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut starts, mut kept, mut ceilings) = (0, 0, 0);
    for _ in 0..64 {
        let steps = steps().new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
        let mut world = play(None, steps);
        starts += world.starts.len();
        kept += world.kept_max;
        world.settle();
        ceilings += world.news.iter().filter(|news| matches!(news, Notice::Ceiling { .. })).count();
    }
    assert!(
        starts > 64 * 8 && kept >= 8 && ceilings > 16,
        "{starts} starts, {kept} kept, {ceilings} ceilings"
    );
}
