//! The oracle: what the engine acknowledged, written down outside of it.
//!
//! In memory for the comparison, and line by line in a file that is synced before the load goes on, so that the
//! words survive this process, too. The file lies in the temporary directory, never on a file system that a test cuts
//! or fills; it is removed when the test passes.
//!
//! - Before a request leaves, what it may change is *unsure*; only an answer makes it sure again. What is unsure is
//!   compared with nothing: not acknowledged means unknown.
//! - `asked` and `acked` are ticks of one counter. Who was acknowledged before another was asked is before them in line.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// The newest words, which a crash endangers most.
const RECENT: usize = 48;

/// What is known of a person on a list.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// A member by the last acknowledged word; none while a request is open.
    pub here: Option<bool>,
    /// When it was first asked for.
    pub asked: u64,
    /// When it was first acknowledged.
    pub acked: u64,
    /// Joined once and has never been asked to leave.
    pub plain: bool,
}

/// A restock that was acknowledged.
#[derive(Debug, Clone)]
pub struct Restock {
    pub sku: String,
    pub delivery: String,
    pub asked: u64,
}

/// A campaign by hand that was acknowledged.
#[derive(Debug, Clone)]
pub struct Campaign {
    pub body: Value,
    pub id: String,
    pub asked: u64,
}

/// Everything acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By list and address.
    pub members: BTreeMap<(String, String), Member>,
    pub restocks: Vec<Restock>,
    pub campaigns: Vec<Campaign>,
    /// Events with a key, of people who have not been asked anything since.
    pub keyed: Vec<Value>,
    /// Addresses that were erased.
    pub erased: Vec<String>,
    /// The newest members' keys.
    pub recent: VecDeque<(String, String)>,
}

/// The oracle.
pub struct Oracle {
    facts: Mutex<Facts>,
    file: Mutex<File>,
    path: PathBuf,
    tick: AtomicU64,
    acknowledged: AtomicU64,
}

impl Oracle {
    pub fn new(name: &str) -> Self {
        Self::with(name, Facts::default(), 0)
    }

    /// Goes on from what is known.
    pub fn with(name: &str, facts: Facts, tick: u64) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("oracle-{}-{number}-{name}.log", std::process::id()));
        let file = Mutex::new(File::create(&path).unwrap());
        let (tick, acknowledged) = (AtomicU64::new(tick), AtomicU64::new(0));
        Self { facts: Mutex::new(facts), file, path, tick, acknowledged }
    }

    pub fn look<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        look(&self.facts.lock().unwrap())
    }

    /// How many requests were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// The next tick.
    pub fn now(&self) -> u64 {
        self.tick.fetch_add(1, Ordering::SeqCst)
    }

    /// A request leaves that may change what a person is on these lists.
    pub fn unsure(&self, email: &str, lists: &[String], joins: bool) -> u64 {
        let asked = self.now();
        let mut facts = self.facts.lock().unwrap();
        for list in lists {
            let new = Member { here: None, asked, acked: u64::MAX, plain: joins };
            let member = facts.members.entry((list.clone(), email.to_owned())).or_insert(new);
            member.here = None;
            member.plain &= joins;
        }
        asked
    }

    /// It was acknowledged.
    pub fn sure(&self, email: &str, lists: &[String], here: bool) {
        let mut words = Vec::new();
        {
            let acked = self.now();
            let mut facts = self.facts.lock().unwrap();
            for list in lists {
                let key = (list.clone(), email.to_owned());
                let member = facts.members.get_mut(&key).unwrap();
                member.here = Some(here);
                member.acked = member.acked.min(acked);
                words.push(format!("{acked} {email} on {list}: {here}\n"));
                if facts.recent.len() == RECENT {
                    facts.recent.pop_front();
                }
                facts.recent.push_back(key);
            }
        }
        self.write(&words.concat());
    }

    /// Every list that a person has been on.
    pub fn lists_of(&self, email: &str) -> Vec<String> {
        self.look(|facts| {
            let theirs = facts.members.keys().filter(|(_, address)| address == email);
            theirs.map(|(list, _)| list.clone()).collect()
        })
    }

    pub fn keyed(&self, event: Value) {
        self.facts.lock().unwrap().keyed.push(event);
    }

    pub fn erased(&self, email: &str) {
        self.facts.lock().unwrap().erased.push(email.to_owned());
        self.write(&format!("{} {email} erased\n", self.now()));
    }

    pub fn restock(&self, asked: u64, sku: &str, delivery: &str) {
        let (sku, delivery) = (sku.to_owned(), delivery.to_owned());
        let line = format!("{} restock {delivery} of {sku}\n", self.now());
        self.facts.lock().unwrap().restocks.push(Restock { sku, delivery, asked });
        self.write(&line);
    }

    pub fn campaign(&self, asked: u64, body: &Value, id: &str) {
        let campaign = Campaign { body: body.clone(), id: id.to_owned(), asked };
        self.facts.lock().unwrap().campaigns.push(campaign);
        self.write(&format!("{} campaign {id} {body}\n", self.now()));
    }

    /// Writes an acknowledgement down, and waits for the disk.
    fn write(&self, words: &str) {
        let mut file = self.file.lock().unwrap();
        file.write_all(words.as_bytes()).unwrap();
        file.sync_data().unwrap();
        drop(file);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what was acknowledged is in {}", self.path.display());
        } else {
            // Nobody needs it any more.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
