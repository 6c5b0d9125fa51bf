//! `restockd check`: the truth about a data directory, without changing it; `--repair` cuts what the
//! engine refuses to cut by itself, copies it first, and says what was lost.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use crate::boot;
use crate::disk::{Disk, RealDisk};
use crate::store::{Backend, Generations};
use crate::token::Secrets;
use crate::wal::{self, TailState};

/// What `check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The data directory.
    #[arg(long, env = "RESTOCKD_DATA", default_value = "./data")]
    pub data: PathBuf,
    /// Give up what is damaged, from the first damage on; everything that is cut is copied first.
    #[arg(long)]
    pub repair: bool,
}

/// Checks a data directory; success when a start would succeed.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let data = &args.data;
    let text = std::fs::read_to_string(data.join("secrets"))
        .with_context(|| format!("{} holds no restockd data (no secrets file)", data.display()))?;
    let secrets =
        Secrets::parse(&text).context("the secrets file is damaged; put it back from the backup")?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let generations =
        Generations::look(Arc::clone(&disk), data.join("snapshots"), secrets.engine, Backend::Sled);
    let (from, durable) = show_generations(&generations);
    let options = wal::Options::new(data.join("wal"), secrets.engine);
    if args.repair {
        repair(data, &disk, &options, durable)?;
    }
    let report = wal::inspect(&disk, &options, from, durable)?;
    println!(
        "log        {} records in {} segments, numbers {} to {}",
        report.records,
        report.segments.len(),
        report.first.unwrap_or(0),
        report.last.unwrap_or(0)
    );
    for (first, last) in &report.missing {
        println!("missing    records {first} to {last} were given up by an earlier repair");
    }
    match &report.tail {
        TailState::Clean => println!("tail       clean"),
        TailState::Torn { file, offset, bytes } => println!(
            "tail       {bytes} unacknowledged bytes at {} offset {offset}; the next start cuts them",
            file.display()
        ),
        TailState::Unknown => println!("tail       cannot be told because of the damage"),
    }
    show_copies(data);
    match &report.damage {
        None => {
            println!("sound      a start would succeed");
            Ok(ExitCode::SUCCESS)
        }
        Some(damage) => {
            println!("DAMAGE     {damage}");
            println!("           records known to be at risk: {}", report.at_risk());
            println!("           put the data back from a backup, or give them up with --repair");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Prints the generations; answers where the log must begin (with the newest sound one) and the
/// highest record number known to be durable.
fn show_generations(generations: &Generations) -> (u64, u64) {
    if let Some(problem) = generations.current_problem() {
        println!("CURRENT    {problem}");
    }
    let (mut from, mut durable) = (1, 0);
    for info in generations.list() {
        let state = info.damage.as_deref().unwrap_or("sound");
        println!("snapshot   {} ({:?}, {} bytes): {state}", info.number, info.role, info.bytes);
        if let Some(meta) = info.meta.filter(|_| info.damage.is_none()) {
            durable = durable.max(meta.durable);
            from = from.max(meta.replay_from);
            let counts: Vec<String> =
                meta.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
            println!("           {}; replay from record {}", counts.join(", "), meta.replay_from);
        }
    }
    (from, durable)
}

/// Cuts what the engine refuses to cut, and says what was lost.
fn repair(data: &Path, disk: &Arc<dyn Disk>, options: &wal::Options, durable: u64) -> anyhow::Result<()> {
    let _lock = boot::lock(data)?;
    let done = wal::repair(disk, options, durable)?;
    if done.damage.is_empty() {
        println!("repair     nothing to repair");
        return Ok(());
    }
    for damage in &done.damage {
        println!("repaired   {damage}");
    }
    for (changed, copy) in done.changed.iter().zip(&done.copies) {
        println!("           {} was cut; its copy is {}", changed.display(), copy.display());
    }
    match done.lost {
        Some((first, last)) => println!("LOST       records {first} to {last}"),
        None => println!("           no record that is known to have existed was lost"),
    }
    if done.next == 0 {
        bail!("the log has no next record after the repair");
    }
    Ok(())
}

/// Copies of cut tails that an operator may look at and then delete.
fn show_copies(data: &Path) {
    let entries = std::fs::read_dir(data.join("wal")).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().contains(".broken-")) {
        println!(
            "copy       {} (may hold addresses; delete it when it is no longer needed)",
            entry.path().display()
        );
    }
}
