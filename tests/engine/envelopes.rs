//! How what comes of a letter finds its way back, and the settings that sign and turn letters.

use restockd::config::{Config, Flags};
use restockd_core::CampaignId;
use restockd_testkit::app::Plan;

use crate::helpers::{newest, person, press_all, restocked, secrets};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/keys");

/// Why a configuration is refused.
fn refused(toml: &str, env: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("restockd.toml");
    std::fs::write(&file, toml).unwrap();
    let env = |key: &str| env.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
    match Config::load(Some(&file), env, &Flags::default()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_letter_says_whose_it_is_to_whoever_returns_it_and_to_nobody_else() {
    let plan = Plan::new().toml(
        "[mail]\nbounce_domain = \"bounces.shop.example\"\nfeedback_id = \"shop42\"\ncfbl_address = \"fbl@shop.example\"\n",
    );
    let app = plan.start().await;
    press_all(&app, &["ann", "bob"], "chair").await;
    restocked(&app, "d1", "chair").await;
    app.outbox().wait_for(2).await;
    let campaign = newest(&app).await;
    let secrets = secrets(&app);
    for mail in app.outbox().mails() {
        let name = mail.letter.to.split('@').next().unwrap().to_owned();
        let sender = mail.letter.envelope_from.clone().unwrap();
        let token = sender.strip_prefix("bounce+").unwrap().strip_suffix("@bounces.shop.example").unwrap();
        let whose = (CampaignId::parse(&campaign).unwrap(), person(&app, &name).await);
        assert_eq!(secrets.read_bounce_token(token), Some(whose));
        assert!(sender.split('@').next().unwrap().len() <= 64, "{sender}");
        let raw = String::from_utf8(mail.raw).unwrap();
        let raw = raw.replace("\r\n ", " ").replace("\r\n\t", " ");
        let feedback = format!("\r\nFeedback-ID: {campaign}:ecommerce-back-in-stock:restock:shop42\r\n");
        assert!(raw.contains(&feedback), "{raw}");
        assert!(raw.contains(&format!("\r\nCFBL-Feedback-ID: {token}\r\n")), "{raw}");
        assert!(raw.contains("\r\nCFBL-Address: fbl@shop.example; report=arf\r\n"), "{raw}");
    }
    app.stop().await;
}

#[tokio::test]
async fn unset_nothing_of_it_is_in_a_letter() {
    let app = Plan::new().start().await;
    press_all(&app, &["ann"], "chair").await;
    restocked(&app, "d1", "chair").await;
    app.outbox().wait_for(1).await;
    let mail = app.outbox().mails().remove(0);
    let raw = String::from_utf8(mail.raw).unwrap();
    assert_eq!(mail.letter.envelope_from, None);
    for header in ["Feedback-ID", "CFBL", "DKIM"] {
        assert!(!raw.contains(header), "{raw}");
    }
    app.stop().await;
}

#[tokio::test]
async fn letters_are_signed_with_the_keys_of_the_configuration_and_of_the_environment() {
    let edwards = std::fs::read_to_string(format!("{KEYS}/ed25519.pem")).unwrap();
    let plan = Plan::new()
        .toml(&format!(
            "[mail]\nfrom = \"Shop <news@shop.example>\"\n[mail.dkim]\nselector = \"r1\"\nkey_file = \"{KEYS}/rsa2048.pem\"\n"
        ))
        .env("RESTOCKD_DKIM_ED25519_SELECTOR", "e1")
        .env("RESTOCKD_DKIM_ED25519_KEY", &edwards.replace('\n', "\\n"));
    let app = plan.start().await;
    press_all(&app, &["ann"], "chair").await;
    restocked(&app, "d1", "chair").await;
    app.outbox().wait_for(1).await;
    let raw = String::from_utf8(app.outbox().mails().remove(0).raw).unwrap();
    for start in
        ["a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=r1;", "a=ed25519-sha256; c=relaxed/relaxed; "]
    {
        assert!(raw.contains(start), "{raw}");
    }
    assert!(app.running().mail.ends_with(", signed for shop.example"), "{}", app.running().mail);
    app.stop().await;
}

#[test]
fn a_key_that_cannot_be_used_stops_the_start_and_is_not_repeated() {
    let table = |rest: &str| format!("[mail]\nfrom = \"news@shop.example\"\n[mail.dkim]\n{rest}");
    let file = |name: &str| format!("selector = \"r1\"\nkey_file = \"{KEYS}/{name}\"\n");
    let cases = [
        (table(&file("missing.pem")), "cannot be read"),
        (table(&file("README.md")), "holds no private key"),
        (table(&file("rsa1024.pem")), "neither an RSA key of 2048"),
        (table(&file("ed25519.pem")), "ed25519_key_file"),
        (table("selector = \"r1\"\n"), "a selector needs its key"),
        (table(&format!("key_file = \"{KEYS}/rsa2048.pem\"\n")), "a key needs its selector"),
        (table("domain = \"shop.example\"\n"), "no key to sign with"),
        (table(&format!("domain = \"localhost\"\n{}", file("rsa2048.pem"))), "not a domain"),
        (table(&file("rsa2048.pem")).replace("\"r1\"", "\"r 1\""), "mail setting dkim.selector"),
        (table("key = \"x\"\n"), "unknown field"),
    ];
    for (toml, expected) in cases {
        let error = refused(&toml, &[]);
        assert!(error.contains(expected), "{toml}: {error:?}");
    }
    let secret = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    let error = refused("", &[("RESTOCKD_DKIM_SELECTOR", "r1"), ("RESTOCKD_DKIM_KEY", secret)]);
    assert!(error.starts_with("mail.dkim.key_file: ") && !error.contains("hunter2"), "{error}");
    assert_eq!(refused(&table(&file("rsa2048.pem")), &[]), "");
}

#[test]
fn ids_and_addresses_that_receivers_would_not_understand_stop_the_start() {
    for (setting, key) in [
        ("bounce_domain = \"not a domain\"", "mail.bounce_domain"),
        ("bounce_domain = \"a@b.example\"", "mail.bounce_domain"),
        ("feedback_id = \"four\"", "mail.feedback_id"),
        ("feedback_id = \"more-than-15-characters\"", "mail.feedback_id"),
        ("feedback_id = \"a:b:c\"", "mail.feedback_id"),
        ("cfbl_address = \"nobody\"", "mail.cfbl_address"),
        ("redirect_to = \"nobody\"", "mail.redirect_to"),
    ] {
        let error = refused(&format!("[mail]\n{setting}\n"), &[]);
        assert!(error.starts_with(key), "{setting}: {error:?}");
    }
    let both = [("RESTOCKD_MAIL_OAUTH_TOKEN", "t"), ("RESTOCKD_MAIL_OAUTH_TOKEN_FILE", "f")];
    assert!(refused("", &both).contains("keep one of the two"));
}

#[test]
fn production_asks_for_what_receivers_and_the_law_ask_for() {
    let whole = "mode = \"production\"\npublic_url = \"https://shop.example\"\n[mail]\ntransport = \"smtp://mail.example\"\n\
                 from = \"Shop <news@shop.example>\"\npostal_address = \"1 Main Street\"\n";
    assert_eq!(refused(whole, &[]), "");
    for (line, with, key) in [
        ("https://", "http://", "public_url"),
        ("postal_address = \"1 Main Street\"\n", "", "mail.postal_address"),
        ("1 Main Street", "  ", "mail.postal_address"),
        ("smtp://mail.example", "folder:./outbox", "mail.transport"),
        ("from = \"Shop <news@shop.example>\"\n", "", "mail.from"),
        ("[mail]\n", "[mail]\nredirect_to = \"inbox@shop.example\"\n", "mail.redirect_to"),
    ] {
        let toml = whole.replace(line, with);
        assert_ne!(toml, whole);
        let error = refused(&toml, &[]);
        assert!(error.starts_with(key), "{toml}: {error:?}");
        assert_eq!(refused(&toml.replace("\"production\"", "\"development\""), &[]), "", "{toml}");
    }
}
