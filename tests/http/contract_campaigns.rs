//! The contract of campaigns: made, read, paged, steered; and what a delivery leads to.

use restockd::http::sign;
use restockd_mail::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, ScriptedReply, SmtpPhase};
use serde_json::{Value, json};

use crate::harness::{NOON_TEXT, RESTOCK_TEMPLATE, SECRET, TEMPLATE, TestServer, request, start};

const CAMPAIGNS: &str = "/v1/campaigns";

async fn join(server: &TestServer, names: &[&str], list: &str) {
    for name in names {
        let body = json!({"email": format!("{name}@shop.example")});
        assert_eq!(server.json("POST", &format!("/v1/lists/{list}/subscribe"), body).await.0, 200);
    }
}

/// Makes one and gives back its id.
async fn make(server: &TestServer, body: Value) -> String {
    let (status, made) = server.json("POST", CAMPAIGNS, body).await;
    assert_eq!(status, 202, "{made}");
    made["campaignId"].as_str().unwrap().to_owned()
}

async fn verb(server: &TestServer, id: &str, verb: &str) -> (u16, Value) {
    server.json("POST", &format!("{CAMPAIGNS}/{id}/{verb}"), json!({})).await
}

#[tokio::test]
async fn a_campaign_shows_every_field_and_null_for_what_is_not() {
    let server = start().await;
    join(&server, &["ann", "bob"], "sale").await;
    let (status, made) = server.json("POST", CAMPAIGNS, json!({"list": "sale", "template": TEMPLATE})).await;
    let id = made["campaignId"].clone();
    let answer = json!({"campaignId": id, "status": "queued", "scheduledAt": null});
    assert_eq!((status, made), (202, answer));
    let sent = server.campaign_until(id.as_str().unwrap(), "sent").await;
    let whole = json!({"id": id, "name": "Sales", "status": "sent", "audienceKind": "list", "audienceId": "sale",
        "templateKey": TEMPLATE, "subject": null, "fromEmail": null, "totalRecipients": 2, "sentCount": 2,
        "skippedCount": 0, "failedCount": 0, "steps": null, "currentStep": 0, "nextStepAt": null,
        "scheduledAt": null, "canceledAt": null, "startedAt": NOON_TEXT, "completedAt": NOON_TEXT,
        "createdAt": NOON_TEXT, "inDoubtCount": 0, "deferredCount": 0, "pendingCount": 0, "startedCount": 0,
        "skipped": {}, "rate": null, "maxAge": null, "held": []});
    assert_eq!(sent, whole);
    assert_eq!(verb(&server, id.as_str().unwrap(), "cancel").await.0, 409);
    for path in ["", "/cancel", "/pause", "/resume", "/retry-failed", "/in-doubt/resend", "/in-doubt/drop"] {
        let method = if path.is_empty() { "GET" } else { "POST" };
        let unknown = server.json(method, &format!("{CAMPAIGNS}/cmp_x{path}"), Value::Null).await;
        assert_eq!(unknown, (404, json!({"error": "Unknown campaign: cmp_x"})));
    }
}

#[tokio::test]
async fn a_maximum_age_of_its_own_is_shown_and_a_repeat_with_another_is_named() {
    let server = start().await;
    join(&server, &["ann"], "sale").await;
    let body =
        |age: Value| json!({"list": "sale", "template": TEMPLATE, "idempotencyKey": "k", "maxAge": age});
    let id = make(&server, body(json!("240m"))).await;
    assert_eq!(server.campaign_until(&id, "sent").await["maxAge"], "4h");
    for (age, differs) in [(json!("4h"), None), (json!("5h"), Some("maxAge")), (Value::Null, Some("maxAge"))]
    {
        let (status, again) = server.json("POST", CAMPAIGNS, body(age)).await;
        assert_eq!((status, again["campaignId"].as_str()), (202, Some(id.as_str())));
        assert_eq!(again.get("mismatch"), differs.map(|field| json!([field])).as_ref());
    }
}

#[tokio::test]
async fn a_time_that_just_passed_is_now_and_one_long_past_is_refused() {
    let server = start().await;
    join(&server, &["ann"], "sale").await;
    let at = |time: &str| json!({"list": "sale", "template": TEMPLATE, "sendAt": time});
    let (status, made) = server.json("POST", CAMPAIGNS, at("2026-03-02T11:59:00Z")).await;
    assert_eq!(
        (status, &made["status"], &made["scheduledAt"]),
        (202, &json!("queued"), &json!("2026-03-02T11:59:00.000Z"))
    );
    server.campaign_until(made["campaignId"].as_str().unwrap(), "sent").await;
    let refused = server.json("POST", CAMPAIGNS, at("2026-03-02T11:58:59.999Z")).await;
    assert_eq!(refused, (400, json!({"error": "sendAt is in the past: 2026-03-02T11:58:59.999Z"})));
    let (_, later) = server.json("POST", CAMPAIGNS, at("2026-03-02T13:00:00.5+00:00")).await;
    assert_eq!(
        (&later["status"], &later["scheduledAt"]),
        (&json!("scheduled"), &json!("2026-03-02T13:00:00.500Z"))
    );
}

#[tokio::test]
async fn a_key_makes_one_campaign_and_the_headers_wins() {
    let server = start().await;
    let bearer = format!("Bearer {}", server.ingest);
    let body = |key: &str, subject: &str| {
        json!({"list": "sale", "template": TEMPLATE, "subject": subject, "idempotencyKey": key}).to_string()
    };
    let send = async |header: &str, key: &str, subject: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", header)];
        let reply = server.send(&request("POST", CAMPAIGNS, &headers, body(key, subject).as_bytes())).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.json()
    };
    let first = send("h", "one", "A").await;
    let again = send("h", "two", "B").await;
    assert_eq!((&again["campaignId"], &again["mismatch"]), (&first["campaignId"], &json!(["subject"])));
    assert_eq!(send("h", "one", "A").await.get("mismatch"), None);
    let other = send("", "one", "A").await;
    assert_ne!(other["campaignId"], first["campaignId"]);
    assert_eq!(send("", "one", "A").await["campaignId"], other["campaignId"]);
    assert_ne!(send("", "", "A").await["campaignId"], send("", "", "A").await["campaignId"]);
    let (_, page) = server.json("GET", CAMPAIGNS, Value::Null).await;
    assert_eq!(page["campaigns"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn pages_are_newest_first_and_say_whether_there_are_more() {
    let server = start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        server.clock.advance(1000);
        made.push(
            make(&server, json!({"list": "sale", "template": TEMPLATE, "sendAt": "2027-01-01T00:00:00Z"}))
                .await,
        );
    }
    made.reverse();
    for (query, ids, more) in [
        ("", &made[..], false),
        ("?limit=5", &made[..], false),
        ("?limit=2", &made[..2], true),
        ("?limit=2&offset=2", &made[2..4], true),
        ("?limit=2&offset=4", &made[4..], false),
        ("?offset=5", &[], false),
        ("?status=sent", &[], false),
        ("?status=sent,%20scheduled&limit=4", &made[..4], true),
        ("?status=", &made[..], false),
    ] {
        let (status, page) = server.json("GET", &format!("{CAMPAIGNS}{query}"), Value::Null).await;
        let rows = page["campaigns"].as_array().unwrap();
        let found: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(
            (status, found, &page["hasMore"]),
            (200, ids.iter().map(String::as_str).collect(), &json!(more))
        );
        assert_eq!(page.as_object().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn pause_resume_and_cancel_act_at_the_next_letter() {
    let server = start().await;
    join(&server, &["ann", "bob"], "sale").await;
    let later =
        make(&server, json!({"list": "sale", "template": TEMPLATE, "sendAt": "2027-01-01T00:00:00Z"})).await;
    let refused = verb(&server, &later, "pause").await;
    assert_eq!(refused, (409, json!({"error": "Campaign is scheduled and cannot be paused"})));
    let (status, canceled) = verb(&server, &later, "cancel").await;
    assert_eq!(
        (status, &canceled["status"], &canceled["canceledAt"]),
        (200, &json!("canceled"), &json!(NOON_TEXT))
    );
    for (word, participle) in [("cancel", "canceled"), ("pause", "paused"), ("resume", "resumed")] {
        let error = format!("Campaign is canceled and cannot be {participle}");
        assert_eq!(verb(&server, &later, word).await, (409, json!({ "error": error })));
    }
    server.outbox.hold();
    let id = make(&server, json!({"list": "sale", "template": TEMPLATE})).await;
    server.outbox.wait_held(1).await;
    let (_, paused) = verb(&server, &id, "pause").await;
    assert_eq!(paused["status"], "paused");
    let (_, resumed) = verb(&server, &id, "resume").await;
    assert_eq!(resumed["status"], "sending");
    server.outbox.release();
    let sent = server.campaign_until(&id, "sent").await;
    assert_eq!((&sent["sentCount"], &sent["totalRecipients"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn failed_letters_and_letters_in_doubt_are_counted_and_tried_again() {
    let server = start().await;
    join(&server, &["ann", "bob", "cid"], "sale").await;
    server.outbox.answer_with(|letter| {
        let give = |end, phase, said| ScriptedReply::Give(DeliveryOutcome::new(end, phase, said));
        match letter.to.split('@').next() {
            Some("ann") => {
                give(DeliveryResult::Failed, SmtpPhase::Rcpt, Diagnostic::of_server(550, "no such user"))
            }
            Some("bob") => give(
                DeliveryResult::Unknown,
                SmtpPhase::Data,
                Diagnostic::own("connection lost", FaultSource::Letter),
            ),
            _ => ScriptedReply::Accept,
        }
    });
    let id = make(&server, json!({"list": "sale", "template": TEMPLATE})).await;
    let sent = server.campaign_until(&id, "sent").await;
    let counts =
        |c: &Value| ["sentCount", "failedCount", "inDoubtCount"].map(|field| c[field].as_u64().unwrap());
    assert_eq!(counts(&sent), [1, 1, 1]);
    server.outbox.answer_with(|_| ScriptedReply::Accept);
    server.outbox.hold();
    let (status, back) = verb(&server, &id, "retry-failed").await;
    assert_eq!((status, &back["status"]), (200, &json!("sending")));
    server.outbox.release();
    assert_eq!(counts(&server.campaign_until(&id, "sent").await), [2, 0, 1]);
    assert_eq!(verb(&server, &id, "in-doubt/resend").await.0, 200);
    assert_eq!(counts(&server.campaign_until(&id, "sent").await), [3, 0, 0]);
    for nothing in ["retry-failed", "in-doubt/resend", "in-doubt/drop"] {
        let (status, still) = verb(&server, &id, nothing).await;
        assert_eq!((status, &still["status"]), (200, &json!("sent")));
    }
}

#[tokio::test]
async fn a_delivery_answers_when_its_campaign_is_there_to_read() {
    let server = start().await;
    join(&server, &["ann"], "restock-lamp").await;
    let body =
        r#"{"delivery_id":"d1","type":"restock","sku":"lamp","product_name":"Brass lamp","quantity":3}"#;
    let signature = sign(SECRET.as_bytes(), body.as_bytes());
    let bytes = request("POST", "/v1/webhooks/inventory", &[("x-signature", &signature)], body.as_bytes());
    let accepted = json!({"ok": true, "event": "product.restocked", "exits": []});
    let duplicate = json!({"ok": true, "event": "product.restocked", "exits": [], "duplicate": true});
    for answer in [accepted, duplicate] {
        let reply = server.send(&bytes).await;
        assert_eq!((reply.status, reply.json()), (200, answer));
        let (_, page) = server.json("GET", CAMPAIGNS, Value::Null).await;
        let rows = page["campaigns"].as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["templateKey"]), (1, &json!(RESTOCK_TEMPLATE)));
        assert_eq!(rows[0]["name"], "Back in stock — Brass lamp");
        assert_eq!(rows[0]["subject"], "Brass lamp is back in stock");
    }
}

#[tokio::test]
async fn audiences_are_named_once_and_known() {
    let server = start().await;
    let ask = async |body: Value| server.json("POST", CAMPAIGNS, body).await;
    let bucket = ask(json!({"bucket": "vip", "template": TEMPLATE})).await;
    assert_eq!(bucket, (404, json!({"error": "Unknown bucket: vip"})));
    let list = ask(json!({"list": "nowhere", "template": TEMPLATE})).await;
    assert_eq!(list, (404, json!({"error": "Unknown list: nowhere"})));
    let template = ask(json!({"list": "sale", "template": "nothing"})).await;
    assert_eq!(template, (400, json!({"error": "Unknown template: nothing"})));
    for body in
        [json!({"template": TEMPLATE}), json!({"template": TEMPLATE, "list": "sale", "bucket": "vip"})]
    {
        let (status, error) = ask(body).await;
        assert_eq!(
            (status, &error["success"], &error["error"]["name"]),
            (400, &json!(false), &json!("ZodError"))
        );
    }
}
