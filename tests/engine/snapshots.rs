//! Snapshots: what they hold, what the log forgets, and what erasure leaves behind.

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

#[tokio::test(flavor = "multi_thread")]
async fn erasure_leaves_no_address_in_any_file_after_two_rounds() {
    for backend in ["flat", "sled"] {
        let mut plan = Plan::new();
        plan.toml = plan.toml.replace("flat", backend);
        let app = plan.start().await;
        let event = json!({ "name": "w", "email": at("ann.erased"), "userId": "user-erased",
            "lists": { "restock-chair": true }, "contactProperties": { "note": "property-erased" } });
        app.post("/v1/events", event).await;
        press_all(&app, &["bob"], "chair").await;
        app.outbox().answer_with(|_| restockd_mail::ScriptedReply::Give(never()));
        let id = restocked(&app, "d1", "chair").await;
        app.campaign_sent(&id).await;
        app.post("/v1/admin/snapshot", json!({})).await;
        let held = |plan: &Plan| {
            let words = ["ann.erased", "user-erased", "property-erased"];
            let held = |bytes: &[u8]| words.iter().any(|word| contains(bytes, word.as_bytes()));
            let all = files(plan).into_iter().filter(|(_, bytes)| held(bytes));
            all.map(|(path, _)| path).collect::<Vec<_>>()
        };
        assert!(!held(&app.plan).is_empty(), "the test looks in the wrong place");
        erase(&app, "ann.erased").await;
        for _ in 0..2 {
            press_all(&app, &["cid"], "lamp").await;
            app.post("/v1/admin/snapshot", json!({})).await;
        }
        let plan = app.stop().await;
        assert_eq!(held(&plan), Vec::<std::path::PathBuf>::new(), "{backend}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_in_every_state_come_back_from_a_snapshot_as_they_were() {
    let app = one_by_one().start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    press_all(&app, &["cid", "dan"], "lamp").await;
    press_all(&app, &["eve"], "sofa").await;
    app.outbox().push(restockd_mail::ScriptedReply::Give(later()));
    app.outbox().push(restockd_mail::ScriptedReply::Give(never()));
    let chair = restocked(&app, "d1", "chair").await;
    app.campaign_until(&chair, |c| n(c, "deferredCount") == 1 && n(c, "failedCount") == 1).await;
    app.outbox().hold();
    let lamp = restocked(&app, "d2", "lamp").await;
    app.held(1).await;
    verb(&app, &lamp, "pause").await;
    let sofa = restocked(&app, "d3", "sofa").await;
    verb(&app, &sofa, "cancel").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let mut before = Vec::new();
    for id in [&chair, &lamp, &sofa] {
        before.push(app.get(&format!("/v1/campaigns/{id}")).await);
    }
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    for (id, mut old) in [&chair, &lamp, &sofa].into_iter().zip(before) {
        // What was on the wire is in doubt now; all else is as it was.
        old["inDoubtCount"] = json!(n(&old, "inDoubtCount") + n(&old, "startedCount"));
        old["startedCount"] = json!(0);
        assert_eq!(app.get(&format!("/v1/campaigns/{id}")).await, old);
    }
    app.advance(120_000);
    verb(&app, &lamp, "resume").await;
    app.campaign_sent(&chair).await;
    app.campaign_sent(&lamp).await;
    assert_eq!(mailed_sorted(&app), ["ann", "dan"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_while_letters_go_out_lose_nothing() {
    let app = Plan::new().toml("[mail]\nwindow = 16\n").start().await;
    app.press_many((0..2000).map(|i| format!("p{i}@shop.example")), "hype").await;
    let id = restocked(&app, "d1", "hype").await;
    for _ in 0..3 {
        app.post("/v1/admin/snapshot", json!({})).await;
    }
    let before = mailed(&app);
    let plan = app.crash().await;
    let app = plan.start().await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(n(&done, "totalRecipients"), 2000, "{done}");
    assert_eq!(n(&done, "sentCount") + n(&done, "inDoubtCount"), 2000);
    let mut all: Vec<String> = before.into_iter().chain(mailed(&app)).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "somebody was mailed twice");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_leaves_a_snapshot_and_little_log() {
    let app = App::fresh().await;
    app.press_many((0..100).map(|i| format!("p{i}@shop.example")), "chair").await;
    let plan = app.stop().await;
    let app = plan.start().await;
    assert_eq!(members(&app, "restock-chair").await, 100);
    let plan = app.stop().await;
    let app = plan.start().await;
    assert_eq!(app.running().report.records, 0);
    assert_eq!(members(&app, "restock-chair").await, 100);
    app.stop().await;
}
