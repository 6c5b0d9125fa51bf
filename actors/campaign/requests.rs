//! Requests about campaigns that wait for an answer: restocks, creation by hand, commands, feedback.

use super::super::ack::AckGuard;
use super::super::api::ReturnAnswer;
use super::super::messages::{Asked, CreateRefusal, DirectoryMessage, Restocked};
use super::super::reply::Reply;
use super::*;
use restockd_core::Email;
use restockd_core::campaign::{CampaignCommand, CampaignRefusal};
use restockd_core::feedback::{FeedbackProof, FeedbackReport};
use restockd_core::scheduler::Created;

/// How far in the past `sendAt` may lie.
const SEND_AT_PAST_MS: u64 = 60_000;

impl CampaignState {
    /// Opens or extends the campaign of a SKU and day; during recovery there is no guard.
    pub(super) fn restocked(&mut self, context: &Context, restocked: &Restocked, ack: Option<AckGuard>) {
        let header = header::of_rule(context, restocked);
        let (upto, added, at_start) = (restocked.upto, restocked.added, ack.is_none());
        self.step(context, Input::Restocked { header, upto, added, at_start }, ack.as_ref());
        ack.into_iter().for_each(AckGuard::done);
    }

    /// Creates a campaign; a repeat of the key answers with the campaign there is.
    pub(super) fn create(
        &mut self,
        context: &Context,
        asked: Asked,
        reply: Reply<Result<Created, CreateRefusal>>,
    ) {
        let held = self.scheduler.campaigns().get(asked.id);
        let header = header::manual(context, asked, held.map(|held| &held.header));
        if !context.templates.has(&header.template) {
            return reply.when_durable(Err(CreateRefusal::UnknownTemplate(header.template)));
        }
        let now = context.clock.now();
        let past = header.scheduled.filter(|time| held.is_none() && now.since(*time) > SEND_AT_PAST_MS);
        if let Some(past) = past {
            return reply.when_durable(Err(CreateRefusal::SendAtPast(past)));
        }
        let ack = reply.ack();
        let answer = self.step(context, Input::Create(header), Some(&ack));
        ack.done();
        if let Some(SchedulerReply::Created(created)) = answer {
            reply.when_durable(Ok(created));
        }
    }

    pub(super) fn command(
        &mut self,
        context: &Context,
        id: CampaignId,
        command: CampaignCommand,
        reply: Reply<Result<(), CampaignRefusal>>,
    ) {
        let ack = reply.ack();
        let answer = self.step(context, Input::Command(id, command), Some(&ack));
        ack.done();
        if let Some(SchedulerReply::Command(answer)) = answer {
            reply.when_durable(answer);
        }
    }

    /// Passes feedback on to the directory, with the one of its addresses that the ledger says the letter went to.
    pub(super) fn returned(
        &self,
        context: &Context,
        mut report: Box<FeedbackReport>,
        reply: Reply<ReturnAnswer>,
    ) {
        if let FeedbackProof::Letter { campaign, person, named, went_to, .. } = &mut report.proof
            && let Some(ledger) = self.scheduler.campaigns().get(*campaign).map(|campaign| &campaign.ledger)
            && let Some((row, _)) = ledger.find(*person)
        {
            let started = |(_, address): &&(Email, u64)| ledger.started_to(*address) == Some(row);
            *went_to = named.iter().find(started).map(|(email, _)| email.clone());
        }
        context.mailboxes.directory.send(DirectoryMessage::Returned(report, reply));
    }
}
