//! Erasure: after two rounds nothing of the person stands in any file, and what must be remembered is a hash.

use std::path::PathBuf;

use restockd_mail::{DeliveryResult, ScriptedReply as Reply};
use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

/// All by which these people could be found: addresses, ids, property values, event keys.
const WORDS: [&str; 8] = [
    "ann.private@erased.example",
    "ann.private",
    "old.private@erased.example",
    "dee.private@erased.example",
    "erased.example",
    "user-of-ann",
    "property-of-ann",
    "key-of-user-of-ann",
];

/// Files under the data directory that hold any of the words, in any case.
fn held(plan: &Plan) -> Vec<(PathBuf, &'static str)> {
    let mut held = Vec::new();
    for (path, bytes) in files(plan) {
        let bytes = bytes.to_ascii_lowercase();
        held.extend(
            WORDS.iter().filter(|word| contains(&bytes, word.as_bytes())).map(|word| (path.clone(), *word)),
        );
    }
    held
}

/// Two rounds, and what they leave to the log's own thread.
async fn two_rounds(app: &App) {
    for _ in 0..2 {
        app.post("/v1/admin/snapshot", json!({})).await;
    }
}

/// One person with two addresses in turn and all that can be known of anybody; another who complained.
async fn live(app: &App) {
    let press = |email: &str, user: Value, sku: &str| {
        json!({ "name": "w", "email": email, "userId": user, "idempotencyKey": format!("key-of-user-of-ann-{sku}"),
            "lists": { format!("restock-{sku}"): true }, "eventProperties": { "note": "property-of-ann" },
            "contactProperties": { "note": "property-of-ann" } })
    };
    app.post("/v1/events", press("old.private@erased.example", Value::Null, "chair")).await;
    app.post("/v1/events", press("ann.private@erased.example", json!("user-of-ann"), "lamp")).await;
    app.post("/v1/events", press("dee.private@erased.example", Value::Null, "chair")).await;
    press_all(app, &["bob"], "chair").await;
    press_all(app, &["bob"], "lamp").await;
    app.outbox().answer_with(|letter| {
        let to = letter.to.to_uppercase();
        let failed = format!("5.1.1 <{to}>: unknown, not {}", letter.to);
        let deferred = format!("4.7.1 later for {}", letter.to.replace('@', "%40"));
        match letter.to.split('.').next() {
            Some("old" | "dee") => Reply::Give(said(DeliveryResult::Failed, 550, &failed)),
            Some("ann") => Reply::Give(said(DeliveryResult::Deferred, 451, &deferred)),
            _ => Reply::Accept,
        }
    });
    let chair = restocked(app, "d1", "chair").await;
    app.campaign_until(&chair, |c| n(c, "failedCount") == 2).await;
    let lamp = restocked(app, "d2", "lamp").await;
    app.campaign_until(&lamp, |c| n(c, "deferredCount") == 1 && n(c, "sentCount") == 1).await;
    // The merge: the address of nobody by id becomes the address of the user.
    app.post(
        "/v1/events",
        json!({ "name": "seen", "userId": "user-of-ann", "email": "old.private@erased.example" }),
    )
    .await;
    let dee = restockd_engine::api::Identity {
        email: restockd_core::Email::parse("dee.private@erased.example"),
        ..Default::default()
    };
    let dee = app.engine().find_contacts(dee).await.unwrap()[0].id;
    let token = secrets(app).sign(restockd_engine::token::Purpose::Unsubscribe, dee, None);
    let (status, _) = app.send("POST", &format!("/v1/email/unsubscribe?token={token}"), &[], b"").await;
    assert_eq!(status, 200);
}

/// Both are erased, by one of their names.
async fn erase_both(app: &App) {
    for who in [json!({ "userId": "user-of-ann" }), json!({ "email": "dee.private@erased.example" })] {
        let (status, answer) = app.ask("DELETE", "/v1/contacts", Some(who)).await;
        assert_eq!((status, &answer["deleted"]), (200, &json!(true)), "{answer}");
    }
}

fn plan(backend: &str) -> Plan {
    let mut plan = one_by_one();
    plan.toml = plan.toml.replace("flat", backend);
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rounds_after_an_erasure_nothing_of_the_person_stands_in_any_file() {
    for backend in ["flat", "sled"] {
        let app = plan(backend).start().await;
        live(&app).await;
        app.post("/v1/admin/snapshot", json!({})).await;
        let before = held(&app.plan);
        for word in WORDS.iter().filter(|word| !word.starts_with("key-of")) {
            assert!(
                before.iter().any(|(_, found)| found == word),
                "{backend}: {word} was nowhere to begin with"
            );
        }
        erase_both(&app).await;
        two_rounds(&app).await;
        let plan = app.stop().await;
        assert_eq!(held(&plan), [], "{backend}");
        let app = plan.start().await;
        assert_eq!(held(&app.plan), [], "{backend}, started again");
        // What must be remembered is: no import and no press of somebody who wanted no mail.
        let event =
            json!({ "name": "w", "email": "dee.private@erased.example", "lists": { "restock-chair": true } });
        let answer = app.post("/v1/events", event).await;
        assert!(answer["listsError"].is_string(), "{answer}");
        assert_eq!(members(&app, "restock-chair").await, 1);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_an_erasure_and_the_rounds_changes_nothing_about_it() {
    for backend in ["flat", "sled"] {
        let app = plan(backend).start().await;
        live(&app).await;
        app.post("/v1/admin/snapshot", json!({})).await;
        erase_both(&app).await;
        let plan = app.crash().await;
        assert!(!held(&plan).is_empty());
        let app = plan.start().await;
        two_rounds(&app).await;
        let plan = app.crash().await;
        let app = plan.start().await;
        assert_eq!(held(&app.plan), [], "{backend}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_under_load_let_the_old_segments_go_too() {
    let app = plan("flat").start().await;
    live(&app).await;
    app.post("/v1/admin/snapshot", json!({})).await;
    erase_both(&app).await;
    let presses = app.press_many((0..3000).map(|i| format!("p{i}@shop.example")), "hype");
    let rounds = two_rounds(&app);
    tokio::join!(presses, rounds);
    let plan = app.stop().await;
    assert_eq!(held(&plan), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_quotes_the_address_is_kept_without_it() {
    let app = plan("flat").start().await;
    live(&app).await;
    let wire = app.get("/v1/campaigns").await.to_string().to_lowercase();
    assert!(!wire.contains("erased.example"), "{wire}");
    let recorded = |words: &str| files(&app.plan).iter().any(|(_, bytes)| contains(bytes, words.as_bytes()));
    assert!(recorded("550 5.1.1 <address>: unknown, not <address>"));
    assert!(recorded("4.7.1 later for <address>"));
    for quoted in ["5.1.1 <DEE", "not dee.private", "later for ann"] {
        assert!(!recorded(quoted), "{quoted}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_cut_tail_goes_seven_days_after_an_engine_first_saw_it() {
    const DAY: u64 = 24 * 3_600_000;
    let app = plan("flat").start().await;
    press_all(&app, &["bob"], "chair").await;
    let plan = app.crash().await;
    let wal = plan.data().join("wal");
    let copy = wal.join("00000000000000000001.wal.broken-1");
    std::fs::write(&copy, b"ann.private@erased.example").unwrap();
    let aside = plan.data().join("snapshots").join("gen-1.broken-1");
    std::fs::create_dir_all(&aside).unwrap();
    std::fs::write(aside.join("pages.flat"), b"ann.private@erased.example").unwrap();
    let app = plan.start().await;
    assert!(!held(&app.plan).is_empty());
    let ticks = |days: u64| {
        for _ in 0..days {
            app.advance(DAY);
        }
    };
    // Seen with the first tick; its days are counted from there.
    app.advance(1000);
    app.until(|plan| copies_seen(plan) == 2).await;
    ticks(6);
    app.post("/v1/admin/snapshot", json!({})).await;
    assert!(!held(&app.plan).is_empty(), "six days are not seven");
    ticks(2);
    app.until(|plan| held(plan).is_empty()).await;
    app.stop().await;
}

/// How many copies carry the time at which they were seen.
fn copies_seen(plan: &Plan) -> usize {
    let name = |path: &PathBuf| path.to_string_lossy().contains(".seen-");
    files(plan).iter().filter(|(path, _)| name(path)).count()
}
