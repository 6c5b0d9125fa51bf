//! What the logs tell: requests, and nobody's name.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use restockd::http::sign;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::harness::{SECRET, request, start};

/// Everything that this layer logged in any test, and whatever else named a person.
static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        if has(b"restockd::http") || has(b"ann@") {
            CAPTURED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Captures from now on. The harness calls this before each server starts, so that no line of the
/// suite is missed (a subscriber of one thread would race with the tests beside it).
pub fn capture() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(|| Capture)
            .init();
    });
}

#[tokio::test]
async fn nothing_personal_or_secret_is_logged() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "restock-chair").await;
    let key = server.ingest.clone();
    let body =
        br#"{"name":"x","email":"ann@shop.example","userId":"user-ann","lists":{"restock-chair":true}}"#;
    server.ask("POST", "/v1/events", &key, body).await;
    server
        .ask(
            "POST",
            "/v1/events",
            &key,
            br#"{"name":"x","email":"ann@shop..example","lists":{"ann@shop.example":1}}"#,
        )
        .await;
    server.ask("POST", "/v1/events", "no-such-secret-key", body).await;
    server.ask("GET", "/v1/contacts/find?email=ann@shop.example", &key, b"").await;
    server.ask("GET", "/v1/lists/ann@shop.example?email=ann@shop.example", &key, b"").await;
    server.ask("GET", "/ann@shop.example", &key, b"").await;
    server.send(&request("POST", &format!("/v1/email/unsubscribe?token={token}"), &[], b"scope=all")).await;
    let signature = sign(SECRET.as_bytes(), b"{}");
    let headers = [("x-signature", signature.as_str()), ("x-request-id", "ann@shop.example")];
    server.send(&request("POST", "/v1/webhooks/inventory", &headers, b"{}")).await;
    server.send(&request("GET", "/v1/health", &[("x-request-id", "seen-in-the-log")], b"")).await;
    server.stop();
    server.stopped().await;
    let log = String::from_utf8_lossy(&CAPTURED.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(
        log.contains("seen-in-the-log") && log.contains("/v1/events") && log.contains("request answered")
    );
    assert!(log.contains("/v1/lists/{id}"), "the route stands in the span, without what stood in its place");
    for secret in [
        "ann@",
        "user-ann",
        "shop.example",
        "restock-",
        &key,
        "no-such-secret-key",
        SECRET,
        &signature,
        &token,
        "token=",
    ] {
        let told = log.lines().find(|line| line.contains(secret));
        assert!(told.is_none(), "{secret}: {told:?}");
    }
}
