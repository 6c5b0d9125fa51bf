//! The simulation's mailboxes: messages in order per sender and receiver, and otherwise in any order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use restockd_core::scheduler::Input;
use restockd_core::{ListId, Millis};
use restockd_engine::mailboxes::{Mailbox, Mailboxes};
use restockd_engine::messages::{
    CampaignMessage, DirectoryMessage, ListMessage, Restocked, SupervisorMessage,
};

use crate::dice::Dice;

/// Who speaks, or is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// One request of a client.
    Client(u64),
    Supervisor,
    Directory,
    Campaign,
    List(ListId),
    Snapshotter,
    Boot,
}

/// What travels.
pub enum Parcel {
    Supervisor(SupervisorMessage),
    Directory(DirectoryMessage),
    Campaign(CampaignMessage),
    /// What the supervisor passes on.
    List(ListMessage),
}

impl Parcel {
    /// A word for the story of a seed.
    pub fn word(&self) -> String {
        match self {
            Self::Campaign(message) => match message {
                CampaignMessage::Restocked(Restocked { campaign, upto, added, .. }, _) => {
                    format!("restocked {campaign} up to {upto}, {added} more")
                }
                CampaignMessage::Input(Input::Invited { campaign, people, last, .. }) => {
                    format!("invited {campaign} {people:?} last {last}")
                }
                CampaignMessage::Input(Input::InvitedAgain { campaign, people, last }) => {
                    format!("invited again {campaign} {people:?} last {last}")
                }
                CampaignMessage::Input(Input::Fetched { campaign, people }) => {
                    let rows: Vec<_> =
                        people.iter().map(|one| (one.row, one.person.0, one.undeliverable)).collect();
                    format!("fetched {campaign} {rows:?}")
                }
                CampaignMessage::Note { list, person, reason, .. } => {
                    format!("note {list:?} {} {reason:?}", person.0)
                }
                CampaignMessage::MailboxChanged(person, _) => format!("mailbox changed {}", person.0),
                CampaignMessage::Command(campaign, verb, ..) => format!("{verb:?} {campaign}"),
                CampaignMessage::Input(Input::Delivered { campaign, person, outcome, .. }) => {
                    format!("delivered {campaign} {} {outcome:?}", person.0)
                }
                CampaignMessage::Input(Input::Begun { campaign, .. }) => format!("begun {campaign}"),
                CampaignMessage::Alarm(number) => format!("alarm {number}"),
                CampaignMessage::Input(Input::Resume) => "resume".to_owned(),
                _ => "something".to_owned(),
            },
            Self::Directory(DirectoryMessage::LookUp(campaign, _, rows)) => {
                format!("look up {campaign} {rows:?}")
            }
            Self::List(ListMessage::Task { event, person, task, .. }) => {
                format!("task {event} {person:?} {task:?}")
            }
            Self::List(ListMessage::Restock { .. }) => "restock".to_owned(),
            Self::List(ListMessage::Invite(campaign, most)) => format!("invite {campaign} {most}"),
            Self::List(ListMessage::InviteAgain(campaign)) => format!("invite again {campaign}"),
            Self::List(ListMessage::Close(campaign, upto)) => format!("close {campaign} up to {upto}"),
            Self::List(ListMessage::Confirm(campaign, people)) => {
                format!("confirm {campaign} of {}", people.len())
            }
            _ => "something".to_owned(),
        }
    }
}

/// What is on its way.
#[derive(Default)]
struct State {
    speaker: Option<Node>,
    ways: BTreeMap<(Node, Node), VecDeque<Parcel>>,
    alarms: Vec<(Millis, u64)>,
}

/// The queues; clones are the same ones.
#[derive(Clone, Default)]
pub struct Queues(Arc<Mutex<State>>);

impl Queues {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Who speaks from now on.
    pub fn speaks(&self, node: Node) {
        self.state().speaker = Some(node);
    }

    /// Puts a parcel on its way.
    pub fn push(&self, from: Node, to: Node, parcel: Parcel) {
        self.state().ways.entry((from, to)).or_default().push_back(parcel);
    }

    /// The next parcel of a way that the dice choose.
    pub fn pop(&self, dice: &mut Dice) -> Option<(Node, Parcel)> {
        let mut state = self.state();
        let full: Vec<(Node, Node)> = state.ways.keys().cloned().collect();
        if full.is_empty() {
            return None;
        }
        let mut way = full.into_iter().nth(dice.below(state.ways.len()))?;
        // What the start says lies in every mailbox before anybody else can speak.
        let first = (Node::Boot, way.1.clone());
        if state.ways.contains_key(&first) {
            way = first;
        }
        let queue = state.ways.get_mut(&way)?;
        let parcel = queue.pop_front()?;
        if queue.is_empty() {
            state.ways.remove(&way);
        }
        Some((way.1, parcel))
    }

    /// The next parcel of one way.
    pub fn take(&self, from: Node, to: Node) -> Option<Parcel> {
        let mut state = self.state();
        let way = (from, to);
        let queue = state.ways.get_mut(&way)?;
        let parcel = queue.pop_front();
        if queue.is_empty() {
            state.ways.remove(&way);
        }
        parcel
    }

    /// An alarm whose time has come.
    pub fn alarm(&self, now: Millis) -> Option<u64> {
        let mut state = self.state();
        let at = state.alarms.iter().position(|(then, _)| *then <= now)?;
        Some(state.alarms.remove(at).1)
    }

    pub fn is_quiet(&self) -> bool {
        self.state().ways.is_empty()
    }

    /// What is sent from now on waits here.
    pub fn open(&self, mailboxes: &Mailboxes) {
        self.take_in(&mailboxes.supervisor, Node::Supervisor, Parcel::Supervisor);
        self.take_in(&mailboxes.directory, Node::Directory, Parcel::Directory);
        self.take_in(&mailboxes.campaign, Node::Campaign, Parcel::Campaign);
        // The course of a round is this world's own.
        mailboxes.snapshotter.open_with(|_| unreachable!("nobody asks for a round"));
        // No list of this world asks for a confirmation.
        mailboxes.confirmations.open_with(drop);
        let queues = self.clone();
        mailboxes.alarms.open_with(move |alarm| queues.state().alarms.push(alarm));
    }

    /// What is sent to one mailbox is on its way from whoever speaks.
    fn take_in<M: Send + 'static>(&self, mailbox: &Mailbox<M>, to: Node, parcel: fn(M) -> Parcel) {
        let queues = self.clone();
        mailbox.open_with(move |message| {
            let from = queues.state().speaker.clone().expect("somebody speaks");
            queues.push(from, to.clone(), parcel(message));
        });
    }
}
