//! One life of the engine in the simulation: from recovery to the next crash.
//!
//! The Engine's door, the directory, the lists, the campaign actor, the log's writer and maker, recovery and the
//! snapshot store are the real ones. The mailboxes, the supervisor, the workers and the course of a checkpoint round are
//! this simulation's, because it must decide what happens when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use restockd_core::campaign::Campaigns;
use restockd_core::directory::Directory;
use restockd_core::list::List;
use restockd_core::scheduler::Scheduler;
use restockd_core::{ListId, Millis};
use restockd_engine::campaign::{CampaignArgs, CampaignState};
use restockd_engine::clock::Clock;
use restockd_engine::context::{Context, Fatal};
use restockd_engine::directory::DirectoryState;
use restockd_engine::engine::resume_open_work;
use restockd_engine::list::ListState;
use restockd_engine::mailboxes::Mailboxes;
use restockd_engine::messages::{CampaignMessage, DirectoryMessage, ListMessage, Slice, SupervisorMessage};
use restockd_engine::recent::Recent;
use restockd_engine::recovery::{self, RecoveredState, RecoveryError};
use restockd_engine::supervisor::EventWatermark;
use restockd_engine::{Engine, StartError};
use restockd_journal::snapshots::{Backend, Generations};
use restockd_journal::wal::{Log, ManualDriver, Options};
use restockd_records::PackedList;
use restockd_testkit::disk::SimDisk;
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::queues::{Node, Parcel, Queues};
use crate::relay::Relay;
use crate::round::Round;
use crate::scene::Scene;

/// Letters on the wire at once.
const CONNECTIONS: usize = 3;

/// Where a list is.
enum Slot {
    Resting(PackedList),
    Awake(ListState),
}

/// A running engine.
pub struct Running {
    pub engine: Engine,
    pub context: Arc<Context>,
    pub generations: Generations,
    pub relay: Relay,
    pub round: Option<Round>,
    stepper: ManualDriver,
    queues: Queues,
    directory: DirectoryState,
    campaign: CampaignState,
    lists: BTreeMap<ListId, Slot>,
    heard: EventWatermark,
    ended: Arc<AtomicBool>,
    story: bool,
}

impl Running {
    /// Recovers and starts; what was open is on its way to be taken up.
    pub fn start(scene: &Scene, disk: &SimDisk, clock: &Clock) -> Result<Self, StartError> {
        let options = options(scene);
        let disk: Arc<dyn restockd_journal::disk::Disk> = Arc::new(disk.clone());
        let snapshots = PathBuf::from("/data/snapshots");
        let engine = scene.secrets.engine;
        let generations = Generations::open(Arc::clone(&disk), snapshots, engine, Backend::Flat)?;
        let found = recover(scene, &disk, &options, &generations, Some(clock.now()))?;
        let ended = Arc::new(AtomicBool::new(false));
        let poisoned = Arc::clone(&ended);
        let hand = clock.clone();
        let (log, stepper) = Log::manual(
            disk,
            &options,
            &found.log,
            Box::new(move || Duration::from_millis(hand.now().0)),
            Box::new(move |_| poisoned.store(true, Ordering::Relaxed)),
        )?;
        let context = Arc::new(Context {
            log,
            clock: clock.clone(),
            secrets: scene.secrets.clone(),
            catalog: scene.catalog.clone(),
            templates: Arc::clone(&scene.templates),
            settings: scene.settings.clone(),
            fatal: Fatal::new(),
            recent: Recent::default(),
            mailboxes: Mailboxes::default(),
        });
        let queues = Queues::default();
        queues.open(&context.mailboxes);
        let engine = Engine::over(Arc::clone(&context), &found.directory, None);
        let (relay, workers) = Relay::new(CONNECTIONS);
        let RecoveredState { directory, campaigns, lists, claims, .. } = found;
        let mut running = Self {
            engine,
            generations,
            relay,
            round: None,
            stepper,
            directory: DirectoryState::new(directory),
            campaign: CampaignState::new(&context, CampaignArgs { campaigns, workers }),
            lists: lists.into_iter().map(|(id, packed)| (id, Slot::Resting(packed))).collect(),
            heard: EventWatermark::default(),
            ended,
            story: scene.story,
            context,
            queues,
        };
        running.queues.speaks(Node::Boot);
        resume_open_work(&running.context, claims);
        // The door opens when the directory has sent again what was open: all of that is on its way before anything new.
        while let Some(Parcel::Directory(message)) = running.queues.take(Node::Boot, Node::Directory) {
            running.directory.handle(&running.context, message);
        }
        Ok(running)
    }

    /// True once the log has failed: the process ends.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed) || self.context.fatal.is_set()
    }

    /// One batch of the log, of at most so many tickets.
    pub fn write(&mut self, most: usize) {
        self.stepper.write(most);
    }

    /// The log's other thread; `again`: a second has passed.
    pub fn make(&mut self, again: bool) {
        self.stepper.make(again);
    }

    /// From here on this one speaks.
    pub fn speaks(&self, node: Node) {
        self.queues.speaks(node);
    }

    /// Nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.queues.is_quiet() && self.relay.is_quiet() && self.round.is_none()
    }

    /// A message arrives, whichever the dice choose; false when there is none.
    pub fn deliver(&mut self, dice: &mut Dice) -> bool {
        if dice.one_in(4)
            && let Some(number) = self.queues.alarm(self.context.clock.now())
        {
            self.arrive(Node::Campaign, Parcel::Campaign(CampaignMessage::Alarm(number)), dice);
            return true;
        }
        let Some((to, parcel)) = self.queues.pop(dice) else { return false };
        self.arrive(to, parcel, dice);
        true
    }

    /// One parcel at its place.
    pub fn arrive(&mut self, to: Node, parcel: Parcel, dice: &mut Dice) {
        self.queues.speaks(to.clone());
        if self.story {
            println!("    to {to:?}: {}", parcel.word());
        }
        match (to, parcel) {
            (_, Parcel::Directory(message)) => self.directory.handle(&self.context, message),
            (_, Parcel::Campaign(message)) => self.campaign.handle(&self.context, message),
            (_, Parcel::Supervisor(message)) => self.supervise(message),
            (Node::List(id), Parcel::List(message)) => self.at_list(id, message, dice),
            _ => unreachable!("a parcel without an address"),
        }
    }

    /// The supervisor's part: the way to lists, and slices of them for a round.
    fn supervise(&mut self, message: SupervisorMessage) {
        match message {
            SupervisorMessage::ToList(list, ListMessage::Read(read)) if !self.lists.contains_key(&list) => {
                read(&list, &List::default());
            }
            SupervisorMessage::ToList(list, mut message) => {
                self.heard.pass(&mut message);
                self.lists
                    .entry(list.clone())
                    .or_insert_with(|| Slot::Awake(ListState::new(list.clone(), List::default())));
                self.queues.push(Node::Supervisor, Node::List(list), Parcel::List(message));
            }
            SupervisorMessage::ToLists(messages) => {
                for (list, message) in messages {
                    self.supervise(SupervisorMessage::ToList(list, message));
                }
            }
            SupervisorMessage::Walk(after, most, reply) => {
                let names: Vec<ListId> = match after {
                    Some(after) => self
                        .lists
                        .range(after.clone()..)
                        .map(|(id, _)| id.clone())
                        .filter(|id| *id != after)
                        .take(most)
                        .collect(),
                    None => self.lists.keys().take(most).cloned().collect(),
                };
                let next = if names.len() < most { None } else { names.last().cloned() };
                let mut slice = Slice { resting: Vec::new(), awake: Vec::new(), next };
                for id in names {
                    match &self.lists[&id] {
                        Slot::Resting(packed) => slice.resting.push((id, packed.clone())),
                        Slot::Awake(_) => {
                            let (reply, answer) = oneshot::channel();
                            let image = Parcel::List(ListMessage::Image(reply));
                            self.queues.push(Node::Supervisor, Node::List(id), image);
                            slice.awake.push(answer);
                        }
                    }
                }
                drop(reply.send(slice));
            }
            SupervisorMessage::Summaries(..)
            | SupervisorMessage::Names(..)
            | SupervisorMessage::Census(_)
            | SupervisorMessage::StillBusy(_)
            | SupervisorMessage::Sweep => {}
        }
    }

    fn at_list(&mut self, id: ListId, message: ListMessage, dice: &mut Dice) {
        let slot = self.lists.remove(&id).expect("a list that was spoken to is there");
        let mut state = match slot {
            Slot::Awake(state) => state,
            Slot::Resting(packed) => {
                ListState::new(id.clone(), packed.unpack().expect("a list at rest unpacks"))
            }
        };
        state.handle(&self.context, message);
        self.lists.insert(id.clone(), Slot::Awake(state));
        if dice.one_in(4) {
            self.rest(&id);
        }
    }

    /// A list goes to rest, if it has no record out.
    fn rest(&mut self, id: &ListId) {
        if let Some(Slot::Awake(state)) = self.lists.get(id)
            && state.is_quiet()
        {
            // One that has written nothing is one that nobody ever spoke of; what is on its way makes it again.
            let packed = PackedList::of(&state.list);
            self.lists.insert(id.clone(), Slot::Resting(packed));
        }
    }

    /// Some lists go to rest.
    pub fn sweep(&mut self, dice: &mut Dice) {
        let ids: Vec<ListId> = self.lists.keys().cloned().collect();
        for id in ids {
            if dice.one_in(2) {
                self.rest(&id);
            }
        }
    }

    /// Looks at the campaigns.
    pub fn campaigns<T: Send + 'static>(&mut self, look: impl FnOnce(&Campaigns) -> T + Send + 'static) -> T {
        let (answer, slot) = std::sync::mpsc::channel();
        let read = Box::new(move |scheduler: &Scheduler| drop(answer.send(look(scheduler.campaigns()))));
        self.campaign.handle(&self.context, CampaignMessage::Read(read));
        slot.try_recv().expect("a read answers at once")
    }

    /// Looks at the directory.
    pub fn directory<T: Send + 'static>(&mut self, look: impl FnOnce(&Directory) -> T + Send + 'static) -> T {
        let (answer, slot) = std::sync::mpsc::channel();
        let read = Box::new(move |directory: &Directory| drop(answer.send(look(directory))));
        self.directory.handle(&self.context, DirectoryMessage::Read(read));
        slot.try_recv().expect("a read answers at once")
    }

    /// Looks at a list, wherever it is.
    pub fn list<T>(&self, id: &ListId, look: impl FnOnce(&List) -> T) -> T {
        match self.lists.get(id) {
            Some(Slot::Awake(state)) => look(&state.list),
            Some(Slot::Resting(packed)) => look(&packed.unpack().expect("a list at rest unpacks")),
            None => look(&List::default()),
        }
    }

    /// Every list that has written something, packed.
    pub fn lists(&self) -> BTreeMap<ListId, PackedList> {
        let packed = |slot: &Slot| match slot {
            Slot::Resting(packed) => packed.clone(),
            Slot::Awake(state) => PackedList::of(&state.list),
        };
        let all = self.lists.iter().map(|(id, slot)| (id.clone(), packed(slot)));
        all.filter(|(_, packed)| packed.unpack().is_ok_and(|list| list.seq() > 0)).collect()
    }
}

/// How the log is cut here.
pub fn options(scene: &Scene) -> Options {
    Options { segment_bytes: 64 * 1024, ..Options::new("/data/wal", scene.secrets.engine) }
}

/// Everything from the disk.
pub fn recover(
    scene: &Scene,
    disk: &Arc<dyn restockd_journal::disk::Disk>,
    options: &Options,
    generations: &Generations,
    now: Option<Millis>,
) -> Result<RecoveredState, RecoveryError> {
    let directory = Directory::new(scene.secrets.seed(), scene.settings.keys_max);
    let campaigns = Campaigns::new(scene.settings.rate, scene.settings.retry);
    let campaigns = campaigns.shaped(Arc::clone(&scene.settings.shaping));
    recovery::recover(disk, options, generations, directory, campaigns, now)
}
