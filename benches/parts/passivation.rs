//! Lists going to rest and waking: packing alone, and by the supervisor and the real list actors.
//!
//! The actors are told to rest by a clock held by hand, all lists of a street at once; they are
//! woken by a question to each, which writes nothing.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use futures_util::future::join_all;
use restockd_engine::clock::Clock;
use restockd_records::PackedList;

use crate::list::{MEMBERS, of};
use crate::live_engine::LiveEngine;
use crate::{NOON, size};

/// Longer than a list must be idle to rest.
const IDLE_MS: u64 = 31_000;

/// A list made into its resting form.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn pack(bencher: Bencher<'_, '_>, members: u32) {
    let list = of(members);
    bencher.counter(ItemsCount::new(members)).bench(|| PackedList::of(black_box(&list)));
}

/// A list made from its resting form.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn unpack(bencher: Bencher<'_, '_>, members: u32) {
    let packed = PackedList::of(&of(members));
    bencher.counter(ItemsCount::new(members)).bench(|| black_box(&packed).unpack().unwrap());
}

/// What the door asks of a list at rest.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn summary(bencher: Bencher<'_, '_>, members: u32) {
    let packed = PackedList::of(&of(members));
    bencher.bench(|| black_box(&packed).summary().unwrap());
}

/// Lists of a street: how long each, how many.
fn streets() -> [(usize, usize); 3] {
    size([(3, 200), (100, 100), (10_000, 4)], [(3, 2), (60, 2), (100, 2)])
}

/// An engine with such lists.
struct Street {
    house: LiveEngine,
    clock: Clock,
    lists: Vec<String>,
    members: usize,
}

impl Street {
    fn new((members, lists): (usize, usize)) -> Self {
        let clock = Clock::manual(NOON);
        let house = LiveEngine::new(clock.clone(), 1);
        (0..lists).for_each(|n| house.press(0..members, &n.to_string()));
        let lists = (0..lists).map(|n| format!("restock-{n}")).collect();
        let street = Self { house, clock, lists, members };
        street.rest();
        street
    }

    /// All go to rest.
    fn rest(&self) {
        self.clock.advance(IDLE_MS);
        self.house.engine.sweep();
        self.house.runtime.block_on(async {
            while self.house.engine.list_counts().await.unwrap() != (0, self.lists.len(), 0) {}
        });
    }

    /// All wake.
    fn wake(&self) {
        let asked = self.lists.iter().map(|list| self.house.engine.members(list, None, 1));
        for page in self.house.runtime.block_on(join_all(asked)) {
            assert_eq!(page.unwrap().total, self.members as u64);
        }
    }
}

/// Items are lists woken.
#[divan::bench(args = streets(), sample_count = 50, sample_size = 1, max_time = 2)]
fn actors_wake(bencher: Bencher<'_, '_>, street: (usize, usize)) {
    let (count, street) = (ItemsCount::new(street.1), Street::new(street));
    bencher.counter(count).with_inputs(|| street.rest()).bench_local_values(|()| street.wake());
}

/// Items are lists put to rest.
#[divan::bench(args = streets(), sample_count = 50, sample_size = 1, max_time = 2)]
fn actors_rest(bencher: Bencher<'_, '_>, street: (usize, usize)) {
    let (count, street) = (ItemsCount::new(street.1), Street::new(street));
    bencher.counter(count).with_inputs(|| street.wake()).bench_local_values(|()| street.rest());
}
