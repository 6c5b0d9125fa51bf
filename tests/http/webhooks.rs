//! Deliveries: the order of the checks, and what a good one leads to.

use restockd::http::{Scheme, sign};
use serde_json::{Value, json};

use crate::harness::{OLD_SECRET, Reply, SECRET, TestServer, request, start, start_with};

async fn deliver(server: &TestServer, signature: Option<&str>, source: &str, body: &str) -> Reply {
    let headers: Vec<_> = signature.iter().map(|value| ("x-signature", *value)).collect();
    server.send(&request("POST", &format!("/v1/webhooks/{source}"), &headers, body.as_bytes())).await
}

async fn signed(server: &TestServer, body: &Value) -> Value {
    let body = body.to_string();
    let reply = deliver(server, Some(&sign(SECRET.as_bytes(), body.as_bytes())), "inventory", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn each_check_comes_before_the_next() {
    let server = start().await;
    let good = |body: &str| sign(SECRET.as_bytes(), body.as_bytes());
    // Each delivery is wrong in this and in every later way.
    let reply = deliver(&server, None, "nowhere", "{").await;
    assert_eq!((reply.status, reply.error().as_str()), (404, "Unknown webhook source"));
    let reply = deliver(&server, None, "blank", "{").await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "Webhook signature not configured"));
    let reply = deliver(&server, Some("bad"), "inventory", "{").await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "Invalid webhook signature"));
    let reply = deliver(&server, Some(&good("{")), "inventory", "{").await;
    assert_eq!(
        (reply.status, reply.json()),
        (400, json!({"error": "Invalid payload", "details": "Malformed JSON"}))
    );
    let body = r#"{"type":"sale","quantity":0}"#;
    let reply = deliver(&server, Some(&good(body)), "inventory", body).await;
    assert_eq!((reply.status, &reply.json()["details"]["formErrors"]), (400, &json!([])));
    let body = r#"{"type":"sale","quantity":0,"sku":"a","delivery_id":"d"}"#;
    let reply = deliver(&server, Some(&good(body)), "inventory", body).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"ok": true, "skipped": true, "reason": "type is not restock"}))
    );
}

#[tokio::test]
async fn a_restock_counts_once() {
    let server = start().await;
    let body = json!({"delivery_id": "d1", "type": "restock", "sku": "chair", "product_name": "Chair", "quantity": 5});
    assert_eq!(signed(&server, &body).await, json!({"ok": true, "event": "product.restocked", "exits": []}));
    let again = json!({"ok": true, "event": "product.restocked", "exits": [], "duplicate": true});
    assert_eq!(signed(&server, &body).await, again);
    let plain =
        json!({"delivery_id": 17, "type": "restock", "sku": "chair", "quantity": 3.0, "product_name": null});
    assert_eq!(signed(&server, &plain).await["exits"], json!([]));
    let text = json!({"delivery_id": "17", "type": "restock", "sku": "chair"});
    assert_eq!(signed(&server, &text).await["duplicate"], true);
}

#[tokio::test]
async fn sold_out_is_skipped_and_uses_no_delivery_up() {
    let server = start().await;
    for quantity in [json!(0), json!(-3), json!(-0.0)] {
        let body = json!({"delivery_id": "d", "type": "restock", "sku": "chair", "quantity": quantity});
        let skipped = json!({"ok": true, "skipped": true, "reason": "quantity is 0 or below"});
        assert_eq!(signed(&server, &body).await, skipped);
    }
    let body = json!({"delivery_id": "d", "type": "restock", "sku": "chair", "quantity": 1});
    assert_eq!(signed(&server, &body).await.get("duplicate"), None);
}

#[tokio::test]
async fn both_secrets_are_good_while_one_is_rotated() {
    let server = start().await;
    let body = r#"{"delivery_id":"d","type":"restock","sku":"chair"}"#;
    for secret in [SECRET, OLD_SECRET] {
        let reply =
            deliver(&server, Some(&sign(secret.as_bytes(), body.as_bytes())), "inventory", body).await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_prefix_or_upper_case_is_taken_where_the_source_says_so() {
    let scheme = Scheme::HexSha256 { prefix_ok: true, upper_ok: true };
    let server =
        start_with(|settings| settings.sources.iter_mut().for_each(|source| source.scheme = scheme)).await;
    let body = r#"{"delivery_id":"d","type":"restock","sku":"chair"}"#;
    let tag = sign(SECRET.as_bytes(), body.as_bytes());
    for signature in [format!("sha256={tag}"), tag.to_uppercase(), tag] {
        assert_eq!(deliver(&server, Some(&signature), "inventory", body).await.status, 200);
    }
}
