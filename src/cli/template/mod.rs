//! `restockd template`: shows the mails and pages that people get, without an engine.
//!
//! ```text
//! list        every mail and page, and where it comes from
//! check       every mistake of a folder, with file and line; then each mail and page is rendered once
//! render      one mail or page with sample data, to look at
//! send-test   one mail through the configured mailer, to see it where it will be read
//! ```
//!
//! With `--config`, shop, addresses and presentation of lists are the engine's; without, those of a sample shop.

mod check;
mod render;
mod sample;
mod send;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::config::{Config, Flags};
use crate::overrides;
use restockd_render::{Origin, RenderError, TemplateKind, Templates};

pub use render::MailPart;

/// The arguments of `template`.
#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// All mails and pages: built in, overridden, or the shop's own.
    List(Sources),
    /// Every mistake in a folder of templates, with file and line.
    Check(Sources),
    /// Renders a mail or a page with sample data.
    Render(RenderArgs),
    /// Sends one mail, rendered with sample data and marked as a test in its subject; no campaign, no record.
    SendTest(SendArgs),
}

/// Where templates and settings come from.
#[derive(Debug, Args)]
pub struct Sources {
    /// The folder of your own templates; else the one in the configuration.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// The configuration file: shop, addresses, looks of lists.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// What a template is shown with.
#[derive(Debug, Args)]
pub struct Shown {
    /// A mail's key (`ecommerce/back-in-stock`); to look at a page: `pages/preferences`.
    pub key: String,
    /// Templates and settings.
    #[command(flatten)]
    pub sources: Sources,
    /// The list that the mail is about.
    #[arg(long, default_value = "restock-chair-01")]
    pub list: String,
    /// A campaign's props as a JSON object, in place of the sample's; for a page, values over the sample's.
    #[arg(long)]
    pub props: Option<PathBuf>,
    /// A contact's properties as a JSON object, in place of the sample's.
    #[arg(long)]
    pub contact: Option<PathBuf>,
}

/// The arguments of `template render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// What is shown.
    #[command(flatten)]
    pub shown: Shown,
    /// Only this part.
    #[arg(long)]
    pub part: Option<MailPart>,
    /// Write files into this folder, not to standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// The arguments of `template send-test`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// What is sent.
    #[command(flatten)]
    pub shown: Shown,
    /// The recipients, at most 10; each gets a letter of its own.
    #[arg(long, required = true, num_args = 1..)]
    pub to: Vec<String>,
}

pub(super) fn template(args: &TemplateArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        TemplateCommand::List(sources) => list(sources),
        TemplateCommand::Check(sources) => check::check(sources),
        TemplateCommand::Render(args) => render::render(args),
        TemplateCommand::SendTest(args) => send::send(args),
    }
}

impl Sources {
    /// The settings; without a file, the name and the address of a sample shop.
    fn config(&self) -> anyhow::Result<Config> {
        let mut config =
            Config::load(self.config.as_deref(), |key| std::env::var(key).ok(), &Flags::default())?;
        if self.config.is_none() {
            config.engine.shop_name = sample::SHOP.to_owned();
            config.engine.postal_address = sample::POSTAL_ADDRESS.to_owned();
        }
        Ok(config)
    }

    /// The folder of templates, if there is one.
    fn folder<'a>(&'a self, config: &'a Config) -> Option<&'a Path> {
        self.folder.as_deref().or(config.templates.as_deref())
    }

    /// All templates, or every mistake in them.
    fn examined(&self, config: &Config) -> anyhow::Result<Result<Templates, Vec<RenderError>>> {
        let files = self.folder(config).map(overrides::read).transpose()?;
        Ok(Templates::examined(files.unwrap_or_default()))
    }

    fn templates(&self, config: &Config) -> anyhow::Result<Templates> {
        self.examined(config)?.map_err(|mistakes| {
            let all: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(all.join("\n          "))
        })
    }
}

/// Prints a line for each mail, page and part.
fn list(sources: &Sources) -> anyhow::Result<ExitCode> {
    let templates = sources.templates(&sources.config()?)?;
    for entry in templates.entries() {
        let (kind, key) = match entry.kind {
            TemplateKind::Mail => ("mail", entry.key),
            TemplateKind::Page => ("page", format!("pages/{}", entry.key)),
            TemplateKind::Part => ("part", entry.key),
        };
        let origin = match entry.origin {
            Origin::BuiltIn => "built in".to_owned(),
            Origin::Overridden(files) => format!("overridden: {}", files.join(", ")),
            Origin::Own => "own".to_owned(),
        };
        println!("{kind}  {key:<28}  {origin}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The limit of a file of props; those of an event are limited to 16 KiB.
const JSON_BYTES_MAX: u64 = 64 * 1024;

/// Reads a file that holds a JSON object.
fn object(path: &Path) -> anyhow::Result<serde_json::Map<String, serde_json::Value>> {
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if about.len() > JSON_BYTES_MAX {
        bail!("{} is larger than 64 KiB, which no campaign's props may be", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a JSON object", path.display()))
}
