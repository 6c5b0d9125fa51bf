//! `restockd keys`: API keys of a running engine, over HTTP.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// The engine.
    #[arg(long, env = "RESTOCKD_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// All keys, never their secrets.
    List,
    /// A new key, printed once.
    Mint {
        /// What it is for.
        name: String,
        /// `ingest` (events, lists, contacts, campaigns) or `admin`.
        #[arg(long, default_value = "ingest")]
        scope: String,
        /// A publishable key, which joins lists with a confirmation and does nothing else.
        #[arg(long, requires = "origins", conflicts_with = "scope")]
        public: bool,
        /// Where a publishable key may be used from, such as `https://shop.example`; may be repeated.
        #[arg(long = "origin", requires = "public")]
        origins: Vec<String>,
    },
    /// Stops a key at once.
    Revoke {
        /// The key's id.
        id: String,
    },
}

/// Runs the subcommand; the admin key is `RESTOCKD_API_KEY`.
pub(super) fn keys(args: &KeysArgs) -> anyhow::Result<ExitCode> {
    let key = std::env::var("RESTOCKD_API_KEY")
        .context("RESTOCKD_API_KEY is not set; it must hold an admin key of the engine")?;
    let bearer = format!("Bearer {key}");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{}/v1/keys", args.url.trim_end_matches('/'));
    let unreachable = || format!("no engine answers at {}", args.url);
    let answer = match &args.command {
        KeysCommand::List => agent.get(&url).header("authorization", &bearer).call(),
        KeysCommand::Mint { name, scope, public, origins } => {
            let scope = if *public { "ingest-public" } else { scope };
            let body = json!({ "name": name, "scope": scope, "origins": origins });
            agent.post(&url).header("authorization", &bearer).send_json(body)
        }
        KeysCommand::Revoke { id } => {
            agent.delete(format!("{url}/{id}")).header("authorization", &bearer).call()
        }
    };
    let mut answer = answer.with_context(unreachable)?;
    let body: Value = answer.body_mut().read_json().unwrap_or_default();
    if !answer.status().is_success() {
        bail!("the engine says {}: {body}", answer.status());
    }
    println!("{}", serde_json::to_string_pretty(&body)?);
    Ok(ExitCode::SUCCESS)
}
