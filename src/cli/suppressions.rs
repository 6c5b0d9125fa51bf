//! `restockd suppressions`: the suppression list of a running engine, over HTTP.
//!
//! An import of any length is sent in pieces of a size that the engine accepts. A line that the engine refuses is reported
//! with its number and makes the exit code 1.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use restockd_core::text::unix_lines;

/// Lines of one piece; the engine accepts ten thousand and 8 MiB.
const LINES_AT_ONCE: usize = 5000;

/// The limit of a CSV file, which is held in memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The arguments of `suppressions`.
#[derive(Debug, Args)]
pub struct SuppressionsArgs {
    /// The engine.
    #[arg(long, env = "RESTOCKD_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// What to do.
    #[command(subcommand)]
    pub command: SuppressionsCommand,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub enum SuppressionsCommand {
    /// A page of the list, or the entry of one address.
    List {
        /// Only this address.
        #[arg(long)]
        email: Option<String>,
        /// Rows at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// The cursor of the page before.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// This address takes no mail from now on.
    Add {
        /// The address.
        email: String,
        /// `unsubscribed`, `hard_bounce`, `complaint` or `manual`.
        #[arg(long, default_value = "manual")]
        reason: String,
    },
    /// This address may be mailed again.
    Remove {
        /// The address.
        email: String,
    },
    /// Adds a whole list: CSV with a header line `email,reason`, or one JSON object a line.
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// How it is written; else by the file's name, else CSV.
        #[arg(long)]
        format: Option<Format>,
    },
    /// Writes the whole list.
    Export {
        /// Where to; else standard output.
        #[arg(long)]
        out: Option<PathBuf>,
        /// How to write it.
        #[arg(long, default_value = "csv")]
        format: Format,
    },
}

/// Calls the engine.
struct EngineClient {
    agent: ureq::Agent,
    bearer: String,
    url: String,
}

/// Runs the subcommand; the admin key is `RESTOCKD_API_KEY`.
pub(super) fn suppressions(args: &SuppressionsArgs) -> anyhow::Result<ExitCode> {
    let key = std::env::var("RESTOCKD_API_KEY")
        .context("RESTOCKD_API_KEY is not set; it must hold an admin key of the engine")?;
    let engine = EngineClient {
        agent: ureq::Agent::config_builder().http_status_as_error(false).build().into(),
        bearer: format!("Bearer {key}"),
        url: format!("{}/v1/suppressions", args.url.trim_end_matches('/')),
    };
    let answer = match &args.command {
        SuppressionsCommand::List { email, limit, cursor } => {
            let mut asked = engine.agent.get(&engine.url).query("limit", limit.to_string());
            for (name, value) in [("email", email), ("cursor", cursor)] {
                if let Some(value) = value {
                    asked = asked.query(name, value);
                }
            }
            engine.said(asked.header("authorization", &engine.bearer).call())?
        }
        SuppressionsCommand::Add { email, reason } => {
            let body = json!({ "email": email, "reason": reason });
            engine.said(
                engine.agent.post(&engine.url).header("authorization", &engine.bearer).send_json(body),
            )?
        }
        SuppressionsCommand::Remove { email } => {
            let asked = engine.agent.delete(&engine.url).header("authorization", &engine.bearer);
            engine.said(asked.force_send_body().send_json(json!({ "email": email })))?
        }
        SuppressionsCommand::Import { file, format } => return import(&engine, file, *format),
        SuppressionsCommand::Export { out, format } => return export(&engine, out.as_deref(), *format),
    };
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(ExitCode::SUCCESS)
}

impl EngineClient {
    /// The JSON of a 2xx answer.
    fn said(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
        let mut answer = answer.with_context(|| format!("no engine answers at {}", self.url))?;
        let body: Value = answer.body_mut().read_json().unwrap_or_default();
        if !answer.status().is_success() {
            bail!("the engine says {}: {body}", answer.status());
        }
        Ok(body)
    }

    /// Sends a piece of a list; returns how many lines were new and how many were refused, and prints the refused ones.
    fn send(&self, kind: &str, body: &[u8], lines: &[u64]) -> anyhow::Result<(usize, usize)> {
        let asked = self.agent.post(format!("{}/import", self.url)).header("authorization", &self.bearer);
        let answer = self.said(asked.header("content-type", kind).send(body))?;
        let (mut added, mut refused) = (0, 0);
        for (result, line) in answer["results"].as_array().into_iter().flatten().zip(lines) {
            if let Some(error) = result["error"].as_str() {
                refused += 1;
                eprintln!("line {line}: {error}");
            } else if result["changed"] == true {
                added += 1;
            }
        }
        Ok((added, refused))
    }
}

/// Sends a whole file.
fn import(engine: &EngineClient, file: &Path, format: Option<Format>) -> anyhow::Result<ExitCode> {
    let lines = file.extension().is_some_and(|name| name == "ndjson" || name == "jsonl");
    let format = format.unwrap_or(if lines { Format::Ndjson } else { Format::Csv });
    let source: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(file).with_context(|| format!("{} cannot be read", file.display()))?),
    };
    let (added, refused) = match format {
        Format::Csv => import_csv(engine, source)?,
        Format::Ndjson => import_lines(engine, source)?,
    };
    println!("{added} new, {refused} refused");
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends CSV in pieces that each begin with the header line.
fn import_csv(engine: &EngineClient, source: impl Read) -> anyhow::Result<(usize, usize)> {
    let mut text = Vec::new();
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).context("the file cannot be read")?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("the file is over 1 GiB; import it in parts, each with the header line");
    }
    let text = unix_lines(&text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
    let header = reader.byte_headers().context("the header line cannot be read")?.clone();
    let (mut added, mut refused) = (0, 0);
    let mut rows = reader.into_byte_records().peekable();
    while rows.peek().is_some() {
        let mut piece = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        piece.write_byte_record(&header)?;
        let mut numbers = Vec::new();
        for row in rows.by_ref().take(LINES_AT_ONCE) {
            let row = row.context("the file cannot be read")?;
            numbers.push(row.position().map_or(0, csv::Position::line));
            piece.write_byte_record(&row)?;
        }
        let (new, bad) = engine.send("text/csv", &piece.into_inner()?, &numbers)?;
        (added, refused) = (added + new, refused + bad);
    }
    Ok((added, refused))
}

/// Sends one JSON object per line.
fn import_lines(engine: &EngineClient, source: impl Read) -> anyhow::Result<(usize, usize)> {
    let (mut added, mut refused) = (0, 0);
    let mut lines = (1..).zip(BufReader::new(source).split(b'\n')).peekable();
    while lines.peek().is_some() {
        let (mut piece, mut numbers) = (Vec::new(), Vec::new());
        for (number, line) in lines.by_ref().take(LINES_AT_ONCE) {
            let line = line.context("the file cannot be read")?;
            if !line.trim_ascii().is_empty() {
                numbers.push(number);
                piece.extend_from_slice(line.trim_ascii());
                piece.push(b'\n');
            }
        }
        let (new, bad) = engine.send("application/x-ndjson", &piece, &numbers)?;
        (added, refused) = (added + new, refused + bad);
    }
    Ok((added, refused))
}

/// Writes the whole list to a file for its owner only, or to standard output.
fn export(engine: &EngineClient, out: Option<&Path>, format: Format) -> anyhow::Result<ExitCode> {
    let word = if format == Format::Csv { "csv" } else { "ndjson" };
    let asked = engine.agent.get(format!("{}/export", engine.url)).query("format", word);
    let answer = asked.header("authorization", &engine.bearer).call();
    let mut answer = answer.with_context(|| format!("no engine answers at {}", engine.url))?;
    if !answer.status().is_success() {
        bail!("the engine says {}", answer.status());
    }
    let mut sink: Box<dyn Write> = match out {
        Some(path) => {
            let made = File::create(path).with_context(|| format!("{} cannot be made", path.display()))?;
            Box::new(made)
        }
        None => Box::new(io::stdout().lock()),
    };
    io::copy(&mut answer.body_mut().as_reader(), &mut sink).context("the list broke off")?;
    sink.flush().context("the list cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
