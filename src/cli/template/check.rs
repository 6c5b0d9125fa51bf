//! `restockd template check`: finds the mistakes for which a start would refuse, and those that a start cannot find.
//!
//! A start compiles every template. An unknown filter or an impossible calculation shows only when a letter is rendered, so
//! here each mail and page is rendered once, also for a person with no properties.

use std::process::ExitCode;

use serde_json::Map;

use super::{Sources, sample};
use crate::boot;
use crate::config::Config;
use restockd_core::ListId;
use restockd_render::{Origin, TemplateKind, Templates};

/// Gmail cuts a mail near 102 kB, and with it the links at its end.
const HTML_BYTES: usize = 100_000;

pub(super) fn check(sources: &Sources) -> anyhow::Result<ExitCode> {
    let config = sources.config()?;
    let (mistakes, notes) = match sources.examined(&config)? {
        Err(mistakes) => (mistakes.iter().map(ToString::to_string).collect(), Vec::new()),
        Ok(templates) => look(&config, &templates),
    };
    for note in &notes {
        println!("note: {note}");
    }
    for mistake in &mistakes {
        println!("mistake: {mistake}");
    }
    if mistakes.is_empty() {
        let folder = sources.folder(&config).map(|folder| folder.display().to_string());
        println!("no mistake in {}", folder.as_deref().unwrap_or("the built-in templates"));
    }
    Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Renders everything once; returns mistakes and warnings.
fn look(config: &Config, templates: &Templates) -> (Vec<String>, Vec<String>) {
    let (mut mistakes, mut notes) = (Vec::new(), Vec::new());
    let named = boot::check_template_names(&config.engine.rule.template, &config.catalog, templates);
    mistakes.extend(named.err().map(|error| error.to_string()));
    let list = ListId::parse("restock-chair-01");
    for entry in templates.entries() {
        match (entry.kind, &list) {
            (TemplateKind::Mail, Some(list)) => {
                let stranger =
                    sample::mail(config, templates, &entry.key, list, Some(Map::new()), Some(Map::new()));
                mistakes.extend(stranger.err().map(|error| error.to_string()));
                match sample::mail(config, templates, &entry.key, list, None, None) {
                    Err(error) => mistakes.push(error.to_string()),
                    Ok(mail) if entry.origin != Origin::BuiltIn => {
                        for (part, text) in [("text", &mail.text), ("HTML", &mail.html)] {
                            if !text.contains("/v1/email/unsubscribe?") {
                                notes
                                    .push(format!("{}: its {part} has no link to leave the list", entry.key));
                            }
                        }
                        if mail.html.len() > HTML_BYTES {
                            notes.push(format!(
                                "{}: its HTML is {} kB; Gmail cuts a mail at 102 kB",
                                entry.key,
                                mail.html.len() / 1000
                            ));
                        }
                    }
                    Ok(_) => {}
                }
            }
            (TemplateKind::Page, _) => {
                let page = sample::page(config, templates, &entry.key, Map::new());
                mistakes.extend(page.err().map(|error| error.to_string()));
            }
            _ => {}
        }
    }
    mistakes.dedup();
    (mistakes, notes)
}
