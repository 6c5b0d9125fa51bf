//! The only place that reads the time.
//!
//! Wall time is read at start and carried on by the monotonic clock: a step of the system's clock is followed only at the
//! next start (`Clock::drift_ms` tells how large it is). In tests (feature `testing`) the clock is moved by hand, and
//! moving it wakes whoever waits on it.

#[cfg(feature = "testing")]
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
use tokio::sync::watch;

use restockd_core::Millis;

/// A source of time, cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Real {
        anchor: Instant,
        wall: Millis,
    },
    #[cfg(feature = "testing")]
    Hand(Arc<watch::Sender<Millis>>),
}

impl Clock {
    /// The real clock, anchored to the present wall time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
    pub fn real() -> Self {
        Self(Inner::Real { anchor: Instant::now(), wall: wall() })
    }

    /// A clock that stands still until it is moved.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn manual(start: Millis) -> Self {
        Self(Inner::Hand(Arc::new(watch::Sender::new(start))))
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Inner::Real { anchor, wall } => {
                wall.plus(u64::try_from(anchor.elapsed().as_millis()).unwrap_or(u64::MAX))
            }
            #[cfg(feature = "testing")]
            Inner::Hand(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock forward; the real clock ignores it.
    #[cfg(feature = "testing")]
    pub fn advance(&self, ms: u64) {
        if let Inner::Hand(now) = &self.0 {
            now.send_modify(|now| *now = now.plus(ms));
        }
    }

    pub(crate) async fn sleep_until(&self, then: Millis) {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that waits for time to pass")]
            Inner::Real { .. } => tokio::time::sleep(Duration::from_millis(then.since(self.now()))).await,
            #[cfg(feature = "testing")]
            Inner::Hand(now) => {
                // The sender lives in `self`, so the wait cannot end early.
                let _ = now.subscribe().wait_for(|now| *now >= then).await;
            }
        }
    }

    /// How far the system's clock has stepped away from this one, in milliseconds.
    #[must_use]
    pub(crate) fn drift_ms(&self) -> i64 {
        match &self.0 {
            Inner::Real { .. } => wall().0 as i64 - self.now().0 as i64,
            #[cfg(feature = "testing")]
            Inner::Hand(_) => 0,
        }
    }
}

/// The system's wall clock.
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
