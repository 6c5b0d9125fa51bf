//! The Engine without HTTP: presses from so many callers at once, each answered after the sync.
//!
//! Every caller sends its next event when the last one is answered, as a shop's server would.

use divan::Bencher;
use divan::counter::ItemsCount;
use restockd_engine::api::EventInput;
use restockd_engine::clock::Clock;

use crate::live_engine::{LiveEngine, press};
use crate::size;

/// Callers at once.
const IN_FLIGHT: [usize; 3] = [1, 64, 256];

/// Events that each caller sends in one run.
fn each(callers: usize) -> usize {
    size((1024 / callers).clamp(16, 64), 2)
}

/// Each caller's events: shoppers from `first` on, over a thousand lists.
fn callers(first: usize, callers: usize) -> Vec<Vec<EventInput>> {
    let each = each(callers);
    let one = |p: usize| EventInput {
        key: Some(format!("press-{p}")),
        ..press(p, &format!("sku-{:03}", p % 1000))
    };
    (0..callers).map(|c| (0..each).map(|n| one(first + c * each + n)).collect()).collect()
}

/// All callers send; ends when all are answered.
fn send(live: &LiveEngine, callers: Vec<Vec<EventInput>>, new: bool) {
    live.runtime.block_on(async {
        let one = |events: Vec<EventInput>| {
            let engine = live.engine.clone();
            tokio::spawn(async move {
                for event in events {
                    assert_eq!(engine.ingest(event).await.unwrap().stored, new);
                }
            })
        };
        let tasks: Vec<_> = callers.into_iter().map(one).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// New shoppers: a record of the directory and one of a list for each.
#[divan::bench(args = IN_FLIGHT, sample_count = 50, sample_size = 1, max_time = 3)]
fn somebody_new(bencher: Bencher<'_, '_>, in_flight: usize) {
    let live = LiveEngine::new(Clock::real(), 1);
    let events = in_flight * each(in_flight);
    send(&live, callers(0, in_flight), true);
    let mut first = 0;
    bencher
        .counter(ItemsCount::new(events))
        .with_inputs(|| {
            first += events;
            callers(first, in_flight)
        })
        .bench_local_values(|callers| send(&live, callers, true));
}

/// The same presses with the same keys: nothing is written, and each is answered after the writes before it.
#[divan::bench(args = IN_FLIGHT, sample_count = 50, sample_size = 1, max_time = 3)]
fn again(bencher: Bencher<'_, '_>, in_flight: usize) {
    let live = LiveEngine::new(Clock::real(), 1);
    let known = callers(0, in_flight);
    send(&live, known.clone(), true);
    bencher
        .counter(ItemsCount::new(in_flight * each(in_flight)))
        .with_inputs(|| known.clone())
        .bench_local_values(|callers| send(&live, callers, false));
}
