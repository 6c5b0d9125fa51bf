//! Work beside the actors that touches the data directory: counted, so that the end can wait for it.
//!
//! An actor ends at once when it is told to; a thread that writes a snapshot does not. Until it has, nobody else may
//! open the directory.

use std::sync::Arc;

use tokio::sync::watch;

/// All such work of one engine.
#[derive(Clone, Default)]
pub(crate) struct Background(Arc<watch::Sender<Count>>);

/// What is under way.
#[derive(Default)]
struct Count {
    under_way: usize,
    over: bool,
}

impl Background {
    /// One piece of work, from now until this is dropped; `None` once the end was told.
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

    /// From here on nothing begins.
    pub(crate) fn end(&self) {
        self.0.send_modify(|count| count.over = true);
    }

    /// Waits until nothing is under way.
    pub(crate) async fn quiet(&self) {
        // Fails only when the sender is gone, which this holds.
        let _ = self.0.subscribe().wait_for(|count| count.under_way == 0).await;
    }
}

/// A piece of work is under way as long as any of its clones lives.
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
