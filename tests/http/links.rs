//! The links in a mail: showing changes nothing, posting does, and nothing follows the reader.

use crate::harness::{Reply, TestServer, request, start};

/// As a browser sends a form.
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn subscribed(server: &TestServer, email: &str, list: &str) -> bool {
    let reply = server.ask("GET", &format!("/v1/lists?email={email}"), &server.ingest, b"").await;
    let json = reply.json();
    let row = json["lists"].as_array().unwrap().iter().find(|row| row["id"] == list).unwrap();
    row["subscribed"].as_bool().unwrap()
}

fn strict(reply: &Reply) {
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
    assert!(reply.header("set-cookie").is_none() && reply.header("location").is_none());
}

#[tokio::test]
async fn scanners_change_nothing() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "restock-chair").await;
    let own = server.preferences_token("ann@shop.example").await;
    for (page, token) in [("unsubscribe", token), ("preferences", own)] {
        let path = format!("/v1/email/{page}?token={token}&List-Unsubscribe=One-Click&scope=all&all=on");
        let shown = server.send(&request("GET", &path, &[], b"List-Unsubscribe=One-Click")).await;
        assert_eq!(shown.status, 200);
        strict(&shown);
        let mut connection = server.connect().await;
        connection.write(&request("HEAD", &path, &[], b"")).await;
        assert_eq!(connection.reply_to("HEAD").await.unwrap().status, 200);
        assert_eq!(server.send(&request("OPTIONS", &path, &[], b"")).await.status, 405);
    }
    assert!(subscribed(&server, "ann@shop.example", "restock-chair").await);
}

#[tokio::test]
async fn one_click_leaves_in_every_encoding() {
    let multipart =
        "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", multipart),
        ("multipart/form-data; boundary=other", multipart),
        ("multipart/form-data", multipart),
        ("text/plain", ""),
    ] {
        let server = start().await;
        let token = server.list_token("ann@shop.example", "restock-chair").await;
        server.list_token("ann@shop.example", "restock-desk").await;
        let path = format!("/v1/email/unsubscribe?token={token}");
        for _ in 0..2 {
            let done = server.send(&request("POST", &path, &[("content-type", kind)], body.as_bytes())).await;
            assert_eq!(done.status, 200, "{kind}");
            strict(&done);
        }
        assert!(!subscribed(&server, "ann@shop.example", "restock-chair").await, "{kind}");
        assert!(subscribed(&server, "ann@shop.example", "restock-desk").await, "{kind}");
    }
}

#[tokio::test]
async fn the_form_may_ask_for_no_mail_at_all() {
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall\r\n--b--\r\n";
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "scope=all"),
        ("multipart/form-data; boundary=\"b\"", multipart),
    ] {
        let server = start().await;
        let token = server.list_token("ann@shop.example", "restock-chair").await;
        let path = format!("/v1/email/unsubscribe?token={token}");
        let done = server.send(&request("POST", &path, &[("content-type", kind)], body.as_bytes())).await;
        assert_eq!(done.status, 200);
        let token = server.preferences_token("ann@shop.example").await;
        let page =
            server.send(&request("GET", &format!("/v1/email/preferences?token={token}"), &[], b"")).await;
        assert!(page.text().contains("You have stopped all mail from us"), "{}", page.text());
    }
}

#[tokio::test]
async fn preferences_keep_what_stays_ticked() {
    let server = start().await;
    for list in ["restock-chair", "restock-desk", "restock-lamp"] {
        server.list_token("ann@shop.example", list).await;
    }
    let token = server.preferences_token("ann@shop.example").await;
    let path = format!("/v1/email/preferences?token={token}");
    let body = b"shown=restock-chair&shown=restock-desk&list=restock-desk&all=off";
    let saved = server
        .send(&request("POST", &path, &[("content-type", "application/x-www-form-urlencoded")], body))
        .await;
    assert_eq!(saved.status, 200);
    strict(&saved);
    assert!(!subscribed(&server, "ann@shop.example", "restock-chair").await);
    assert!(subscribed(&server, "ann@shop.example", "restock-desk").await);
    assert!(subscribed(&server, "ann@shop.example", "restock-lamp").await);
}

#[tokio::test]
async fn a_letter_carries_what_one_click_needs() {
    let server = start().await;
    server.list_token("ann@shop.example", "sale").await;
    let raw = String::from_utf8(server.outbox.mails()[0].raw.clone()).unwrap();
    let unfolded = raw.replace("\r\n ", " ");
    let header = |name: &str| unfolded.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    let url = header("List-Unsubscribe:").unwrap();
    assert!(
        url.starts_with("<https://shop.example/v1/email/unsubscribe?token=") && url.ends_with('>'),
        "{url}"
    );
    assert_eq!(header("List-Unsubscribe-Post:"), Some("List-Unsubscribe=One-Click"));
    assert_eq!(header("List-Id:"), Some("<sale>"));
}

#[tokio::test]
async fn one_kind_of_token_cannot_do_the_others_job() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "sale").await;
    let own = server.preferences_token("ann@shop.example").await;
    let mut forged = token.clone();
    forged.replace_range(token.len() - 1.., if token.ends_with('A') { "E" } else { "A" });
    for path in [
        format!("preferences?token={token}"),
        format!("unsubscribe?token={own}"),
        format!("unsubscribe?token={forged}"),
        format!("unsubscribe?token={}", &token[..token.len() - 4]),
    ] {
        for method in ["GET", "POST"] {
            let reply = server.send(&request(method, &format!("/v1/email/{path}"), &[], b"all=stop")).await;
            assert_eq!(reply.status, 404, "{path}");
        }
    }
    assert!(subscribed(&server, "ann@shop.example", "sale").await);
}

#[tokio::test]
async fn pages_say_what_holds() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "sale").await;
    let (leave, own) = (
        format!("/v1/email/unsubscribe?token={token}"),
        format!("/v1/email/preferences?token={}", server.preferences_token("ann@shop.example").await),
    );
    let page = async |method: &'static str, path: &str, body: &str| {
        let reply = server.send(&request(method, path, &[FORM], body.as_bytes())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    };
    let asked = page("GET", &leave, "").await;
    assert!(asked.contains("Leave the list?") && asked.contains("<strong>Sales</strong>"), "{asked}");
    assert!(asked.contains(&format!("action=\"?token={token}\"")) && asked.contains("Fern &amp; Wick"));
    let done = page("POST", &leave, "").await;
    assert!(done.contains("no more mail about <strong>Sales</strong>"), "{done}");
    assert!(page("GET", &leave, "").await.contains("You have left"));
    let rows = page("GET", &own, "").await;
    assert!(rows.contains(r#"name="list" value="sale">"#), "{rows}");
    assert!(rows.contains(r#"name="list" value="news" checked>"#), "{rows}");
    // Only what the person is or was on, and what everybody is on.
    assert!(!rows.contains("restock-"));
    let stopped = page("POST", &own, "shown=news&list=news&all=stop").await;
    assert!(
        stopped.contains("You have stopped all mail") && stopped.contains("Start mail again"),
        "{stopped}"
    );
    // An old page in another tab: nothing is joined, and the page says why.
    let old = page("POST", &own, "shown=sale&shown=news&list=sale&list=news").await;
    assert!(old.contains("You have stopped all mail"), "{old}");
    assert!(!subscribed(&server, "ann@shop.example", "sale").await);
    let started = page("POST", &own, "all=start").await;
    assert!(started.contains("Saved.") && started.contains("Stop all mail"), "{started}");
    let joined = page("POST", &own, "shown=sale&shown=news&list=sale").await;
    assert!(joined.contains(r#"value="sale" checked>"#), "{joined}");
    assert!(subscribed(&server, "ann@shop.example", "sale").await);
    assert!(!subscribed(&server, "ann@shop.example", "news").await);
    assert!(page("POST", &leave, "scope=all").await.contains("no more mail from us"));
}
