//! `restockd-storm`: the load harness, with which anybody can measure on their own machine what the engine can take.
//!
//! ```text
//! environment  the engine: the storm's own, or one that runs               shoppers  who presses what, by number
//! loads        the requests, and what their answers must say               drive     closed or open loop
//! ceiling      the same requests against bare routes, in turn              verify    everything acknowledged, read back
//! ```
//!
//! A storm is bounded in time and count, calls one engine, and ends with an error when an acknowledged fact is missing, when
//! mails and counters differ, or when an answer was wrong.
#![allow(clippy::disallowed_methods, reason = "a load harness measures real time and waits in it")]

mod args;
mod big;
mod ceiling;
mod drive;
mod environment;
mod loads;
mod mails;
mod procstat;
mod report;
mod shoppers;
mod sink;
mod stats;
mod storm;
mod verify;
mod wire;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Scenario, StormArgs};
use storm::Storm;

/// The engine's own allocator: the ceiling is compared with the engine, and must not differ from it in this.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(&StormArgs::parse()).unwrap_or_else(|error| {
        eprintln!("restockd-storm: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: &StormArgs) -> anyhow::Result<ExitCode> {
    args.check()?;
    // The files of the storm's own engine are for their owner only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if let Some(cores) = args.load_cores.as_deref() {
        environment::keep_on(cores)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.scenario == Scenario::Ceiling {
        runtime.block_on(ceiling::serve())?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = Storm::new(args, runtime)?.run_scenario()?;
    print!("{}", report.table());
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
