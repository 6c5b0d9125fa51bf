//! What shoppers, a warehouse and an operator do, and what the oracle learns from it.
//!
//! A deed goes over a [`Wire`], which says how patient its owner is: the load repeats a request with the same key until
//! it is acknowledged, a script gives up when the engine is gone. Each answer is held against what may be answered.

use restockd_testkit::process::{Answer, Client};
use serde_json::{Value, json};

use crate::oracle::Oracle;

/// An acknowledgement: status, body, and how often the request was sent before without one.
pub struct Heard {
    pub status: u16,
    pub body: Value,
    pub repeated: u64,
}

/// How requests reach the engine.
pub trait Wire {
    /// Asks until there is an answer that is neither lost nor 503; none where it is given up.
    fn ask(&self, ask: &dyn Fn(&Client) -> Answer) -> Option<Heard>;
    fn oracle(&self) -> &Oracle;
}

/// The list of a product.
pub fn list_of(sku: &str) -> String {
    format!("restock-{sku}")
}

fn bag(email: &str, lists: &[String], here: bool, key: &str) -> Value {
    let bag: serde_json::Map<String, Value> = lists.iter().map(|list| (list.clone(), here.into())).collect();
    json!({ "name": "press", "email": email, "lists": bag, "idempotencyKey": key })
}

/// Joins or leaves lists by one event.
pub fn press(wire: &dyn Wire, email: &str, lists: &[String], here: bool, key: &str) -> Option<Value> {
    let event = bag(email, lists, here, key);
    wire.oracle().unsure(email, lists, here);
    let heard = wire.ask(&|client| client.try_post("/v1/events", &event))?;
    stored(&heard.body, heard.repeated);
    assert_eq!(heard.status, 202);
    wire.oracle().sure(email, lists, here);
    Some(event)
}

/// Only a request whose answer was lost can have been stored before.
fn stored(answer: &Value, repeated: u64) {
    assert!(answer["stored"] == true || repeated > 0, "{answer}");
    assert!(answer.get("listsError").is_none(), "{answer}");
}

/// Many people join one list by one request.
pub fn press_many(wire: &dyn Wire, emails: &[String], list: &str) -> Option<()> {
    let lists = [list.to_owned()];
    let events: Vec<Value> =
        emails.iter().map(|email| bag(email, &lists, true, &format!("b-{email}"))).collect();
    for email in emails {
        wire.oracle().unsure(email, &lists, true);
    }
    let batch = json!({ "events": events });
    let heard = wire.ask(&|client| client.try_post("/v1/events/batch", &batch))?;
    let results = heard.body["results"].as_array().unwrap();
    assert_eq!((heard.status, results.len()), (202, emails.len()), "{}", heard.body);
    results.iter().for_each(|result| stored(result, heard.repeated));
    emails.iter().for_each(|email| wire.oracle().sure(email, &lists, true));
    Some(())
}

/// Leaves one list by its own verb.
pub fn unsubscribe(wire: &dyn Wire, email: &str, list: &str) -> Option<()> {
    let lists = [list.to_owned()];
    wire.oracle().unsure(email, &lists, false);
    let (path, body) = (format!("/v1/lists/{list}/unsubscribe"), json!({ "email": email }));
    let heard = wire.ask(&|client| client.try_post(&path, &body))?;
    assert_eq!((heard.status, &heard.body["subscribed"]), (200, &false.into()), "{}", heard.body);
    wire.oracle().sure(email, &lists, false);
    Some(())
}

/// A person is erased.
pub fn erase(wire: &dyn Wire, email: &str) -> Option<()> {
    let lists = wire.oracle().lists_of(email);
    wire.oracle().unsure(email, &lists, false);
    let body = json!({ "email": email });
    let heard = wire.ask(&|client| client.try_delete("/v1/contacts", &body))?;
    assert!(heard.status == 200 || (heard.status == 404 && heard.repeated > 0), "{}", heard.body);
    wire.oracle().sure(email, &lists, false);
    wire.oracle().erased(email);
    Some(())
}

/// A signed restock.
pub fn restock(wire: &dyn Wire, sku: &str, delivery: &str) -> Option<()> {
    let asked = wire.oracle().now();
    let heard = wire.ask(&|client| client.try_restock(delivery, sku))?;
    assert_eq!((heard.status, &heard.body["event"]), (200, &"product.restocked".into()), "{}", heard.body);
    assert!(heard.body.get("duplicate").is_none() || heard.repeated > 0, "{}", heard.body);
    wire.oracle().restock(asked, sku, delivery);
    Some(())
}

/// A campaign by hand; its subject is its key.
pub fn campaign(wire: &dyn Wire, list: &str, key: &str) -> Option<()> {
    let body = json!({
        "name": key, "list": list, "template": "announcement", "subject": key, "idempotencyKey": key,
    });
    let asked = wire.oracle().now();
    let heard = wire.ask(&|client| client.try_post("/v1/campaigns", &body))?;
    assert_eq!(heard.status, 202, "{}", heard.body);
    assert!(heard.body.get("mismatch").is_none(), "{}", heard.body);
    wire.oracle().campaign(asked, &body, heard.body["campaignId"].as_str().unwrap());
    Some(())
}
