//! What the engine says about itself; nothing here waits.

use super::*;

impl Engine {
    /// Whether new work is admitted, for a load balancer.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let log = &self.0.context.log;
        let reason = if log.poisoned() || self.0.context.fatal.is_set() {
            Some("log poisoned")
        } else if self.0.stopping.load(Ordering::Acquire) {
            Some("stopping")
        } else if !log.room() {
            Some("disk full")
        } else {
            None
        };
        Readiness { ready: reason.is_none(), reason }
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        self.0.context.clock.now()
    }

    /// The shop's name for pages.
    #[must_use]
    pub fn shop_name(&self) -> &str {
        &self.0.context.settings.shop_name
    }

    /// A channel that gets the reason once the engine cannot go on.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.0.context.fatal.watch()
    }
}
