//! From a restock until the last of its letters is taken by the memory transport, without a rate limit.
//!
//! All of the engine takes part: the signal is recorded, the campaign opened, the list invited in stretches, addresses looked
//! up, each letter's start made durable, the letter rendered and handed over.

use divan::Bencher;
use divan::counter::ItemsCount;
use restockd_core::Sku;
use restockd_engine::api::RestockInput;
use restockd_engine::clock::Clock;

use crate::live_engine::LiveEngine;
use crate::size;

/// Items are letters. The same people wait for one product after another. A letter is started only when a connection is
/// free, and its start is synced before it leaves, so with few connections (4 is the default of the memory transport) it is
/// the sync that is measured.
#[divan::bench(args = [4, 32, 256], sample_count = 4, sample_size = 1, max_time = 6)]
fn restock(bencher: Bencher<'_, '_>, connections: usize) {
    let people = size(10_000, 20);
    let live = LiveEngine::new(Clock::real(), connections);
    let outbox = live.outbox();
    let mut drops = 0..;
    bencher
        .counter(ItemsCount::new(people))
        .with_inputs(|| {
            let sku = drops.next().map(|n: u32| format!("drop-{n}")).unwrap();
            drop(outbox.take());
            live.press(0..people, &sku);
            (outbox.count(), sku)
        })
        .bench_local_values(|(before, sku)| {
            live.runtime.block_on(async {
                let restock = RestockInput {
                    source: "inventory".to_owned(),
                    delivery: "d-1".to_owned(),
                    sku: Sku::parse(&sku).unwrap(),
                    product: Some("Studio chair".to_owned()),
                    quantity: Some(12),
                    details: Default::default(),
                };
                live.engine.restock(restock).await.unwrap();
                outbox.wait_for(before + people).await;
            });
        });
}
