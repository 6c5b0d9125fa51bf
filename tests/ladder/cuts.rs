//! P1 to P7 under power cuts of a real ext4: `RESTOCKD_CUTS=1000` is the long form, half of them with `data=ordered`,
//! half with `data=writeback`.
//!
//! One cut in three comes after a `kill -9`, while the engine recovers: what it read then may have been in the page
//! cache only. What a loop device cannot show is a disk that lies about its syncs.

use std::time::Duration;

use restockd_testkit::dice::{Dice, size};
use restockd_testkit::process::{Client, Engine, Place};
use restockd_testkit::sink::Sink;
use serde_json::{Value, json};

use crate::image::Image;
use crate::siege::{Blow, besiege, settings};
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

/// An event without a bag: one record of one actor, so that a restart finds nothing to do for it.
fn event(n: u64) -> Value {
    json!({ "name": "seen", "email": format!("p{n}@shop.example"), "idempotencyKey": format!("k{n}") })
}

/// The kill falls between the write of a frame and its sync, so that the record is in the page cache only. The restart
/// reads it from there and calls the same request a repetition; from then on it is acknowledged, with no write of its
/// own that a sync could follow. Two things in recovery stand for this, each alone enough: the sync of the whole file
/// system, and the last frame that is written again; without both, this test fails.
#[test]
fn what_recovery_reads_from_the_page_cache_is_durable_before_it_is_acknowledged() {
    let image = Image::new(MIB, "ordered");
    let sink = Sink::start(Duration::ZERO);
    let mut repetitions = 0;
    for nth in 1..=6 {
        image.wipe();
        let place = settings(&sink, "flat", "1h").data_in(image.path().join("data"));
        let log = place.dir().join("strace.log");
        let spot =
            Spot { path: "wal/00000000000000000001.wal".to_owned(), call: "fdatasync".to_owned(), nth };
        let engine = place.spawn(&strace::inject(&log, place.data(), &spot, Harm::Kill)).listening().unwrap();
        let stored = |client: &Client, n| {
            client.try_post("/v1/events", &event(n)).map(|(status, body)| {
                assert_eq!(status, 202, "{body}");
                body["stored"] == true
            })
        };
        let lost = (0..10).find(|n| stored(&engine.client, *n).is_none()).expect("the kill came true");
        drop(engine);
        let engine = place.start();
        let repetition = stored(&engine.client, lost) == Some(false);
        image.cut();
        drop(engine);
        image.remount();
        let engine = place.start();
        for n in 0..=lost {
            assert_eq!(
                stored(&engine.client, n),
                Some(false),
                "sync {nth}: event {n} was acknowledged, and is lost"
            );
        }
        repetitions += u32::from(repetition);
        engine.kill();
    }
    println!(
        "kill between write and sync, restart, then a cut: 6 times, {repetitions} acknowledged as a repetition, 0 lost"
    );
    assert!(repetitions > 0, "no kill left a record in the page cache");
}
