//! The contract of contacts: made, linked, found, exported, erased.

use serde_json::{Value, json};

use crate::harness::{NOON_TEXT, TestServer, start};

const CONTACTS: &str = "/v1/contacts";

async fn put(server: &TestServer, body: Value) -> Value {
    let (status, answer) = server.json("PUT", CONTACTS, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn put_says_whether_somebody_is_new_or_was_joined() {
    let server = start().await;
    let made = put(&server, json!({"email": "ann@shop.example"})).await;
    let id = made["id"].clone();
    let answer = |created: bool, linked: bool| json!({"id": id, "created": created, "linked": linked});
    assert_eq!(made, answer(true, false));
    assert_eq!(put(&server, json!({"email": "ANN@shop.example "})).await, answer(false, false));
    assert_eq!(put(&server, json!({"email": "ann@shop.example", "userId": "u1"})).await, answer(false, true));
    assert_eq!(put(&server, json!({"userId": "u1", "properties": {"a": 1}})).await, answer(false, false));
    // Two who turn out to be one.
    let user = put(&server, json!({"userId": "u2"})).await;
    put(&server, json!({"email": "bob@shop.example", "lists": {"sale": true}})).await;
    let both = put(&server, json!({"userId": "u2", "email": "bob@shop.example"})).await;
    assert_eq!(both, json!({"id": user["id"], "created": false, "linked": true}));
    let (_, place) = server.json("GET", "/v1/lists/sale/position?userId=u2", Value::Null).await;
    assert_eq!(place["position"], 1);
    // Somebody else's address is not taken over.
    let taken = put(&server, json!({"userId": "u3", "email": "ann@shop.example"})).await;
    assert!(taken["listsError"].as_str().unwrap().contains("another user") && taken["id"] != id);
    // A browser's id is a name too, the weakest.
    let browser = put(&server, json!({"anonymousId": "b1"})).await;
    assert_eq!(browser["created"], true);
    let named = put(&server, json!({"anonymousId": "b1", "email": "dan@shop.example"})).await;
    assert_eq!(named, json!({"id": browser["id"], "created": false, "linked": true}));
    let (_, found) = server.json("GET", "/v1/contacts/find?email=dan@shop.example", Value::Null).await;
    assert_eq!(found["contacts"][0]["externalId"], "b1");
    let failed = put(&server, json!({"userId": "u9", "lists": {"sale": true}})).await;
    assert!(failed["created"] == true && failed["listsError"].is_string());
}

#[tokio::test]
async fn find_shows_nulls_and_merged_properties() {
    let server = start().await;
    let made =
        put(&server, json!({"email": "ann@shop.example", "properties": {"a": 1, "b": [1, {"c": null}]}}))
            .await;
    server.clock.advance(1500);
    put(&server, json!({"email": "ann@shop.example", "properties": {"a": "two", "d": null}})).await;
    let row = json!({"id": made["id"], "externalId": null, "email": "ann@shop.example",
        "properties": {"a": "two", "b": [1, {"c": null}], "d": null}, "firstSeenAt": NOON_TEXT,
        "lastSeenAt": "2026-03-02T12:00:01.500Z", "createdAt": NOON_TEXT, "updatedAt": "2026-03-02T12:00:01.500Z"});
    let found = |row: &Value| (200, json!({"contacts": [row]}));
    let ask =
        async |query: &str| server.json("GET", &format!("/v1/contacts/find?{query}"), Value::Null).await;
    assert_eq!(ask("email=ann%40shop.example").await, found(&row));
    let other = put(&server, json!({"userId": "u1"})).await;
    let at = "2026-03-02T12:00:01.500Z";
    let row = json!({"id": other["id"], "externalId": "u1", "email": null, "properties": {}, "firstSeenAt": at,
        "lastSeenAt": at, "createdAt": at, "updatedAt": at});
    assert_eq!(ask("userId=u1").await, found(&row));
    assert_eq!(ask("userId=nobody").await, (200, json!({"contacts": []})));
}

#[tokio::test]
async fn deletion_ends_every_membership_and_no_campaign_reaches_the_person() {
    let server = start().await;
    put(
        &server,
        json!({"email": "ann@shop.example", "userId": "u1", "lists": {"sale": true, "restock-lamp": true}}),
    )
    .await;
    put(&server, json!({"email": "bob@shop.example", "lists": {"sale": true}})).await;
    assert_eq!(
        server.json("DELETE", CONTACTS, json!({"userId": "u1"})).await,
        (200, json!({"deleted": true}))
    );
    let gone = (404, json!({"error": "Contact not found"}));
    for who in [json!({"userId": "u1"}), json!({"email": "ann@shop.example"})] {
        assert_eq!(server.json("DELETE", CONTACTS, who).await, gone);
    }
    for query in ["userId=u1", "email=ann@shop.example"] {
        let (_, found) = server.json("GET", &format!("/v1/contacts/find?{query}"), Value::Null).await;
        assert_eq!(found, json!({"contacts": []}));
        let exported =
            server.json_as(&server.admin, "GET", &format!("/v1/contacts/export?{query}"), Value::Null).await;
        assert_eq!(exported, gone);
    }
    for list in ["restock-lamp", "sale"] {
        let (_, shown) = server.json("GET", &format!("/v1/lists/{list}"), Value::Null).await;
        assert_eq!(shown["members"], u64::from(list == "sale"), "{list}");
    }
    let mail = server.mail_to("bob@shop.example", "sale").await;
    assert_eq!((server.outbox.count(), mail.letter.to.as_str()), (1, "bob@shop.example"));
}

#[tokio::test]
async fn a_person_who_wanted_no_mail_stays_unmailed_after_deletion() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "sale").await;
    let path = format!("/v1/email/unsubscribe?token={token}");
    server.send(&crate::harness::request("POST", &path, &[], b"scope=all")).await;
    let ann = json!({"email": "ann@shop.example"});
    assert_eq!(server.json("DELETE", CONTACTS, ann.clone()).await.0, 200);
    let (status, refused) = server.json("POST", "/v1/lists/sale/subscribe", ann).await;
    assert!(status == 400 && refused["error"].as_str().unwrap().contains("takes no mail"), "{refused}");
}

#[tokio::test]
async fn the_export_holds_all_there_is() {
    let server = start().await;
    let token = server.list_token("ann@shop.example", "sale").await;
    assert!(!token.is_empty());
    put(&server, json!({"email": "ann@shop.example", "userId": "u1", "properties": {"a": 1}})).await;
    let event = json!({"name": "a", "email": "ann@shop.example", "lists": {"restock-lamp": true}});
    server.json("POST", "/v1/events", event).await;
    server.json("POST", "/v1/lists/sale/unsubscribe", json!({"userId": "u1"})).await;
    let export = async |query: &str| {
        server.json_as(&server.admin, "GET", &format!("/v1/contacts/export?{query}"), Value::Null).await
    };
    let (status, held) = export("email=ann@shop.example").await;
    let (_, found) = server.json("GET", "/v1/contacts/find?userId=u1", Value::Null).await;
    assert_eq!((status, &held["contact"]), (200, &found["contacts"][0]));
    let times = |list: &str, on: bool, how: &str| json!({"list": list, "subscribed": on, "how": how, "joinedAt": NOON_TEXT, "changedAt": NOON_TEXT});
    let mut lists = held["lists"].as_array().unwrap().clone();
    lists.sort_by_key(|row| row["list"].as_str().map(str::to_owned));
    assert_eq!(lists, [times("restock-lamp", true, "event"), times("sale", false, "api")]);
    let letter = &held["letters"][0];
    assert_eq!(
        (&letter["list"], &letter["status"], &letter["reason"], &letter["attempts"]),
        (&json!("sale"), &json!("sent"), &Value::Null, &json!(1))
    );
    assert!(held["unsubscribedFromAll"] == false && held["suppression"].is_null());
    assert_eq!((&held["consent"], &held["pending"]), (&json!([]), &json!([])));
    assert_eq!(held["returns"], json!([]));
    assert_eq!(held.as_object().unwrap().len(), 8);
    assert_eq!(export("userId=u1").await, (200, held));
    // The entry on the suppression list is found by either name.
    let complained = json!({"email": "ann@shop.example", "reason": "complaint"});
    server.json_as(&server.admin, "POST", "/v1/suppressions", complained).await;
    let (_, held) = export("userId=u1").await;
    let entry = json!({"reason": "complaint", "at": NOON_TEXT, "evidence": "API key environment"});
    assert_eq!(held["suppression"], entry);
}
