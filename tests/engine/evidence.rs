//! Evidence of consent: as durable as the press it came with, shown in the export, gone with its person.

use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

/// A press with what the form showed.
async fn press(app: &App, name: &str, sku: &str, wording: &str) -> Value {
    let event = json!({ "name": "w", "email": at(name), "lists": { format!("restock-{sku}"): true },
        "idempotencyKey": format!("{name}-{sku}-{wording}"),
        "consent": { "wording": wording, "url": "https://shop.example/chair?for=ann", "ip": "203.0.113.77" } });
    app.post("/v1/events", event).await
}

async fn consent(app: &App, name: &str) -> Value {
    app.get(&format!("/v1/contacts/export?email={}", at(name))).await["consent"].clone()
}

fn row(list: &str, wording: &str, source: Value) -> Value {
    json!({ "list": list, "how": "event", "at": "2026-03-02T12:00:00.000Z", "wording": wording,
        "url": "https://shop.example/chair", "source": source, "key": "environment" })
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_survives_crashes_with_and_without_a_snapshot() {
    let app = App::fresh().await;
    press(&app, "ann", "chair", "v1").await;
    press(&app, "ann", "lamp", "v1").await;
    press(&app, "bob", "chair", "v1").await;
    // The newest of a list counts, and a plain press says nothing new.
    press(&app, "ann", "chair", "v2").await;
    app.press(&at("ann"), "chair").await;
    app.press(&at("dan"), "chair").await;
    let network = json!("203.0.113.0/24");
    let ann =
        json!([row("restock-lamp", "v1", network.clone()), row("restock-chair", "v2", network.clone())]);
    let check = async |app: &App| {
        assert_eq!(consent(app, "ann").await, ann);
        assert_eq!(consent(app, "bob").await, json!([row("restock-chair", "v1", network.clone())]));
        assert_eq!(consent(app, "dan").await, json!([]));
    };
    check(&app).await;
    let app = app.crash().await.start().await;
    check(&app).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let app = app.crash().await.start().await;
    check(&app).await;
    // A repeat of the key is a repeat of the same fact.
    press(&app, "bob", "chair", "v1").await;
    check(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_much_of_the_address_is_kept_as_the_settings_say() {
    for (keep, kept) in
        [("none", Value::Null), ("truncated", json!("203.0.113.0/24")), ("full", json!("203.0.113.77"))]
    {
        let app = Plan::new().toml(&format!("[consent]\nkeep_address = \"{keep}\"\n")).start().await;
        press(&app, "ann", "chair", "v1").await;
        assert_eq!(consent(&app, "ann").await[0]["source"], kept);
        // Without an address of its own it is the client's.
        let body = json!({ "email": at("bob"), "consent": { "wording": "v7" } });
        app.post("/v1/lists/restock-chair/subscribe", body).await;
        let bob = consent(&app, "bob").await;
        let client = match keep {
            "none" => Value::Null,
            "full" => json!("127.0.0.1"),
            _ => json!("127.0.0.0/24"),
        };
        assert_eq!(
            (&bob[0]["source"], &bob[0]["wording"], &bob[0]["how"]),
            (&client, &json!("v7"), &json!("api"))
        );
        let plan = app.stop().await;
        let full = files(&plan).iter().any(|(_, bytes)| contains(bytes, b"203.0.113.77"));
        assert_eq!(full, keep == "full", "{keep}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_erases_evidence_from_every_file_within_two_rounds() {
    let app = Plan::new().toml("[consent]\nkeep_address = \"full\"\n").start().await;
    press(&app, "ann", "chair", "v1").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    assert!(files(&app.plan).iter().any(|(_, bytes)| contains(bytes, b"203.0.113.77")));
    erase(&app, "ann").await;
    for _ in 0..2 {
        app.post("/v1/admin/snapshot", json!({})).await;
    }
    let plan = app.crash().await;
    assert!(!files(&plan).iter().any(|(_, bytes)| contains(bytes, b"203.0.113.77")));
    let app = plan.start().await;
    app.press(&at("ann"), "chair").await;
    assert_eq!(consent(&app, "ann").await, json!([]), "a new press is a new contact");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_become_one_keep_the_evidence_and_the_letters_of_both() {
    let app = App::fresh().await;
    press(&app, "ann", "chair", "v1").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    app.post("/v1/events", json!({ "name": "w", "userId": "u1" })).await;
    app.post("/v1/events", json!({ "name": "w", "userId": "u1", "email": at("ann") })).await;
    let held = app.get("/v1/contacts/export?userId=u1").await;
    assert_eq!(held["consent"], json!([row("restock-chair", "v1", json!("203.0.113.0/24"))]));
    assert_eq!((&held["letters"][0]["campaign"], held["letters"].as_array().unwrap().len()), (&json!(id), 1));
    app.stop().await;
}
