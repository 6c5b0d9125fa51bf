//! Snapshot rounds: the state of all actors into one verified generation, after which old log is deleted.
//!
//! ```text
//! seal: S = the first number after it ▶ directory ▶ campaigns ▶ lists, slice by slice ▶ barrier durable
//!   ▶ verify ▶ CURRENT ▶ trim the log below what the older generation needs
//! ```
//!
//! Rounds are asked for by the tick and by the Engine. One round runs at a time, in a task of its own: the actor never
//! waits. A round that fails is reported and tried again at the next tick that is due; the log keeps everything until one
//! succeeds.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};

use super::ack::AckGuard;
use super::api::SnapshotAnswer;
use super::background::{Background, UnderWay};
use super::context::Context;
use super::messages::{
    CampaignMessage, DirectoryMessage, RoundFailure, RoundReply, SnapshotterMessage, SupervisorMessage,
};
use restockd_core::Millis;
use restockd_journal::snapshots::{Building, Generations, Meta, StoreError};
use restockd_journal::wal::Log;
use restockd_records::page::{PageWriter, Portion, Written};

/// Lists in one slice of the supervisor's table.
const SLICE: usize = 512;

/// Time between two cleanings of the quarantine.
const SWEEP_EVERY_MS: u64 = 24 * 3_600_000;

pub(crate) struct Snapshotter(pub Arc<Context>);

pub(crate) struct SnapshotterState {
    generations: Arc<Generations>,
    background: Background,
    running: Vec<RoundReply>,
    waiting: Vec<RoundReply>,
    busy: bool,
    last_ms: u64,
    last_bytes: u64,
    last_lsn: u64,
    swept: Option<Millis>,
}

#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An actor or the log is gone.
    #[error("the engine is ending")]
    Ending,
}

impl SnapshotterState {
    /// Starts a round, unless one is under way.
    fn begin(&mut self, context: &Arc<Context>, myself: &ActorRef<SnapshotterMessage>) {
        if self.busy {
            return;
        }
        self.running = std::mem::take(&mut self.waiting);
        // The waiting callers get no answer when the engine is ending.
        let Some(under_way) = self.background.begin() else { return self.running.clear() };
        self.busy = true;
        self.last_ms = context.clock.now().0;
        self.last_bytes = context.log.stats().bytes;
        self.last_lsn = context.log.next_lsn();
        let (context, generations, myself) =
            (Arc::clone(context), Arc::clone(&self.generations), myself.clone());
        tokio::spawn(async move {
            let result = round(&context, generations, &under_way).await.map_err(|error| RoundFailure {
                no_space: matches!(error, RoundError::Store(StoreError::NoSpace { .. })),
                why: error.to_string(),
            });
            // The actor is gone only when the engine is.
            let _ = myself.cast(SnapshotterMessage::Over(result));
        });
    }
}

impl SnapshotterState {
    /// Deletes what has been in quarantine for long enough; at the first tick and then once a day.
    fn sweep(&mut self, context: &Arc<Context>) {
        let now = context.clock.now();
        if self.swept.is_some_and(|swept| now.since(swept) < SWEEP_EVERY_MS) {
            return;
        }
        self.swept = Some(now);
        context.log.sweep_quarantine(now.0);
        if let Some(under_way) = self.background.begin() {
            let generations = Arc::clone(&self.generations);
            tokio::task::spawn_blocking(move || {
                generations.sweep_quarantine(now.0);
                drop(under_way);
            });
        }
    }
}

async fn round(
    context: &Arc<Context>,
    generations: Arc<Generations>,
    under_way: &UnderWay,
) -> Result<SnapshotAnswer, RoundError> {
    let began = context.clock.now();
    // The seal says where the new segment begins. All that the images lack comes after it, so replay begins there, and
    // this generation needs none of the segments before it: they can be deleted as a whole.
    let (sealed, seal) = oneshot::channel();
    context.log.seal(Box::new(move |result| {
        let _ = sealed.send(result);
    }));
    let Ok(Ok(before)) = seal.await else { return Err(RoundError::Ending) };
    let replay_from = before + 1;
    // Few portions are on the way at once, so that a round never holds more than a few slices in memory.
    let (portions, mut inbox) = mpsc::channel::<Portion>(4);
    let building = Arc::clone(&generations);
    let writer =
        in_background(under_way, move || write(&building, std::iter::from_fn(|| inbox.blocking_recv())));
    let (reply, image) = oneshot::channel();
    context.mailboxes.directory.send(DirectoryMessage::Image(reply));
    give(&portions, Portion::Directory(image.await.map_err(|_| RoundError::Ending)?)).await;
    let (reply, image) = oneshot::channel();
    context.mailboxes.campaign.send(CampaignMessage::Image(reply));
    give(&portions, Portion::Campaigns(image.await.map_err(|_| RoundError::Ending)?)).await;
    let mut after = None;
    loop {
        let (reply, slice) = oneshot::channel();
        context.mailboxes.supervisor.send(SupervisorMessage::Walk(after, SLICE, reply));
        let slice = slice.await.map_err(|_| RoundError::Ending)?;
        give(&portions, Portion::Resting(slice.resting)).await;
        for awake in slice.awake {
            let (id, list) = awake.await.map_err(|_| RoundError::Ending)?;
            give(&portions, Portion::Awake(id, Box::new(list))).await;
        }
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    drop(portions);
    let (building, written) = writer.await.map_err(|_| RoundError::Ending)??;
    // Every record that any of these states contains must be durable before the generation counts.
    let (durable, fence) = oneshot::channel();
    context.barrier(AckGuard::new(move |all| {
        let _ = durable.send(all);
    }));
    if !fence.await.unwrap_or(false) {
        return Err(RoundError::Ending);
    }
    let durable = context.log.durable_lsn();
    let meta = meta(context, replay_from, durable, written);
    let log = context.log.clone();
    let published = in_background(under_way, move || publish(&log, &generations, building, meta));
    let generation = published.await.map_err(|_| RoundError::Ending)??;
    let Written { lists, people, campaigns } = written;
    let took_ms = context.clock.now().since(began);
    Ok(SnapshotAnswer { generation, lists, people, campaigns, took_ms })
}

/// The niceness of a round's threads: about a third of the share that the work for shoppers gets.
const STEP_BACK: i32 = 5;

/// Runs blocking work on a thread of low priority. Threads that it starts (the store's and sled's) inherit the priority.
/// There is no answer when no thread can be started.
fn in_background<T: Send + 'static>(
    under_way: &UnderWay,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    let under_way = under_way.clone();
    let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
        // No system that we know of refuses this; without it the round works all the same.
        let _ = rustix::process::nice(STEP_BACK);
        // Nobody waits any more when the engine is ending: what was made is then dropped here.
        let _ = done.send(work());
        drop(under_way);
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for a checkpoint round");
    }
    outcome
}

/// Begins a generation and fills it with the portions.
///
/// # Errors
/// What the store says; nothing has changed then.
pub fn write(
    generations: &Generations,
    portions: impl Iterator<Item = Portion>,
) -> Result<(Building, Written), StoreError> {
    let mut building = generations.begin()?;
    let mut pages = PageWriter::new(|key: &[u8], value: &[u8]| building.put(key, value));
    for portion in portions {
        pages.write(portion)?;
    }
    let written = pages.finish()?;
    Ok((building, written))
}

/// Makes a generation the newest, and only then trims the log below what the older generation needs; answers its number.
///
/// # Errors
/// What the store says; the log keeps everything then.
pub fn publish(
    log: &Log,
    generations: &Generations,
    building: Building,
    meta: Meta,
) -> Result<u64, StoreError> {
    let sealed = building.seal(meta)?;
    let number = sealed.number();
    sealed.commit()?;
    if let Some(floor) = generations.replay_floor() {
        log.trim(floor);
    }
    Ok(number)
}

/// A generation's description of itself.
#[must_use]
pub fn meta(context: &Context, replay_from: u64, durable: u64, written: Written) -> Meta {
    Meta {
        engine: context.secrets.engine,
        replay_from,
        durable,
        made_ms: context.clock.now().0,
        counts: vec![
            ("lists".to_owned(), written.lists),
            ("people".to_owned(), written.people),
            ("campaigns".to_owned(), written.campaigns),
        ],
    }
}

/// Hands a portion to the writer; a writer that has failed says so when it is joined.
async fn give(portions: &mpsc::Sender<Portion>, portion: Portion) {
    let _ = portions.send(portion).await;
}

impl Actor for Snapshotter {
    type Msg = SnapshotterMessage;
    type State = SnapshotterState;
    type Arguments = (Arc<Generations>, Background);

    async fn pre_start(
        &self,
        _: ActorRef<SnapshotterMessage>,
        (generations, background): (Arc<Generations>, Background),
    ) -> Result<SnapshotterState, ActorProcessingErr> {
        Ok(SnapshotterState {
            generations,
            background,
            running: Vec::new(),
            waiting: Vec::new(),
            busy: false,
            last_ms: self.0.clock.now().0,
            last_bytes: 0,
            last_lsn: self.0.log.next_lsn(),
            swept: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SnapshotterMessage>,
        message: SnapshotterMessage,
        state: &mut SnapshotterState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SnapshotterMessage::Round(reply) => {
                state.waiting.extend(reply);
                state.begin(&self.0, &myself);
            }
            SnapshotterMessage::Tick => {
                state.sweep(&self.0);
                let settings = &self.0.settings;
                let age = self.0.clock.now().0.saturating_sub(state.last_ms);
                let written = self.0.log.stats().bytes.saturating_sub(state.last_bytes);
                let news = self.0.log.next_lsn() > state.last_lsn;
                if news && (age >= settings.snapshot_every_ms || written >= settings.snapshot_every_bytes) {
                    state.begin(&self.0, &myself);
                }
            }
            SnapshotterMessage::Over(result) => {
                state.busy = false;
                match &result {
                    Ok(done) => tracing::info!(
                        snapshot.generation = done.generation,
                        snapshot.lists = done.lists,
                        snapshot.people = done.people,
                        duration_ms = done.took_ms,
                        "checkpoint round done"
                    ),
                    Err(failure) => {
                        tracing::error!(
                            reason = failure.why,
                            "checkpoint round failed; the log keeps everything"
                        )
                    }
                }
                for reply in state.running.drain(..) {
                    let _ = reply.send(result.clone());
                }
                if !state.waiting.is_empty() {
                    state.begin(&self.0, &myself);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_round_steps_back_behind_the_work_for_shoppers_and_its_threads_do_too() {
        let priority = || rustix::process::getpriority_process(None).ok();
        let before = priority().map(|before| (before + STEP_BACK).min(19));
        let inner = move || std::thread::spawn(priority).join().ok().flatten();
        let under_way = Background::default().begin().expect("nothing has ended");
        let (own, below) = in_background(&under_way, move || (priority(), inner())).await.expect("it ran");
        assert_eq!((own, below), (before, before));
    }

    #[tokio::test]
    async fn a_round_that_panics_is_answered_with_nothing() {
        let background = Background::default();
        let under_way = background.begin().expect("nothing has ended");
        assert!(in_background(&under_way, || panic!("sled is odd")).await.is_err());
        drop(under_way);
        background.quiet().await;
    }
}
