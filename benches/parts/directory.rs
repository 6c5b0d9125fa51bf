//! The directory machine: identities, idempotency keys, and bags.
//!
//! The directory grows while it is measured, as in real use; each event is closed at once, as if its lists had answered.

use divan::{Bencher, black_box};
use restockd_core::directory::{Directory, HashedIdentity, Ingest};
use restockd_core::list::ChangeSource;
use restockd_core::{Catalog, Email};

use crate::{NOON, size};

/// People known before.
fn people() -> [usize; 2] {
    size([1_000, 100_000], [3, 30])
}

/// Shopper `p` joins or leaves a list, with a key or without.
pub fn press(p: usize, join: bool, key: Option<u128>) -> Ingest {
    let email = Email::parse(&format!("shopper.{p}@mail.example")).unwrap();
    Ingest {
        name: "product.waitlisted".to_owned(),
        who: HashedIdentity { email: Some((email, p as u128)), user_id: None, anonymous_id: None },
        props: Vec::new(),
        bag: vec![(format!("restock-sku-{:04}", p % 1000), join)],
        key,
        source: ChangeSource::Event,
        timestamp: None,
        product: None,
        restock: None,
        evidence: None,
        public: false,
    }
}

/// The key of shopper `p`, spread as a hash is.
pub fn key(p: usize) -> Option<u128> {
    Some((p as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Decides, applies and closes; returns the number of records.
fn write(directory: &mut Directory, catalog: &Catalog, item: &Ingest) -> usize {
    let decision = directory.decide(item, catalog, NOON).unwrap();
    for event in &decision.events {
        directory.apply(event, NOON);
        directory.close(directory.seq());
    }
    decision.events.len()
}

fn of(people: usize) -> (Directory, Catalog) {
    let (mut directory, catalog) = (Directory::new(7, 20_000_000), Catalog::default());
    for p in 0..people {
        assert_eq!(write(&mut directory, &catalog, &press(p, true, key(p))), 1);
    }
    (directory, catalog)
}

/// An unknown shopper presses.
#[divan::bench(args = people(), max_time = 0.5)]
fn join(bencher: Bencher<'_, '_>, people: usize) {
    let (mut directory, catalog) = of(people);
    let mut next = people..;
    bencher
        .with_inputs(|| next.next().map(|p| press(p, true, key(p))).unwrap())
        .bench_local_refs(|item| write(&mut directory, &catalog, item));
}

/// The same press with the same key: nothing is written.
#[divan::bench(args = people(), max_time = 0.5)]
fn join_again(bencher: Bencher<'_, '_>, people: usize) {
    let (directory, catalog) = of(people);
    let mut next = (0..people).cycle();
    bencher.with_inputs(|| next.next().map(|p| press(p, true, key(p))).unwrap()).bench_local_refs(|item| {
        let decision = black_box(&directory).decide(item, &catalog, NOON).unwrap();
        assert!(decision.events.is_empty());
        decision
    });
}

/// A known shopper leaves, by an event without a key.
#[divan::bench(args = people(), max_time = 0.5)]
fn leave(bencher: Bencher<'_, '_>, people: usize) {
    let (mut directory, catalog) = of(people);
    let mut next = (0..people).cycle();
    bencher
        .with_inputs(|| next.next().map(|p| press(p, false, None)).unwrap())
        .bench_local_refs(|item| write(&mut directory, &catalog, item));
}
