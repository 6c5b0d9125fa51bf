//! A table of things that no client should send, each with its documented answer.

use restockd::http::sign;

use crate::bad_deliveries::webhooks;
use crate::bad_events::{batches, events};
use crate::bad_resources::{campaigns, contacts, keys_and_operations, lists};
use crate::harness::{Reply, SECRET, TestServer, request, start};

/// The shape of an answer, with a part of its text.
#[derive(Debug, Clone)]
pub enum Shape {
    /// `{"error": ..}`
    Error(&'static str),
    /// A validation error that has this in one of its `path: message` lines.
    Zod(&'static str),
    /// A payload error of a webhook, with this in its details.
    Payload(&'static str),
    /// A page for a person.
    Page(&'static str),
    /// 202 all the same, with this in the body: what looks bad and is not.
    Fine(&'static str),
}
use Shape::{Error, Fine, Page, Payload, Zod};

struct Case {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    status: u16,
    shape: Shape,
}

/// Collects cases; the key of each is the fitting one unless it says otherwise.
#[derive(Default)]
pub struct Table(Vec<Case>);

pub const MALFORMED: Shape = Error("Malformed JSON in request body");
/// The key in it is put in when the request is sent.
pub const INGEST: &str = "Bearer ingest-key";
pub const ADMIN: &str = "Bearer admin-key";

impl Table {
    pub fn add(
        &mut self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        status: u16,
        shape: Shape,
    ) {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.0.push(Case { method, path: path.to_owned(), headers, body: body.to_vec(), status, shape });
    }

    /// With a key.
    pub fn keyed(
        &mut self,
        method: &'static str,
        path: &str,
        body: impl AsRef<[u8]>,
        status: u16,
        shape: Shape,
    ) {
        self.add(method, path, &[("authorization", ADMIN)], body.as_ref(), status, shape);
    }

    /// A delivery with a good signature.
    pub fn signed(&mut self, body: impl AsRef<[u8]>, shape: Shape) {
        let signature = sign(SECRET.as_bytes(), body.as_ref());
        self.add("POST", "/v1/webhooks/inventory", &[("x-signature", &signature)], body.as_ref(), 400, shape);
    }
}

pub fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

pub fn bag(ids: usize) -> String {
    let ids: Vec<_> = (0..ids).map(|n| format!(r#""restock-{n}":true"#)).collect();
    format!("{{{}}}", ids.join(","))
}

pub fn malformed_bodies() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[",
        "nul",
        "undefined",
        "NaN",
        "Infinity",
        "{'name':'a'}",
        r#"{"name":"a",}"#,
        r#"{"name":"a"}x"#,
        r#"{"name":"a"}{"name":"b"}"#,
        r#"{"name":NaN}"#,
        r#"{"name":"a","value":1e999}"#,
        r#"{"name":"a","value":-1e999}"#,
        r#"{"name":"a","value":01}"#,
        r#"{"name":"a","value":.5}"#,
        r#"{"name":"a","value":+1}"#,
        r#"{"name":"a","value":0x10}"#,
        r#"{"name":"a\u12"}"#,
        r#"{"name":"\ud800"}"#,
        "{\"name\":\"a\nb\"}",
        "{\"name\":\"a\u{0}\"}",
        "\u{feff}{\"name\":\"a\"}",
        "// c\n{\"name\":\"a\"}",
        r#"{"name":"a" "email":"b"}"#,
        r#"{name:"a"}"#,
        r#"{"name""a"}"#,
        "name=a&email=b",
        "<event/>",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(b"{\"name\":\"\xff\"}".to_vec());
    bodies.push(b"{\"name\":\"a\",\"unknown\":\"\xc0\xaf\"}".to_vec());
    bodies.push(vec![0; 64]);
    bodies.push(b"\xff\xfe{\x00}\x00".to_vec());
    bodies.push(format!(r#"{{"name":"a","eventProperties":{{"x":{}}}}}"#, nested(200)).into_bytes());
    bodies.push(nested(20_000).into_bytes());
    bodies.push("[".repeat(60_000).into_bytes());
    bodies
}

fn auth(table: &mut Table) {
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "ingest-key",
        "Basic aW5nZXN0LWtleQ==",
        "Bearer nope",
        "Bearer ingest-key,",
        "Bearer ingest-key x",
        "Token ingest-key",
        "Bearer\u{a0}ingest-key",
    ] {
        table.add("POST", "/v1/events", &[("authorization", value)], b"{", 401, Error("Unauthorized"));
    }
    let long = format!("Bearer {}", "k".repeat(8000));
    table.add("POST", "/v1/events", &[("authorization", &long)], b"{}", 401, Error("Unauthorized"));
    table.add(
        "POST",
        "/v1/events",
        &[("authorization", INGEST), ("authorization", INGEST)],
        b"{}",
        401,
        Error("Unauthorized"),
    );
    table.add(
        "POST",
        "/v1/events?key=ingest-key",
        &[("x-api-key", "ingest-key")],
        b"{}",
        401,
        Error("Unauthorized"),
    );
    for (method, path) in [
        ("POST", "/v1/events/batch"),
        ("GET", "/v1/lists"),
        ("GET", "/v1/lists/%ff"),
        ("POST", "/v1/lists/x/subscribe"),
        ("PUT", "/v1/contacts"),
        ("DELETE", "/v1/contacts"),
        ("GET", "/v1/contacts/find"),
        ("GET", "/v1/contacts/export"),
        ("POST", "/v1/campaigns"),
        ("GET", "/v1/campaigns"),
        ("POST", "/v1/campaigns/x/cancel"),
    ] {
        table.add(method, path, &[], b"", 401, Error("Unauthorized"));
    }
}

fn paths(table: &mut Table) {
    let long = format!("/{}", "x".repeat(20_000));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/events",
        "/v1/events/",
        "//v1/events",
        "/v1//events",
        "/v1/events/../keys",
        "/%2e%2e/etc/passwd",
        "/%00",
        "/%ff",
        "/v1/event%73",
        "/v1/Events",
        "/.git/config",
        "/v1/events;x=1",
        &long,
    ] {
        table.keyed("GET", path, "", 404, Error("Not Found"));
    }
    for (method, path) in [
        ("GET", "/v1/events"),
        ("DELETE", "/v1/events"),
        ("GET", "/v1/webhooks/inventory"),
        ("POST", "/v1/health"),
        ("PATCH", "/v1/contacts"),
        ("OPTIONS", "/v1/events"),
        ("BREW", "/v1/keys"),
        ("POST", "/v1/campaigns/x"),
        ("PUT", "/v1/email/unsubscribe?token=x"),
        ("TRACE", "/v1/ready"),
    ] {
        table.add(method, path, &[], b"", 405, Error("Method Not Allowed"));
    }
}

fn links(table: &mut Table) {
    let long = format!("token={}", "x".repeat(9000));
    for query in [
        "",
        "token=",
        "token=x",
        "token=%00",
        "token=%ff%fe",
        "token",
        "Token=x",
        "token=tok%7Cx",
        &long,
        "a=1&&&=&token=y",
    ] {
        for page in ["unsubscribe", "preferences"] {
            for method in ["GET", "POST"] {
                table.add(method, &format!("/v1/email/{page}?{query}"), &[], b"", 404, Page("not valid"));
            }
        }
    }
    table.add("POST", "/v1/email/unsubscribe?token=x", &[], &vec![b'a'; 300_000], 413, Page("did not work"));
}

fn table() -> Vec<Case> {
    let mut table = Table::default();
    for part in
        [events, batches, lists, contacts, campaigns, webhooks, keys_and_operations, auth, paths, links]
    {
        part(&mut table);
    }
    table.0
}

fn check(case: &Case, reply: &Reply) {
    assert_eq!(reply.status, case.status, "{}", reply.text());
    assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "no request id");
    match case.shape {
        Error(part) => assert!(reply.error().contains(part), "{}", reply.text()),
        Zod(line) => assert!(reply.issues().lines().any(|l| l.starts_with(line)), "{}", reply.issues()),
        Payload(part) => {
            let json = reply.json();
            assert_eq!(json["error"], "Invalid payload");
            assert!(json["details"].to_string().contains(part), "{json}");
        }
        Page(part) => {
            assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
            assert!(reply.text().contains(part), "{}", reply.text());
        }
        Fine(part) => assert!(reply.text().contains(part), "{}", reply.text()),
    }
    assert_eq!(reply.header("allow").is_some(), case.status == 405);
    assert_eq!(
        reply.header("www-authenticate").is_some(),
        case.status == 401 && reply.text().contains("Unauthorized")
    );
}

async fn run(server: &TestServer, case: &Case) -> Reply {
    let headers: Vec<_> = case.headers.iter().map(|(n, v)| (n.as_str(), server.keyed(v))).collect();
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    server.send(&request(case.method, &case.path, &headers, &case.body)).await
}

#[tokio::test]
async fn every_bad_input_gets_its_documented_answer() {
    let server = start().await;
    let cases = table();
    assert!(cases.len() >= 150);
    let mut wrong = Vec::new();
    for case in &cases {
        let reply = run(&server, case).await;
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(case, &reply)));
        if checked.is_err() || !server.healthy().await {
            let body = String::from_utf8_lossy(&case.body[..case.body.len().min(120)]).into_owned();
            let path = &case.path[..case.path.len().min(80)];
            wrong.push(format!(
                "{} {path} {body}\n   wanted {} {:?}\n   got {} {}",
                case.method,
                case.status,
                case.shape,
                reply.status,
                reply.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
