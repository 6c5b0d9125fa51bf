//! `restockd returns < message`: hands feedback on a letter to the running engine.
//!
//! Made for a mail server's pipe, so it ends with the exit codes that mail servers understand (sysexits):
//!
//! | code | when | what the mail server does |
//! |---|---|---|
//! | 0 | the report was taken in or seen before, or the message is no report | drops the message |
//! | 75 | no engine, an engine that cannot take it in now, a key that is not valid (yet) | tries again later |
//!
//! A message that is too large counts as no report: any other code would make it bounce.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use restockd_feedback::MESSAGE_BYTES_MAX;

/// The exit code for "try again later" (EX_TEMPFAIL).
const TEMPFAIL: u8 = 75;
/// The limit of the whole call; mail servers wait longer for a pipe.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The arguments of `returns`.
#[derive(Debug, Args)]
pub struct ReturnsArgs {
    /// The engine.
    #[arg(long, env = "RESTOCKD_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The address that the message was delivered to; Postfix says it in ORIGINAL_RECIPIENT.
    #[arg(long, env = "ORIGINAL_RECIPIENT", default_value = "", hide_env_values = true)]
    pub recipient: String,
    /// A file that holds a key of the engine, for a pipe without an environment.
    #[arg(long)]
    pub key_file: Option<std::path::PathBuf>,
}

/// Runs the subcommand; the key is in `--key-file` or `RESTOCKD_API_KEY`.
pub(super) fn returns(args: &ReturnsArgs) -> ExitCode {
    match hand_over(args) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("restockd: {why}");
            ExitCode::from(TEMPFAIL)
        }
    }
}

/// Sends the message, and returns the engine's answer.
///
/// # Errors
/// Why the mail server should try again.
fn hand_over(args: &ReturnsArgs) -> Result<String, String> {
    let key = match &args.key_file {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?
        }
        None => std::env::var("RESTOCKD_API_KEY")
            .map_err(|_| "RESTOCKD_API_KEY is not set; set it, or name a file with --key-file".to_owned())?,
    };
    let mut message = Vec::new();
    let mut input = std::io::stdin().lock();
    let mut first = input.by_ref().take(MESSAGE_BYTES_MAX as u64 + 1);
    first.read_to_end(&mut message).map_err(|error| format!("cannot read the message: {error}"))?;
    if message.len() > MESSAGE_BYTES_MAX {
        // The rest is read too: some mail servers take it for a failure when a pipe closes early.
        let rest = std::io::copy(&mut input, &mut std::io::sink());
        rest.map_err(|error| format!("cannot read the message: {error}"))?;
        return Ok("skipped: the message is too large to be a report".to_owned());
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT));
    let agent: ureq::Agent = config.build().into();
    let url = format!("{}/v1/returns", args.url.trim_end_matches('/'));
    let mut request = agent.post(&url).header("authorization", format!("Bearer {}", key.trim()));
    if !args.recipient.is_empty() {
        request = request.query("recipient", &args.recipient);
    }
    let answer = request.header("content-type", "message/rfc822").send(&message);
    let mut answer = answer.map_err(|_| format!("no engine answers at {}", args.url))?;
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    match answer.status().as_u16() {
        200..=299 => Ok(text),
        413 => Ok(format!("skipped: {text}")),
        status => Err(format!("the engine says {status}: {text}")),
    }
}
