//! What a mail's templates see, apart from what is each recipient's own.
//!
//! It depends on settings and campaign alone, so that a template can be shown without an engine. The campaign's props have
//! precedence; what they leave out comes from the list: its SKU, and the shop's addresses of products and pictures.

use serde_json::{Value, json};

use super::context::Settings;
use restockd_core::{Catalog, ListId, UrlPattern};

/// The template context of one campaign.
#[must_use]
pub fn all(
    settings: &Settings,
    catalog: &Catalog,
    list: &ListId,
    props: &Value,
    subject: Option<&str>,
) -> Value {
    let said = |name: &str| Some(&props[name]).filter(|value| !value.is_null() && *value != "").cloned();
    let look = catalog.presentation(list);
    let address = |name: &str, own: Option<UrlPattern>, rule: &Option<UrlPattern>| {
        let pattern = own.or_else(|| rule.clone());
        said(name).or_else(|| Some(Value::from(pattern?.of(list.sku()?)))).unwrap_or_default()
    };
    let product = &props["product_name"];
    let mut values = json!({
        "list": { "id": list.as_str(), "name": catalog.name(list, product.as_str()) },
        "sku": said("sku").or_else(|| list.sku().map(Value::from)),
        "product_name": product,
        "product_url": address("product_url", look.product_url, &settings.rule.product_url),
        "image_url": address("image_url", look.image_url, &settings.rule.image_url),
        "price": said("price"),
        "postal_address": settings.postal_address,
        "shop_name": settings.shop_name,
        "props": props,
    });
    if let (Some(subject), Some(values)) = (subject, values.as_object_mut()) {
        values.insert("subject".to_owned(), Value::from(subject));
    }
    values
}
