//! The inspection: the start's own recovery, on a disk that cannot be changed.
//!
//! Nothing in the data directory is written, not even a lock file: the lock is tried on the existing file for an instant.
//! sled writes when it opens, so it opens copies in the system's temporary directory, which are deleted afterwards. Beside a
//! running engine files come and go; an inspection that met damage there is repeated.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::ProgressBar;

use super::findings::{
    CopyFinding, DamageFinding, Findings, GenerationFinding, LogFindings, SnapshotFindings, StartFindings,
};
use crate::boot::BootError;
use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_core::keys::KEYS_MAX;
use restockd_core::{Millis, Retry};
use restockd_engine::StartError;
use restockd_engine::recovery::{self, RecoveryError};
use restockd_engine::recovery_stats::RecoveryStats;
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::quarantine::quarantined;
use restockd_journal::snapshots::{GenerationInfo, Generations, Role};
use restockd_journal::wal::{self, ReadOnlyDisk, TailState};
use restockd_records::{Kind, KindOwner, RecordError};

/// Inspections beside a running engine before damage is believed.
const LOOKS_MAX: u32 = 3;
const DAY_MS: u64 = 24 * 3_600_000;

/// Inspects one data directory.
pub(super) struct Inspector {
    pub(super) data: PathBuf,
    pub(super) now: Millis,
    pub(super) accept_clock: bool,
}

pub(super) enum SecretsState {
    Whole(Box<Secrets>),
    /// There are none, and nothing that would need them: the first start makes them.
    NoneYet,
    /// They are missing or damaged; the text is the word for the findings.
    Lost(&'static str),
}

impl Inspector {
    /// Inspects everything.
    pub(super) fn look(&self) -> anyhow::Result<Findings> {
        let mut found = self.look_once()?;
        for _ in 1..LOOKS_MAX {
            if !(found.running && found.start.refused.is_some()) {
                break;
            }
            found = self.look_once()?;
        }
        Ok(found)
    }

    fn look_once(&self) -> anyhow::Result<Findings> {
        let mut found = Findings {
            data: self.data.clone(),
            running: self.is_running(),
            secrets: "whole",
            log: None,
            snapshots: None,
            newer: None,
            copies: self.copies(),
            start: StartFindings::default(),
        };
        match self.secrets()? {
            SecretsState::Whole(secrets) => self.look_inside(&secrets, &mut found)?,
            SecretsState::NoneYet => {
                found.secrets = "none yet";
                found.start.from = "nothing yet".to_owned();
            }
            SecretsState::Lost(how) => {
                found.secrets = how;
                found.start.refused = Some(BootError::Secrets(self.data.join("secrets")).to_string());
            }
        }
        Ok(found)
    }

    /// Whether an engine holds the lock, tried with a shared lock for an instant; no byte is written.
    pub(super) fn is_running(&self) -> bool {
        File::open(self.data.join("lock")).is_ok_and(|file| file.try_lock_shared().is_err())
    }

    /// The secrets, as a start would read them.
    pub(super) fn secrets(&self) -> anyhow::Result<SecretsState> {
        let path = self.data.join("secrets");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Secrets::parse(&text)
                .map_or(SecretsState::Lost("damaged"), |it| SecretsState::Whole(Box::new(it)))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let used = ["wal", "snapshots"].iter().any(|part| self.data.join(part).exists());
                Ok(if used { SecretsState::Lost("missing") } else { SecretsState::NoneYet })
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Ok(SecretsState::Lost("damaged"))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn look_inside(&self, secrets: &Secrets, found: &mut Findings) -> anyhow::Result<()> {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.set_message("verifying the snapshots");
        let scratch = Scratch::new()?;
        let generations = self.generations(secrets, &scratch);
        let listed = generations.list();
        let durable = known(&listed);
        found.snapshots = Some(SnapshotFindings {
            current_problem: generations.current_problem(),
            generations: listed.iter().map(generation).collect(),
        });
        found.newer = self.newer(secrets, &generations, &listed)?;
        bar.set_message("replaying the log");
        let verdict = self.verdict(secrets, &generations);
        let loaded = generations.loaded();
        let needed = listed.iter().find(|one| Some(one.number) == loaded).and_then(|one| one.meta.as_ref());
        bar.set_message("counting the records");
        let from = needed.map_or(1, |meta| meta.replay_from);
        found.log = Some(self.log(secrets, from, durable, found.newer.is_some())?);
        found.start.from =
            loaded.map_or_else(|| "log alone".to_owned(), |number| format!("snapshot {number}"));
        match verdict {
            Ok((survey, problems)) => {
                found.start.brings_back = Some(survey);
                found.start.passed_over = problems;
            }
            Err(error) => found.start.refused = Some(sentence(&StartError::from(error))),
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The snapshots, opened for reading only.
    pub(super) fn generations(&self, secrets: &Secrets, scratch: &Scratch) -> Generations {
        Generations::look_with(
            Arc::new(RealDisk),
            self.data.join("snapshots"),
            secrets.engine,
            scratch.0.clone(),
        )
    }

    pub(super) fn options(&self, secrets: &Secrets) -> wal::Options {
        wal::Options::new(self.data.join("wal"), secrets.engine)
    }

    /// What a start's recovery would bring back, or its error.
    pub(super) fn verdict(
        &self,
        secrets: &Secrets,
        generations: &Generations,
    ) -> Result<(RecoveryStats, Vec<String>), RecoveryError> {
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::new(Arc::new(RealDisk)));
        // No setting changes what recovery brings back, so the defaults serve.
        let directory = Directory::new(secrets.seed(), KEYS_MAX);
        let campaigns = Campaigns::new(None, Retry::default());
        let now = (!self.accept_clock).then_some(self.now);
        generations.check_owner()?;
        let found = recovery::recover(&disk, &self.options(secrets), generations, directory, campaigns, now)?;
        Ok((RecoveryStats::of(&found), found.problems))
    }

    /// The first thing found that a newer restockd wrote.
    pub(super) fn newer(
        &self,
        secrets: &Secrets,
        generations: &Generations,
        listed: &[GenerationInfo],
    ) -> anyhow::Result<Option<String>> {
        if let Some(newer) = generations.newer().or_else(|| listed.iter().find_map(|one| one.newer.clone())) {
            return Ok(Some(newer));
        }
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::new(Arc::new(RealDisk)));
        let options = self.options(secrets);
        if let Some(newer) = wal::newer(&disk, &options)? {
            return Ok(Some(newer.to_string()));
        }
        let mut newer = None;
        wal::salvage(&*disk, &options, &mut |lsn, record| {
            let known = Kind::known(record.kind, record.version);
            if let Some(error) = known.err().filter(RecordError::is_newer) {
                newer.get_or_insert(format!("record {lsn}, {error}"));
            }
        })?;
        Ok(newer)
    }

    fn log(&self, secrets: &Secrets, from: u64, durable: u64, newer: bool) -> anyhow::Result<LogFindings> {
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::new(Arc::new(RealDisk)));
        let options = self.options(secrets);
        let report = wal::inspect(&disk, &options, from, durable)?;
        let mut log = LogFindings {
            segments: report.segments.len() as u64,
            bytes: report.segments.iter().map(|segment| segment.used).sum(),
            records: report.records,
            first: report.first,
            last: report.last,
            known_durable: report.known_durable,
            given_up: report.missing,
            ..LogFindings::default()
        };
        (log.tail, log.torn) = match report.tail {
            TailState::Clean => ("clean", None),
            TailState::Torn { file, offset, bytes } => ("torn", Some((file, offset, bytes))),
            TailState::Unknown => ("unknown", None),
        };
        // Where a newer restockd wrote, missing and damaged records cannot be told apart.
        log.damage = report.damage.filter(|_| !newer).map(|damage| DamageFinding {
            what: damage.harm.to_string(),
            file: damage.file,
            offset: damage.offset,
            expected: damage.expected,
            at_risk: damage.at_risk,
        });
        wal::salvage(&*disk, &options, &mut |_, record| {
            *log.kinds.entry(kind(record.kind)).or_default() += 1;
        })?;
        Ok(log)
    }

    /// The copies in quarantine, with their age.
    fn copies(&self) -> Vec<CopyFinding> {
        let disk = ReadOnlyDisk::new(Arc::new(RealDisk));
        let held = ["wal", "snapshots"]
            .into_iter()
            .flat_map(|part| quarantined(&disk, &self.data.join(part)).unwrap_or_default());
        let days = |seen: u64| self.now.0.saturating_sub(seen) / DAY_MS;
        held.map(|held| CopyFinding { path: held.path, days: held.seen_ms.map(days) }).collect()
    }
}

/// The highest record number that any manifest says is durable.
pub(super) fn known(listed: &[GenerationInfo]) -> u64 {
    listed.iter().filter_map(|one| one.meta.as_ref()).map(|meta| meta.durable).max().unwrap_or(0)
}

/// The author of records of a kind, in the operator's words.
pub(super) fn kind(number: u8) -> &'static str {
    match Kind::of(number).map(Kind::owner) {
        Some(KindOwner::List) => "of lists",
        Some(KindOwner::Directory) => "of the directory",
        Some(KindOwner::Campaigns) => "of campaigns",
        Some(KindOwner::Page) | None => "of unknown kind",
    }
}

/// An error with its causes, in one sentence.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}

fn generation(info: &GenerationInfo) -> GenerationFinding {
    let role = match info.role {
        Role::Newest => "newest",
        Role::Previous => "previous",
        Role::Unnamed => "unnamed",
    };
    let meta = info.meta.clone().unwrap_or_default();
    GenerationFinding {
        number: info.number,
        role,
        made: if info.meta.is_some() { Millis(meta.made_ms).to_string() } else { "unknown".to_owned() },
        bytes: info.bytes,
        counts: meta.counts.into_iter().collect(),
        replay_from: meta.replay_from,
        durable: meta.durable,
        damage: info.damage.clone(),
        newer: info.newer.clone(),
    }
}

/// A temporary directory for copies, outside the data directory; deleted when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).context("no random bytes")?;
        let name = format!("restockd-check-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {} for copies of snapshots; set TMPDIR", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("restockd: {} could not be removed: {error}", self.0.display());
        }
    }
}
