//! Laws that hold across the machines: a small seeded world of one directory, three lists and the
//! campaigns, with messages in order per sender and receiver and otherwise in any order, crashes
//! that forget everything but the records, and a model that knows only what clients and mailboxes
//! can know.

mod boot;
mod model;
mod world;

use world::World;

/// Runs one seed to its end and says what the world saw.
fn run(seed: u64, steps: usize) -> World {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    world.settle();
    world
}

#[test]
fn whatever_happens_in_between_everybody_who_waits_gets_one_mail_and_nobody_else() {
    let (mut mails, mut crashes, mut doubts, mut reopened, mut left) = (0, 0, 0, 0, 0);
    for seed in 0..250 {
        println!("seed {seed}"); // shown by a test that fails
        let world = run(seed, 500);
        world.judge();
        mails += world.model.mails();
        crashes += world.crashes;
        let counts = world.campaigns.newest().map(|campaign| campaign.ledger.counts());
        for counts in counts {
            doubts += counts.doubt;
            left += counts.skipped_total();
        }
        reopened += world.reopened;
    }
    // The seeds must have been somewhere: a simulation in which nothing happens proves nothing.
    assert!(mails > 500 && crashes > 100 && doubts > 20 && reopened > 20 && left > 100);
}

#[test]
fn one_seed_is_one_exact_replay() {
    let (one, other) = (run(7, 300), run(7, 300));
    assert_eq!(one.trace(), other.trace());
    assert_ne!(one.trace(), run(8, 300).trace());
}
