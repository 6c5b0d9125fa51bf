//! Starting again: events sent again from a log cut short, clocks, damaged snapshots, the lock.

use restockd::boot::boot;
use restockd_core::directory::{Accepted, DirectoryEvent, PersonFact, RestockFact};
use restockd_core::list::ChangeSource;
use restockd_core::{Email, ListId, Millis, PersonId, ProductDetails};
use restockd_engine::clock::Clock;
use restockd_records::Stamp;
use restockd_testkit::app::{App, NOON, Plan};
use serde_json::json;

use crate::helpers::*;

/// Writes records of the directory into a log that has none yet: a crash came before any list
/// had written its own.
fn forge(plan: &Plan, events: &[DirectoryEvent]) {
    let stamps = (1..).map(|seq| Stamp { seq, at: NOON });
    write_log(plan, stamps.zip(events).map(|(stamp, event)| restockd_records::of_directory(stamp, event)));
}

/// An accepted event of the person with this number.
fn event(number: u32, email: Option<&str>, bag: &[(&str, bool)]) -> DirectoryEvent {
    let bag = bag.iter().map(|(list, on)| (ListId::parse(list).unwrap(), *on)).collect();
    let person = PersonFact {
        id: PersonId(number),
        email: email.and_then(|name| Email::parse(&at(name))),
        user_id: None,
        anonymous_id: None,
        props: Vec::new(),
    };
    let (key, timestamp, product, restock) = (None, None, None, None);
    let (name, source, person) = ("w".to_owned(), ChangeSource::Event, Some(person));
    DirectoryEvent::Event(Accepted {
        name,
        key,
        source,
        person,
        bag,
        timestamp,
        product,
        restock,
        attested: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bag_that_no_list_had_taken_up_is_sent_again_whole() {
    let plan = Plan::new();
    forge(&plan, &[event(1, Some("ann"), &[("restock-a", true), ("restock-b", true)])]);
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!((members(&app, "restock-a").await, members(&app, "restock-b").await), (1, 1));
    let plan = app.crash().await;
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!((members(&app, "restock-a").await, members(&app, "restock-b").await), (1, 1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_whose_list_hears_of_it_after_midnight_counts_for_the_day_it_was_accepted() {
    let plan = Plan::new();
    let list = ListId::parse("restock-a").unwrap();
    let fact =
        RestockFact { list, key: 7, product: None, quantity: None, details: ProductDetails::default() };
    let DirectoryEvent::Event(plain) = event(1, None, &[]) else { panic!("an event is one") };
    let restock = DirectoryEvent::Event(Accepted {
        name: "product.restocked".to_owned(),
        person: None,
        restock: Some(Box::new(fact)),
        ..plain
    });
    forge(&plan, &[event(1, Some("ann"), &[("restock-a", true)]), restock]);
    // The engine was down over midnight.
    plan.clock.advance(13 * 3_600_000);
    let app = plan.start().await;
    wait_until_settled(&app).await;
    let id = app.campaigns().await[0]["id"].as_str().unwrap().to_owned();
    app.campaign_sent(&id).await;
    // The same day's key by hand is the same campaign.
    let again =
        json!({ "list": "restock-a", "template": "announcement", "idempotencyKey": "restock-a-2026-03-02" });
    assert_eq!(app.post("/v1/campaigns", again).await["campaignId"], id.as_str());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_behind_a_yes_is_sent_again_behind_it() {
    let plan = Plan::new();
    let yes = event(1, Some("ann"), &[("restock-a", true)]);
    forge(&plan, &[yes, event(1, None, &[("restock-a", false)])]);
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(members(&app, "restock-a").await, 0, "the recorded no was lost");
    app.restock("d1", "a", 5).await;
    assert!(app.campaigns().await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_behind_a_yes_is_sent_again_behind_it() {
    let plan = Plan::new();
    let merged = DirectoryEvent::Merged { from: PersonId(1), to: PersonId(2) };
    let yes = event(1, Some("ann"), &[("restock-a", true)]);
    forge(&plan, &[yes, event(2, Some("bob"), &[]), merged]);
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(members(&app, "restock-a").await, 1);
    let place = app.get(&format!("/v1/lists/restock-a/position?email={}", at("ann"))).await;
    assert_eq!(place["position"], 1);
    leave(&app, "ann", "a").await;
    assert_eq!(members(&app, "restock-a").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_behind_a_yes_leaves_nobody_behind() {
    let plan = Plan::new();
    let erased = DirectoryEvent::Erased { person: PersonId(1), keep: None };
    forge(&plan, &[event(1, Some("ann"), &[("restock-a", true)]), erased]);
    let app = plan.start().await;
    wait_until_settled(&app).await;
    assert_eq!(members(&app, "restock-a").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_from_the_future_refuse_to_start_unless_told_otherwise() {
    for clean in [false, true] {
        let app = App::fresh().await;
        press_all(&app, &["ann"], "chair").await;
        app.advance(3_600_000);
        press_all(&app, &["bob"], "chair").await;
        let mut plan = if clean { app.stop().await } else { app.crash().await };
        if clean {
            plan = plan.start().await.stop().await;
        }
        plan.clock = Clock::manual(Millis(NOON.0 + 3_600_000 - 4 * 60_000));
        let plan = plan.start().await.crash().await;
        let mut early = plan.clone();
        early.clock = Clock::manual(NOON);
        let refused = boot(early.config(), early.clock.clone()).await;
        let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("--accept-clock"), "clean stop: {clean}: {text:?}");
        let mut config = early.config();
        config.accept_clock = true;
        boot(config, early.clock.clone()).await.unwrap().shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_generation_serves_when_the_newest_is_damaged() {
    for backend in ["flat", "sled"] {
        let mut plan = Plan::new();
        plan.toml = plan.toml.replace("flat", backend);
        let app = plan.start().await;
        app.press_many((0..300).map(|i| format!("p{i}@shop.example")), "chair").await;
        app.post("/v1/admin/snapshot", json!({})).await;
        app.press_many((300..400).map(|i| format!("p{i}@shop.example")), "chair").await;
        let newest = app.post("/v1/admin/snapshot", json!({})).await;
        press_all(&app, &["last"], "chair").await;
        let plan = app.crash().await;
        let number = newest["generation"].as_u64().unwrap();
        let folder = plan.data().join(format!("snapshots/gen-{number}"));
        let mut damaged = 0;
        for (path, mut bytes) in files(&plan) {
            if path.starts_with(&folder) && !path.ends_with("MANIFEST") && bytes.len() > 64 {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x40;
                std::fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
        assert!(damaged > 0, "nothing was there to damage");
        let app = plan.start().await;
        assert!(!app.running().report.problems.is_empty());
        assert_eq!(members(&app, "restock-chair").await, 401);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secrets_file_that_is_gone_refuses_to_start_where_there_is_a_log() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    let plan = app.stop().await;
    std::fs::remove_file(plan.data().join("secrets")).unwrap();
    assert!(boot(plan.config(), plan.clock.clone()).await.is_err());
}
