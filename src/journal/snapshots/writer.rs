//! Writes a set of pages through a backend, on a thread of its own.
//!
//! ```text
//! caller                          thread
//!   start     ───────────────────▶ create ─┐
//!   put batch ◀─ answer to the one before ─┘     one batch in flight, so memory stays bounded
//!             ─── batch ─────────▶ put
//!   finish    ─── finish ────────▶ flush · drop the backend, so that its files are closed
//!             ◀────────────────── the last answer
//! ```
//!
//! After an error the thread ends. A writer that is dropped early makes it close the backend and waits for
//! that, so no file is open when the directory is removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};

use super::backend::{Backend, SnapshotPage};
use super::error::StoreError;
use super::files;
use super::timeout;
use crate::disk::Disk;

enum Command {
    Put(Vec<SnapshotPage>),
    Finish,
}

/// The caller's side.
pub(super) struct Writer {
    commands: Option<SyncSender<Command>>,
    answers: Receiver<Result<(), StoreError>>,
    disk: Arc<dyn Disk>,
    backend: Backend,
    dir: PathBuf,
    bytes: u64,
    asked: bool,
}

impl Writer {
    /// Starts the thread and makes the backend.
    pub(super) fn start(disk: &Arc<dyn Disk>, backend: Backend, dir: &Path) -> Result<Self, StoreError> {
        files::room(&**disk, dir, 0)?;
        let (commands, received) = sync_channel(1);
        let (answer, answers) = channel();
        let (own, place) = (Arc::clone(disk), dir.to_path_buf());
        timeout::spawn("snapshot-write", dir, move || work(&own, backend, &place, &received, &answer))?;
        let (disk, dir) = (Arc::clone(disk), dir.to_path_buf());
        let mut writer =
            Self { commands: Some(commands), answers, disk, backend, dir, bytes: 0, asked: true };
        writer.settle()?;
        Ok(writer)
    }

    /// Hands a batch over, once the one before is written.
    pub(super) fn put(&mut self, batch: Vec<SnapshotPage>, bytes: u64) -> Result<(), StoreError> {
        self.settle()?;
        files::room(&*self.disk, &self.dir, bytes)?;
        self.bytes += bytes;
        self.ask(Command::Put(batch))
    }

    /// Writes everything out and closes the files, which are not synced yet.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.settle()?;
        files::room(&*self.disk, &self.dir, 0)?;
        self.ask(Command::Finish)?;
        self.settle()
    }

    fn ask(&mut self, command: Command) -> Result<(), StoreError> {
        let sent = self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok());
        self.asked = sent;
        sent.then_some(()).ok_or_else(|| {
            StoreError::backend(self.backend.name(), &self.dir, "it failed earlier in this round".to_owned())
        })
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.asked) {
            return Ok(());
        }
        let answer = timeout::wait(&self.answers, self.backend.name(), &self.dir, timeout::limit(self.bytes));
        match answer {
            // another process filled the disk between two checks, and the backend failed on it
            Err(StoreError::Hung { .. } | StoreError::Backend { .. }) => {
                files::room(&*self.disk, &self.dir, 0).and(answer)
            }
            answer => answer,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.commands = None;
        let limit = timeout::limit(self.bytes);
        loop {
            match self.answers.recv_timeout(limit) {
                Ok(answer) => drop(answer),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let dir = self.dir.display();
                    return tracing::warn!(%dir, "a snapshot writer does not end and is left behind");
                }
            }
        }
    }
}

fn work(
    disk: &Arc<dyn Disk>,
    backend: Backend,
    dir: &Path,
    commands: &Receiver<Command>,
    answers: &Sender<Result<(), StoreError>>,
) {
    let name = backend.name();
    let mut writer = match timeout::guard(name, dir, || backend.store().create(disk, dir)) {
        Ok(writer) => writer,
        Err(error) => return drop(answers.send(Err(error))),
    };
    let mut answer = Ok(());
    loop {
        let failed = answer.is_err();
        let told = answers.send(answer).is_ok();
        // the backend is dropped outside of its own panic, and under a guard of its own
        let Some(command) = (told && !failed).then(|| commands.recv().ok()).flatten() else {
            return drop(timeout::close(name, dir, writer));
        };
        match command {
            Command::Put(batch) => answer = timeout::guard(name, dir, || writer.put(batch)),
            Command::Finish => {
                let flushed = timeout::guard(name, dir, || writer.flush());
                let closed = timeout::close(name, dir, writer);
                return drop(answers.send(flushed.and(closed)));
            }
        }
    }
}
