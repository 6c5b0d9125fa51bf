//! P1 to P7 under `kill -9` at full load: `RESTOCKD_KILLS=1000` is the long form.
//!
//! A kill leaves the page cache, so it tests the order of what is done, not whether it was synced: that is for `cuts`.

use std::time::Duration;

use restockd_testkit::dice::{Dice, size};
use restockd_testkit::process::{Engine, Place};

use crate::siege::{Blow, besiege};

struct Kill;

impl Blow for Kill {
    fn place(&mut self, place: Place) -> Place {
        place
    }

    fn strike(&mut self, _: &Place, engine: Engine, _: &mut Dice) {
        engine.kill();
    }

    fn strike_early(&mut self, place: &Place, dice: &mut Dice) {
        let starting = place.spawn(&[]);
        // Wherever it then is; nothing is synchronised by it.
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        drop(starting);
    }
}

#[test]
fn what_was_acknowledged_under_full_load_outlives_every_kill_and_counts_once() {
    besiege("kill -9", size("RESTOCKD_KILLS", 8), &mut Kill);
}
