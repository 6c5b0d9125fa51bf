//! Lists that everybody is on unless they said no: the audience comes from the directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use restockd_mail::ScriptedReply;
use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

/// A list that everybody is on, and small windows.
fn plan() -> Plan {
    Plan::new().toml("[mail]\nwindow = 4\n[list.news]\nname = \"News\"\ndefault_opt_in = true\n")
}

/// `count` contacts.
async fn people(app: &App, count: usize) {
    for i in 0..count {
        let body = json!({ "email": format!("p{i}@shop.example") });
        assert_eq!(app.ask("PUT", "/v1/contacts", Some(body)).await.0, 200);
    }
}

/// Somebody says no to the news.
async fn no(app: &App, name: &str) {
    let (status, _) = app.ask("POST", "/v1/lists/news/unsubscribe", Some(json!({ "email": at(name) }))).await;
    assert_eq!(status, 200);
}

/// A campaign to everybody: its id.
async fn to_all(app: &App) -> String {
    let made = manual(app, json!({ "list": "news", "template": "announcement" })).await;
    made["campaignId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_but_those_who_said_no_is_mailed_page_by_page() {
    let app = plan().start().await;
    people(&app, 30).await;
    for name in ["p3", "p11", "stranger"] {
        no(&app, name).await;
    }
    stop_all(&app, "p5").await;
    erase(&app, "p7").await;
    assert!(subscribed(&app, "p1", "news").await);
    assert!(!subscribed(&app, "p3", "news").await);
    let id = to_all(&app).await;
    let done = app.campaign_sent(&id).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "unsubscribed")), (26, 1), "{done}");
    assert_eq!(n(&done, "totalRecipients"), 27, "who said no before is not of the audience: {done}");
    let names = mailed(&app);
    assert!(["p3", "p5", "p7", "p11", "stranger"].iter().all(|no| !names.contains(&(*no).to_owned())));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_or_yes_again_while_it_runs_is_heeded() {
    let plan = plan().env("RESTOCKD_MAIL_CONNECTIONS", "1");
    let app = plan.start().await;
    people(&app, 12).await;
    app.outbox().hold();
    let id = to_all(&app).await;
    app.held(1).await;
    wait_until_settled(&app).await;
    for name in ["p1", "p11"] {
        no(&app, name).await;
    }
    app.outbox().release();
    let done = app.campaign_sent(&id).await;
    let names = mailed(&app);
    assert_eq!(n(&done, "sentCount"), 10, "{done}");
    assert!(!names.contains(&"p1".to_owned()) && !names.contains(&"p11".to_owned()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_mails_the_rest_and_nobody_twice() {
    let app = plan().env("RESTOCKD_MAIL_CONNECTIONS", "1").start().await;
    people(&app, 25).await;
    let outbox = Arc::downgrade(&app.outbox());
    let asked = AtomicUsize::new(0);
    app.outbox().answer_with(move |_| {
        if asked.fetch_add(1, Relaxed) == 9 {
            outbox.upgrade().unwrap().hold();
        }
        ScriptedReply::Accept
    });
    let id = to_all(&app).await;
    app.held(1).await;
    let before = mailed(&app);
    let plan = app.crash().await;
    let app = plan.start().await;
    let late = json!({ "email": at("late") });
    app.ask("PUT", "/v1/contacts", Some(late)).await;
    let done = app.campaign_sent(&id).await;
    let mut all: Vec<String> = before.into_iter().chain(mailed(&app)).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "somebody was mailed twice");
    assert_eq!(count as u64 + n(&done, "inDoubtCount"), 25, "{done}");
    assert!(n(&done, "inDoubtCount") <= 1 && !all.contains(&"late".to_owned()));
    assert_eq!(n(&done, "totalRecipients"), 25);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_survives_a_merge_and_a_crash() {
    let app = plan().start().await;
    people(&app, 3).await;
    no(&app, "p1").await;
    app.post("/v1/events", json!({ "name": "seen", "userId": "u1" })).await;
    app.post("/v1/events", json!({ "name": "login", "userId": "u1", "email": at("p1") })).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert!(!subscribed(&app, "p1", "news").await);
    let id = to_all(&app).await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed_sorted(&app), ["p0", "p2"]);
    app.stop().await;
}
