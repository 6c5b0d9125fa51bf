//! Limits, each exactly at it and one above.

use serde_json::{Map, Value, json};

use crate::harness::{Reply, TestServer, request, start};

/// An event as JSON of exactly this many bytes.
fn padded(bytes: usize) -> Vec<u8> {
    let frame = r#"{"name":"a","unknown":""}"#.len();
    format!(r#"{{"name":"a","unknown":"{}"}}"#, "x".repeat(bytes - frame)).into_bytes()
}

/// An address of exactly this many bytes, 199 to 254.
fn address(bytes: usize) -> String {
    let label = "d".repeat(60);
    let fixed = format!("@{label}.{label}.example");
    let rest = bytes - fixed.len();
    let local = rest.min(64);
    match rest - local {
        0 => format!("{}{fixed}", "l".repeat(local)),
        more => format!("{}@{}.{}", "l".repeat(local), "e".repeat(more - 1), &fixed[1..]),
    }
}

async fn event(server: &TestServer, fields: Value) -> Reply {
    server.ask("POST", "/v1/events", &server.ingest, fields.to_string().as_bytes()).await
}

#[tokio::test]
async fn bodies_are_taken_up_to_their_limit() {
    let server = start().await;
    for (path, good) in [("/v1/events", 202), ("/v1/campaigns", 400), ("/v1/lists/sale/subscribe", 400)] {
        let reply = server.ask("POST", path, &server.ingest, &padded(65_536)).await;
        assert_eq!(reply.status, good, "{path}");
        let reply = server.ask("POST", path, &server.ingest, &padded(65_537)).await;
        assert_eq!((reply.status, reply.error().as_str()), (413, "request body is over 65536 bytes"));
    }
    let small = r#"{"events":[{"name":"a"}]}"#;
    let exact = format!("{small}{}", " ".repeat((8 << 20) - small.len()));
    for (body, status) in [(exact.clone(), 202), (exact + " ", 413)] {
        let reply = server.ask("POST", "/v1/events/batch", &server.ingest, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    // An item is an event: it may not be longer than one.
    let (good, long) = (padded(65_536), padded(65_537));
    let lines = [good.as_slice(), b"\n", long.as_slice()].concat();
    let bearer = format!("Bearer {}", server.ingest);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let results = server.send(&request("POST", "/v1/events/batch", &headers, &lines)).await.json();
    assert_eq!(results["results"][0]["stored"], true);
    assert_eq!(results["results"][1], json!({"error": "request body is over 65536 bytes"}));
}

#[tokio::test]
async fn a_delivery_is_taken_up_to_its_limit() {
    let server = start().await;
    for (bytes, status) in [(65_536, 200), (65_537, 413)] {
        let frame = r#"{"delivery_id":"d","type":"restock","sku":"lamp","more":""}"#.len();
        let body = format!(
            r#"{{"delivery_id":"d","type":"restock","sku":"lamp","more":"{}"}}"#,
            "x".repeat(bytes - frame)
        );
        let signature = restockd::http::sign(crate::harness::SECRET.as_bytes(), body.as_bytes());
        let bytes =
            request("POST", "/v1/webhooks/inventory", &[("x-signature", &signature)], body.as_bytes());
        assert_eq!(server.send(&bytes).await.status, status);
    }
}

#[tokio::test]
async fn fields_are_taken_up_to_their_limit() {
    let server = start().await;
    let bag = |ids: usize| -> Map<String, Value> {
        (0..ids).map(|n| (format!("restock-{n}"), json!(true))).collect()
    };
    let keys =
        |count: usize| -> Map<String, Value> { (0..count).map(|n| (format!("k{n}"), json!(n))).collect() };
    let properties = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    let cases: [(&str, Value, Value); 9] = [
        ("name", json!("n".repeat(200)), json!("n".repeat(201))),
        ("name", json!("é".repeat(200)), json!("é".repeat(201))),
        ("email", json!(address(254)), json!(address(255))),
        ("userId", json!("u".repeat(255)), json!("u".repeat(256))),
        ("idempotencyKey", json!("é".repeat(127)), json!("é".repeat(128))),
        ("lists", json!(bag(200)), json!(bag(201))),
        ("eventProperties", properties(16_384), properties(16_385)),
        ("contactProperties", properties(16_384), properties(16_385)),
        ("contactProperties", json!(keys(100)), json!(keys(101))),
    ];
    for (field, good, bad) in cases {
        let mut body = json!({"name": "a", "email": "ann@shop.example"});
        body[field] = good;
        let reply = event(&server, body.clone()).await;
        assert_eq!(
            (reply.status, reply.json()["stored"].as_bool()),
            (202, Some(true)),
            "{field}: {}",
            reply.text()
        );
        assert_eq!(reply.json().get("listsError"), None, "{}", reply.text());
        body[field] = bad;
        let reply = event(&server, body).await;
        assert_eq!(reply.status, 400, "{field}");
        assert!(reply.issues().starts_with(&format!("{field}: must hold at most")), "{}", reply.issues());
    }
    let bearer = format!("Bearer {}", server.ingest);
    for (length, status) in [(255, 202), (256, 400)] {
        let key = "k".repeat(length);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
        assert_eq!(
            server.send(&request("POST", "/v1/events", &headers, br#"{"name":"a"}"#)).await.status,
            status
        );
    }
}

#[tokio::test]
async fn campaign_texts_are_taken_up_to_their_limit() {
    let server = start().await;
    for field in ["name", "subject"] {
        for (length, status) in [(200, 202), (201, 400)] {
            let mut body = json!({"list": "sale", "template": "announcement"});
            body[field] = json!("s".repeat(length));
            assert_eq!(server.json("POST", "/v1/campaigns", body).await.0, status, "{field} {length}");
        }
    }
    for (list, status) in [("s".repeat(128), 200), ("s".repeat(129), 400)] {
        let path = format!("/v1/lists/restock-{list}/subscribe");
        assert_eq!(server.json("POST", &path, json!({"email": "ann@shop.example"})).await.0, status);
    }
}
