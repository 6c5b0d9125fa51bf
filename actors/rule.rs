//! The built-in rule: an accepted restock opens the campaign `restock-<sku>-<date>`.
//!
//! Template and subject are the list's own where the configuration gives it some. They stand in the campaign's record
//! from then on: what a day's campaign says does not change while it runs.

use serde_json::json;

use super::context::{Context, Settings};
use crate::domain::campaign::{Header, OnDoubt};
use crate::domain::{CampaignId, Catalog, Day, ListId, Offer};

/// The campaign key of a SKU list and a day.
#[must_use]
pub fn key(list: &ListId, day: Day) -> String {
    // A SKU list's id is `restock-<sku>` already.
    format!("{list}-{day}")
}

/// Template and subject of the rule's mail about a list; without a subject the template's own stands.
#[must_use]
pub fn dress(
    settings: &Settings,
    catalog: &Catalog,
    list: &ListId,
    product: &str,
) -> (String, Option<String>) {
    let (look, rule) = (catalog.look(list), &settings.rule);
    let subject = look.subject_for(product).unwrap_or_else(|| rule.subject.replace("{product}", product));
    (look.template.unwrap_or_else(|| rule.template.clone()), Some(subject).filter(|said| !said.is_empty()))
}

/// What the rule's campaign is.
#[must_use]
pub fn header(
    context: &Context,
    list: &ListId,
    product: Option<&str>,
    offer: Option<&Offer>,
    day: Day,
    id: CampaignId,
) -> Header {
    let rule = &context.settings.rule;
    let sku = list.sku().unwrap_or(list.as_str());
    let product = product.unwrap_or(sku);
    let (template, subject) = dress(&context.settings, &context.catalog, list, product);
    let mut props = json!({ "sku": sku, "product_name": product });
    for (name, said) in offer.into_iter().flat_map(Offer::named) {
        props[name] = said.into();
    }
    Header {
        id,
        key: Some(key(list, day)),
        name: context.catalog.name(list, Some(product)),
        list: list.clone(),
        rule: true,
        day: Some(day),
        template,
        props: props.to_string(),
        subject,
        from: None,
        on_doubt: if rule.resend_doubt { OnDoubt::Resend } else { OnDoubt::Hold },
        rate: rule.rate,
        max_age: rule.max_age,
        scheduled: None,
    }
}
