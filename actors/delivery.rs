//! A worker's task: one connection, one letter at a time, always an outcome.
//!
//! ```text
//! Connect ─▶ connected past its greeting ─▶ Connected, or Unconnected with the reason
//! Deliver ─▶ made, given to the connection; its final dot waits for the start's record ─▶ Delivered
//! ```
//!
//! A letter that cannot be rendered, or whose making panics, fails alone: its neighbours never
//! notice. A worker answers whatever it was asked, also by a panic. The worker ends when the campaign actor is gone, and its channel with it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::context::Context;
use super::messages::CampaignMessage;
use super::template_context;
use crate::token::Purpose;
use restockd_core::campaign::Header;
use restockd_core::scheduler::{Input, Recipient};
use restockd_core::{CampaignId, Email, ListId, Millis};
use restockd_mail::{
    Address, Complaints, Courier, DeliveryOutcome, DeliveryResult, Diagnostic, DurabilityGate, FaultSource,
    Letter, SmtpPhase, outcome_without,
};
use restockd_render::{self, RecipientValues};

/// The campaign's part of every letter.
#[derive(Debug)]
pub struct CampaignTemplate {
    list: ListId,
    /// What the template makes of it, or why there is no such template.
    prepared: Result<restockd_render::PreparedCampaign, String>,
    from: Option<Address>,
    /// `Feedback-ID` without the campaign in front.
    feedback: Option<String>,
}

impl CampaignTemplate {
    /// Made once for a running campaign.
    #[must_use]
    pub fn new(context: &Context, header: &Header) -> Self {
        let props: Value = serde_json::from_str(&header.props).unwrap_or_default();
        let values = template_context::all(
            &context.settings,
            &context.catalog,
            &header.list,
            &props,
            header.subject.as_deref(),
        );
        Self {
            list: header.list.clone(),
            prepared: context.templates.prepare(&header.template, &values).map_err(|error| error.to_string()),
            // The door has checked it.
            from: header.from.as_deref().and_then(|from| from.parse().ok()),
            feedback: context.settings.envelope.feedback_id.as_deref().map(|sender| {
                let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
                let template: String = header.template.chars().take(64).map(plain).collect();
                format!("{template}:restock:{sender}")
            }),
        }
    }
}

impl CampaignTemplate {
    /// Whether a letter can be made of it for this person, or at least for somebody.
    ///
    /// # Errors
    /// What the template says when it can be made for nobody.
    pub fn try_out(&self, context: &Context, campaign: CampaignId, first: &Recipient) -> Result<(), String> {
        let made = |to: &Recipient| letter(context, self, to, "", campaign, Millis(0));
        let stranger = Recipient { props: Vec::new(), ..first.clone() };
        made(first).or_else(|_| made(&stranger)).map(drop)
    }
}

/// One letter to deliver.
pub struct Job {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its part of the letter.
    pub template: Arc<CampaignTemplate>,
    /// The recipient's part.
    pub recipient: Recipient,
    /// Where to.
    pub email: Email,
    /// True once the record of the start is durable.
    pub gate: oneshot::Receiver<bool>,
    /// When the letter was started.
    pub date: Millis,
}

/// What a worker is asked to do.
pub enum Work {
    /// Come to a connection on which a letter may start.
    Connect,
    /// Deliver a letter on it.
    Deliver(Job),
}

/// Does what comes through the channel until it closes.
pub(crate) async fn worker(
    context: Arc<Context>,
    worker: usize,
    mut courier: Courier,
    mut inbox: mpsc::Receiver<Work>,
) {
    while let Some(work) = inbox.recv().await {
        let input = match work {
            Work::Connect => {
                let panicked = || {
                    tracing::error!("connecting to the mail server panicked; it is tried again");
                    let said = Diagnostic::own("the connection could not be made", FaultSource::Shop);
                    Err(DeliveryOutcome::new(DeliveryResult::Deferred, SmtpPhase::Connection, said))
                };
                match guarded(courier.ready(), panicked).await {
                    Ok(()) => Input::Connected { worker },
                    Err(outcome) => Input::Unconnected { worker, outcome },
                }
            }
            Work::Deliver(job) => {
                let (campaign, person) = (job.campaign, job.recipient.person);
                let outcome = guarded(deliver(&context, &mut courier, job), || {
                    tracing::error!(campaign.id = %campaign, "making or sending a letter panicked; it is held in doubt");
                    // How far it came is not known: it may have been seen.
                    let said = Diagnostic::own("the letter could not be handled", FaultSource::Shop);
                    DeliveryOutcome::new(DeliveryResult::Unknown, SmtpPhase::Data, said)
                })
                .await;
                let connected = courier.is_ready();
                Input::Delivered { worker, campaign, person, outcome, connected }
            }
        };
        context.mailboxes.campaign.send(CampaignMessage::Input(input));
    }
    courier.close().await;
}

/// What a piece of work comes to, or what is made of its panic: one letter must not take its neighbours along.
pub(super) async fn guarded<T>(work: impl Future<Output = T>, panicked: impl FnOnce() -> T) -> T {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| panicked())
}

/// Sends a letter on a connection that is there, once the record behind it is durable; or says why it cannot be made.
pub(super) async fn send(
    courier: &mut Courier,
    letter: Result<Letter, String>,
    gate: oneshot::Receiver<bool>,
) -> DeliveryOutcome {
    match letter {
        Ok(letter) => courier.deliver(&letter, opened(gate)).await,
        Err(words) => unmade(words),
    }
}

/// What becomes of a letter that cannot be made.
pub(super) fn unmade(words: String) -> DeliveryOutcome {
    DeliveryOutcome::new(
        DeliveryResult::Failed,
        SmtpPhase::Connection,
        Diagnostic::own(words, FaultSource::Letter),
    )
}

/// True once the record is durable; false where that will not be.
fn opened(gate: oneshot::Receiver<bool>) -> DurabilityGate {
    Box::pin(async move { gate.await.unwrap_or(false) })
}

/// Makes and sends one letter.
async fn deliver(context: &Context, courier: &mut Courier, job: Job) -> DeliveryOutcome {
    if !courier.wants_letters() {
        return courier.pass(opened(job.gate)).await;
    }
    let to = job.email.as_str();
    let letter = letter(context, &job.template, &job.recipient, to, job.campaign, job.date);
    let outcome = send(courier, letter, job.gate).await;
    match outcome.end {
        // What is said of a letter that was taken is kept nowhere.
        DeliveryResult::Sent => DeliveryOutcome { diagnostic: Diagnostic::default(), ..outcome },
        // What is recorded outlives the person's erasure.
        _ => outcome_without(outcome, to),
    }
}

/// A letter from the campaign's part and the recipient's.
fn letter(
    context: &Context,
    template: &CampaignTemplate,
    to: &Recipient,
    email: &str,
    campaign: CampaignId,
    date: Millis,
) -> Result<Letter, String> {
    let settings = &context.settings;
    let link = |page: &str, token: String| format!("{}/v1/email/{page}?token={token}", settings.public_url);
    let unsubscribe =
        link("unsubscribe", context.secrets.sign(Purpose::Unsubscribe, to.person, Some(&template.list)));
    let preferences = link("preferences", context.secrets.sign(Purpose::Preferences, to.person, None));
    let own =
        RecipientValues { contact: &to.props, unsubscribe_url: &unsubscribe, preferences_url: &preferences };
    let prepared = template.prepared.as_ref().map_err(Clone::clone)?;
    let rendered = context.templates.letter(prepared, own).map_err(|error| error.to_string())?;
    let from = template.from.clone().unwrap_or_else(|| settings.from.clone());
    let domain = from.domain().to_owned();
    let envelope = &settings.envelope;
    let token = || context.secrets.bounce_token(campaign, to.person);
    Ok(Letter {
        message_id: format!("{}@{domain}", context.secrets.message(campaign, to.address as u64)),
        to: email.to_owned(),
        from,
        reply_to: None,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        list_id: Some(template.list.as_str().to_owned()),
        unsubscribe_url: Some(unsubscribe),
        date_ms: date.0,
        envelope_from: envelope.bounce_domain.as_ref().map(|domain| format!("bounce+{}@{domain}", token())),
        feedback_id: template.feedback.as_ref().map(|rest| format!("{campaign}:{rest}")),
        complaints: envelope.cfbl_address.clone().map(|address| Complaints { address, id: token() }),
    })
}
