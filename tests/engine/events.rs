//! P1: events and their bags; duplicates; system events; restocks that come as events.

use restockd_testkit::app::App;
use serde_json::json;

use crate::helpers::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_bag_over_several_lists_is_one_fact_and_survives_a_crash_whole() {
    let app = App::fresh().await;
    let bag = |on: bool| json!({ "restock-a": on, "restock-b": on, "restock-c": on, "restock-d": on });
    app.post("/v1/events", json!({ "name": "w", "email": at("ann"), "lists": bag(true) })).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    for sku in ["a", "b", "c", "d"] {
        assert_eq!(members(&app, &format!("restock-{sku}")).await, 1);
    }
    app.post("/v1/events", json!({ "name": "w", "email": at("ann"), "lists": bag(false) })).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    for sku in ["a", "b", "c", "d"] {
        assert_eq!(members(&app, &format!("restock-{sku}")).await, 0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_again_is_not_stored_again_also_after_a_crash_and_a_snapshot() {
    let app = App::fresh().await;
    let event =
        json!({ "name": "w", "email": at("ann"), "lists": { "restock-chair": true }, "idempotencyKey": "k" });
    let first = app.post("/v1/events", event.clone()).await;
    let again = app.post("/v1/events", event.clone()).await;
    assert_eq!((&first["stored"], &again["stored"]), (&json!(true), &json!(false)));
    assert_eq!(first["contactKey"], again["contactKey"]);
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(app.post("/v1/events", event).await["stored"], false);
    assert_eq!(members(&app, "restock-chair").await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_notify_me_with_the_same_key_after_a_purchase_works() {
    let app = App::fresh().await;
    let event =
        json!({ "name": "w", "email": at("ann"), "lists": { "restock-chair": true }, "idempotencyKey": "k" });
    app.post("/v1/events", event.clone()).await;
    leave(&app, "ann", "chair").await;
    assert_eq!(members(&app, "restock-chair").await, 0);
    assert_eq!(app.post("/v1/events", event).await["stored"], false);
    assert_eq!(members(&app, "restock-chair").await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_older_than_the_memberships_last_change_does_not_undo_it() {
    let app = App::fresh().await;
    let then = app.engine().now();
    app.advance(60_000);
    press_all(&app, &["ann"], "chair").await;
    app.advance(60_000);
    leave(&app, "ann", "chair").await;
    let late = json!({ "name": "w", "email": at("ann"), "lists": { "restock-chair": true },
        "timestamp": then.plus(90_000).to_string() });
    assert_eq!(app.post("/v1/events", late).await["stored"], true);
    assert_eq!(members(&app, "restock-chair").await, 0);
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn system_events_need_no_person() {
    let app = App::fresh().await;
    for email in [json!(""), json!(null)] {
        let answer = app.post("/v1/events", json!({ "name": "stock.counted", "email": email })).await;
        assert_eq!((&answer["stored"], &answer["contactKey"]), (&json!(true), &json!(null)));
    }
    let keyed = json!({ "name": "stock.counted", "email": "", "idempotencyKey": "k" });
    assert_eq!(app.post("/v1/events", keyed.clone()).await["stored"], true);
    assert_eq!(app.post("/v1/events", keyed).await["stored"], false);
    let bagged = json!({ "name": "stock.counted", "email": "", "lists": { "restock-chair": true } });
    let answer = app.post("/v1/events", bagged).await;
    assert_eq!(answer["stored"], true);
    assert!(answer["listsError"].is_string());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_lists_are_named_and_the_others_joined() {
    let app = App::fresh().await;
    let long = format!("restock-{}", "x".repeat(129));
    let bag = json!({ "restock-chair": true, "news": true, long.clone(): true });
    let answer = app.post("/v1/events", json!({ "name": "w", "email": at("ann"), "lists": bag })).await;
    assert!(answer["listsError"].as_str().unwrap().contains("news"), "{answer}");
    assert_eq!((members(&app, "restock-chair").await, answer["stored"].as_bool()), (1, Some(true)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_for_somebody_who_is_not_on_the_list_writes_nothing() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    leave(&app, "bob", "chair").await;
    let list = app.get("/v1/lists/restock-chair").await;
    assert_eq!(list["members"], 1);
    assert!(!subscribed(&app, "bob", "restock-chair").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_as_an_event_is_a_signal_and_its_key_is_the_delivery_id() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let event = json!({ "name": "product.restocked", "email": "", "idempotencyKey": "r1",
        "eventProperties": { "sku": "chair", "product_name": "Studio chair", "quantity": 4 } });
    assert_eq!(app.post("/v1/events", event.clone()).await["stored"], true);
    let id = newest(&app).await;
    app.campaign_sent(&id).await;
    assert_eq!(app.post("/v1/events", event.clone()).await["stored"], false);
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(app.post("/v1/events", event).await["stored"], false);
    app.campaign_sent(&id).await;
    assert_eq!((app.campaigns().await.len(), app.outbox().count()), (1, 0));
    assert_eq!(app.get("/v1/lists/restock-chair").await["stock"], 4);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_as_an_event_without_key_counts_each_time() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let event = json!({ "name": "product.restocked", "eventProperties": { "sku": "chair" } });
    app.post("/v1/events", event.clone()).await;
    let id = newest(&app).await;
    app.campaign_sent(&id).await;
    press_all(&app, &["bob"], "chair").await;
    app.post("/v1/events", event).await;
    app.campaign_until(&id, |c| n(c, "sentCount") == 2).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "totalRecipients"), app.outbox().count()), (2, 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_event_without_sku_is_stored_and_one_with_nothing_in_stock_is_skipped() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    for properties in
        [json!({}), json!({ "sku": "chair", "quantity": 0 }), json!({ "sku": "chair", "quantity": -2 })]
    {
        let event = json!({ "name": "product.restocked", "eventProperties": properties });
        assert_eq!(app.post("/v1/events", event).await["stored"], true);
    }
    assert!(app.campaigns().await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_event_of_a_person_may_carry_a_bag_of_its_own() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let event = json!({ "name": "product.restocked", "email": at("bob"), "lists": { "restock-chair": true },
        "eventProperties": { "sku": "chair" } });
    app.post("/v1/events", event).await;
    let id = newest(&app).await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "bob"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_in_flight_all_wait_and_exactly_one_is_stored() {
    let app = std::sync::Arc::new(App::fresh().await);
    let mut asking = Vec::new();
    for i in 0..40 {
        let app = std::sync::Arc::clone(&app);
        asking.push(tokio::spawn(async move {
            let event = json!({ "name": "w", "email": at("ann"), "idempotencyKey": "k",
                "lists": { "restock-chair": true, "restock-lamp": true } });
            let event = app.post("/v1/events", event).await["stored"] == true;
            let (_, signal) = app.restock("d1", "chair", 1 + i).await;
            (event, signal["duplicate"].is_null())
        }));
    }
    let (mut stored, mut counted) = (0, 0);
    for answer in asking {
        let (event, signal) = answer.await.unwrap();
        stored += u32::from(event);
        counted += u32::from(signal);
    }
    assert_eq!((stored, counted), (1, 1));
    let app = std::sync::Arc::into_inner(app).unwrap();
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (1, 1));
    assert_eq!(app.campaigns().await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_in_order_and_a_bad_item_fails_alone() {
    let app = App::fresh().await;
    let events = json!({ "events": [
        { "name": "w", "email": at("ann"), "lists": { "restock-chair": true } },
        { "name": "", "email": at("bob") },
        { "name": "w", "email": at("cid"), "lists": { "restock-chair": true } },
    ] });
    let answer = app.post("/v1/events/batch", events).await;
    let results = answer["results"].as_array().unwrap();
    assert_eq!((&results[0]["stored"], &results[2]["stored"]), (&json!(true), &json!(true)));
    assert!(results[1]["error"].is_string() || results[1]["error"].is_object(), "{answer}");
    let place = app.get(&format!("/v1/lists/restock-chair/position?email={}", at("cid"))).await;
    assert_eq!(place["position"], 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_list_that_nobody_joined_does_not_make_it() {
    let app = App::fresh().await;
    let (status, _) =
        app.ask("GET", &format!("/v1/lists/restock-ghost/position?email={}", at("ann")), None).await;
    assert_eq!(status, 404);
    press_all(&app, &["ann"], "chair").await;
    app.ask("GET", &format!("/v1/lists/restock-ghost/position?email={}", at("ann")), None).await;
    app.ask("GET", "/v1/lists/restock-ghost/members", None).await;
    app.restock("d1", "gone", 0).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let lists = app.get("/v1/lists").await;
    let ids: Vec<&str> = lists["lists"].as_array().unwrap().iter().filter_map(|l| l["id"].as_str()).collect();
    assert_eq!(ids, ["restock-chair"]);
    app.stop().await;
}
