//! One letter: the built-in template rendered, a whole letter as a courier makes it, its MIME form, and its signatures.

use divan::{Bencher, black_box};
use futures_util::FutureExt;
use restockd_core::PersonId;
use restockd_core::scheduler::Recipient;
use restockd_engine::delivery::CampaignTemplate;
use restockd_mail::{
    Courier, DeliveryOutcome, DeliveryResult, Diagnostic, Dkim, DkimKey, DurabilityGate, Letter, MailOptions,
    Mailer, ScriptedReply, SmtpPhase,
};
use restockd_render::{PreparedCampaign, RecipientValues, Rendered, Templates};
use restockd_testkit::null_engine;
use serde_json::{Value, json};

use crate::{NOON, campaign};

const TEMPLATE: &str = "ecommerce/back-in-stock";

/// The template's values; the price may be the only part that is not ASCII.
fn values(price: &str) -> Value {
    json!({
        "props": { "sku": "chair-01", "product_name": "Studio chair", "price": price,
                   "product_url": "https://shop.example/c?a=1&b=2", "image_url": "https://shop.example/i.png" },
        "list": { "id": "restock-chair-01", "name": "Back in stock: Studio chair" },
        "sku": "chair-01", "product_name": "Studio chair",
        "postal_address": "1 Main Street, 12345 Town", "shop_name": "The Chair Shop",
    })
}

/// The rendered mail for one recipient.
fn rendered(templates: &Templates, common: &PreparedCampaign) -> Rendered {
    let own = RecipientValues {
        contact: &[("firstName".to_owned(), "\"Ann\"".to_owned())],
        unsubscribe_url: "https://shop.example/v1/email/unsubscribe?token=AQEAKgAAAHJlc3RvY2stY2hhaXItMDE4f0Zr1cF4wYw0hAzVx6sS",
        preferences_url: "https://shop.example/v1/email/preferences?token=AQEBKgAAAHJlc3RvY2stY2hhaXItMDE4f0Zr1cF4wYw0hAzVx6sS",
    };
    templates.letter(common, own).unwrap()
}

/// Subject, text and HTML of one letter of a campaign.
#[divan::bench(max_time = 1)]
fn render(bencher: Bencher<'_, '_>) {
    let templates = Templates::built_in();
    let common = templates.prepare(TEMPLATE, &values("49 €")).unwrap();
    bencher.bench(|| rendered(&templates, black_box(&common)));
}

/// The same with what precedes it: two signed links and the template's values.
#[divan::bench(max_time = 1)]
fn links_values_and_render(bencher: Bencher<'_, '_>) {
    let context = null_engine::context();
    let header = campaign::header(1, "restock-chair-01", 0);
    let template = CampaignTemplate::new(&context, &header);
    let to = Recipient {
        provider: None,
        row: 0,
        person: PersonId(7),
        live: PersonId(7),
        email: None,
        address: 7,
        undeliverable: None,
        props: vec![("firstName".to_owned(), "\"Ann\"".to_owned())],
    };
    bencher.bench(|| template.try_out(&context, header.id, black_box(&to)).unwrap());
}

/// A rendered letter checked and built into the bytes of a message; the memory transport does it and is told to keep
/// nothing. Text that is not ASCII has to be encoded.
#[divan::bench(args = ["49 EUR", "49 €"], max_time = 1)]
fn mime(bencher: Bencher<'_, '_>, price: &str) {
    let (mut courier, letter) = (courier(None), letter(price));
    bencher.bench_local(|| {
        let outcome = courier.deliver(black_box(&letter), open()).now_or_never();
        assert_eq!(outcome, Some(taken()));
    });
}

/// The same with a signature. An RSA signature is made on another thread, with the way there and back.
#[divan::bench(args = ["ed25519", "rsa2048"], max_time = 1)]
fn signed(bencher: Bencher<'_, '_>, key: &str) {
    let pem = match key {
        "rsa2048" => include_str!("../../tests/mail/keys/rsa2048.pem"),
        _ => include_str!("../../tests/mail/keys/ed25519.pem"),
    };
    let keys = vec![("s1".to_owned(), DkimKey::from_pem(pem).unwrap())];
    let dkim = Dkim::new("shop.example", keys).unwrap();
    let (mut courier, letter) = (courier(Some(dkim)), letter("49 EUR"));
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    bencher.bench_local(|| {
        let outcome = runtime.block_on(courier.deliver(black_box(&letter), open()));
        assert_eq!(outcome, taken());
    });
}

fn open() -> DurabilityGate {
    Box::pin(std::future::ready(true))
}

fn taken() -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, Diagnostic::default())
}

/// A courier that packs letters and keeps none.
fn courier(dkim: Option<Dkim>) -> Courier {
    let mailer = Mailer::from_url("memory:", MailOptions { dkim, ..MailOptions::default() }).unwrap();
    mailer.outbox().unwrap().answer_with(|_| ScriptedReply::Give(taken()));
    mailer.courier()
}

fn letter(price: &str) -> Letter {
    let templates = Templates::built_in();
    let rendered = rendered(&templates, &templates.prepare(TEMPLATE, &values(price)).unwrap());
    Letter {
        message_id: "0123456789abcdef0123456789abcdef@shop.example".to_owned(),
        to: "ann@mail.example".to_owned(),
        from: "The Chair Shop <news@shop.example>".parse().unwrap(),
        reply_to: None,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        list_id: Some("restock-chair-01".to_owned()),
        unsubscribe_url: Some("https://shop.example/v1/email/unsubscribe?token=t1".to_owned()),
        date_ms: NOON.0,
        envelope_from: None,
        feedback_id: None,
        complaints: None,
    }
}
