//! The campaign actor: the only author of what becomes of letters.
//!
//! ```text
//!  list ◀─ Invite ─┐                    ┌─▶ courier 1 ─┐
//!  list ── Invited ▶ ledger ─▶ ready ───┼─▶ courier 2 ─┼─▶ Delivered ─▶ Settled / Deferred
//!  directory ◀─ LookUp / Fetched ▶      └─▶ courier n ─┘
//! ```
//!
//! Who writes to me: lists (one answer to one question), the directory (likewise), couriers (one
//! outcome a letter), the Engine (permits), one armed alarm. A letter is *started* only for a free
//! courier, at the pace, round-robin over the campaigns that are ready; its final dot waits for
//! the record of the start. What I hold besides the machine can be asked for again at start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};

use self::lanes::Flight;
use super::aside::Lines;
use super::context::Context;
use super::delivery::{Delivered, Job, Sheet};
use super::post::Message;
use super::receipt::Part;
use super::runner::Runner;
use crate::domain::campaign::{CampaignEvent, Campaigns, Header, NextLetter, Skip, Status, Verb};
use crate::domain::list::Invitee;
use crate::domain::record;
use crate::domain::shaping::Gate;
use crate::domain::{CampaignId, Go, ListId, Millis, PersonId};

mod flow;
mod lanes;
mod message;
mod outcome;
mod requests;

pub use message::{CampaignMessage, CreatedSlot, Prepared, ReadCampaigns, VerbSlot};

/// The actor.
pub struct CampaignActor(pub Arc<Context>);

/// What it is started with: the recovered machine and the couriers.
pub struct CampaignArgs {
    /// The machine.
    pub campaigns: Campaigns,
    /// One channel for each courier.
    pub couriers: Vec<mpsc::Sender<Job>>,
}

/// Its state.
pub struct CampaignState {
    campaigns: Campaigns,
    couriers: Vec<mpsc::Sender<Job>>,
    idle: Vec<usize>,
    /// Campaigns that may have letters to start, each once.
    ready: VecDeque<CampaignId>,
    runners: BTreeMap<CampaignId, Runner>,
    /// Campaigns whose letters wait for a provider.
    lines: Lines,
    /// What is known of the letter that each courier carries.
    flights: Vec<Flight>,
    /// When deferred letters fall due, or campaigns their time; never searched through.
    wakes: BTreeSet<(Millis, CampaignId)>,
    alarm: u64,
    alarm_at: Option<Millis>,
    stopping: Option<oneshot::Sender<()>>,
    /// A record that is appended with the next one, and before the next message is heard at the latest.
    held: Option<(u8, Vec<u8>)>,
}

impl CampaignState {
    /// Records and applies an event; the part is done when it is durable.
    fn write(&mut self, context: &Context, event: &CampaignEvent, at: Millis, part: Option<Part>) {
        let record = self.applied(context, event, at);
        self.let_go(context);
        match part {
            Some(part) => context.append(record, part),
            None => context.append_quiet(record),
        }
    }

    /// As [`Self::write`], together with the next record of this message, if there is one: a letter's end and the next
    /// one's start reach the disk by one sync. Nobody may be told anything of it meanwhile.
    fn write_along(&mut self, context: &Context, event: &CampaignEvent, at: Millis) {
        let record = self.applied(context, event, at);
        self.let_go(context);
        self.held = Some(record);
    }

    fn applied(&mut self, context: &Context, event: &CampaignEvent, at: Millis) -> (u8, Vec<u8>) {
        self.campaigns.apply(event, at);
        record::of_campaign(context.stamp(self.campaigns.seq(), at), event)
    }

    /// Appends what was held back.
    fn let_go(&mut self, context: &Context) {
        if let Some(record) = self.held.take() {
            context.append_quiet(record);
        }
    }

    /// Starts letters while there is a free courier, the pace allows it and the disk has room.
    fn pump(&mut self, context: &Context) {
        let at = context.clock.now();
        let mut wait: Option<Millis> = None;
        let mut resting = 0;
        while self.stopping.is_none() && resting < self.ready.len() && context.log.room() {
            if self.idle.is_empty() {
                break;
            }
            match self.campaigns.check_pace(at) {
                Gate::Open => {}
                Gate::At(then) => {
                    wait = Some(then);
                    break;
                }
                Gate::Full => break,
            }
            let Some(id) = self.ready.pop_front() else { break };
            match self.start_one(context, id, at) {
                Step::Started => {
                    resting = 0;
                    self.ready.push_back(id);
                }
                Step::Wait(then) => {
                    wait = Some(wait.map_or(then, |other| other.min(then)));
                    self.ready.push_back(id);
                    resting += 1;
                }
                Step::Dry => {
                    if let Some(runner) = self.runners.get_mut(&id) {
                        runner.in_line = false;
                    }
                }
            }
        }
        if !context.log.room() {
            wait = Some(at.plus(1000));
        } else if self.stopping.is_none()
            && !self.idle.is_empty()
            && self.campaigns.check_pace(at) == Gate::Open
        {
            self.recall(context, at);
            wait = [wait, self.lines.soonest()].into_iter().flatten().min();
        }
        let due = self.wakes.first().map(|(then, _)| *then);
        if let Some(then) = [wait, due].into_iter().flatten().min() {
            self.arm(context, then.max(at.plus(1)));
        }
        self.let_go(context);
        self.stopped();
    }

    /// One letter of one campaign.
    fn start_one(&mut self, context: &Context, id: CampaignId, at: Millis) -> Step {
        loop {
            let Some(campaign) = self.campaigns.get(id).filter(|campaign| campaign.is_sending()) else {
                return Step::Dry;
            };
            if let Go::At(then) = campaign.pace.check(campaign.header.rate, at) {
                return Step::Wait(then);
            }
            let Some(runner) = self.runners.get_mut(&id) else { return Step::Dry };
            let Some(next) = runner.next() else {
                self.feed(context, id);
                return Step::Dry;
            };
            let lane = self.lane_of(&next, at);
            if next.away.is_none() && self.set_aside(id, &next, lane, at) {
                continue;
            }
            self.waits_no_more(id, next.row, at);
            let Some(sheet) = self.sheet(context, id, &next, at) else { return Step::Dry };
            let renotify = context.settings.renotify_after_ms;
            match self.campaigns.decide_letter(id, next.row, next.away, next.address as u64, renotify, at) {
                NextLetter::Gone => {}
                NextLetter::Skip(event) => self.write(context, &event, at, None),
                NextLetter::Start(event) => {
                    let Some(email) = next.email.clone() else { continue };
                    let Some(courier) = self.idle.pop() else { return Step::Dry };
                    let event = self.departs(event, courier, Flight { lane, address: next.address }, at);
                    let (durable, gate) = oneshot::channel();
                    let part = Part::new(move |all| {
                        let _ = durable.send(all);
                    });
                    self.write(context, &event, at, Some(part));
                    let job = Job { campaign: id, sheet, recipient: next, email, gate, date: at };
                    let taken = self.couriers.get(courier).is_some_and(|to| to.try_send(job).is_ok());
                    if !taken {
                        context.fatal.end("a courier that was idle takes no letter");
                    }
                    self.low(context, id);
                    return Step::Started;
                }
            }
        }
    }

    /// The campaign's part of every letter, made once, with the campaign's first letter. A template
    /// that renders neither for that person nor for anybody fails the campaign; `None` then.
    fn sheet(
        &mut self,
        context: &Context,
        id: CampaignId,
        first: &Prepared,
        at: Millis,
    ) -> Option<Arc<Sheet>> {
        let campaign = self.campaigns.get(id)?;
        let runner = self.runners.get_mut(&id)?;
        if let Some(sheet) = &runner.sheet {
            return Some(Arc::clone(sheet));
        }
        let sheet = Arc::new(Sheet::new(context, &campaign.header));
        let tried = sheet.try_out(context, id, first);
        if let Err(why) = tried {
            tracing::error!(campaign.id = %id, reason = why, "the campaign's template does not render");
            self.write(context, &CampaignEvent::Failed { id, why }, at, None);
            self.end(context, id);
            return None;
        }
        runner.sheet = Some(Arc::clone(&sheet));
        Some(sheet)
    }

    /// Arms the alarm, unless it rings early enough already.
    fn arm(&mut self, context: &Context, then: Millis) {
        if self.alarm_at.is_some_and(|at| at <= then) {
            return;
        }
        self.alarm += 1;
        self.alarm_at = Some(then);
        context.tell(Message::Alarm(then, self.alarm));
    }

    /// Nothing is on the wire any more: the stop may go on.
    fn stopped(&mut self) {
        if self.idle.len() == self.couriers.len()
            && let Some(reply) = self.stopping.take()
        {
            // Whoever asked may have gone on without us.
            let _ = reply.send(());
            let (never, _) = oneshot::channel();
            self.stopping = Some(never);
        }
    }
}

/// What came of trying to start a letter.
enum Step {
    /// A letter goes.
    Started,
    /// The campaign's own pace says not before this.
    Wait(Millis),
    /// Nothing to start at the moment.
    Dry,
}

impl CampaignState {
    /// Takes the recovered machine; every courier is idle.
    #[must_use]
    pub fn new(CampaignArgs { mut campaigns, couriers }: CampaignArgs) -> Self {
        campaigns.shaping_mut().staff(couriers.len());
        Self {
            lines: Lines::default(),
            flights: vec![Flight::default(); couriers.len()],
            campaigns,
            idle: (0..couriers.len()).rev().collect(),
            couriers,
            ready: VecDeque::new(),
            runners: BTreeMap::new(),
            wakes: BTreeSet::new(),
            alarm: 0,
            alarm_at: None,
            stopping: None,
            held: None,
        }
    }

    /// Takes in one message.
    pub fn hear(&mut self, context: &Context, message: CampaignMessage) {
        match message {
            CampaignMessage::Restocked { header, upto, added, part } => {
                self.restocked(context, header, upto, added, part);
            }
            CampaignMessage::Fence(part) => context.barrier(part),
            CampaignMessage::Create(header, slot, part) => self.create(context, header, &slot, part),
            CampaignMessage::Begun { campaign, upto, added } => self.begun(context, campaign, upto, added),
            CampaignMessage::Invited { campaign, people, page, last } => {
                self.invited(context, campaign, &people, page, last);
            }
            CampaignMessage::InvitedAgain { campaign, people, last } => {
                self.invited_again(context, campaign, people, last);
            }
            CampaignMessage::Fetched(campaign, people) => self.fetched(context, campaign, people),
            CampaignMessage::Note { list, person, reason, part } => {
                self.note(context, list.as_ref(), person, reason, part);
            }
            CampaignMessage::Merged(from) => self.merged(context, from),
            CampaignMessage::Verb(id, verb, slot, part) => self.verb(context, id, verb, &slot, part),
            CampaignMessage::Delivered(back) => self.delivered(context, back),
            CampaignMessage::Alarm(generation) if generation == self.alarm => self.rung(context),
            CampaignMessage::Alarm(_) => return,
            CampaignMessage::Read(read) => return read(&self.campaigns),
            CampaignMessage::Providers(reply) => {
                return drop(reply.send(self.providers(context.clock.now())));
            }
            CampaignMessage::Image(reply) => return drop(reply.send(self.campaigns.image())),
            CampaignMessage::Resume => self.resume(context),
            CampaignMessage::Stop(reply) => self.stopping = Some(reply),
        }
        self.pump(context);
    }
}

impl Actor for CampaignActor {
    type Msg = CampaignMessage;
    type State = CampaignState;
    type Arguments = CampaignArgs;

    async fn pre_start(
        &self,
        _: ActorRef<CampaignMessage>,
        args: CampaignArgs,
    ) -> Result<CampaignState, ActorProcessingErr> {
        Ok(CampaignState::new(args))
    }

    async fn handle(
        &self,
        _: ActorRef<CampaignMessage>,
        message: CampaignMessage,
        state: &mut CampaignState,
    ) -> Result<(), ActorProcessingErr> {
        state.hear(&self.0, message);
        Ok(())
    }
}
