//! How mails about a list look: its own template and subject, and addresses of product and picture.

use restockd::boot::boot;
use restockd::config::{Config, Flags};
use restockd_testkit::app::{App, Plan};
use serde_json::{Value, json};

use crate::helpers::*;

/// A template of the shop's own, and lists that wear it.
fn plan(toml: &str) -> Plan {
    let mut plan = Plan::new();
    let dir = plan.dir().join("templates/mail/shoe");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("subject.txt"), "Shoes: {{ product_name or sku }}").unwrap();
    std::fs::write(dir.join("body.txt"), "{{ product_url }} {{ image_url }} {{ unsubscribe_url }}").unwrap();
    std::fs::write(dir.join("body.html"), "<p>{{ product_url }}</p>").unwrap();
    plan.toml = format!("templates = {:?}\n{}{toml}", plan.dir().join("templates"), plan.toml);
    plan
}

/// The subject and text of the one letter about a SKU.
async fn letter(app: &App, sku: &str) -> (String, String) {
    press_all(app, &["ann"], sku).await;
    app.outbox().take();
    let id = restocked(app, &format!("d-{sku}"), sku).await;
    app.campaign_sent(&id).await;
    let letters = app.outbox().mails();
    assert_eq!(letters.len(), 1);
    (letters[0].letter.subject.clone(), letters[0].letter.text.clone())
}

const LISTS: &str = "[rule]\nproduct_url = \"https://shop.example/p/{sku}\"\nrenotify_after = \"0\"\n\
    [list.\"restock-shoe-*\"]\ntemplate = \"shoe\"\nsubject = \"\"\nimage_url = \"https://cdn.example/{sku}.jpg\"\n\
    [list.\"restock-shoe-9\"]\nsubject = \"Nine: {product}\"\n[list.news]\ntemplate = \"shoe\"\nsubject = \"Read this\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_campaign_wears_what_its_list_says_and_the_rules_own_elsewhere() {
    let app = plan(LISTS).start().await;
    let (subject, text) = letter(&app, "shoe-1 b/").await;
    assert_eq!(subject, "Shoes: The shoe-1 b/");
    assert!(
        text.starts_with("https://shop.example/p/shoe-1%20b%2F https://cdn.example/shoe-1%20b%2F.jpg "),
        "{text}"
    );
    assert_eq!(letter(&app, "shoe-9").await.0, "Nine: The shoe-9");
    let (subject, text) = letter(&app, "chair").await;
    assert_eq!(subject, "The chair is back in stock");
    assert!(text.contains("See it in the shop: https://shop.example/p/chair\n"), "{text}");
    let key = |campaign: &Value| campaign["templateKey"].as_str().unwrap().to_owned();
    let mut keys: Vec<_> = app.campaigns().await.iter().map(key).collect();
    keys.sort();
    assert_eq!(keys, ["ecommerce/back-in-stock", "shoe", "shoe"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_by_hand_may_leave_the_template_to_a_list_that_has_one() {
    let app = plan(LISTS).start().await;
    press_all(&app, &["ann"], "shoe-9").await;
    let body = json!({ "list": "restock-shoe-9", "props": { "product_url": "https://other.example/" } });
    let made = manual(&app, body).await;
    let done = app.campaign_sent(made["campaignId"].as_str().unwrap()).await;
    assert_eq!((&done["templateKey"], &done["subject"]), (&json!("shoe"), &json!("Nine: shoe-9")));
    let text = app.outbox().mails()[0].letter.text.clone();
    assert!(text.starts_with("https://other.example/ https://cdn.example/shoe-9.jpg"), "props win: {text}");
    let news = manual(&app, json!({ "list": "news", "idempotencyKey": "n" })).await;
    let again = manual(&app, json!({ "list": "news", "idempotencyKey": "n" })).await;
    assert_eq!(news["campaignId"], again["campaignId"]);
    assert!(again.get("mismatch").is_none(), "{again}");
    let (status, answer) = app.ask("POST", "/v1/campaigns", Some(json!({ "list": "restock-chair" }))).await;
    assert!(status == 400 && answer.to_string().contains("template"), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_refuses_a_template_that_is_not_there_by_the_name_of_its_setting() {
    for (toml, says) in [
        (
            "[list.\"restock-shoe-*\"]\ntemplate = \"nope\"\n",
            "list.restock-shoe-*.template: there is no template \"nope\"",
        ),
        ("[list.news]\ntemplate = \"nope\"\n", "list.news.template: there is no template \"nope\""),
        ("[rule]\ntemplate = \"nope\"\n", "rule.template: there is no template \"nope\""),
    ] {
        let plan = plan(toml);
        let refused = boot(plan.config(), plan.clock.clone()).await.err().unwrap().to_string();
        assert!(refused.starts_with(says), "{refused}");
    }
}

#[test]
fn settings_of_looks_that_cannot_be_meant_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("r.toml");
    for (toml, says) in [
        ("[list.\"restock-a\"]\nname = \"A\"\n", "list.restock-a: a list of a SKU is not declared"),
        ("[list.\"restock-\"]\ntemplate = \"a\"\n", "list.restock-: an id is plain text"),
        ("[list.\"ne*\"]\ntemplate = \"a\"\n", "list.ne*: an id is plain text"),
        ("[list.news]\nimage_url = \"https://a.example/{sku}\"\n", "list.news: product_url and image_url"),
        ("[rule]\nproduct_url = \"javascript:alert(1)\"\n", "rule.product_url: "),
        ("[rule]\nimage_url = \"https://{sku}.example/\"\n", "rule.image_url: "),
        ("[list.\"restock-*\"]\nproduct_url = \"ftp://a.example/\"\n", "list.restock-*.product_url: "),
        ("[list.\"restock-*\"]\nsubject = \"a\\nb\"\n", "list.restock-*.subject: "),
        ("[rule]\nmax_age = \"soon\"\n", "rule.max_age: \"soon\" is not a span"),
        ("[rule]\nmax_age = \"0\"\n", "rule.max_age: "),
        ("[list.\"restock-*\"]\nprice = \"5\"\n", "the configuration"),
    ] {
        std::fs::write(&file, toml).unwrap();
        let refused = Config::load(Some(&file), |_| None, &Flags::default()).err().unwrap().to_string();
        assert!(refused.starts_with(says), "{toml}: {refused}");
    }
}
