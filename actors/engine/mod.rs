//! The Engine: the one way to call the actors.
//!
//! Each method is a typed call that waits outside every actor, with a deadline. It takes an admission permit (which
//! travels in the messages and is released with the answer), asks the actor that owns the matter and waits until
//! everything that the answer depends on is durable. A client that goes away cancels the wait, not the work; a timeout
//! means "unknown", never "no".

mod campaigns;
mod confirm;
mod export;
mod keys;
mod links;
mod lists;
mod people;
mod public;
mod recipients;
mod returns;
mod start;
mod state;
mod suppressions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use ractor::ActorCell;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::api::*;
use super::background::Background;
use super::context::Context;
use super::error::{EngineError, RequestRefusal};
use super::messages::{
    CampaignMessage, DirectoryMessage, Ingested, ListMessage, SnapshotterMessage, SupervisorMessage,
};
use super::reply::{Permit, Reply};
use restockd_core::directory::{ApiKey, Directory, HashedIdentity, Ingest, PublicKey, RestockFact};
use restockd_core::list::{ChangeSource, List};
use restockd_core::{ListId, Millis, PersonId};

pub use start::{RecoveryReport, StartError, Started, resume_open_work, start};

type EngineResult<T> = Result<T, EngineError>;

/// Events that enter the directory in one message.
const SLICE: usize = 256;
/// How long a request waits for a permit before it is refused as busy.
const PERMIT_WAIT: Duration = Duration::from_millis(50);

/// A handle on a running engine, with one method for each request; cheap to clone.
///
/// Every call may fail with an [`EngineError`] that is about the state of the engine and not about the request: busy,
/// disk full, stopping, lost, or no answer in time. The methods' own sections on errors name only what they add to that.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// The state that all clones share.
struct Inner {
    context: Arc<Context>,
    permits: Arc<Semaphore>,
    stopping: AtomicBool,
    keys: Arc<RwLock<BTreeMap<String, ApiKey>>>,
    public_keys: Arc<RwLock<BTreeMap<String, PublicKey>>>,
    environment_key: Option<[u8; 32]>,
    /// The single actors; empty until they are spawned.
    actors: Mutex<Vec<ActorCell>>,
    /// The workers' tasks; each ends when nobody can send to it any more.
    couriers: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    ticker: Mutex<Option<mpsc::Sender<()>>>,
    /// Work outside the actors that touches the data directory.
    background: Background,
}

impl Engine {
    /// Takes in one event; the event with its whole bag is one durable fact.
    pub async fn ingest(&self, event: EventInput) -> EngineResult<EventAnswer> {
        let mut answers = self.take_in(vec![self.event(event)]).await?;
        answers.pop().flatten().map(|(answer, _)| answer).ok_or(EngineError::Busy)
    }

    /// Takes in a batch of events in order, under one permit and in slices of 256.
    ///
    /// # Errors
    /// On an error some of the events may have been taken in; sending the same batch again is safe where events have keys.
    pub async fn ingest_batch(&self, events: Vec<EventInput>) -> EngineResult<Vec<EventAnswer>> {
        let permit = Arc::new(self.admit().await?);
        let mut answers = Vec::with_capacity(events.len());
        let mut events = events.into_iter();
        // Two slices are under way at once: while one is synced, the next is decided.
        let mut waiting: Option<oneshot::Receiver<Vec<Ingested>>> = None;
        loop {
            let slice: Vec<Ingest> = events.by_ref().take(SLICE).map(|event| self.event(event)).collect();
            let next = (!slice.is_empty()).then(|| self.send_in(slice, Arc::clone(&permit)));
            let done = next.is_none();
            if let Some(before) = std::mem::replace(&mut waiting, next) {
                for outcome in self.answered(before).await? {
                    answers.push(outcome.map(|(answer, _)| answer).ok_or(EngineError::Busy)?);
                }
            }
            if done && waiting.is_none() {
                return Ok(answers);
            }
        }
    }

    /// Takes in a restock reported by a webhook; a repeat of the delivery changes nothing.
    pub async fn restock(&self, input: RestockInput) -> EngineResult<RestockAnswer> {
        let permit = self.admit().await?;
        let key =
            self.0.context.secrets.hash("delivery", &[&input.source, input.sku.as_str(), &input.delivery]);
        let list = input.sku.list();
        let fact = RestockFact {
            list: list.clone(),
            key,
            product: input.product,
            quantity: input.quantity,
            details: input.details,
        };
        let (reply, answer) = Reply::new(permit);
        let restock = ListMessage::Restock { event: 0, fact, reply };
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, restock));
        self.answered(answer).await
    }

    /// Writes a snapshot now.
    ///
    /// # Errors
    /// When the snapshot cannot be written, for example for lack of space.
    pub async fn snapshot(&self) -> EngineResult<SnapshotAnswer> {
        let (reply, answer) = oneshot::channel();
        self.0.context.mailboxes.snapshotter.send(SnapshotterMessage::Round(Some(reply)));
        match answer.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) if failure.no_space => Err(EngineError::DiskFull),
            Ok(Err(failure)) => {
                Err(RequestRefusal::NotAllowed(format!("the round failed: {}", failure.why)).into())
            }
            Err(_) => Err(EngineError::Lost),
        }
    }

    /// How many lists are awake, at rest and leaving.
    pub async fn list_counts(&self) -> EngineResult<(usize, usize, usize)> {
        let (reply, answer) = oneshot::channel();
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::Census(reply));
        answer.await.map_err(|_| EngineError::Lost)
    }

    /// Passivates idle lists now; by itself that happens once a second.
    pub fn sweep(&self) {
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::Sweep);
    }

    /// Admits no new work from now on: the first step of a stop.
    pub fn stop_admitting(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Stops in order: no new work, time for the letters on the wire, a last snapshot, then the log is closed.
    pub async fn stop(&self) {
        self.stop_admitting();
        self.0.ticker.lock().take();
        let context = &self.0.context;
        // What was admitted is finished when all permits are back.
        let deadline = Duration::from_millis(context.settings.deadline_ms);
        let all = u32::try_from(context.settings.permits).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(deadline, self.0.permits.acquire_many(all)).await;
        let (reply, quiet) = oneshot::channel();
        context.mailboxes.campaign.send(CampaignMessage::Stop(reply));
        let wait = Duration::from_millis(context.settings.stop_wait_ms);
        if tokio::time::timeout(wait, quiet).await.is_err() {
            tracing::warn!(
                "mail servers did not answer in time; their letters are held in doubt at the next start"
            );
        }
        if !context.log.poisoned()
            && let Err(error) = self.snapshot().await
        {
            tracing::warn!("the last checkpoint failed ({error}); the next start replays the log");
        }
        self.kill();
        self.abandon().await;
    }

    /// Ends all actors at once, as a crash would. Threads that are at work on the data directory go on: see
    /// [`Engine::abandon`].
    pub fn kill(&self) {
        self.0.context.fatal.expect_the_end();
        self.0.background.end();
        self.0.ticker.lock().take();
        self.0.actors.lock().drain(..).for_each(|actor| actor.kill());
        self.0.couriers.lock().drain(..).for_each(|courier| courier.abort());
    }

    /// After [`Engine::kill`]: waits until nothing of this engine touches the data directory any more (the log's threads, a
    /// snapshot round), so that another engine may open it. Records that were on their way to the log may or may not get
    /// there, as in a crash.
    pub async fn abandon(&self) {
        let log = self.0.context.log.clone();
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
        self.0.background.quiet().await;
    }

    /// Takes an admission permit.
    ///
    /// # Errors
    /// [`EngineError::Busy`] after 50 ms without one, or the reason for which nothing is admitted at all.
    async fn admit(&self) -> EngineResult<OwnedSemaphorePermit> {
        let context = &self.0.context;
        if context.fatal.is_set() || context.log.poisoned() {
            return Err(EngineError::Lost);
        }
        if self.0.stopping.load(Ordering::Acquire) {
            return Err(EngineError::Stopping);
        }
        if !context.log.room() {
            return Err(EngineError::DiskFull);
        }
        let permits = Arc::clone(&self.0.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(PERMIT_WAIT, permits.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(EngineError::Stopping),
            Err(_) => Err(EngineError::Busy),
        }
    }

    /// Runs a query on the directory.
    async fn ask_directory<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Directory) -> T + Send + 'static,
    ) -> EngineResult<T> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |directory: &Directory| drop(reply.send(read(directory))));
        self.0.context.mailboxes.directory.send(DirectoryMessage::Read(read));
        self.answered(answer).await
    }

    /// Runs a query on a list, which wakes for it.
    async fn ask_list<T: Send + 'static>(
        &self,
        list: ListId,
        read: impl FnOnce(&List) -> T + Send + 'static,
    ) -> EngineResult<T> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |_: &ListId, list: &List| drop(reply.send(read(list))));
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, ListMessage::Read(read)));
        self.answered(answer).await
    }

    /// Waits for an answer until the deadline.
    async fn answered<T>(&self, answer: oneshot::Receiver<T>) -> EngineResult<T> {
        let deadline = Duration::from_millis(self.0.context.settings.deadline_ms);
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(EngineError::Lost),
            Err(_) => Err(EngineError::Timeout),
        }
    }

    /// Sends one slice to the directory and waits for its results.
    async fn take_in(&self, items: Vec<Ingest>) -> EngineResult<Vec<Ingested>> {
        let permit = self.admit().await?;
        self.answered(self.send_in(items, permit)).await
    }

    fn send_in(&self, items: Vec<Ingest>, permit: impl Into<Permit>) -> oneshot::Receiver<Vec<Ingested>> {
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::Ingest { items, reply });
        answer
    }

    /// The names of a request, with the address hashed.
    fn hashed(&self, who: Identity) -> HashedIdentity {
        let secrets = &self.0.context.secrets;
        HashedIdentity {
            email: who.email.map(|email| {
                let hash = secrets.address(&email);
                (email, hash)
            }),
            user_id: who.user_id,
            anonymous_id: who.anonymous_id,
        }
    }

    /// An event in the form that the directory decides on.
    fn event(&self, event: EventInput) -> Ingest {
        let EventInput { sku, product, .. } = event;
        let secrets = &self.0.context.secrets;
        let restock = event.restock.zip(sku.as_ref()).map(|(said, sku)| {
            let key = event.key.as_deref();
            RestockFact {
                list: sku.list(),
                // Without a key of its own the restock gets 0: the directory's counter then makes it unique.
                key: key.map_or(0, |key| secrets.hash("delivery", &["event", sku.as_str(), key])),
                product: product.clone(),
                quantity: said.quantity,
                details: said.details,
            }
        });
        Ingest {
            name: event.name,
            who: self.hashed(event.who),
            props: properties_of(event.contact_properties),
            bag: event.lists,
            key: event.key.map(|key| secrets.hash("event", &[&key])),
            source: ChangeSource::Event,
            timestamp: event.timestamp,
            product: sku.map(|sku| sku.list()).zip(product),
            restock,
            evidence: event.consent.map(Box::new),
            public: false,
        }
    }
}

/// Properties in the form that the directory holds: name and JSON text.
fn properties_of(map: serde_json::Map<String, serde_json::Value>) -> Vec<(String, String)> {
    map.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}
