//! An answer with its value: given once by the handler, delivered once everything it depends on is durable.
//!
//! ```text
//! asker ◀────────────── value, once every guard is done ─────────────┐
//!   │                                                                │
//!   └─ Reply in a message ──▶ handler ── guard ─▶ tickets of the log ┤
//!                                └── when_durable(value) ────────────┘
//! ```
//!
//! A reply that is dropped on the way, or of which a guard is dropped undone, is never delivered: the asker sees that the
//! sender is gone. The permit that admitted the request travels in the reply and is released with the answer.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::ack::AckGuard;

/// The admission of a request, which may cover several messages.
#[expect(dead_code, reason = "held, and let go with the answer")]
pub(crate) enum Permit {
    Own(OwnedSemaphorePermit),
    /// One of several messages that share the permit.
    Shared(Arc<OwnedSemaphorePermit>),
}

impl From<OwnedSemaphorePermit> for Permit {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self::Own(permit)
    }
}

impl From<Arc<OwnedSemaphorePermit>> for Permit {
    fn from(permit: Arc<OwnedSemaphorePermit>) -> Self {
        Self::Shared(permit)
    }
}

/// The receiver of the answer, and the permit that is held until then.
struct Asker<T> {
    answer: oneshot::Sender<T>,
    permit: Permit,
}

/// An answer that is still to be given.
pub struct Reply<T> {
    ack: AckGuard,
    asker: Option<Asker<T>>,
}

impl<T: Send + 'static> Reply<T> {
    /// A reply, and the channel on which its answer arrives.
    #[must_use]
    pub(crate) fn new(permit: impl Into<Permit>) -> (Self, oneshot::Receiver<T>) {
        let (answer, heard) = oneshot::channel();
        let asker = Some(Asker { answer, permit: permit.into() });
        (Self { ack: AckGuard::without_end(), asker }, heard)
    }

    /// A reply that nobody waits for.
    #[must_use]
    pub(crate) fn detached() -> Self {
        Self { ack: AckGuard::without_end(), asker: None }
    }

    /// A guard for one more thing that the answer depends on.
    #[must_use]
    pub(crate) fn ack(&self) -> AckGuard {
        self.ack.split()
    }

    /// Gives the answer; it is delivered once all guards are done, which may be at once.
    pub fn when_durable(self, value: T) {
        let Some(Asker { answer, permit }) = self.asker else { return self.ack.done() };
        self.ack.done_then(move |all| {
            drop(permit);
            if all {
                // The client may be gone; the work is done all the same.
                let _ = answer.send(value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn permit() -> (Arc<Semaphore>, OwnedSemaphorePermit) {
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
        (permits, permit)
    }

    #[test]
    fn the_value_is_heard_and_the_permit_released_only_when_all_parts_are_done() {
        let (permits, permit) = permit();
        let (reply, mut heard) = Reply::new(permit);
        let (first, second) = (reply.ack(), reply.ack());
        first.done();
        reply.when_durable(7);
        assert_eq!((heard.try_recv(), permits.available_permits()), (Err(TryRecvError::Empty), 0));
        second.done();
        assert_eq!((heard.try_recv(), permits.available_permits()), (Ok(7), 1));
    }

    #[test]
    fn a_value_that_depends_on_nothing_is_heard_at_once() {
        let (reply, mut heard) = Reply::new(permit().1);
        reply.when_durable("yes");
        assert_eq!(heard.try_recv(), Ok("yes"));
    }

    #[test]
    fn a_lost_part_and_a_dropped_reply_are_heard_as_lost() {
        let (permits, permit) = permit();
        let (reply, mut heard) = Reply::new(Arc::new(permit));
        let ack = reply.ack();
        reply.when_durable(7);
        drop(ack);
        assert_eq!((heard.try_recv(), permits.available_permits()), (Err(TryRecvError::Closed), 1));
        let (reply, mut heard) = Reply::<u8>::new(self::permit().1);
        let ack = reply.ack();
        drop(reply);
        ack.done();
        assert_eq!(heard.try_recv(), Err(TryRecvError::Closed));
    }
}
