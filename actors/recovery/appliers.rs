//! How each worker of the replay applies its records.
//!
//! An event is closed as soon as all of its lists have answered it, so that a replay does not hold every event of the log
//! open. This only saves memory: whatever is closed here, [`close_done`](super::close_done) would close at the end. So the
//! time at which an answer arrives does not matter.

use std::collections::HashMap;
use std::sync::mpsc::SyncSender;

use restockd_core::campaign::Campaigns;
use restockd_core::directory::{Directory, ListTask};
use restockd_core::{ListId, Millis};
use restockd_journal::wal::RecordRef;
use restockd_records::Entry;

use super::lists::Lists;
use super::work::{Replay, Work};

/// True when a record is its author's next; false when the state holds it already; an error when one before it is missing.
fn newer(author: &str, held: u64, seq: u64) -> Result<bool, String> {
    if seq > held + 1 {
        return Err(format!("{author} went from record {held} to {seq}: records are missing between them"));
    }
    Ok(seq > held)
}

const WRONG_WORKER: &str = "a record went to the worker of another author";

pub(super) struct DirectoryReplay {
    pub(super) directory: Directory,
    pub(super) newest: Millis,
    /// The lists that have answered, for each open event that has several.
    heard: HashMap<u64, Vec<ListId>>,
}

impl DirectoryReplay {
    pub(super) fn new(directory: Directory) -> Self {
        Self { directory, newest: Millis(0), heard: HashMap::new() }
    }
}

impl Replay for DirectoryReplay {
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String> {
        match restockd_records::read(record.kind, record.version, record.bytes)
            .map_err(|error| error.to_string())?
        {
            Entry::Directory(stamp, event) => {
                self.newest = self.newest.max(stamp.at);
                if newer("the directory", self.directory.seq(), stamp.seq)? {
                    self.directory.apply(&event, stamp.at);
                }
                Ok(())
            }
            _ => Err(WRONG_WORKER.to_owned()),
        }
    }

    fn answered(&mut self, event: u64, by: &ListId) {
        let Some((_, open)) = self.directory.open_event(event) else {
            self.heard.remove(&event);
            return;
        };
        let heard_by = |heard: &[ListId]| {
            open.tasks.iter().all(|task| match task {
                ListTask::Change { list, .. } | ListTask::Move { list, .. } => {
                    list == by || heard.contains(list)
                }
                // Whether a restock was counted is seen at the end.
                ListTask::Restock(..) => false,
            })
        };
        if heard_by(self.heard.get(&event).map(Vec::as_slice).unwrap_or_default()) {
            self.heard.remove(&event);
            self.directory.close(event);
        } else {
            self.heard.entry(event).or_default().push(by.clone());
        }
    }
}

pub(super) struct CampaignsReplay {
    pub(super) campaigns: Campaigns,
    pub(super) newest: Millis,
}

impl CampaignsReplay {
    pub(super) fn new(campaigns: Campaigns) -> Self {
        Self { campaigns, newest: Millis(0) }
    }
}

impl Replay for CampaignsReplay {
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String> {
        match restockd_records::read(record.kind, record.version, record.bytes)
            .map_err(|error| error.to_string())?
        {
            Entry::Campaign(stamp, event) => {
                self.newest = self.newest.max(stamp.at);
                if newer("the campaigns", self.campaigns.seq(), stamp.seq)? {
                    self.campaigns.apply(&event, stamp.at);
                }
                Ok(())
            }
            _ => Err(WRONG_WORKER.to_owned()),
        }
    }
}

pub(super) struct ListsReplay {
    lists: Lists,
    newest: Millis,
    answers: Vec<(u64, ListId)>,
    to_directory: SyncSender<Work>,
}

impl ListsReplay {
    pub(super) fn new(lists: Lists, to_directory: SyncSender<Work>) -> Self {
        Self { lists, newest: Millis(0), answers: Vec::new(), to_directory }
    }

    /// The lists and the time of the newest record; the channel to the directory is closed.
    pub(super) fn ended(self) -> (Lists, Millis) {
        (self.lists, self.newest)
    }
}

impl Replay for ListsReplay {
    fn take(&mut self, record: &RecordRef<'_>) -> Result<(), String> {
        let (stamp, id, event) = restockd_records::read_list(record.kind, record.version, record.bytes)
            .map_err(|error| error.to_string())?;
        self.newest = self.newest.max(stamp.at);
        let (id, list) = self.lists.unpack(id)?;
        if newer("a list", list.seq(), stamp.seq)? {
            list.apply(&event, stamp.at);
        }
        if let Some(answered) = event.answers() {
            self.answers.push((answered, id.clone()));
        }
        Ok(())
    }

    fn batch_over(&mut self) {
        // The directory's worker is gone only when it has refused a record, which it reports itself.
        let _ = self.to_directory.send(Work::Answers(std::mem::take(&mut self.answers)));
    }
}
