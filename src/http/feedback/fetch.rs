//! The only requests that the HTTP layer sends: for Amazon's certificates and subscription confirmations.
//!
//! They are behind a trait, so that a test can provide the certificate. The caller has checked the URL; the request is
//! bounded: https only, no redirect, five seconds, 64 KiB, one at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// From the first packet to the last byte.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const FETCH_BYTES_MAX: u64 = 64 << 10;

/// The future of a fetch; it yields `None` when the fetch failed.
pub type Fetching = Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;

/// Fetches a URL that the caller has checked.
pub trait Fetch: Send + Sync {
    /// The body of a response with status 200.
    fn get(&self, url: String) -> Fetching;
}

/// Fetches over the network.
#[derive(Debug, Clone)]
pub struct Https {
    one: Arc<Semaphore>,
}

impl Default for Https {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)) }
    }
}

impl Fetch for Https {
    fn get(&self, url: String) -> Fetching {
        let one = Arc::clone(&self.one);
        Box::pin(async move {
            let place = tokio::time::timeout(FETCH_TIMEOUT, one.acquire_owned()).await.ok()?.ok()?;
            let fetched = tokio::task::spawn_blocking(move || {
                let body = fetch(&url);
                drop(place);
                body
            });
            fetched.await.ok().flatten()
        })
    }
}

/// Fetches and blocks.
fn fetch(url: &str) -> Option<Vec<u8>> {
    let config = ureq::Agent::config_builder().https_only(true).max_redirects(0);
    let agent: ureq::Agent = config.timeout_global(Some(FETCH_TIMEOUT)).build().into();
    let answer = agent.get(url).call();
    let answer = answer.inspect_err(|error| tracing::warn!(%error, "a fetch from Amazon SNS failed"));
    let mut answer = answer.ok().filter(|answer| answer.status().as_u16() == 200)?;
    answer.body_mut().with_config().limit(FETCH_BYTES_MAX).read_to_vec().ok()
}
