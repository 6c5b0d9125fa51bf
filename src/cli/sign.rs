//! `restockd sign`: prints the signature header for a body, to try a webhook with curl.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::http;

const BODY_MAX: u64 = 1 << 20;

/// The arguments of `sign`.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The environment variable that holds the secret.
    #[arg(long, default_value = "INVENTORY_WEBHOOK_SECRET")]
    pub secret_env: String,
}

/// Signs standard input.
pub(super) fn sign(args: &SignArgs) -> anyhow::Result<ExitCode> {
    let variable = &args.secret_env;
    let secret = std::env::var(variable).with_context(|| format!("{variable} is not set"))?;
    let secret = secret.split([' ', ',']).find(|part| !part.is_empty()).unwrap_or_default();
    if secret.is_empty() {
        bail!("{variable} is empty");
    }
    let mut body = Vec::new();
    std::io::stdin().take(BODY_MAX).read_to_end(&mut body).context("cannot read the body")?;
    println!("x-signature: {}", http::sign(secret.as_bytes(), &body));
    Ok(ExitCode::SUCCESS)
}
