//! A worker's task: one connection, one letter at a time, always an outcome.
//!
//! ```text
//! Connect ─▶ connected and greeted ─▶ Connected, or Unconnected with the reason
//! Deliver ─▶ rendered, given to the connection; its final dot waits for the record of the start ─▶ Delivered
//! ```
//!
//! A letter that cannot be rendered, or at which rendering panics, fails alone. A worker answers everything it was asked,
//! even after a panic. It ends with its channel, when the campaign actor is gone.

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

/// What all letters of a campaign share.
#[derive(Debug)]
pub struct CampaignTemplate {
    list: ListId,
    /// The prepared template, or why there is no such template.
    prepared: Result<restockd_render::PreparedCampaign, String>,
    from: Option<Address>,
    /// The `Feedback-ID` without the campaign's part.
    feedback: Option<String>,
}

impl CampaignTemplate {
    /// Made once for each running campaign.
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
            // The address was checked when the campaign was created.
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
    /// Tries whether a letter can be rendered for this person or, failing that, for anybody.
    ///
    /// # Errors
    /// What the template says when no letter can be rendered at all.
    pub fn try_out(&self, context: &Context, campaign: CampaignId, first: &Recipient) -> Result<(), String> {
        let made = |to: &Recipient| letter(context, self, to, "", campaign, Millis(0));
        let stranger = Recipient { props: Vec::new(), ..first.clone() };
        made(first).or_else(|_| made(&stranger)).map(drop)
    }
}

pub struct Job {
    pub campaign: CampaignId,
    /// What all letters of the campaign share.
    pub template: Arc<CampaignTemplate>,
    /// The recipient's part.
    pub recipient: Recipient,
    pub email: Email,
    /// Yields true once the record of the start is durable.
    pub gate: oneshot::Receiver<bool>,
    /// When the letter was started; the value of its `Date` header.
    pub date: Millis,
}

/// A worker's tasks.
pub enum Work {
    /// Connect to the relay, so that a letter may start.
    Connect,
    /// Deliver a letter on that connection.
    Deliver(Job),
}

/// Works until the channel closes.
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
                    // How far the letter came is not known, so it may have been delivered.
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

/// The result of a piece of work, or what stands for it after a panic: one letter must not take others along.
pub(super) async fn guarded<T>(work: impl Future<Output = T>, panicked: impl FnOnce() -> T) -> T {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| panicked())
}

/// Sends a letter on an open connection once its record is durable, or reports why it cannot be rendered.
pub(super) async fn send(
    courier: &mut Courier,
    letter: Result<Letter, String>,
    gate: oneshot::Receiver<bool>,
) -> DeliveryOutcome {
    match letter {
        Ok(letter) => courier.deliver(&letter, opened(gate)).await,
        Err(words) => unrendered(words),
    }
}

/// The outcome of a letter that cannot be rendered.
pub(super) fn unrendered(words: String) -> DeliveryOutcome {
    DeliveryOutcome::new(
        DeliveryResult::Failed,
        SmtpPhase::Connection,
        Diagnostic::own(words, FaultSource::Letter),
    )
}

/// A gate that resolves to true once the record is durable, and to false where it never will be.
fn opened(gate: oneshot::Receiver<bool>) -> DurabilityGate {
    Box::pin(async move { gate.await.unwrap_or(false) })
}

/// Renders and sends one letter.
async fn deliver(context: &Context, courier: &mut Courier, job: Job) -> DeliveryOutcome {
    if !courier.wants_letters() {
        return courier.pass(opened(job.gate)).await;
    }
    let to = job.email.as_str();
    let letter = letter(context, &job.template, &job.recipient, to, job.campaign, job.date);
    let outcome = send(courier, letter, job.gate).await;
    match outcome.end {
        // The reply to an accepted letter is not kept.
        DeliveryResult::Sent => DeliveryOutcome { diagnostic: Diagnostic::default(), ..outcome },
        // The diagnostic outlives the erasure of the person.
        _ => outcome_without(outcome, to),
    }
}

/// Puts a letter together from the campaign's and the recipient's parts.
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
