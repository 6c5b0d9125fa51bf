//! Who is who: names that move, people who become one, erasure, a new press after it.

use restockd_testkit::app::App;
use serde_json::{Value, json};

use crate::helpers::*;

/// `GET /v1/contacts/find`.
async fn found(app: &App, query: &str) -> Vec<Value> {
    app.get(&format!("/v1/contacts/find?{query}")).await["contacts"].as_array().unwrap().clone()
}

/// An event of somebody by user id, with an address or without.
async fn seen(app: &App, user: &str, email: Option<&str>) -> Value {
    app.post("/v1/events", json!({ "name": "seen", "userId": user, "email": email.map(at) })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_moves_the_mail_to_it() {
    let app = App::fresh().await;
    let event =
        json!({ "name": "w", "userId": "u1", "email": at("old"), "lists": { "restock-chair": true } });
    app.post("/v1/events", event).await;
    seen(&app, "u1", Some("new")).await;
    assert!(found(&app, &format!("email={}", at("old"))).await.is_empty());
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(found(&app, &format!("email={}", at("new"))).await[0]["externalId"], "u1");
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["new"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_nobody_by_id_makes_the_two_one_and_the_earlier_place_stays() {
    let app = App::fresh().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    let event =
        json!({ "name": "w", "userId": "u1", "email": at("other"), "lists": { "restock-chair": true } });
    app.post("/v1/events", event).await;
    seen(&app, "u1", Some("ann")).await;
    assert_eq!(members(&app, "restock-chair").await, 2);
    let place = app.get("/v1/lists/restock-chair/position?userId=u1").await;
    assert_eq!(place["position"], 1);
    let plan = app.crash().await;
    let app = plan.start().await;
    let place = app.get("/v1/lists/restock-chair/position?userId=u1").await;
    assert_eq!((&place["position"], &place["total"]), (&json!(1), &json!(2)));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "bob"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wins_when_two_become_one() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let join = json!({ "name": "w", "userId": "u1", "email": at("tmp"), "lists": { "restock-chair": true } });
    app.post("/v1/events", join).await;
    let left = json!({ "name": "w", "userId": "u1", "lists": { "restock-chair": false } });
    app.post("/v1/events", left).await;
    seen(&app, "u1", Some("ann")).await;
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.restock("d1", "chair", 5).await;
    assert!(app.campaigns().await.is_empty());
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribed_from_all_holds_for_the_two_that_became_one() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    stop_all(&app, "ann").await;
    let join = json!({ "name": "w", "userId": "u1", "email": at("tmp"), "lists": { "restock-chair": true } });
    app.post("/v1/events", join).await;
    seen(&app, "u1", Some("ann")).await;
    app.restock("d1", "chair", 5).await;
    wait_until_settled(&app).await;
    assert!(mailed(&app).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_another_user_id_is_not_taken() {
    let app = App::fresh().await;
    seen(&app, "u1", Some("ann")).await;
    seen(&app, "u2", Some("bob")).await;
    let event =
        json!({ "name": "w", "userId": "u2", "email": at("ann"), "lists": { "restock-chair": true } });
    let answer = app.post("/v1/events", event).await;
    assert_eq!(answer["stored"], true);
    assert!(answer["listsError"].as_str().is_some_and(|text| !text.contains('@')), "{answer}");
    assert_eq!(found(&app, &format!("email={}", at("ann"))).await[0]["externalId"], "u1");
    assert_eq!(found(&app, &format!("email={}", at("bob"))).await[0]["externalId"], "u2");
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_compared_without_case_and_blanks() {
    let app = App::fresh().await;
    app.press("Ann@Shop.Example", "chair").await;
    app.press(" ann@shop.example ", "chair").await;
    assert_eq!(members(&app, "restock-chair").await, 1);
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_become_one_while_their_letters_wait_get_one() {
    let app = one_by_one().start().await;
    press_all(&app, &["first", "ann"], "chair").await;
    let event =
        json!({ "name": "w", "userId": "u1", "email": at("tmp"), "lists": { "restock-chair": true } });
    app.post("/v1/events", event).await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    wait_until_settled(&app).await;
    verb(&app, &id, "pause").await;
    app.outbox().release();
    seen(&app, "u1", Some("ann")).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    verb(&app, &id, "resume").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["ann"], "{done}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_ends_every_membership_and_a_new_press_makes_a_new_contact() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    press_all(&app, &["ann"], "lamp").await;
    let before = found(&app, &format!("email={}", at("ann"))).await[0]["id"].clone();
    erase(&app, "ann").await;
    assert!(found(&app, &format!("email={}", at("ann"))).await.is_empty());
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (0, 0));
    let (status, _) = app.ask("DELETE", "/v1/contacts", Some(json!({ "email": at("ann") }))).await;
    assert_eq!(status, 404);
    press_all(&app, &["ann"], "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    let after = found(&app, &format!("email={}", at("ann"))).await[0]["id"].clone();
    assert_ne!(before, after);
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (1, 0));
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_and_presses_again_is_not_mailed_twice_in_one_campaign() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    erase(&app, "ann").await;
    press_all(&app, &["ann"], "chair").await;
    restocked(&app, "d2", "chair").await;
    wait_until_settled(&app).await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "recently_notified")), (1, 1), "{done}");
    assert_eq!(mailed(&app), ["ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_made_linked_and_exported() {
    let app = App::fresh().await;
    let put = |body: Value| {
        let app = &app;
        async move { app.ask("PUT", "/v1/contacts", Some(body)).await }
    };
    let (status, made) = put(json!({ "email": at("ann"), "properties": { "size": 4 } })).await;
    assert_eq!((status, &made["created"], &made["linked"]), (200, &json!(true), &json!(false)));
    let (_, linked) =
        put(json!({ "email": at("ann"), "userId": "u1", "lists": { "restock-chair": true } })).await;
    assert_eq!((&linked["created"], &linked["linked"]), (&json!(false), &json!(true)));
    assert_eq!(linked["id"], made["id"]);
    let export = app.get(&format!("/v1/contacts/export?email={}", at("ann"))).await;
    let text = export.to_string();
    assert!(text.contains("restock-chair") && text.contains("size") && text.contains("u1"), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_at_hand_for_an_address_that_its_person_left_goes_to_the_new_one() {
    let app = one_by_one().start().await;
    let account = |email: &str| json!({ "name": "account.changed", "userId": "u1", "email": at(email) });
    press_all(&app, &["ann"], "other").await;
    app.post("/v1/events", account("old")).await;
    let press = json!({ "name": "product.waitlisted", "userId": "u1", "lists": { "restock-chair": true } });
    app.post("/v1/events", press).await;
    app.outbox().hold();
    // The only connection is taken: what comes after it is fetched and waits.
    restocked(&app, "d1", "other").await;
    app.held(1).await;
    let id = restocked(&app, "d2", "chair").await;
    wait_until_settled(&app).await;
    app.post("/v1/events", account("new")).await;
    app.post("/v1/suppressions", json!({ "email": at("old") })).await;
    app.outbox().release();
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["ann", "new"]);
    app.stop().await;
}
