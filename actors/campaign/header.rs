//! What a campaign is, decided when it opens: name, template, subject, properties.
//!
//! Both kinds are made here and nowhere else: the built-in rule's (an accepted restock opens `restock-<sku>-<date>`, live
//! and again at start) and those made by hand. Template and subject are the list's own where the configuration gives it
//! some. They stand in the campaign's record from then on: what a day's campaign says does not change while it runs.

use serde_json::{Value, json};

use super::super::context::{Context, Settings};
use super::super::messages::{Asked, Restocked};
use restockd_core::campaign::{Header, InDoubtPolicy};
use restockd_core::{Catalog, ListId, ProductDetails};

/// Template and subject of the rule's mail about a list; without a subject the template's own stands.
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

/// What the rule's campaign is.
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

/// What a campaign made by hand is; `held` is the one of this id, if there is one.
pub(super) fn manual(context: &Context, asked: Asked, held: Option<&Header>) -> Header {
    let (template, subject) = dress_by_hand(&context.catalog, &asked);
    let Asked { id, key, name, product, list, props, from, on_doubt, max_age, send_at, .. } = asked;
    // A name that was not asked for is no difference, whatever the product is called by now.
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

/// Template and subject of a campaign made by hand: as asked, or else both as its list wears them.
fn dress_by_hand(catalog: &Catalog, asked: &Asked) -> (String, Option<String>) {
    if !asked.template.is_empty() {
        return (asked.template.clone(), asked.subject.clone());
    }
    let look = catalog.presentation(&asked.list);
    let product = asked.props.get("product_name").and_then(Value::as_str);
    let product = product.or(asked.list.sku()).unwrap_or_default();
    let subject = asked.subject.clone().or_else(|| look.subject_for(product)).filter(|said| !said.is_empty());
    (look.template.unwrap_or_default(), subject)
}
