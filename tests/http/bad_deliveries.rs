//! What no warehouse should send.

use restockd::http::sign;

use crate::bad_inputs::Shape::{Error, Payload};
use crate::bad_inputs::{Table, malformed_bodies};
use crate::harness::SECRET;

pub fn webhooks(table: &mut Table) {
    for source in ["no-such", "%ff", "inventory%00", "INVENTORY", "inventory%2f", &"x".repeat(5000)] {
        table.add(
            "POST",
            &format!("/v1/webhooks/{source}"),
            &[],
            b"{}",
            404,
            Error("Unknown webhook source"),
        );
    }
    table.add("POST", "/v1/webhooks/blank", &[], b"{}", 401, Error("Webhook signature not configured"));
    let good = sign(SECRET.as_bytes(), b"{}");
    let (upper, prefixed, longer) = (good.to_uppercase(), format!("sha256={good}"), format!("{good}00"));
    let foreign = sign(b"another secret", b"{}");
    let zeros = "0".repeat(64);
    for signature in [
        "",
        " ",
        "x",
        &good[..63],
        &good[..32],
        &upper,
        &prefixed,
        &longer,
        &foreign,
        &zeros,
        &"z".repeat(64),
        &"a".repeat(4000),
    ] {
        table.add(
            "POST",
            "/v1/webhooks/inventory",
            &[("x-signature", signature)],
            b"{}",
            401,
            Error("Invalid webhook signature"),
        );
    }
    table.add(
        "POST",
        "/v1/webhooks/inventory",
        &[("x-signature", &good)],
        b"{} ",
        401,
        Error("Invalid webhook signature"),
    );
    table.add(
        "POST",
        "/v1/webhooks/inventory",
        &[("x-signature", &good), ("x-signature", &good)],
        b"{}",
        401,
        Error("Invalid webhook signature"),
    );
    table.add(
        "POST",
        "/v1/webhooks/inventory",
        &[],
        &vec![b' '; 70_000],
        401,
        Error("Invalid webhook signature"),
    );
    table.add(
        "POST",
        "/v1/webhooks/inventory",
        &[("x-signature", &good)],
        &vec![b' '; 70_000],
        413,
        Error("65536"),
    );
    for body in malformed_bodies().into_iter().filter(|body| !body.windows(6).any(|w| w == b"\"value")) {
        table.signed(body, Payload(r#""Malformed JSON""#));
    }
    for body in ["[]", "null", "7", r#""x""#] {
        table.signed(body, Payload("Expected object"));
    }
    for (body, detail) in [
        ("{}", r#""sku":["Required"]"#),
        (r#"{"delivery_id":"d","type":"restock"}"#, r#""fieldErrors":{"sku":["Required"]}"#),
        (r#"{"delivery_id":"d","sku":"a"}"#, r#""fieldErrors":{"type":["Required"]}"#),
        (r#"{"delivery_id":"d","sku":"a","type":7}"#, r#""type":["Expected string, received number"]"#),
        (r#"{"type":"restock","sku":"a"}"#, r#""delivery_id":["Required"]"#),
        (r#"{"delivery_id":"","type":"restock","sku":"a"}"#, r#""delivery_id":["must hold 1 to 255"#),
        (r#"{"delivery_id":1.5,"type":"restock","sku":"a"}"#, r#""delivery_id":["Expected string"#),
        (
            r#"{"delivery_id":null,"type":"restock","sku":"a"}"#,
            r#""delivery_id":["Expected string, received null"#,
        ),
        (r#"{"delivery_id":"a\u0000","type":"restock","sku":"a"}"#, r#""delivery_id":["must hold"#),
        (r#"{"delivery_id":"d","type":"restock","sku":""}"#, r#""sku":["must hold 1 to 128"#),
        (r#"{"delivery_id":"d","type":"restock","sku":7}"#, r#""sku":["Expected string"#),
        (r#"{"delivery_id":"d","type":"restock","sku":"a\u202e"}"#, r#""sku":["must hold"#),
        (r#"{"delivery_id":"d","type":"sale"}"#, r#""sku":["Required"]"#),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","product_name":7}"#,
            r#""product_name":["Expected string"#,
        ),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","product_name":"a\nb"}"#,
            r#""product_name":["must hold"#,
        ),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","quantity":"3"}"#,
            r#""quantity":["Expected number, received string"]"#,
        ),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","quantity":1.5}"#,
            r#""quantity":["Expected integer"#,
        ),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","quantity":null}"#,
            r#""quantity":["Expected number, received null"]"#,
        ),
        (
            r#"{"delivery_id":"d","type":"restock","sku":"a","quantity":1e300}"#,
            r#""quantity":["Expected integer"#,
        ),
    ] {
        table.signed(body, Payload(detail));
    }
    let long =
        format!(r#"{{"delivery_id":"{}","type":"restock","sku":"{}"}}"#, "d".repeat(256), "s".repeat(129));
    table.signed(long, Payload(r#""sku":["must hold 1 to 128"#));
}
