//! A bounce or a complaint: recorded, and noted by open campaigns before it is acknowledged.

use super::super::context::Context;
use super::super::messages::CampaignMessage;
use super::super::reply::Reply;
use super::super::verbs::ReturnAnswer;
use super::DirectoryState;
use restockd_core::campaign::Skip;
use restockd_core::directory::{DirectoryEvent, ReturnDecision, Returned};
use restockd_core::returns::{Keeper, Report};
use restockd_core::{CampaignId, Email};
use restockd_mail::without_address;

impl DirectoryState {
    /// Takes a report in. From the answer on nothing goes to an address that it blocked.
    pub(super) fn returned(&mut self, context: &Context, report: &Report, reply: Reply<ReturnAnswer>) {
        let kind = report.evidence.kind;
        match self.directory.decide_returned(report, context) {
            ReturnDecision::Unproved => {
                let reason = "nothing in it proves whose letter it is about";
                reply.when_durable(ReturnAnswer::Skipped { kind, reason });
            }
            ReturnDecision::Known => {
                context.barrier(reply.part());
                reply.when_durable(ReturnAnswer::Duplicate { kind });
            }
            ReturnDecision::New(returned) => {
                let Returned { person, block, .. } = returned;
                let part = reply.part();
                self.write(context, &DirectoryEvent::Returned(returned), report.evidence.at, &part);
                if let (Some(person), Some(_)) = (person, block) {
                    let (list, reason, part) = (None, Skip::Suppressed, part.split());
                    context.mailboxes.campaign.send(CampaignMessage::Note { list, person, reason, part });
                }
                part.done();
                reply.when_durable(ReturnAnswer::Taken { kind, person, suppressed: block });
            }
        }
    }
}

impl Keeper for Context {
    fn address(&self, email: &Email) -> u128 {
        self.secrets.address(email)
    }

    fn message_id(&self, campaign: CampaignId, address: u64) -> u128 {
        self.secrets.message_number(campaign, address)
    }

    fn key(&self, source: &str, name: &str, address: u128) -> u128 {
        self.secrets.hash("return", &[source, name, &address.to_string()])
    }

    fn without(&self, words: &str, email: &Email) -> String {
        without_address(words, email.as_str())
    }
}
