//! A siege: an engine under full load is struck again and again, and asked back after every blow.
//!
//! ```text
//! life   start ▶ load ▶ blow ▶ start ▶ compare a sample ▶ load ▶ blow ▶ … ▶ load ends ▶ all letters settle
//!        ▶ blow ▶ start ▶ compare everything, and the letters with the relay's
//! ```
//!
//! A life has at most [`LIFE`] blows and then begins anew on an empty directory, with the other backend for snapshots:
//! so the state stays small, and a comparison quick. Every 50th blow everybody is asked for. One blow in eight falls
//! while the engine starts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Engine, Place, count, until};
use restockd_testkit::sink::Sink;

use crate::check::{Depth, account, compare};
use crate::load::Load;

/// Blows in one life.
const LIFE: u64 = 100;
/// Every so many blows everybody is asked for.
const FULL_EVERY: u64 = 50;
/// Facts of a kind that a full comparison asks for, beside all members.
const FULL: usize = 300;
/// Letters that may be on their way at once, and so the doubt that one blow may add.
const CONNECTIONS: u64 = 10;

/// How an engine is struck.
pub trait Blow {
    /// A fresh place to live in.
    fn place(&mut self, place: Place) -> Place;
    /// Ends a running engine; afterwards its place can be started on again.
    fn strike(&mut self, place: &Place, engine: Engine, dice: &mut Dice);
    /// Strikes while the engine starts.
    fn strike_early(&mut self, place: &Place, dice: &mut Dice);
}

/// What a siege came to.
#[derive(Debug, Default)]
struct Sum {
    blows: u64,
    early: u64,
    acknowledged: u64,
    repeated: u64,
    rounds: u64,
    compared: u64,
    letters: u64,
    doubt: u64,
}

/// The settings of an engine under siege.
pub fn settings(sink: &Sink, backend: &str, snapshot_every: &str) -> Place {
    let every = format!("snapshot_every = \"{snapshot_every}\"");
    Place::new(&sink.setting())
        .env("RESTOCKD_MAIL_CONNECTIONS", &CONNECTIONS.to_string())
        .env("RESTOCKD_RETRY_BASE", "1s")
        .toml(&format!("[engine]\nsegment_mib = 1\n{every}\nsnapshots = \"{backend}\"\n"))
}

/// Strikes so many times, and prints what came of it.
pub fn besiege(name: &str, blows: u64, blow: &mut impl Blow) {
    let began = Instant::now();
    let mut dice = Dice::new(name);
    let mut sum = Sum::default();
    // A short form is two lives, so that it meets both backends.
    let life = LIFE.min(blows.div_ceil(2)).max(1);
    for number in 0.. {
        if sum.blows >= blows {
            break;
        }
        let backend = if number % 2 == 0 { "sled" } else { "flat" };
        live(name, backend, life.min(blows - sum.blows), blow, &mut dice, &mut sum);
        println!("{name}: {} of {blows} blows, {backend}, after {:.0?}", sum.blows, began.elapsed());
    }
    println!(
        "{name}: {} blows ({} while it started), {} acknowledgements, {} repeated, {} checkpoint rounds, {} letters, \
         {} comparisons: 0 lost, 0 twice, {} in doubt; {:.0?}",
        sum.blows,
        sum.early,
        sum.acknowledged,
        sum.repeated,
        sum.rounds,
        sum.compared,
        sum.letters,
        sum.doubt,
        began.elapsed()
    );
}

fn live(name: &str, backend: &str, blows: u64, blow: &mut impl Blow, dice: &mut Dice, sum: &mut Sum) {
    let sink = Sink::start(Duration::from_millis(2));
    let place = blow.place(settings(&sink, backend, "1s"));
    let mut engine = place.start();
    let load = Load::start(engine.client.clone(), name, dice.below(u64::MAX));
    let world = Arc::clone(&load.world);
    for number in 1..=blows {
        // Often at once, so that blows fall behind a start, too.
        let more = if dice.below(2) == 0 { dice.below(20) } else { dice.below(160) };
        load.go_on(more);
        std::thread::sleep(Duration::from_micros(dice.below(2_000)));
        blow.strike(&place, engine, dice);
        let mut gate = world.gate.write().unwrap();
        if dice.below(8) == 0 {
            blow.strike_early(&place, dice);
            sum.early += 1;
        }
        engine = place.start();
        let depth = if number % FULL_EVERY == 0 { Depth::Full(FULL) } else { Depth::Sample };
        let found = world.oracle.look(|facts| compare(&engine.client, facts, depth, dice));
        sum.compared += found.none(&format!("{name}, {backend}, after blow {number} of this life"));
        *gate = engine.client.clone();
    }
    let world = load.end();
    until("all campaigns are sent", || {
        let all = engine.client.campaigns();
        all.iter().all(|campaign| campaign["status"] == "sent").then_some(())
    });
    // What is compared at the end is what is durable.
    blow.strike(&place, engine, dice);
    engine = place.start();
    let when = format!("{name}, {backend}, at the end of a life");
    let facts = world.oracle.look(Clone::clone);
    sum.compared += compare(&engine.client, &facts, Depth::Full(FULL), dice).none(&when);
    let (dots, accepted) = sink.look(|seen| (seen.dots.clone(), seen.accepted.clone()));
    let account = account(&engine.client, &facts, &dots, &accepted);
    sum.compared += account.findings.none(&when);
    let doubt: u64 = engine.client.campaigns().iter().map(|campaign| count(campaign, "inDoubt")).sum();
    assert!(doubt <= (blows + 1) * 2 * CONNECTIONS, "{when}: {doubt} in doubt after {blows} blows");
    sum.blows += blows;
    sum.acknowledged += world.oracle.acknowledged();
    sum.repeated += world.repeated.load(Ordering::Relaxed);
    sum.rounds += world.rounds.load(Ordering::Relaxed);
    sum.letters += account.accepted;
    sum.doubt += account.doubt;
    engine.kill();
}
