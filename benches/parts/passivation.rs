//! Passivating and waking lists: packing alone, and by the supervisor and the real list actors.
//!
//! The actors are told to rest by a manual clock, all lists at once; they are woken by a query to each, which writes nothing.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use futures_util::future::join_all;
use restockd_engine::clock::Clock;
use restockd_records::PackedList;

use crate::list::{MEMBERS, of};
use crate::live_engine::LiveEngine;
use crate::{NOON, size};

/// Longer than a list must be idle to be passivated.
const IDLE_MS: u64 = 31_000;

/// A list packed.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn pack(bencher: Bencher<'_, '_>, members: u32) {
    let list = of(members);
    bencher.counter(ItemsCount::new(members)).bench(|| PackedList::of(black_box(&list)));
}

/// A list unpacked.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn unpack(bencher: Bencher<'_, '_>, members: u32) {
    let packed = PackedList::of(&of(members));
    bencher.counter(ItemsCount::new(members)).bench(|| black_box(&packed).unpack().unwrap());
}

/// The summary of a list at rest.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn summary(bencher: Bencher<'_, '_>, members: u32) {
    let packed = PackedList::of(&of(members));
    bencher.bench(|| black_box(&packed).summary().unwrap());
}

/// Sizes: members of each list, and the number of lists.
fn list_sizes() -> [(usize, usize); 3] {
    size([(3, 200), (100, 100), (10_000, 4)], [(3, 2), (60, 2), (100, 2)])
}

/// An engine with such lists.
struct ActiveLists {
    live: LiveEngine,
    clock: Clock,
    lists: Vec<String>,
    members: usize,
}

impl ActiveLists {
    fn new((members, lists): (usize, usize)) -> Self {
        let clock = Clock::manual(NOON);
        let live = LiveEngine::new(clock.clone(), 1);
        (0..lists).for_each(|n| live.press(0..members, &n.to_string()));
        let lists = (0..lists).map(|n| format!("restock-{n}")).collect();
        let active = Self { live, clock, lists, members };
        active.rest();
        active
    }

    /// Passivates all lists.
    fn rest(&self) {
        self.clock.advance(IDLE_MS);
        self.live.engine.sweep();
        self.live.runtime.block_on(async {
            while self.live.engine.list_counts().await.unwrap() != (0, self.lists.len(), 0) {}
        });
    }

    /// Wakes all lists.
    fn wake(&self) {
        let asked = self.lists.iter().map(|list| self.live.engine.members(list, None, 1));
        for page in self.live.runtime.block_on(join_all(asked)) {
            assert_eq!(page.unwrap().total, self.members as u64);
        }
    }
}

/// Items are lists woken.
#[divan::bench(args = list_sizes(), sample_count = 50, sample_size = 1, max_time = 2)]
fn actors_wake(bencher: Bencher<'_, '_>, shape: (usize, usize)) {
    let (count, lists) = (ItemsCount::new(shape.1), ActiveLists::new(shape));
    bencher.counter(count).with_inputs(|| lists.rest()).bench_local_values(|()| lists.wake());
}

/// Items are lists passivated.
#[divan::bench(args = list_sizes(), sample_count = 50, sample_size = 1, max_time = 2)]
fn actors_rest(bencher: Bencher<'_, '_>, shape: (usize, usize)) {
    let (count, lists) = (ItemsCount::new(shape.1), ActiveLists::new(shape));
    bencher.counter(count).with_inputs(|| lists.wake()).bench_local_values(|()| lists.rest());
}
