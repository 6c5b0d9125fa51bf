//! `--repair`: the repairs that the engine leaves to a person, and no others.
//!
//! ```text
//! the start refuses because of           what is done                                        what is lost
//! damage below what the newest sound     the segments below are set aside                    nothing; the older
//!   snapshot needs                                                                            snapshot's way back
//! stray bytes behind a closed segment    zeros over them                                     nothing
//! damage above it                        the log is cut there                                the records behind
//! damage inside its span (from its       it is set aside, the older snapshot (or the log     the records behind
//!   replay_from to its durable)          alone) and the log up to the damage remain
//! anything else                          nothing: secrets, other engines, other versions, a log and snapshots
//!                                        that no longer meet need a backup
//! ```
//!
//! A snapshot is taken while everything goes on: its states agree with each other only with all records up to its
//! `durable`. A cut inside that span would leave authors that know of each other's future; the older snapshot is used then.
//!
//! Snapshots are set aside before the log is cut, so that an interrupted repair can be run again. All of it happens under
//! the engine's lock, and the start's own code judges before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;

use super::inspect::{Inspector, Scratch, SecretsState, kind, known, sentence};
use super::show;
use crate::boot::{self, BootError};
use restockd_engine::recovery::RecoveryError;
use restockd_engine::token::Secrets;
use restockd_journal::disk::{Disk, RealDisk};
use restockd_journal::snapshots::{GenerationInfo, Generations, Meta, Role};
use restockd_journal::wal::{self, Damage, Harm, ReadOnlyDisk, WalError};
use restockd_records::Entry;

/// Repairs in one run, at most. Each removes one damage for good; a directory with more is beyond this tool.
const STEPS_MAX: u32 = 16;
/// Lists that are named in the report of lost records.
const LISTS_MAX: usize = 20;

/// The steps that repair one damage.
#[derive(Debug, Default)]
struct Plan {
    /// Names of segments that are no longer needed.
    drop: Vec<String>,
    /// Generations that would lose records they need by the cut.
    aside: Vec<u64>,
    /// When the log is cut at the damage: the number of the first record that is needed.
    cut: Option<u64>,
}

/// Repairs a data directory, or says why that cannot be done.
pub(super) fn repair(inspector: &Inspector) -> anyhow::Result<ExitCode> {
    if inspector.is_running() {
        bail!(BootError::Locked(inspector.data.clone()).to_string());
    }
    let secrets = match inspector.secrets()? {
        SecretsState::Whole(secrets) => secrets,
        SecretsState::NoneYet => {
            println!("repair      nothing to repair: no engine was ever started here");
            return Ok(ExitCode::SUCCESS);
        }
        SecretsState::Lost(_) => bail!("{}", BootError::Secrets(inspector.data.join("secrets"))),
    };
    let scratch = Scratch::new()?;
    let mut lock = None;
    for step in 0..STEPS_MAX {
        let generations = inspector.generations(&secrets, &scratch);
        if let Some(newer) = inspector.newer(&secrets, &generations, &generations.list())? {
            bail!("nothing was changed: {newer}");
        }
        let error = match inspector.verdict(&secrets, &generations) {
            Ok((survey, _)) if step == 0 => {
                println!("repair      nothing to repair: a start would succeed");
                print!("{}", show::survey(&survey));
                return Ok(ExitCode::SUCCESS);
            }
            Ok((survey, _)) => {
                println!("now there is");
                print!("{}", show::survey(&survey));
                println!("sound       a start would succeed");
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => error,
        };
        if lock.is_none() {
            lock = Some(boot::lock(&inspector.data)?);
        }
        let damage = damage_of(error)?;
        let work = Work { inspector, secrets: &secrets, generations: &generations, damage };
        work.carry_out()?;
    }
    bail!("there is still damage after {STEPS_MAX} steps; run the repair again, or use a backup")
}

/// The damage that a repair can remove; any other error cannot be repaired, and the text says why.
fn damage_of(error: RecoveryError) -> anyhow::Result<Damage> {
    let why = sentence(&error);
    match error {
        RecoveryError::Log(WalError::Damaged(damage))
        | RecoveryError::NothingGood(_, WalError::Damaged(damage)) => match damage.harm {
            Harm::ForeignEngine | Harm::UnknownFormat(_) => {
                bail!("this cannot be repaired, and nothing was changed: {why}")
            }
            _ => Ok(damage),
        },
        RecoveryError::Clock { .. } => bail!("nothing is damaged: {why}"),
        _ => bail!("this cannot be repaired, and nothing was changed: {why}"),
    }
}

/// One damage, and what is needed to repair it.
struct Work<'a> {
    inspector: &'a Inspector,
    secrets: &'a Secrets,
    generations: &'a Generations,
    damage: Damage,
}

impl Work<'_> {
    fn carry_out(&self) -> anyhow::Result<()> {
        let listed = self.generations.list();
        let known = known(&listed);
        let plan = self.plan(&listed, known)?;
        println!("damage      {}", self.damage);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let options = self.inspector.options(self.secrets);
        let account = plan.cut.map(|_| self.account()).transpose()?;
        for copy in wal::set_aside_segments(&*disk, &options, &plan.drop)? {
            println!("set aside   {} (a newer snapshot holds all of it: nothing is lost)", copy.display());
        }
        for number in &plan.aside {
            let copy = self.generations.set_aside(*number)?;
            println!("set aside   snapshot {number} as {}: it needs records that are lost", copy.display());
        }
        let Some(from) = plan.cut else { return Ok(()) };
        let done = wal::repair_from(&disk, &options, Some(from), known)?;
        for (changed, copy) in done.changed.iter().zip(&done.copies) {
            println!("cut         {}; its copy is {}", changed.display(), copy.display());
        }
        match done.lost {
            Some((first, last)) => {
                println!("LOST        records {first} to {last}");
                if let Some(account) = account {
                    account.print(first, last);
                }
            }
            None => println!("lost        no record that is known to have existed"),
        }
        Ok(())
    }

    /// The plan that keeps the most, with states and log that fit together.
    fn plan(&self, listed: &[GenerationInfo], known: u64) -> anyhow::Result<Plan> {
        let obeyed = self.generations.current_problem().is_none();
        let usable: Vec<(u64, &Meta)> = listed
            .iter()
            .filter(|one| one.damage.is_none() && !(obeyed && one.role == Role::Unnamed))
            .filter_map(|one| Some((one.number, one.meta.as_ref()?)))
            .collect();
        let options = self.inspector.options(self.secrets);
        let look = || ReadOnlyDisk::new(Arc::new(RealDisk));
        if self.damage.harm == Harm::Stray {
            return Ok(Plan {
                cut: Some(usable.first().map_or(1, |(_, meta)| meta.replay_from)),
                ..Plan::default()
            });
        }
        if let Some((_, newest)) = usable.first() {
            let below = wal::segments_below(&look(), &options, newest.replay_from)?;
            let without: Arc<dyn Disk> = Arc::new(look().without(below.iter().cloned()));
            let rest = wal::inspect(&without, &options, newest.replay_from, known)?.damage;
            let better = rest.as_ref().is_none_or(|rest| rest.expected > newest.durable);
            if !below.is_empty() && better && rest.as_ref() != Some(&self.damage) {
                let cut = rest.map(|_| newest.replay_from);
                return Ok(Plan { drop: below, cut, ..Plan::default() });
            }
        }
        let expected = self.damage.expected;
        let first = wal::first_segment(&look(), &options)?;
        let begins = first.unwrap_or(1);
        let fits = |meta: &Meta| {
            if first.is_none() {
                return meta.durable < meta.replay_from; // nothing of the log is left, and it needs nothing of it
            }
            let covered = begins <= meta.replay_from || meta.replay_from >= expected;
            covered && meta.durable < expected
        };
        if let Some(place) = usable.iter().position(|(_, meta)| fits(meta)) {
            let aside = usable.iter().take(place).map(|(number, _)| *number).collect();
            let cut = usable.get(place).map(|(_, meta)| meta.replay_from);
            return Ok(Plan { aside, cut, ..Plan::default() });
        }
        let something_is_kept = expected > 1 || listed.is_empty();
        if begins == 1 && something_is_kept {
            let aside = usable.iter().map(|(number, _)| *number).collect();
            return Ok(Plan { aside, cut: Some(1), ..Plan::default() });
        }
        bail!(
            "this cannot be repaired, and nothing was changed: {}. No snapshot that is whole fits the log up to there, \
             and the log alone does not reach back to the beginning: put snapshots/ and wal/ back from one backup",
            self.damage
        )
    }

    /// The records after the damage that can still be read, before they are cut.
    fn account(&self) -> anyhow::Result<Account> {
        let mut account = Account::default();
        let disk = RealDisk;
        wal::salvage(&disk, &self.inspector.options(self.secrets), &mut |lsn, record| {
            if lsn >= self.damage.expected {
                let list = match restockd_records::read(record.kind, record.version, record.bytes) {
                    Ok(Entry::List(_, list, _)) => Some(list.as_str().to_owned()),
                    _ => None,
                };
                account.records.insert(lsn, (kind(record.kind), list));
            }
        })?;
        Ok(account)
    }
}

/// Lost records as far as they are known: kinds and lists, no address.
#[derive(Default)]
struct Account {
    records: BTreeMap<u64, (&'static str, Option<String>)>,
}

impl Account {
    fn print(&self, first: u64, last: u64) {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        let mut lists = BTreeSet::new();
        for (kind, list) in self.records.range(first..=last.max(first)).map(|(_, it)| it) {
            *kinds.entry(kind).or_default() += 1;
            lists.extend(list.as_deref());
        }
        let readable: u64 = kinds.values().sum();
        let all = (last + 1).saturating_sub(first);
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        println!(
            "            {readable} of these {all} can still be read in the copies: {}",
            kinds.join(", ")
        );
        if !lists.is_empty() {
            let more = lists.len().saturating_sub(LISTS_MAX);
            let named: Vec<&str> = lists.into_iter().take(LISTS_MAX).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            println!("            lists concerned: {}{more}", named.join(", "));
        }
    }
}
