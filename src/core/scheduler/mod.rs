//! The scheduler: the one machine that decides whether a letter may start now.
//!
//! ```text
//!              ┌ Restocked Create      ┐                     ┌ Record ──▶ log
//!              │ Command               │                     │
//!  engine ─────┤ Noted  MailboxChanged ├──▶             ──▶ ─┤ Fetch ───▶ directory ──▶ Fetched ─┐
//!  list ───────┤ Begun Invited         │    Scheduler        │ Invite ──▶ list ───────▶ Invited ─┤
//!  directory ──┤ Fetched               │    .step(input)     │ Start ───▶ worker ─────▶ Delivered┤
//!  workers ────┤ Connected Delivered   │                     │ Connect ─▶ worker ─────▶ Connected┤
//!  clock ──────┘ Tick                  ┘                     └ Alarm ───▶ clock ──────▶ Tick ────┘
//! ```
//!
//! The scheduler owns the campaigns ([`Campaigns`], changed by records alone) and what is only of this run:
//! the letters at hand, the providers' queues, the connections and the alarm. Its driver carries inputs in
//! and effects out, in order, and decides nothing. So the same machine runs in the engine, in property tests
//! and on a simulated clock.
//!
//! All conditions for a start are in `start.rs`, each with its reason. `pump` checks them for one letter
//! after another, in turn over the campaigns that have letters at hand.
//!
//! Invariants: a row is at hand (being fetched, or fetched) at most once; no letter starts without a
//! connection that is past its greeting; within a provider no letter of a campaign overtakes an earlier one
//! that waits for that provider; whatever waits for a time has an alarm; a letter that may start does not
//! wait for an alarm.

mod backlog;
mod commands;
mod connections;
mod feed;
mod held;
mod input;
mod pump;
mod queues;
mod report;
mod run;
mod settle;
mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[cfg(test)]
pub(crate) use backlog::Backlog;
pub use input::{Created, Effect, Input, Notice, Recipient, SchedulerReply, Start, Tick};
pub use report::{HeldLetters, ProviderReport};
pub use start::HoldReason;

use self::connections::Connections;
use self::queues::Queues;
use self::run::Run;
use super::campaign::{CampaignEvent, Campaigns, LetterState};
use super::catalog::Catalog;
use super::ids::CampaignId;
use super::time::Millis;

/// The settings of the scheduler.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The most letters of one campaign that may be fetched or in flight.
    pub window: usize,
    /// The number of workers, each with one connection.
    pub connections: usize,
    /// Two rule campaigns do not mail a person twice about one SKU within this span, in milliseconds; 0
    /// switches this off.
    pub renotify_ms: u64,
    /// A person who was mailed by a rule campaign leaves its list.
    pub leave_after_send: bool,
    /// Knows the lists that everybody is on.
    pub catalog: Catalog,
}

/// The scheduler. Drive it with [`step`](Self::step); read from [`campaigns`](Self::campaigns),
/// [`held`](Self::held) and [`providers`](Self::providers).
#[derive(Debug)]
pub struct Scheduler {
    campaigns: Campaigns,
    setup: Setup,
    /// The letters at hand of each campaign that runs.
    runs: BTreeMap<CampaignId, Run>,
    /// Campaigns that may have a letter to start, each once.
    ready: VecDeque<CampaignId>,
    queues: Queues,
    connections: Connections,
    /// When campaigns are to be looked at again.
    wakes: BTreeSet<(Millis, CampaignId)>,
    /// When the alarm that was set will ring.
    alarm: Option<Millis>,
    /// When housekeeping is due.
    sweep_at: Millis,
    stopping: Stopping,
    effects: Vec<Effect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    /// No more letters start, but some are in flight.
    Asked,
    /// Nothing is in flight, and that was reported.
    Done,
}

/// The time between two rounds of housekeeping.
const SWEEP_EVERY_MS: u64 = 3_600_000;
/// The most records that housekeeping writes in one step.
const SWEEPS_MOST: usize = 256;

impl Scheduler {
    /// Starts with the recovered campaigns, nothing at hand and no connection. [`Input::Resume`] takes up
    /// what a restart left open.
    #[must_use]
    pub fn new(campaigns: Campaigns, setup: Setup) -> Self {
        Self {
            queues: Queues::new(campaigns.shaping(), setup.connections),
            connections: Connections::new(setup.connections),
            campaigns,
            setup,
            runs: BTreeMap::new(),
            ready: VecDeque::new(),
            wakes: BTreeSet::new(),
            alarm: None,
            sweep_at: Millis(0),
            stopping: Stopping::No,
            effects: Vec::new(),
        }
    }

    #[must_use]
    pub fn campaigns(&self) -> &Campaigns {
        &self.campaigns
    }

    /// Takes in one input and appends what is to be done to `effects`, in the order in which it must be done.
    pub fn step(&mut self, input: Input, now: Tick, effects: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, effects);
        if self.sweep_at == Millis(0) {
            self.sweep_at = now.at.plus(SWEEP_EVERY_MS);
        }
        match input {
            Input::Restocked { header, upto, added, at_start } => {
                self.restocked(header, upto, added, at_start, now);
            }
            Input::Beside(header) => self.open_sibling(header, now),
            Input::Create(header) => self.create(header, now),
            Input::Command(id, command) => self.command(id, command, now),
            Input::RecipientExcluded { list, person, reason } => {
                self.note(list.as_ref(), person, reason, now)
            }
            Input::MailboxChanged(person) => self.mailbox_changed(person, now),
            Input::Begun { campaign, upto, added } => self.begun(campaign, upto, added, now),
            Input::Invited { campaign, people, page, last } => {
                self.invited(campaign, &people, page, last, now);
            }
            Input::InvitedAgain { campaign, people, last } => {
                self.invited_again(campaign, people, last, now);
            }
            Input::Fetched { campaign, people } => self.fetched(campaign, people, now),
            Input::TemplateTried { campaign, result } => self.template_tried(campaign, result, now),
            Input::Connected { worker } => self.connections.connected(worker, now.at),
            Input::Unconnected { worker, outcome } => self.unconnected(worker, outcome, now),
            Input::Delivered { worker, campaign, person, outcome, connected } => {
                self.delivered(worker, (campaign, person), outcome, connected, now);
            }
            Input::Tick => self.rung(now),
            Input::Resume => {
                self.resume(now);
                self.sweep(now);
            }
            Input::Stop => self.stopping = Stopping::Asked,
        }
        self.pump(now);
        self.set_alarm(now);
        if self.stopping == Stopping::Asked && self.connections.in_flight() == 0 {
            self.stopping = Stopping::Done;
            self.effects.push(Effect::Stopped);
        }
        std::mem::swap(&mut self.effects, effects);
    }

    /// Applies an event, has it recorded, and updates what follows from it in this run.
    fn record(&mut self, event: CampaignEvent, now: Tick, asked: bool) {
        self.apply(&event, now);
        let seq = self.campaigns.seq();
        self.effects.push(Effect::Record { seq, event, asked, along: false });
    }

    /// Like [`Self::record`], but the record may wait for the next one of the same step, so that the end of a
    /// letter and the start of the next are written together.
    /// one's start reach the disk together.
    fn record_along(&mut self, event: CampaignEvent, now: Tick) {
        self.apply(&event, now);
        let seq = self.campaigns.seq();
        self.effects.push(Effect::Record { seq, event, asked: false, along: true });
    }

    /// The only way in which campaigns change here: their own `apply`, as at replay.
    fn apply(&mut self, event: &CampaignEvent, now: Tick) {
        self.campaigns.apply(event, now.at);
        let run = event.campaign().and_then(|id| Some((id, self.runs.get_mut(&id)?)));
        let Some((id, run)) = run else { return };
        match event {
            CampaignEvent::Deferred { person, until, .. }
            | CampaignEvent::Unstarted { person, until, .. } => {
                let row = self.campaigns.get(id).and_then(|campaign| campaign.ledger.find(*person));
                if let Some((at, _)) = row.filter(|(_, row)| row.state == LetterState::Deferred) {
                    run.backlog.put_off(at, *until);
                }
            }
            CampaignEvent::Reopened { .. } => run.backlog.rewind(0),
            _ => {}
        }
    }

    /// The alarm rang: deferred letters may be due, campaigns may have reached their time, housekeeping may
    /// be due.
    fn rung(&mut self, now: Tick) {
        self.alarm = None;
        let due: Vec<CampaignId> =
            self.wakes.iter().take_while(|(then, _)| *then <= now.at).map(|(_, id)| *id).collect();
        due.into_iter().for_each(|id| self.feed(id, now));
        if self.sweep_at <= now.at {
            self.sweep(now);
        }
    }

    /// Housekeeping drops old ledgers and campaigns, a bounded number in one step.
    fn sweep(&mut self, now: Tick) {
        self.sweep_at = now.at.plus(SWEEP_EVERY_MS);
        for _ in 0..SWEEPS_MOST {
            let Some(event) = self.campaigns.decide_sweep(now.at) else { return };
            self.record(event, now, false);
        }
        self.sweep_at = now.at.plus(1000);
    }

    /// Sets the alarm for the earliest time that something waits for, unless it rings early enough already.
    fn set_alarm(&mut self, now: Tick) {
        let wake = self.wakes.first().map(|(then, _)| *then);
        let sweep = (!self.campaigns.is_empty()).then_some(self.sweep_at);
        let Some(then) = [self.queues.alarm, wake, sweep].into_iter().flatten().min() else { return };
        let then = then.max(now.at.plus(1));
        if self.alarm.is_none_or(|alarm| alarm > then) {
            self.alarm = Some(then);
            self.effects.push(Effect::Alarm(then));
        }
    }
}
