//! The contract of keys, checkpoints and probes, and of an engine that cannot now.

use serde_json::{Value, json};

use crate::harness::{NOON_TEXT, request, start};

#[tokio::test]
async fn a_key_is_shown_once_and_stops_at_once() {
    let server = start().await;
    let admin = server.admin.clone();
    let asked = json!({"name": "shop", "scope": "admin"});
    let (status, minted) = server.json_as(&admin, "POST", "/v1/keys", asked).await;
    let (id, key) = (minted["id"].as_str().unwrap(), minted["key"].as_str().unwrap());
    let row = json!({"id": id, "name": "shop", "scope": "admin", "createdAt": NOON_TEXT, "revokedAt": null});
    let mut shown = row.clone();
    shown["key"] = json!(key);
    assert_eq!((status, &minted), (201, &shown));
    let (_, keys) = server.json_as(key, "GET", "/v1/keys", Value::Null).await;
    assert!(keys["keys"].as_array().unwrap().contains(&row) && !keys.to_string().contains(key));
    let (status, revoked) = server.json_as(key, "DELETE", &format!("/v1/keys/{id}"), Value::Null).await;
    assert_eq!((status, &revoked["revokedAt"], revoked.get("key")), (200, &json!(NOON_TEXT), None));
    assert_eq!(
        server.json_as(key, "GET", "/v1/keys", Value::Null).await,
        (401, json!({"error": "Unauthorized"}))
    );
    let near = format!("{}0", &key[..key.len() - 1]);
    let other = if near == key { format!("{}1", &key[..key.len() - 1]) } else { near };
    assert_eq!(server.json_as(&other, "GET", "/v1/keys", Value::Null).await.0, 401);
}

#[tokio::test]
async fn an_admin_key_does_what_an_ingest_key_does() {
    let server = start().await;
    let admin = server.admin.clone();
    for path in ["/v1/lists", "/v1/campaigns", "/v1/contacts/find?userId=u"] {
        assert_eq!(server.json_as(&admin, "GET", path, Value::Null).await.0, 200);
        assert_eq!(server.json("GET", path, Value::Null).await.0, 200);
    }
    let for_admins = [
        ("POST", "/v1/keys"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/admin/snapshot"),
        ("GET", "/v1/providers"),
        ("GET", "/v1/campaigns/cmp_x/recipients"),
    ];
    for (method, path) in for_admins {
        let refused = json!({"error": "Forbidden: insufficient scope"});
        assert_eq!(server.json(method, path, Value::Null).await, (403, refused));
    }
}

#[tokio::test]
async fn providers_are_listed_by_name_and_letters_of_an_unknown_campaign_are_not() {
    let server = start().await;
    let admin = server.admin.clone();
    let none = (200, json!({"providers": []}));
    assert_eq!(server.json_as(&admin, "GET", "/v1/providers", Value::Null).await, none);
    let ask = async |query: &str| {
        let path = format!("/v1/campaigns/cmp_00000000000000000000000000000000/recipients{query}");
        server.json_as(&admin, "GET", &path, Value::Null).await
    };
    let unknown = "Unknown campaign: cmp_00000000000000000000000000000000";
    assert_eq!(ask("").await, (404, json!({"error": unknown})));
    for query in ["?status=odd", "?cursor=-1", "?cursor=99999999999", "?limit=0", "?limit=1001"] {
        assert_eq!(ask(query).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_checkpoint_says_what_it_holds() {
    let server = start().await;
    let admin = server.admin.clone();
    server.json("POST", "/v1/lists/sale/subscribe", json!({"email": "ann@shop.example"})).await;
    let (status, round) = server.json_as(&admin, "POST", "/v1/admin/snapshot", json!({})).await;
    assert_eq!(
        (status, &round["lists"], &round["people"], &round["campaigns"]),
        (200, &json!(1), &json!(1), &json!(0))
    );
    assert!(round["generation"].is_u64() && round["tookMs"].is_u64());
    assert_eq!(round.as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn an_engine_that_stops_reads_on_and_refuses_work_with_a_time() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "sale").await;
    server.stop_engine();
    let error = json!({"error": "the engine is stopping; try again after the restart"});
    for (method, path, body) in [
        ("POST", "/v1/events", json!({"name": "a"})),
        ("POST", "/v1/events/batch", json!({"events": [{"name": "a"}]})),
        ("PUT", "/v1/contacts", json!({"userId": "u"})),
        ("DELETE", "/v1/contacts", json!({"email": "ann@shop.example"})),
        ("POST", "/v1/lists/sale/subscribe", json!({"email": "bob@shop.example"})),
        ("POST", "/v1/campaigns", json!({"list": "sale", "template": "announcement"})),
    ] {
        let reply = server.ask(method, path, &server.ingest, body.to_string().as_bytes()).await;
        assert_eq!(
            (reply.status, reply.json(), reply.header("retry-after")),
            (503, error.clone(), Some("2"))
        );
        assert!(reply.header("x-request-id").is_some());
    }
    let ready = server.send(&request("GET", "/v1/ready", &[], b"")).await;
    assert_eq!((ready.status, ready.json()), (503, json!({"ready": false, "reason": "stopping"})));
    assert_eq!(ready.header("retry-after"), Some("1"));
    assert_eq!(server.json("GET", "/v1/lists/sale", Value::Null).await.1["members"], 1);
    let page = server.send(&request("POST", &format!("/v1/email/unsubscribe?token={token}"), &[], b"")).await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("2")));
    assert!(page.text().contains("try again in a moment"), "{}", page.text());
}
