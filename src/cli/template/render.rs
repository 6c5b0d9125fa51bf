//! `restockd template render`: prints one mail or page, or writes it into files that a browser opens.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::RenderArgs;
use super::sample::Sample;

/// A part of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MailPart {
    /// The subject.
    Subject,
    /// The plain body.
    Text,
    /// The HTML body, or a page.
    Html,
}

pub(super) fn render(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let config = args.shown.sources.config()?;
    let templates = args.shown.sources.templates(&config)?;
    let mut parts = match args.shown.rendered(&config, &templates)? {
        Sample::Mail(mail) => vec![
            (MailPart::Subject, "subject.txt".to_owned(), mail.subject),
            (MailPart::Text, "body.txt".to_owned(), mail.text),
            (MailPart::Html, "body.html".to_owned(), mail.html),
        ],
        Sample::Page { name, html } => vec![(MailPart::Html, format!("{name}.html"), html)],
    };
    parts.retain(|(part, ..)| args.part.is_none_or(|wanted| wanted == *part));
    if parts.is_empty() {
        bail!("a page has one part, html");
    }
    match &args.out {
        Some(folder) => write(folder, &parts)?,
        None => {
            for (place, (part, _, text)) in parts.iter().enumerate() {
                let label = if *part == MailPart::Subject && args.part.is_none() { "Subject: " } else { "" };
                let gap = if place > 0 { "\n" } else { "" };
                println!("{gap}{label}{}", text.trim_end_matches('\n'));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes each part to its file and prints the path.
fn write(folder: &Path, parts: &[(MailPart, String, String)]) -> anyhow::Result<()> {
    for (_, name, text) in parts {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
