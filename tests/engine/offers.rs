//! Link, picture and price that a restock brings: in the mail, over a crash, and when they are nonsense.

use restockd_core::directory::{Accepted, DirectoryEvent, PersonFact, RestockFact};
use restockd_core::list::{ChangeSource, ListEvent};
use restockd_core::{Day, Email, ListId, PersonId, ProductDetails};
use restockd_records::{Encoded, Stamp};
use restockd_testkit::app::{App, NOON, Plan, SECRET};
use serde_json::{Value, json};

use crate::helpers::*;

const LINK: &str = "https://shop.example/p/1?a=b";
const PICTURE: &str = "https://cdn.example/1.jpg";
const PRICE: &str = "49,90 €";
const PATTERNS: &str =
    "[rule]\nproduct_url = \"https://old.example/{sku}\"\nimage_url = \"https://old.example/{sku}.jpg\"\n";

/// Whether the one letter shows link, picture and price in its text and HTML.
fn shown(app: &App) -> [bool; 5] {
    let mails = app.outbox().mails();
    assert_eq!(mails.len(), 1);
    let (text, html) = (&mails[0].letter.text, &mails[0].letter.html);
    assert!(!text.contains("old.example") && !html.contains("old.example"), "{text}{html}");
    let has = |whole: &str, part: &str| whole.contains(part);
    // In HTML a slash or an equals sign may be an entity.
    let html = html.replace("&#x2f;", "/").replace("&#x3d;", "=");
    [
        has(text, &format!("See it in the shop: {LINK}\n")),
        has(text, &format!("Price: {PRICE}\n")),
        has(&html, &format!("href=\"{LINK}\"")),
        has(&html, &format!("src=\"{PICTURE}\"")),
        has(&html, PRICE),
    ]
}

/// A signed restock with more than the usual fields.
async fn deliver(app: &App, source: &str, body: Value) {
    let body = body.to_string();
    let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
    let path = format!("/v1/webhooks/{source}");
    let (status, answer) = app.send("POST", &path, &[("x-signature", signature)], body.as_bytes()).await;
    assert_eq!((status, &answer["event"]), (200, &json!("product.restocked")), "{answer}");
}

/// The campaign about the chair is done.
async fn sent(app: &App) {
    let id = of_list(app, "restock-chair").await;
    app.campaign_sent(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_picture_and_price_of_a_webhook_stand_in_the_mail_and_win_over_what_is_configured() {
    let app = Plan::new().toml(PATTERNS).start().await;
    press_all(&app, &["ann"], "chair").await;
    let body = json!({ "delivery_id": "d1", "type": "restock", "sku": "chair", "quantity": 3,
        "product_url": LINK, "image_url": PICTURE, "price": PRICE });
    deliver(&app, "inventory", body).await;
    sent(&app).await;
    assert_eq!(shown(&app), [true; 5]);
    // The next day's says nothing of them: what is configured holds, and no old price.
    app.advance(86_400_000);
    app.outbox().take();
    let id = restocked(&app, "d2", "chair").await;
    app.campaign_sent(&id).await;
    let text = app.outbox().mails()[0].letter.text.clone();
    assert!(text.contains("https://old.example/chair\n") && !text.contains("Price"), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_may_call_them_as_it_likes() {
    let toml =
        "[source.warehouse.fields]\nproduct_url = \"link\"\nimage_url = \"photo\"\nprice = \"costs\"\n";
    let app = Plan::new().toml(toml).env("WAREHOUSE_WEBHOOK_SECRET", SECRET).start().await;
    press_all(&app, &["ann"], "chair").await;
    let body = json!({ "delivery_id": "d1", "type": "restock", "sku": "chair",
        "link": LINK, "photo": PICTURE, "costs": PRICE, "price": "1 €" });
    deliver(&app, "warehouse", body).await;
    sent(&app).await;
    assert_eq!(shown(&app), [true; 5]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn link_picture_and_price_of_an_event_stand_in_the_mail() {
    let app = Plan::new().toml(PATTERNS).start().await;
    press_all(&app, &["ann"], "chair").await;
    let event = json!({ "name": "product.restocked", "eventProperties": {
        "sku": "chair", "product_url": LINK, "image_url": PICTURE, "price": PRICE } });
    app.post("/v1/events", event).await;
    wait_until_settled(&app).await;
    sent(&app).await;
    assert_eq!(shown(&app), [true; 5]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_cannot_show_is_dropped_and_the_restock_counts_all_the_same() {
    let app = Plan::new().toml(PATTERNS).start().await;
    let bad = json!({ "product_url": "javascript:alert(1)", "image_url": 7, "price": "9\n9" });
    let with = |more: Value| {
        let mut body = bad.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (sku, by_event) in [("chair", false), ("lamp", true)] {
        press_all(&app, &["ann"], sku).await;
        app.outbox().take();
        if by_event {
            let properties = with(json!({ "sku": sku }));
            let event = json!({ "name": "product.restocked", "eventProperties": properties });
            app.post("/v1/events", event).await;
            wait_until_settled(&app).await;
        } else {
            deliver(&app, "inventory", with(json!({ "delivery_id": "d", "type": "restock", "sku": sku })))
                .await;
        }
        let id = of_list(&app, &format!("restock-{sku}")).await;
        app.campaign_sent(&id).await;
        let text = app.outbox().mails()[0].letter.text.clone();
        assert!(text.contains(&format!("https://old.example/{sku}\n")), "{text}");
        assert!(!text.contains("Price") && !text.contains("javascript"), "{text}");
    }
    app.stop().await;
}

/// Somebody who waits for the chair, as the directory and the list have it.
fn waiting(list: &ListId) -> [Encoded; 2] {
    let (person, email) = (PersonId(1), Email::parse(&at("ann")));
    let fact = PersonFact { id: person, email, user_id: None, anonymous_id: None, props: Vec::new() };
    let accepted = Accepted { person: Some(fact), bag: vec![(list.clone(), true)], ..nobodys() };
    let stamp = Stamp { seq: 1, at: NOON };
    let joined =
        ListEvent::Joined { event: 1, person, ordinal: 1, changed: NOON, source: ChangeSource::Event };
    [
        restockd_records::of_directory(stamp, &DirectoryEvent::Event(accepted)),
        restockd_records::of_list(stamp, list, &joined),
    ]
}

/// An event of nobody.
fn nobodys() -> Accepted {
    let (key, timestamp, product, restock, person) = (None, None, None, None, None);
    let (name, source, bag) = ("w".to_owned(), ChangeSource::Event, Vec::new());
    Accepted { name, key, source, person, bag, timestamp, product, restock, attested: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_campaign_is_recorded_leaves_the_mail_as_the_restock_said() {
    for by_event in [false, true] {
        let plan = Plan::new().toml(PATTERNS);
        let list = ListId::parse("restock-chair").unwrap();
        let details = ProductDetails::of(Some(LINK), Some(PICTURE), Some(PRICE));
        std::fs::create_dir_all(plan.data()).unwrap();
        let campaign = restockd::boot::secrets(&plan.data()).unwrap().campaign("restock-chair-2026-03-02");
        let stamp = Stamp { seq: 2, at: NOON };
        let last = if by_event {
            let restock = Some(Box::new(RestockFact {
                list: list.clone(),
                key: 7,
                product: None,
                quantity: None,
                details,
            }));
            let event = Accepted { restock, ..nobodys() };
            restockd_records::of_directory(stamp, &DirectoryEvent::Event(event))
        } else {
            let day = Day((NOON.0 / 86_400_000) as i32);
            let (stock, campaign) = (Some(5), Some(campaign));
            let (event, key, details) = (1, 7, Some(details));
            let said = ListEvent::Restocked { event, key, stock, day, campaign, upto: 1, added: 1, details };
            restockd_records::of_list(stamp, &list, &said)
        };
        write_log(&plan, waiting(&list).into_iter().chain([last]));
        let app = plan.start().await;
        wait_until_settled(&app).await;
        sent(&app).await;
        assert_eq!(shown(&app), [true; 5], "by event: {by_event}");
        app.stop().await;
    }
}
