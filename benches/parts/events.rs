//! The Engine's door without HTTP: a press from so many callers at once, each answered after the sync.
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

/// What each caller sends in one run.
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

/// Everybody sends; done when everybody is answered.
fn send(house: &LiveEngine, callers: Vec<Vec<EventInput>>, new: bool) {
    house.runtime.block_on(async {
        let one = |events: Vec<EventInput>| {
            let engine = house.engine.clone();
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

/// Somebody new each time: a record of the directory and one of a list.
#[divan::bench(args = IN_FLIGHT, sample_count = 50, sample_size = 1, max_time = 3)]
fn somebody_new(bencher: Bencher<'_, '_>, in_flight: usize) {
    let house = LiveEngine::new(Clock::real(), 1);
    let events = in_flight * each(in_flight);
    send(&house, callers(0, in_flight), true);
    let mut first = 0;
    bencher
        .counter(ItemsCount::new(events))
        .with_inputs(|| {
            first += events;
            callers(first, in_flight)
        })
        .bench_local_values(|callers| send(&house, callers, true));
}

/// The same presses with the same keys: nothing to write, answered behind what is on its way.
#[divan::bench(args = IN_FLIGHT, sample_count = 50, sample_size = 1, max_time = 3)]
fn again(bencher: Bencher<'_, '_>, in_flight: usize) {
    let house = LiveEngine::new(Clock::real(), 1);
    let known = callers(0, in_flight);
    send(&house, known.clone(), true);
    bencher
        .counter(ItemsCount::new(in_flight * each(in_flight)))
        .with_inputs(|| known.clone())
        .bench_local_values(|callers| send(&house, callers, false));
}
