//! The mailer's twin in memory: it keeps what was delivered and answers as a test tells it to.
//!
//! ```text
//!  deliver ──▶ pack ──▶ answer chosen ──▶ gate ──▶ [held?] ──▶ kept ──▶ Outcome
//!                          │ Answer::Give(deferred or failed): nothing is kept
//!                          └ refused before the gate is asked: Answer::Refuse
//! ```
//!
//! A courier of it is ready unless a test cuts it off: [`Outbox::disconnect`], [`Outbox::fall_silent`],
//! [`Outbox::reconnect`]. Answers come from a queue first, then from a rule, else every letter is accepted. It stays in the crate, not in
//! the tests, because the demo and every test of a floor above need it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Diagnostic, End, Gate, Letter, Outcome, Phase};

/// A letter that was delivered.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its parts.
    pub letter: Letter,
    /// The message, headers and body, as it would have gone over the wire before dot-stuffing.
    pub raw: Vec<u8>,
}

/// What the outbox does with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Keeps it and says *sent*.
    Accept,
    /// Stands still until [`Outbox::release`], then as [`Answer::Accept`].
    Hold,
    /// Keeps it and gives this outcome, as a server that took the letter and was not heard.
    Keep(Outcome),
    /// Asks the gate, drops the letter and gives this outcome.
    Give(Outcome),
    /// Gives this outcome without asking the gate, as a server that refuses the recipient.
    Refuse(Outcome),
}

type Rule = Box<dyn Fn(&Letter) -> Answer + Send + Sync>;

/// Letters in memory; made with a `memory:` mailer and reached through
/// [`Mailer::outbox`](super::Mailer::outbox).
pub struct Outbox {
    inner: Mutex<Inner>,
    /// How many letters are kept.
    count: watch::Sender<usize>,
    /// How many letters wait behind a held outbox, gate passed.
    waiting: watch::Sender<usize>,
    held: watch::Sender<bool>,
    /// Letters that a rule answers with [`Answer::Hold`] stand still while this is set.
    holding: watch::Sender<bool>,
    link: watch::Sender<Link>,
    /// How often a courier was to be ready.
    readied: watch::Sender<usize>,
}

/// What a courier meets that is to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Up,
    /// A server that cannot be reached, or turns everybody away.
    Down(Outcome),
    /// One that accepts connections and does not greet.
    Silent,
}

#[derive(Default)]
struct Inner {
    mails: Vec<Mail>,
    queue: VecDeque<Answer>,
    rule: Option<Rule>,
}

impl Outbox {
    pub(super) fn new() -> Arc<Outbox> {
        Arc::new(Outbox {
            inner: Mutex::default(),
            count: watch::Sender::new(0),
            waiting: watch::Sender::new(0),
            held: watch::Sender::new(false),
            holding: watch::Sender::new(false),
            link: watch::Sender::new(Link::Up),
            readied: watch::Sender::new(0),
        })
    }

    /// A copy of every letter kept, in the order of arrival.
    pub fn mails(&self) -> Vec<Mail> {
        self.lock().mails.clone()
    }

    /// Takes the letters out; the count goes on.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.lock().mails)
    }

    /// How many letters were ever kept.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until at least `count` letters were kept.
    pub async fn wait_for(&self, count: usize) {
        // An error would mean that the sender, which `self` owns, is gone.
        let _ = self.count.subscribe().wait_for(|n| *n >= count).await;
    }

    /// Adds an answer for the next letter that has none yet.
    pub fn push(&self, answer: Answer) {
        self.lock().queue.push_back(answer);
    }

    /// Answers every letter for which no answer was pushed; the closure may tell letters apart.
    pub fn answer_with(&self, rule: impl Fn(&Letter) -> Answer + Send + Sync + 'static) {
        self.lock().rule = Some(Box::new(rule));
    }

    /// Stops every letter between its gate and its outcome, as a server that takes its time.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Stops these letters alone, as one provider that takes its time.
    pub fn hold_those(&self, which: impl Fn(&Letter) -> bool + Send + Sync + 'static) {
        self.holding.send_replace(true);
        self.answer_with(move |letter| if which(letter) { Answer::Hold } else { Answer::Accept });
    }

    /// Lets held letters go on.
    pub fn release(&self) {
        self.held.send_replace(false);
        self.holding.send_replace(false);
    }

    /// Waits until at least `count` letters stand still behind [`Outbox::hold`], each with its gate open.
    pub async fn wait_held(&self, count: usize) {
        let _ = self.waiting.subscribe().wait_for(|n| *n >= count).await;
    }

    /// From now on no courier comes to be ready: this is what each gets. Letters that are delivered nevertheless are
    /// answered as ever.
    pub fn disconnect(&self, outcome: Outcome) {
        self.link.send_replace(Link::Down(outcome));
    }

    /// From now on couriers that are to be ready wait, as for a server that does not greet.
    pub fn fall_silent(&self) {
        self.link.send_replace(Link::Silent);
    }

    /// Couriers come to be ready again, those that wait too.
    pub fn reconnect(&self) {
        self.link.send_replace(Link::Up);
    }

    /// How often a courier was to be ready.
    pub fn readied(&self) -> usize {
        *self.readied.borrow()
    }

    /// Waits until couriers were to be ready at least `count` times.
    pub async fn wait_ready(&self, count: usize) {
        let _ = self.readied.subscribe().wait_for(|n| *n >= count).await;
    }

    /// Waits while the server is silent.
    pub(super) async fn ready(&self) -> Result<(), Outcome> {
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

    pub(super) async fn deliver(&self, letter: &Letter, raw: Vec<u8>, gate: Gate) -> Outcome {
        let answer = self.choose(letter);
        if let Answer::Refuse(outcome) = answer {
            return outcome;
        }
        if !gate.await {
            return super::mailer::log_lost(Phase::Data);
        }
        let stop = if answer == Answer::Hold { &self.holding } else { &self.held };
        if *stop.borrow() {
            let _counted = Counted::new(&self.waiting);
            let _ = stop.subscribe().wait_for(|held| !held).await;
        }
        let outcome = match answer {
            Answer::Give(outcome) | Answer::Refuse(outcome) => return outcome,
            Answer::Keep(outcome) => outcome,
            Answer::Accept | Answer::Hold => {
                let said = Diagnostic::of_server(250, "2.0.0 kept in memory");
                Outcome::new(End::Sent, Phase::Dot, said)
            }
        };
        self.lock().mails.push(Mail { letter: letter.clone(), raw });
        self.count.send_modify(|n| *n += 1);
        outcome
    }

    fn choose(&self, letter: &Letter) -> Answer {
        let mut inner = self.lock();
        match inner.queue.pop_front() {
            Some(answer) => answer,
            None => inner.rule.as_ref().map_or(Answer::Accept, |rule| rule(letter)),
        }
    }

    /// A panic in a test's rule must not take the other letters along.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// One letter in a count, also when its future is dropped.
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
