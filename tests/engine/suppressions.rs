//! P4 for the suppression list: what it says holds from the answer on, through crashes, snapshots and erasure.

use restockd_testkit::app::App;
use serde_json::{Value, json};

use crate::helpers::*;

const LIST: &str = "/v1/suppressions";

async fn suppress(app: &App, name: &str, reason: &str) -> Value {
    app.post(LIST, json!({ "email": at(name), "reason": reason })).await
}

async fn entry(app: &App, name: &str) -> Value {
    app.get(&format!("{LIST}?email={}", at(name))).await["suppressions"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suppressed_during_a_campaign_gets_no_letter_that_begins_after_the_answer() {
    for (reason, skip) in
        [("manual", "suppressed"), ("complaint", "suppressed"), ("unsubscribed", "unsubscribed")]
    {
        let app = one_by_one().start().await;
        press_all(&app, &["first", "victim", "third"], "chair").await;
        app.outbox().hold();
        let id = restocked(&app, "d1", "chair").await;
        app.held(1).await;
        wait_until_settled(&app).await;
        suppress(&app, "victim", reason).await;
        let noted = app.get(&format!("/v1/campaigns/{id}")).await;
        assert_eq!(skipped(&noted, skip), 1, "noted before it is acknowledged: {noted}");
        app.outbox().release();
        app.campaign_sent(&id).await;
        assert_eq!(mailed(&app), ["first", "third"], "{reason}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_during_a_campaign_is_noted_before_it_is_answered() {
    let app = one_by_one().start().await;
    press_all(&app, &["first", "victim", "third"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    wait_until_settled(&app).await;
    let [bearer] = admin();
    let csv = format!("email\n{}\n{}\n", at("victim"), at("third"));
    let headers = [bearer, ("content-type", "text/csv".to_owned())];
    let (status, _) = app.send("POST", "/v1/suppressions/import", &headers, csv.as_bytes()).await;
    assert_eq!(status, 200);
    let noted = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(skipped(&noted, "suppressed"), 2, "{noted}");
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["first"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_survives_crashes_with_and_without_a_snapshot() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob", "dan"], "chair").await;
    suppress(&app, "ann", "complaint").await;
    stop_all(&app, "bob").await;
    app.advance(5000);
    suppress(&app, "gone", "hard_bounce").await;
    let before = (app.get(LIST).await, entry(&app, "ann").await, entry(&app, "bob").await);
    assert_eq!(before.1["reason"], "complaint");
    assert_eq!((&before.2["reason"], before.2["at"].is_string()), (&json!("unsubscribed"), true));
    let app = app.crash().await.start().await;
    assert_eq!((app.get(LIST).await, entry(&app, "ann").await, entry(&app, "bob").await), before);
    app.post("/v1/admin/snapshot", json!({})).await;
    let app = app.crash().await.start().await;
    assert_eq!((app.get(LIST).await, entry(&app, "ann").await, entry(&app, "bob").await), before);
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["dan"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_keeps_the_strongest_reason_and_no_address() {
    for (reason, kept) in [(Some("complaint"), "complaint"), (None, "erased")] {
        let app = App::fresh().await;
        press_all(&app, &["victim"], "chair").await;
        if let Some(reason) = reason {
            suppress(&app, "victim", reason).await;
        }
        erase(&app, "victim").await;
        for _ in 0..2 {
            app.post("/v1/admin/snapshot", json!({})).await;
        }
        let page = app.get(LIST).await;
        let row = &page["suppressions"][0];
        assert_eq!((&row["reason"], &row["email"]), (&json!(kept), &Value::Null), "{page}");
        let plan = app.crash().await;
        assert!(!files(&plan).iter().any(|(_, bytes)| contains(bytes, b"victim")), "{kept}");
        let app = plan.start().await;
        let press = app.press(&at("victim"), "chair").await;
        assert_eq!(press["listsError"].is_string(), reason.is_some(), "{press}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_off_the_list_may_be_mailed_again_whoever_had_put_them_there() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    stop_all(&app, "ann").await;
    suppress(&app, "bob", "hard_bounce").await;
    for name in ["ann", "bob"] {
        let (status, _) = app.ask("DELETE", LIST, Some(json!({ "email": at(name) }))).await;
        assert_eq!(status, 200, "{name}");
    }
    let app = app.crash().await.start().await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "bob"]);
    app.stop().await;
}
