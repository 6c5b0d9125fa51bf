//! `restockd check`: the truth about a data directory, without changing one byte of it; `--repair` does what the engine
//! leaves to a human, copies what it cuts, and says what was lost.
//!
//! ```text
//! look    the start's own code over a disk that takes nothing in, snapshots opened as copies elsewhere
//! show    what it found, for a person or (--json) for a script
//! repair  a plan from the same look, done under the engine's lock, looked at again
//! ```
//!
//! Exit code 0: a start would succeed (it may cut a torn tail, which is said). 1: it would not, and this is the
//! sentence it would give.

mod findings;
mod inspect;
mod repair;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use restockd_engine::clock::Clock;

/// What `check` takes.
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

/// Checks a data directory; success when a start would succeed.
pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if !args.data.is_dir() {
        bail!("{} is not a directory; name the engine's data directory with --data", args.data.display());
    }
    let now = Clock::real().now();
    let looker = inspect::Inspector { data: args.data.clone(), now, accept_clock: args.accept_clock };
    if args.repair {
        return repair::repair(&looker);
    }
    let findings = looker.look()?;
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
