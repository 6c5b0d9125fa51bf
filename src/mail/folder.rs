//! The transport for development: each letter becomes one `.eml` file that any mail program opens.
//!
//! The file is written under a temporary name and renamed, so a reader never meets half a letter. Its name is the letter's
//! Message-ID, which is the same on every attempt: a letter that is sent twice is still one file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DeliveryOutcome, DeliveryResult, Diagnostic, DurabilityGate, FaultSource, MailError, SmtpPhase};

#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    sync: bool,
}

impl Folder {
    /// Creates the folder.
    pub(super) fn new(dir: PathBuf, sync: bool) -> Result<Folder, MailError> {
        match fs::create_dir_all(&dir) {
            Ok(()) => Ok(Folder { dir, sync }),
            Err(source) => Err(MailError::Folder { path: dir, source }),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits for the gate, then writes the letter.
    pub(super) async fn deliver(
        self: &Arc<Folder>,
        id: &str,
        message: Vec<u8>,
        gate: DurabilityGate,
    ) -> DeliveryOutcome {
        if !gate.await {
            return super::mailer::log_lost(SmtpPhase::Connection);
        }
        let name = file_name(id);
        let folder = Arc::clone(self);
        let shown = name.clone();
        let written = tokio::task::spawn_blocking(move || folder.write(&name, &message)).await;
        match written.unwrap_or_else(|_| Err(io::Error::other("the writing task was stopped"))) {
            Ok(()) => {
                let said = Diagnostic::own(format!("written to {shown}"), FaultSource::Letter);
                DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, said)
            }
            Err(error) => {
                tracing::warn!(mail.error = %error, "a letter could not be written to the mail folder");
                let words = format!("the letter could not be written to the mail folder: {error}");
                DeliveryOutcome::new(
                    DeliveryResult::Deferred,
                    SmtpPhase::Connection,
                    Diagnostic::own(words, FaultSource::Shop),
                )
            }
        }
    }

    fn write(&self, name: &str, message: &[u8]) -> io::Result<()> {
        let unfinished = self.dir.join(format!(".{name}.part"));
        let mut file = match File::create(&unfinished) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.dir)?;
                File::create(&unfinished)?
            }
            other => other?,
        };
        file.write_all(message)?;
        if self.sync {
            file.sync_all()?;
        }
        fs::rename(&unfinished, self.dir.join(name))?;
        if self.sync {
            File::open(&self.dir)?.sync_all()?;
        }
        Ok(())
    }
}

/// The Message-ID as a file name: characters that are safe in every file system stay, others become `_`.
fn file_name(message_id: &str) -> String {
    let stem: String = message_id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "@-_=+.".contains(c) { c } else { '_' })
        .take(200)
        .collect();
    format!("{}.eml", stem.trim_start_matches('.'))
}
