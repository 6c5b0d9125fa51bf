//! The arguments of a storm, and their bounds.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Parser, ValueEnum};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// New shoppers press the button.
    Press,
    /// The same presses again.
    Repeat,
    /// A restock of one list on which a million wait.
    Batch,
    /// Signed restocks, most of them redelivered.
    Webhooks,
    /// A restock of one list with a million waiters.
    Hype,
    /// A campaign made by hand to a list of a million.
    Broadcast,
    /// A million products with three waiters each.
    Tail,
    /// New shoppers, far more than the engine can take: who is sent away, and how soon it is itself again.
    Flood,
    /// Restocks of lists with three waiters, beside as many other lists as `--skus` says: what each costs.
    Restocks,
    /// One product flaps while shoppers press.
    Flap,
    /// A shop's day: Zipf over products; presses, orders, restocks, preference reads.
    Mixed,
    /// The bare routes, for `--against ceiling`.
    #[value(hide = true)]
    Ceiling,
}

/// What a scenario is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// Bare routes that parse the same bodies and store nothing.
    Ceiling,
}

/// Where an own engine's letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MailTo {
    /// A mail server of the storm's own, which counts them.
    Sink,
    /// Each is made whole and thrown away in the engine.
    Discard,
    /// None is made; the engine only counts and records.
    Unmade,
}

/// The load harness: storms against an engine, measured, and every acknowledged fact asked back.
#[derive(Debug, Parser)]
#[command(name = "restockd-storm", version, about)]
pub struct StormArgs {
    /// What blows.
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// A running engine, as http://127.0.0.1:8080; one of the storm's own otherwise.
    #[arg(long)]
    pub url: Option<String>,
    /// The engine's program, where it is not the `restockd` beside this one.
    #[arg(long)]
    pub engine: Option<PathBuf>,
    /// An admin key of the running engine.
    #[arg(long, env = "RESTOCKD_API_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The running engine's webhook secret.
    #[arg(long, env = "INVENTORY_WEBHOOK_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// An empty directory for the own engine's data; a temporary one otherwise.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// A configuration file for the own engine.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Measure the same requests against this, in turn.
    #[arg(long, value_enum)]
    pub against: Option<Against>,
    /// Requests a second (open loop); as many as the engine takes otherwise (closed loop).
    #[arg(long)]
    pub rate: Option<f64>,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Seconds of each measured stretch.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Stretches, for a median and a spread.
    #[arg(long, default_value_t = 1)]
    pub repeats: usize,
    /// Products, where the scenario does not set them.
    #[arg(long, default_value_t = 1000)]
    pub skus: u64,
    /// People of hype, broadcast and tail.
    #[arg(long, default_value_t = 1_000_000)]
    pub people: u64,
    /// Per cent of webhooks that are redeliveries.
    #[arg(long, default_value_t = 95)]
    pub redelivered: u64,
    /// Where the own engine's letters go.
    #[arg(long, value_enum, default_value_t = MailTo::Sink)]
    pub mail: MailTo,
    /// Connections to the mail server, or letters thrown away at once.
    #[arg(long, default_value_t = 32)]
    pub mail_connections: usize,
    /// Cores of the own engine, as 0 or 0,1.
    #[arg(long)]
    pub engine_cores: Option<String>,
    /// Cores of the load and of the ceiling's clients.
    #[arg(long)]
    pub load_cores: Option<String>,
    /// The report as JSON into this file.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl StormArgs {
    /// Checks that every option is within its bounds.
    ///
    /// # Errors
    /// Which option is out of bounds, and what it may be.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!((1..=16_384).contains(&self.connections), "--connections must lie between 1 and 16384");
        ensure!((0.1..=3600.0).contains(&self.seconds), "--seconds must lie between 0.1 and 3600");
        ensure!((1..=100).contains(&self.repeats), "--repeats must lie between 1 and 100");
        ensure!(self.redelivered < 100, "--redelivered must lie between 0 and 99");
        ensure!((1..=1 << 22).contains(&self.skus), "--skus must lie between 1 and 4194304");
        ensure!((1000..=10_000_000).contains(&self.people), "--people must lie between 1000 and 10000000");
        ensure!(
            (1..=1000).contains(&self.mail_connections),
            "--mail-connections must lie between 1 and 1000"
        );
        ensure!(
            self.rate.is_none_or(|rate| (1.0..=1e7).contains(&rate)),
            "--rate must lie between 1 and 10000000"
        );
        Ok(())
    }
}
