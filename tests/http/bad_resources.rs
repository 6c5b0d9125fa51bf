//! What no client should send about lists, contacts, campaigns and keys.

use crate::bad_inputs::Shape::{Error, Zod};
use crate::bad_inputs::{INGEST, MALFORMED, Table, bag};

pub fn lists(table: &mut Table) {
    let path = "/v1/lists/restock-x/subscribe";
    for body in ["", "x", "{", "\u{feff}{}"] {
        table.keyed("POST", path, body, 400, MALFORMED);
    }
    for body in [
        "{}",
        r#"{"email":""}"#,
        r#"{"email":null,"userId":null}"#,
        r#"{"userId":""}"#,
        r#"{"mail":"a@b.cd"}"#,
    ] {
        table.keyed("POST", path, body, 400, Error("either email or userId is required"));
    }
    table.keyed("POST", path, "[]", 400, Zod(": Expected object"));
    table.keyed("POST", path, r#"{"email":7}"#, 400, Zod("email: Expected string"));
    table.keyed("POST", path, r#"{"userId":[]}"#, 400, Zod("userId: Expected string"));
    table.keyed("POST", path, r#"{"email":"x"}"#, 400, Error("not a valid address"));
    table.keyed("POST", path, r#"{"userId":"a\u0000"}"#, 400, Error("userId must hold"));
    table.keyed(
        "POST",
        path,
        format!(r#"{{"userId":"{}"}}"#, "x".repeat(256)),
        400,
        Error("userId must hold"),
    );
    table.keyed("POST", path, r#"{"userId":"nobody-with-an-address"}"#, 400, Error("no email address"));
    table.keyed("POST", path, vec![b' '; 70_000], 413, Error("65536"));
    for id in ["%00", "%ff", "%c0%af", "a%0ab", "%e2%80%ae", "%20", &"x".repeat(200), &"%41".repeat(5000)] {
        let path = format!("/v1/lists/{id}/subscribe");
        table.keyed("POST", &path, r#"{"email":"a@b.cd"}"#, 400, Error("valid"));
        table.keyed("GET", &format!("/v1/lists/{id}"), "", 400, Error("valid"));
    }
    for id in ["newsletter-x", "..%2f..", "restock-", "%2e%2e", "%25", "%zz", "%"] {
        let path = format!("/v1/lists/{id}/unsubscribe");
        table.keyed("POST", &path, r#"{"email":"a@b.cd"}"#, 404, Error("Unknown list: "));
    }
    table.keyed("POST", "/v1/lists//subscribe", r#"{"email":"a@b.cd"}"#, 400, Error("invalid list id"));
    table.keyed("GET", "/v1/lists/no-such", "", 404, Error("Unknown list: no-such"));
    table.keyed("GET", "/v1/lists/no-such/members", "", 404, Error("Unknown list: no-such"));
    table.keyed("GET", "/v1/lists/restock-x/position", "", 400, Error("either email or userId"));
    table.keyed("GET", "/v1/lists/restock-x/position?email=x", "", 400, Zod("email: Invalid email"));
    table.keyed("GET", "/v1/lists/restock-x/position?email=nobody@b.cd", "", 404, Error(""));
    table.keyed("GET", "/v1/lists/restock-x/members?cursor=x", "", 400, Zod("cursor: "));
    table.keyed("GET", "/v1/lists/restock-x/members?cursor=-1", "", 400, Zod("cursor: "));
    for limit in ["0", "-1", "1001", "x", "1.5", "%00", "99999999999999999999999", "+5"] {
        table.keyed(
            "GET",
            &format!("/v1/lists?limit={limit}"),
            "",
            400,
            Zod("limit: must be a whole number"),
        );
    }
    table.keyed("GET", "/v1/lists?email=%ff%fe", "", 400, Zod("email: Invalid email"));
    table.keyed("GET", &format!("/v1/lists?userId={}", "x".repeat(300)), "", 400, Zod("userId: must hold"));
}

pub fn contacts(table: &mut Table) {
    for method in ["PUT", "DELETE"] {
        table.keyed(method, "/v1/contacts", "{", 400, MALFORMED);
        table.keyed(method, "/v1/contacts", "[]", 400, Zod(": Expected object"));
        table.keyed(method, "/v1/contacts", "{}", 400, Error("either email or userId is required"));
        table.keyed(method, "/v1/contacts", r#"{"email":"x"}"#, 400, Zod("email: Invalid email"));
        table.keyed(method, "/v1/contacts", r#"{"userId":7}"#, 400, Zod("userId: Expected string"));
    }
    table.keyed("DELETE", "/v1/contacts", "", 400, MALFORMED);
    table.keyed("DELETE", "/v1/contacts", r#"{"userId":"no-such"}"#, 404, Error("Contact not found"));
    table.keyed(
        "PUT",
        "/v1/contacts",
        r#"{"userId":"u","properties":[]}"#,
        400,
        Zod("properties: Expected object"),
    );
    table.keyed(
        "PUT",
        "/v1/contacts",
        r#"{"userId":"u","lists":{"a":1}}"#,
        400,
        Zod("lists.a: Expected boolean"),
    );
    let many = format!(r#"{{"userId":"u","lists":{}}}"#, bag(201));
    table.keyed("PUT", "/v1/contacts", many, 400, Zod("lists: must hold at most 200"));
    let keys = format!(r#"{{"userId":"u","properties":{}}}"#, bag(101));
    table.keyed("PUT", "/v1/contacts", keys, 400, Zod("properties: must hold at most 100"));
    let big = format!(r#"{{"userId":"u","properties":{{"a":"{}"}}}}"#, "x".repeat(17_000));
    table.keyed("PUT", "/v1/contacts", big, 400, Zod("properties: must hold at most 16384"));
    for path in ["find", "export"] {
        table.keyed("GET", &format!("/v1/contacts/{path}"), "", 400, Error("either email or userId"));
        table.keyed("GET", &format!("/v1/contacts/{path}?email=x%00"), "", 400, Zod("email: Invalid email"));
    }
    table.keyed("GET", "/v1/contacts/export?email=nobody@b.cd", "", 404, Error("Contact not found"));
}

pub fn campaigns(table: &mut Table) {
    let path = "/v1/campaigns";
    table.keyed("POST", path, "", 400, MALFORMED);
    table.keyed("POST", path, "[]", 400, Zod(": Expected object"));
    for (body, line) in [
        ("{}", "template: Required"),
        (r#"{"template":"t"}"#, "list: Expected exactly one"),
        (r#"{"template":"t","list":"a","bucket":"b"}"#, "list: Expected exactly one"),
        (r#"{"template":7,"list":"a"}"#, "template: Expected string"),
        (r#"{"template":"","list":"a"}"#, "template: Required"),
        (r#"{"template":"t","list":["a"]}"#, "list: Expected string"),
        (r#"{"template":"t","list":"a","name":"a\nb"}"#, "name: must not hold"),
        (r#"{"template":"t","list":"a","subject":"a\r\nBcc: x@y.zz"}"#, "subject: must not hold"),
        (r#"{"template":"t","list":"a","subject":7}"#, "subject: Expected string"),
        (r#"{"template":"t","list":"a","from":"nobody"}"#, "from: Invalid sender"),
        (r#"{"template":"t","list":"a","from":"A <a@b.cd> <c@d.ef>"}"#, "from: Invalid sender"),
        (r#"{"template":"t","list":"a","from":"A\r\n <a@b.cd>"}"#, "from: must not hold"),
        (r#"{"template":"t","list":"a","sendAt":"soon"}"#, "sendAt: Invalid datetime"),
        (r#"{"template":"t","list":"a","sendAt":7}"#, "sendAt: Expected string"),
        (r#"{"template":"t","list":"a","props":"x"}"#, "props: Expected object"),
        (r#"{"template":"t","list":"a","onDoubt":"maybe"}"#, "onDoubt: Expected 'hold' or 'resend'"),
        (r#"{"template":"t","list":"a","maxAge":"soon"}"#, "maxAge: must be a span of time such as 30m, 4h"),
        (r#"{"template":"t","list":"a","maxAge":"4"}"#, "maxAge: must be a span"),
        (r#"{"template":"t","list":"a","maxAge":""}"#, "maxAge: must be a span"),
        (r#"{"template":"t","list":"a","maxAge":"0"}"#, "maxAge: must be a span"),
        (r#"{"template":"t","list":"a","maxAge":"-4h"}"#, "maxAge: must be a span"),
        (r#"{"template":"t","list":"a","maxAge":"401d"}"#, "maxAge: must be a span"),
        (r#"{"template":"t","list":"a","maxAge":4}"#, "maxAge: Expected string"),
        (r#"{"template":"t","list":"a","idempotencyKey":"a\u0000"}"#, "idempotencyKey: must not hold"),
    ] {
        table.keyed("POST", path, body, 400, Zod(line));
    }
    table.keyed("POST", path, r#"{"template":"t","bucket":"b"}"#, 404, Error("Unknown bucket: b"));
    table.keyed(
        "POST",
        path,
        r#"{"template":"no-such","list":"restock-x"}"#,
        400,
        Error("Unknown template: no-such"),
    );
    table.keyed(
        "POST",
        path,
        r#"{"template":"announcement","list":"no-such"}"#,
        404,
        Error("Unknown list: no-such"),
    );
    let past = r#"{"template":"announcement","list":"restock-x","sendAt":"2001-01-01T00:00:00Z"}"#;
    table.keyed("POST", path, past, 400, Error("sendAt is in the past: 2001-01-01T00:00:00.000Z"));
    for id in ["x", "cmp_", "cmp_00000000000000000000000000000bad", "%00", "..", "%2f"] {
        table.keyed("GET", &format!("/v1/campaigns/{id}"), "", 404, Error("Unknown campaign: "));
        table.keyed("POST", &format!("/v1/campaigns/{id}/cancel"), "", 404, Error("Unknown campaign: "));
    }
    table.keyed("GET", "/v1/campaigns/%ff", "", 400, Error("not valid UTF-8"));
    table.keyed("GET", &format!("/v1/campaigns/{}", "x".repeat(3000)), "", 404, Error("Not Found"));
    table.keyed("POST", "/v1/campaigns/x/in-doubt/forget", "", 404, Error("Not Found"));
    table.keyed("GET", "/v1/campaigns?status=sent,lost", "", 400, Zod("status: "));
    table.keyed("GET", "/v1/campaigns?limit=201", "", 400, Zod("limit: "));
    table.keyed("GET", "/v1/campaigns?offset=-1", "", 400, Zod("offset: "));
}

pub fn keys_and_operations(table: &mut Table) {
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("DELETE", "/v1/keys/x"),
        ("POST", "/v1/admin/snapshot"),
        ("GET", "/v1/lists/restock-x/members"),
    ] {
        table.add(
            method,
            path,
            &[("authorization", INGEST)],
            b"",
            403,
            Error("Forbidden: insufficient scope"),
        );
        table.add(method, path, &[], b"", 401, Error("Unauthorized"));
    }
    table.keyed("POST", "/v1/keys", "{", 400, MALFORMED);
    table.keyed("POST", "/v1/keys", "{}", 400, Zod("name: Required"));
    table.keyed("POST", "/v1/keys", r#"{"name":"a"}"#, 400, Zod("scope: Expected"));
    table.keyed("POST", "/v1/keys", r#"{"name":"a","scope":"root"}"#, 400, Zod("scope: Expected"));
    table.keyed("POST", "/v1/keys", r#"{"name":"a","scope":7}"#, 400, Zod("scope: Expected string"));
    table.keyed(
        "POST",
        "/v1/keys",
        r#"{"name":"a\u001b[2J","scope":"ingest"}"#,
        400,
        Zod("name: must not hold"),
    );
    table.keyed("DELETE", "/v1/keys/no-such", "", 404, Error("Unknown key: no-such"));
    table.keyed("DELETE", "/v1/keys/%ff", "", 400, Error("not valid UTF-8"));
}
