//! How old letters become in campaigns that say it themselves: by hand, by the rule, over restarts.

use restockd_mail::ScriptedReply as Reply;
use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

const HOUR: u64 = 3_600_000;

/// A campaign by hand to the list of a SKU.
async fn made(app: &App, sku: &str, more: Value) -> String {
    let mut body =
        json!({ "list": format!("restock-{sku}"), "template": "announcement", "idempotencyKey": sku });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    manual(app, body).await["campaignId"].as_str().unwrap().to_owned()
}

/// A campaign as it is now.
async fn show(app: &App, id: &str) -> Value {
    app.get(&format!("/v1/campaigns/{id}")).await
}

/// Waits until the one letter of a campaign was tried so often and has come back, or is given up.
async fn tried(app: &App, id: &str, times: u64) {
    let asked = async {
        loop {
            let rows = app.get(&format!("/v1/campaigns/{id}/recipients")).await;
            let row = &rows["recipients"][0];
            let back = row["status"] == "deferred" && row["attempts"] == times;
            if back || row["status"] == "skipped" {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await;
    assert!(waited.is_ok(), "{id} was not tried {times} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_of_different_ages_end_differently_before_the_same_server_also_after_restarts() {
    let plan = Plan::new().toml("[mail]\nretry_base = \"60s\"\n[rule]\nmax_age = \"10m\"\n");
    let app = plan.start().await;
    app.outbox().answer_with(|_| Reply::Give(later()));
    for (name, sku) in [("ann", "chair"), ("bob", "lamp"), ("cid", "desk")] {
        press_all(&app, &[name], sku).await;
    }
    let rule = restocked(&app, "d1", "chair").await;
    let hour = made(&app, "lamp", json!({ "maxAge": "60m" })).await;
    let usual = made(&app, "desk", json!({})).await;
    let ages = |app: App| async {
        for (id, age) in [(&rule, json!("10m")), (&hour, json!("1h")), (&usual, Value::Null)] {
            app.campaign_until(id, |c| n(c, "deferredCount") == 1).await;
            assert_eq!(show(&app, id).await["maxAge"], age);
        }
        app
    };
    // By the log alone, then by a snapshot.
    let app = ages(app).await;
    let app = ages(app.crash().await.start().await).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let app = ages(app.crash().await.start().await).await;
    app.outbox().answer_with(|_| Reply::Give(later()));
    // Waits of 60, 120 and 240 s (and up to an eighth more); the next would end beyond 10 minutes.
    for (times, ms) in [(2, 68_000), (3, 136_000), (4, 271_000)] {
        app.advance(ms);
        for id in [&rule, &hour, &usual] {
            tried(&app, id, times).await;
        }
    }
    let done = app.campaign_sent(&rule).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "expired")), (0, 1), "{done}");
    assert_eq!(n(&show(&app, &hour).await, "deferredCount"), 1);
    // Two more, of 8 and 16 minutes; the next would end beyond the hour.
    for (times, ms) in [(5, 541_000), (6, 1_081_000)] {
        app.advance(ms);
        for id in [&hour, &usual] {
            tried(&app, id, times).await;
        }
    }
    let done = app.campaign_sent(&hour).await;
    assert_eq!((n(&done, "sentCount"), skipped(&done, "expired")), (0, 1), "{done}");
    assert_eq!(n(&show(&app, &usual).await, "deferredCount"), 1);
    accept_all(&app);
    app.advance(HOUR);
    assert_eq!(n(&app.campaign_sent(&usual).await, "sentCount"), 1);
    assert_eq!(mailed(&app), ["cid"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_campaign_that_could_not_start_within_its_own_age_is_expired() {
    let app = Plan::new().toml("[mail]\nmax_age = \"4h\"\n").start().await;
    let mut ids = Vec::new();
    for (name, sku, age) in [("ann", "chair", "2h"), ("bob", "lamp", "3h"), ("cid", "desk", "30h")] {
        press_all(&app, &[name], sku).await;
        let at = app.engine().now().plus(HOUR).to_string();
        ids.push(made(&app, sku, json!({ "sendAt": at, "maxAge": age })).await);
    }
    let plan = app.crash().await;
    plan.clock.advance(3 * HOUR + HOUR / 2);
    let app = plan.start().await;
    let expired = app.campaign_until(&ids[0], |c| c["status"] == "expired").await;
    assert_eq!((n(&expired, "sentCount"), expired["maxAge"].as_str()), (0, Some("2h")));
    assert_eq!(n(&app.campaign_sent(&ids[1]).await, "sentCount"), 1);
    assert_eq!(n(&app.campaign_sent(&ids[2]).await, "sentCount"), 1);
    assert_eq!(mailed_sorted(&app), ["bob", "cid"]);
    app.stop().await;
}
