//! The engine's log lines name nobody.

use std::io;
use std::sync::{Mutex, PoisonError};

use restockd_testkit::app::App;
use serde_json::json;

use crate::helpers::*;

static CAPTURED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_any_level_holds_an_address_or_a_secret() {
    // The whole suite is captured from here on: whatever runs beside this test is held to it too.
    let capture = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    capture.with_writer(|| Capture).init();
    let app = App::fresh().await;
    press_all(&app, &["ann.logged", "bob.logged"], "chair").await;
    answer_for(&app, "bob.logged", restockd_mail::ScriptedReply::Give(never()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    let token = list_token(&app, "ann.logged", "chair").await;
    app.send("POST", &format!("/v1/email/unsubscribe?token={token}"), &[], b"").await;
    let event = json!({ "name": "w", "email": at("ann.logged"), "lists": { "ann.logged@x": true } });
    app.post("/v1/events", event).await;
    erase(&app, "ann.logged").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    app.stop().await;
    let captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&captured);
    assert!(text.contains("checkpoint round done"), "nothing was captured");
    for secret in
        ["ann.logged", "bob.logged", &token, restockd_testkit::app::KEY, restockd_testkit::app::SECRET]
    {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{}", line.unwrap_or_default());
    }
}
