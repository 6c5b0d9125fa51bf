//! Campaigns: created by hand, read, and steered.
//!
//! List and template are checked by the Engine; here only the size of their texts is. `bucket` belongs to the API of the
//! system that this one replaces: it is accepted and answered as that system's clients expect, and has no effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use restockd_core::campaign::CampaignStatus;
use restockd_core::{Email, Millis, Span};
use restockd_engine::api::{
    CampaignInput, CampaignVerb, CampaignView, CampaignsQuery, HeldLetters, InDoubtPolicy,
};

use super::auth::Ingest;
use super::body::{self, BODY_BYTES_MAX, IDEMPOTENCY_KEY, Query, Segment, header_key};
use super::error::ApiError;
use super::validate::{Fields, Issue, Issues};
use super::{App, response};

/// Rows on a page: the limit, and the default.
const PAGE_MAX: usize = 200;
const PAGE: usize = 50;
/// Longer than any campaign id.
const ID_BYTES_MAX: usize = 256;
/// Statuses in one query.
const STATUSES_MAX: usize = 20;
/// Statuses that may be queried although no campaign has them yet.
const RESERVED: [&str; 2] = ["waiting", "sold_out"];

fn is_status(word: &str) -> bool {
    CampaignStatus::ALL.iter().any(|status| status.as_str() == word) || RESERVED.contains(&word)
}

/// `POST /v1/campaigns`.
pub(super) async fn create(
    _: Ingest,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        campaign_id: String,
        status: String,
        scheduled_at: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        mismatch: Vec<&'static str>,
    }
    let (parts, body) = request.into_parts();
    let header = header_key(&parts.headers)?;
    let body = body::read(body, BODY_BYTES_MAX, app.body_timeout).await?;
    let asked = read(Fields::parse(&body)?, header, |list| app.engine.has_template(list))?;
    let given = app.engine.create_campaign(asked).await?;
    Ok(response::accepted(&Created {
        campaign_id: given.id.to_string(),
        status: given.status,
        scheduled_at: time(given.scheduled_at),
        mismatch: given.mismatch,
    }))
}

/// Reads a campaign's body. The idempotency key of the header has precedence over the body's; the template may be left
/// out for a list that has one by configuration.
fn read(
    mut fields: Fields,
    header: Option<String>,
    has_template: impl Fn(&str) -> bool,
) -> Result<CampaignInput, ApiError> {
    let (list, bucket) = (fields.text("list"), fields.text("bucket"));
    let (name, template, subject) = (fields.text("name"), fields.text("template"), fields.text("subject"));
    let (from, send_at) = (fields.text("from"), fields.text("sendAt"));
    let (key, on_doubt) = (fields.text("idempotencyKey"), fields.text("onDoubt"));
    let max_age = fields.text("maxAge");
    let props = fields.properties("props");
    let issues = &mut fields.issues;
    for (field, value) in [("name", &name), ("subject", &subject), ("template", &template)] {
        if let Some(value) = value {
            issues.label(&[field], value);
        }
    }
    let left_out = template.as_ref().is_none_or(|template| template.is_empty());
    if left_out && !list.as_deref().is_some_and(has_template) && !issues.mentions("template") {
        issues.add(Issue::kind(&["template"], "string", "undefined"));
    }
    let from = sender(issues, from);
    let key = match header {
        Some(key) => issues.key(IDEMPOTENCY_KEY.as_str(), Some(key)),
        None => issues.key("idempotencyKey", key),
    };
    let send_at = issues.instant("sendAt", send_at.as_deref());
    let on_doubt = doubt(issues, on_doubt.as_deref());
    let max_age = age(issues, max_age.as_deref());
    let (list, bucket) = (list.filter(|id| !id.is_empty()), bucket.filter(|id| !id.is_empty()));
    if list.is_some() == bucket.is_some() && !issues.mentions("list") && !issues.mentions("bucket") {
        issues.add(Issue::value(&["list"], "exactly one of list and bucket", "object"));
    }
    let blank = |text: &String| !text.trim().is_empty();
    let (name, subject) = (name.filter(blank), subject.filter(blank));
    let list = list.unwrap_or_default();
    let template = template.unwrap_or_default();
    let asked = CampaignInput { name, list, template, props, from, subject, send_at, key, on_doubt, max_age };
    let asked = fields.issues.or(asked)?;
    match bucket {
        Some(bucket) => Err(ApiError::Unknown(format!("Unknown bucket: {bucket}"))),
        None => Ok(asked),
    }
}

/// Checks a sender: an address, or a plain name and an address in angle brackets.
fn sender(issues: &mut Issues, from: Option<String>) -> Option<String> {
    let from = from.filter(|from| !from.trim().is_empty())?;
    issues.label(&["from"], &from);
    let address = match from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) if !name.contains(['<', '>']) => address,
        _ => from.trim(),
    };
    if Email::parse(address).is_none() {
        issues.add(Issue::text(&["from"], "an address, or a name and <an address>", "Invalid sender"));
    }
    Some(from.trim().to_owned())
}

fn doubt(issues: &mut Issues, word: Option<&str>) -> InDoubtPolicy {
    match word {
        Some("resend") => InDoubtPolicy::Resend,
        None | Some("hold") => InDoubtPolicy::Hold,
        Some(_) => {
            issues.add(Issue::value(&["onDoubt"], "'hold' or 'resend'", "string"));
            InDoubtPolicy::Hold
        }
    }
}

/// Reads the age at which letters expire; `None` for no limit.
fn age(issues: &mut Issues, text: Option<&str>) -> Option<Span> {
    let age = Span::age(text?);
    if age.is_none() {
        let message = "must be a span of time such as 30m, 4h or 2d, more than 0 and at most 400d";
        issues.add(Issue::text(&["maxAge"], "a span of time", message));
    }
    age
}

/// `GET /v1/campaigns`.
pub(super) async fn index(
    _: Ingest,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Page<'a> {
        campaigns: Vec<CampaignJson<'a>>,
        has_more: bool,
    }
    let status = query.get("status").unwrap_or_default();
    let status: Vec<String> = status
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .take(STATUSES_MAX)
        .map(Into::into)
        .collect();
    if !status.iter().all(|status| is_status(status)) {
        return Err(ApiError::issue(Issue::value(
            &["status"],
            "statuses of campaigns, with commas",
            "string",
        )));
    }
    let limit = query.number("limit", PAGE, 1, PAGE_MAX)?;
    let offset = query.number("offset", 0, 0, u32::MAX as usize)?;
    let (campaigns, has_more) = app.engine.campaigns(CampaignsQuery { status, limit, offset }).await?;
    Ok(response::ok(&Page { campaigns: campaigns.iter().map(CampaignJson::from).collect(), has_more }))
}

/// `GET /v1/campaigns/{id}`.
pub(super) async fn show(_: Ingest, State(app): State<Arc<App>>, id: Segment) -> Result<Response, ApiError> {
    let campaign = app.engine.campaign(fit(&id)?).await?;
    Ok(response::ok(&CampaignJson::from(&campaign)))
}

/// An id that a campaign could have.
pub(super) fn fit(id: &Segment) -> Result<&str, ApiError> {
    if id.0.len() <= ID_BYTES_MAX { Ok(&id.0) } else { Err(ApiError::NoRoute) }
}

async fn steer(app: &App, id: &Segment, command: CampaignVerb) -> Result<Response, ApiError> {
    let campaign = app.engine.campaign_command(fit(id)?, command).await?;
    Ok(response::ok(&CampaignJson::from(&campaign)))
}

/// Defines the handler of each command's route.
macro_rules! command_routes {
    ($($(#[$doc:meta])* $name:ident => $command:ident;)*) => {$(
        $(#[$doc])*
        pub(super) async fn $name(_: Ingest, State(app): State<Arc<App>>, id: Segment) -> Result<Response, ApiError> {
            steer(&app, &id, CampaignVerb::$command).await
        }
    )*};
}

command_routes! {
    /// `POST /v1/campaigns/{id}/cancel`.
    cancel => Cancel;
    /// `POST /v1/campaigns/{id}/pause`.
    pause => Pause;
    /// `POST /v1/campaigns/{id}/resume`.
    resume => Resume;
    /// `POST /v1/campaigns/{id}/retry-failed`.
    retry_failed => RetryFailed;
    /// `POST /v1/campaigns/{id}/in-doubt/resend`.
    resend_doubt => ResendDoubt;
    /// `POST /v1/campaigns/{id}/in-doubt/drop`.
    drop_doubt => DropDoubt;
}

fn time(at: Option<Millis>) -> Option<String> {
    at.map(|at| at.to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CampaignJson<'a> {
    id: String,
    name: &'a str,
    status: &'a str,
    audience_kind: &'static str,
    audience_id: &'a str,
    template_key: &'a str,
    subject: Option<&'a str>,
    from_email: Option<&'a str>,
    total_recipients: u64,
    sent_count: u64,
    skipped_count: u64,
    failed_count: u64,
    steps: (),
    current_step: u8,
    next_step_at: (),
    scheduled_at: Option<String>,
    canceled_at: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    created_at: String,
    in_doubt_count: u64,
    deferred_count: u64,
    pending_count: u64,
    started_count: u64,
    skipped: BTreeMap<&'static str, u64>,
    rate: Option<&'a str>,
    max_age: Option<&'a str>,
    held: Vec<HeldRow<'a>>,
}

/// What letters of a campaign wait for.
#[derive(Serialize)]
struct HeldRow<'a> {
    reason: &'static str,
    provider: Option<&'a str>,
    until: Option<String>,
    count: u64,
}

impl<'a> From<&'a HeldLetters> for HeldRow<'a> {
    fn from(held: &'a HeldLetters) -> Self {
        let (provider, until) = (held.provider.as_deref(), time(held.until));
        Self { reason: held.reason.as_str(), provider, until, count: held.count }
    }
}

impl<'a> From<&'a CampaignView> for CampaignJson<'a> {
    fn from(campaign: &'a CampaignView) -> Self {
        Self {
            id: campaign.id.to_string(),
            name: &campaign.name,
            status: &campaign.status,
            audience_kind: "list",
            audience_id: campaign.list.as_str(),
            template_key: &campaign.template,
            subject: campaign.subject.as_deref(),
            from_email: campaign.from.as_deref(),
            total_recipients: campaign.total,
            sent_count: campaign.sent,
            skipped_count: campaign.skipped.iter().map(|(_, count)| count).sum(),
            failed_count: campaign.failed,
            steps: (),
            current_step: 0,
            next_step_at: (),
            scheduled_at: time(campaign.scheduled_at),
            canceled_at: time(campaign.canceled_at),
            started_at: time(campaign.started_at),
            completed_at: time(campaign.completed_at),
            created_at: campaign.created_at.to_string(),
            in_doubt_count: campaign.in_doubt,
            deferred_count: campaign.deferred,
            pending_count: campaign.pending,
            started_count: campaign.started,
            skipped: campaign.skipped.iter().copied().collect(),
            rate: campaign.rate.as_deref(),
            max_age: campaign.max_age.as_deref(),
            held: campaign.held.iter().map(HeldRow::from).collect(),
        }
    }
}
