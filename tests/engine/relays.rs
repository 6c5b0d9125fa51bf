//! Relays at the door: each proves its deliveries in its own way, and what does not hold changes nothing.
//! A proof that is good, changed, missing, stale or seen before, for each of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use restockd::boot::boot;
use restockd::config::{Config, Flags};
use restockd::http::{Fetch, Fetching};
use restockd_testkit::app::{Answer, App, NOON, Plan};
use ring::signature::KeyPair as _;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::helpers::*;

/// The clock of the tests in Unix seconds.
const NOON_S: u64 = NOON.0 / 1000;
const TOPIC: &str = "[returns.ses]\ntopic_arn = \"arn:aws:sns:eu-west-1:123456789012:returns\"\n";
const WHSEC: &[u8] = b"twenty-four bytes of key";

type Headers = Vec<(&'static str, String)>;

/// A delivery.
async fn deliver(app: &App, relay: &str, headers: &Headers, body: &str) -> Answer {
    let headers: Vec<(&str, String)> = headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    app.send("POST", &format!("/v1/returns/{relay}"), &headers, body.as_bytes()).await
}

/// Ann's block, as her export shows it.
async fn block(app: &App) -> Value {
    app.get("/v1/contacts/export?email=ann@shop.example").await["suppression"]["reason"].clone()
}

/// The good delivery suppresses Ann, and again is a no-op; every bad one is a 401 and changes nothing.
async fn holds(app: App, relay: &str, good: (Headers, String), bad: Vec<(&str, Headers, String)>) {
    app.press(&at("ann"), "chair").await;
    for (what, headers, body) in bad {
        let (status, answer) = deliver(&app, relay, &headers, &body).await;
        assert_eq!(status, 401, "{relay} {what}: {answer}");
        assert_eq!(block(&app).await, json!(null), "{relay} {what}");
    }
    let (status, answer) = deliver(&app, relay, &good.0, &good.1).await;
    assert_eq!(status, 200, "{relay}: {answer}");
    assert_eq!(answer["reports"][0]["suppressed"], "hard_bounce", "{relay}: {answer}");
    assert_eq!(block(&app).await, "hard_bounce");
    let app = app.crash().await.start().await;
    let (status, answer) = deliver(&app, relay, &good.0, &good.1).await;
    assert_eq!((status, &answer["reports"][0]["duplicate"]), (200, &json!(true)), "{relay}: {answer}");
    let held = app.get("/v1/contacts/export?email=ann@shop.example").await;
    assert_eq!(held["returns"].as_array().unwrap().len(), 1);
    assert_eq!(held["returns"][0]["source"], relay);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_a_secret_is_refused_and_an_unknown_one_is_not_found() {
    let app = App::fresh().await;
    for relay in ["ses", "postmark", "mailgun", "sendgrid", "resend"] {
        let (status, answer) = deliver(&app, relay, &Vec::new(), "{}").await;
        assert_eq!((status, &answer["error"]), (401, &json!("Webhook signature not configured")), "{relay}");
    }
    assert_eq!(deliver(&app, "nobody", &Vec::new(), "{}").await.0, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postmark_proves_itself_by_user_and_password() {
    let app = Plan::new().env("POSTMARK_RETURNS_SECRET", "shop:one, shop:two").start().await;
    let body = json!({ "RecordType": "Bounce", "ID": 42, "Type": "HardBounce", "Email": "ann@shop.example",
        "MessageID": "00000000-0000", "Details": "smtp;550 5.1.1 user unknown" })
    .to_string();
    let basic = |text: &str| vec![("authorization", format!("Basic {}", STANDARD.encode(text)))];
    let bad = vec![
        ("missing", Vec::new(), body.clone()),
        ("wrong", basic("shop:three"), body.clone()),
        ("empty", basic(""), body.clone()),
        ("twice", [basic("shop:two"), basic("shop:two")].concat(), body.clone()),
        ("bearer", vec![("authorization", "Bearer shop:two".to_owned())], body.clone()),
    ];
    holds(app, "postmark", (basic("shop:two"), body), bad).await;
}

/// Mailgun's body with this proof.
fn mailgun(timestamp: u64, token: &str, signature: &str) -> String {
    json!({
        "signature": { "timestamp": timestamp.to_string(), "token": token, "signature": signature },
        "event-data": { "event": "failed", "severity": "permanent", "reason": "bounce", "id": "mg-1",
            "recipient": "ann@shop.example", "delivery-status": { "code": 550, "enhanced-code": "5.1.1", "message": "no" },
            "message": { "headers": { "message-id": "m1@shop.example" } } },
    })
    .to_string()
}

/// Mailgun's signature.
fn mailgun_signature(secret: &str, timestamp: u64, token: &str) -> String {
    restockd::http::sign(secret.as_bytes(), format!("{timestamp}{token}").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn mailgun_proves_itself_by_a_signed_token_used_once() {
    let plan = Plan::new()
        .env("MAILGUN_RETURNS_SECRET", "signing-key")
        .toml("[returns.mailgun]\ntolerance = \"10m\"\n");
    let app = plan.start().await;
    let token = "t".repeat(50);
    let good = mailgun(NOON_S, &token, &mailgun_signature("signing-key", NOON_S, &token));
    let stale = NOON_S - 601;
    let bad = vec![
        ("missing", Vec::new(), json!({ "event-data": {} }).to_string()),
        ("wrong key", Vec::new(), mailgun(NOON_S, &token, &mailgun_signature("other", NOON_S, &token))),
        (
            "another token",
            Vec::new(),
            mailgun(NOON_S, "u", &mailgun_signature("signing-key", NOON_S, &token)),
        ),
        ("stale", Vec::new(), mailgun(stale, &token, &mailgun_signature("signing-key", stale, &token))),
        ("of the future", Vec::new(), {
            let at = NOON_S + 3600;
            mailgun(at, &token, &mailgun_signature("signing-key", at, &token))
        }),
        ("upper case", Vec::new(), good.replace("\"signature\":\"", "\"signature\":\"A")),
        ("no JSON", Vec::new(), "x".to_owned()),
    ];
    holds(app, "mailgun", (Vec::new(), good), bad).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_mailgun_that_was_used_is_of_no_use_for_another_event() {
    let app = Plan::new().env("MAILGUN_RETURNS_SECRET", "signing-key").start().await;
    app.press(&at("ann"), "chair").await;
    app.press(&at("bea"), "chair").await;
    let body = mailgun(NOON_S, "tok", &mailgun_signature("signing-key", NOON_S, "tok"));
    deliver(&app, "mailgun", &Vec::new(), &body).await;
    let complaint = body.replace("\"failed\"", "\"complained\"").replace("m1@", "m2@");
    let (_, answer) = deliver(&app, "mailgun", &Vec::new(), &complaint).await;
    assert_eq!(answer["reports"][0]["duplicate"], true, "{answer}");
    assert_eq!(block(&app).await, "hard_bounce");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sendgrid_proves_itself_by_a_signature_of_its_private_key() {
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = || {
        let key = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
    };
    let (ours, other) = (pair(), pair());
    // the head of a P-256 public key in DER, then its point
    let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let head = data_encoding::HEXLOWER.decode(head.as_bytes()).unwrap();
    let public = STANDARD.encode([head.as_slice(), ours.public_key().as_ref()].concat());
    let plan =
        Plan::new().env("SENDGRID_RETURNS_SECRET", &public).toml("[returns.sendgrid]\ntolerance = \"10m\"\n");
    let app = plan.start().await;
    let body = json!([{ "email": "ann@shop.example", "event": "bounce", "type": "bounce", "status": "5.1.1",
        "reason": "550 5.1.1 no", "sg_event_id": "sg-1", "sg_message_id": "sg-m" }])
    .to_string();
    let signed = |pair: &ring::signature::EcdsaKeyPair, at: u64, body: &str| -> Headers {
        let signature = pair.sign(&random, format!("{at}{body}").as_bytes()).unwrap();
        vec![
            ("x-twilio-email-event-webhook-signature", STANDARD.encode(signature.as_ref())),
            ("x-twilio-email-event-webhook-timestamp", at.to_string()),
        ]
    };
    let good = signed(&ours, NOON_S, &body);
    let mut moved = good.clone();
    moved[1].1 = (NOON_S - 1).to_string();
    let bad = vec![
        ("missing", Vec::new(), body.clone()),
        ("without a time", good[..1].to_vec(), body.clone()),
        ("wrong key", signed(&other, NOON_S, &body), body.clone()),
        ("another body", good.clone(), body.replace("sg-1", "sg-2")),
        ("another time", moved, body.clone()),
        ("stale", signed(&ours, NOON_S - 601, &body), body.clone()),
        ("no base64", vec![(good[0].0, "!".to_owned()), good[1].clone()], body.clone()),
    ];
    holds(app, "sendgrid", (good, body), bad).await;
}

/// The headers of a Standard Webhook.
fn standard(key: &[u8], prefix: &str, id: &str, at: u64, body: &str) -> Headers {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(format!("{id}.{at}.{body}"));
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let named = |name: &str| -> &'static str {
        match (prefix, name) {
            ("svix", "id") => "svix-id",
            ("svix", "timestamp") => "svix-timestamp",
            ("svix", _) => "svix-signature",
            (_, "id") => "webhook-id",
            (_, "timestamp") => "webhook-timestamp",
            _ => "webhook-signature",
        }
    };
    vec![
        (named("id"), id.to_owned()),
        (named("timestamp"), at.to_string()),
        (named("signature"), format!("v1,{} v1,{signature}", STANDARD.encode([0; 32]))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn resend_proves_itself_by_a_standard_webhook() {
    for prefix in ["svix", "webhook"] {
        let secret = format!("whsec_{}", STANDARD.encode(WHSEC));
        let app = Plan::new().env("RESEND_RETURNS_SECRET", &secret).start().await;
        let body = json!({ "type": "email.bounced", "data": { "email_id": "re-1", "to": ["ann@shop.example"],
            "bounce": { "message": "nobody there", "type": "Permanent", "subType": "General" } } })
        .to_string();
        let good = standard(WHSEC, prefix, "msg_1", NOON_S, &body);
        let mut renamed = good.clone();
        renamed[0].1 = "msg_2".to_owned();
        let mut asymmetric = good.clone();
        asymmetric[2].1 = asymmetric[2].1.replace("v1,", "v1a,");
        let bad = vec![
            ("missing", Vec::new(), body.clone()),
            ("unsigned", good[..2].to_vec(), body.clone()),
            (
                "wrong key",
                standard(b"another key of some bytes", prefix, "msg_1", NOON_S, &body),
                body.clone(),
            ),
            ("another body", good.clone(), body.replace("re-1", "re-2")),
            ("another id", renamed, body.clone()),
            ("another version", asymmetric, body.clone()),
            ("stale", standard(WHSEC, prefix, "msg_1", NOON_S - 301, &body), body.clone()),
        ];
        holds(app, "resend", (good, body), bad).await;
    }
}

/// Gives the test's certificate and keeps account of what was asked for.
#[derive(Default)]
struct Amazon {
    asked: Mutex<Vec<String>>,
    silent: bool,
}

impl Fetch for Amazon {
    fn get(&self, url: String) -> Fetching {
        let certificate = include_bytes!("sns/certificate.pem").to_vec();
        self.asked.lock().push(url);
        let body = (!self.silent).then_some(certificate);
        Box::pin(async move { body })
    }
}

/// An engine that listens to a topic, its certificates from here.
async fn listening(plan: &Plan, amazon: &Arc<Amazon>) -> App {
    let mut config = plan.config();
    config.http.returns.fetch = Arc::clone(amazon) as Arc<dyn Fetch>;
    App::of(boot(config, plan.clock.clone()).await.unwrap(), plan.clone())
}

/// A message of SNS as it was signed for these tests.
fn sns(name: &str) -> String {
    let path = format!("{}/tests/engine/sns/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_proves_itself_by_the_signature_of_its_topic() {
    for version in ["notification_sha1", "notification_sha256"] {
        let (plan, amazon) = (Plan::new().toml(TOPIC), Arc::new(Amazon::default()));
        let app = listening(&plan, &amazon).await;
        app.press(&at("ann"), "chair").await;
        let good = sns(version);
        let changed = [
            ("0102-f", "0102-g"),
            ("\"MessageId\": \"m-1\"", "\"MessageId\": \"m-2\""),
            ("Notification\"", "Notificatio\""),
        ];
        let mut bad: Vec<String> = changed.iter().map(|(from, to)| good.replace(from, to)).collect();
        bad.extend(["notification_stale", "notification_other_topic", "notification_other_host"].map(sns));
        bad.extend([
            String::new(),
            "{}".to_owned(),
            good.replace("\"SignatureVersion\": \"", "\"SignatureVersion\": \"9"),
        ]);
        for body in bad {
            assert_ne!(body, good);
            let (status, answer) = deliver(&app, "ses", &Vec::new(), &body).await;
            assert_eq!((status, block(&app).await), (401, json!(null)), "{answer} {body}");
        }
        for again in [false, true] {
            let (status, answer) = deliver(&app, "ses", &Vec::new(), &good).await;
            assert_eq!((status, answer["reports"][0]["duplicate"] == true), (200, again), "{answer}");
        }
        assert_eq!(block(&app).await, "hard_bounce");
        let asked = amazon.asked.lock().clone();
        assert_eq!(asked.len(), 1, "fetched once, and never for what is not ours: {asked:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_confirmed_by_a_visit_only_when_it_is_signed() {
    let (plan, amazon) = (Plan::new().toml(TOPIC), Arc::new(Amazon::default()));
    let app = listening(&plan, &amazon).await;
    let good = sns("confirmation");
    for bad in [good.replace("Token=tok", "Token=kot"), good.replace("/?Action=Confirm", "/?Action=Delete")] {
        assert_eq!(deliver(&app, "ses", &Vec::new(), &bad).await.0, 401);
    }
    assert!(amazon.asked.lock().iter().all(|url| url.ends_with(".pem")));
    let (status, answer) = deliver(&app, "ses", &Vec::new(), &good).await;
    assert_eq!((status, &answer["subscribed"]), (200, &json!(true)), "{answer}");
    assert!(amazon.asked.lock().last().unwrap().contains("/?Action=ConfirmSubscription&"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_fetched_is_asked_for_again_and_not_at_once() {
    let (plan, amazon) = (Plan::new().toml(TOPIC), Arc::new(Amazon { silent: true, ..Amazon::default() }));
    let app = listening(&plan, &amazon).await;
    for _ in 0..5 {
        let (status, _) = deliver(&app, "ses", &Vec::new(), &sns("notification_sha256")).await;
        assert_eq!(status, 503);
    }
    assert_eq!(amazon.asked.lock().len(), 1);
    app.advance(1000);
    deliver(&app, "ses", &Vec::new(), &sns("notification_sha256")).await;
    assert_eq!(amazon.asked.lock().len(), 2);
    app.stop().await;
}

/// Why a configuration stops the start.
fn refused(toml: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("restockd.toml");
    std::fs::write(&file, toml).unwrap();
    Config::load(Some(&file), env, &Flags::default()).unwrap_err().to_string()
}

#[test]
fn settings_that_cannot_be_meant_stop_the_start() {
    for (toml, key) in [
        ("[returns]\nsoft_bounces = 0\n", "returns.soft_bounces"),
        ("[returns]\nsoft_bounces = 16\n", "returns.soft_bounces"),
        ("[returns]\nsoft_window = \"a month\"\n", "returns.soft_window"),
        ("[returns]\nhard_bounces = 1\n", "hard_bounces"),
        ("[returns.nobody]\nsecret_env = \"X\"\n", "nobody"),
        ("[returns.ses]\ntopic_arn = \"returns\"\n", "returns.ses.topic_arn"),
        ("[returns.resend]\ntolerance = \"soon\"\n", "returns.resend.tolerance"),
    ] {
        let error = refused(toml, |_| None);
        assert!(error.contains(key), "{toml}: {error}");
    }
}

#[test]
fn a_secret_that_cannot_be_one_stops_the_start() {
    for (name, value) in [
        ("POSTMARK_RETURNS_SECRET", "no-colon"),
        ("SENDGRID_RETURNS_SECRET", "bm8gcHVibGljIGtleQ=="),
        ("RESEND_RETURNS_SECRET", "whsec_!"),
        ("RESEND_RETURNS_SECRET", "bm8gcHJlZml4IG9mIGl0cw=="),
    ] {
        let error = refused("", |key| (key == name).then(|| value.to_owned()));
        assert!(error.starts_with("returns: ") && !error.contains(value), "{error}");
    }
}
