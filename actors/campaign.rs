//! The campaign actor: the only author of what becomes of letters. It carries messages into the scheduler and the
//! scheduler's effects out of it, in order, and decides nothing.
//!
//! ```text
//!  lists, directory, Engine ── message ──▶ input ──▶ Scheduler ──▶ effects ──┬─▶ log (records, fences)
//!  workers ── Connected, Delivered ──────▶                                   ├─▶ lists, directory (questions)
//!  one alarm ── Alarm ───────────────────▶                                   └─▶ workers (connect, letters)
//! ```
//!
//! Whether a letter may start is decided by `core::scheduler` alone. This actor holds what a pure machine cannot: log,
//! clock, mailboxes, templates, and the replies that callers wait for. Everything it holds besides the machine can be made
//! again at start.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};

use super::ack::AckGuard;
use super::context::Context;
use super::delivery::{CampaignTemplate, Work};
use super::messages::CampaignMessage;
use restockd_core::CampaignId;
use restockd_core::campaign::{CampaignEvent, Campaigns};
use restockd_core::scheduler::{Effect, Input, Scheduler, SchedulerReply, Setup, Tick};
use restockd_records::Encoded;

mod effects;
pub mod header;
mod requests;

pub(crate) struct CampaignActor(pub Arc<Context>);

pub struct CampaignArgs {
    /// The campaigns as recovered.
    pub campaigns: Campaigns,
    /// One channel for each worker.
    pub workers: Vec<mpsc::Sender<Work>>,
}

pub struct CampaignState {
    scheduler: Scheduler,
    workers: Vec<mpsc::Sender<Work>>,
    /// The part of each running campaign's letters that all of them share, made with the first letter.
    templates: BTreeMap<CampaignId, Arc<CampaignTemplate>>,
    /// The number of the newest alarm; older ones are ignored.
    alarm: u64,
    stopping: Option<oneshot::Sender<()>>,
    /// A record that is appended together with the next one, and at the latest before the next message is taken in.
    held: Option<Encoded>,
    /// A buffer for effects, kept between messages.
    effects: Vec<Effect>,
}

impl CampaignState {
    /// Starts from the recovered campaigns, with no worker connected.
    #[must_use]
    pub fn new(context: &Context, CampaignArgs { campaigns, workers }: CampaignArgs) -> Self {
        let settings = &context.settings;
        let setup = Setup {
            window: settings.window,
            connections: workers.len(),
            renotify_ms: settings.renotify_after_ms,
            leave_after_send: settings.leave_after_send,
            catalog: context.catalog.clone(),
        };
        Self {
            scheduler: Scheduler::new(campaigns, setup),
            workers,
            templates: BTreeMap::new(),
            alarm: 0,
            stopping: None,
            held: None,
            effects: Vec::new(),
        }
    }

    pub fn handle(&mut self, context: &Context, message: CampaignMessage) {
        let input = match message {
            CampaignMessage::Restocked(restocked, ack) => return self.restocked(context, &restocked, ack),
            CampaignMessage::Create(asked, reply) => return self.create(context, *asked, reply),
            CampaignMessage::Command(id, command, reply) => return self.command(context, id, command, reply),
            CampaignMessage::Note { list, person, reason, ack } => {
                self.step(context, Input::RecipientExcluded { list, person, reason }, Some(&ack));
                return ack.done();
            }
            CampaignMessage::MailboxChanged(person, ack) => {
                self.step(context, Input::MailboxChanged(person), Some(&ack));
                return ack.done();
            }
            CampaignMessage::Returned(report, reply) => return self.returned(context, report, reply),
            CampaignMessage::Fence(ack) => return context.barrier(ack),
            CampaignMessage::Read(read) => return read(&self.scheduler),
            CampaignMessage::Image(reply) => return drop(reply.send(self.scheduler.campaigns().image())),
            CampaignMessage::Alarm(number) if number != self.alarm => return,
            CampaignMessage::Stop(reply) => {
                self.stopping = Some(reply);
                Input::Stop
            }
            CampaignMessage::Input(input) => input,
            CampaignMessage::Alarm(_) => Input::Tick,
        };
        self.step(context, input, None);
    }

    /// Gives the scheduler one input and performs all effects; `asker` is the guard of whoever waits for the result.
    fn step(&mut self, context: &Context, input: Input, asker: Option<&AckGuard>) -> Option<SchedulerReply> {
        let mut answer = None;
        let mut inputs = VecDeque::from([input]);
        let mut effects = std::mem::take(&mut self.effects);
        while let Some(input) = inputs.pop_front() {
            let now = Tick { at: context.clock.now(), room: context.log.room() };
            self.scheduler.step(input, now, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Answer(given) => answer = Some(given),
                    effect => inputs.extend(self.perform(context, effect, asker, now.at)),
                }
            }
        }
        self.effects = effects;
        self.append_held(context);
        answer
    }

    /// Appends the record that was held back.
    fn append_held(&mut self, context: &Context) {
        if let Some(record) = self.held.take() {
            context.append_quiet(record);
        }
    }

    fn encode(context: &Context, seq: u64, event: &CampaignEvent, at: restockd_core::Millis) -> Encoded {
        if let CampaignEvent::Scheduled(header) | CampaignEvent::Opened { header: Some(header), .. } = event {
            context.recent.add(header.id);
        }
        restockd_records::of_campaign(context.stamp(seq, at), event)
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
        self.0.recent.fill(args.campaigns.newest().map(|campaign| campaign.header.id));
        Ok(CampaignState::new(&self.0, args))
    }

    async fn handle(
        &self,
        _: ActorRef<CampaignMessage>,
        message: CampaignMessage,
        state: &mut CampaignState,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(&self.0, message);
        Ok(())
    }
}
