//! The contract of events: every form of the 202, restocks among them, batches.

use serde_json::{Value, json};

use crate::harness::{TestServer, request, start};

async fn event(server: &TestServer, body: Value) -> Value {
    let (status, answer) = server.json("POST", "/v1/events", body).await;
    assert_eq!(status, 202, "{answer}");
    answer
}

/// The campaigns there are.
async fn campaigns(server: &TestServer) -> Vec<Value> {
    let (_, page) = server.json("GET", "/v1/campaigns", Value::Null).await;
    page["campaigns"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_contact_key_is_the_strongest_name_given_else_the_contact() {
    let server = start().await;
    let stored = |key: Value| json!({"stored": true, "exits": [], "contactKey": key});
    let both = json!({"name": "a", "userId": "u1", "anonymousId": "b1", "email": "ann@shop.example"});
    assert_eq!(event(&server, both).await, stored(json!("u1")));
    let browser = json!({"name": "a", "anonymousId": "b2", "email": "bob@shop.example"});
    assert_eq!(event(&server, browser).await, stored(json!("b2")));
    let address = event(&server, json!({"name": "a", "email": "cid@shop.example"})).await;
    let (_, found) = server.json("GET", "/v1/contacts/find?email=cid@shop.example", Value::Null).await;
    assert_eq!(address, stored(found["contacts"][0]["id"].clone()));
    for nobody in
        [json!({"name": "a"}), json!({"name": "a", "email": ""}), json!({"name": "a", "email": null})]
    {
        assert_eq!(event(&server, nobody).await, stored(Value::Null));
    }
}

#[tokio::test]
async fn what_a_list_could_not_take_is_said_on_the_202() {
    let server = start().await;
    let no_email = event(&server, json!({"name": "a", "userId": "u1", "lists": {"restock-x": true}})).await;
    assert_eq!((&no_email["stored"], &no_email["contactKey"]), (&json!(true), &json!("u1")));
    let unknown = json!({"name": "a", "email": "ann@shop.example", "lists": {"nowhere": true, "sale": true}});
    let unknown = event(&server, unknown).await;
    let nobody = event(&server, json!({"name": "a", "lists": {"sale": true}})).await;
    for (answer, part) in [(&no_email, "no email"), (&unknown, "nowhere"), (&nobody, "no email")] {
        let text = answer["listsError"].as_str().unwrap();
        assert!(text.contains(part) && text.len() < 200, "{text}");
    }
    assert_eq!(nobody["contactKey"], Value::Null);
    let (_, sale) = server.json("GET", "/v1/lists/sale", Value::Null).await;
    assert_eq!(sale["members"], 1);
    let fine = json!({"name": "a", "email": "ann@shop.example", "lists": {"sale": false, "restock-x": true}});
    assert_eq!(event(&server, fine).await.get("listsError"), None);
}

#[tokio::test]
async fn an_empty_key_is_no_key_and_a_key_is_its_own_for_each_event() {
    let server = start().await;
    for _ in 0..2 {
        let keyless = event(&server, json!({"name": "a", "userId": "u1", "idempotencyKey": ""})).await;
        assert_eq!(keyless["stored"], true);
    }
    let keyed = json!({"name": "a", "userId": "u1", "idempotencyKey": "k"});
    assert_eq!(event(&server, keyed.clone()).await["stored"], true);
    let again = event(&server, keyed).await;
    assert_eq!(again, json!({"stored": false, "exits": [], "contactKey": "u1"}));
    // The bag of a repeat still counts: a second "notify me" after a purchase must work.
    let back = json!({"name": "a", "userId": "u1", "email": "ann@shop.example", "idempotencyKey": "k",
        "lists": {"sale": true}});
    assert_eq!(event(&server, back).await["stored"], false);
    let (_, sale) = server.json("GET", "/v1/lists/sale", Value::Null).await;
    assert_eq!(sale["members"], 1);
}

#[tokio::test]
async fn a_restock_event_is_a_signal_like_a_delivery() {
    let server = start().await;
    let waiting =
        json!({"name": "product.waitlisted", "email": "ann@shop.example", "lists": {"restock-lamp": true}});
    event(&server, waiting).await;
    let restock = |properties: Value| json!({"name": "product.restocked", "eventProperties": properties});
    let stored = json!({"stored": true, "exits": [], "contactKey": null});
    assert_eq!(event(&server, restock(json!({}))).await, stored);
    assert_eq!(event(&server, restock(json!({"sku": "lamp", "quantity": 0}))).await, stored);
    assert_eq!(campaigns(&server).await, Vec::<Value>::new());
    let lamp = json!({"sku": "lamp", "product_name": "Brass lamp", "quantity": 3.0});
    assert_eq!(event(&server, restock(lamp)).await, stored);
    // Durable and there to read at once.
    let rows = campaigns(&server).await;
    assert_eq!((rows.len(), &rows[0]["audienceId"]), (1, &json!("restock-lamp")));
    assert_eq!(rows[0]["templateKey"], "ecommerce/back-in-stock");
    server.campaign_until(rows[0]["id"].as_str().unwrap(), "sent").await;
    let mails = server.outbox.mails();
    assert_eq!(mails[0].letter.subject, "Brass lamp is back in stock");
    // No quantity is "in stock".
    let desk = json!({"name": "a", "email": "ann@shop.example", "lists": {"restock-desk": true}});
    event(&server, desk).await;
    event(&server, restock(json!({"sku": "desk"}))).await;
    assert_eq!(campaigns(&server).await.len(), 2);
}

#[tokio::test]
async fn a_batch_answers_each_item_where_it_stood() {
    let server = start().await;
    let body = json!({"events": [
        {"name": "a", "userId": "u1", "idempotencyKey": "k"},
        {"name": "a", "userId": "u1", "idempotencyKey": "k"},
        7,
        {"name": "a", "userId": "u2", "lists": {"nowhere": true}, "email": "ann@shop.example"},
        {"name": "a", "email": "no address"},
        {"name": "a"},
    ]});
    // A key in the header is nobody's: it would make all of them one event.
    let bearer = format!("Bearer {}", server.ingest);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "h")];
    for round in 0..2 {
        let reply =
            server.send(&request("POST", "/v1/events/batch", &headers, body.to_string().as_bytes())).await;
        let json = reply.json();
        assert_eq!((reply.status, json.as_object().unwrap().len()), (202, 1));
        let rows = json["results"].as_array().unwrap();
        assert_eq!(rows[0], json!({"stored": round == 0, "exits": [], "contactKey": "u1"}));
        assert_eq!(rows[1], json!({"stored": false, "exits": [], "contactKey": "u1"}));
        assert_eq!(rows[2], json!({"error": "Expected object, received number"}));
        assert!(rows[3]["stored"] == true && rows[3]["listsError"].is_string());
        assert_eq!(rows[4], json!({"error": "email: Invalid email"}));
        assert_eq!(rows[5], json!({"stored": true, "exits": [], "contactKey": null}));
        assert_eq!(rows.len(), 6);
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let lines = b"{\"name\":\"a\",\"userId\":\"n1\"}\r\n\n{bad\n{\"name\":\"a\",\"userId\":\"n2\"}";
    let reply = server.send(&request("POST", "/v1/events/batch", &headers, lines)).await.json();
    let keys: Vec<_> =
        reply["results"].as_array().unwrap().iter().map(|row| row["contactKey"].clone()).collect();
    assert_eq!(keys, [json!("n1"), Value::Null, json!("n2")]);
    assert_eq!(reply["results"][1], json!({"error": "Malformed JSON in request body"}));
}
