//! The world: one engine that is started, crashed and started again, its clients, its relay, its disk, its clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use restockd_core::{CampaignId, Email, ListId, Millis};
use restockd_engine::clock::Clock;
use restockd_journal::disk::Disk;
use restockd_testkit::disk::SimDisk;

mod fate;

use crate::clients::{Pending, Wish};
use crate::dice::Dice;
use crate::model::Model;
use crate::queues::{Node, Parcel};
use crate::round::{Round, Step};
use crate::running::Running;
use crate::scene::Scene;
use crate::words::Words;

pub const SKUS: usize = 3;
pub const CLIENTS: usize = 8;

pub struct World {
    pub seed: u64,
    pub dice: Dice,
    pub scene: Arc<Scene>,
    pub disk: SimDisk,
    pub clock: Clock,
    pub running: Option<Running>,
    pub pending: Vec<Pending>,
    pub model: Model,
    pub words: Words,
    /// Requests with a key, to be sent again.
    pub wishes: Vec<Wish>,
    /// How often each key was sent, and when for the first time.
    pub sent: BTreeMap<String, (u32, u64)>,
    pub created: BTreeSet<CampaignId>,
    /// Campaigns that somebody asked to cancel.
    pub canceled: BTreeSet<u128>,
    /// Addresses that some letter for a SKU was started to.
    pub tried: BTreeSet<(usize, usize)>,
    pub campaigns_seen: usize,
    number: u64,
    /// The power is to be cut after some more calls.
    fuse: bool,
    pub counts: Counts,
    pub operations: u64,
    pub acknowledged: u64,
    pub refusals: u64,
    pub lost: u64,
    trace: u64,
    /// The latest time that any life has seen.
    latest: u64,
}

/// What a world went through.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub power_cuts: u64,
    pub kills: u64,
    pub in_recovery: u64,
    pub disk_errors: u64,
    pub full: u64,
    pub rounds: u64,
    pub letters: u64,
}

pub fn list_name(sku: usize) -> String {
    format!("restock-s{sku}")
}

pub fn list_id(sku: usize) -> ListId {
    ListId::parse(&list_name(sku)).unwrap()
}

pub fn sku_of(list: &ListId) -> usize {
    list.sku().unwrap()[1..].parse().unwrap()
}

pub fn email(address: usize) -> Email {
    let domain = if address.is_multiple_of(3) { "gmail.com" } else { "shop.example" };
    Email::parse(&format!("p{address}@{domain}")).unwrap()
}

pub fn address_of(email: &str) -> usize {
    email[1..2].parse().unwrap()
}

impl World {
    pub fn new(seed: u64, scene: Arc<Scene>) -> Self {
        let mut world = Self {
            seed,
            dice: Dice::new(seed),
            scene,
            disk: SimDisk::new(seed),
            clock: Clock::manual(Millis(1_700_000_000_000)),
            running: None,
            pending: Vec::new(),
            model: Model::default(),
            words: Words::default(),
            wishes: Vec::new(),
            sent: BTreeMap::new(),
            created: BTreeSet::new(),
            canceled: BTreeSet::new(),
            tried: BTreeSet::new(),
            campaigns_seen: 0,
            number: 0,
            fuse: false,
            counts: Counts::default(),
            operations: 0,
            acknowledged: 0,
            refusals: 0,
            lost: 0,
            trace: 0,
            latest: 0,
        };
        // The data directory is there before anything else, as at boot.
        world.disk.create_dir(Path::new("/data")).unwrap();
        world.disk.sync_dir(Path::new("/")).unwrap();
        world.start(false);
        world
    }

    /// Tells the story of one seed, if asked to.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.scene.story {
            println!("{} {}", self.clock.now(), what());
        }
    }

    /// A number that is never given again.
    pub fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A digest of all that was decided: the same for the same seed.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// One thing happens.
    pub fn step(&mut self) {
        if self.running.as_ref().is_some_and(Running::has_ended) {
            self.die();
        }
        let ms = match self.dice.below(80) {
            0 => 5 * 3_600_000,
            1..40 => self.dice.below(400) as u64,
            _ => self.dice.below(20_000) as u64,
        };
        self.clock.advance(ms);
        match self.dice.below(200) {
            0..24 => self.client(),
            24..112 => _ = self.deliver(),
            112..134 => self.mail(true),
            134..164 => self.write(),
            164..168 => self.make(),
            168..171 => self.sweep(),
            171..194 => self.round(),
            194 => self.full(),
            195..197 => self.light_fuse(),
            197 => self.break_disk(),
            198 => self.kill(),
            _ => {}
        }
        self.listen();
        self.look();
    }

    fn deliver(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        let some = running.deliver(&mut self.dice);
        self.letters();
        some
    }

    /// What the campaign actor has started meanwhile goes on the wire; only somebody who wants it (P4).
    fn letters(&mut self) {
        let Some(running) = &mut self.running else { return };
        for (campaign, address) in running.relay.take_in(self.clock.now()) {
            let list = running.campaigns(move |all| all.get(campaign).map(|c| c.header.list.clone()));
            let sku = sku_of(&list.expect("a letter belongs to a campaign"));
            self.model.is_about(campaign.0, sku);
            self.model.starts(address, sku, &format!("seed {}: {campaign}", self.seed));
            self.tried.insert((sku, address));
            self.counts.letters += 1;
        }
    }

    fn mail(&mut self, moody: bool) {
        let Some(running) = &mut self.running else { return };
        let now = self.clock.now();
        let connects =
            self.dice.one_in(2).then(|| running.relay.connect(&mut self.dice, now, moody)).flatten();
        let back = connects.or_else(|| running.relay.answer(&mut self.dice, &mut self.model, now, moody));
        if let Some(back) = back {
            running.arrive(Node::Campaign, Parcel::Campaign(back), &mut self.dice);
            self.letters();
        }
    }

    fn write(&mut self) {
        let most = 1 + self.dice.below(8);
        if let Some(running) = &mut self.running {
            running.write(most);
        }
    }

    fn make(&mut self) {
        if let Some(running) = &mut self.running {
            running.make(true);
        }
    }

    fn sweep(&mut self) {
        if let Some(running) = &mut self.running {
            running.sweep(&mut self.dice);
        }
    }

    /// A checkpoint round begins, or goes on by one step.
    fn round(&mut self) {
        let Some(running) = &mut self.running else { return };
        match running.round.take() {
            None if self.dice.one_in(2) => running.round = Some(Round::begin(running)),
            None => {}
            Some(round) => match round.step(running) {
                Step::On(round) => running.round = Some(round),
                Step::Over(good) => self.counts.rounds += u64::from(good),
            },
        }
    }

    /// Lets everything come to its end: no more clients, no more faults, servers accept.
    pub fn settle(&mut self) {
        // The last life that faults were planned for ends here.
        self.disk.heal();
        self.fuse = false;
        if self.running.as_ref().is_some_and(Running::has_ended) {
            self.end(false);
            self.start(false);
        }
        for round in 0..6000 {
            self.resume_all();
            self.clock.advance(60_000);
            self.make();
            self.write();
            while self.deliver() && !self.dice.one_in(8) {}
            self.mail(false);
            self.round_on();
            self.listen();
            self.look();
            let Some(running) = &mut self.running else { continue };
            let open = running.campaigns(|all| {
                let told = |c: &restockd_core::campaign::Campaign| {
                    format!(
                        "{} {:?} rule {} up to {} uninvited {} unreached {} handed over {} {:?}",
                        c.header.id,
                        c.status,
                        c.header.rule,
                        c.upto,
                        c.uninvited,
                        c.unreached,
                        c.handed_over,
                        c.ledger.rows().map(|row| (row.person.0, row.ordinal, row.state)).collect::<Vec<_>>()
                    )
                };
                all.open().map(told).collect::<Vec<_>>()
            });
            if running.is_quiet() && open.is_empty() && self.pending.is_empty() {
                return;
            }
            assert!(round < 5999, "seed {}: the world does not come to rest: {open:#?}", self.seed);
        }
    }

    /// A round that is under way goes on.
    fn round_on(&mut self) {
        let Some(running) = &mut self.running else { return };
        if let Some(round) = running.round.take() {
            match round.step(running) {
                Step::On(round) => running.round = Some(round),
                Step::Over(good) => self.counts.rounds += u64::from(good),
            }
        }
    }

    /// Paused campaigns go on.
    fn resume_all(&mut self) {
        use restockd_core::campaign::CampaignStatus;
        use restockd_engine::api::CampaignVerb;
        let Some(running) = &mut self.running else { return };
        let paused = running.campaigns(|all| {
            all.open().filter(|c| c.status == CampaignStatus::Paused).map(|c| c.header.id).collect::<Vec<_>>()
        });
        if self.pending.is_empty() {
            for campaign in paused {
                self.ask(Wish::Command { campaign, verb: CampaignVerb::Resume });
            }
        }
    }

    /// The disk holds all that the engine knows: a last power cut changes nothing.
    pub fn start_again(&mut self) {
        if let Some(running) = &mut self.running {
            (0..64).for_each(|_| running.write(usize::MAX));
        }
        let before = self.running.as_ref().map(Running::lists);
        self.disk.heal();
        self.end(true);
        self.start(false);
        let after = self.running.as_ref().map(Running::lists);
        assert!(before == after, "seed {}: lists differ after the last start", self.seed);
    }

    /// Folds what happened into the trace.
    pub fn note(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }
}
