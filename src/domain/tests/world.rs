//! The world: actors without threads, a wire, a clock, a log.

mod actors;
mod clients;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::model::{Known, Model};
use crate::domain::campaign::{
    CampaignEvent, Campaigns, Header, NextLetter, OnDoubt, Settlement, Skip, Verb,
};
use crate::domain::catalog::Catalog;
use crate::domain::directory::{Ask, Away, Directory, DirectoryEvent, Ingest, RestockFact, Task, WhoHashed};
use crate::domain::list::{How, Invitation, List, ListCommand, ListDecision, ListEvent};
use crate::domain::{CampaignId, Day, Email, ListId, Millis, PersonId, Retry};

pub const SKUS: usize = 3;
pub const CLIENTS: usize = 8;
const GUARD: u64 = 12 * 3_600_000;
const WINDOW: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    Client,
    Directory,
    List(usize),
    Campaigns,
    Mail,
}

/// Whom an answer is for.
#[derive(Debug, Clone, Copy)]
pub enum For {
    Event(u64),
    Op(u64),
}

#[derive(Debug, Clone)]
pub enum Message {
    // To a list.
    Task { event: u64, person: Option<PersonId>, how: How, task: Task },
    Restock { op: u64, key: u128 },
    Invite(CampaignId, usize),
    Close(CampaignId, u32),
    // To the campaigns.
    Restocked { header: Box<Header>, upto: u32, added: u32, answer: For },
    Handed(CampaignId, Invitation),
    Note { of: Vec<CampaignId>, people: Vec<PersonId>, answer: For },
    NoteAll(PersonId, Skip, u64),
    Fetched { id: CampaignId, row: u32, person: PersonId, away: Option<Skip>, address: usize },
    Reply(CampaignId, PersonId, u8),
    // To the directory.
    Answered(u64),
    Fetch(CampaignId, u32, PersonId),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    List(usize, ListEvent),
    Directory(DirectoryEvent),
    Campaign(CampaignEvent),
}

/// What a client asked for and was not told yet.
#[derive(Debug, Clone)]
pub enum Wish {
    Change { address: usize, sku: usize, known: Known },
    Block { address: usize, on: bool },
    Erase(usize),
    Restock { sku: usize, key: u128 },
    Muddle,
}

#[derive(Debug)]
struct Op {
    wish: Wish,
    events: BTreeSet<u64>,
    others: u32,
    /// Once all have answered: the log must be durable up to here.
    durable_at: Option<usize>,
}

pub struct World {
    seed: u64,
    pub now: Millis,
    pub log: Vec<(Record, Millis)>,
    pub durable: usize,
    pub snapshot: Option<super::boot::Snapshot>,
    pub directory: Directory,
    pub lists: Vec<List>,
    pub campaigns: Campaigns,
    pub queues: BTreeMap<(Node, Node), VecDeque<Message>>,
    ops: BTreeMap<u64, Op>,
    next_op: u64,
    pub waiting: BTreeMap<u64, usize>,
    wire: Vec<(usize, CampaignId, PersonId, usize)>,
    busy: BTreeMap<CampaignId, u32>,
    asking: BTreeSet<CampaignId>,
    pub model: Model,
    pub crashes: u32,
    pub reopened: u32,
    canceled: BTreeSet<u128>,
    /// Addresses that some letter for a SKU was started to.
    tried: BTreeSet<(usize, usize)>,
}

pub fn list_id(sku: usize) -> ListId {
    ListId::parse(&format!("restock-{sku}")).unwrap()
}

fn sku_of(list: &ListId) -> usize {
    list.sku().unwrap().parse().unwrap()
}

pub fn header(sku: usize, id: CampaignId) -> Header {
    Header {
        id,
        key: None,
        name: "x".into(),
        list: list_id(sku),
        rule: true,
        day: Some(Day((id.0 % 100_000) as i32)),
        template: "t".into(),
        props: String::new(),
        subject: None,
        from: None,
        on_doubt: OnDoubt::Hold,
        rate: None,
        scheduled: None,
    }
}

fn email(address: usize) -> Email {
    Email::parse(&format!("p{address}@shop.example")).unwrap()
}

fn address_of(email: &Email) -> usize {
    email.as_str()[1..2].parse().unwrap()
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xabcd,
            now: Millis(1_700_000_000_000),
            log: Vec::new(),
            durable: 0,
            snapshot: None,
            directory: Directory::new(seed, 1000),
            lists: vec![List::default(); SKUS],
            campaigns: Campaigns::new(None, Retry::default()),
            queues: BTreeMap::new(),
            ops: BTreeMap::new(),
            next_op: 0,
            waiting: BTreeMap::new(),
            wire: Vec::new(),
            busy: BTreeMap::new(),
            asking: BTreeSet::new(),
            model: Model::default(),
            crashes: 0,
            reopened: 0,
            canceled: BTreeSet::new(),
            tried: BTreeSet::new(),
        }
    }

    /// The next number below `n` (splitmix64).
    pub fn dice(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// All that was written, for comparing runs.
    pub fn trace(&self) -> String {
        format!("{:?}", self.log)
    }

    /// One thing happens.
    pub fn step(&mut self) {
        let ms = match self.dice(60) {
            0 => 5 * 3_600_000,
            _ => self.dice(20_000) as u64,
        };
        self.now = self.now.plus(ms);
        match self.dice(100) {
            0..16 => self.client(),
            16..60 => self.deliver(),
            60..75 => self.tick(),
            75..87 => self.mail(true),
            87..96 => self.sync(),
            96 => self.snap(),
            97 => self.verb(),
            98 => self.crash(),
            _ => {}
        }
        self.check();
    }

    /// Lets everything come to its end: no more clients, no more crashes, servers accept.
    pub fn settle(&mut self) {
        for round in 0..3000 {
            let paused: Vec<CampaignId> = self.campaigns.open().map(|c| c.header.id).collect();
            paused.into_iter().for_each(|id| self.decide_verb(id, Verb::Resume));
            self.now = self.now.plus(60_000);
            self.sync();
            self.deliver();
            self.mail(false);
            self.tick();
            self.check();
            let quiet = self.queues.values().all(VecDeque::is_empty) && self.wire.is_empty();
            if quiet && self.campaigns.open().count() == 0 && self.ops.is_empty() {
                return;
            }
            assert!(round < 2999, "the world does not come to rest: {:?}", self.ops);
        }
    }

    /// Whoever waited got a mail, and the counts say what the mailboxes say.
    pub fn judge(&self) {
        for campaign in self.campaigns.newest() {
            let id = campaign.header.id.0;
            let counts = campaign.ledger.counts();
            let accepted = self.model.accepted_of(id);
            assert!(
                (counts.sent..=counts.sent + counts.doubt).contains(&accepted),
                "{id}: {counts:?} {accepted}"
            );
        }
        for list in &self.lists {
            assert_eq!(list.running().count(), 0, "a list thinks that a campaign runs");
        }
        self.model.judge(|sku, _, address| {
            let person = self.directory.by_email(&email(address));
            let of_sku = self.campaigns.newest().filter(|c| c.header.list == list_id(sku));
            // In doubt, given up after a day, the campaign was canceled; or the address was tried a
            // short while ago, perhaps under the number of somebody erased since.
            of_sku
                .filter(|c| {
                    let row = person.and_then(|person| c.ledger.find(person));
                    self.canceled.contains(&c.header.id.0)
                        || row.is_some_and(|(_, row)| {
                            use crate::domain::campaign::LetterState::{Doubt, Skipped};
                            let tried = self.tried.contains(&(sku, address));
                            matches!(row.state, Doubt | Skipped(Skip::Expired))
                                || (tried && row.state == Skipped(Skip::RecentlyNotified))
                        })
                })
                .count()
                > 0
        });
    }

    /// Laws that hold after every step.
    fn check(&self) {
        for campaign in self.campaigns.newest() {
            let counts = campaign.ledger.counts();
            let skipped: u64 = campaign.skipped().iter().sum();
            let sum = campaign.pending() + counts.started + counts.deferred + counts.sent;
            assert_eq!(campaign.total(), sum + counts.failed + skipped + counts.doubt);
            let addresses: BTreeSet<PersonId> = campaign.ledger.rows().map(|row| row.person).collect();
            assert_eq!(addresses.len(), campaign.ledger.len(), "two letters for one person");
        }
    }

    pub fn record(&mut self, record: Record) {
        match &record {
            Record::List(sku, event) => {
                if let ListEvent::Restocked { key, .. } = event {
                    self.model.counted(*sku, *key, self.now.0);
                }
                self.lists[*sku].apply(event, self.now);
            }
            Record::Directory(event) => self.directory.apply(event, self.now),
            Record::Campaign(event) => {
                self.reopened += u32::from(matches!(event, CampaignEvent::Reopened { .. }));
                self.campaigns.apply(event, self.now);
            }
        }
        self.log.push((record, self.now));
    }

    pub fn send(&mut self, from: Node, to: Node, message: Message) {
        self.queues.entry((from, to)).or_default().push_back(message);
    }

    /// Power is cut: the tail that was not durable may be lost, letters on the wire may arrive.
    fn crash(&mut self) {
        self.crashes += 1;
        let kept = self.durable + self.dice(self.log.len() - self.durable + 1);
        for (record, _) in &self.log[kept..] {
            if let Record::List(sku, ListEvent::Restocked { key, .. }) = record {
                self.model.uncounted(*sku, *key);
            }
            if let Record::Campaign(CampaignEvent::Canceled(id)) = record {
                self.canceled.remove(&id.0);
            }
        }
        self.log.truncate(kept);
        for (at, id, _, address) in std::mem::take(&mut self.wire) {
            if at <= self.durable && self.dice(2) == 0 {
                self.model.accepts(id.0, address);
            }
        }
        self.durable = kept;
        self.queues.clear();
        self.ops.clear();
        self.waiting.clear();
        self.busy.clear();
        self.asking.clear();
        self.reboot();
    }
}
