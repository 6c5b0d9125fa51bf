//! Bounces and complaints, in records and pages. They hold no address.

use restockd_core::feedback::{FeedbackEvidence, FeedbackKind};
use restockd_core::status::Enhanced;
use restockd_core::{CampaignId, Millis};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::shared::{StatusV2, owned};

/// One bounce or complaint, as it is remembered.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReportV2<'a> {
    kind: Code<FeedbackKind>,
    at: u64,
    source: &'a str,
    status: Option<StatusV2>,
    diagnostic: Option<&'a str>,
    campaign: Option<u128>,
    message_id: Option<&'a str>,
}

impl<'a> From<&'a FeedbackEvidence> for ReportV2<'a> {
    fn from(report: &'a FeedbackEvidence) -> Self {
        Self {
            kind: Code(report.kind),
            at: report.at.0,
            source: &report.source,
            status: report.status.map(StatusV2::from),
            diagnostic: report.diagnostic.as_deref(),
            campaign: report.campaign.map(|id| id.0),
            message_id: report.message_id.as_deref(),
        }
    }
}

impl From<ReportV2<'_>> for FeedbackEvidence {
    fn from(body: ReportV2<'_>) -> Self {
        Self {
            kind: body.kind.0,
            at: Millis(body.at),
            source: body.source.to_owned(),
            status: body.status.map(Enhanced::from),
            diagnostic: owned(body.diagnostic),
            campaign: body.campaign.map(CampaignId),
            message_id: owned(body.message_id),
        }
    }
}
