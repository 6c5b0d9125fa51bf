//! Lists at rest, on their way to it and back: they answer, they remember, and they forget when it is time.

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

/// One list awake at most.
fn one_awake() -> Plan {
    let mut plan = Plan::new();
    plan.toml.push_str("lists_awake = 1\n");
    plan
}

/// Sweeps until one list is awake and so many rest.
async fn one_awake_of(app: &App, lists: usize) {
    let rested = async {
        while app.engine().list_counts().await.unwrap() != (1, lists - 1, 0) {
            app.engine().sweep();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), rested).await.unwrap();
}

// On one thread what is asked at once is heard in the order it was asked, before any list has taken its rest.
#[tokio::test]
async fn a_list_that_is_asked_on_its_way_to_rest_answers() {
    let app = one_awake().start().await;
    press_all(&app, &["ann"], "a").await;
    press_all(&app, &["ann"], "b").await;
    for _ in 0..20 {
        for (waking, leaving) in [("restock-a", "restock-b"), ("restock-b", "restock-a")] {
            one_awake_of(&app, 2).await;
            app.engine().members(leaving, None, 1).await.unwrap();
            one_awake_of(&app, 2).await;
            let engine = app.engine();
            // The first wakes, so the other must rest; it is asked in every way before it does.
            let (members, list, page, snapshot) = tokio::join!(
                engine.members(waking, None, 10),
                engine.list(leaving),
                engine.members(leaving, None, 10),
                engine.snapshot(),
            );
            assert_eq!((members.unwrap().total, list.unwrap().view.members, page.unwrap().total), (1, 1, 1));
            snapshot.unwrap();
        }
    }
    app.stop().await;
}

/// A day.
const DAY: u64 = 86_400_000;

/// Seconds pass until a list remembers so many who left.
async fn until_left(app: &App, list: &str, left: u64) {
    let path = format!("/v1/lists/{list}");
    let forgotten = async {
        while app.get(&path).await["left"] != left {
            app.advance(1000);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), forgotten).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_list_forgets_who_left_400_days_ago_by_itself() {
    let plan =
        Plan::new().toml("rest_after = \"5s\"\n\n[list.news]\nname = \"News\"\ndefault_opt_in = true\n");
    let app = plan.start().await;
    for sku in ["chair", "lamp"] {
        press_all(&app, &["ann", "bob"], sku).await;
        leave(&app, "ann", sku).await;
    }
    let no = json!({ "name": "w", "email": at("ann"), "lists": { "news": false } });
    app.post("/v1/events", no).await;
    app.advance(399 * DAY);
    leave(&app, "bob", "lamp").await;
    app.advance(3 * DAY);
    until_left(&app, "restock-chair", 0).await;
    // Who left later is remembered longer, and a no is never forgotten where it would become a yes.
    until_left(&app, "restock-lamp", 1).await;
    assert_eq!(app.get("/v1/lists/news").await["left"], 1);
    let app = app.crash().await.start().await;
    assert_eq!(app.get("/v1/lists/restock-chair").await["left"], 0);
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (1, 0));
    app.advance(398 * DAY);
    // The walk of every day comes round again.
    until_left(&app, "restock-lamp", 0).await;
    assert_eq!(app.get("/v1/lists/news").await["left"], 1);
    assert!(!subscribed(&app, "ann", "news").await);
    app.stop().await;
}
