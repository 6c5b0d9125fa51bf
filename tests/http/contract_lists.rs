//! The contract of lists: rows, pages, details, members, places.

use serde_json::{Value, json};

use crate::harness::{NOON_TEXT, TestServer, start};

async fn join(server: &TestServer, email: &str, list: &str) {
    let path = format!("/v1/lists/{list}/subscribe");
    let (status, answer) = server.json("POST", &path, json!({ "email": email })).await;
    assert_eq!((status, answer), (200, json!({"list": list, "subscribed": true})));
}

fn ids(page: &Value) -> Vec<String> {
    page["lists"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_row_holds_what_is_documented_and_no_more() {
    let server = start().await;
    let (status, page) = server.json("GET", "/v1/lists", Value::Null).await;
    let rows = json!([
        {"id": "news", "name": "News", "description": "What is new, once a month", "defaultOptIn": true,
            "kind": "topic", "members": 0},
        {"id": "sale", "name": "Sales", "defaultOptIn": false, "kind": "topic", "members": 0},
    ]);
    assert_eq!((status, page), (200, json!({"lists": rows, "cursor": null})));
}

#[tokio::test]
async fn a_stranger_is_at_the_default_everywhere() {
    let server = start().await;
    join(&server, "ann@shop.example", "restock-lamp").await;
    for who in ["email=stranger@shop.example", "userId=nobody", "email=stranger@shop.example&userId=nobody"] {
        let (status, page) = server.json("GET", &format!("/v1/lists?{who}"), Value::Null).await;
        let told: Vec<_> =
            page["lists"].as_array().unwrap().iter().map(|row| row["subscribed"].clone()).collect();
        assert_eq!((status, ids(&page)), (200, vec!["news".into(), "restock-lamp".into(), "sale".into()]));
        assert_eq!(told, [json!(true), json!(false), json!(false)]);
    }
}

#[tokio::test]
async fn a_persons_own_lists_come_first_and_no_page_loses_or_repeats_one() {
    let server = start().await;
    for n in 0..7 {
        join(&server, "bob@shop.example", &format!("restock-{n}")).await;
    }
    for list in ["sale", "restock-6", "restock-2", "restock-4"] {
        join(&server, "ann@shop.example", list).await;
    }
    let left = json!({"email": "ann@shop.example"});
    server.json("POST", "/v1/lists/restock-4/unsubscribe", left).await;
    let own = ["restock-2", "restock-4", "restock-6", "sale"];
    let others = ["news", "restock-0", "restock-1", "restock-3", "restock-5"];
    for limit in 1..=10 {
        let (mut seen, mut path) = (Vec::new(), format!("/v1/lists?email=ann@shop.example&limit={limit}"));
        loop {
            let (status, page) = server.json("GET", &path, Value::Null).await;
            let rows = page["lists"].as_array().unwrap();
            assert_eq!(status, 200);
            assert!((1..=limit).contains(&rows.len()));
            for row in rows {
                let id = row["id"].as_str().unwrap();
                let on = (own.contains(&id) && id != "restock-4") || id == "news";
                assert_eq!(row["subscribed"], on, "{id}");
                seen.push(id.to_owned());
            }
            let Some(cursor) = page["cursor"].as_str() else { break };
            path = format!("/v1/lists?email=ann@shop.example&limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen, [own.as_slice(), others.as_slice()].concat(), "limit {limit}");
    }
    let (_, page) = server.json("GET", "/v1/lists?limit=4", Value::Null).await;
    let cursor = page["cursor"].as_str().unwrap();
    let (_, rest) = server.json("GET", &format!("/v1/lists?cursor={cursor}"), Value::Null).await;
    assert_eq!((ids(&page).len(), ids(&rest).len(), &rest["cursor"]), (4, 5, &Value::Null));
    for cursor in ["x", "%3E", "own:", "all:%00"] {
        let (status, error) = server.json("GET", &format!("/v1/lists?cursor={cursor}"), Value::Null).await;
        assert_eq!((status, &error["error"]["name"]), (400, &json!("ZodError")), "{cursor}");
    }
}

#[tokio::test]
async fn a_list_tells_its_counts_stock_and_campaign() {
    let server = start().await;
    let empty = json!({"id": "restock-lamp", "name": "Back in stock — lamp", "defaultOptIn": false, "kind": "topic",
        "members": 0, "left": 0, "stock": null, "product": null, "running": []});
    assert_eq!(server.json("GET", "/v1/lists/restock-lamp", Value::Null).await, (200, empty));
    join(&server, "ann@shop.example", "restock-lamp").await;
    join(&server, "bob@shop.example", "restock-lamp").await;
    server.json("POST", "/v1/lists/restock-lamp/unsubscribe", json!({"email": "bob@shop.example"})).await;
    server.outbox.hold();
    let restock = json!({"name": "product.restocked",
        "eventProperties": {"sku": "lamp", "product_name": "Brass lamp", "quantity": 9}});
    server.json("POST", "/v1/events", restock).await;
    let (_, campaigns) = server.json("GET", "/v1/campaigns", Value::Null).await;
    let id = &campaigns["campaigns"][0]["id"];
    let full = json!({"id": "restock-lamp", "name": "Back in stock — Brass lamp", "defaultOptIn": false,
        "kind": "topic", "members": 1, "left": 1, "stock": 9, "product": "Brass lamp", "running": [id]});
    assert_eq!(server.json("GET", "/v1/lists/restock-lamp", Value::Null).await, (200, full));
    server.outbox.release();
    server.campaign_until(id.as_str().unwrap(), "sent").await;
}

#[tokio::test]
async fn members_stand_in_join_order_and_everybody_knows_their_place() {
    let server = start().await;
    for name in ["ann", "bob", "cid", "dan", "eve"] {
        join(&server, &format!("{name}@shop.example"), "restock-lamp").await;
    }
    server.json("PUT", "/v1/contacts", json!({"email": "bob@shop.example", "userId": "u-bob"})).await;
    server.json("POST", "/v1/lists/restock-lamp/unsubscribe", json!({"email": "cid@shop.example"})).await;
    let path = "/v1/lists/restock-lamp/members";
    let refused = json!({"error": "Forbidden: insufficient scope"});
    assert_eq!(server.json("GET", path, Value::Null).await, (403, refused));
    let admin = server.admin.clone();
    let (_, first) = server.json_as(&admin, "GET", &format!("{path}?limit=2"), Value::Null).await;
    let bob = &first["members"][1];
    let row = json!({"id": bob["id"], "externalId": "u-bob", "email": "bob@shop.example", "position": 2,
        "joinedAt": NOON_TEXT});
    assert_eq!((bob, &first["total"], first["members"][0]["externalId"].is_null()), (&row, &json!(4), true));
    let next = format!("{path}?limit=2&cursor={}", first["cursor"].as_str().unwrap());
    let (_, last) = server.json_as(&admin, "GET", &next, Value::Null).await;
    let rows = last["members"].as_array().unwrap();
    let rows: Vec<_> =
        rows.iter().map(|row| (row["email"].as_str().unwrap(), row["position"].as_u64())).collect();
    assert_eq!(rows, [("dan@shop.example", Some(3)), ("eve@shop.example", Some(4))]);
    assert_eq!((&last["cursor"], &last["total"]), (&Value::Null, &json!(4)));
    for (who, position) in [("email=dan@shop.example", 3), ("userId=u-bob", 2)] {
        let (status, place) =
            server.json("GET", &format!("/v1/lists/restock-lamp/position?{who}"), Value::Null).await;
        assert_eq!((status, place), (200, json!({"position": position, "total": 4, "joinedAt": NOON_TEXT})));
    }
    for who in ["email=cid@shop.example", "email=stranger@shop.example"] {
        let (status, error) =
            server.json("GET", &format!("/v1/lists/restock-lamp/position?{who}"), Value::Null).await;
        assert_eq!((status, error), (404, json!({"error": "this person is not on the list"})));
    }
}

#[tokio::test]
async fn who_cannot_join_is_told_why() {
    let server = start().await;
    let (path, ann) = ("/v1/lists/restock-lamp/subscribe", json!({"email": "ann@shop.example"}));
    let unknown = json!({"error": "Unknown list: nowhere"});
    assert_eq!(server.json("POST", "/v1/lists/nowhere/subscribe", ann.clone()).await, (404, unknown));
    for (body, part) in [
        (json!({}), "either email or userId"),
        (json!({"email": "x"}), "not a valid address"),
        (json!({"userId": "u1"}), "no email address"),
    ] {
        let (status, error) = server.json("POST", path, body).await;
        assert!(status == 400 && error["error"].as_str().unwrap().contains(part), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 1);
    }
    // As the published client sends it: names it does not know are left out.
    for (verb, subscribed) in
        [("subscribe", true), ("subscribe", true), ("unsubscribe", false), ("unsubscribe", false)]
    {
        let path = format!("/v1/lists/restock-lamp/{verb}");
        let answer = json!({"list": "restock-lamp", "subscribed": subscribed});
        assert_eq!(server.json("POST", &path, ann.clone()).await, (200, answer));
    }
}
