//! The mail server of the simulation: it lets workers in or turns them away, takes letters, refuses them, puts them off,
//! or goes away before or after the final dot. A letter may leave only once the record of its start is durable, and may
//! start only on a connection that has answered within a second.

use restockd_core::scheduler::Input;
use restockd_core::{CampaignId, Millis};
use restockd_engine::delivery::{Job, Work};
use restockd_engine::messages::CampaignMessage;
use restockd_mail::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};
use tokio::sync::mpsc;

use crate::dice::Dice;
use crate::model::Model;
use crate::world::address_of;

/// A letter that a worker carries.
struct Carried {
    worker: usize,
    job: Job,
    /// The start is durable: the final dot may have left.
    open: bool,
}

/// Letters on the wire.
pub struct Relay {
    inboxes: Vec<mpsc::Receiver<Work>>,
    /// When each worker's connection last answered.
    alive: Vec<Option<Millis>>,
    connecting: Vec<usize>,
    wire: Vec<Carried>,
}

impl Relay {
    /// A relay with so many connections, and the workers' ends of them.
    pub fn new(connections: usize) -> (Self, Vec<mpsc::Sender<Work>>) {
        let (senders, inboxes) = (0..connections).map(|_| mpsc::channel(1)).unzip();
        let alive = vec![None; connections];
        (Self { inboxes, alive, connecting: Vec::new(), wire: Vec::new() }, senders)
    }

    /// Takes over what the campaign actor asked for: campaign and address of each letter that started.
    pub fn take_in(&mut self, now: Millis) -> Vec<(CampaignId, usize)> {
        let mut started = Vec::new();
        for (worker, inbox) in self.inboxes.iter_mut().enumerate() {
            while let Ok(work) = inbox.try_recv() {
                match work {
                    Work::Connect => self.connecting.push(worker),
                    Work::Deliver(job) => {
                        let alive = self.alive[worker].expect("a letter starts on a connection");
                        assert!(now.since(alive) <= 1000, "a letter starts on a connection that may be dead");
                        started.push((job.campaign, address_of(job.email.as_str())));
                        self.wire.push(Carried { worker, job, open: false });
                    }
                }
            }
        }
        started
    }

    pub fn is_quiet(&self) -> bool {
        self.wire.is_empty() && self.connecting.is_empty()
    }

    /// A worker that wants to connect is let in, or turned away.
    pub fn connect(&mut self, dice: &mut Dice, now: Millis, moody: bool) -> Option<CampaignMessage> {
        let worker = self.connecting.pop()?;
        if moody && dice.one_in(8) {
            self.alive[worker] = None;
            let end = if dice.one_in(3) { DeliveryResult::Throttled } else { DeliveryResult::Deferred };
            let said = Diagnostic::own("nobody answers", FaultSource::Shop);
            let outcome = DeliveryOutcome::new(end, SmtpPhase::Connection, said);
            return Some(CampaignMessage::Input(Input::Unconnected { worker, outcome }));
        }
        self.alive[worker] = Some(now);
        Some(CampaignMessage::Input(Input::Connected { worker }))
    }

    /// The server answers one letter, if there is one that may have left.
    pub fn answer(
        &mut self,
        dice: &mut Dice,
        model: &mut Model,
        now: Millis,
        moody: bool,
    ) -> Option<CampaignMessage> {
        self.look();
        let open: Vec<usize> = (0..self.wire.len()).filter(|at| self.wire[*at].open).collect();
        let at = *open.get(dice.below(open.len()))?;
        let Carried { worker, job, .. } = self.wire.swap_remove(at);
        let (campaign, address) = (job.campaign.0, address_of(job.email.as_str()));
        let said = |end, phase, code| {
            let words = format!("<{}> says the server", job.email.as_str());
            DeliveryOutcome::new(end, phase, Diagnostic::of_server(code, words))
        };
        let lost =
            |end, phase, fault| DeliveryOutcome::new(end, phase, Diagnostic::own("the line is dead", fault));
        let outcome = match dice.below(24) {
            _ if !moody => said(DeliveryResult::Sent, SmtpPhase::Dot, 250),
            0 => {
                // Gone after the dot: the letter arrived, or did not.
                if dice.one_in(2) {
                    model.accepts(campaign, address);
                }
                lost(DeliveryResult::Unknown, SmtpPhase::Data, FaultSource::Letter)
            }
            1 => {
                model.refuses(campaign, address);
                said(DeliveryResult::Failed, SmtpPhase::Rcpt, 550)
            }
            2..5 => said(DeliveryResult::Deferred, SmtpPhase::Rcpt, 451),
            // Gone before it saw the letter.
            5 => lost(DeliveryResult::Deferred, SmtpPhase::Connection, FaultSource::Shop),
            6 => said(DeliveryResult::Throttled, SmtpPhase::Mail, 421),
            _ => said(DeliveryResult::Sent, SmtpPhase::Dot, 250),
        };
        if outcome.end == DeliveryResult::Sent {
            model.accepts(campaign, address);
        }
        let connected =
            outcome.end == DeliveryResult::Sent || outcome.diagnostic.code.is_some_and(|code| code != 421);
        self.alive[worker] = connected.then_some(now);
        let (campaign, person) = (job.campaign, job.recipient.person);
        Some(CampaignMessage::Input(Input::Delivered { worker, campaign, person, outcome, connected }))
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
