//! The path of a request: read, routed, admitted, parsed, checked, answered; behind it an engine that confirms at once.
//!
//! `parse_…` and `open_…` are the handlers' own code, from the bytes of a body on. The others use one connection on loopback:
//! either one request at a time (with all system calls and thread wake-ups), or 64 requests sent together, which comes near
//! to what a request costs the server.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use restockd::http::fuzzing;
use restockd::http::{Secret, Source, sign};
use restockd_testkit::KEY;
use serde_json::json;

use crate::http_server::{HttpServer, request};

const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
/// Requests sent together.
const IN_ONE_GO: [usize; 2] = [1, 64];

fn source() -> Source {
    Source { secrets: vec![Secret::new(SECRET)], ..Source::default() }
}

/// A press, as in the documentation.
fn press(p: usize) -> serde_json::Value {
    json!({
        "name": "product.waitlisted", "email": format!("shopper.{p}@mail.example"), "userId": format!("u{p}"),
        "eventProperties": { "sku": "chair-01", "product_name": "Studio chair" },
        "lists": { "restock-chair-01": true }, "idempotencyKey": format!("waitlist-u{p}-chair-01"),
    })
}

fn batch(events: usize) -> String {
    json!({ "events": (0..events).map(press).collect::<Vec<_>>() }).to_string()
}

fn delivery() -> String {
    json!({ "delivery_id": "d-1", "type": "restock", "sku": "chair-01", "product_name": "Studio chair", "quantity": 12 })
        .to_string()
}

fn bearer() -> String {
    format!("authorization: Bearer {KEY}")
}

/// A handler that does nothing: the cost of server and connection.
#[divan::bench(args = IN_ONE_GO, max_time = 1)]
fn health(bencher: Bencher<'_, '_>, in_one_go: usize) {
    let request = request("GET", "/v1/health", &bearer(), "");
    HttpServer::open(vec![source()]).measure(bencher, &request, "200", (in_one_go, 1));
}

#[divan::bench(args = IN_ONE_GO, max_time = 1)]
fn event(bencher: Bencher<'_, '_>, in_one_go: usize) {
    let request = request("POST", "/v1/events", &bearer(), &press(7).to_string());
    HttpServer::open(vec![source()]).measure(bencher, &request, "202", (in_one_go, 1));
}

/// A press without a name: everything that is wrong is reported.
#[divan::bench(args = IN_ONE_GO, max_time = 1)]
fn event_refused(bencher: Bencher<'_, '_>, in_one_go: usize) {
    let body = json!({ "email": "ann", "lists": { "restock-chair-01": "yes" } }).to_string();
    let request = request("POST", "/v1/events", &bearer(), &body);
    HttpServer::open(vec![source()]).measure(bencher, &request, "4", (in_one_go, 1));
}

/// A hundred presses in one request; items are presses.
#[divan::bench(max_time = 1)]
fn batch_of_100(bencher: Bencher<'_, '_>) {
    let request = request("POST", "/v1/events/batch", &bearer(), &batch(100));
    HttpServer::open(vec![source()]).measure(bencher, &request, "2", (1, 100));
}

#[divan::bench(args = IN_ONE_GO, max_time = 1)]
fn webhook(bencher: Bencher<'_, '_>, in_one_go: usize) {
    let body = delivery();
    let signature = format!("x-signature: {}", sign(SECRET.as_bytes(), body.as_bytes()));
    let request = request("POST", "/v1/webhooks/inventory", &signature, &body);
    HttpServer::open(vec![source()]).measure(bencher, &request, "200", (in_one_go, 1));
}

/// The body of a batch, cut into items, each parsed and checked; items are presses.
#[divan::bench(args = [1, 100], max_time = 0.5)]
fn parse_batch(bencher: Bencher<'_, '_>, events: usize) {
    let body = batch(events);
    assert!(fuzzing::batch(body.as_bytes(), false).unwrap().iter().all(Result::is_ok));
    bencher
        .counter(ItemsCount::new(events))
        .counter(BytesCount::new(body.len()))
        .bench(|| fuzzing::batch(black_box(body.as_bytes()), false));
}

/// The body of a restock: signature verified, parsed and checked. The key of the source is prepared each time, which the
/// server does only once.
#[divan::bench(max_time = 0.5)]
fn open_webhook(bencher: Bencher<'_, '_>) {
    let body = delivery();
    let signature = sign(SECRET.as_bytes(), body.as_bytes());
    let headers = [("x-signature", signature.as_bytes())];
    assert!(matches!(fuzzing::webhook(source(), &headers, body.as_bytes()), Ok(Some(_))));
    bencher
        .with_inputs(source)
        .bench_values(|source| fuzzing::webhook(source, black_box(&headers), black_box(body.as_bytes())));
}
