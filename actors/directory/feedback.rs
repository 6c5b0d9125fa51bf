//! Feedback: a bounce or a complaint is recorded, and open campaigns note it before it is acknowledged.

use super::super::api::ReturnAnswer;
use super::super::context::Context;
use super::super::messages::CampaignMessage;
use super::super::reply::Reply;
use super::DirectoryState;
use restockd_core::campaign::SkipReason;
use restockd_core::directory::{DirectoryEvent, FeedbackDecision, FeedbackRecord};
use restockd_core::feedback::{FeedbackReport, Pseudonymizer};
use restockd_core::{CampaignId, Email};
use restockd_mail::without_address;

impl DirectoryState {
    /// Takes in a report. After the answer nothing more is sent to an address that it suppressed.
    pub(super) fn returned(
        &mut self,
        context: &Context,
        report: &FeedbackReport,
        reply: Reply<ReturnAnswer>,
    ) {
        let kind = report.evidence.kind;
        match self.directory.decide_feedback(report, context) {
            FeedbackDecision::Unproved => {
                let reason = "nothing in it proves whose letter it is about";
                reply.when_durable(ReturnAnswer::Skipped { kind, reason });
            }
            FeedbackDecision::Known => {
                context.barrier(reply.ack());
                reply.when_durable(ReturnAnswer::Duplicate { kind });
            }
            FeedbackDecision::New(returned) => {
                let FeedbackRecord { person, suppression_reason, .. } = returned;
                let ack = reply.ack();
                self.write(context, &DirectoryEvent::Returned(returned), report.evidence.at, &ack);
                if let (Some(person), Some(_)) = (person, suppression_reason) {
                    let (list, reason, ack) = (None, SkipReason::Suppressed, ack.split());
                    context.mailboxes.campaign.send(CampaignMessage::Note { list, person, reason, ack });
                }
                ack.done();
                reply.when_durable(ReturnAnswer::Taken { kind, person, suppressed: suppression_reason });
            }
        }
    }
}

impl Pseudonymizer for Context {
    fn address(&self, email: &Email) -> u128 {
        self.secrets.address(email)
    }

    fn message_id(&self, campaign: CampaignId, address: u64) -> u128 {
        self.secrets.message_number(campaign, address)
    }

    fn key(&self, source: &str, name: &str, address: u128) -> u128 {
        self.secrets.hash("return", &[source, name, &address.to_string()])
    }

    fn redact(&self, words: &str, email: &Email) -> String {
        without_address(words, email.as_str())
    }
}
