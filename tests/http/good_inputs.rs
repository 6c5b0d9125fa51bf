//! The documented requests and their documented answers.

use serde_json::{Value, json};

use crate::harness::{TEMPLATE, request, start};

#[tokio::test]
async fn an_event_is_stored_once_per_key_and_the_header_wins() {
    let server = start().await;
    let bearer = format!("bEaReR {}", server.ingest);
    let body = br#"{"name":"product.waitlisted","email":"ann@shop.example","userId":"u1","lists":{"restock-chair":true},"idempotencyKey":"body"}"#;
    let send = |key: &'static str| {
        request("POST", "/v1/events", &[("authorization", &bearer), ("idempotency-key", key)], body)
    };
    let first = server.send(&send("one")).await;
    assert_eq!((first.status, first.json()), (202, json!({"stored": true, "exits": [], "contactKey": "u1"})));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(server.send(&send("one")).await.json()["stored"], false);
    assert_eq!(server.send(&send("two")).await.json()["stored"], true);
    assert_eq!(server.send(&send("")).await.json()["stored"], true);
    assert_eq!(server.ask("POST", "/v1/events", &server.ingest, body).await.json()["stored"], false);
}

#[tokio::test]
async fn a_system_event_has_no_contact() {
    let server = start().await;
    let reply = server.ask("POST", "/v1/events", &server.ingest, br#"{"name":"x","email":""}"#).await;
    assert_eq!((reply.status, reply.json()), (202, json!({"stored": true, "exits": [], "contactKey": null})));
}

#[tokio::test]
async fn a_batch_answers_in_order_and_a_bad_item_fails_alone() {
    let server = start().await;
    let body = br#"{"events":[{"name":"a","userId":"u1"},{"name":""},{"name":"c","userId":"u3"}]}"#;
    let reply = server.ask("POST", "/v1/events/batch", &server.ingest, body).await;
    let results = reply.json()["results"].clone();
    assert_eq!(
        (reply.status, &results[0]["contactKey"], &results[2]["contactKey"]),
        (202, &json!("u1"), &json!("u3"))
    );
    assert_eq!(results[1], json!({"error": "name: must not be empty"}));
    let bearer = format!("Bearer {}", server.ingest);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson; charset=utf-8")];
    let lines = "{\"name\":\"a\",\"userId\":\"u\"}\n".repeat(10_000);
    let reply = server.send(&request("POST", "/v1/events/batch", &headers, lines.as_bytes())).await;
    assert_eq!((reply.status, reply.json()["results"].as_array().map(Vec::len)), (202, Some(10_000)));
}

#[tokio::test]
async fn lists_are_joined_shown_and_left() {
    let server = start().await;
    let ask = async |method, path, body: &str| {
        let reply = server.ask(method, path, &server.admin, body.as_bytes()).await;
        (reply.status, reply.json())
    };
    let joined =
        ask("POST", "/v1/lists/restock-a%2Fb%20%C3%BC/subscribe", r#"{"email":" Ann@Shop.Example "}"#).await;
    assert_eq!(joined, (200, json!({"list": "restock-a/b ü", "subscribed": true})));
    let (status, page) = ask("GET", "/v1/lists?email=ann@shop.example&limit=5", "").await;
    let row = &page["lists"][0];
    assert_eq!((status, &row["id"], &row["subscribed"]), (200, &json!("restock-a/b ü"), &json!(true)));
    assert_eq!(
        (&row["kind"], &row["members"], &row["defaultOptIn"]),
        (&json!("topic"), &json!(1), &json!(false))
    );
    let (_, detail) = ask("GET", "/v1/lists/restock-a%2Fb%20%C3%BC", "").await;
    assert_eq!((&detail["members"], &detail["running"]), (&json!(1), &json!([])));
    let (_, members) = ask("GET", "/v1/lists/restock-a%2Fb%20%C3%BC/members", "").await;
    assert_eq!((&members["members"][0]["email"], &members["total"]), (&json!("ann@shop.example"), &json!(1)));
    let (status, place) =
        ask("GET", "/v1/lists/restock-a%2Fb%20%C3%BC/position?email=ann%40shop.example", "").await;
    assert_eq!((status, &place["position"], &place["total"]), (200, &json!(1), &json!(1)));
    let left =
        ask("POST", "/v1/lists/restock-a%2Fb%20%C3%BC/unsubscribe", r#"{"email":"ann@shop.example"}"#).await;
    assert_eq!(left.1["subscribed"], false);
    let (status, page) = ask("GET", "/v1/lists?email=stranger@shop.example", "").await;
    let rows = page["lists"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == "restock-a/b ü").unwrap();
    assert_eq!((status, &row["subscribed"]), (200, &json!(false)));
}

#[tokio::test]
async fn contacts_are_put_found_and_erased() {
    let server = start().await;
    let ask = async |method, path, body: &str| {
        let reply = server.ask(method, path, &server.ingest, body.as_bytes()).await;
        (reply.status, reply.json())
    };
    let (status, put) =
        ask("PUT", "/v1/contacts", r#"{"email":"ann@shop.example","properties":{"a":1}}"#).await;
    assert_eq!((status, &put["created"], &put["linked"]), (200, &json!(true), &json!(false)));
    let (_, found) = ask("GET", "/v1/contacts/find?email=ann@shop.example", "").await;
    let row = found["contacts"][0].as_object().unwrap();
    for field in
        ["id", "externalId", "email", "properties", "firstSeenAt", "lastSeenAt", "createdAt", "updatedAt"]
    {
        assert!(row.contains_key(field), "{field}");
    }
    assert_eq!(row["id"], put["id"]);
    let export = "/v1/contacts/export?email=ann@shop.example";
    assert_eq!(server.ask("GET", export, &server.admin, b"").await.status, 200);
    assert_eq!(
        ask("DELETE", "/v1/contacts", r#"{"email":"ann@shop.example"}"#).await,
        (200, json!({"deleted": true}))
    );
    assert_eq!(
        ask("GET", "/v1/contacts/find?email=ann@shop.example", "").await,
        (200, json!({"contacts": []}))
    );
}

#[tokio::test]
async fn campaigns_are_opened_read_and_steered() {
    let server = start().await;
    let ask = async |method, path: &str, body: &str| {
        let reply = server.ask(method, path, &server.ingest, body.as_bytes()).await;
        (reply.status, reply.json())
    };
    let body = |subject: &str| {
        json!({"list": "restock-x", "template": TEMPLATE, "subject": subject, "from": "Shop <shop@shop.example>",
            "sendAt": "2090-01-01T00:00:00+01:00", "idempotencyKey": "k"}).to_string()
    };
    let (status, made) = ask("POST", "/v1/campaigns", &body("One")).await;
    assert_eq!(
        (status, &made["status"], &made["scheduledAt"]),
        (202, &json!("scheduled"), &json!("2089-12-31T23:00:00.000Z"))
    );
    assert_eq!(made.as_object().map(serde_json::Map::len), Some(3));
    let (status, again) = ask("POST", "/v1/campaigns", &body("Two")).await;
    assert_eq!(
        (status, &again["campaignId"], &again["mismatch"]),
        (202, &made["campaignId"], &json!(["subject"]))
    );
    let path = format!("/v1/campaigns/{}", made["campaignId"].as_str().unwrap());
    let (_, shown) = ask("GET", &path, "").await;
    for field in [
        "id",
        "name",
        "status",
        "audienceKind",
        "audienceId",
        "templateKey",
        "subject",
        "fromEmail",
        "totalRecipients",
        "sentCount",
        "skippedCount",
        "failedCount",
        "steps",
        "currentStep",
        "nextStepAt",
        "scheduledAt",
        "canceledAt",
        "startedAt",
        "completedAt",
        "createdAt",
        "inDoubtCount",
        "deferredCount",
        "skipped",
        "rate",
        "pendingCount",
        "startedCount",
    ] {
        assert!(shown.as_object().unwrap().contains_key(field), "{field}");
    }
    assert_eq!(
        (&shown["steps"], &shown["currentStep"], &shown["nextStepAt"]),
        (&Value::Null, &json!(0), &Value::Null)
    );
    let (_, page) = ask("GET", "/v1/campaigns?status=scheduled,sent&limit=1", "").await;
    assert_eq!((&page["campaigns"][0]["id"], &page["hasMore"]), (&made["campaignId"], &json!(false)));
    assert_eq!(ask("POST", &format!("{path}/cancel"), "").await.1["status"], "canceled");
    let (status, refused) = ask("POST", &format!("{path}/cancel"), "{}").await;
    assert_eq!((status, refused), (409, json!({"error": "Campaign is canceled and cannot be canceled"})));
}

#[tokio::test]
async fn a_minted_key_works_until_it_is_revoked() {
    let server = start().await;
    let minted = server.ask("POST", "/v1/keys", &server.admin, br#"{"name":"shop","scope":"ingest"}"#).await;
    let (key, id) =
        (minted.json()["key"].as_str().unwrap().to_owned(), minted.json()["id"].as_str().unwrap().to_owned());
    assert_eq!(minted.status, 201);
    let event = async || server.ask("POST", "/v1/events", &key, br#"{"name":"x"}"#).await.status;
    assert_eq!(event().await, 202);
    let keys = server.ask("GET", "/v1/keys", &server.admin, b"").await;
    assert!(keys.text().contains(&id) && !keys.text().contains(&key));
    assert_eq!(server.ask("DELETE", &format!("/v1/keys/{id}"), &server.admin, b"").await.status, 200);
    assert_eq!(event().await, 401);
}

#[tokio::test]
async fn operations_answer_and_head_answers_without_a_body() {
    let server = start().await;
    assert_eq!(server.send(&request("GET", "/v1/ready", &[], b"")).await.json(), json!({"ready": true}));
    assert_eq!(server.ask("POST", "/v1/admin/snapshot", &server.admin, b"").await.status, 200);
    let mut connection = server.connect().await;
    for path in ["/v1/health", "/v1/ready", "/v1/no-such"] {
        connection.write(&request("HEAD", path, &[], b"")).await;
        let reply = connection.reply_to("HEAD").await.unwrap();
        assert_eq!(reply.status, if path == "/v1/no-such" { 404 } else { 200 });
    }
    connection.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(connection.reply().await.unwrap().json(), json!({"ok": true}));
}

#[tokio::test]
async fn a_stopping_engine_says_when_to_come_back() {
    let server = start().await;
    server.stop_engine();
    let ready = server.send(&request("GET", "/v1/ready", &[], b"")).await;
    assert_eq!((ready.status, &ready.json()["ready"]), (503, &json!(false)));
    assert!(ready.header("retry-after").is_some());
    let event = server.ask("POST", "/v1/events", &server.ingest, br#"{"name":"x"}"#).await;
    assert_eq!(
        (event.status, event.header("retry-after"), event.header("connection")),
        (503, Some("2"), Some("close"))
    );
    assert!(server.healthy().await);
}
