//! `restockd check`: verifies a data directory without changing a byte of it. `--repair` does what the engine leaves to a
//! person, keeps a copy of what it cuts, and reports what was lost.
//!
//! ```text
//! inspect  the start's own code on a read-only disk, snapshots opened as copies elsewhere
//! show     the findings, for a person or (--json) for a script
//! repair   a plan from the same inspection, carried out under the engine's lock, then inspected again
//! ```
//!
//! Exit code 0: a start would succeed (it may cut a torn end of the log, which is reported). 1: a start would fail, with the
//! sentence that is printed.

mod findings;
mod inspect;
mod repair;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use restockd_engine::clock::Clock;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The data directory.
    #[arg(long, env = "RESTOCKD_DATA", default_value = "./data")]
    pub data: PathBuf,
    /// Do what the engine leaves to a human; everything that is cut is copied first.
    #[arg(long)]
    pub repair: bool,
    /// Say it as JSON.
    #[arg(long, conflicts_with = "repair")]
    pub json: bool,
    /// As `serve --accept-clock`: accept records that lie in the future.
    #[arg(long)]
    pub accept_clock: bool,
}

/// Checks a data directory.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if !args.data.is_dir() {
        bail!("{} is not a directory; name the engine's data directory with --data", args.data.display());
    }
    let now = Clock::real().now();
    let inspector = inspect::Inspector { data: args.data.clone(), now, accept_clock: args.accept_clock };
    if args.repair {
        return repair::repair(&inspector);
    }
    let findings = inspector.look()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print!("{}", show::text(&findings));
    }
    Ok(code(&findings))
}

/// 0 when a start would succeed.
fn code(findings: &findings::Findings) -> ExitCode {
    if findings.start.refused.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
