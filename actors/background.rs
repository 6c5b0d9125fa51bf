//! Work outside the actors that touches the data directory: counted, so that a stop can wait for it.
//!
//! An actor ends at once when it is told to; a thread that writes a snapshot does not. Until it has ended, no other engine
//! may open the directory.

use std::sync::Arc;

use tokio::sync::watch;

/// All such work of one engine.
#[derive(Clone, Default)]
pub(crate) struct Background(Arc<watch::Sender<Count>>);

#[derive(Default)]
struct Count {
    under_way: usize,
    over: bool,
}

impl Background {
    /// Begins one piece of work, which is under way until the guard is dropped; `None` once the engine is ending.
    #[must_use]
    pub(crate) fn begin(&self) -> Option<UnderWay> {
        let mut begun = false;
        self.0.send_if_modified(|count| {
            begun = !count.over;
            count.under_way += usize::from(begun);
            false
        });
        begun.then(|| UnderWay(Arc::clone(&self.0)))
    }

    /// From now on no work begins.
    pub(crate) fn end(&self) {
        self.0.send_modify(|count| count.over = true);
    }

    /// Waits until no work is under way.
    pub(crate) async fn quiet(&self) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(|count| count.under_way == 0).await;
    }
}

/// Work is under way as long as any clone of this lives.
pub(crate) struct UnderWay(Arc<watch::Sender<Count>>);

impl Clone for UnderWay {
    fn clone(&self) -> Self {
        self.0.send_if_modified(|count| {
            count.under_way += 1;
            false
        });
        Self(Arc::clone(&self.0))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.under_way -= 1);
    }
}
