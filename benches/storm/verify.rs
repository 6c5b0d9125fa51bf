//! Verifies over HTTP everything that was acknowledged.
//!
//! The members of each list are read page by page, over many connections. Lost is a person whose join was acknowledged and
//! who is not there; also wrong are people who are there twice, on another's list, or after their leave was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;

use super::loads::Facts;
use super::report::Check;
use super::shoppers::Shoppers;
use super::stats::Marks;
use super::wire::{Call, Endpoint, Wire};

/// Connections that read at once.
const ASKERS: usize = 32;
/// Pages of one list, at most; a page has a thousand members.
const PAGES_MAX: usize = 10_000;

/// Whether a shopper belongs on the list of a product.
pub(super) type Where = dyn Fn(&Shoppers, u64, u64) -> bool + Send + Sync;

/// What was found when lists were read.
pub(super) struct Walk {
    found: Marks,
    seen: AtomicU64,
    twice: AtomicU64,
    stray: AtomicU64,
}

impl Walk {
    /// Reads the lists of a shop; `belongs(shop, person, sku)` decides where people belong.
    pub(super) async fn over(
        endpoint: &Endpoint,
        shop: &Arc<Shoppers>,
        numbers: u64,
        several: bool,
        belongs: Arc<Where>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Self> {
        let zero = AtomicU64::default;
        let walk = Arc::new(Self { found: Marks::new(numbers), seen: zero(), twice: zero(), stray: zero() });
        let next = Arc::new(AtomicU64::new(0));
        let askers: Vec<_> = (0..ASKERS)
            .map(|_| {
                let (walk, next, shop) = (Arc::clone(&walk), Arc::clone(&next), Arc::clone(shop));
                let (belongs, bar, mut wire) = (Arc::clone(&belongs), bar.clone(), Wire::new(endpoint));
                tokio::spawn(async move {
                    loop {
                        let sku = next.fetch_add(1, Ordering::Relaxed);
                        if sku >= shop.skus {
                            return anyhow::Ok(());
                        }
                        walk.list(&mut wire, &shop, sku, several, &*belongs).await?;
                        bar.inc(1);
                    }
                })
            })
            .collect();
        for asker in askers {
            asker.await.context("an asker died")??;
        }
        Arc::into_inner(walk).context("an asker is still at work")
    }

    /// Reads one list.
    async fn list(
        &self,
        wire: &mut Wire,
        shop: &Shoppers,
        sku: u64,
        several: bool,
        belongs: &Where,
    ) -> anyhow::Result<()> {
        let list = shop.list(sku);
        let mut path = format!("/v1/lists/{list}/members?limit=1000");
        for _ in 0..PAGES_MAX {
            let answer = wire.ask(Call::get(path)).await?;
            if answer.status == 404 {
                return Ok(()); // nobody ever pressed for it
            }
            ensure!(answer.is_ok(), "the members of {list} were answered {}", answer.status);
            let page = answer.json();
            for member in page["members"].as_array().into_iter().flatten() {
                let person = member["email"].as_str().and_then(|address| shop.person(address));
                let Some(person) = person.filter(|person| belongs(shop, *person, sku)) else {
                    self.stray.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                self.seen.fetch_add(1, Ordering::Relaxed);
                if !several && self.found.has(person) {
                    self.twice.fetch_add(1, Ordering::Relaxed);
                }
                self.found.set(person);
            }
            let Some(cursor) = page["cursor"].as_str() else { return Ok(()) };
            path = format!("/v1/lists/{list}/members?limit=1000&cursor={cursor}");
        }
        anyhow::bail!("the members of {list} have no end")
    }

    /// The number of memberships found.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Compares the findings with what was acknowledged; `strangers` is how many others were put on these lists.
    pub(super) fn judge(&self, facts: &Facts, numbers: u64, strangers: u64) -> Vec<Check> {
        let (mut wanted, mut there, mut back) = (0, 0, 0);
        for person in 0..numbers {
            let found = self.found.has(person);
            if facts.left.has(person) {
                back += u64::from(found);
            } else if facts.joined.has(person) && !facts.leaving.has(person) {
                wanted += 1;
                there += u64::from(found);
            }
        }
        vec![
            Check::same("acknowledged presses asked back", wanted, there),
            Check::same("who had left and is there again", 0, back),
            Check::same("members twice on a list", 0, self.twice.load(Ordering::Relaxed)),
            Check::same(
                "members who are none of these people, or on another's list",
                strangers,
                self.stray.load(Ordering::Relaxed),
            ),
        ]
    }
}
