//! Reads a finished set of pages on a thread of its own: once to verify it, once to hand it out.
//!
//! ```text
//! caller                          thread
//!   start     ───────────────────▶ open · first pass: count, sum, digest
//!   verify    ◀────────────────── the tally of the first pass
//!   deliver   ─── go ────────────▶ second pass, counted again
//!             ◀────────────────── pages, in chunks, a few in flight
//!             ◀────────────────── the tally of the second pass
//! ```
//!
//! Dropping the reader stops the thread and waits until the backend is closed. The time limit is on how long
//! the thread is silent, so a slow sink is not taken for a hang.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};

use super::backend::{Backend, PageReader, SnapshotPage};
use super::digest::{Hash, SortedTally, Tally};
use super::error::StoreError;
use super::timeout;
use crate::disk::Disk;

/// The size at which a chunk is sent, in bytes.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_PAGES: usize = 1_024;
const CHUNKS_IN_FLIGHT: usize = 2;

enum ReaderReply {
    Pass(Tally, Hash),
    Pages(Vec<SnapshotPage>),
}

type Answers = SyncSender<Result<ReaderReply, StoreError>>;

/// The caller's side.
pub(super) struct Reader {
    answers: Option<Receiver<Result<ReaderReply, StoreError>>>,
    go: Option<Sender<()>>,
    ended: Receiver<()>,
    backend: Backend,
    dir: PathBuf,
    bytes: u64,
}

impl Reader {
    /// Starts to open the pages in a directory of about `bytes` bytes.
    pub(super) fn start(
        disk: &Arc<dyn Disk>,
        backend: Backend,
        dir: &Path,
        bytes: u64,
    ) -> Result<Self, StoreError> {
        let (answer, answers) = sync_channel(CHUNKS_IN_FLIGHT);
        let (go, gone) = channel();
        let (end, ended) = channel::<()>();
        let (disk, place) = (Arc::clone(disk), dir.to_path_buf());
        timeout::spawn("snapshot-read", dir, move || {
            work(&disk, backend, &place, &answer, &gone);
            drop(end);
        })?;
        let (answers, go, dir) = (Some(answers), Some(go), dir.to_path_buf());
        Ok(Self { answers, go, ended, backend, dir, bytes })
    }

    /// Waits for the first pass.
    pub(super) fn verify(&self) -> Result<(Tally, Hash), StoreError> {
        match self.next()? {
            ReaderReply::Pass(tally, digest) => Ok((tally, digest)),
            ReaderReply::Pages(_) => Err(self.confused()),
        }
    }

    /// Hands every page to the sink; returns the tally of the second pass.
    pub(super) fn deliver_pages(
        mut self,
        mut sink: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(Tally, Hash), StoreError> {
        let going = self.go.take().is_some_and(|go| go.send(()).is_ok());
        if !going {
            return Err(self.confused());
        }
        loop {
            match self.next()? {
                ReaderReply::Pages(pages) => pages.iter().try_for_each(|(key, value)| sink(key, value))?,
                ReaderReply::Pass(tally, digest) => return Ok((tally, digest)),
            }
        }
    }

    fn next(&self) -> Result<ReaderReply, StoreError> {
        let answers = self.answers.as_ref().ok_or_else(|| self.confused())?;
        timeout::wait(answers, self.backend.name(), &self.dir, timeout::limit(self.bytes))
    }

    fn confused(&self) -> StoreError {
        StoreError::backend(self.backend.name(), &self.dir, "its thread ended out of turn".to_owned())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.go = None;
        self.answers = None;
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(timeout::limit(0)) {
            tracing::warn!(dir = %self.dir.display(), "a snapshot reader does not end and is left behind");
        }
    }
}

fn work(disk: &Arc<dyn Disk>, backend: Backend, dir: &Path, answers: &Answers, go: &Receiver<()>) {
    let name = backend.name();
    let mut reader = match timeout::guard(name, dir, || backend.store().open(disk, dir)) {
        Ok(reader) => reader,
        Err(error) => return drop(answers.send(Err(error))),
    };
    let first = timeout::guard(name, dir, || pass(&mut *reader, dir, None));
    let good = first.is_ok();
    let told = answers.send(first).is_ok();
    if told && good && go.recv().is_ok() {
        let second = timeout::guard(name, dir, || pass(&mut *reader, dir, Some(answers)));
        drop(answers.send(second));
    }
    drop(timeout::close(name, dir, reader));
}

fn pass(
    reader: &mut dyn PageReader,
    dir: &Path,
    answers: Option<&Answers>,
) -> Result<ReaderReply, StoreError> {
    let mut tally = SortedTally::default();
    let mut chunk = Vec::new();
    let mut bytes = 0;
    let send = |chunk: Vec<SnapshotPage>| match answers {
        Some(answers) if !chunk.is_empty() => answers
            .send(Ok(ReaderReply::Pages(chunk)))
            .map_err(|_| StoreError::backend("snapshot", dir, "nobody waits for its pages".to_owned())),
        _ => Ok(()),
    };
    reader.scan(&mut |key, value| {
        if !tally.add(key, value) {
            return Err(StoreError::damaged(dir, "its keys are not in ascending order"));
        }
        if answers.is_some() {
            bytes += key.len() + value.len();
            chunk.push((key.to_vec(), value.to_vec()));
            if bytes >= CHUNK_BYTES || chunk.len() >= CHUNK_PAGES {
                bytes = 0;
                send(std::mem::take(&mut chunk))?;
            }
        }
        Ok(())
    })?;
    send(chunk)?;
    let (tally, digest) = tally.finish();
    Ok(ReaderReply::Pass(tally, digest))
}
