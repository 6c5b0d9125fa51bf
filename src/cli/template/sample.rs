//! Sample data with which a mail or a page is shown.
//!
//! The values take the way of a real letter's: the same function makes the template context, with the rule's subject and the
//! shop's own addresses. Only the person, the product and the links are invented.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::{Shown, object};
use crate::config::Config;
use restockd_core::ListId;
use restockd_engine::campaign::header;
use restockd_engine::template_context;
use restockd_render::{RecipientValues, Rendered, Templates};

/// The name of a shop that has configured none.
pub(super) const SHOP: &str = "The Chair Shop";
/// The address of such a shop.
pub(super) const POSTAL_ADDRESS: &str = "1 Main Street\n12345 Town";
const PRODUCT: &str = "Studio chair in oak";

pub(super) enum Sample {
    Mail(Rendered),
    Page { name: String, html: String },
}

impl Shown {
    /// Renders the requested mail or page.
    pub(super) fn rendered(&self, config: &Config, templates: &Templates) -> anyhow::Result<Sample> {
        if templates.has(&self.key) {
            return self.mail(config, templates).map(Sample::Mail);
        }
        let props = self.props.as_deref().map(object).transpose()?;
        let name = self.key.strip_prefix("pages/").unwrap_or(&self.key);
        let is_page = |entry: &restockd_render::TemplateEntry| {
            matches!(entry.kind, restockd_render::TemplateKind::Page) && entry.key == name
        };
        if !templates.entries().iter().any(is_page) {
            bail!("there is no mail or page {:?}; `restockd template list` shows all", self.key);
        }
        let html = page(config, templates, name, props.unwrap_or_default())?;
        Ok(Sample::Page { name: name.to_owned(), html })
    }

    pub(super) fn mail(&self, config: &Config, templates: &Templates) -> anyhow::Result<Rendered> {
        if !templates.has(&self.key) {
            bail!("there is no mail {:?}; `restockd template list` shows all", self.key);
        }
        let list = config
            .catalog
            .find(&self.list)
            .with_context(|| format!("--list: {:?} is neither declared nor restock-<sku>", self.list))?;
        let props = self.props.as_deref().map(object).transpose()?;
        let contact = self.contact.as_deref().map(object).transpose()?;
        mail(config, templates, &self.key, &list, props, contact)
    }
}

/// Renders a mail about a list.
pub(super) fn mail(
    config: &Config,
    templates: &Templates,
    key: &str,
    list: &ListId,
    props: Option<Map<String, Value>>,
    contact: Option<Map<String, Value>>,
) -> anyhow::Result<Rendered> {
    let settings = &config.engine;
    let props = Value::Object(props.unwrap_or_else(|| sample_props(config, list)));
    let product = props["product_name"].as_str().or(list.sku()).unwrap_or_default();
    let (rules, subject) = header::template_and_subject(settings, &config.catalog, list, product);
    // The rule's subject applies only to the rule's mail.
    let own_subject = list.sku().is_some() || config.catalog.presentation(list).subject.is_some();
    let subject = subject.filter(|_| rules == key && own_subject);
    let values = template_context::all(settings, &config.catalog, list, &props, subject.as_deref());
    let contact = contact.unwrap_or_else(|| Map::from_iter([("firstName".to_owned(), json!("Ann"))]));
    let contact: Vec<_> = contact.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    let link = |page: &str| format!("{}/v1/email/{page}?token=test", settings.public_url);
    let (leave, choose) = (link("unsubscribe"), link("preferences"));
    let own = RecipientValues { contact: &contact, unsubscribe_url: &leave, preferences_url: &choose };
    let prepared = templates.prepare(key, &values)?;
    Ok(templates.letter(&prepared, own)?)
}

/// Props that show everything the built-in mails can show.
fn sample_props(config: &Config, list: &ListId) -> Map<String, Value> {
    let (look, rule) = (config.catalog.presentation(list), &config.engine.rule);
    let mut props = Map::new();
    let mut say = |name: &str, value: Value| props.insert(name.to_owned(), value);
    say("sku", json!(list.sku().unwrap_or("chair-01")));
    say("product_name", json!(PRODUCT));
    say("price", json!("€ 249.00"));
    if look.product_url.or(rule.product_url.clone()).is_none() {
        say("product_url", json!("https://shop.example/p/chair-01"));
    }
    if look.image_url.or(rule.image_url.clone()).is_none() {
        say("image_url", json!("https://shop.example/images/chair-01.jpg"));
    }
    say("headline", json!("New in oak"));
    say(
        "body",
        json!("Six chairs and two tables, made to last.\n\nAll of them can be had in oak and in ash."),
    );
    say("button_url", json!("https://shop.example/new"));
    props
}

/// Renders a page with all values that any page shows.
pub(super) fn page(
    config: &Config,
    templates: &Templates,
    name: &str,
    over: Map<String, Value>,
) -> anyhow::Result<String> {
    let row = |id: &str, name: &str, subscribed| json!({"id": id, "name": name, "subscribed": subscribed});
    let mut values = json!({
        "token": "test", "action": "?token=test", "shop_name": config.engine.shop_name,
        "list_name": format!("Back in stock — {PRODUCT}"), "subscribed": true, "scope": "list",
        "rows": [
            row("restock-chair-01", &format!("Back in stock — {PRODUCT}"), true),
            row("restock-lamp-07", "Back in stock — Lamp", false),
            row("news", "News", true),
        ],
        "unsubscribed_all": false, "suppressed": false, "saved": false,
        "title": "This link is not valid",
        "text": "It may be incomplete. Please use the link in your mail once more.",
    });
    if let Some(values) = values.as_object_mut() {
        values.extend(over);
    }
    Ok(templates.page(name, &values)?)
}
