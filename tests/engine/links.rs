//! The links in mails, taken from the mails themselves.

use restockd_testkit::app::App;
use serde_json::Value;

use crate::helpers::*;

/// The path and query of the first link to a page in the last mail to somebody.
fn link(app: &App, name: &str, page: &str) -> String {
    let mails = app.outbox().mails();
    let mail = mails.iter().rev().find(|mail| mail.letter.to == at(name)).unwrap();
    let start = format!("https://shop.example/v1/email/{page}?token=");
    let from = mail.letter.text.find(&start).unwrap_or_else(|| panic!("{page} in {}", mail.letter.text));
    let rest = &mail.letter.text[from + "https://shop.example".len()..];
    rest.split_whitespace().next().unwrap().trim_end_matches(['.', ')', '>']).to_owned()
}

/// A form.
async fn form(app: &App, path: &str, body: &str) -> (u16, Value) {
    let kind = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    app.send("POST", path, &kind, body.as_bytes()).await
}

/// Ann was mailed about the chair; she waits for the lamp too, Bob for the sofa.
async fn mailed_ann() -> App {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "chair").await;
    press_all(&app, &["ann"], "lamp").await;
    press_all(&app, &["bob"], "sofa").await;
    let id = restocked(&app, "d1", "chair").await;
    app.campaign_sent(&id).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_an_unsubscribe_link_changes_nothing_and_the_button_leaves_that_list_only() {
    let app = mailed_ann().await;
    let mail = app.outbox().mails()[0].clone();
    let header = mail.letter.unsubscribe_url.clone().unwrap();
    let path = header.strip_prefix("https://shop.example").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        assert_eq!(app.send(method, &path, &[], b"").await.0, 200);
    }
    assert!(subscribed(&app, "ann", "restock-chair").await);
    let (status, _) = form(&app, &path, "List-Unsubscribe=One-Click").await;
    assert_eq!(status, 200);
    assert!(!subscribed(&app, "ann", "restock-chair").await);
    assert!(subscribed(&app, "ann", "restock-lamp").await);
    assert_eq!(form(&app, &path, "List-Unsubscribe=One-Click").await.0, 200, "again is fine");
    let plan = app.crash().await;
    let app = plan.start().await;
    assert!(!subscribed(&app, "ann", "restock-chair").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_link_offers_all_and_that_stops_all_mail() {
    let app = mailed_ann().await;
    let path = app.outbox().mails()[0].letter.unsubscribe_url.clone().unwrap();
    let path = path.strip_prefix("https://shop.example").unwrap();
    assert_eq!(form(&app, path, "scope=all").await.0, 200);
    let id = restocked(&app, "d2", "lamp").await;
    let done = app.campaign_sent(&id).await;
    assert_eq!(skipped(&done, "unsubscribed"), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preference_page_shows_only_the_persons_own_lists_and_changes_by_post_only() {
    let app = mailed_ann().await;
    let path = link(&app, "ann", "preferences");
    let (status, page) = app.send("GET", &path, &[], b"").await;
    let text = page.as_str().unwrap();
    assert_eq!(status, 200);
    assert!(text.contains("restock-chair") && text.contains("restock-lamp"));
    assert!(!text.contains("restock-sofa"), "somebody else's list is shown");
    app.send("HEAD", &path, &[], b"").await;
    assert!(subscribed(&app, "ann", "restock-lamp").await);
    let body = "shown=restock-chair&shown=restock-lamp&list=restock-chair";
    assert_eq!(form(&app, &path, body).await.0, 200);
    assert!(subscribed(&app, "ann", "restock-chair").await);
    assert!(!subscribed(&app, "ann", "restock-lamp").await);
    // A list that was not shown to her is not joined by a forged form.
    assert_eq!(form(&app, &path, "shown=restock-sofa&list=restock-sofa").await.0, 200);
    assert!(!subscribed(&app, "ann", "restock-sofa").await);
    assert_eq!(form(&app, &path, "all=stop").await.0, 200);
    let answer = app.press(&at("ann"), "sofa").await;
    assert!(answer["listsError"].is_string());
    assert_eq!(form(&app, &path, "all=start").await.0, 200);
    assert!(app.press(&at("ann"), "sofa").await["listsError"].is_null());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_kind_of_link_does_not_do_the_others_job_and_a_forged_one_none() {
    let app = mailed_ann().await;
    let unsubscribe = app.outbox().mails()[0].letter.unsubscribe_url.clone().unwrap();
    let token = unsubscribe.split("token=").nth(1).unwrap();
    let preferences = link(&app, "ann", "preferences");
    let other = preferences.split("token=").nth(1).unwrap();
    for path in [
        format!("/v1/email/preferences?token={token}"),
        format!("/v1/email/unsubscribe?token={other}"),
        format!("/v1/email/unsubscribe?token={}x", token),
        "/v1/email/unsubscribe?token=".to_owned(),
    ] {
        for method in ["GET", "POST"] {
            let (status, _) = app.send(method, &path, &[], b"").await;
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
    assert!(subscribed(&app, "ann", "restock-chair").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_for_years_and_follows_a_person_who_became_another() {
    let app = mailed_ann().await;
    let path = app.outbox().mails()[0].letter.unsubscribe_url.clone().unwrap();
    let path = path.strip_prefix("https://shop.example").unwrap();
    app.post("/v1/events", serde_json::json!({ "name": "seen", "userId": "u1" })).await;
    app.post("/v1/events", serde_json::json!({ "name": "in", "userId": "u1", "email": at("ann") })).await;
    let plan = app.stop().await;
    plan.clock.advance(3 * 365 * 86_400_000);
    let app = plan.start().await;
    assert_eq!(form(&app, path, "List-Unsubscribe=One-Click").await.0, 200);
    assert!(!subscribed(&app, "ann", "restock-chair").await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_somebody_erased_says_so_and_does_not_touch_who_came_after() {
    let app = mailed_ann().await;
    let path = app.outbox().mails()[0].letter.unsubscribe_url.clone().unwrap();
    let path = path.strip_prefix("https://shop.example").unwrap();
    erase(&app, "ann").await;
    press_all(&app, &["ann"], "chair").await;
    for method in ["GET", "POST"] {
        let (status, _) = app.send(method, path, &[], b"").await;
        assert!((400..500).contains(&status));
    }
    assert!(subscribed(&app, "ann", "restock-chair").await);
    app.stop().await;
}
