//! The replay in parallel against the plainest one: one record after the other, in the order of the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::context::logged;
use restockd_core::campaign::{CampaignPage, Header};
use restockd_core::directory::{DirectoryCommand, DirectoryPage, HashedIdentity, Ingest, ListTask};
use restockd_core::list::{ChangeSource, List, ListCommand, ListDecision};
use restockd_core::{CampaignId, Catalog, Day, Email, PersonId, Retry};
use restockd_journal::wal::{Log, Record};
use restockd_records::{Entry, Stamp};
use restockd_testkit::disk::SimDisk;

const LISTS: usize = 5;
const NOON: Millis = Millis(1_700_000_000_000);

#[derive(Debug, Clone)]
enum Op {
    Press {
        who: usize,
        user: Option<usize>,
        bag: Vec<(usize, bool)>,
    },
    Erase(usize),
    /// A list takes up the next share that waits for it.
    Deliver(usize),
    /// A restock, of which the campaigns hear or not.
    Restock(usize, bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let bag = proptest::collection::vec((0..LISTS, proptest::bool::weighted(0.8)), 0..4);
    let press = (0..6_usize, proptest::option::of(0..3_usize), bag).prop_map(|(who, user, bag)| Op::Press {
        who,
        user,
        bag,
    });
    let op = prop_oneof![
        6 => press,
        1 => (0..6_usize).prop_map(Op::Erase),
        9 => (0..LISTS).prop_map(Op::Deliver),
        1 => (0..LISTS, any::<bool>()).prop_map(|(list, heard)| Op::Restock(list, heard)),
    ];
    proptest::collection::vec(op, 1..120)
}

/// The machines, one thread, one record after the other.
struct Plain {
    directory: Directory,
    campaigns: Campaigns,
    lists: BTreeMap<ListId, List>,
}

impl Plain {
    fn new() -> Self {
        let (directory, campaigns) = (Directory::new(7, 1000), Campaigns::new(None, Retry::default()));
        Self { directory, campaigns, lists: BTreeMap::new() }
    }

    fn replay(records: &[Record]) -> Self {
        let mut plain = Self::new();
        for record in records {
            match restockd_records::read(record.kind, record.version, &record.bytes).unwrap() {
                Entry::Directory(stamp, event) => plain.directory.apply(&event, stamp.at),
                Entry::Campaign(stamp, event) => plain.campaigns.apply(&event, stamp.at),
                Entry::List(stamp, id, event) => plain.lists.entry(id).or_default().apply(&event, stamp.at),
            }
        }
        plain
    }

    fn close_done(&mut self) {
        let lists = &self.lists;
        let done = |event: u64, task: &ListTask| match task {
            ListTask::Change { list, .. } | ListTask::Move { list, .. } => {
                lists.get(list).is_some_and(|list| list.passed(event))
            }
            ListTask::Restock(..) => false,
        };
        let left = |(event, open): (u64, &OpenEvent)| {
            let left = open.tasks.iter().enumerate().filter(|(_, task)| !done(event, task));
            (event, left.map(|(at, _)| at).collect())
        };
        let left: Vec<(u64, Vec<usize>)> = self.directory.open().map(left).collect();
        left.into_iter().for_each(|(event, left)| self.directory.leave_open(event, &left));
    }
}

/// Runs the operations on machines, and gives the records they wrote.
fn written(ops: &[Op]) -> Vec<Record> {
    let (mut plain, mut records, catalog) = (Plain::new(), Vec::new(), Catalog::default());
    let mut shares: BTreeMap<ListId, VecDeque<(u64, OpenEvent, ListTask)>> = BTreeMap::new();
    let mut push = |record| records.push(logged(record));
    for (step, op) in (0..).zip(ops) {
        let at = NOON.plus(step * 1000);
        let events = match op {
            Op::Press { who, user, bag } => {
                let bag: BTreeMap<usize, bool> = bag.iter().copied().collect();
                let item = Ingest {
                    name: "w".to_owned(),
                    who: who_of(*who, *user),
                    props: Vec::new(),
                    bag: bag.into_iter().map(|(n, join)| (id(n).as_str().to_owned(), join)).collect(),
                    key: None,
                    source: ChangeSource::Event,
                    timestamp: None,
                    product: None,
                    restock: None,
                    evidence: None,
                    public: false,
                };
                plain.directory.decide(&item, &catalog, at).unwrap().events
            }
            Op::Erase(who) => match plain.directory.known(&who_of(*who, None)) {
                Some(person) => plain.directory.decide_command(&DirectoryCommand::Erase(person, None)),
                None => Vec::new(),
            },
            Op::Deliver(n) => {
                if let Some((event, open, task)) = shares.entry(id(*n)).or_default().pop_front() {
                    let (person, source) = (open.person.unwrap(), open.source);
                    let command = match task {
                        ListTask::Change { join, .. } => {
                            let (timestamp, default_opt_in) = (None, false);
                            ListCommand::Change { event, person, join, timestamp, source, default_opt_in }
                        }
                        ListTask::Move { from, .. } => ListCommand::Move { event, from, to: person },
                        ListTask::Restock(..) => continue,
                    };
                    let list = plain.lists.entry(id(*n)).or_default();
                    if let ListDecision::New(event) = list.decide(&command, at) {
                        list.apply(&event, at);
                        push(restockd_records::of_list(Stamp { seq: list.seq(), at }, &id(*n), &event));
                    }
                }
                continue;
            }
            Op::Restock(n, heard) => {
                let campaign = CampaignId(*n as u128 + 1);
                let (key, quantity, day) = (u128::from(step) + 1, Some(5), Day(20_000));
                let (event, details, restocked) = (0, ProductDetails::default(), Some(campaign));
                let command =
                    ListCommand::Restock { event, key, quantity, day, campaign: restocked, details };
                let list = plain.lists.entry(id(*n)).or_default();
                if let ListDecision::New(event) = list.decide(&command, at) {
                    list.apply(&event, at);
                    push(restockd_records::of_list(Stamp { seq: list.seq(), at }, &id(*n), &event));
                }
                let told = list.claims(|_| 0).into_iter().find(|(invite, _)| invite.campaign == campaign);
                let Some((invite, added)) = told.filter(|_| *heard) else { continue };
                let opened = plain.campaigns.decide_restock(
                    Header::sample(campaign, id(*n), Day(20_000)),
                    invite.upto,
                    added,
                );
                if let Some(event) = opened {
                    plain.campaigns.apply(&event, at);
                    push(restockd_records::of_campaign(Stamp { seq: plain.campaigns.seq(), at }, &event));
                }
                continue;
            }
        };
        for event in events {
            plain.directory.apply(&event, at);
            let seq = plain.directory.seq();
            push(restockd_records::of_directory(Stamp { seq, at }, &event));
            let Some(open) = plain.directory.open_event(seq).map(|(_, open)| open.clone()) else { continue };
            for task in open.tasks.clone() {
                let (ListTask::Change { list, .. } | ListTask::Move { list, .. }) = &task else { continue };
                shares.entry(list.clone()).or_default().push_back((seq, open.clone(), task));
            }
        }
    }
    records
}

fn who_of(who: usize, user: Option<usize>) -> HashedIdentity {
    let email = Email::parse(&format!("p{who}@shop.example")).unwrap();
    HashedIdentity {
        email: Some((email, who as u128)),
        user_id: user.map(|user| format!("u{user}")),
        anonymous_id: None,
    }
}

fn id(n: usize) -> ListId {
    ListId::parse(&format!("restock-{n}")).unwrap()
}

/// Writes records to a log, and gives it back to be read.
fn log_of(records: &[Record]) -> (Arc<dyn Disk>, Options) {
    let options = Options { segment_bytes: 64 * 1024, ..Options::new("/data/wal", [1; 16]) };
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
    let log = Log::start(Arc::clone(&disk), options.clone(), &read, Box::new(|_| ())).unwrap();
    records.iter().for_each(|record| log.append_quiet(record.clone()));
    log.close();
    (disk, options)
}

/// Replays a log on top of what the first so many of its records made.
fn parallel(
    (disk, options): &(Arc<dyn Disk>, Options),
    base: Plain,
    workers: usize,
) -> Result<RecoveredState, RecoveryError> {
    // Not in the order of ids: in a snapshot, lists that were awake come behind their neighbours.
    let packed: Vec<_> =
        base.lists.iter().rev().map(|(id, list)| (id.clone(), PackedList::of(list))).collect();
    let lists = lists::distribute(packed, workers).unwrap();
    finish(replay::replay(disk, options, (1, 0), base.directory, base.campaigns, lists)?, Vec::new())
}

type Pages = (Vec<DirectoryPage>, Vec<CampaignPage>);

fn states(directory: &Directory, campaigns: &Campaigns) -> Pages {
    (directory.image().pages().collect(), campaigns.image().pages().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_in_parallel_leads_where_one_record_after_the_other_leads(
        ops in ops(), cut: prop::sample::Index, workers in 1..4_usize,
    ) {
        let records = written(&ops);
        let log = log_of(&records);
        let mut plain = Plain::replay(&records);
        plain.close_done();
        for cut in [0, cut.index(records.len() + 1)] {
            let base = Plain::replay(&records[..cut]);
            let found = parallel(&log, base, workers).unwrap();
            prop_assert_eq!(
                states(&found.directory, &found.campaigns),
                states(&plain.directory, &plain.campaigns)
            );
            let mut lists = found.lists;
            lists.sort_by(|one, other| one.0.cmp(&other.0));
            let expected: Vec<_> = plain.lists.iter().filter(|(_, list)| list.seq() > 0).collect();
            prop_assert_eq!(lists.len(), expected.len());
            for ((id, list), (expected_id, expected)) in lists.iter().zip(expected) {
                prop_assert_eq!((id, list), (expected_id, &PackedList::of(expected)));
            }
            let known = |id| plain.campaigns.get(id).map_or(0, |campaign| campaign.upto);
            let claimed = plain.lists.iter().flat_map(|(id, list)| {
                let told = list.claims(known).into_iter();
                let detached = told.filter(|(invite, _)| known(invite.campaign) < invite.upto);
                detached.map(|(invite, added)| (id.clone(), invite, added)).collect::<Vec<_>>()
            });
            let found: Vec<_> =
                found.claims.into_iter().map(|claim| (claim.list, claim.invite, claim.added)).collect();
            prop_assert_eq!(found, claimed.collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_record_that_does_not_fit_is_named_whoever_finds_it(
        ops in ops(), gaps in proptest::collection::vec(any::<prop::sample::Index>(), 1..4), workers in 1..4_usize,
    ) {
        let mut records = written(&ops);
        for gap in gaps {
            // One record always stays.
            if records.len() > 1 {
                records.remove(gap.index(records.len()));
            }
        }
        let log = log_of(&records);
        // The plainest way to see a gap: each author's counter, in the order of the log.
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        let gap = (1..).zip(&records).find(|(_, record)| {
            let (author, stamp) = match restockd_records::read(record.kind, record.version, &record.bytes).unwrap() {
                Entry::Directory(stamp, _) => ("directory".to_owned(), stamp),
                Entry::Campaign(stamp, _) => ("campaigns".to_owned(), stamp),
                Entry::List(stamp, id, _) => (id.as_str().to_owned(), stamp),
            };
            let before = held.insert(author, stamp.seq).unwrap_or(0);
            stamp.seq != before + 1
        });
        match (parallel(&log, Plain::new(), workers), gap) {
            (Ok(_), None) => {}
            (Err(RecoveryError::Log(WalError::Refused { lsn, file, offset, .. })), Some((expected, _))) => {
                prop_assert_eq!(lsn, expected);
                prop_assert!(file.ends_with("00000000000000000001.wal") && offset >= 4096, "{:?} {}", file, offset);
            }
            (Ok(_), Some((lsn, _))) => prop_assert!(false, "the gap before record {} went unseen", lsn),
            (Err(error), _) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn an_event_stays_open_until_each_of_its_lists_has_spoken_of_it_and_no_longer() {
    let press = Op::Press { who: 0, user: None, bag: vec![(0, true), (1, true)] };
    let records = written(&[press.clone(), press, Op::Deliver(0), Op::Deliver(0), Op::Deliver(1)]);
    let (mut directory, mut open) = (appliers::DirectoryReplay::new(Directory::new(7, 1000)), Vec::new());
    for record in &records {
        use work::Replay;
        match restockd_records::read(record.kind, record.version, &record.bytes).unwrap() {
            Entry::List(_, id, event) => directory.answered(event.answers().unwrap(), &id),
            _ => directory
                .take(&wal::RecordRef { kind: record.kind, version: record.version, bytes: &record.bytes })
                .unwrap(),
        }
        open.push(directory.directory.open().map(|(event, _)| event).collect::<Vec<_>>());
    }
    // The second press changes nothing on the lists: it is closed at the end, not by an answer.
    assert_eq!(open, [vec![1], vec![1, 2], vec![1, 2], vec![2]]);
}

#[test]
fn a_record_that_a_merge_left_behind_is_not_taken_for_an_answer() {
    let person = PersonId(1);
    let mut replay = appliers::DirectoryReplay::new(Directory::new(7, 1000));
    let press = Op::Press { who: 0, user: None, bag: vec![(0, true), (1, true)] };
    for record in written(&[press, Op::Erase(0)]) {
        use work::Replay;
        let bytes = &record.bytes;
        replay.take(&wal::RecordRef { kind: record.kind, version: record.version, bytes }).unwrap();
    }
    use work::Replay;
    replay.answered(1, &id(0));
    assert_eq!(replay.directory.open().map(|(event, _)| event).collect::<Vec<_>>(), [2]);
    replay.answered(2, &id(0));
    replay.answered(2, &id(0));
    assert!(
        replay.directory.open_event(2).is_some(),
        "one list alone closed what two have to do for {person}"
    );
    replay.answered(2, &id(1));
    assert_eq!(replay.directory.open().count(), 0);
}

#[test]
fn a_snapshot_that_holds_a_list_twice_is_refused_by_name() {
    let list = |id: &str| (ListId::parse(id).unwrap(), PackedList::of(&List::default()));
    for workers in 1..4 {
        let twice = vec![list("a"), list("restock-x"), list("b"), list("restock-x")];
        let refused = lists::distribute(twice, workers).err().unwrap();
        assert!(refused.contains("restock-x"), "{refused}");
        assert!(lists::distribute(vec![list("b"), list("a")], workers).is_ok());
    }
}
