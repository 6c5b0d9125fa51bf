//! The contract of publishable keys: a button without a back end, and nothing more than that.

use serde_json::{Value, json};

use crate::harness::{Reply, TestServer, request, start, start_with};

const JOIN: &str = "/v1/public/join";
const SHOP: &str = "https://shop.example";

/// A publishable key for the shop's page.
async fn mint(server: &TestServer) -> String {
    let asked = json!({"name": "button", "scope": "ingest-public", "origins": ["https://Shop.example/"]});
    let (status, minted) = server.json_as(&server.admin, "POST", "/v1/keys", asked).await;
    assert_eq!(
        (status, &minted["scope"], &minted["origins"]),
        (201, &json!("ingest-public"), &json!([SHOP]))
    );
    minted["key"].as_str().unwrap().to_owned()
}

async fn form(server: &TestServer, origin: &str, fields: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", origin)];
    server.send(&request("POST", JOIN, &headers, body.as_bytes())).await
}

async fn join(server: &TestServer, key: &str, email: &str) -> Reply {
    form(server, SHOP, &[("key", key), ("email", email), ("list", "restock-lamp"), ("wording", "v3")]).await
}

/// What a stranger can see of an answer.
fn seen(reply: &Reply) -> (u16, String, Vec<(String, String)>) {
    let fixed = |(name, _): &&(String, String)| !matches!(name.as_str(), "x-request-id" | "date");
    (reply.status, reply.text(), reply.headers.iter().filter(fixed).cloned().collect())
}

/// Waits until so many mails have gone out.
async fn mails(server: &TestServer, count: usize) {
    let waiting = async {
        while server.outbox.count() < count {
            assert!(server.healthy().await);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("the mails go out");
}

async fn members(server: &TestServer, list: &str) -> Value {
    server.json("GET", &format!("/v1/lists/{list}"), Value::Null).await.1["members"].clone()
}

#[tokio::test]
async fn a_plain_form_joins_with_a_confirmation_only() {
    let server = start().await;
    let key = mint(&server).await;
    let reply = join(&server, &key, "ann@shop.example").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(reply.text().contains("Check your mail") && !reply.text().contains("ann"), "{}", reply.text());
    mails(&server, 1).await;
    assert_eq!(members(&server, "restock-lamp").await, 0);
    let text = server.outbox.mails()[0].letter.text.clone();
    let (_, rest) = text.split_once("/v1/email/confirm?token=").unwrap();
    let path = format!("/v1/email/confirm?token={}", rest.split_whitespace().next().unwrap());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let reply = server.send(&request("POST", &path, &headers, b"list=restock-lamp")).await;
    assert!(reply.status == 200 && reply.text().contains("Confirmed"), "{}", reply.text());
    assert_eq!(members(&server, "restock-lamp").await, 1);
    let path = "/v1/contacts/export?email=ann@shop.example";
    let (_, held) = server.json_as(&server.admin, "GET", path, Value::Null).await;
    let press = &held["consent"][1];
    assert_eq!(
        (&press["wording"], &press["url"], &press["source"], press["key"].is_string()),
        (&json!("v3"), &json!(SHOP), &json!("127.0.0.0/24"), true)
    );
}

#[tokio::test]
async fn nobody_learns_who_is_known_a_member_or_suppressed() {
    let server = start().await;
    let key = mint(&server).await;
    let known =
        json!({"email": "member@shop.example", "lists": {"restock-lamp": true}, "properties": {"a": 1}});
    server.json("PUT", "/v1/contacts", known).await;
    let suppressed = json!({"email": "gone@shop.example", "reason": "complaint"});
    server.json_as(&server.admin, "POST", "/v1/suppressions", suppressed).await;
    let stranger = seen(&join(&server, &key, "new@shop.example").await);
    for email in ["member@shop.example", "gone@shop.example", "new@shop.example"] {
        assert_eq!(seen(&join(&server, &key, email).await), stranger, "{email}");
    }
    mails(&server, 1).await;
    let to: Vec<String> = server.outbox.mails().iter().map(|mail| mail.letter.to.clone()).collect();
    assert_eq!(to, ["new@shop.example"]);
    let (_, gone) = server.json("GET", "/v1/contacts/find?email=gone@shop.example", Value::Null).await;
    assert_eq!(gone, json!({"contacts": []}), "nothing is kept of who may not be mailed");
    assert_eq!(members(&server, "restock-lamp").await, 1);
}

#[tokio::test]
async fn a_publishable_key_is_good_for_nothing_else_and_from_nowhere_else() {
    let server = start().await;
    let key = mint(&server).await;
    for (method, path) in
        [("GET", "/v1/lists"), ("POST", "/v1/events"), ("GET", "/v1/keys"), ("GET", "/v1/suppressions")]
    {
        assert_eq!(server.json_as(&key, method, path, json!({"name": "a"})).await.0, 401, "{path}");
    }
    let fields = |key: &'static str| [("key", key), ("email", "a@shop.example"), ("list", "restock-lamp")];
    let refused = form(&server, "https://evil.example", &[("key", &key), fields("")[1], fields("")[2]]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, None));
    let ingest = server.ingest.clone();
    let refused = form(&server, SHOP, &[("key", &ingest), fields("")[1], fields("")[2]]).await;
    assert_eq!(refused.status, 401, "a secret key does not belong into a page");
    let bare = request("POST", JOIN, &[], format!("key={key}&email=a%40shop.example&list=sale").as_bytes());
    assert_eq!(server.send(&bare).await.status, 401, "without an origin");
    let text = [("key", key.as_str()), fields("")[1], ("list", "restock-You won: evil.example")];
    let strange = form(&server, SHOP, &text).await;
    assert_eq!(strange.status, 404, "a stranger's text does not become a mail");
    let (_, keys) = server.json_as(&server.admin, "GET", "/v1/keys", Value::Null).await;
    let id =
        keys["keys"].as_array().unwrap().iter().find(|key| key["scope"] == "ingest-public").unwrap()["id"]
            .clone();
    let path = format!("/v1/keys/{}", id.as_str().unwrap());
    assert_eq!(server.json_as(&server.admin, "DELETE", &path, Value::Null).await.0, 200);
    assert_eq!(join(&server, &key, "a@shop.example").await.status, 401, "it stops at once");
    assert_eq!(server.outbox.count(), 0);
    for bad in [json!([]), json!("x"), json!(["shop.example"]), json!(["https://shop.example/path"])] {
        let asked = json!({"name": "b", "scope": "ingest-public", "origins": bad});
        assert_eq!(server.json_as(&server.admin, "POST", "/v1/keys", asked).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_script_may_ask_from_the_shops_pages_only() {
    let server = start().await;
    let key = mint(&server).await;
    let preflight =
        async |origin: &str| server.send(&request("OPTIONS", JOIN, &[("origin", origin)], b"")).await;
    let yes = preflight(SHOP).await;
    assert_eq!((yes.status, yes.header("access-control-allow-origin")), (204, Some(SHOP)));
    assert_eq!(
        (yes.header("access-control-allow-methods"), yes.header("vary")),
        (Some("POST"), Some("origin"))
    );
    let no = preflight("https://evil.example").await;
    assert_eq!((no.status, no.header("access-control-allow-origin")), (403, None));
    let body = json!({"key": key, "email": "ann@shop.example", "list": "sale"}).to_string();
    let headers = [("content-type", "application/json"), ("origin", SHOP)];
    let reply = server.send(&request("POST", JOIN, &headers, body.as_bytes())).await;
    assert_eq!((reply.status, reply.json()), (202, json!({"accepted": true})));
    assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP));
    mails(&server, 1).await;
    assert!(server.outbox.mails()[0].letter.subject.contains("Sales"));
}

#[tokio::test]
async fn one_address_and_one_client_may_ask_only_so_often() {
    let trusted = "127.0.0.1/32".parse().unwrap();
    let server = start_with(move |http| http.trusted_proxies = vec![trusted]).await;
    let key = mint(&server).await;
    let from = async |client: &str, email: &str| {
        let body = json!({"key": key, "email": email, "list": "sale"}).to_string();
        let headers = [("content-type", "application/json"), ("origin", SHOP), ("x-forwarded-for", client)];
        server.send(&request("POST", JOIN, &headers, body.as_bytes())).await
    };
    for n in 0..10 {
        assert_eq!(from("9.9.9.9", &format!("p{n}@shop.example")).await.status, 202);
    }
    let often = from("9.9.9.9", "p10@shop.example").await;
    assert_eq!((often.status, often.header("retry-after")), (429, Some("6")));
    assert_eq!(from("8.8.8.8", "p10@shop.example").await.status, 202, "others go on");
    for n in 0..4 {
        assert_eq!(from(&format!("7.7.{n}.7"), "p10@shop.example").await.status, 202);
    }
    let often = from("6.6.6.6", "p10@shop.example").await;
    assert_eq!((often.status, often.header("retry-after")), (429, Some("120")));
    server.clock.advance(120_000);
    assert_eq!(from("6.6.6.6", "p10@shop.example").await.status, 202);
}

#[tokio::test]
async fn a_robot_that_fills_in_every_field_hears_the_same_and_reaches_nobody() {
    let server = start().await;
    let key = mint(&server).await;
    let good = seen(&join(&server, &key, "ann@shop.example").await);
    let fields =
        [("key", key.as_str()), ("email", "bot@shop.example"), ("list", "restock-lamp"), ("website", "x")];
    assert_eq!(seen(&form(&server, SHOP, &fields).await), good);
    let wrong = join(&server, &key, "no address").await;
    assert!(wrong.status == 400 && wrong.text().contains("check the address"), "{}", wrong.text());
    mails(&server, 1).await;
    let (_, found) = server.json("GET", "/v1/contacts/find?email=bot@shop.example", Value::Null).await;
    assert_eq!(found, json!({"contacts": []}));
}
