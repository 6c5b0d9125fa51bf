//! `restockd dkim`: signing keys, the DNS records that publish them, and a check of these records.

mod check;
mod dns;
mod new;
mod records;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::{Config, Flags};

/// The arguments of `dkim`.
#[derive(Debug, Args)]
pub struct DkimArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DkimCommand,
}

#[derive(Debug, Subcommand)]
pub enum DkimCommand {
    /// Make a key file (0600; RSA-2048 by the system's `openssl`) and say what to configure and publish.
    New {
        /// The domain that signs: that of the sender, or one above it.
        #[arg(long)]
        domain: String,
        /// The key's name in DNS; a new key needs a new one.
        #[arg(long)]
        selector: String,
        /// The folder that the key file goes to.
        #[arg(long)]
        out: PathBuf,
        /// An Ed25519 key: short and fast, and to be used beside an RSA key, for not every receiver reads it.
        #[arg(long)]
        ed25519: bool,
    },
    /// Print the records that DNS should have for this configuration, as lines of a zone file.
    Records {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Compare them with what DNS says; ends non-zero when something is missing or differs.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
        /// The DNS server to ask, such as 9.9.9.9 or 127.0.0.1:5353; those of /etc/resolv.conf unless given.
        #[arg(long)]
        resolver: Option<String>,
    },
}

pub(super) fn dkim(args: &DkimArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        DkimCommand::New { domain, selector, out, ed25519 } => new::new(domain, selector, out, *ed25519),
        DkimCommand::Records { config } => {
            print!("{}", records::Wanted::of(&load(config)?).zone());
            Ok(ExitCode::SUCCESS)
        }
        DkimCommand::Check { config, resolver } => {
            check::check(&records::Wanted::of(&load(config)?), &dns::Resolver::find(resolver.as_deref())?)
        }
    }
}

/// The settings as `serve` would read them.
fn load(path: &Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(Config::load(path.as_deref(), |key| std::env::var(key).ok(), &Flags::default())?)
}
