//! P1 to P7 under power cuts of a real ext4: `RESTOCKD_CUTS=1000` is the long form, half of them with `data=ordered`,
//! half with `data=writeback`.
//!
//! One cut in three comes after a `kill -9`, while the engine recovers: what it read then may have been in the page
//! cache only. What a loop device cannot show is a disk that lies about its syncs.

use std::time::Duration;

use serde_json::json;

use crate::check::{Depth, compare};
use crate::deeds::{self, Heard, Wire, list_of};
use crate::dice::{Dice, size};
use crate::image::Image;
use crate::oracle::Oracle;
use crate::process::{Answer, Client, Engine, Place, until};
use crate::siege::{Blow, besiege, settings};
use crate::sink::Sink;
use crate::strace::{self, Harm, Spot};

/// Room for two generations, a third being made, and the 96 MiB that a snapshot leaves free.
const MIB: u64 = 400;

struct Cut(Image);

impl Cut {
    fn power_is_back(&self, engine: impl Sized) {
        drop(engine);
        self.0.remount();
    }
}

impl Blow for Cut {
    fn place(&mut self, place: Place) -> Place {
        self.0.wipe();
        place.data_in(self.0.path().join("data"))
    }

    fn strike(&mut self, place: &Place, engine: Engine, dice: &mut Dice) {
        if dice.below(3) == 0 {
            engine.kill();
            self.strike_early(place, dice);
        } else {
            self.0.cut();
            self.power_is_back(engine);
        }
    }

    fn strike_early(&mut self, place: &Place, dice: &mut Dice) {
        let starting = place.spawn(&[]);
        // Wherever it then is; nothing is synchronised by it.
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        self.0.cut();
        self.power_is_back(starting);
    }
}

#[test]
fn what_was_acknowledged_outlives_every_power_cut_with_data_ordered() {
    besiege(
        "power cuts, data=ordered",
        size("RESTOCKD_CUTS", 8).div_ceil(2),
        &mut Cut(Image::new(MIB, "ordered")),
    );
}

#[test]
fn what_was_acknowledged_outlives_every_power_cut_with_data_writeback() {
    besiege(
        "power cuts, data=writeback",
        size("RESTOCKD_CUTS", 8) / 2,
        &mut Cut(Image::new(MIB, "writeback")),
    );
}

/// A client that asks once.
struct Once(Client, Oracle);

impl Wire for Once {
    fn ask(&self, ask: &dyn Fn(&Client) -> Answer) -> Option<Heard> {
        // What was asked before the kill may be known.
        ask(&self.0).map(|(status, body)| Heard { status, body, repeated: 1 })
    }

    fn oracle(&self) -> &Oracle {
        &self.1
    }
}

/// The kill falls between the write of a frame and its sync, so that the record is in the page cache only. The restart
/// reads it from there and calls the same request a repetition; from then on it is acknowledged.
#[test]
fn what_recovery_reads_from_the_page_cache_is_durable_before_it_is_acknowledged() {
    let image = Image::new(MIB, "ordered");
    let sink = Sink::start(Duration::ZERO);
    let mut known = 0;
    for nth in 1..=6 {
        image.wipe();
        let place = settings(&sink, "flat", "1h").data_in(image.path().join("data"));
        let log = place.dir().join("strace.log");
        let spot =
            Spot { path: "wal/00000000000000000001.wal".to_owned(), call: "fdatasync".to_owned(), nth };
        let through = strace::inject(&log, place.data(), &spot, Harm::Kill);
        let engine = place.spawn(&through).listening().unwrap();
        let wire = Once(engine.client.clone(), Oracle::new("page cache"));
        let press = |wire: &Once, n: usize| {
            let lists = ["a", "b"].map(list_of);
            deeds::press(wire, &format!("p{n}@shop.example"), &lists, true, &format!("k{n}"))
        };
        let lost = (0..8).find(|n| press(&wire, *n).is_none()).expect("the kill came true");
        drop(engine);
        let engine = place.start();
        let event = json!({
            "name": "press", "email": format!("p{lost}@shop.example"), "idempotencyKey": format!("k{lost}"),
        });
        // Only a repetition syncs nothing by itself.
        let repetition = engine.client.post("/v1/events", &event)["stored"] == false;
        image.cut();
        drop(engine);
        image.remount();
        let engine = place.start();
        let found =
            wire.1.look(|facts| compare(&engine.client, facts, Depth::Full(50), &mut Dice::of(nth as u64)));
        found.none("after a kill and a cut");
        if repetition {
            known += 1;
            until("the list is there", || {
                let list = engine.client.try_get("/v1/lists/restock-a/members?limit=1000");
                list.filter(|(status, _)| *status == 200)
            });
            let there = engine.client.members(&list_of("a")).contains(&format!("p{lost}@shop.example"));
            assert!(there, "sync {nth}: acknowledged as a repetition, and lost with the power");
        }
        engine.kill();
    }
    println!(
        "kill between write and sync, then a cut: 6 times, {known} acknowledged as a repetition, 0 lost"
    );
    assert!(known > 0, "no kill left a record in the page cache");
}
