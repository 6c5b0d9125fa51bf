//! Admission, the polite stop, lists that sleep and wake under load.

use std::sync::Arc;

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

#[tokio::test(flavor = "multi_thread")]
async fn without_permits_work_meets_503_and_comes_back_when_they_are_free() {
    let app = Arc::new(Plan::new().toml("permits = 1\n").start().await);
    let mut asking = Vec::new();
    for batch in 0..8 {
        let app = Arc::clone(&app);
        asking.push(tokio::spawn(async move {
            let events: Vec<_> = (0..4000)
                .map(|i| json!({ "name": "w", "email": format!("b{batch}n{i}@shop.example"), "lists": { "restock-chair": true } }))
                .collect();
            app.ask("POST", "/v1/events/batch", Some(json!({ "events": events }))).await.0
        }));
    }
    let mut answers = Vec::new();
    for one in asking {
        answers.push(one.await.unwrap());
    }
    assert!(answers.iter().all(|status| [202, 503].contains(status)), "{answers:?}");
    assert!(answers.contains(&202) && answers.contains(&503), "{answers:?}");
    let taken = answers.iter().filter(|status| **status == 202).count() as u64;
    assert_eq!(members(&app, "restock-chair").await, taken * 4000);
    press_all(&app, &["ann"], "chair").await;
    Arc::into_inner(app).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_finishes_what_was_admitted_and_admits_nothing_more() {
    let app = App::fresh().await;
    let engine = app.engine().clone();
    let mut asking = Vec::new();
    for i in 0..200 {
        let engine = engine.clone();
        asking.push(tokio::spawn(async move {
            let mut event = restockd_engine::api::EventInput { name: "w".to_owned(), ..Default::default() };
            event.who.email = restockd_core::Email::parse(&format!("p{i}@shop.example"));
            event.lists = vec![("restock-chair".to_owned(), true)];
            engine.ingest(event).await.is_ok()
        }));
    }
    tokio::task::yield_now().await;
    let plan = app.stop().await;
    let mut taken = 0;
    for one in asking {
        taken += u64::from(one.await.unwrap());
    }
    assert!(!engine.readiness().ready);
    let app = plan.start().await;
    let held = members(&app, "restock-chair").await;
    assert_eq!(held, taken, "each yes holds, and nothing was done without one");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_waits_for_the_letter_on_the_wire_and_leaves_no_doubt() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    app.outbox().hold();
    let id = restocked(&app, "d1", "chair").await;
    app.held(1).await;
    let outbox = app.outbox();
    let stopping = tokio::spawn(app.stop());
    tokio::task::yield_now().await;
    outbox.release();
    let plan = stopping.await.unwrap();
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), n(&done, "inDoubtCount")), (2, 0), "{done}");
    assert_eq!(outbox.count() + app.outbox().count(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_sleep_and_wake_under_load_and_rounds_run_meanwhile() {
    let app = Arc::new(Plan::new().toml("lists_awake = 8\nrest_after = \"1s\"\n").start().await);
    let mut asking = Vec::new();
    for worker in 0..6 {
        let app = Arc::clone(&app);
        asking.push(tokio::spawn(async move {
            for step in 0..40 {
                let sku = format!("s{}", (step * 7 + worker * 3) % 30);
                app.press(&format!("w{worker}s{step}@shop.example"), &sku).await;
                if step % 8 == 3 {
                    app.restock(&format!("d{worker}-{step}"), &sku, 5).await;
                }
                if worker == 0 && step % 10 == 9 {
                    app.post("/v1/admin/snapshot", json!({})).await;
                }
                if worker == 1 {
                    app.advance(300);
                }
            }
        }));
    }
    for one in asking {
        one.await.unwrap();
    }
    let count = |app: &App| {
        let lists = app.engine().clone();
        async move {
            let query = restockd_engine::api::ListsQuery { limit: 1000, ..Default::default() };
            lists.lists(query).await.unwrap().lists.iter().map(|list| list.members).sum::<u64>()
        }
    };
    assert_eq!(count(&app).await, 240);
    // A last word makes room: at most so many are awake, but for those with records out.
    for _ in 0..200 {
        app.engine().sweep();
        app.press(&at("again"), "s1").await;
        if app.engine().list_counts().await.unwrap().0 <= 8 {
            break;
        }
    }
    assert!(app.engine().list_counts().await.unwrap().0 <= 8, "{:?}", app.engine().list_counts().await);
    for campaign in app.campaigns().await {
        app.campaign_sent(campaign["id"].as_str().unwrap()).await;
    }
    let sent = app.outbox().count();
    let mut to: Vec<(String, String)> = app
        .outbox()
        .mails()
        .iter()
        .map(|mail| (mail.letter.to.clone(), mail.letter.list_id.clone().unwrap_or_default()))
        .collect();
    to.sort();
    to.dedup();
    assert_eq!(to.len(), sent, "somebody was mailed twice");
    let app = Arc::into_inner(app).unwrap();
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(count(&app).await, 241);
    for campaign in app.campaigns().await {
        app.campaign_sent(campaign["id"].as_str().unwrap()).await;
    }
    assert_eq!(app.outbox().count(), 0);
    app.stop().await;
}
