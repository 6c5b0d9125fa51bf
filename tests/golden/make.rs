//! Makes a data directory that holds every kind of record and page: half of them in a snapshot, the rest in the log.
//!
//! The samples are put into one life: each author counts its own records without a gap, a list gives its places in
//! order, a campaign is made once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use restockd_core::campaign::{CampaignEvent, Campaigns};
use restockd_core::directory::{Directory, DirectoryEvent};
use restockd_core::list::{List, ListEvent};
use restockd_core::{ListId, Millis, PersonId, Retry};
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{Backend, Generations, Meta};
use restockd_journal::wal::{self, Log, Options, Record};
use restockd_records::page::{PageWriter, Portion};
use restockd_records::{Encoded, Entry, PackedList, Stamp, sample};

/// When it all happens.
const NOON: Millis = Millis(1_772_452_800_000);

/// A small log: a kept directory should stay small.
pub fn options(data: &Path, secrets: &Secrets) -> Options {
    Options { segment_bytes: 64 * 1024, ..Options::new(data.join("wal"), secrets.engine) }
}

/// The machines, and what they wrote.
struct Life {
    directory: Directory,
    campaigns: Campaigns,
    lists: BTreeMap<ListId, List>,
    now: Millis,
}

impl Life {
    /// Lives through a sample: the record that is written of it, unless no life could have it here.
    fn live(&mut self, entry: Entry) -> Option<Encoded> {
        self.now = self.now.plus(1000);
        let at = self.now;
        Some(match entry {
            Entry::List(_, id, event) => {
                let list = self.lists.entry(id.clone()).or_default();
                let event = match event {
                    ListEvent::Joined { event, changed, source, .. } => {
                        let ordinal = list.last_ordinal() + 1;
                        ListEvent::Joined { event, person: PersonId(ordinal), ordinal, changed, source }
                    }
                    other => other,
                };
                list.apply(&event, at);
                restockd_records::of_list(Stamp { seq: list.seq(), at }, &id, &event)
            }
            Entry::Directory(_, mut event) => {
                if let DirectoryEvent::Event(accepted) = &mut event
                    && let Some(fact) = &mut accepted.person
                {
                    fact.id = PersonId(self.directory.last_person() + 1);
                    let number = fact.id.0;
                    fact.email = restockd_core::Email::parse(&format!("p{number}@shop.example"));
                    fact.user_id = Some(format!("u-{number}"));
                    fact.anonymous_id = Some(format!("a-{number}"));
                }
                self.directory.apply(&event, at);
                restockd_records::of_directory(Stamp { seq: self.directory.seq(), at }, &event)
            }
            Entry::Campaign(_, event) => {
                if let CampaignEvent::Scheduled(header) | CampaignEvent::Opened { header: Some(header), .. } =
                    &event
                    && self.campaigns.get(header.id).is_some()
                {
                    return None;
                }
                self.campaigns.apply(&event, at);
                restockd_records::of_campaign(Stamp { seq: self.campaigns.seq(), at }, &event)
            }
        })
    }
}

/// Makes it.
pub fn make(data: &Path, backend: Backend) {
    std::fs::create_dir_all(data).unwrap();
    let secrets = restockd::boot::secrets(data).unwrap();
    let (directory, campaigns) =
        (Directory::new(secrets.seed(), 1000), Campaigns::new(None, Retry::default()));
    let mut life = Life { directory, campaigns, lists: BTreeMap::new(), now: NOON };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = options(data, &secrets);
    let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
    let log = Log::start(Arc::clone(&disk), options, &read, Box::new(|why| panic!("{why}"))).unwrap();
    let write = |Encoded { kind, version, bytes }: Encoded| log.append_quiet(Record { kind, version, bytes });
    // Every sample stands in the log, and its traces stand in the snapshot that is made in the middle.
    let lived =
        |life: &mut Life| sample::entries().into_iter().filter_map(|it| life.live(it)).for_each(&write);
    lived(&mut life);
    let (durable, heard) = channel();
    log.barrier(Box::new(move |result| durable.send(result.is_ok()).unwrap()));
    assert!(heard.recv().unwrap());
    snapshot(&life, data, &secrets, backend, log.durable_lsn());
    lived(&mut life);
    log.close();
    // What a start would make of them is not kept.
    for name in ["lock", "snapshots/lock"] {
        let _ = std::fs::remove_file(data.join(name));
    }
}

/// One generation of all machines; the log is needed from behind it, and kept whole.
fn snapshot(life: &Life, data: &Path, secrets: &Secrets, backend: Backend, durable: u64) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let generations = Generations::open(disk, data.join("snapshots"), secrets.engine, backend).unwrap();
    let mut building = generations.begin().unwrap();
    let mut pages = PageWriter::new(|key: &[u8], value: &[u8]| building.put(key, value));
    pages.write(Portion::Directory(life.directory.image())).unwrap();
    pages.write(Portion::Campaigns(life.campaigns.image())).unwrap();
    let lists = life.lists.iter().map(|(id, list)| (id.clone(), PackedList::of(list))).collect();
    pages.write(Portion::Resting(lists)).unwrap();
    let written = pages.finish().unwrap();
    let counts = vec![("lists".to_owned(), written.lists), ("people".to_owned(), written.people)];
    let (engine, replay_from) = (secrets.engine, durable + 1);
    building
        .seal(Meta { engine, replay_from, durable, made_ms: life.now.0, counts })
        .unwrap()
        .commit()
        .unwrap();
}
