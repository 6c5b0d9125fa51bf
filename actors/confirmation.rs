//! The confirmation workers: they send the mails of double opt-in, which belong to no campaign, one at a time per person.
//!
//! ```text
//! directory ── Confirmation ──▶ queue (256) ──▶ worker, a few ──▶ server
//!     ▲ ────────────────────── Asked(outcome) ─────┘
//! ```
//!
//! The queue is fed from the directory's pending confirmations, which are durable, and is filled again from them at start:
//! nothing is lost with it. A mail leaves only when the request behind it is durable. If the engine crashes before the
//! directory has recorded that a mail went out, the mail goes out again: one too many, never one too few.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{Mutex, mpsc};

use super::context::Context;
use super::delivery::{self, guarded, unrendered};
use super::messages::{Confirmation, DirectoryMessage};
use crate::token::Confirming;
use restockd_mail::{Courier, DeliveryOutcome, Letter};
use restockd_render::RecipientValues;

/// Mails under way at once.
pub(crate) const UNDER_WAY_MAX: usize = 256;
/// Workers at most, each with a connection besides those of the campaigns.
pub(crate) const WORKERS_MAX: usize = 4;
const TEMPLATE: &str = "confirm";

/// Sends mails until the queue closes or the engine ends.
pub(crate) async fn confirmation_worker(
    context: Arc<Context>,
    mut courier: Courier,
    queue: Arc<Mutex<mpsc::Receiver<Confirmation>>>,
) {
    loop {
        let next = queue.lock().await.recv().await;
        let Some(mail) = next else { break };
        let (person, round) = (mail.person, mail.round);
        let outcome = guarded(send(&context, &mut courier, mail), || {
            tracing::error!("making or sending a mail that asks for a confirmation panicked; it is given up");
            unrendered("the letter could not be handled".to_owned())
        })
        .await;
        context.mailboxes.directory.send(DirectoryMessage::Asked(person, round, outcome));
    }
    courier.close().await;
}

async fn send(context: &Context, courier: &mut Courier, mail: Confirmation) -> DeliveryOutcome {
    let letter = letter(context, &mail);
    match &letter {
        Err(reason) => tracing::error!(reason, "the mail that asks for a confirmation cannot be made"),
        Ok(_) => {
            if let Err(outcome) = courier.ready().await {
                return outcome;
            }
        }
    }
    delivery::send(courier, letter, mail.gate).await
}

fn letter(context: &Context, mail: &Confirmation) -> Result<Letter, String> {
    let settings = &context.settings;
    let within = context.catalog.confirm_within_ms();
    let link = Confirming {
        person: mail.person,
        address: mail.address,
        round: mail.round,
        until: mail.date.plus(within),
    };
    let url =
        format!("{}/v1/email/confirm?token={}", settings.public_url, context.secrets.sign_confirming(&link));
    let values = json!({
        "lists": mail.names,
        "confirm_url": url,
        "hours": within / 3_600_000,
        "shop_name": settings.shop_name,
        "postal_address": settings.postal_address,
    });
    let prepared = context.templates.prepare(TEMPLATE, &values).map_err(|error| error.to_string())?;
    let own = RecipientValues { contact: &[], unsubscribe_url: "", preferences_url: "" };
    let rendered = context.templates.letter(&prepared, own).map_err(|error| error.to_string())?;
    let domain = settings.from.domain();
    let parts = [mail.address.to_string(), mail.round.to_string(), mail.date.0.to_string()];
    let id = context.secrets.hash("confirm", &parts.each_ref().map(String::as_str));
    Ok(Letter {
        message_id: format!("{id:032x}@{domain}"),
        to: mail.email.as_str().to_owned(),
        from: settings.from.clone(),
        reply_to: None,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        list_id: None,
        unsubscribe_url: None,
        date_ms: mail.date.0,
        envelope_from: None,
        feedback_id: None,
        complaints: None,
    })
}
