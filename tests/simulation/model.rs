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
    /// The campaign that the answer named.
    campaign: Option<u128>,
}

/// A key that was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Counted {
    asked: u64,
    told: u64,
    /// Some request with it was called new.
    new: bool,
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
    /// Deliveries and event keys that were acknowledged, and when.
    counted: BTreeMap<String, Counted>,
    /// Which SKU a campaign is about.
    campaigns: BTreeMap<u128, usize>,
    /// Campaigns some of whose letters an operator sent again.
    resent: BTreeSet<u128>,
    /// Campaigns some of whose letters in doubt an operator gave up: whether they arrived is nobody's business now.
    given_up: BTreeSet<u128>,
    /// Addresses that were made one person with another.
    united: BTreeSet<usize>,
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
        let known = if self.united.contains(&address) { Known::Unsure } else { known };
        self.known.insert((address, sku), known);
    }

    /// No mail at all, or again, is asked for.
    pub fn asks_block(&mut self, address: usize) {
        self.blocked.insert(address, None);
        self.excuse(address, None);
    }

    pub fn told_block(&mut self, address: usize, on: bool) {
        if self.united.contains(&address) {
            return;
        }
        self.blocked.insert(address, Some(on));
    }

    /// An address becomes one person with another: from now on what is asked for the other changes it too, so
    /// nothing is certain of it any more.
    pub fn muddle(&mut self, address: usize, skus: usize) {
        self.united.insert(address);
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
        self.promises.push(Promise { sku, key, waiting, acknowledged: false, campaign: None });
    }

    pub fn told_restock(&mut self, sku: usize, key: u128, campaign: Option<u128>) {
        for promise in self.promises.iter_mut().filter(|p| (p.sku, p.key) == (sku, key)) {
            promise.acknowledged = true;
            promise.campaign = promise.campaign.or(campaign);
        }
    }

    /// An answer to a request with a key: new or seen before. What was acknowledged once in seven days is not new
    /// again (P2), and what was never sent before is no repeat.
    pub fn counted(&mut self, key: &str, new: bool, repeated: bool, asked: u64, told: u64) {
        assert!(new || repeated, "{key} is called a repeat and was sent once");
        let first = Counted { asked, told, new: false };
        let before = self.counted.entry(key.to_owned()).or_insert(first);
        if new {
            // Of two that were under way at once, the repeat may be answered first.
            let fits = !before.new && asked <= before.told;
            assert!(fits || told >= before.asked + WEEK, "{key} counted twice");
            *before = Counted { asked, told, new };
        }
    }

    /// A campaign is about this SKU.
    pub fn is_about(&mut self, campaign: u128, sku: usize) {
        self.campaigns.insert(campaign, sku);
    }

    /// An operator sends letters in doubt again: from here on a mail may come twice.
    pub fn resends(&mut self, campaign: u128) {
        self.resent.insert(campaign);
    }

    pub fn gives_up(&mut self, campaign: u128) {
        self.given_up.insert(campaign);
    }

    /// An operator has had a hand in the doubt of this campaign.
    pub fn was_judged(&self, campaign: u128) -> bool {
        self.resent.contains(&campaign) || self.given_up.contains(&campaign)
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
        let fine = *count == 1 || self.resent.contains(&campaign);
        assert!(fine, "two mails of campaign {campaign} to address {address}");
    }

    pub fn refuses(&mut self, campaign: u128, address: usize) {
        self.refused.insert((campaign, address));
    }

    /// How many mails of a campaign were accepted.
    pub fn accepted_of(&self, campaign: u128) -> u64 {
        self.accepted.keys().filter(|(of, _)| *of == campaign).count() as u64
    }

    /// Everybody to whom an acknowledged restock was promised has got a mail for that SKU (P1, P5,
    /// P7), or `excused` says why not.
    pub fn judge(&self, excused: impl Fn(usize, Option<u128>, usize) -> bool) {
        for promise in self.promises.iter().filter(|promise| promise.acknowledged) {
            for address in &promise.waiting {
                let of_sku = |campaign: &u128| match promise.campaign {
                    Some(named) => named == *campaign,
                    None => self.campaigns.get(campaign) == Some(&promise.sku),
                };
                let got = self.accepted.keys().any(|(c, a)| of_sku(c) && a == address);
                let refused = self.refused.iter().any(|(c, a)| of_sku(c) && a == address);
                let fine = got || refused || excused(promise.sku, promise.campaign, *address);
                assert!(fine, "address {address} waited for {promise:?} in vain");
            }
        }
    }
}
