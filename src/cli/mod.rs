//! The subcommands of the command line, one file each.

mod check;
pub mod child;
mod demo;
mod dkim;
mod keys;
mod returns;
mod serve;
mod sign;
mod suppressions;
mod template;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use check::CheckArgs;
pub use demo::DemoArgs;
pub use dkim::DkimArgs;
pub use keys::KeysArgs;
pub use returns::ReturnsArgs;
pub use sign::SignArgs;
pub use suppressions::SuppressionsArgs;
pub use template::TemplateArgs;

/// A back-in-stock engine: shoppers wait, a warehouse restocks, everybody gets exactly one mail, in order.
#[derive(Debug, Parser)]
#[command(name = "restockd", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Run the engine.
    Serve(ServeArgs),
    /// Play the whole recipe on embedded defaults, kill -9 included, and give an account.
    Demo(DemoArgs),
    /// Print the signature header for a body on standard input.
    Sign(SignArgs),
    /// Verify log and snapshots of a data directory; --repair cuts what the engine refuses to.
    Check(CheckArgs),
    /// List, mint and revoke API keys of a running engine.
    Keys(KeysArgs),
    /// Mails and pages: list, check, render, send a test.
    Template(TemplateArgs),
    /// Make signing keys, print the DNS records that go with them, compare with what DNS says.
    Dkim(DkimArgs),
    /// Show, change, import and export the addresses that take no mail.
    Suppressions(SuppressionsArgs),
    /// Hand a bounce or a complaint on standard input to a running engine; for a mail server's pipe.
    Returns(ReturnsArgs),
}

/// Where the engine runs.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The configuration file.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// The data directory.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long)]
    pub listen: Option<String>,
    /// Start although the newest record lies in the future.
    #[arg(long)]
    pub accept_clock: bool,
}

/// Runs a subcommand.
///
/// # Errors
/// What went wrong, as a sentence for a person.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Any file that a library creates below the data directory is for its owner only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match cli.command {
        CliCommand::Serve(args) => serve::serve(&args),
        CliCommand::Demo(args) => demo::demo(&args),
        CliCommand::Sign(args) => sign::sign(&args),
        CliCommand::Check(args) => check::check(&args),
        CliCommand::Keys(args) => keys::keys(&args),
        CliCommand::Template(args) => template::template(&args),
        CliCommand::Dkim(args) => dkim::dkim(&args),
        CliCommand::Suppressions(args) => suppressions::suppressions(&args),
        CliCommand::Returns(args) => Ok(returns::returns(&args)),
    }
}
