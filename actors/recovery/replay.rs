//! The replay: one thread reads the log, and each author's records go to the worker that holds its state.
//!
//! ```text
//!               ┌── batches ──▶ directory ◀── which events were answered ──┐
//! log ──reader──┼── batches ──▶ campaigns                                  │
//!               └── batches ──▶ lists 1 … n, by the hash of the id ────────┘
//! ```
//!
//! - The reader is the caller's thread: only it touches the disk.
//! - Channels are bounded, so memory is. The directory waits for nobody, lists wait only for the directory, and the reader
//!   for both: there is no circle of waiting.
//! - The directory's records are sent before a list's, so a list's answer never comes first.
//! - A worker that refuses a record, or panics at it, ends, and whoever sends to it notices. Records read before are still
//!   applied, so the error names the first bad record in the log, whichever worker found it and when.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use restockd_core::Millis;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_journal::disk::Disk;
use restockd_journal::wal::{self, Lsn, Options, RecordRef};
use restockd_records::Author;

use super::RecoveryError;
use super::appliers::{CampaignsReplay, DirectoryReplay, ListsReplay};
use super::batch::ReplayBatch;
use super::lists::{self, Lists};
use super::work::{Replay, Work};

/// Batches that may wait for one worker.
const BATCHES_AHEAD: usize = 4;

/// The states after the replay.
pub(super) struct Replayed {
    pub(super) log: wal::LogRecovery,
    pub(super) directory: Directory,
    pub(super) campaigns: Campaigns,
    pub(super) lists: Vec<Lists>,
    pub(super) newest: Millis,
}

/// A record that a worker refused.
struct Failure {
    lsn: Lsn,
    reason: String,
}

type ReplayResult<R> = Result<R, Failure>;

/// Replays the log from one record on; all records up to another are known to have been durable.
pub(super) fn replay(
    disk: &Arc<dyn Disk>,
    options: &Options,
    (from, durable): (Lsn, Lsn),
    directory: Directory,
    campaigns: Campaigns,
    lists: Vec<Lists>,
) -> Result<Replayed, RecoveryError> {
    scope(|threads| {
        let (to_directory, inbox) = sync_channel(BATCHES_AHEAD);
        let directory = start(threads, "replay-people", inbox, DirectoryReplay::new(directory))?;
        let (to_campaigns, inbox) = sync_channel(BATCHES_AHEAD);
        let campaigns = start(threads, "replay-campaigns", inbox, CampaignsReplay::new(campaigns))?;
        let (mut to_lists, mut workers) = (Vec::new(), Vec::new());
        for one in lists {
            let (to_list, inbox) = sync_channel(BATCHES_AHEAD);
            let worker = ListsReplay::new(one, to_directory.clone());
            workers.push(start(threads, "replay-lists", inbox, worker)?);
            to_lists.push(BatchSender::new(to_list));
        }
        let mut reader = Reader {
            directory: BatchSender::new(to_directory),
            campaigns: BatchSender::new(to_campaigns),
            lists: to_lists,
            failure: None,
        };
        let read = wal::recover(disk, options, from, durable, &mut |lsn, record| reader.pass_on(lsn, record));
        let mut first = reader.finish();
        // Lists send to the directory's worker, so it ends only after all of theirs.
        let ended = workers.into_iter().map(|worker| end(worker, &mut first).map(ListsReplay::ended));
        let lists: Vec<_> = ended.collect();
        let (directory, campaigns) = (end(directory, &mut first), end(campaigns, &mut first));
        if let Some(Failure { lsn, reason }) = first {
            return Err(wal::refused(disk, options, lsn, reason).into());
        }
        let log = read?;
        let lists: Option<Vec<(Lists, Millis)>> = lists.into_iter().collect();
        let (Some(directory), Some(campaigns), Some(lists)) = (directory, campaigns, lists) else {
            return Err(RecoveryError::Misfit("a worker of the replay was lost".to_owned()));
        };
        let newest = lists.iter().map(|(_, newest)| *newest).max().unwrap_or(Millis(0));
        Ok(Replayed {
            log,
            newest: newest.max(directory.newest).max(campaigns.newest),
            directory: directory.directory,
            campaigns: campaigns.campaigns,
            lists: lists.into_iter().map(|(lists, _)| lists).collect(),
        })
    })
}

/// Runs the same function on each part, each on a thread of its own.
pub(super) fn all_at_once<T: Send, R: Send>(
    parts: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Result<Vec<R>, RecoveryError> {
    let work = &work;
    scope(|threads| {
        let started: Result<Vec<_>, _> =
            parts.into_iter().map(|part| Builder::new().spawn_scoped(threads, move || work(part))).collect();
        let ended = started.map_err(RecoveryError::Threads)?.into_iter().map(ScopedJoinHandle::join);
        ended.map(|one| one.map_err(|panic| RecoveryError::Misfit(panic_text(&*panic)))).collect()
    })
}

fn start<'scope, R: Replay + 'scope>(
    threads: &'scope Scope<'scope, '_>,
    name: &str,
    inbox: Receiver<Work>,
    replay: R,
) -> Result<ScopedJoinHandle<'scope, ReplayResult<R>>, RecoveryError> {
    let thread = Builder::new().name(name.to_owned());
    thread.spawn_scoped(threads, move || work(&inbox, replay)).map_err(RecoveryError::Threads)
}

/// Works until the channel closes or a record is refused.
fn work<R: Replay>(inbox: &Receiver<Work>, mut replay: R) -> ReplayResult<R> {
    let mut lsn = 0;
    let worked = catch_unwind(AssertUnwindSafe(|| {
        for work in inbox {
            match work {
                Work::Records(batch) => {
                    for (number, record) in batch.iter() {
                        lsn = number;
                        replay.take(&record)?;
                    }
                    replay.batch_over();
                }
                Work::Answers(answers) => {
                    answers.iter().for_each(|(event, by)| replay.answered(*event, by));
                }
            }
        }
        Ok(())
    }));
    match worked.unwrap_or_else(|panic| Err(panic_text(&*panic))) {
        Ok(()) => Ok(replay),
        Err(reason) => Err(Failure { lsn, reason }),
    }
}

/// Waits for a worker; keeps the earliest failure.
fn end<R>(worker: ScopedJoinHandle<'_, ReplayResult<R>>, first: &mut Option<Failure>) -> Option<R> {
    match worker.join().unwrap_or_else(|panic| Err(Failure { lsn: 0, reason: panic_text(&*panic) })) {
        Ok(replay) => Some(replay),
        Err(failure) => {
            if first.as_ref().is_none_or(|first| failure.lsn < first.lsn) {
                *first = Some(failure);
            }
            None
        }
    }
}

/// The text of a panic.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    format!("its replay panicked: {text}; this is a bug, please report it")
}

/// Gathers one worker's records and sends them in batches.
struct BatchSender {
    worker: SyncSender<Work>,
    batch: ReplayBatch,
}

impl BatchSender {
    fn new(worker: SyncSender<Work>) -> Self {
        Self { worker, batch: ReplayBatch::default() }
    }

    /// Sends the records gathered so far.
    fn send(&mut self) -> Result<(), String> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let sent = self.worker.send(Work::Records(std::mem::take(&mut self.batch)));
        sent.map_err(|_| "an earlier record was refused".to_owned())
    }
}

/// Finds the author of each record and passes the record on.
struct Reader {
    directory: BatchSender,
    campaigns: BatchSender,
    lists: Vec<BatchSender>,
    failure: Option<Failure>,
}

impl Reader {
    fn pass_on(&mut self, lsn: Lsn, record: &RecordRef<'_>) -> Result<(), String> {
        let author =
            restockd_records::author(record.kind, record.version, record.bytes).map_err(|error| {
                let reason = error.to_string();
                self.failure = Some(Failure { lsn, reason: reason.clone() });
                reason
            })?;
        match author {
            Author::Directory => {
                if self.directory.batch.push(lsn, record) {
                    self.directory.send()?;
                }
            }
            Author::Campaigns => {
                if self.campaigns.batch.push(lsn, record) {
                    self.campaigns.send()?;
                }
            }
            Author::List(id) => {
                let at = lists::worker_of(id, self.lists.len());
                let list = self.lists.get_mut(at).ok_or("there is no worker for lists")?;
                if list.batch.push(lsn, record) {
                    self.directory.send()?;
                    list.send()?;
                }
            }
        }
        Ok(())
    }

    /// Sends the remaining records and closes the channels.
    fn finish(mut self) -> Option<Failure> {
        let all = [&mut self.directory, &mut self.campaigns].into_iter().chain(&mut self.lists);
        // A worker that takes no more says why when it is joined.
        all.for_each(|outbox| drop(outbox.send()));
        self.failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Replay for Panics {
        fn take(&mut self, _: &RecordRef<'_>) -> Result<(), String> {
            panic!("a page is odd")
        }
    }

    #[test]
    fn a_worker_that_panics_names_its_record_and_lets_nobody_wait() {
        let (sender, inbox) = sync_channel(1);
        let mut outbox = BatchSender::new(sender);
        let record = RecordRef { kind: 2, version: 1, bytes: &[0] };
        let failure = scope(|threads| {
            let worker = start(threads, "replay-test", inbox, Panics).expect("a thread");
            // More than the channel holds: the sender must notice that the worker is gone.
            let sent = (1..100_u64).try_for_each(|lsn| {
                outbox.batch.push(lsn, &record);
                outbox.send()
            });
            assert!(sent.is_err());
            let mut first = None;
            assert!(end(worker, &mut first).is_none());
            first
        });
        let failure = failure.expect("it panicked");
        assert_eq!(failure.lsn, 1);
        assert!(failure.reason.contains("a page is odd"), "{}", failure.reason);
    }
}
