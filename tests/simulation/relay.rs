//! The mail server of the simulation: it takes letters, refuses them, puts them off, or goes away before or after
//! the final dot. A letter may leave only once the record of its start is durable.

use restockd::actors::campaign::CampaignMessage;
use restockd::actors::delivery::{Delivered, Job};
use restockd::actors::post::Message;
use restockd::domain::CampaignId;
use restockd::mail::{Diagnostic, End, Fault, Outcome, Phase};
use tokio::sync::mpsc;

use crate::dice::Dice;
use crate::model::Model;
use crate::world::address_of;

/// A letter that a courier carries.
struct Carried {
    courier: usize,
    job: Job,
    /// The start is durable: the final dot may have left.
    open: bool,
}

/// Letters on the wire.
pub struct Relay {
    inboxes: Vec<mpsc::Receiver<Job>>,
    wire: Vec<Carried>,
}

impl Relay {
    /// A relay with so many connections, and the couriers' ends of them.
    pub fn new(connections: usize) -> (Self, Vec<mpsc::Sender<Job>>) {
        let (senders, inboxes) = (0..connections).map(|_| mpsc::channel(1)).unzip();
        (Self { inboxes, wire: Vec::new() }, senders)
    }

    /// Takes over what the campaign actor started: campaign and address of each.
    pub fn take_in(&mut self) -> Vec<(CampaignId, usize)> {
        let mut started = Vec::new();
        for (courier, inbox) in self.inboxes.iter_mut().enumerate() {
            while let Ok(job) = inbox.try_recv() {
                started.push((job.campaign, address_of(job.email.as_str())));
                self.wire.push(Carried { courier, job, open: false });
            }
        }
        started
    }

    pub fn is_quiet(&self) -> bool {
        self.wire.is_empty()
    }

    /// The server answers one letter, if there is one that may have left.
    pub fn answer(&mut self, dice: &mut Dice, model: &mut Model, moody: bool) -> Option<Message> {
        self.look();
        let open: Vec<usize> = (0..self.wire.len()).filter(|at| self.wire[*at].open).collect();
        let at = *open.get(dice.below(open.len()))?;
        let Carried { courier, job, .. } = self.wire.swap_remove(at);
        let (campaign, address) = (job.campaign.0, address_of(job.email.as_str()));
        let said = |end, phase, code| {
            let words = format!("<{}> says the server", job.email.as_str());
            Outcome::new(end, phase, Diagnostic::of_server(code, words))
        };
        let lost = |end, phase, fault| Outcome::new(end, phase, Diagnostic::own("the line is dead", fault));
        let outcome = match dice.below(24) {
            _ if !moody => said(End::Sent, Phase::Dot, 250),
            0 => {
                // Gone after the dot: the letter arrived, or did not.
                if dice.one_in(2) {
                    model.accepts(campaign, address);
                }
                lost(End::Unknown, Phase::Data, Fault::Letter)
            }
            1 => {
                model.refuses(campaign, address);
                said(End::Failed, Phase::Rcpt, 550)
            }
            2..5 => said(End::Deferred, Phase::Rcpt, 451),
            // Gone before it saw the letter.
            5 => lost(End::Deferred, Phase::Connection, Fault::Shop),
            6 => said(End::Throttled, Phase::Mail, 421),
            _ => said(End::Sent, Phase::Dot, 250),
        };
        if outcome.end == End::Sent {
            model.accepts(campaign, address);
        }
        let back = Delivered { courier, campaign: job.campaign, person: job.recipient.person, outcome };
        Some(Message::Campaign(CampaignMessage::Delivered(back)))
    }

    /// The engine dies: what may have left may have arrived.
    pub fn die(mut self, dice: &mut Dice, model: &mut Model) {
        self.look();
        for carried in self.wire.iter().filter(|carried| carried.open) {
            if dice.one_in(2) {
                model.accepts(carried.job.campaign.0, address_of(carried.job.email.as_str()));
            }
        }
    }

    /// Looks which starts have become durable; a letter whose start is lost stays where it is, the engine is dying.
    fn look(&mut self) {
        for carried in self.wire.iter_mut().filter(|carried| !carried.open) {
            carried.open = carried.job.gate.try_recv().unwrap_or_default();
        }
    }
}
