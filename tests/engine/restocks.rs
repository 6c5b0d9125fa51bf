//! P2, P3: a signal counts once, one campaign per SKU and day, nobody twice.

use restockd_testkit::app::{App, Plan, SECRET};
use serde_json::json;

use crate::helpers::*;

/// Half a day.
const HALF_DAY: u64 = 12 * 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_restock_of_the_day_reaches_latecomers_and_nobody_twice() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    press_all(&app, &["ann", "cid"], "chair").await;
    assert_eq!(restocked(&app, "d2", "chair").await, id);
    let done = app.campaign_until(&id, |c| c["status"] == "sent" && n(c, "sentCount") == 3).await;
    assert_eq!(n(&done, "totalRecipients"), 3);
    // Who leaves and comes back the same day was mailed already.
    leave(&app, "bob", "chair").await;
    press_all(&app, &["bob"], "chair").await;
    restocked(&app, "d3", "chair").await;
    wait_until_settled(&app).await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "totalRecipients"), n(&done, "sentCount")), (3, 3));
    assert_eq!(mailed_sorted(&app), ["ann", "bob", "cid"]);
    assert_eq!(app.campaigns().await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latecomers_are_reached_after_a_restart_between_the_restocks() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    let plan = app.stop().await;
    let app = plan.start().await;
    press_all(&app, &["cid"], "chair").await;
    assert_eq!(restocked(&app, "d2", "chair").await, id);
    app.campaign_until(&id, |c| n(c, "sentCount") == 3).await;
    assert_eq!(mailed(&app), ["cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_acknowledged_just_before_a_crash_leads_to_its_campaign() {
    let plan = one_by_one();
    let app = plan.start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let (_, again) = app.restock("d1", "chair", 5).await;
    assert_eq!(again["duplicate"], true);
    let done = app.campaign_sent(&id).await;
    assert_eq!(n(&done, "totalRecipients"), 2);
    assert!(n(&done, "sentCount") >= 1 && n(&done, "inDoubtCount") <= 1, "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_keeps_a_flap_across_midnight_from_mailing_twice() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    app.advance(HALF_DAY - 60_000);
    let first = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&first).await;
    press_all(&app, &["bob"], "chair").await;
    app.advance(120_000);
    let second = restocked(&app, "d2", "chair").await;
    assert_ne!(first, second);
    let done = app.campaign_sent(&second).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "recently_notified")), (1, 1), "{done}");
    assert_eq!(mailed(&app), ["ann", "bob"]);
    // Beyond the span a restock of that same day looks at those it skipped again.
    app.advance(HALF_DAY);
    restocked(&app, "d3", "chair").await;
    app.campaign_until(&second, |c| n(c, "sentCount") == 2).await;
    assert_eq!(mailed(&app), ["ann", "bob", "ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_holds_through_a_restart_and_for_a_person_who_was_merged_meanwhile() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    app.advance(HALF_DAY - 60_000);
    let first = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&first).await;
    app.post("/v1/events", json!({ "name": "seen", "userId": "u1" })).await;
    app.post("/v1/events", json!({ "name": "login", "userId": "u1", "email": at("ann") })).await;
    let plan = app.stop().await;
    plan.clock.advance(120_000);
    let app = plan.start().await;
    let second = restocked(&app, "d2", "chair").await;
    let done = app.campaign_sent(&second).await;
    assert_eq!(skipped(&done, "recently_notified"), 1, "{done}");
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_each_day_has_its_own_mail() {
    let app = Plan::new().toml("[rule]\nrenotify_after = \"0\"\n").start().await;
    press_all(&app, &["ann"], "chair").await;
    app.advance(HALF_DAY - 60_000);
    let first = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&first).await;
    app.advance(120_000);
    let second = restocked(&app, "d2", "chair").await;
    app.campaign_sent(&second).await;
    assert_ne!(first, second);
    assert_eq!(mailed(&app), ["ann", "ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_is_that_of_the_configured_zone() {
    // Noon in UTC is one at night in Auckland, in its summer.
    let mut plan = Plan::new().toml("[rule]\nrenotify_after = \"0\"\n");
    plan.toml = format!("time_zone = \"Pacific/Auckland\"\n{}", plan.toml);
    let app = plan.start().await;
    // Ten minutes to midnight there.
    press_all(&app, &["ann"], "chair").await;
    app.advance(HALF_DAY + 10 * 3_600_000 + 50 * 60_000);
    let first = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&first).await;
    app.advance(20 * 60_000);
    let second = restocked(&app, "d2", "chair").await;
    assert_ne!(first, second, "midnight in Auckland is a new day");
    app.campaign_sent(&second).await;
    // Midnight in UTC is not.
    app.advance(HALF_DAY + 3_600_000);
    press_all(&app, &["bob"], "chair").await;
    assert_eq!(restocked(&app, "d3", "chair").await, second);
    app.campaign_until(&second, |c| n(c, "sentCount") == 2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_campaign_is_not_opened_again_that_day_but_the_next_day_has_its_own() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    let canceled = verb(&app, &id, "cancel").await;
    assert_eq!((canceled["status"].as_str(), skipped(&canceled, "canceled")), (Some("canceled"), 1));
    app.outbox().release();
    let done = app.campaign_until(&id, |c| n(c, "startedCount") == 0).await;
    assert_eq!((n(&done, "sentCount"), done["status"].as_str()), (1, Some("canceled")));
    press_all(&app, &["cid"], "chair").await;
    let (status, _) = app.restock("d2", "chair", 5).await;
    assert_eq!(status, 200);
    wait_until_settled(&app).await;
    assert_eq!(app.campaigns().await.len(), 1);
    assert_eq!(mailed(&app), ["ann"]);
    let plan = app.crash().await;
    plan.clock.advance(86_400_000);
    let app = plan.start().await;
    assert_eq!(app.get(&format!("/v1/campaigns/{id}")).await["status"], "canceled");
    restocked(&app, "d3", "chair").await;
    let next = newest(&app).await;
    assert_ne!(next, id);
    app.campaign_sent(&next).await;
    assert_eq!(mailed(&app), ["ann", "bob", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_grows_and_stays_paused_also_through_a_restart() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    verb(&app, &id, "pause").await;
    app.outbox().release();
    press_all(&app, &["cid"], "chair").await;
    restocked(&app, "d2", "chair").await;
    let paused = app.campaign_until(&id, |c| n(c, "sentCount") == 1).await;
    assert_eq!((paused["status"].as_str(), n(&paused, "pendingCount")), (Some("paused"), 2));
    assert_eq!(mailed(&app), ["ann"], "pause acts at the next letter");
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    let paused = app.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!((paused["status"].as_str(), n(&paused, "totalRecipients")), (Some("paused"), 3));
    verb(&app, &id, "resume").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["bob", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_that_nobody_waits_for_is_counted_and_opens_nothing() {
    let app = App::fresh().await;
    let (status, answer) = app.restock("d1", "chair", 5).await;
    assert_eq!((status, &answer["event"]), (200, &json!("product.restocked")));
    assert!(app.campaigns().await.is_empty());
    let plan = app.crash().await;
    let app = plan.start().await;
    press_all(&app, &["ann"], "chair").await;
    let (_, again) = app.restock("d1", "chair", 5).await;
    assert_eq!(again["duplicate"], true);
    assert!(app.campaigns().await.is_empty(), "a signal counts once, whoever waits by then");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quantity_zero_and_below_is_noted_and_uses_up_no_delivery_id() {
    let app = App::fresh().await;
    let (_, answer) = app.restock("d0", "nobody", 0).await;
    assert_eq!(answer["skipped"], true);
    press_all(&app, &["ann"], "chair").await;
    for quantity in [0, -3] {
        let (status, answer) = app.restock("d1", "chair", quantity).await;
        assert_eq!((status, &answer["skipped"]), (200, &json!(true)));
    }
    assert!(app.campaigns().await.is_empty());
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    // The list is where it was: members, and a campaign that runs goes on.
    assert_eq!(members(&app, "restock-chair").await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_campaign_goes_on_when_the_stock_is_gone() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    app.restock("d2", "chair", 0).await;
    app.outbox().release();
    assert_eq!(n(&app.campaign_sent(&id).await, "sentCount"), 2);
    app.stop().await;
}

/// A restock from any source, with any body.
async fn signal(app: &App, source: &str, body: serde_json::Value) -> serde_json::Value {
    let body = body.to_string();
    let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
    let path = format!("/v1/webhooks/{source}");
    let (status, answer) = app.send("POST", &path, &[("x-signature", signature)], body.as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_ids_are_scoped_by_source_and_sku_and_apart_from_event_keys() {
    let plan = Plan::new().toml("[source.depot]\n").env("DEPOT_WEBHOOK_SECRET", SECRET);
    let app = plan.start().await;
    press_all(&app, &["ann"], "chair").await;
    press_all(&app, &["bob"], "lamp").await;
    let body = |sku: &str| json!({ "delivery_id": "d", "type": "restock", "sku": sku, "quantity": 2 });
    for (source, sku) in [("inventory", "chair"), ("inventory", "lamp"), ("depot", "chair")] {
        assert!(signal(&app, source, body(sku)).await["duplicate"].is_null(), "{source} {sku}");
        assert_eq!(signal(&app, source, body(sku)).await["duplicate"], true, "{source} {sku}");
    }
    let event =
        json!({ "name": "product.restocked", "idempotencyKey": "d", "eventProperties": { "sku": "chair" } });
    assert_eq!(app.post("/v1/events", event).await["stored"], true);
    for campaign in app.campaigns().await {
        app.campaign_sent(campaign["id"].as_str().unwrap()).await;
    }
    assert_eq!(mailed_sorted(&app), ["ann", "bob"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_quantity_means_in_stock_and_no_name_means_the_last_known_else_the_sku() {
    let app = App::fresh().await;
    let named = json!({ "name": "w", "email": at("ann"), "lists": { "restock-chair": true },
        "eventProperties": { "sku": "chair", "product_name": "Studio chair" } });
    app.post("/v1/events", named).await;
    app.press_many([at("bob")], "lamp").await;
    for sku in ["chair", "lamp"] {
        signal(&app, "inventory", json!({ "delivery_id": "d", "type": "restock", "sku": sku })).await;
        app.campaign_sent(&of_list(&app, &format!("restock-{sku}")).await).await;
    }
    let mut subjects: Vec<String> =
        app.outbox().mails().iter().map(|mail| mail.letter.subject.clone()).collect();
    subjects.sort();
    assert_eq!(subjects, ["Studio chair is back in stock", "lamp is back in stock"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_switched_off_counts_and_opens_nothing_and_pointed_elsewhere_uses_that_template() {
    let off = Plan::new().toml("[rule]\nenabled = false\n");
    let app = off.start().await;
    press_all(&app, &["ann"], "chair").await;
    let (_, answer) = app.restock("d1", "chair", 5).await;
    assert_eq!(answer["event"], "product.restocked");
    assert!(app.campaigns().await.is_empty());
    assert_eq!(app.restock("d1", "chair", 5).await.1["duplicate"], true);
    let mut plan = app.stop().await;
    plan.toml = plan.toml.replace("enabled = false", "template = \"announcement\"\nsubject = \"{product}!\"");
    let app = plan.start().await;
    let id = restocked(&app, "d2", "chair").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(
        (done["templateKey"].as_str(), done["subject"].as_str()),
        (Some("announcement"), Some("The chair!"))
    );
    assert_eq!(mailed(&app), ["ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_after_send_leave_who_was_mailed_leaves_and_nobody_else() {
    let app = Plan::new().toml("[rule]\nafter_send = \"leave\"\n").start().await;
    press_all(&app, &["ann", "bad"], "chair").await;
    answer_for(&app, "bad", restockd_mail::ScriptedReply::Give(never()));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    wait_until_settled(&app).await;
    assert!(!subscribed(&app, "ann", "restock-chair").await);
    assert!(subscribed(&app, "bad", "restock-chair").await);
    // A campaign by hand unsubscribes nobody.
    press_all(&app, &["cid"], "chair").await;
    let made = manual(&app, json!({ "list": "restock-chair", "template": "announcement" })).await;
    app.campaign_sent(made["campaignId"].as_str().unwrap()).await;
    wait_until_settled(&app).await;
    assert!(subscribed(&app, "cid", "restock-chair").await);
    app.stop().await;
}
