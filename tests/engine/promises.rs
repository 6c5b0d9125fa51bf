//! P1 to P11 in their shortest form.

use std::time::Duration;

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::{mailed, one_by_one};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_waits_gets_one_mail_in_the_order_they_came() {
    // Letters of one connection arrive in the order they were started; of several they overtake one another on the way.
    let app = one_by_one().start().await;
    // Neither the order of the alphabet nor its reverse.
    for name in ["dan", "bob", "ann", "eve", "cid"] {
        app.press(&format!("{name}@shop.example"), "chair").await;
    }
    app.post(
        "/v1/events",
        json!({"name": "order.completed", "email": "bob@shop.example", "lists": {"restock-chair": false}}),
    )
    .await;
    let (status, answer) = app.restock("d1", "chair", 5).await;
    assert_eq!((status, &answer["event"]), (200, &json!("product.restocked")));
    let id = app.campaigns().await[0]["id"].as_str().unwrap().to_owned();
    let done = app.campaign_sent(&id).await;
    assert_eq!((done["totalRecipients"].as_u64(), done["sentCount"].as_u64()), (Some(4), Some(4)));
    assert_eq!(mailed(&app), ["dan", "ann", "eve", "cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_again_is_a_no_op_with_the_same_answer() {
    let app = App::fresh().await;
    app.press("ann@shop.example", "chair").await;
    app.restock("d1", "chair", 5).await;
    let (status, again) = app.restock("d1", "chair", 5).await;
    assert_eq!((status, &again["duplicate"], &again["ok"]), (200, &json!(true), &json!(true)));
    assert_eq!(app.campaigns().await.len(), 1);
    let plan = app.crash().await;
    let app = plan.start().await;
    let (_, again) = app.restock("d1", "chair", 5).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(app.campaigns().await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_crash_and_after_a_snapshot_and_a_crash() {
    let app = App::fresh().await;
    app.press_many((0..500).map(|n| format!("p{n}@shop.example")), "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(app.get("/v1/lists/restock-chair").await["members"], 500);
    app.post("/v1/admin/snapshot", json!({})).await;
    app.press_many((500..800).map(|n| format!("p{n}@shop.example")), "chair").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    app.press("last@shop.example", "chair").await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(app.get("/v1/lists/restock-chair").await["members"], 801);
    let place = app.get("/v1/lists/restock-chair/position?email=last@shop.example").await;
    assert_eq!(place["position"], 801);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_is_kept_off_a_data_directory() {
    let app = App::fresh().await;
    let second = restockd::boot::boot(app.plan.config(), app.plan.clock.clone()).await;
    assert!(second.is_err_and(|error| error.to_string().contains("another restockd")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_rest_and_wake_with_everything_they_had() {
    let app = Plan::new().toml("rest_after = \"5s\"\n").start().await;
    for sku in 0..50 {
        app.press("ann@shop.example", &format!("s{sku}")).await;
    }
    assert_eq!(app.engine().list_counts().await.unwrap().0, 50);
    app.advance(6000);
    all_at_rest(&app, 50).await;
    app.restock("d1", "s7", 5).await;
    let id = app.campaigns().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(app.campaign_sent(&id).await["sentCount"], 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_asked_and_wrote_nothing_leaves_no_trace_when_it_rests() {
    let app = Plan::new().toml("rest_after = \"5s\"\n").start().await;
    for again in 0..2 {
        app.restock(&format!("none{again}"), "ghost", 0).await;
        app.advance(6000);
        all_at_rest(&app, 0).await;
    }
    assert_eq!(app.get("/v1/lists").await["lists"], json!([]));
    app.engine().snapshot().await.unwrap();
    app.press("ann@shop.example", "ghost").await;
    let app = app.crash().await.start().await;
    app.restock("d1", "ghost", 5).await;
    let id = app.campaigns().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(app.campaign_sent(&id).await["sentCount"], 1);
    app.stop().await;
}

/// Sweeps until nobody is awake and so many rest.
async fn all_at_rest(app: &App, resting: usize) {
    let rested = async {
        while app.engine().list_counts().await.unwrap() != (0, resting, 0) {
            app.engine().sweep();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), rested).await.unwrap();
}
