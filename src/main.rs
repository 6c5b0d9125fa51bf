//! The command line: parses the arguments, runs a subcommand, and reports an error in one sentence.
//!
//! Exit codes: 0 done; 1 a subcommand failed; 70 the engine could not go on (a restart recovers it); 78 the engine refuses to
//! start until a person has looked.

use std::process::ExitCode;

use clap::Parser;
use restockd::cli::{Cli, run};

/// Memory is allocated on one thread and freed on another all day; with the system's allocator that takes a fifth of the
/// time of an event.
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
