//! The scheduler: the one machine that decides whether a letter may start.
//!
//! ```text
//!              ┌ Restocked Create Verb ┐                     ┌ Record ──▶ log
//!  engine ─────┤ Noted  MailboxChanged ├──▶             ──▶ ─┤ Fetch ───▶ directory ──▶ Fetched ─┐
//!  list ───────┤ Begun Invited         │    Scheduler        │ Invite ──▶ list ───────▶ Invited ─┤
//!  directory ──┤ Fetched               │    .step(input)     │ Start ───▶ worker ─────▶ Delivered┤
//!  workers ────┤ Connected Delivered   │                     │ Connect ─▶ worker ─────▶ Connected┤
//!  clock ──────┘ Tick                  ┘                     └ Alarm ───▶ clock ──────▶ Tick ────┘
//! ```
//!
//! It owns the campaigns ([`Campaigns`], changed by records alone), and of this run: the window of letters at hand, the
//! providers' queues, the connections, the alarms. Whoever drives it carries inputs in and effects out, in their order, and
//! decides nothing; so the same machine runs in the engine, under laws, and on a clock of one's own.
//!
//! All conditions of a start stand in `start.rs`, each with its reason; `pump` asks them for one letter after the other,
//! round-robin over the campaigns that have letters at hand.
//!
//! Invariants: a row is at hand (being fetched, or fetched) at most once; no letter starts without a connection that is
//! past its greeting; within a provider no letter of a campaign overtakes an earlier one that waits for that provider;
//! whatever waits for a time has an alarm; no letter that may start waits for one.

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

/// How the scheduler behaves.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Letters fetched or in flight in one campaign at most.
    pub window: usize,
    /// Connections there are.
    pub connections: usize,
    /// Nobody is mailed twice for one SKU within this span by two rule campaigns; 0 is off.
    pub renotify_ms: u64,
    /// Who was mailed by a rule campaign leaves its list.
    pub leave_after_send: bool,
    /// Which lists everybody is on.
    pub catalog: Catalog,
}

/// The machine.
#[derive(Debug)]
pub struct Scheduler {
    campaigns: Campaigns,
    setup: Setup,
    /// What is held for each campaign that runs.
    runs: BTreeMap<CampaignId, Run>,
    /// Campaigns that may have a letter to start, each once.
    ready: VecDeque<CampaignId>,
    queues: Queues,
    connections: Connections,
    /// When campaigns are looked at again by themselves; never searched through.
    wakes: BTreeSet<(Millis, CampaignId)>,
    /// When the alarm that is set will ring.
    alarm: Option<Millis>,
    /// When housekeeping is next looked at.
    sweep_at: Millis,
    stopping: Stopping,
    effects: Vec<Effect>,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    /// Nothing more starts; letters are in flight.
    Asked,
    /// Nothing is in flight any more, and that has been said.
    Done,
}

/// Housekeeping is looked at this often.
const SWEEP_EVERY_MS: u64 = 3_600_000;
/// Records that housekeeping writes in one step at most.
const SWEEPS_MOST: usize = 256;

impl Scheduler {
    /// Takes the recovered campaigns; nothing is at hand, and no connection is open.
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

    /// The campaigns, as their records say.
    #[must_use]
    pub fn campaigns(&self) -> &Campaigns {
        &self.campaigns
    }

    /// Takes one input in, and puts what follows from it behind `effects`, in the order in which it must be done.
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
            Input::Noted { list, person, reason } => self.note(list.as_ref(), person, reason, now),
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

    /// Applies an event and has it recorded. What of this run follows from it is brought along.
    fn record(&mut self, event: CampaignEvent, now: Tick, asked: bool) {
        self.apply(&event, now);
        let seq = self.campaigns.seq();
        self.effects.push(Effect::Record { seq, event, asked, along: false });
    }

    /// As [`Self::record`], but the record may wait for the next one of the same step: a letter's end and the next
    /// one's start reach the disk together.
    fn record_along(&mut self, event: CampaignEvent, now: Tick) {
        self.apply(&event, now);
        let seq = self.campaigns.seq();
        self.effects.push(Effect::Record { seq, event, asked: false, along: true });
    }

    /// The one way in which campaigns change here: their own `apply`, as at replay.
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

    /// The alarm: deferred letters fall due, campaigns come to their time, old ledgers are let go.
    fn rung(&mut self, now: Tick) {
        self.alarm = None;
        let due: Vec<CampaignId> =
            self.wakes.iter().take_while(|(then, _)| *then <= now.at).map(|(_, id)| *id).collect();
        due.into_iter().for_each(|id| self.feed(id, now));
        if self.sweep_at <= now.at {
            self.sweep(now);
        }
    }

    /// Housekeeping: old ledgers and headers are let go, so many in one step.
    fn sweep(&mut self, now: Tick) {
        self.sweep_at = now.at.plus(SWEEP_EVERY_MS);
        for _ in 0..SWEEPS_MOST {
            let Some(event) = self.campaigns.decide_sweep(now.at) else { return };
            self.record(event, now, false);
        }
        self.sweep_at = now.at.plus(1000);
    }

    /// Sets the alarm to the earliest of what waits for a time, unless it rings early enough already.
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
