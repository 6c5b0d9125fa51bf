//! The command line: parses, dispatches, and says in one sentence what went wrong.
//!
//! Exit codes: 0 done; 1 a verb failed; 70 the engine could not go on (recovery is the restart);
//! 78 it refuses to start until a human has looked.

use std::process::ExitCode;

use clap::Parser;
use restockd::cli::{Cli, run};

/// Pieces made on one thread are freed on another all day; the system's allocator takes a fifth of a press for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("restockd: {error:#}");
            let refuses = error.downcast_ref::<restockd::boot::BootError>().is_some()
                || error.downcast_ref::<restockd::config::ConfigError>().is_some();
            ExitCode::from(if refuses { 78 } else { 1 })
        }
    }
}
