//! P1 and P2 under load and kills: what was acknowledged is there, and counts once.
//!
//! Threads of shoppers press and leave, a warehouse restocks; each keeps what it was promised.
//! A request whose answer was lost is repeated with the same key, as a client would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::process::{Answer, Client, Place, until};
use crate::{Dice, size};

/// Threads of shoppers.
const SHOPPERS: u64 = 6;
/// Threads of warehouses.
const WAREHOUSES: u64 = 2;
/// Products.
const SKUS: u64 = 12;

/// What the threads share.
struct World {
    /// How to reach the engine that runs now.
    client: Mutex<Client>,
    over: AtomicBool,
    /// Requests that were acknowledged.
    promises: AtomicU64,
}

/// What one thread was promised.
#[derive(Default)]
struct Promised {
    /// SKU and address, and whether it is a member by the last acknowledged word.
    members: BTreeMap<(String, String), bool>,
    /// SKU and delivery id.
    restocks: BTreeSet<(String, String)>,
    repeated: u64,
}

impl World {
    /// Asks until there is an acknowledgement; answers it, and how often the request was repeated.
    fn ask(&self, ask: impl Fn(&Client) -> Answer) -> (Value, u64) {
        let mut repeated = 0;
        let body = until("the engine acknowledges", || {
            let client = self.client.lock().unwrap().clone();
            match ask(&client) {
                Some((200 | 202, body)) => Some(body),
                Some((503, _)) | None => {
                    repeated += 1;
                    None
                }
                Some((status, body)) => panic!("{status} {body}"),
            }
        });
        self.promises.fetch_add(1, Ordering::Relaxed);
        (body, repeated)
    }

    fn shopper(&self, thread: u64) -> Promised {
        let mut promised = Promised::default();
        for n in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let (sku, email) = (format!("s{}", n % SKUS), format!("p{n}.{thread}@shop.example"));
            let leaves = n % 5 == 4;
            for here in [true, false].into_iter().take(1 + usize::from(leaves)) {
                let list = format!("restock-{sku}");
                let event = json!({
                    "name": "press", "email": email, "lists": { list: here },
                    "idempotencyKey": format!("k-{thread}-{n}-{here}"),
                });
                let (answer, repeated) = self.ask(|client| client.try_post("/v1/events", &event));
                // Only a request whose answer was lost can have been stored before.
                assert!(answer["stored"] == true || repeated > 0, "{answer}");
                assert!(answer.get("listsError").is_none(), "{answer}");
                promised.repeated += repeated;
                promised.members.insert((sku.clone(), email.clone()), here);
            }
        }
        promised
    }

    fn warehouse(&self, thread: u64) -> Promised {
        let mut promised = Promised::default();
        for n in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let (sku, delivery) = (format!("s{}", (n * 7 + thread) % SKUS), format!("d-{thread}-{n}"));
            let (answer, repeated) = self.ask(|client| client.try_restock(&delivery, &sku));
            assert_eq!(answer["event"], "product.restocked", "{answer}");
            assert!(answer.get("duplicate").is_none() || repeated > 0, "{answer}");
            promised.repeated += repeated;
            promised.restocks.insert((sku, delivery));
        }
        promised
    }
}

#[test]
fn what_was_acknowledged_under_load_is_there_after_every_kill() {
    let kills = size("RESTOCKD_KILLS", 3);
    let mut dice = Dice::new("presses under kills");
    let place = Place::new("memory:").toml("[engine]\nsegment_mib = 1\nsnapshot_every = \"1s\"\n");
    let mut engine = place.start();
    let world = Arc::new(World {
        client: Mutex::new(engine.client.clone()),
        over: AtomicBool::new(false),
        promises: AtomicU64::new(0),
    });
    let mut threads = Vec::new();
    for thread in 0..SHOPPERS + WAREHOUSES {
        let world = Arc::clone(&world);
        threads.push(std::thread::spawn(move || {
            if thread < SHOPPERS { world.shopper(thread) } else { world.warehouse(thread) }
        }));
    }
    for kill in 1..=kills {
        let goal = world.promises.load(Ordering::Relaxed) + 200 + dice.below(800);
        until("enough was promised", || {
            assert!(threads.iter().all(|thread| !thread.is_finished()), "a thread of the load died");
            (world.promises.load(Ordering::Relaxed) >= goal).then_some(())
        });
        engine.kill();
        println!("kill {kill} after {} promises", world.promises.load(Ordering::Relaxed));
        engine = place.start();
        *world.client.lock().unwrap() = engine.client.clone();
    }
    world.over.store(true, Ordering::Relaxed);
    let promised: Vec<Promised> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    engine.kill();
    let engine = place.start();
    let repeated: u64 = promised.iter().map(|each| each.repeated).sum();
    let (mut presses, mut restocks) = (0, 0);
    let members = |n: u64| engine.client.members(&format!("restock-s{n}"));
    let lists: Vec<BTreeSet<String>> = (0..SKUS).map(|n| members(n).into_iter().collect()).collect();
    for ((sku, email), here) in promised.iter().flat_map(|each| &each.members) {
        let list = &lists[sku[1..].parse::<usize>().unwrap()];
        assert_eq!(list.contains(email), *here, "{email} on {sku}");
        presses += 1;
    }
    let known: usize = lists.iter().map(BTreeSet::len).sum();
    assert_eq!(known, promised.iter().flat_map(|each| each.members.values()).filter(|here| **here).count());
    for (sku, delivery) in promised.iter().flat_map(|each| &each.restocks) {
        let again = engine.client.restock(delivery, sku);
        assert_eq!(again["duplicate"], true, "{delivery} of {sku}: {again}");
        restocks += 1;
    }
    println!("{presses} shoppers, {restocks} restocks, {repeated} requests repeated: all as promised");
    engine.kill();
}
