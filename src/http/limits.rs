//! Limits on what is under way at once: requests of each client, and bytes of batch bodies.
//!
//! Connections are counted by the accept loop and work by the Engine's permits; these limits lie between the two. What was
//! taken is given back when its guard is dropped, however the request ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ApiError;
use super::proxies::client_network;

/// How long a batch waits for memory before it is refused.
const ROOM_WAIT: Duration = Duration::from_millis(50);
/// Batch memory is counted in pieces of this size.
const PIECE_BYTES: usize = 1024;

/// The places taken, by client address.
#[derive(Debug)]
pub(super) struct Places {
    taken: Mutex<HashMap<IpAddr, usize>>,
    each: usize,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Places>,
    who: IpAddr,
}

impl Places {
    /// At most `each` places for each client.
    pub(super) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), each })
    }

    /// Takes a place; `None` when this client has all of its places.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let who = client_network(client);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(who).or_insert(0);
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { of: Arc::clone(self), who })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

/// Memory for batch bodies.
#[derive(Debug)]
pub(super) struct BodyMemory {
    pieces: Arc<Semaphore>,
    most: u32,
}

impl BodyMemory {
    /// At most `bytes` in all.
    pub(super) fn new(bytes: usize) -> Self {
        let most = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let most = most.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX)).max(1);
        Self { pieces: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// Takes memory for a body of up to `bytes`, which is held until the guard is dropped.
    pub(super) async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(self.most).min(self.most);
        let asked = Arc::clone(&self.pieces).acquire_many_owned(pieces);
        match tokio::time::timeout(ROOM_WAIT, asked).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::NoRoom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_when_its_guard_goes() {
        let places = Places::new(2);
        let ip = IpAddr::from([1, 2, 3, 4]);
        let first = places.take(ip);
        let _second = places.take(ip);
        assert!(first.is_some() && places.take(ip).is_none());
        assert!(places.take(IpAddr::from([1, 2, 3, 5])).is_some());
        drop(first);
        assert!(places.take(ip).is_some());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_over_all_the_room_still_gets_in_alone() {
        let room = BodyMemory::new(4096);
        let all = room.take(1 << 20).await.unwrap();
        assert!(room.take(1).await.is_err());
        drop(all);
        assert!(room.take(1).await.is_ok());
    }
}
