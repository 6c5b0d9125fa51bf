//! What clients and mailboxes know; shares no code with the machines.

use std::collections::{BTreeMap, BTreeSet};

/// What a client knows of their place on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Never pressed, or erased.
    Never,
    /// Pressed, and was told so.
    Yes,
    /// Left, and was told so.
    No,
    /// Asked, and was not told.
    Unsure,
}

/// A restock that was acknowledged or at least sent, and who surely waited for it.
#[derive(Debug, Clone)]
struct Promise {
    sku: usize,
    key: u128,
    waiting: BTreeSet<usize>,
    acknowledged: bool,
}

/// The naive model: addresses, lists, mails.
#[derive(Debug, Default)]
pub struct Model {
    known: BTreeMap<(usize, usize), Known>,
    /// Addresses that take no mail: told so, or (`None`) asked.
    blocked: BTreeMap<usize, Option<bool>>,
    promises: Vec<Promise>,
    /// Mails accepted, by campaign and address.
    accepted: BTreeMap<(u128, usize), u32>,
    /// Letters that a server refused for good.
    refused: BTreeSet<(u128, usize)>,
    counted: BTreeMap<(usize, u128), u64>,
}

/// Seven days in milliseconds.
const WEEK: u64 = 7 * 86_400_000;

impl Model {
    pub fn known(&self, address: usize, sku: usize) -> Known {
        self.known.get(&(address, sku)).copied().unwrap_or(Known::Never)
    }

    /// A client asks for a change; until told, nobody knows. Who does not surely wait any more is
    /// no longer promised anything.
    pub fn asks(&mut self, address: usize, sku: usize, join: bool) {
        if !join || self.known(address, sku) != Known::Yes {
            self.known.insert((address, sku), Known::Unsure);
        }
        if !join {
            self.excuse(address, Some(sku));
        }
    }

    pub fn told(&mut self, address: usize, sku: usize, known: Known) {
        self.known.insert((address, sku), known);
    }

    /// No mail at all, or again, is asked for.
    pub fn asks_block(&mut self, address: usize) {
        self.blocked.insert(address, None);
        self.excuse(address, None);
    }

    pub fn told_block(&mut self, address: usize, on: bool) {
        self.blocked.insert(address, Some(on));
    }

    /// From now on nothing is certain of an address.
    pub fn muddle(&mut self, address: usize, skus: usize) {
        (0..skus).for_each(|sku| _ = self.known.insert((address, sku), Known::Unsure));
        self.blocked.insert(address, None);
        self.excuse(address, None);
    }

    /// Takes back what was promised to an address.
    pub fn excuse(&mut self, address: usize, sku: Option<usize>) {
        for promise in self.promises.iter_mut().filter(|promise| sku.is_none_or(|sku| sku == promise.sku)) {
            promise.waiting.remove(&address);
        }
    }

    /// A restock is sent: who surely waits now must be reached by it.
    pub fn restocks(&mut self, sku: usize, key: u128) {
        if self.promises.iter().any(|promise| (promise.sku, promise.key) == (sku, key)) {
            return; // The same delivery again promises nothing new.
        }
        let free = |address: &usize| !matches!(self.blocked.get(address), Some(None | Some(true)));
        let waiting = self.known.iter().filter(|((_, of), known)| *of == sku && **known == Known::Yes);
        let waiting = waiting.map(|((address, _), _)| *address).filter(free).collect();
        self.promises.push(Promise { sku, key, waiting, acknowledged: false });
    }

    pub fn told_restock(&mut self, sku: usize, key: u128) {
        for promise in self.promises.iter_mut().filter(|p| (p.sku, p.key) == (sku, key)) {
            promise.acknowledged = true;
        }
    }

    /// A restock record: the same delivery counts once in seven days (P2).
    pub fn counted(&mut self, sku: usize, key: u128, at: u64) {
        let before = self.counted.insert((sku, key), at);
        assert!(before.is_none_or(|before| at >= before + WEEK), "delivery {key} counted twice");
    }

    /// A record that a crash took back before it was durable.
    pub fn uncounted(&mut self, sku: usize, key: u128) {
        self.counted.remove(&(sku, key));
    }

    /// A letter is started: only to somebody who wants it (P4).
    pub fn starts(&self, address: usize, sku: usize, who: &str) {
        let known = self.known(address, sku);
        assert!(matches!(known, Known::Yes | Known::Unsure), "{who}: started although {known:?}");
        assert!(self.blocked.get(&address) != Some(&Some(true)), "{who}: started although blocked");
    }

    /// A mailbox has got a mail: the only one of its campaign (P3, P6).
    pub fn accepts(&mut self, campaign: u128, address: usize) {
        let count = self.accepted.entry((campaign, address)).or_default();
        *count += 1;
        assert_eq!(*count, 1, "two mails of campaign {campaign} to address {address}");
    }

    pub fn refuses(&mut self, campaign: u128, address: usize) {
        self.refused.insert((campaign, address));
    }

    pub fn mails(&self) -> usize {
        self.accepted.len()
    }

    /// How many mails of a campaign were accepted.
    pub fn accepted_of(&self, campaign: u128) -> u64 {
        self.accepted.keys().filter(|(of, _)| *of == campaign).count() as u64
    }

    /// Everybody to whom an acknowledged restock was promised has got a mail for that SKU (P1, P5,
    /// P7), or `excused` says why not.
    pub fn judge(&self, excused: impl Fn(usize, u128, usize) -> bool) {
        for promise in self.promises.iter().filter(|promise| promise.acknowledged) {
            for address in &promise.waiting {
                let of_sku = |campaign: &u128| *campaign / 100_000 == promise.sku as u128;
                let got = self.accepted.keys().any(|(c, a)| of_sku(c) && a == address);
                let refused = self.refused.iter().any(|(c, a)| of_sku(c) && a == address);
                let fine = got || refused || excused(promise.sku, promise.key, *address);
                assert!(fine, "address {address} waited for {promise:?} in vain");
            }
        }
    }
}
