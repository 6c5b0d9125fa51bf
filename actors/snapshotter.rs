//! Checkpoint rounds: the state of all actors into one verified generation, then the log forgets.
//!
//! ```text
//! seal: S = the first number after it ▶ directory ▶ campaigns ▶ lists, slice by slice ▶ barrier durable
//!   ▶ verify ▶ CURRENT ▶ trim the log below what the older generation needs
//! ```
//!
//! Who writes to me: the alarm and the Engine. One round at a time, in a task of its own: this
//! actor never waits. A round that fails is reported and tried again at the next alarm; the log
//! keeps everything until one succeeds.

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

/// Lists in one slice of the walk.
const SLICE: usize = 512;

/// How often copies of what was cut are looked after.
const SWEEP_EVERY_MS: u64 = 24 * 3_600_000;

/// The actor.
pub(crate) struct Snapshotter(pub Arc<Context>);

/// Its state.
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

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An actor or the log is gone.
    #[error("the engine is ending")]
    Ending,
}

impl SnapshotterState {
    /// Starts a round, if none is under way.
    fn begin(&mut self, context: &Arc<Context>, myself: &ActorRef<SnapshotterMessage>) {
        if self.busy {
            return;
        }
        self.running = std::mem::take(&mut self.waiting);
        // Who waits hears nothing when the engine is ending.
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
            // Gone only when the engine is.
            let _ = myself.cast(SnapshotterMessage::Over(result));
        });
    }
}

impl SnapshotterState {
    /// Once a day, and at the first tick: what is in quarantine goes when its days are over.
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

/// One round.
async fn round(
    context: &Arc<Context>,
    generations: Arc<Generations>,
    under_way: &UnderWay,
) -> Result<SnapshotAnswer, RoundError> {
    let began = context.clock.now();
    // The seal says where the new segment begins. All that the images lack comes after it, so replay begins
    // there, and the segments before it hold nothing that this generation needs: they can go as a whole.
    let (sealed, seal) = oneshot::channel();
    context.log.seal(Box::new(move |result| {
        let _ = sealed.send(result);
    }));
    let Ok(Ok(before)) = seal.await else { return Err(RoundError::Ending) };
    let replay_from = before + 1;
    // Few portions on the way at once: a round never holds more than a few slices in memory.
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
    // Every record that any of these states holds must be durable before the generation counts.
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

/// How far the work of a round steps back behind the work for shoppers: about a third of its share.
const STEP_BACK: i32 = 5;

/// Runs what has time, on a thread that steps back when processors are short. Threads that it starts
/// (the store's and sled's) step back with it. Nothing is answered where there is no thread to be had.
fn in_background<T: Send + 'static>(
    under_way: &UnderWay,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    let under_way = under_way.clone();
    let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
        // Refused by no system that we know of; the round is the same without.
        let _ = rustix::process::nice(STEP_BACK);
        // Nobody waits any more when the engine is ending: then what was made is undone here.
        let _ = done.send(work());
        drop(under_way);
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for a checkpoint round");
    }
    outcome
}

/// Begins a generation and fills it with what is handed over.
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

/// Makes a generation the newest, and only then lets the log go below what the older one needs; answers its number.
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

/// What a generation says of itself.
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

/// Hands a portion to the writer; one that has failed says so when it is joined.
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
