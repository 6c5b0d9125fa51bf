//! P8: API keys and their scopes.

use restockd_testkit::app::{App, Plan};
use serde_json::json;

use crate::helpers::*;

/// The status of a request with a key.
async fn status(app: &App, key: &str, method: &str, path: &str, body: &str) -> u16 {
    app.send(method, path, &bearer(key), body.as_bytes()).await.0
}

/// Mints a key: its id and its text.
async fn mint(app: &App, scope: &str) -> (String, String) {
    let made = app.post("/v1/keys", json!({ "name": "shop", "scope": scope })).await;
    let text = |field: &str| made[field].as_str().map(str::to_owned);
    (text("id").unwrap_or_else(|| panic!("{made}")), text("key").unwrap_or_else(|| panic!("{made}")))
}

const EVENT: &str = r#"{"name":"w","email":"ann@shop.example"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_key_does_what_its_scope_says_and_stops_at_once_when_revoked() {
    let app = App::fresh().await;
    let (id, key) = mint(&app, "ingest").await;
    assert_eq!(status(&app, &key, "POST", "/v1/events", EVENT).await, 202);
    assert_eq!(status(&app, &key, "GET", "/v1/keys", "").await, 403);
    assert_eq!(status(&app, &key, "POST", "/v1/admin/snapshot", "").await, 403);
    assert_eq!(status(&app, &format!("{key}x"), "POST", "/v1/events", EVENT).await, 401);
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(status(&app, &key, "POST", "/v1/events", EVENT).await, 202);
    let (gone, _) = app.ask("DELETE", &format!("/v1/keys/{id}"), None).await;
    assert!((200..300).contains(&gone), "{gone}");
    assert_eq!(status(&app, &key, "POST", "/v1/events", EVENT).await, 401);
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(status(&app, &key, "POST", "/v1/events", EVENT).await, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_key_may_everything_and_survives_a_snapshot() {
    let app = App::fresh().await;
    let (_, key) = mint(&app, "admin").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.crash().await;
    let app = plan.start().await;
    assert_eq!(status(&app, &key, "GET", "/v1/keys", "").await, 200);
    let listed = app.get("/v1/keys").await.to_string();
    let secret = key.rsplit('_').next().unwrap();
    assert!(!listed.contains(secret), "a list of keys tells a secret");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_any_file_but_the_secrets() {
    let app = App::fresh().await;
    let (_, key) = mint(&app, "admin").await;
    app.post("/v1/admin/snapshot", json!({})).await;
    let plan = app.stop().await;
    let secret = key.rsplit('_').next().unwrap();
    let secrets = std::fs::read_to_string(plan.data().join("secrets")).unwrap();
    let made: Vec<&str> = secrets.split_whitespace().filter(|word| word.len() >= 32).collect();
    assert!(!made.is_empty());
    let mut words: Vec<Vec<u8>> =
        vec![secret.as_bytes().to_vec(), restockd_testkit::app::KEY.as_bytes().to_vec()];
    words.extend(unhex(secret));
    words.push(restockd_testkit::app::SECRET.as_bytes().to_vec());
    for (path, bytes) in files(&plan) {
        if path.ends_with("secrets") {
            continue;
        }
        for word in &words {
            assert!(!contains(&bytes, word), "{} holds a secret", path.display());
        }
    }
}

/// The bytes of a hex text.
fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_key_the_first_start_makes_one_that_only_the_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let mut plan = Plan::new();
    plan.env.remove("RESTOCKD_API_KEY");
    let app = plan.start().await;
    let (denied, _) = app.send("POST", "/v1/events", &[], EVENT.as_bytes()).await;
    assert_eq!(denied, 401);
    let path = app.plan.data().join("admin.key");
    if path.exists() {
        let key = std::fs::read_to_string(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(status(&app, key.trim(), "POST", "/v1/events", EVENT).await, 202);
    }
    let mode = std::fs::metadata(app.plan.data()).unwrap().permissions().mode() & 0o777;
    let secrets = std::fs::metadata(app.plan.data().join("secrets")).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode, secrets), (0o700, 0o600));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_no_webhook_and_unknown_settings_stop_the_start() {
    let mut plan = Plan::new();
    plan.env.remove("INVENTORY_WEBHOOK_SECRET");
    let app = plan.start().await;
    let (status, answer) = app.restock("d1", "chair", 5).await;
    assert_eq!((status, answer["error"].as_str()), (401, Some("Webhook signature not configured")));
    let plan = app.stop().await;
    let file = plan.dir().join("restockd.toml");
    std::fs::write(&file, "[engine]\nsegment_mb = 1\n").unwrap();
    let flags = restockd::config::Flags { data: Some(plan.data()), ..Default::default() };
    assert!(restockd::config::Config::load(Some(&file), |_| None, &flags).is_err());
}
