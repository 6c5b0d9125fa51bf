//! From a data directory to a running engine: recover, spawn the actors, resume what was open.

use std::path::PathBuf;

use ractor::Actor;

use super::super::alarm::Alarm;
use super::super::background::Background;
use super::super::campaign::{CampaignActor, CampaignArgs};
use super::super::confirmation;
use super::super::context::{Fatal, Settings};
use super::super::delivery;
use super::super::directory::DirectoryActor;
use super::super::mailboxes::Mailboxes;
use super::super::messages::Restocked;
use super::super::recent::Recent;
use super::super::recovery::{self, CampaignClaim, RecoveredState, RecoveryError};
use super::super::snapshotter::Snapshotter;
use super::super::supervisor::Supervisor;
use super::*;
use crate::clock::Clock;
use crate::token::Secrets;
use restockd_core::Catalog;
use restockd_core::campaign::Campaigns;
use restockd_core::scheduler::Input;
use restockd_journal::disk::Disk;
use restockd_journal::snapshots::{Backend, Generations, StoreError};
use restockd_journal::wal::{self, Log, WalError};
use restockd_mail::Mailer;
use restockd_render::Templates;

/// All that [`start()`] needs.
pub struct Started {
    /// The data directory; log and snapshots live in folders inside it.
    pub data: PathBuf,
    /// The file system of log and snapshots; tests pass a simulated one.
    pub disk: Arc<dyn Disk>,
    /// Length of a log segment, in bytes.
    pub segment_bytes: u64,
    /// The format of new snapshots.
    pub backend: Backend,
    pub clock: Clock,
    /// Accept records whose time lies in the future (`--accept-clock`).
    pub accept_clock: bool,
    /// The secrets that sign links and hash addresses.
    pub secrets: Secrets,
    /// The lists of the configuration.
    pub catalog: Catalog,
    pub templates: Arc<Templates>,
    pub mailer: Mailer,
    pub settings: Settings,
    /// The text of an admin key from the environment.
    pub environment_key: Option<String>,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The log cannot be continued.
    #[error(transparent)]
    Log(#[from] WalError),
    /// The directory of the snapshots cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an actor did not start: {0}")]
    Spawn(#[from] ractor::SpawnErr),
    /// A task of the start ended early, because the process is shutting down.
    #[error("recovery was interrupted")]
    Interrupted,
}

/// What recovery found, for the log and for the operator.
#[derive(Debug, Clone)]
pub struct RecoveryReport {
    /// Records replayed from the log.
    pub records: u64,
    pub lists: usize,
    /// The number of the newest contact.
    pub people: u32,
    pub campaigns: usize,
    /// A sentence about the torn end of the log, if one was cut.
    pub torn: Option<String>,
    /// What was wrong with snapshots that were passed over.
    pub problems: Vec<String>,
}

/// Recovers a data directory and starts an engine on it.
///
/// # Errors
/// When the data is damaged in a way that only a person may decide about, when the log cannot be continued, or when an
/// actor does not start.
pub async fn start(args: Started) -> Result<(Engine, RecoveryReport), StartError> {
    let options = wal::Options {
        segment_bytes: args.segment_bytes,
        ..wal::Options::new(args.data.join("wal"), args.secrets.engine)
    };
    let settings = args.settings;
    let now = (!args.accept_clock).then(|| args.clock.now());
    let (disk, snapshots, backend) = (Arc::clone(&args.disk), args.data.join("snapshots"), args.backend);
    let directory = Directory::new(args.secrets.seed(), settings.keys_max);
    let campaigns = Campaigns::new(settings.rate, settings.retry).shaped(Arc::clone(&settings.shaping));
    let (engine, log_options) = (args.secrets.engine, options.clone());
    let recovered = tokio::task::spawn_blocking(move || {
        let generations = Generations::open(Arc::clone(&disk), snapshots, engine, backend)?;
        let found = recovery::recover(&disk, &log_options, &generations, directory, campaigns, now)?;
        Ok::<_, StartError>((found, generations))
    });
    let (found, generations) = recovered.await.map_err(|_| StartError::Interrupted)??;
    let fatal = Fatal::new();
    let ending = fatal.clone();
    let poisoned = Box::new(move |error: &WalError| ending.end(&error.to_string()));
    let log = Log::start(args.disk, options, &found.log, poisoned)?;
    let context = Arc::new(Context {
        log,
        clock: args.clock,
        secrets: args.secrets,
        catalog: args.catalog,
        templates: args.templates,
        settings,
        fatal,
        recent: Recent::default(),
        mailboxes: Mailboxes::default(),
    });
    let report = report(&found);
    let engine = Engine::over(context, &found.directory, args.environment_key.as_deref());
    engine.spawn(found, generations, &args.mailer).await?;
    Ok((engine, report))
}

impl Engine {
    /// An engine whose mailboxes are not open yet. `environment_key` is the text of an admin key.
    #[must_use]
    pub fn over(context: Arc<Context>, directory: &Directory, environment_key: Option<&str>) -> Self {
        let keys = directory.api_keys().map(|key| (key.id.clone(), key.clone())).collect();
        let public = directory.public_keys().map(|key| (key.id.clone(), key.clone())).collect();
        Self(Arc::new(Inner {
            permits: Arc::new(Semaphore::new(context.settings.permits)),
            stopping: AtomicBool::new(false),
            keys: Arc::new(RwLock::new(keys)),
            public_keys: Arc::new(RwLock::new(public)),
            environment_key: environment_key.map(crate::token::key_hash),
            couriers: Mutex::new(Vec::new()),
            actors: Mutex::new(Vec::new()),
            ticker: Mutex::new(None),
            background: Background::default(),
            context,
        }))
    }

    /// Spawns all actors, opens the mailboxes and resumes what was open.
    async fn spawn(
        &self,
        found: RecoveredState,
        generations: Generations,
        mailer: &Mailer,
    ) -> Result<(), StartError> {
        let context = &self.0.context;
        let RecoveredState { directory, campaigns, lists, claims, .. } = found;
        let (mut workers, mut inboxes) = (Vec::new(), Vec::new());
        // A worker carries one letter at a time: more workers than the window would put more letters in doubt in a crash.
        for _ in 0..mailer.connections().clamp(1, context.settings.window.max(1)) {
            let (worker, inbox) = mpsc::channel(1);
            workers.push(worker);
            inboxes.push(inbox);
        }
        let (supervisor, one) = Actor::spawn(None, Supervisor(Arc::clone(context)), lists).await?;
        let (directory, two) = Actor::spawn(None, DirectoryActor(Arc::clone(context)), directory).await?;
        let args = CampaignArgs { campaigns, workers };
        let (campaign, three) = Actor::spawn(None, CampaignActor(Arc::clone(context)), args).await?;
        let args = (Arc::new(generations), self.0.background.clone());
        let (snapshotter, four) = Actor::spawn(None, Snapshotter(Arc::clone(context)), args).await?;
        let (confirmations, queue) = mpsc::channel(confirmation::UNDER_WAY_MAX);
        self.0.actors.lock().extend([
            supervisor.get_cell(),
            directory.get_cell(),
            campaign.get_cell(),
            snapshotter.get_cell(),
        ]);
        let boxes = &context.mailboxes;
        boxes.supervisor.open_to(supervisor);
        boxes.directory.open_to(directory);
        boxes.campaign.open_to(campaign.clone());
        boxes.snapshotter.open_to(snapshotter);
        boxes.confirmations.open_with(move |mail| {
            // The directory lets no more mails be under way than the queue holds.
            if confirmations.try_send(mail).is_err() {
                tracing::debug!("a mail found nobody to carry it; the engine is ending");
            }
        });
        let (clock, alarm) = (context.clock.clone(), Alarm::default());
        boxes.alarms.open_with(move |(then, number)| {
            let campaign = campaign.clone();
            // The actor is gone only when the engine is.
            alarm.set(&clock, then, move || _ = campaign.cast(CampaignMessage::Alarm(number)));
        });
        for (name, ended) in
            [("supervisor", one), ("directory", two), ("campaign actor", three), ("snapshotter", four)]
        {
            // The death of a single actor, however it comes, ends the process: recovery is the restart.
            let fatal = context.fatal.clone();
            tokio::spawn(async move {
                let _ = ended.await;
                fatal.end(&format!("the {name} ended"));
            });
        }
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let task = delivery::worker(Arc::clone(context), number, mailer.courier(), inbox);
            self.0.couriers.lock().push(tokio::spawn(task));
        }
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        for _ in 0..confirmation::WORKERS_MAX.min(mailer.connections().max(1)) {
            let task =
                confirmation::confirmation_worker(Arc::clone(context), mailer.courier(), Arc::clone(&queue));
            self.0.couriers.lock().push(tokio::spawn(task));
        }
        resume_open_work(context, claims);
        self.tick();
        // The engine answers requests only after the resumed work was sent: nothing new overtakes it on the way to a list.
        let (reply, taken_up) = oneshot::channel();
        context.mailboxes.directory.send(DirectoryMessage::Read(Box::new(move |_| _ = reply.send(()))));
        taken_up.await.map_err(|_| StartError::Interrupted)
    }

    /// Sends the tick to supervisor, snapshotter and directory once a second.
    fn tick(&self) {
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        *self.0.ticker.lock() = Some(stop);
        let context = Arc::clone(&self.0.context);
        tokio::spawn(async move {
            let mut next = context.clock.now().plus(TICK_MS);
            loop {
                tokio::select! {
                    () = context.clock.sleep_until(next) => {}
                    _ = stopped.recv() => break,
                }
                let now = context.clock.now();
                next = next.plus(TICK_MS).max(now);
                context.mailboxes.supervisor.send(SupervisorMessage::Sweep);
                context.mailboxes.snapshotter.send(SnapshotterMessage::Tick);
                context.mailboxes.directory.send(DirectoryMessage::Tick);
                if next.0 % 60_000 < TICK_MS && context.clock.drift_ms().abs() > CLOCK_STEP_MS {
                    let drift_ms = context.clock.drift_ms();
                    tracing::warn!(drift_ms, "the system clock stepped; it is followed at the next start");
                }
            }
        });
    }
}

/// Resumes what the last run left open. Letters in doubt are settled before anything can start a letter, so claims,
/// which open campaigns, come after them.
pub fn resume_open_work(context: &Context, claims: Vec<CampaignClaim>) {
    context.mailboxes.campaign.send(CampaignMessage::Input(Input::Resume));
    for CampaignClaim { list, product, details, invite, added } in claims {
        let Some(day) = invite.day else {
            let close = ListMessage::Close(invite.campaign, invite.upto);
            context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, close));
            continue;
        };
        let (campaign, upto) = (invite.campaign, invite.upto);
        let restocked = Restocked { list, product, details, day, campaign, upto, added };
        context.mailboxes.campaign.send(CampaignMessage::Restocked(restocked, None));
    }
    context.mailboxes.directory.send(DirectoryMessage::Resume);
}

/// Time between two ticks.
const TICK_MS: u64 = 1000;
/// A step of the system's clock that is worth a line in the log.
const CLOCK_STEP_MS: i64 = 5000;

fn report(found: &RecoveredState) -> RecoveryReport {
    RecoveryReport {
        records: found.log.delivered,
        lists: found.lists.len(),
        people: found.directory.last_person(),
        campaigns: found.campaigns.count(),
        torn: found.log.torn.as_ref().map(|torn| {
            let (file, copy) = (torn.file.display(), torn.copy.display());
            format!("{} unacknowledged bytes at the end of {file} were cut (copy: {copy})", torn.bytes)
        }),
        problems: found.problems.clone(),
    }
}
