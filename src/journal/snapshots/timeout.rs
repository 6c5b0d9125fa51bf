//! Threads for work that may panic or never end.
//!
//! A backend can hang on a damaged file or panic on a full disk. So it runs on a thread of its own, its
//! panics are caught, and every wait for it has a time limit. A thread that is abandoned cannot be ended; it
//! stays behind with nothing but its own copy, and the process goes on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::error::StoreError;

/// The time limit of any work, before its size is considered.
const LIMIT_BASE: Duration = Duration::from_secs(30);
/// The speed of the slowest disk that is waited for: the limit grows by a second for each so many bytes.
const BYTES_PER_SECOND: u64 = 4 << 20;

/// The time limit of work on `bytes` bytes.
pub(super) fn limit(bytes: u64) -> Duration {
    LIMIT_BASE + Duration::from_secs(bytes / BYTES_PER_SECOND)
}

pub(super) fn spawn(name: &str, dir: &Path, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|e| StoreError::io("start a thread for", dir, e))
}

/// Calls into a backend; a panic becomes an error.
pub(super) fn guard<T>(
    backend: &'static str,
    dir: &Path,
    call: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(StoreError::backend(backend, dir, words(&*panic))))
}

/// Drops a backend and catches a panic, which closing may cause too.
pub(super) fn close<T>(backend: &'static str, dir: &Path, open: T) -> Result<(), StoreError> {
    guard(backend, dir, || {
        drop(open);
        Ok(())
    })
}

/// Waits for an answer, no longer than the limit.
pub(super) fn wait<T>(
    answers: &Receiver<Result<T, StoreError>>,
    backend: &'static str,
    dir: &Path,
    limit: Duration,
) -> Result<T, StoreError> {
    match answers.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(StoreError::Hung { path: dir.to_path_buf(), limit }),
        Err(RecvTimeoutError::Disconnected) => {
            Err(StoreError::backend(backend, dir, "its thread ended without an answer".to_owned()))
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    format!("panicked: {text}")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        let dir = Path::new("gen-1.copy");
        let error = guard::<()>("sled", dir, || panic!("page {} is odd", 7)).expect_err("panicked");
        assert!(error.to_string().contains("page 7 is odd"), "{error}");
    }

    #[test]
    fn silence_is_given_up_after_the_limit() {
        let (sender, answers) = channel::<Result<(), StoreError>>();
        let dir = Path::new("gen-1.copy");
        let error = wait(&answers, "sled", dir, Duration::from_millis(1)).expect_err("silent");
        assert!(matches!(error, StoreError::Hung { .. }), "{error}");
        drop(sender);
        let error = wait(&answers, "sled", dir, Duration::from_secs(600)).expect_err("gone");
        assert!(matches!(error, StoreError::Backend { .. }), "{error}");
    }

    #[test]
    fn the_limit_grows_with_the_size() {
        assert_eq!(limit(0), Duration::from_secs(30));
        assert_eq!(limit(400 << 20), Duration::from_secs(130));
    }
}
