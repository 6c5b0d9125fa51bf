//! What a campaign is, decided when it opens: name, template, subject, properties.
//!
//! Both kinds are made here and nowhere else: the built-in rule's (an accepted restock opens `restock-<sku>-<date>`, live
//! and again at start) and those created by hand. Where the configuration gives a list its own template and subject, these
//! are used. They are part of the campaign's record: what a day's campaign says does not change while it runs.

use serde_json::{Value, json};

use super::super::context::{Context, Settings};
use super::super::messages::{Asked, Restocked};
use restockd_core::campaign::{Header, InDoubtPolicy};
use restockd_core::{Catalog, ListId, ProductDetails};

/// Template and subject of a rule campaign on a list; no subject means the template's own.
#[must_use]
pub fn template_and_subject(
    settings: &Settings,
    catalog: &Catalog,
    list: &ListId,
    product: &str,
) -> (String, Option<String>) {
    let (look, rule) = (catalog.presentation(list), &settings.rule);
    let subject = look.subject_for(product).unwrap_or_else(|| rule.subject.replace("{product}", product));
    (look.template.unwrap_or_else(|| rule.template.clone()), Some(subject).filter(|said| !said.is_empty()))
}

/// The header of a rule campaign.
pub(super) fn of_rule(context: &Context, restocked: &Restocked) -> Header {
    let rule = &context.settings.rule;
    let Restocked { list, product, details, day, campaign, .. } = restocked;
    let sku = list.sku().unwrap_or(list.as_str());
    let product = product.as_deref().unwrap_or(sku);
    let (template, subject) = template_and_subject(&context.settings, &context.catalog, list, product);
    let mut props = json!({ "sku": sku, "product_name": product });
    for (name, said) in details.iter().flat_map(ProductDetails::named) {
        props[name] = said.into();
    }
    Header {
        id: *campaign,
        key: Some(list.campaign_key(*day)),
        name: context.catalog.name(list, Some(product)),
        list: list.clone(),
        rule: true,
        day: Some(*day),
        template,
        props: props.to_string(),
        subject,
        from: None,
        on_doubt: if rule.resend_doubt { InDoubtPolicy::Resend } else { InDoubtPolicy::Hold },
        rate: rule.rate,
        max_age: rule.max_age,
        scheduled: None,
    }
}

/// The header of a campaign created by hand; `held` is the header of the campaign that has its id already, if any.
pub(super) fn manual(context: &Context, asked: Asked, held: Option<&Header>) -> Header {
    let (template, subject) = manual_template_and_subject(&context.catalog, &asked);
    let Asked { id, key, name, product, list, props, from, on_doubt, max_age, send_at, .. } = asked;
    // A request that leaves the name out does not differ from the first one, whatever the product is called by now.
    let name = name.or_else(|| held.map(|held| held.name.clone()));
    Header {
        id,
        key,
        name: name.unwrap_or_else(|| context.catalog.name(&list, product.as_deref())),
        list,
        rule: false,
        day: None,
        template,
        props: Value::Object(props).to_string(),
        subject,
        from,
        on_doubt,
        rate: None,
        max_age,
        scheduled: send_at,
    }
}

/// Template and subject of a campaign created by hand: as requested, or else both as the list has them.
fn manual_template_and_subject(catalog: &Catalog, asked: &Asked) -> (String, Option<String>) {
    if !asked.template.is_empty() {
        return (asked.template.clone(), asked.subject.clone());
    }
    let look = catalog.presentation(&asked.list);
    let product = asked.props.get("product_name").and_then(Value::as_str);
    let product = product.or(asked.list.sku()).unwrap_or_default();
    let subject = asked.subject.clone().or_else(|| look.subject_for(product)).filter(|said| !said.is_empty());
    (look.template.unwrap_or_default(), subject)
}
