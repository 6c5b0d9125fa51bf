//! Full load: shoppers, a warehouse, an operator and checkpoint rounds, all at once and as fast as they are answered.
//!
//! Every request holds the gate for as long as it is under way; a comparison closes the gate, so that it sees an engine
//! to which nothing happens. A request without an acknowledgement is repeated with the same key until it has one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use restockd_testkit::dice::Dice;
use restockd_testkit::process::{Answer, Client, until};
use serde_json::json;

use crate::deeds::{self, Heard, Wire, list_of};
use crate::oracle::Oracle;

/// Threads of shoppers.
const SHOPPERS: u64 = 5;
/// Products.
const SKUS: u64 = 6;
/// The product that nobody restocks; campaigns by hand go to its list.
const NEWS: &str = "news";
/// Acknowledgements between two campaigns by hand.
const CAMPAIGN_EVERY: u64 = 250;

/// What the threads share.
pub struct World {
    /// How to reach the engine that runs now.
    pub gate: RwLock<Client>,
    pub oracle: Oracle,
    over: AtomicBool,
    /// The test has failed: nobody will answer any more.
    abandoned: AtomicBool,
    /// Checkpoint rounds that succeeded.
    pub rounds: AtomicU64,
    /// Requests that were sent again.
    pub repeated: AtomicU64,
    seed: u64,
}

/// A running load.
pub struct Load {
    pub world: Arc<World>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(client: Client, name: &str, seed: u64) -> Self {
        let world = Arc::new(World {
            gate: RwLock::new(client),
            oracle: Oracle::new(name),
            over: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            rounds: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            seed,
        });
        let threads = (0..SHOPPERS + 3).map(|thread| {
            let world = Arc::clone(&world);
            std::thread::spawn(move || match thread.checked_sub(SHOPPERS) {
                None => world.shopper(thread),
                Some(0) => world.warehouse(),
                Some(1) => world.operator(),
                Some(_) => world.checkpoints(),
            })
        });
        let threads = threads.collect();
        Self { world, threads }
    }

    /// Waits until so many requests more were acknowledged.
    pub fn go_on(&self, more: u64) {
        let goal = self.world.oracle.acknowledged() + more;
        until("enough was acknowledged", || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a thread of the load died");
            (self.world.oracle.acknowledged() >= goal).then_some(())
        });
    }

    /// Lets every thread finish what it has asked for.
    pub fn end(mut self) -> Arc<World> {
        self.world.over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        Arc::clone(&self.world)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.world.over.store(true, Ordering::Relaxed);
        self.world.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Wire for World {
    fn ask(&self, ask: &dyn Fn(&Client) -> Answer) -> Option<Heard> {
        let mut repeated = 0;
        let heard = until("the engine acknowledges", || {
            if self.abandoned.load(Ordering::Relaxed) {
                return Some(None);
            }
            let client = self.gate.read().unwrap();
            match ask(&client) {
                Some((503, _)) | None => {
                    repeated += 1;
                    None
                }
                answer => Some(answer),
            }
        });
        self.repeated.fetch_add(repeated, Ordering::Relaxed);
        heard.map(|(status, body)| Heard { status, body, repeated })
    }

    fn oracle(&self) -> &Oracle {
        &self.oracle
    }
}

impl World {
    fn turns(&self) -> impl Iterator<Item = u64> {
        (0..).take_while(|_| !self.over.load(Ordering::Relaxed))
    }

    fn shopper(&self, thread: u64) {
        let mut dice = Dice::of(self.seed ^ (thread + 1));
        for n in self.turns() {
            let email = format!("p{n}.{thread}@shop.example");
            let first = dice.below(SKUS);
            let mut lists: Vec<String> =
                (0..=dice.below(3)).map(|more| list_of(&format!("s{}", (first + more) % SKUS))).collect();
            if n % 20 == 0 {
                lists.push(list_of(NEWS));
            }
            let joined = deeds::press(self, &email, &lists, true, &format!("j-{thread}-{n}"));
            match n % 12 {
                3 => drop(deeds::press(self, &email, &lists[..1], false, &format!("l-{thread}-{n}"))),
                5 => drop(deeds::unsubscribe(self, &email, &lists[0])),
                7 => drop(deeds::erase(self, &email)),
                9 => {
                    let emails: Vec<String> = (0..30).map(|m| format!("b{m}.{email}")).collect();
                    deeds::press_many(self, &emails, &lists[0]);
                }
                _ => joined.into_iter().for_each(|event| self.oracle.keyed(event)),
            }
        }
    }

    fn warehouse(&self) {
        for n in self.turns() {
            deeds::restock(self, &format!("s{}", n % SKUS), &format!("d-{n}"));
        }
    }

    /// A campaign by hand every so many acknowledgements.
    fn operator(&self) {
        let mut next = CAMPAIGN_EVERY;
        for n in self.turns() {
            until("it is time for a campaign", || {
                let due = self.oracle.acknowledged() >= next || self.over.load(Ordering::Relaxed);
                due.then_some(())
            });
            next = self.oracle.acknowledged() + CAMPAIGN_EVERY;
            let first = (list_of(NEWS), "p0.0@shop.example".to_owned());
            if self.oracle.look(|facts| facts.members.get(&first).is_some_and(|member| member.here.is_some()))
            {
                deeds::campaign(self, &list_of(NEWS), &format!("campaign-{n}"));
            }
        }
    }

    /// One round after the other; one that fails is asked for again.
    fn checkpoints(&self) {
        for _ in self.turns() {
            let round = until("a round is done", || {
                let client = self.gate.read().unwrap();
                match client.try_post("/v1/admin/snapshot", &json!({})) {
                    Some((200, _)) => Some(1),
                    _ => self.over.load(Ordering::Relaxed).then_some(0),
                }
            });
            self.rounds.fetch_add(round, Ordering::Relaxed);
        }
    }
}
