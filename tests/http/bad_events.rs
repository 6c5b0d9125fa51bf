//! What no client should send as an event or a batch.

use crate::bad_inputs::Shape::{Error, Fine, Zod};
use crate::bad_inputs::{INGEST, MALFORMED, Table, bag, malformed_bodies, nested};

pub fn events(table: &mut Table) {
    for body in malformed_bodies() {
        table.keyed("POST", "/v1/events", body, 400, MALFORMED);
    }
    for body in ["[]", "null", "7", "true", r#""text""#, r#"["product.waitlisted"]"#] {
        table.keyed("POST", "/v1/events", body, 400, Zod(": Expected object"));
    }
    for body in ["{}", r#"{"name":null}"#, r#"{"Name":"a"}"#, r#"{"name":"a","name":null}"#] {
        table.keyed("POST", "/v1/events", body, 400, Zod("name: Required"));
    }
    let long = "x".repeat(256);
    let name = "a".repeat(201);
    for (fields, line) in [
        (r#""name":"""#.to_owned(), "name: must not be empty"),
        (r#""name":"   ""#.to_owned(), "name: must not be empty"),
        (r#""name":7"#.to_owned(), "name: Expected string, received number"),
        (r#""name":["a"]"#.to_owned(), "name: Expected string, received array"),
        (r#""name":{"a":1}"#.to_owned(), "name: Expected string, received object"),
        (r#""name":true"#.to_owned(), "name: Expected string, received boolean"),
        (r#""name":"a\u0000b""#.to_owned(), "name: must not hold control"),
        (r#""name":"a\u202eb""#.to_owned(), "name: must not hold control"),
        (format!(r#""name":"{name}""#), "name: must hold at most 200"),
        (r#""email":7"#.to_owned(), "email: Expected string"),
        (r#""email":["a@b.cd"]"#.to_owned(), "email: Expected string, received array"),
        (r#""email":{"x":1}"#.to_owned(), "email: Expected string, received object"),
        (r#""email":false"#.to_owned(), "email: Expected string, received boolean"),
        (r#""email":"no address""#.to_owned(), "email: Invalid email"),
        (r#""email":"a@b""#.to_owned(), "email: Invalid email"),
        (r#""email":"a@b.cd\r\nBcc: x@y.zz""#.to_owned(), "email: Invalid email"),
        (r#""email":"a@b.cd,e@f.gh""#.to_owned(), "email: Invalid email"),
        (r#""email":"a\u0000@b.cd""#.to_owned(), "email: Invalid email"),
        (r#""email":"a@1.2.3.4""#.to_owned(), "email: Invalid email"),
        (format!(r#""email":"a@{long}.cd""#), "email: must hold at most 254"),
        (r#""userId":7"#.to_owned(), "userId: Expected string"),
        (r#""userId":{}"#.to_owned(), "userId: Expected string"),
        (format!(r#""userId":"{long}""#), "userId: must hold at most 255"),
        (r#""userId":"a\nb""#.to_owned(), "userId: must not hold control"),
        (r#""anonymousId":1.5"#.to_owned(), "anonymousId: Expected string"),
        (format!(r#""anonymousId":"{long}""#), "anonymousId: must hold at most 255"),
        (format!(r#""idempotencyKey":"{long}""#), "idempotencyKey: must hold at most 255"),
        (r#""idempotencyKey":7"#.to_owned(), "idempotencyKey: Expected string"),
        (r#""idempotencyKey":"a\tb""#.to_owned(), "idempotencyKey: must not hold control"),
        (r#""eventProperties":[]"#.to_owned(), "eventProperties: Expected object, received array"),
        (r#""eventProperties":"x""#.to_owned(), "eventProperties: Expected object, received string"),
        (r#""contactProperties":7"#.to_owned(), "contactProperties: Expected object"),
        (r#""contactProperties":true"#.to_owned(), "contactProperties: Expected object"),
        (format!(r#""contactProperties":{{"{long}":1}}"#), "contactProperties: a property's name"),
        (format!(r#""contactProperties":{}"#, bag(101)), "contactProperties: must hold at most 100"),
        (
            format!(r#""eventProperties":{{"a":"{}"}}"#, "x".repeat(17_000)),
            "eventProperties: must hold at most 16384",
        ),
        (
            format!(r#""contactProperties":{{"a":"{}"}}"#, "x".repeat(17_000)),
            "contactProperties: must hold at most 16384",
        ),
        (r#""value":"12""#.to_owned(), "value: Expected number, received string"),
        (r#""value":true"#.to_owned(), "value: Expected number, received boolean"),
        (r#""value":[]"#.to_owned(), "value: Expected number, received array"),
        (r#""currency":7"#.to_owned(), "currency: Expected string"),
        (r#""currency":["EUR"]"#.to_owned(), "currency: Expected string"),
        (r#""lists":[]"#.to_owned(), "lists: Expected object, received array"),
        (r#""lists":"restock-x""#.to_owned(), "lists: Expected object, received string"),
        (r#""lists":true"#.to_owned(), "lists: Expected object, received boolean"),
        (r#""lists":{"restock-x":"true"}"#.to_owned(), "lists.restock-x: Expected boolean, received string"),
        (r#""lists":{"restock-x":1}"#.to_owned(), "lists.restock-x: Expected boolean, received number"),
        (r#""lists":{"restock-x":null}"#.to_owned(), "lists.restock-x: Expected boolean, received null"),
        (
            r#""lists":{"a":true,"restock-x":{}}"#.to_owned(),
            "lists.restock-x: Expected boolean, received object",
        ),
        (format!(r#""lists":{}"#, bag(201)), "lists: must hold at most 200"),
        (format!(r#""lists":{}"#, bag(2000)), "lists: must hold at most 200"),
        (r#""timestamp":"yesterday""#.to_owned(), "timestamp: Invalid datetime"),
        (r#""timestamp":"""#.to_owned(), "timestamp: Invalid datetime"),
        (r#""timestamp":"2026-01-01""#.to_owned(), "timestamp: Invalid datetime"),
        (r#""timestamp":"2026-02-30T00:00:00Z""#.to_owned(), "timestamp: Invalid datetime"),
        (r#""timestamp":"2026-01-01T00:00:00""#.to_owned(), "timestamp: Invalid datetime"),
        (r#""timestamp":1767225600000"#.to_owned(), "timestamp: Expected string, received number"),
        (r#""eventProperties":{"sku":"a\u0007"}"#.to_owned(), "eventProperties.sku: must not hold control"),
        (
            r#""eventProperties":{"product_name":"a\r\nBcc: x"}"#.to_owned(),
            "eventProperties.product_name: must not",
        ),
        (
            r#""eventProperties":{"product_name":"\u202egnp"}"#.to_owned(),
            "eventProperties.product_name: must not",
        ),
        (
            format!(r#""eventProperties":{{"product_name":"{name}"}}"#),
            "eventProperties.product_name: must hold at most",
        ),
        (r#""email":"x","userId":7"#.to_owned(), "userId: Expected string, received number"),
    ] {
        let body = if fields.starts_with(r#""name""#) {
            format!("{{{fields}}}")
        } else {
            format!(r#"{{"name":"a",{fields}}}"#)
        };
        table.keyed("POST", "/v1/events", body, 400, Zod(line));
    }
    for properties in [r#"{"sku":7}"#, r#"{"sku":""}"#, r#"{"sku":["a"]}"#] {
        let body = format!(r#"{{"name":"product.restocked","eventProperties":{properties}}}"#);
        table.keyed("POST", "/v1/events", body, 400, Zod("eventProperties.sku: Expected a sku"));
    }
    for quantity in ["1.5", r#""3""#, "1e300", "true", "[1]", "18446744073709551615"] {
        let body = format!(
            r#"{{"name":"product.restocked","eventProperties":{{"sku":"x","quantity":{quantity}}}}}"#
        );
        table.keyed("POST", "/v1/events", body, 400, Zod("eventProperties.quantity: Expected a whole"));
    }
    let big = format!(r#"{{"name":"a","x":"{}"}}"#, "x".repeat(66_000));
    table.keyed("POST", "/v1/events", big, 413, Error("65536"));
    table.keyed("POST", "/v1/events", vec![b' '; 300_000], 413, Error("65536"));
    let key = [("authorization", INGEST), ("idempotency-key", long.as_str())];
    table.add(
        "POST",
        "/v1/events",
        &key,
        br#"{"name":"a"}"#,
        400,
        Zod("idempotency-key: must hold at most 255"),
    );
    for kind in
        ["multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded", "\"", "a/b/c"]
    {
        let headers = [("authorization", INGEST), ("content-type", kind)];
        table.add("POST", "/v1/events", &headers, br#"{"name":"a"}"#, 202, Fine(r#""contactKey":null"#));
    }
    for odd in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","email":""}"#,
        r#"{"name":"a","email":null,"lists":null}"#,
        r#"{"name":"a","value":123456789012345678901234567890}"#,
        r#"{"name":"a","idempotencyKey":""}"#,
        r#"{"name":"a","userId":"","anonymousId":""}"#,
        " \n{\"name\":\"a\"}\t\r\n",
        r#"{"name":"a","value":-0.0}"#,
        r#"{"name":"a","eventProperties":{"\u0000":"\u0001","":null}}"#,
        r#"{"name":"a","__proto__":{"x":1}}"#,
        r#"{"n\u0061me":"a"}"#,
        r#"{"name":"a","timestamp":"2026-01-01T00:00:00.123456+05:30"}"#,
    ] {
        table.keyed("POST", "/v1/events", odd, 202, Fine(r#""exits":[]"#));
    }
}

pub fn batches(table: &mut Table) {
    let path = "/v1/events/batch";
    for body in ["", "{", r#"{"events":[}"#, r#"{"events":[{]}"#, r#"{"events":[]}]"#, "\u{feff}{}"] {
        table.keyed("POST", path, body, 400, MALFORMED);
    }
    for body in ["{}", r#"{"event":[]}"#] {
        table.keyed("POST", path, body, 400, Zod("events: Required"));
    }
    for body in [
        r#"{"events":{}}"#,
        r#"{"events":"x"}"#,
        r#"{"events":7}"#,
        r#"{"events":null}"#,
        r#"{"events":1.5}"#,
    ] {
        table.keyed("POST", path, body, 400, Zod("events: Expected array"));
    }
    for body in ["[]", "7", r#""x""#, "null", "true"] {
        table.keyed("POST", path, body, 400, Zod(": Expected object"));
    }
    let many = format!(r#"{{"events":[{}1]}}"#, "1,".repeat(10_000));
    table.keyed("POST", path, many, 413, Error("10000"));
    table.keyed("POST", path, vec![b' '; (8 << 20) + 1], 413, Error("8388608"));
    let lines = [("authorization", INGEST), ("content-type", "application/x-ndjson")];
    table.add("POST", path, &lines, "{}\n".repeat(10_001).as_bytes(), 413, Error("10000"));
    table.add("POST", path, &lines, b"", 202, Fine(r#"{"results":[]}"#));
    table.add(
        "POST",
        path,
        &lines,
        b"\xff\n{\"name\":\"a\"}\n",
        202,
        Fine(r#"[{"error":"Malformed JSON in request body"},{"stored":true"#),
    );
    let mixed =
        r#"{"events":[1,null,[],{},{"name":7},{"name":"a","email":"x"},{"name":"a","lists":{"b":1}}]}"#;
    table.keyed("POST", path, mixed, 202, Fine(r#"{"error":"lists.b: Expected boolean, received number"}"#));
    let deep = format!(r#"{{"events":[{}]}}"#, nested(5000));
    table.keyed("POST", path, deep, 202, Fine(r#"{"error":"Malformed JSON in request body"}"#));
    let long = format!(r#"{{"events":[{{"name":"a","x":"{}"}}]}}"#, "x".repeat(70_000));
    table.keyed("POST", path, long, 202, Fine(r#"{"error":"request body is over 65536 bytes"}"#));
}
