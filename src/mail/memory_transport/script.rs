//! Scripts the memory transport in tests: replies come from a queue first, then from a rule; otherwise every letter is
//! accepted.
//!
//! ```text
//!  deliver ──▶ reply chosen ──▶ gate ──▶ [held?] ──▶ kept ──▶ DeliveryOutcome
//!                 │                          └ ScriptedReply::Give: nothing is kept
//!                 └ ScriptedReply::Refuse: the gate is never asked
//! ```
//!
//! Its couriers are ready unless a test cuts them off: [`MemoryTransport::disconnect`], [`MemoryTransport::stop_greeting`],
//! [`MemoryTransport::reconnect`].

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::MemoryTransport;
use crate::{DeliveryOutcome, Letter};

/// The reply to one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedReply {
    /// Keeps the letter; the outcome is *sent*.
    Accept,
    /// Waits until [`MemoryTransport::release`], then as [`ScriptedReply::Accept`].
    Hold,
    /// Keeps the letter and gives this outcome, like a server that took the letter and whose reply was lost.
    Keep(DeliveryOutcome),
    /// Passes the gate, drops the letter and gives this outcome.
    Give(DeliveryOutcome),
    /// Gives this outcome without asking the gate, like a server that refuses the recipient.
    Refuse(DeliveryOutcome),
}

type Rule = Box<dyn Fn(&Letter) -> ScriptedReply + Send + Sync>;

pub(super) struct Script {
    cues: Mutex<Cues>,
    /// How many letters are held now, with their gates passed.
    waiting: watch::Sender<usize>,
    held: watch::Sender<bool>,
    /// While this is set, letters that a rule answers with [`ScriptedReply::Hold`] wait.
    holding: watch::Sender<bool>,
    link: watch::Sender<Link>,
    /// How often a courier was asked to get ready.
    readied: watch::Sender<usize>,
}

#[derive(Default)]
struct Cues {
    queue: VecDeque<ScriptedReply>,
    rule: Option<Rule>,
}

/// The state of the connection that couriers find when they get ready.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Up,
    /// The server cannot be reached, or refuses every connection.
    Down(DeliveryOutcome),
    /// The server accepts connections and does not greet.
    Silent,
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            cues: Mutex::default(),
            waiting: watch::Sender::new(0),
            held: watch::Sender::new(false),
            holding: watch::Sender::new(false),
            link: watch::Sender::new(Link::Up),
            readied: watch::Sender::new(0),
        }
    }

    /// Waits while the server is silent.
    pub(super) async fn ready(&self) -> Result<(), DeliveryOutcome> {
        self.readied.send_modify(|n| *n += 1);
        let mut link = self.link.subscribe();
        match link.wait_for(|link| *link != Link::Silent).await.as_deref() {
            Ok(Link::Down(outcome)) => Err(outcome.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.link.borrow() == Link::Up
    }

    pub(super) fn choose(&self, letter: &Letter) -> ScriptedReply {
        let mut cues = self.cues.lock();
        match cues.queue.pop_front() {
            Some(answer) => answer,
            None => cues.rule.as_ref().map_or(ScriptedReply::Accept, |rule| rule(letter)),
        }
    }

    /// Returns the same reply once the letter is released.
    pub(super) async fn held(&self, answer: ScriptedReply) -> ScriptedReply {
        let stop = if answer == ScriptedReply::Hold { &self.holding } else { &self.held };
        if *stop.borrow() {
            let _counted = Counted::new(&self.waiting);
            let _ = stop.subscribe().wait_for(|held| !held).await;
        }
        answer
    }
}

impl MemoryTransport {
    /// Adds a reply for the next letter that has none yet.
    pub fn push(&self, answer: ScriptedReply) {
        self.script.cues.lock().queue.push_back(answer);
    }

    /// Sets the rule for letters for which no reply was pushed; the closure may tell letters apart.
    pub fn answer_with(&self, rule: impl Fn(&Letter) -> ScriptedReply + Send + Sync + 'static) {
        self.script.cues.lock().rule = Some(Box::new(rule));
    }

    /// Holds every letter between its gate and its outcome, like a server that takes its time.
    pub fn hold(&self) {
        self.script.held.send_replace(true);
    }

    /// Holds only these letters, like one provider that takes its time.
    pub fn hold_those(&self, which: impl Fn(&Letter) -> bool + Send + Sync + 'static) {
        self.script.holding.send_replace(true);
        self.answer_with(
            move |letter| if which(letter) { ScriptedReply::Hold } else { ScriptedReply::Accept },
        );
    }

    /// Releases all held letters.
    pub fn release(&self) {
        self.script.held.send_replace(false);
        self.script.holding.send_replace(false);
    }

    /// Waits until at least `count` letters are held by [`MemoryTransport::hold`], each with its gate passed.
    pub async fn wait_held(&self, count: usize) {
        let _ = self.script.waiting.subscribe().wait_for(|n| *n >= count).await;
    }

    /// From now on no courier gets ready: each is given this outcome. Letters that are delivered nevertheless are answered as
    /// before.
    pub fn disconnect(&self, outcome: DeliveryOutcome) {
        self.script.link.send_replace(Link::Down(outcome));
    }

    /// From now on couriers that get ready wait, as for a server that does not greet.
    pub fn stop_greeting(&self) {
        self.script.link.send_replace(Link::Silent);
    }

    /// Couriers get ready again, also those that wait.
    pub fn reconnect(&self) {
        self.script.link.send_replace(Link::Up);
    }

    /// How often a courier was asked to get ready.
    pub fn readied(&self) -> usize {
        *self.script.readied.borrow()
    }

    /// Waits until couriers were asked to get ready at least `count` times.
    pub async fn wait_ready(&self, count: usize) {
        let _ = self.script.readied.subscribe().wait_for(|n| *n >= count).await;
    }
}

/// Adds one to a count until it is dropped.
struct Counted<'a>(&'a watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Counted<'a> {
        count.send_modify(|n| *n += 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}
