//! The course of a checkpoint round, step by step: the same requests in the same order as the snapshotter's, with
//! anything the dice choose between them.

use restockd_core::ListId;
use restockd_core::campaign::CampaignsImage;
use restockd_core::directory::DirectoryImage;
use restockd_core::list::List;
use restockd_engine::ack::AckGuard;
use restockd_engine::messages::{CampaignMessage, DirectoryMessage, Slice, SupervisorMessage};
use restockd_engine::snapshotter::{meta, publish, write};
use restockd_records::page::Portion;
use tokio::sync::oneshot::{self, Receiver};

use crate::queues::Node;
use crate::running::Running;

/// Lists in one slice.
const SLICE: usize = 2;

/// What a round waits for.
enum Stage {
    /// The seal answers the last record before the new segment; replay begins after it.
    Seal(Receiver<Option<u64>>),
    Directory(Receiver<DirectoryImage>),
    Campaigns(Receiver<CampaignsImage>),
    Slice(Receiver<Slice>),
    Awake(Vec<Receiver<(ListId, List)>>, Option<ListId>),
    Fence(Receiver<bool>),
}

/// A round under way.
pub struct Round {
    replay_from: u64,
    portions: Vec<Portion>,
    /// What is waited for; none only within a step.
    stage: Option<Stage>,
}

/// What came of a step.
pub enum Step {
    /// It waits or goes on.
    On(Round),
    /// The generation counts; or the round failed and the log keeps everything.
    Over(bool),
}

impl Round {
    pub fn begin(running: &Running) -> Self {
        running.speaks(Node::Snapshotter);
        let context = &running.context;
        let (sealed, seal) = oneshot::channel();
        context.log.seal(Box::new(move |result| _ = sealed.send(result.ok())));
        Self { replay_from: 0, portions: Vec::new(), stage: Some(Stage::Seal(seal)) }
    }

    /// Goes on as far as one answer goes.
    pub fn step(mut self, running: &Running) -> Step {
        running.speaks(Node::Snapshotter);
        let context = &running.context;
        let Some(stage) = self.stage.take() else { return Step::Over(false) };
        let next = match stage {
            Stage::Seal(mut seal) => match seal.try_recv() {
                Ok(Some(before)) => {
                    self.replay_from = before + 1;
                    let (reply, image) = oneshot::channel();
                    context.mailboxes.directory.send(DirectoryMessage::Image(reply));
                    Stage::Directory(image)
                }
                Ok(None) => return Step::Over(false),
                Err(_) => Stage::Seal(seal),
            },
            Stage::Directory(mut image) => match image.try_recv() {
                Ok(image) => {
                    self.portions.push(Portion::Directory(image));
                    let (reply, image) = oneshot::channel();
                    context.mailboxes.campaign.send(CampaignMessage::Image(reply));
                    Stage::Campaigns(image)
                }
                Err(_) => Stage::Directory(image),
            },
            Stage::Campaigns(mut image) => match image.try_recv() {
                Ok(image) => {
                    self.portions.push(Portion::Campaigns(image));
                    walk(running, None)
                }
                Err(_) => Stage::Campaigns(image),
            },
            Stage::Slice(mut slice) => match slice.try_recv() {
                Ok(slice) => {
                    self.portions.push(Portion::Resting(slice.resting));
                    Stage::Awake(slice.awake, slice.next)
                }
                Err(_) => Stage::Slice(slice),
            },
            Stage::Awake(mut awake, next) => {
                while let Some(first) = awake.first_mut() {
                    let Ok((id, list)) = first.try_recv() else { break };
                    self.portions.push(Portion::Awake(id, Box::new(list)));
                    awake.remove(0);
                }
                if !awake.is_empty() {
                    Stage::Awake(awake, next)
                } else if next.is_some() {
                    walk(running, next)
                } else {
                    let (durable, fence) = oneshot::channel();
                    context.barrier(AckGuard::new(move |all| _ = durable.send(all)));
                    Stage::Fence(fence)
                }
            }
            Stage::Fence(mut fence) => match fence.try_recv() {
                Ok(all) => return Step::Over(all && self.publish(running)),
                Err(_) => Stage::Fence(fence),
            },
        };
        self.stage = Some(next);
        Step::On(self)
    }

    /// Everything is handed over and durable: the generation is written, verified and named, the log trimmed.
    fn publish(self, running: &Running) -> bool {
        let Ok((building, written)) = write(&running.generations, self.portions.into_iter()) else {
            return false;
        };
        let durable = running.context.log.durable_lsn();
        let meta = meta(&running.context, self.replay_from, durable, written);
        publish(&running.context.log, &running.generations, building, meta).is_ok()
    }
}

fn walk(running: &Running, after: Option<ListId>) -> Stage {
    let (reply, slice) = oneshot::channel();
    running.context.mailboxes.supervisor.send(SupervisorMessage::Walk(after, SLICE, reply));
    Stage::Slice(slice)
}
