//! The contract of the suppression list: shown, changed, imported, exported, and what it stops.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{NOON_TEXT, Reply, TestServer, request, start};

const LIST: &str = "/v1/suppressions";

async fn as_admin(server: &TestServer, method: &str, path: &str, body: Value) -> (u16, Value) {
    let admin = server.admin.clone();
    server.json_as(&admin, method, path, body).await
}

async fn entry(server: &TestServer, email: &str) -> Value {
    let (status, page) = as_admin(server, "GET", &format!("{LIST}?email={email}"), Value::Null).await;
    assert_eq!((status, &page["cursor"]), (200, &Value::Null), "{page}");
    assert!(page["suppressions"].as_array().unwrap().len() <= 1);
    page["suppressions"][0].clone()
}

async fn import(server: &TestServer, kind: &str, body: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", server.admin);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    server.send(&request("POST", "/v1/suppressions/import", &headers, body)).await
}

/// The body of a streamed answer, put together.
async fn export(server: &TestServer, format: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let path = format!("{LIST}/export?format={format}");
    let bearer = format!("Bearer {}", server.admin);
    let bytes = request("GET", &path, &[("authorization", &bearer), ("connection", "close")], b"");
    socket.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("transfer-encoding: chunked"), "{head}");
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
}

#[tokio::test]
async fn an_address_is_put_on_the_list_shown_and_taken_off() {
    let server = start().await;
    server.json("PUT", "/v1/contacts", json!({"email": "ann@shop.example", "lists": {"sale": true}})).await;
    let (status, made) = as_admin(&server, "POST", LIST, json!({"email": " ANN@shop.example"})).await;
    let row = json!({"email": "ann@shop.example", "addressHash": made["addressHash"], "reason": "manual",
        "at": NOON_TEXT, "evidence": "API key environment"});
    let mut shown = row.clone();
    shown["changed"] = json!(true);
    assert_eq!((status, &made), (200, &shown));
    assert_eq!(made["addressHash"].as_str().unwrap().len(), 32);
    assert_eq!(entry(&server, "ann@shop.example").await, row);
    let (_, page) = as_admin(&server, "GET", LIST, Value::Null).await;
    assert_eq!(page["suppressions"], json!([row]));
    // It is stopped at every door, and a press says so.
    let (status, refused) =
        server.json("POST", "/v1/lists/sale/subscribe", json!({"email": "ann@shop.example"})).await;
    assert!(status == 400 && refused["error"].as_str().unwrap().contains("takes no mail"));
    // A weaker reason changes nothing, a stronger one does.
    for (reason, changed, held) in
        [("hard_bounce", false, "manual"), ("complaint", true, "complaint"), ("manual", false, "complaint")]
    {
        let asked = json!({"email": "ann@shop.example", "reason": reason});
        let (_, made) = as_admin(&server, "POST", LIST, asked).await;
        assert_eq!((&made["changed"], &made["reason"]), (&json!(changed), &json!(held)), "{reason}");
    }
    let gone = json!({"email": "ann@shop.example"});
    assert_eq!(as_admin(&server, "DELETE", LIST, gone.clone()).await, (200, json!({"deleted": true})));
    let missing = (404, json!({"error": "Suppression not found"}));
    assert_eq!(as_admin(&server, "DELETE", LIST, gone.clone()).await, missing);
    assert_eq!(entry(&server, "ann@shop.example").await, Value::Null);
    assert_eq!(server.json("POST", "/v1/lists/sale/subscribe", gone).await.0, 200);
}

#[tokio::test]
async fn the_list_is_for_admin_keys_and_says_what_is_wrong() {
    let server = start().await;
    let refused = json!({"error": "Forbidden: insufficient scope"});
    for (method, path) in [
        ("GET", LIST),
        ("POST", LIST),
        ("DELETE", LIST),
        ("POST", "/v1/suppressions/import"),
        ("GET", "/v1/suppressions/export"),
        ("GET", "/v1/contacts/export?email=ann@shop.example"),
    ] {
        assert_eq!(server.json(method, path, Value::Null).await, (403, refused.clone()), "{path}");
    }
    let wrong = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = server.ask(method, path, &server.admin, body.as_bytes()).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        reply.issues()
    };
    assert_eq!(wrong("POST", LIST, json!({})).await, "email: Required\n");
    assert_eq!(wrong("DELETE", LIST, json!({"email": "x"})).await, "email: Invalid email\n");
    let erased = json!({"email": "a@shop.example", "reason": "erased"});
    assert!(wrong("POST", LIST, erased).await.starts_with("reason: Expected 'unsubscribed'"));
    assert_eq!(
        wrong("GET", "/v1/suppressions?cursor=h:zz", Value::Null).await,
        "cursor: Expected the cursor of a page before\n"
    );
    assert_eq!(
        wrong("GET", "/v1/suppressions/export?format=xml", Value::Null).await,
        "format: Expected 'csv' or 'ndjson'\n"
    );
    let reply = import(&server, "text/plain", b"a@shop.example").await;
    assert_eq!((reply.status, reply.error().contains("text/csv")), (400, true));
}

#[tokio::test]
async fn an_import_answers_line_by_line_makes_no_contact_and_converges() {
    let server = start().await;
    server.json("PUT", "/v1/contacts", json!({"email": "ann@shop.example"})).await;
    let csv = b"email,reason\nann@shop.example,complaint\nnobody\nbob@shop.example,\n";
    for changed in [true, false] {
        let reply = import(&server, "text/csv; charset=utf-8", csv).await;
        let results = json!([
            {"line": 2, "changed": changed},
            {"line": 3, "error": "email: Invalid email"},
            {"line": 4, "changed": changed},
        ]);
        assert_eq!((reply.status, &reply.json()["results"]), (200, &results));
    }
    let lines = b"{\"email\":\"bob@shop.example\",\"reason\":\"complaint\"}\n";
    let reply = import(&server, "application/x-ndjson", lines).await;
    assert_eq!(reply.json()["results"], json!([{"line": 1, "changed": true}]));
    let (_, found) = server.json("GET", "/v1/contacts/find?email=bob@shop.example", Value::Null).await;
    assert_eq!(found, json!({"contacts": []}));
    let many = format!("email\n{}", "x@shop.example\n".repeat(10_001));
    let reply = import(&server, "text/csv", many.as_bytes()).await;
    assert_eq!((reply.status, reply.error().contains("10000 lines")), (413, true));
    // The address is shown where a contact has it, and is a hash where none does.
    let text = export(&server, "csv").await;
    let mut rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.remove(0), "email,address_hash,reason,at,evidence");
    let tail = format!(",complaint,{NOON_TEXT},import by API key environment");
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows.iter().all(|row| row.ends_with(&tail)), "{text}");
    assert_eq!(rows.iter().filter(|row| row.starts_with("ann@shop.example,")).count(), 1);
    assert_eq!(rows.iter().filter(|row| row.starts_with(',')).count(), 1, "{text}");
    let lines = export(&server, "ndjson").await;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["reason"]), (2, &json!("complaint")));
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end_and_miss_nobody() {
    let server = start().await;
    let csv = (0..25).fold("email\n".to_owned(), |csv, n| format!("{csv}p{n}@shop.example\n"));
    assert_eq!(import(&server, "text/csv", csv.as_bytes()).await.status, 200);
    // Somebody who stopped all mail stands on the list too, with the moment.
    let token = server.list_token("ann@shop.example", "sale").await;
    let path = format!("/v1/email/unsubscribe?token={token}");
    server.send(&request("POST", &path, &[], b"scope=all")).await;
    let (mut hashes, mut cursor) = (std::collections::BTreeMap::new(), String::new());
    for _ in 0..12 {
        let path = format!("{LIST}?limit=10{cursor}");
        let (_, page) = as_admin(&server, "GET", &path, Value::Null).await;
        let rows = page["suppressions"].as_array().unwrap();
        assert!(rows.len() <= 10);
        for row in rows {
            let before = hashes.insert(row["addressHash"].as_str().unwrap().to_owned(), row.clone());
            assert!(before.is_none(), "twice: {row}");
        }
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(hashes.len(), 26);
    let ann = entry(&server, "ann@shop.example").await;
    assert_eq!(
        (&ann["reason"], &ann["at"], &ann["email"]),
        (&json!("unsubscribed"), &json!(NOON_TEXT), &json!("ann@shop.example"))
    );
    assert_eq!(hashes[ann["addressHash"].as_str().unwrap()], ann);
}

#[tokio::test]
async fn an_erased_address_is_a_hash_on_the_list_and_comes_back_by_a_new_press_only() {
    let server = start().await;
    let press = |timestamp: Value| json!({"name": "w", "email": "ann@shop.example", "lists": {"sale": true}, "timestamp": timestamp});
    server.json("POST", "/v1/events", press(Value::Null)).await;
    server.clock.advance(60_000);
    let ann = json!({"email": "ann@shop.example"});
    assert_eq!(server.json("DELETE", "/v1/contacts", ann).await.0, 200);
    let (_, page) = as_admin(&server, "GET", LIST, Value::Null).await;
    let row = &page["suppressions"][0];
    assert_eq!((&row["email"], &row["reason"]), (&Value::Null, &json!("erased")));
    assert!(!page.to_string().contains("ann"), "{page}");
    assert!(!export(&server, "csv").await.contains("ann"));
    // An old record and an import do not bring them back.
    let (status, old) = server.json("POST", "/v1/events", press(json!(NOON_TEXT))).await;
    assert!(status == 202 && old["listsError"].is_string() && old["contactKey"].is_null(), "{old}");
    assert_eq!(import(&server, "text/csv", b"email\nann@shop.example\n").await.status, 200);
    let (_, found) = server.json("GET", "/v1/contacts/find?email=ann@shop.example", Value::Null).await;
    assert_eq!(found, json!({"contacts": []}));
    let (_, page) = as_admin(&server, "GET", LIST, Value::Null).await;
    assert_eq!(page["suppressions"][0]["email"], Value::Null, "nobody has the address");
    assert_eq!(page["suppressions"][0]["reason"], "manual");
    as_admin(&server, "DELETE", LIST, json!({"email": "ann@shop.example"})).await;
    let (_, again) = server.json("POST", "/v1/events", press(Value::Null)).await;
    assert!(again["listsError"].is_null() && again["stored"] == true, "{again}");
    // Erased again, and a new press alone is enough.
    server.json("DELETE", "/v1/contacts", json!({"email": "ann@shop.example"})).await;
    assert_eq!(entry(&server, "ann@shop.example").await["reason"], "erased");
    server.json("POST", "/v1/events", press(Value::Null)).await;
    assert_eq!(entry(&server, "ann@shop.example").await, Value::Null);
    let mail = server.mail_to("ann@shop.example", "sale").await;
    assert_eq!(mail.letter.to, "ann@shop.example");
}

#[tokio::test]
async fn the_command_line_speaks_the_same_list() {
    let server = start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("list.csv");
    std::fs::write(&file, "email,reason\r\ncli@shop.example,complaint\r\nnobody,\r\n").unwrap();
    let url = format!("http://{}", server.addr);
    let run = async |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restockd"));
        command.env("RESTOCKD_API_KEY", &server.admin).args(["suppressions", "--url", &url]).args(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let out = run(&["add", "ann@shop.example"]).await;
    assert!(out.status.success() && text(&out.stdout).contains("\"manual\""), "{}", text(&out.stderr));
    let out = run(&["import", file.to_str().unwrap()]).await;
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(1), "1 new, 1 refused\n"));
    assert_eq!(text(&out.stderr), "line 3: email: Invalid email\n");
    let lines = dir.path().join("list.ndjson");
    std::fs::write(&lines, "\n{\"email\":\"two@shop.example\"}\n").unwrap();
    let out = run(&["import", lines.to_str().unwrap()]).await;
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(0), "1 new, 0 refused\n"));
    let out = run(&["list", "--email", "cli@shop.example"]).await;
    assert!(text(&out.stdout).contains("\"complaint\""));
    let exported = dir.path().join("out.csv");
    assert!(run(&["export", "--out", exported.to_str().unwrap()]).await.status.success());
    assert_eq!(std::fs::read_to_string(&exported).unwrap().lines().count(), 4);
    assert!(run(&["remove", "cli@shop.example"]).await.status.success());
    let out = run(&["remove", "cli@shop.example"]).await;
    assert!(!out.status.success() && text(&out.stderr).contains("Suppression not found"));
}
