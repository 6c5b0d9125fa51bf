//! A simulated shop: shoppers press "notify me", the machines decide, and their records are written as the engine writes
//! them, but with nobody to wait for.
//!
//! Shopper `p` presses once, for several products; which ones follows from `p` alone. One list may be long: every shopper
//! whose number is divisible by `one_in` waits for it too.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

use restockd_core::campaign::Campaigns;
use restockd_core::directory::{Directory, DirectoryEvent, HashedIdentity, Ingest};
use restockd_core::list::{ChangeSource, List, ListCommand, ListDecision};
use restockd_core::{Catalog, Email, ListId, Millis, PersonId, Retry};
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations, Meta};
use restockd_journal::wal::{self, Log, Options, Record};
use restockd_records::page::{PageWriter, Portion};
use restockd_records::{Encoded, PackedList, Stamp};

/// Records on their way to the log before the shop waits for it.
const AHEAD: usize = 100_000;

/// The size of the shop.
#[derive(Clone, Copy)]
pub struct Size {
    pub people: usize,
    /// Lists besides the long one.
    pub lists: usize,
    /// Products of one press.
    pub bag: usize,
    /// Every how manieth shopper waits for the long list too; 0 for no long list.
    pub one_in: usize,
}

impl Size {
    /// All memberships.
    pub fn memberships(&self) -> usize {
        self.people * self.bag + self.people.checked_div(self.one_in).unwrap_or(0)
    }
}

/// The machines of the shop.
pub struct Shop {
    size: Size,
    catalog: Catalog,
    directory: Directory,
    lists: Vec<(ListId, List)>,
    now: Millis,
}

impl Shop {
    pub fn new(size: Size, secrets: &Secrets) -> Self {
        let lists = (0..size.lists).map(|n| format!("restock-sku-{n:06}"));
        let lists = lists.chain(["restock-hype".to_owned()]);
        let lists = lists.map(|id| (ListId::parse(&id).unwrap(), List::default())).collect();
        let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 - 3 * 86_400_000;
        let directory = Directory::new(secrets.seed(), 20_000_000);
        Self { size, catalog: Catalog::default(), directory, lists, now: Millis(days) }
    }

    /// Shopper `p` presses: one record of the directory, and one of each list.
    pub fn press(&mut self, p: usize, write: &mut impl FnMut(Encoded)) {
        let mut bag: Vec<usize> = (0..self.size.bag).map(|n| (p * 31 + n * 7919) % self.size.lists).collect();
        if self.size.one_in > 0 && p.is_multiple_of(self.size.one_in) {
            bag.push(self.size.lists);
        }
        let names = bag.iter().map(|n| (self.lists[*n].0.as_str().to_owned(), true)).collect();
        let (seq, person) = self.event(p, "product.waitlisted", names, Vec::new(), write);
        let (source, timestamp, default_opt_in) = (ChangeSource::Event, None, false);
        for n in bag {
            let (id, list) = &mut self.lists[n];
            let change =
                ListCommand::Change { event: seq, person, join: true, timestamp, source, default_opt_in };
            let ListDecision::New(event) = list.decide(&change, self.now) else { panic!("{p} was there") };
            list.apply(&event, self.now);
            write(restockd_records::of_list(Stamp { seq: list.seq(), at: self.now }, id, &event));
        }
    }

    /// Shopper `p` looks at a product: an event without a list.
    pub fn look(&mut self, p: usize, write: &mut impl FnMut(Encoded)) {
        let props = vec![("last_seen_sku".to_owned(), format!("\"sku-{:06}\"", p % self.size.lists))];
        self.event(p, "product.viewed", Vec::new(), props, write);
    }

    fn event(
        &mut self,
        p: usize,
        name: &str,
        bag: Vec<(String, bool)>,
        props: Vec<(String, String)>,
        write: &mut impl FnMut(Encoded),
    ) -> (u64, PersonId) {
        self.now = self.now.plus(u64::from(p.is_multiple_of(50)));
        let email = Email::parse(&format!("shopper.{p}@mail.example")).unwrap();
        let who = HashedIdentity { email: Some((email, p as u128)), user_id: None, anonymous_id: None };
        let (name, source, timestamp, product, restock) =
            (name.to_owned(), ChangeSource::Event, None, None, None);
        let key = Some((p as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let key = key.filter(|_| !bag.is_empty());
        let (evidence, public) = (None, false);
        let item =
            Ingest { name, who, props, bag, key, source, timestamp, product, restock, evidence, public };
        let decision = self.directory.decide(&item, &self.catalog, self.now).unwrap();
        let [event @ DirectoryEvent::Event(_)] = decision.events.as_slice() else { panic!("one event") };
        self.directory.apply(event, self.now);
        let seq = self.directory.seq();
        // The lists answer at once.
        self.directory.close(seq);
        write(restockd_records::of_directory(Stamp { seq, at: self.now }, event));
        (seq, decision.outcome.person.unwrap())
    }

    /// Writes the whole shop as one generation.
    pub fn snapshot(self, data: &Path, secrets: &Secrets, backend: Backend) {
        let generations =
            Generations::open(Arc::new(RealDisk), snapshots(data), secrets.engine, backend).unwrap();
        let mut building = generations.begin().unwrap();
        let mut pages = PageWriter::new(|key: &[u8], value: &[u8]| building.put(key, value));
        pages.write(Portion::Directory(self.directory.image())).unwrap();
        pages.write(Portion::Campaigns(Campaigns::new(None, Retry::default()).image())).unwrap();
        let mut lists = self.lists;
        lists.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (id, list) in lists {
            pages.write(Portion::Resting(vec![(id, PackedList::of(&list))])).unwrap();
        }
        let written = pages.finish().unwrap();
        let counts = vec![("lists".to_owned(), written.lists), ("people".to_owned(), written.people)];
        let meta = Meta { engine: secrets.engine, replay_from: 1, durable: 0, made_ms: self.now.0, counts };
        building.seal(meta).unwrap().commit().unwrap();
    }

    /// All memberships.
    pub fn memberships(&self) -> usize {
        self.lists.iter().map(|(_, list)| list.joined() as usize).sum()
    }
}

/// A log that records are written to as fast as the disk takes them.
pub struct Pen {
    log: Log,
    ahead: usize,
}

impl Pen {
    pub fn new(data: &Path, secrets: &Secrets) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let options = options(data, secrets);
        let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
        Self { log: Log::start(disk, options, &read, Box::new(|_| ())).unwrap(), ahead: 0 }
    }

    pub fn write(&mut self, Encoded { kind, version, bytes }: Encoded) {
        self.log.append_quiet(Record { kind, version, bytes });
        self.ahead += 1;
        if self.ahead == AHEAD {
            let (done, durable) = mpsc::channel();
            self.log.barrier(Box::new(move |result| done.send(result.is_ok()).unwrap()));
            assert!(durable.recv().unwrap());
            self.ahead = 0;
        }
    }

    /// Bytes of frames written so far, approximately.
    pub fn bytes(&self) -> u64 {
        self.log.stats().bytes
    }

    pub fn close(self) {
        self.log.close();
    }
}

/// The secrets of a data directory, made where there are none.
pub fn secrets(data: &Path) -> Secrets {
    std::fs::create_dir_all(data).unwrap();
    restockd::boot::secrets(data).unwrap()
}

pub fn options(data: &Path, secrets: &Secrets) -> Options {
    Options::new(data.join("wal"), secrets.engine)
}

pub fn snapshots(data: &Path) -> PathBuf {
    data.join("snapshots")
}
