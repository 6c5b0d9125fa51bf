//! sled against its flat twin: the same pages in, the same pages out, in the same order.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use restockd_journal::snapshots::Backend;

use super::{Pages, Place, loads, meta};

fn some_pages() -> impl Strategy<Value = Pages> {
    let value =
        prop_oneof![vec(any::<u8>(), 0..40), (any::<u8>(), 0..70_000_usize).prop_map(|(b, n)| vec![b; n])];
    btree_map(vec(any::<u8>(), 1..12), value, 0..60)
}

fn in_order(backend: Backend, pages: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let place = Place::new(backend);
    let store = place.open();
    let mut building = store.begin().unwrap();
    pages.iter().for_each(|(key, value)| building.put(key, value).unwrap());
    building.seal(meta(1)).unwrap().commit().unwrap();
    let mut taken = Vec::new();
    let outcome = store.load(&mut |key, value| {
        taken.push((key.to_vec(), value.to_vec()));
        Ok(())
    });
    outcome.unwrap();
    loads(&store, 1, &pages.iter().cloned().collect());
    taken
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_backends_return_what_was_put(pages in some_pages().prop_map(|it| it.into_iter().collect::<Vec<_>>())
        .prop_shuffle())
    {
        let (sled, flat) = (in_order(Backend::Sled, &pages), in_order(Backend::Flat, &pages));
        prop_assert!(sled == flat);
        let mut sorted = pages;
        sorted.sort();
        prop_assert!(sled == sorted);
    }
}
