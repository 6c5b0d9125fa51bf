//! The campaign actor's alarm: one task that sleeps until the time that was set last.
//!
//! The scheduler sets the alarm anew whenever something is due earlier, often many times a second. Each setting replaces
//! the one before: there is at most one task, however often the alarm is set.

use parking_lot::Mutex;
use restockd_core::Millis;
use tokio::task::JoinHandle;

use super::clock::Clock;

#[derive(Debug, Default)]
pub struct Alarm(Mutex<Option<JoinHandle<()>>>);

impl Alarm {
    /// Calls `ring` at `then`, unless the alarm is set again before that.
    pub fn set(&self, clock: &Clock, then: Millis, ring: impl FnOnce() + Send + 'static) {
        let clock = clock.clone();
        let next = tokio::spawn(async move {
            clock.sleep_until(then).await;
            ring();
        });
        self.0.lock().replace(next).into_iter().for_each(|before| before.abort());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn an_alarm_that_is_set_again_rings_for_the_newest_time_alone() {
        let (alarm, clock) = (Alarm::default(), Clock::real());
        let (rings, mut rung) = mpsc::unbounded_channel();
        for (number, later) in [(1, 3_600_000), (2, 7_200_000), (3, 0)] {
            let rings = rings.clone();
            alarm.set(&clock, clock.now().plus(later), move || _ = rings.send(number));
        }
        drop(rings);
        assert_eq!(rung.recv().await, Some(3));
        // All senders are gone: no task sleeps any more.
        let ended = tokio::time::timeout(Duration::from_secs(10), rung.recv()).await;
        assert_eq!(ended, Ok(None), "an alarm that was set before sleeps on");
    }
}
