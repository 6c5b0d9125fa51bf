//! Campaigns made by hand: keys, schedules, verbs.

use restockd_testkit::app::App;
use serde_json::{Value, json};

use crate::helpers::*;

/// A body for the list of the chair.
fn body() -> Value {
    json!({ "list": "restock-chair", "template": "announcement", "subject": "Hello", "idempotencyKey": "k" })
}

/// The id in an answer.
fn id(answer: &Value) -> String {
    answer["campaignId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_again_answers_with_the_one_there_is_and_names_what_differs() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let first = manual(&app, body()).await;
    app.campaign_sent(&id(&first)).await;
    press_all(&app, &["bob"], "chair").await;
    let again = manual(&app, body()).await;
    assert_eq!((id(&again), again["status"].as_str()), (id(&first), Some("sent")));
    assert!(again["mismatch"].is_null(), "{again}");
    let mut other = body();
    other["subject"] = json!("Bye");
    other["list"] = json!("restock-lamp");
    other["onDoubt"] = json!("resend");
    let again = manual(&app, other).await;
    let mut differs: Vec<&str> =
        again["mismatch"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    differs.sort_unstable();
    assert!(["list", "onDoubt", "subject"].iter().all(|field| differs.contains(field)), "{again}");
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(id(&manual(&app, body()).await), id(&first));
    assert_eq!(app.outbox().count(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_without_a_name_is_no_mismatch_when_the_product_was_renamed() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let first = manual(&app, body()).await;
    let event = json!({ "name": "w", "email": at("bob"), "lists": { "restock-chair": true },
        "eventProperties": { "sku": "chair", "product_name": "Another name" } });
    app.post("/v1/events", event).await;
    let again = manual(&app, body()).await;
    assert_eq!(id(&again), id(&first));
    assert!(again["mismatch"].is_null(), "{again}");
    app.campaign_sent(&id(&first)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_lists_templates_and_past_times_are_refused() {
    let app = App::fresh().await;
    let cases = [
        (json!({ "list": "nowhere", "template": "announcement" }), 404, "Unknown list: nowhere"),
        (json!({ "list": "restock-chair", "template": "nothing" }), 400, "Unknown template: nothing"),
        (json!({ "bucket": "b", "template": "announcement" }), 404, "Unknown bucket: b"),
    ];
    for (body, wanted, text) in cases {
        let (status, answer) = app.ask("POST", "/v1/campaigns", Some(body)).await;
        assert_eq!((status, answer["error"].as_str()), (wanted, Some(text)));
    }
    let now = app.engine().now();
    let past = restockd_core::Millis(now.0 - 61_000).to_string();
    let late = json!({ "list": "restock-chair", "template": "announcement", "sendAt": past });
    let (status, answer) = app.ask("POST", "/v1/campaigns", Some(late)).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().starts_with("sendAt is in the past: "), "{answer}");
    let just = restockd_core::Millis(now.0 - 59_000).to_string();
    press_all(&app, &["ann"], "chair").await;
    let made =
        manual(&app, json!({ "list": "restock-chair", "template": "announcement", "sendAt": just })).await;
    app.campaign_sent(&id(&made)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_campaign_reaches_those_on_the_list_when_it_starts() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    let mut later = body();
    later["sendAt"] = json!(app.engine().now().plus(3_600_000).to_string());
    let made = manual(&app, later).await;
    assert_eq!(made["status"], "scheduled");
    leave(&app, "ann", "chair").await;
    press_all(&app, &["cid"], "chair").await;
    app.advance(3_599_000);
    wait_until_settled(&app).await;
    assert_eq!(app.get(&format!("/v1/campaigns/{}", id(&made))).await["status"], "scheduled");
    app.advance(1001);
    let done = app.campaign_sent(&id(&made)).await;
    assert_eq!((n(&done, "totalRecipients"), n(&done, "sentCount")), (2, 2));
    assert_eq!(mailed_sorted(&app), ["bob", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fell_due_while_down_starts_at_start_and_one_too_late_is_expired() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let now = app.engine().now();
    let mut made = Vec::new();
    for (key, hours) in [("soon", 1), ("late", 30)] {
        let at = now.plus(hours * 3_600_000).to_string();
        let body = json!({ "list": "restock-chair", "template": "announcement", "sendAt": at, "idempotencyKey": key });
        made.push(id(&manual(&app, body).await));
    }
    let plan = app.stop().await;
    plan.clock.advance(26 * 3_600_000);
    let app = plan.start().await;
    let expired = app.campaign_until(&made[0], |c| c["status"] == "expired").await;
    assert_eq!(n(&expired, "sentCount"), 0);
    let plan = app.crash().await;
    plan.clock.advance(5 * 3_600_000);
    let app = plan.start().await;
    let done = app.campaign_sent(&made[1]).await;
    assert_eq!(n(&done, "sentCount"), 1);
    assert_eq!(app.get(&format!("/v1/campaigns/{}", made[0])).await["status"], "expired");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_accepted_just_before_a_crash_runs_after_it() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let made = manual(&app, body()).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id(&made)).await;
    assert_eq!(n(&done, "totalRecipients"), 2);
    assert!(n(&done, "inDoubtCount") <= 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_campaign_heeds_no_guard_and_does_not_trouble_the_rules() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let rule = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&rule).await;
    let made = manual(&app, body()).await;
    app.campaign_sent(&id(&made)).await;
    app.advance(86_400_000);
    let next = { restocked(&app, "d2", "chair").await };
    app.campaign_sent(&next).await;
    assert_eq!(mailed(&app), ["ann", "ann", "ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_key_held_by_another_list_makes_the_rule_open_its_own_beside_it() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    press_all(&app, &["bob"], "lamp").await;
    let mut taken = body();
    taken["idempotencyKey"] = json!("restock-chair-2026-03-02");
    taken["list"] = json!("restock-lamp");
    let held = manual(&app, taken).await;
    app.campaign_sent(&id(&held)).await;
    let own = restocked(&app, "d1", "chair").await;
    assert_ne!(own, id(&held));
    app.campaign_sent(&own).await;
    assert_eq!(mailed(&app), ["bob", "ann"]);
    let (_, again) = app.restock("d1", "chair", 5).await;
    assert_eq!(again["duplicate"], true);
    // A restart has nothing to say about it, and the next day is free.
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.campaigns().await.len(), 2);
    app.advance(86_400_000);
    app.restock("d2", "chair", 5).await;
    assert_eq!(app.campaigns().await.len(), 3);
    app.campaign_sent(&newest(&app).await).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_key_made_by_hand_for_the_same_list_is_the_rules_campaign() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let mut taken = body();
    taken["idempotencyKey"] = json!("restock-chair-2026-03-02");
    let held = manual(&app, taken).await;
    app.campaign_sent(&id(&held)).await;
    press_all(&app, &["bob"], "chair").await;
    app.restock("d1", "chair", 5).await;
    wait_until_settled(&app).await;
    assert_eq!(app.campaigns().await.len(), 1);
    let done = app.campaign_sent(&id(&held)).await;
    assert_eq!(mailed(&app), ["ann", "bob"], "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_are_refused_where_the_status_does_not_allow_them() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let sent = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&sent).await;
    for (verb, text) in [
        ("cancel", "Campaign is sent and cannot be canceled"),
        ("pause", "Campaign is sent and cannot be paused"),
        ("resume", "Campaign is sent and cannot be resumed"),
    ] {
        let (status, answer) = app.ask("POST", &format!("/v1/campaigns/{sent}/{verb}"), None).await;
        assert_eq!((status, answer["error"].as_str()), (409, Some(text)));
    }
    let (status, _) = app.ask("POST", "/v1/campaigns/nothing/cancel", None).await;
    assert_eq!(status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_campaign_that_is_canceled_never_starts() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let mut later = body();
    later["sendAt"] = json!(app.engine().now().plus(60_000).to_string());
    let made = id(&manual(&app, later).await);
    verb(&app, &made, "cancel").await;
    app.advance(120_000);
    wait_until_settled(&app).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.get(&format!("/v1/campaigns/{made}")).await["status"], "canceled");
    assert_eq!(app.outbox().count(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_acts_at_the_next_letter_and_skips_who_was_not_invited_yet() {
    let app = one_by_one().toml("[mail]\nwindow = 4\n").start().await;
    app.press_many((0..100).map(|i| format!("p{i}@shop.example")), "chair").await;
    app.outbox().hold();
    let made = id(&manual(&app, body()).await);
    app.held(1).await;
    let canceled = verb(&app, &made, "cancel").await;
    assert_eq!((n(&canceled, "totalRecipients"), skipped(&canceled, "canceled")), (100, 99));
    app.outbox().release();
    let done = app.campaign_until(&made, |c| n(c, "startedCount") == 0).await;
    assert_eq!((n(&done, "sentCount"), app.outbox().count()), (1, 1));
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.get(&format!("/v1/campaigns/{made}")).await;
    assert_eq!((n(&done, "totalRecipients"), skipped(&done, "canceled")), (100, 99), "{done}");
    assert_eq!(app.outbox().count(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_audience_is_sent_at_once() {
    let app = App::fresh().await;
    let made = id(&manual(&app, body()).await);
    let done = app.campaign_sent(&made).await;
    assert_eq!(n(&done, "totalRecipients"), 0);
    app.stop().await;
}
