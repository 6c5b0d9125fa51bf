//! The loads: the requests of each scenario, and what their answers must say.
//!
//! A shopper is on the list of one product only, which follows from the shopper's number: so a list's members can be compared
//! with what was acknowledged.

use std::fmt::Write;
use std::sync::Arc;

use restockd::http;

use super::drive::Load;
use super::shoppers::{Shoppers, mix};
use super::stats::Marks;
use super::wire::{Call, HttpReply};

const EVENTS: &str = "/v1/events";
const BATCH: &str = "/v1/events/batch";
const WEBHOOK: &str = "/v1/webhooks/inventory";

/// What was acknowledged, by number.
#[derive(Debug)]
pub(super) struct Facts {
    /// Shoppers whose press was acknowledged.
    pub(super) joined: Marks,
    /// Shoppers whose leave was acknowledged.
    pub(super) left: Marks,
    /// Shoppers whose leave was sent, acknowledged or not.
    pub(super) leaving: Marks,
    /// Deliveries that were acknowledged.
    pub(super) delivered: Marks,
}

impl Facts {
    pub(super) fn new(numbers: u64) -> Arc<Self> {
        let marks = || Marks::new(numbers);
        Arc::new(Self { joined: marks(), left: marks(), leaving: marks(), delivered: marks() })
    }
}

/// New shoppers, each pressing once.
pub(super) struct Press {
    pub(super) shop: Arc<Shoppers>,
    pub(super) facts: Arc<Facts>,
}

impl Load for Press {
    fn call(&self, n: u64) -> Call {
        Call::post(EVENTS, self.shop.press(n, self.shop.sku(n), n))
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if !answer.says("\"stored\":true") {
            return Err("a new press was not stored");
        }
        self.facts.joined.set(n);
        Ok(())
    }
}

/// The first `of` presses once more.
pub(super) struct Repeat {
    pub(super) shop: Arc<Shoppers>,
    pub(super) of: u64,
}

impl Load for Repeat {
    fn call(&self, n: u64) -> Call {
        let person = mix(n) % self.of.max(1);
        Call::post(EVENTS, self.shop.press(person, self.shop.sku(person), person))
    }

    fn took(&self, _: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if answer.says("\"stored\":false") { Ok(()) } else { Err("a repeat was stored again") }
    }
}

/// Batches of new shoppers.
pub(super) struct BatchLoad {
    pub(super) shop: Arc<Shoppers>,
    pub(super) facts: Arc<Facts>,
    pub(super) size: u64,
}

impl Load for BatchLoad {
    fn call(&self, n: u64) -> Call {
        let mut body = String::with_capacity(self.size as usize * 280 + 16);
        body.push_str("{\"events\":[");
        for person in n * self.size..(n + 1) * self.size {
            if person != n * self.size {
                body.push(',');
            }
            self.shop.write_press(&mut body, person, self.shop.sku(person), person);
        }
        body.push_str("]}");
        Call::post(BATCH, body)
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if answer.count("\"stored\":true") != self.size {
            return Err("a batch of new presses was not stored whole");
        }
        (n * self.size..(n + 1) * self.size).for_each(|person| self.facts.joined.set(person));
        Ok(())
    }
}

/// Signed restocks, most of them redelivered.
pub(super) struct Webhooks {
    pub(super) shop: Arc<Shoppers>,
    pub(super) facts: Arc<Facts>,
    pub(super) secret: String,
    /// One in this many requests is a new delivery.
    pub(super) fresh_every: u64,
}

/// A redelivery repeats one of this many latest deliveries.
const REDELIVERED_OF: u64 = 200;

impl Webhooks {
    fn delivery(&self, n: u64) -> u64 {
        let newest = n / self.fresh_every;
        if n.is_multiple_of(self.fresh_every) {
            newest
        } else {
            newest.saturating_sub(mix(n) % REDELIVERED_OF)
        }
    }
}

/// A signed restock.
pub(super) fn restock(shop: &Shoppers, secret: &str, delivery: u64, sku: u64, quantity: u64) -> Call {
    let body = shop.restock(delivery, sku, quantity);
    let signature = http::sign(secret.as_bytes(), body.as_bytes());
    Call { signature: Some(signature), ..Call::post(WEBHOOK, body) }
}

impl Load for Webhooks {
    fn call(&self, n: u64) -> Call {
        let delivery = self.delivery(n);
        restock(&self.shop, &self.secret, delivery, self.shop.sku(delivery), 5)
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if !answer.says("\"ok\":true") || answer.says("skipped") {
            return Err("a restock was not accepted");
        }
        self.facts.delivered.set(self.delivery(n));
        Ok(())
    }
}

/// One product that sells out and comes back all the time, while shoppers press for it and for others.
pub(super) struct Flap {
    pub(super) press: Press,
    pub(super) secret: String,
}

/// The product's stock changes with one in this many requests.
const FLAP_EVERY: u64 = 50;

impl Load for Flap {
    fn call(&self, n: u64) -> Call {
        if n.is_multiple_of(FLAP_EVERY) {
            let quantity = (n / FLAP_EVERY) % 2 * 7;
            return restock(&self.press.shop, &self.secret, n, 0, quantity);
        }
        self.press.call(n)
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if n.is_multiple_of(FLAP_EVERY) {
            self.press.facts.delivered.set(n);
            return if answer.says("\"ok\":true") { Ok(()) } else { Err("a restock was not accepted") };
        }
        self.press.took(n, answer)
    }
}

/// A shop's day: presses, orders, restocks, and pages that read a position.
pub(super) struct Mixed {
    pub(super) press: Press,
    pub(super) secret: String,
}

/// The kinds of requests in a day.
enum RequestKind {
    Press,
    Order(u64),
    Restock,
    Read(u64),
}

/// An order is of the shopper who came this many requests before.
const ORDER_AFTER: u64 = 4_000;

impl Mixed {
    fn kind_of(&self, n: u64) -> RequestKind {
        match mix(n ^ 0x5eed) % 100 {
            0..15 => match n.checked_sub(ORDER_AFTER) {
                // Only shoppers whose press was acknowledged order.
                Some(person) if self.press.facts.joined.has(person) => RequestKind::Order(person),
                _ => RequestKind::Read(n),
            },
            15..20 => RequestKind::Restock,
            20..30 => RequestKind::Read(n.saturating_sub(mix(n) % ORDER_AFTER)),
            _ => RequestKind::Press,
        }
    }
}

impl Load for Mixed {
    fn call(&self, n: u64) -> Call {
        let shop = &self.press.shop;
        match self.kind_of(n) {
            RequestKind::Press => self.press.call(n),
            RequestKind::Order(person) => {
                self.press.facts.leaving.set(person);
                Call::post(EVENTS, shop.order(person, shop.sku(person), n))
            }
            RequestKind::Restock => restock(shop, &self.secret, n, shop.sku(n), 3),
            RequestKind::Read(person) => {
                let mut path = String::from("/v1/lists?limit=20&email=");
                // Writing into a string cannot fail.
                let _ = write!(path, "{}", shop.address(person));
                Call::get(path)
            }
        }
    }

    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str> {
        let facts = &self.press.facts;
        // The answer shows the kind of request: by now more presses may be acknowledged than when it was chosen.
        if answer.says("\"stored\"") {
            match n.checked_sub(ORDER_AFTER).filter(|_| mix(n ^ 0x5eed) % 100 < 15) {
                Some(person) => facts.left.set(person),
                None => facts.joined.set(n),
            }
            return if answer.says("\"stored\":true") { Ok(()) } else { Err("a new event was not stored") };
        }
        if answer.says("\"lists\":") {
            return Ok(());
        }
        facts.delivered.set(n);
        if answer.says("\"ok\":true") { Ok(()) } else { Err("a restock was not accepted") }
    }
}

/// Every acknowledged delivery once more: the engine must answer that it is a duplicate.
pub(super) struct RepeatedRestock {
    shop: Arc<Shoppers>,
    secret: String,
    known: Vec<u64>,
}

impl RepeatedRestock {
    pub(super) fn new(shop: Arc<Shoppers>, secret: String, known: Vec<u64>) -> Self {
        Self { shop, secret, known }
    }

    pub(super) fn len(&self) -> u64 {
        self.known.len() as u64
    }
}

impl Load for RepeatedRestock {
    fn call(&self, n: u64) -> Call {
        let delivery = self.known.get(n as usize).copied().unwrap_or_default();
        restock(&self.shop, &self.secret, delivery, self.shop.sku(delivery), 5)
    }

    fn took(&self, _: u64, answer: &HttpReply) -> Result<(), &'static str> {
        if answer.says("\"duplicate\":true") { Ok(()) } else { Err("an acknowledged delivery is not known") }
    }
}

/// A load whose answers are not judged, for the ceiling.
pub(super) struct Unchecked(pub(super) Arc<dyn Load>);

impl Load for Unchecked {
    fn call(&self, n: u64) -> Call {
        self.0.call(n)
    }

    fn took(&self, _: u64, _: &HttpReply) -> Result<(), &'static str> {
        Ok(())
    }
}
