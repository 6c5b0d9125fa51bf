//! A bounce or a complaint: recorded, and noted by open campaigns before it is acknowledged.

use super::super::context::Context;
use super::super::messages::CampaignMessage;
use super::super::receipt::Part;
use super::DirectoryState;
use crate::domain::campaign::Skip;
use crate::domain::directory::{Block, DirectoryEvent, Returned};
use crate::domain::returns::Report;

impl DirectoryState {
    /// Takes a report in. From the answer on nothing goes to an address that it blocked.
    pub(super) fn returned(
        &mut self,
        context: &Context,
        report: &Report,
        part: Part,
    ) -> Option<Option<Block>> {
        let Some(returned) = self.directory.decide_returned(report) else {
            context.barrier(part);
            return None;
        };
        let Returned { person, block, .. } = returned;
        self.write(context, &DirectoryEvent::Returned(returned), report.evidence.at, &part);
        if let (Some(person), Some(_)) = (person, block) {
            let (list, reason) = (None, Skip::Suppressed);
            context.mailboxes.campaign.send(CampaignMessage::Note {
                list,
                person,
                reason,
                part: part.split(),
            });
        }
        part.done();
        Some(block)
    }
}
