//! What the engine says of itself; nothing here waits.

use super::*;

impl Engine {
    /// What a load balancer asks.
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

    /// The engine's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.0.context.clock.now()
    }

    /// What the shop is called on pages.
    #[must_use]
    pub fn shop_name(&self) -> &str {
        &self.0.context.settings.shop_name
    }

    /// Says why the engine cannot go on, once it cannot.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.0.context.fatal.watch()
    }
}
