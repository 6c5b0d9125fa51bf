//! The stock and the name of a product are those that were told last, by whichever way, also after a crash.

use restockd_core::directory::{Accepted, DirectoryEvent, PersonFact, RestockFact};
use restockd_core::list::{ChangeSource, ListEvent};
use restockd_core::{Email, ListId, PersonId, ProductDetails};
use restockd_records::{Encoded, Stamp};
use restockd_testkit::app::{App, NOON, Plan, SECRET};
use serde_json::{Value, json};

use crate::helpers::*;

/// A restock event says so many units, and a name.
async fn told(app: &App, quantity: i64, name: Option<&str>) {
    let mut properties = json!({ "sku": "lamp", "quantity": quantity });
    if let Some(name) = name {
        properties["product_name"] = json!(name);
    }
    app.post("/v1/events", json!({ "name": "product.restocked", "eventProperties": properties })).await;
}

/// A signed restock says so many units, and a name.
async fn delivered(app: &App, delivery: &str, quantity: i64, name: &str) {
    let body = json!({ "delivery_id": delivery, "type": "restock", "sku": "lamp", "product_name": name, "quantity": quantity });
    let body = body.to_string();
    let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
    let (status, answer) =
        app.send("POST", "/v1/webhooks/inventory", &[("x-signature", signature)], body.as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
}

/// An order of somebody who is on no list, with the product's name.
async fn ordered(app: &App, name: &str) {
    let order = json!({ "name": "order.completed", "email": at("bob"), "lists": { "restock-lamp": false },
        "eventProperties": { "sku": "lamp", "product_name": name } });
    app.post("/v1/events", order).await;
}

/// Stock and name, before a crash and after it.
async fn kept(app: App) -> (App, [Value; 2]) {
    let known = |list: &Value| json!([list["stock"], list["product"]]);
    let before = known(&app.get("/v1/lists/restock-lamp").await);
    let app = app.crash().await.start().await;
    let after = known(&app.get("/v1/lists/restock-lamp").await);
    (app, [before, after])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_told_last_stands_after_a_crash() {
    let app = App::fresh().await;
    press_all(&app, &["ann"], "lamp").await;
    told(&app, 0, None).await;
    told(&app, 5, None).await;
    let (app, stock) = kept(app).await;
    assert_eq!(stock, [json!([5, "The lamp"]), json!([5, "The lamp"])]);
    delivered(&app, "d1", 4, "The lamp").await;
    told(&app, -2, None).await;
    // Tells nothing new, and leaves no record.
    told(&app, -2, None).await;
    delivered(&app, "d2", 9, "The lamp").await;
    let (app, stock) = kept(app).await;
    assert_eq!(stock, [json!([9, "The lamp"]), json!([9, "The lamp"])]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_told_last_stands_after_a_crash() {
    for by_event in [true, false] {
        let app = App::fresh().await;
        press_all(&app, &["ann"], "lamp").await;
        ordered(&app, "Old").await;
        // Tells nothing new, and leaves no record.
        ordered(&app, "Old").await;
        if by_event {
            told(&app, 5, Some("New")).await;
        } else {
            delivered(&app, "d1", 5, "New").await;
        }
        let (app, name) = kept(app).await;
        assert_eq!(name, [json!([5, "New"]), json!([5, "New"])], "by event: {by_event}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_a_product_that_nobody_waits_for_makes_no_list_and_names_none_later() {
    let app = App::fresh().await;
    ordered(&app, "Old").await;
    assert_eq!(app.get("/v1/lists/restock-lamp").await["product"], Value::Null);
    delivered(&app, "d1", 5, "New").await;
    let (app, name) = kept(app).await;
    assert_eq!(name, [json!([5, "New"]), json!([5, "New"])]);
    app.stop().await;
}

/// The first event: ann joins these lists, and what it says of a product.
fn first(lists: &[&ListId], name: Option<&str>, restock: Option<RestockFact>) -> Encoded {
    let email = Email::parse(&at("ann"));
    let person = PersonFact { id: PersonId(1), email, user_id: None, anonymous_id: None, props: Vec::new() };
    let event = Accepted {
        name: "w".to_owned(),
        key: None,
        source: ChangeSource::Event,
        person: Some(person),
        bag: lists.iter().map(|list| ((*list).clone(), true)).collect(),
        timestamp: None,
        product: name.map(|name| (lists[0].clone(), name.to_owned())),
        restock: restock.map(Box::new),
        attested: None,
    };
    restockd_records::of_directory(Stamp { seq: 1, at: NOON }, &DirectoryEvent::Event(event))
}

/// Ann's place, first on a list, as the first event gave it.
fn joined() -> ListEvent {
    ListEvent::Joined {
        event: 1,
        person: PersonId(1),
        ordinal: 1,
        changed: NOON,
        source: ChangeSource::Event,
    }
}

/// Records of a list, from its first.
fn said(list: &ListId, events: Vec<ListEvent>) -> impl Iterator<Item = Encoded> {
    (1..).zip(events).map(|(seq, event)| restockd_records::of_list(Stamp { seq, at: NOON }, list, &event))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_list_of_a_bag_has_not_heard_is_not_sent_again_to_the_other() {
    let (plan, lamp, sofa) =
        (Plan::new(), ListId::parse("restock-lamp").unwrap(), ListId::parse("restock-sofa").unwrap());
    let named = |event, name: &str| ListEvent::Named { event, product: name.to_owned() };
    let heard = vec![named(0, "Old"), joined(), named(1, "New")];
    write_log(&plan, std::iter::once(first(&[&lamp, &sofa], Some("Old"), None)).chain(said(&lamp, heard)));
    let app = plan.start().await;
    assert_eq!((members(&app, "restock-lamp").await, members(&app, "restock-sofa").await), (1, 1));
    assert_eq!(app.get("/v1/lists/restock-lamp").await["product"], "New");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_that_also_put_somebody_on_its_list_is_counted_after_a_crash_between_the_two() {
    let (plan, lamp) = (Plan::new(), ListId::parse("restock-lamp").unwrap());
    let restock = RestockFact {
        list: lamp.clone(),
        key: 7,
        product: None,
        quantity: Some(5),
        details: ProductDetails::default(),
    };
    write_log(
        &plan,
        std::iter::once(first(&[&lamp], None, Some(restock))).chain(said(&lamp, vec![joined()])),
    );
    let app = plan.start().await;
    let id = newest(&app).await;
    assert_eq!(n(&app.campaign_sent(&id).await, "sentCount"), 1);
    app.stop().await;
}
