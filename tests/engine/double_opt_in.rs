//! Double opt-in: nobody is mailed about a list before they confirmed, and one link does one thing once.

use restockd_engine::token::{Confirming, Purpose};
use restockd_mail::ScriptedReply as Reply;
use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

const MINUTE: u64 = 60_000;

/// All SKU lists ask, and so does a declared one.
fn plan() -> Plan {
    Plan::new().toml("[list.\"restock-*\"]\ndouble_opt_in = true\n[list.news]\nname = \"News\"\ndouble_opt_in = true\n[list.sale]\n")
}

/// Waits until so many mails have gone out since the start.
async fn mails(app: &App, count: usize) {
    let waiting = async {
        while app.outbox().count() < count {
            wait_until_settled(app).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.expect("the mails go out");
    wait_until_settled(app).await;
    assert_eq!(app.outbox().count(), count);
}

/// The token of the newest mail to somebody.
fn token(app: &App, name: &str) -> String {
    let mails = app.outbox().mails();
    let mail = mails.iter().rev().find(|mail| mail.letter.to == at(name)).expect("a mail to take it from");
    let (_, rest) = mail.letter.text.split_once("/v1/email/confirm?token=").expect("it holds the link");
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn page(app: &App, method: &str, token: &str, form: &str) -> (u16, String) {
    let kind = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let path = format!("/v1/email/confirm?token={token}");
    let (status, body) = app.send(method, &path, &kind, form.as_bytes()).await;
    (status, body.as_str().unwrap_or_default().to_owned())
}

async fn confirm(app: &App, token: &str, lists: &[&str]) -> String {
    let form: Vec<String> = lists.iter().map(|list| format!("list={list}")).collect();
    let (status, body) = page(app, "POST", token, &form.join("&")).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_no_membership_until_its_mail_is_confirmed() {
    let app = plan().start().await;
    app.press(&at("ann"), "chair").await;
    mails(&app, 1).await;
    let mail = app.outbox().mails()[0].letter.clone();
    assert!(mail.text.contains("The chair") && mail.list_id.is_none() && mail.unsubscribe_url.is_none());
    assert_eq!(members(&app, "restock-chair").await, 0);
    let (_, restock) = app.restock("d1", "chair", 5).await;
    assert_eq!((&restock["ok"], app.campaigns().await.len()), (&json!(true), 0), "nobody waits for it yet");
    // Scanners follow every link.
    let token = token(&app, "ann");
    for method in ["GET", "HEAD", "GET"] {
        let (status, body) = page(&app, method, &token, "list=restock-chair").await;
        assert!(status == 200 && (method == "HEAD" || body.contains("The chair")), "{body}");
    }
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.advance(1000);
    assert!(confirm(&app, &token, &["restock-chair"]).await.contains("Confirmed"));
    assert_eq!(members(&app, "restock-chair").await, 1);
    let held = app.get("/v1/contacts/export?email=ann@shop.example").await;
    let ways: Vec<&Value> = held["consent"].as_array().unwrap().iter().map(|row| &row["how"]).collect();
    assert_eq!(ways, ["link", "event"], "how it was asked for and how it was confirmed: {held}");
    assert_eq!((&held["consent"][0]["source"], &held["pending"]), (&json!("127.0.0.0/24"), &json!([])));
    let id = restocked(&app, "d2", "chair").await;
    app.campaign_sent(&id).await;
    assert_eq!(mailed(&app), ["ann", "ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_once_for_what_its_page_showed_and_for_nothing_newer() {
    let app = plan().start().await;
    app.press(&at("ann"), "chair").await;
    app.press(&at("ann"), "lamp").await;
    mails(&app, 1).await;
    let first = token(&app, "ann");
    app.advance(11 * MINUTE);
    mails(&app, 2).await;
    let second = token(&app, "ann");
    // The first mail did not know of the lamp, whatever the form says.
    confirm(&app, &first, &["restock-lamp"]).await;
    assert_eq!(members(&app, "restock-lamp").await, 0);
    confirm(&app, &first, &["restock-chair", "restock-lamp"]).await;
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (1, 0));
    // Replayed, also after leaving: it does nothing.
    leave(&app, "ann", "chair").await;
    let again = confirm(&app, &first, &["restock-chair"]).await;
    assert!(again.contains("Nothing to confirm"), "{again}");
    assert_eq!(members(&app, "restock-chair").await, 0);
    // Only what was left ticked.
    let (_, shown) = page(&app, "GET", &second, "").await;
    assert!(shown.contains("The lamp") && !shown.contains("The chair"), "{shown}");
    confirm(&app, &second, &[]).await;
    assert_eq!(members(&app, "restock-lamp").await, 0);
    confirm(&app, &second, &["restock-lamp"]).await;
    assert_eq!(members(&app, "restock-lamp").await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_asked_for_while_a_mail_is_on_its_way_gets_the_next_one() {
    let app = plan().start().await;
    app.outbox().hold();
    app.press(&at("ann"), "chair").await;
    app.held(1).await;
    app.press(&at("ann"), "lamp").await;
    app.outbox().release();
    mails(&app, 1).await;
    app.advance(11 * MINUTE);
    mails(&app, 2).await;
    confirm(&app, &token(&app, "ann"), &["restock-chair", "restock-lamp"]).await;
    assert_eq!((members(&app, "restock-chair").await, members(&app, "restock-lamp").await), (1, 1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_old_of_another_purpose_or_of_another_address_is_refused() {
    let app = plan().start().await;
    app.press(&at("ann"), "chair").await;
    mails(&app, 1).await;
    let good = token(&app, "ann");
    let ann = person(&app, "ann").await;
    let held = secrets(&app).verify_confirming(&good).unwrap();
    let other = Confirming { address: held.address ^ 1, ..held };
    let refused = [
        secrets(&app).sign(Purpose::Preferences, ann, None),
        secrets(&app).sign(Purpose::Unsubscribe, ann, None),
        format!("{}A", &good[..good.len() - 1]),
        String::new(),
    ];
    for token in refused.iter().filter(|token| **token != good) {
        assert_eq!(page(&app, "POST", token, "list=restock-chair").await.0, 404, "{token}");
        assert_eq!(page(&app, "GET", token, "").await.0, 404);
    }
    confirm(&app, &secrets(&app).sign_confirming(&other), &["restock-chair"]).await;
    for path in ["unsubscribe", "preferences"] {
        let (status, _) = app.send("POST", &format!("/v1/email/{path}?token={good}"), &[], b"all=stop").await;
        assert_eq!(status, 404, "a link that confirms does nothing else");
    }
    assert_eq!(members(&app, "restock-chair").await, 0);
    for _ in 0..48 {
        app.advance(60 * MINUTE);
    }
    assert_eq!(page(&app, "POST", &good, "list=restock-chair").await.0, 404);
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_crash_and_its_mail_goes_out_after_it() {
    let app = plan().start().await;
    app.outbox().hold();
    app.press(&at("ann"), "chair").await;
    app.held(1).await;
    let app = app.crash().await.start().await;
    mails(&app, 1).await;
    let link = token(&app, "ann");
    app.post("/v1/admin/snapshot", json!({})).await;
    let app = app.crash().await.start().await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 0, "it went out before");
    confirm(&app, &link, &["restock-chair"]).await;
    let app = app.crash().await.start().await;
    assert_eq!(members(&app, "restock-chair").await, 1);
    assert!(confirm(&app, &link, &["restock-chair"]).await.contains("Nothing to confirm"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_to_one_address_are_few_however_often_somebody_presses_and_a_restart_grants_no_more() {
    let app = plan().start().await;
    for n in 0..5 {
        for _ in 0..3 {
            app.press(&at("ann"), "chair").await;
        }
        mails(&app, n + 1).await;
        app.advance(10 * MINUTE);
    }
    app.press(&at("ann"), "lamp").await;
    wait_until_settled(&app).await;
    assert_eq!(app.outbox().count(), 5, "five a day");
    let app = app.crash().await.start().await;
    app.press(&at("ann"), "desk").await;
    app.press(&at("bob"), "desk").await;
    mails(&app, 1).await;
    assert_eq!(mailed(&app), ["bob"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_patience_gets_the_mail_again_and_holds_up_nobody() {
    let app = plan().start().await;
    answer_for(&app, "ann", Reply::Give(later()));
    app.press(&at("ann"), "chair").await;
    app.press(&at("bob"), "chair").await;
    mails(&app, 1).await;
    assert_eq!(mailed(&app), ["bob"]);
    accept_all(&app);
    app.advance(2 * MINUTE);
    mails(&app, 2).await;
    assert_eq!(mailed(&app), ["bob", "ann"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_same_for_a_stranger_and_for_a_member() {
    let app = plan().start().await;
    app.press(&at("ann"), "chair").await;
    mails(&app, 1).await;
    confirm(&app, &token(&app, "ann"), &["restock-chair"]).await;
    let subscribe = async |name: &str| {
        app.ask("POST", "/v1/lists/restock-chair/subscribe", Some(json!({ "email": at(name) }))).await
    };
    let pending = (200, json!({ "list": "restock-chair", "subscribed": false, "pending": true }));
    assert_eq!((subscribe("ann").await, subscribe("new").await), (pending.clone(), pending));
    assert_eq!(members(&app, "restock-chair").await, 1, "a member stays one");
    // A list that does not ask is joined at once.
    app.post("/v1/lists/sale/subscribe", json!({ "email": at("new") })).await;
    assert_eq!(members(&app, "sale").await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_suppressed_or_leaves_while_waiting_cannot_be_confirmed() {
    let app = plan().start().await;
    for name in ["erased", "suppressed", "left"] {
        app.press(&at(name), "chair").await;
    }
    mails(&app, 3).await;
    erase(&app, "erased").await;
    app.post("/v1/suppressions", json!({ "email": at("suppressed") })).await;
    leave(&app, "left", "chair").await;
    for (name, status) in [("erased", 404), ("suppressed", 400), ("left", 200)] {
        let link = token(&app, name);
        assert_eq!(page(&app, "POST", &link, "list=restock-chair").await.0, status, "{name}");
    }
    assert_eq!(members(&app, "restock-chair").await, 0);
    app.stop().await;
}
