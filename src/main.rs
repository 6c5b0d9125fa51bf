//! The command line: parses, dispatches, and says in one sentence what went wrong.
//!
//! Exit codes: 0 done; 1 a verb failed; 70 the engine could not go on (recovery is the restart);
//! 78 it refuses to start until a human has looked.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Parser;
use restockd::cli::{Cli, Verb, run};

/// Pieces made on one thread are freed on another all day; the system's allocator takes a fifth of a press for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Memory that is let go goes back to the system at once. By itself mimalloc does that when it is next asked for
/// memory a second later, which for an engine that has come to rest may be hours. It reads this before `main`.
const GIVE_BACK: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "0");

/// Starts the same process again with [`GIVE_BACK`], unless somebody has decided already.
fn give_back_memory() {
    if std::env::var_os(GIVE_BACK.0).is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let (name, program) = (args.next(), std::env::current_exe());
    if let (Some(name), Ok(program)) = (name, program) {
        // It returns only when it could not: then the engine is as well, and somewhat larger at rest.
        let _ = Command::new(program).arg0(name).args(args).env(GIVE_BACK.0, GIVE_BACK.1).exec();
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.verb, Verb::Serve(_)) {
        give_back_memory();
    }
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("restockd: {error:#}");
            let refuses = error.downcast_ref::<restockd::boot::BootError>().is_some()
                || error.downcast_ref::<restockd::config::ConfigError>().is_some();
            ExitCode::from(if refuses { 78 } else { 1 })
        }
    }
}
