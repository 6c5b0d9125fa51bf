//! restockd itself: everybody waits for one product, which is restocked.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use restockd_testkit::process::{Place, until};
use serde_json::json;

use restockd_render::{RecipientValues, Templates};

use crate::Stretch;

const SKU: &str = "chair";

/// Sends; measured from the webhook to the campaign's end.
pub fn send(stretch: Stretch) -> (usize, Duration) {
    let place = Place::new(&format!("smtp+insecure://{}", stretch.to))
        .env("RESTOCKD_MAIL_CONNECTIONS", &stretch.connections.to_string())
        .env("RESTOCKD_MAIL_FROM", "Corner Shop <shop@shop.example>");
    let engine = place.start();
    engine.client.press_many((0..stretch.letters).map(|n| format!("p{n}@people.example")), SKU);
    let begin = Instant::now();
    engine.client.restock("d1", SKU);
    let campaign = until("the campaign is there", || engine.client.campaign_of(SKU));
    let id = campaign["id"].as_str().unwrap();
    let (sent, span) = until("everybody is mailed", || {
        let campaign = engine.client.campaign(id);
        (campaign["status"] == "sent").then(|| (campaign["sentCount"].as_u64().unwrap(), begin.elapsed()))
    });
    assert_eq!(sent, stretch.letters as u64, "letters that smtp-sink took");
    engine.kill();
    (stretch.letters, span)
}

/// Subject and body of such a letter.
pub fn words() -> (String, String) {
    let templates = Templates::built_in();
    let context = json!({
        "shop_name": "Corner Shop", "postal_address": "1 Mill Lane, Ely", "product_name": "Chair",
        "props": { "sku": SKU, "product_name": "Chair" },
    });
    let common = templates.prepare("ecommerce/back-in-stock", &context).unwrap();
    let token = "a".repeat(80);
    let (leave, choose) = ["unsubscribe", "preferences"]
        .map(|page| format!("https://shop.example/v1/email/{page}?token={token}"))
        .into();
    let own = RecipientValues { contact: &[], unsubscribe_url: &leave, preferences_url: &choose };
    let letter = templates.letter(&common, own).unwrap();
    (letter.text, letter.html)
}

/// The length of such a letter: its texts, and some 600 bytes of headers.
pub fn letter_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let (text, html) = words();
        text.len() + html.len() + 600
    })
}
