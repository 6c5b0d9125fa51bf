//! `restockd template send-test`: sends a letter to oneself through the transport that the engine would use.
//!
//! It is no campaign: nothing is recorded, consent is not checked, and the subject says `[TEST]`. The letter has no
//! `List-Unsubscribe`, and its links have no real token: following them changes nothing.

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::SendArgs;
use crate::config::Config;
use restockd_core::Email;
use restockd_engine::clock::Clock;
use restockd_mail::{DeliveryResult, Letter, Mailer, outcome_without};
use restockd_render::Rendered;

/// Recipients of one test, at most.
const RECIPIENTS_MAX: usize = 10;

pub(super) fn send(args: &SendArgs) -> anyhow::Result<ExitCode> {
    if args.to.len() > RECIPIENTS_MAX {
        bail!("a test goes to at most {RECIPIENTS_MAX} addresses");
    }
    let to: Vec<Email> = args
        .to
        .iter()
        .map(|to| Email::parse(to).with_context(|| format!("--to: {to:?} is not an address")))
        .collect::<Result<_, _>>()?;
    let config = args.shown.sources.config()?;
    let templates = args.shown.sources.templates(&config)?;
    let mail = args.shown.mail(&config, &templates)?;
    let mailer = Mailer::from_url(&config.mail.0, config.mail_options.clone())?;
    eprintln!("restockd: mail by {mailer}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sent = runtime.block_on(deliver(&config, &mailer, &mail, &to))?;
    Ok(if sent == to.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Delivers the letters one after another and prints each outcome; returns how many were taken.
async fn deliver(config: &Config, mailer: &Mailer, mail: &Rendered, all: &[Email]) -> anyhow::Result<usize> {
    let mut courier = mailer.courier();
    let (date, mut sent) = (Clock::real().now(), 0);
    let from = &config.engine.from;
    let domain = from.domain();
    for (place, to) in all.iter().enumerate() {
        let mut random = [0; 16];
        getrandom::fill(&mut random).context("no random bytes for a Message-ID")?;
        let letter = Letter {
            message_id: format!("test-{:032x}@{domain}", u128::from_le_bytes(random)),
            to: to.as_str().to_owned(),
            from: from.clone(),
            reply_to: None,
            subject: format!("[TEST] {}", mail.subject),
            text: mail.text.clone(),
            html: mail.html.clone(),
            list_id: None,
            unsubscribe_url: None,
            date_ms: date.0,
            envelope_from: None,
            feedback_id: None,
            complaints: None,
        };
        let outcome = match courier.ready().await {
            Ok(()) => courier.deliver(&letter, Box::pin(std::future::ready(true))).await,
            Err(outcome) => outcome,
        };
        let word = match outcome.end {
            DeliveryResult::Sent => "taken",
            DeliveryResult::Deferred | DeliveryResult::Throttled => "not taken now; it is not tried again",
            DeliveryResult::Failed => "refused",
            DeliveryResult::Unknown => "in doubt",
        };
        sent += usize::from(outcome.end == DeliveryResult::Sent);
        let reply = outcome_without(outcome, to.as_str()).diagnostic;
        println!("letter {} of {}: {word}: {reply}", place + 1, all.len());
    }
    courier.close().await;
    Ok(sent)
}
