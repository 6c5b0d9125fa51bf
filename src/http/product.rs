//! What a sender says about a product, in an event's properties or in the fields of a delivery.
//!
//! SKU, name and units of a restock are facts: a wrong one is refused. What a mail only shows (the product's page, its
//! picture, its price) is left out when it cannot be used.

use serde_json::{Map, Number, Value};

use restockd_core::{ProductDetails, Sku, text};
use restockd_engine::api::EventRestock;

use super::validate::{Issue, Issues, kind};

/// The name of the event that is a restock signal.
pub(super) const RESTOCKED: &str = "product.restocked";

/// The properties that the Engine is told; all others are the shop's own.
#[derive(Default)]
pub(super) struct ProductFields {
    pub(super) sku: Option<Sku>,
    pub(super) name: Option<String>,
    pub(super) restock: Option<EventRestock>,
}

pub(super) fn read(issues: &mut Issues, event: &str, properties: &Map<String, Value>) -> ProductFields {
    for field in ["sku", "product_name"] {
        if let Some(Value::String(text)) = properties.get(field) {
            issues.label(&["eventProperties", field], text);
        }
    }
    let text = |field| properties.get(field).and_then(Value::as_str);
    let sku = text("sku").and_then(Sku::parse);
    let name = text("product_name").filter(|name| text::name_fits(name)).map(str::to_owned);
    if event != RESTOCKED {
        return ProductFields { sku, name, restock: None };
    }
    match properties.get("sku") {
        None | Some(Value::Null) => {}
        Some(other) if sku.is_none() => {
            let path = ["eventProperties", "sku"];
            issues.add(Issue::value(&path, "a sku of 1 to 128 plain bytes", kind(other)));
        }
        Some(_) => {}
    }
    let quantity = match properties.get("quantity") {
        None | Some(Value::Null) => None,
        Some(said) => {
            let units = said.as_number().and_then(whole);
            if units.is_none() {
                issues.add(Issue::value(&["eventProperties", "quantity"], "a whole number", kind(said)));
            }
            units
        }
    };
    let said = |name| properties.get(name);
    let details = || details(said("product_url"), said("image_url"), said("price"));
    let restock = sku.is_some().then(|| EventRestock { quantity, details: details() });
    ProductFields { sku, name, restock }
}

/// A number without a fraction (3.0 counts as one), within the range that a double holds exactly.
pub(super) fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    number
        .as_i64()
        .or_else(|| number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= EXACT).map(|n| n as i64))
}

/// Reads the three details by the names in `said`, a price as text or number; one that cannot be used is left out.
pub(super) fn details(
    product_url: Option<&Value>,
    image_url: Option<&Value>,
    price: Option<&Value>,
) -> ProductDetails {
    let number = match price {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let price = price.and_then(Value::as_str).or(number.as_deref());
    ProductDetails::of(product_url.and_then(Value::as_str), image_url.and_then(Value::as_str), price)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(event: &str, properties: &Value) -> (ProductFields, bool) {
        let mut issues = Issues::default();
        let said = read(&mut issues, event, properties.as_object().unwrap());
        (said, issues.or(()).is_ok())
    }

    #[test]
    fn a_price_is_text_or_a_plain_number() {
        let price = |said: Value| details(None, Some(&json!(7)), Some(&said)).price;
        assert_eq!(price(json!("49 €")).as_deref(), Some("49 €"));
        assert_eq!((price(json!(49)).as_deref(), price(json!(49.9)).as_deref()), (Some("49"), Some("49.9")));
        for bad in [json!(null), json!(-1), json!(1e300), json!([49]), json!({"amount": 49}), json!(true)] {
            assert_eq!(price(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn a_restock_event_is_read_into_what_the_engine_takes() {
        let properties = json!({ "sku": "chair", "product_name": "Chair", "quantity": 3.0, "price": 49 });
        let (said, good) = said(RESTOCKED, &properties);
        assert!(good);
        assert_eq!((said.sku, said.name.as_deref()), (Sku::parse("chair"), Some("Chair")));
        let restock = said.restock.unwrap();
        assert_eq!((restock.quantity, restock.details.price.as_deref()), (Some(3), Some("49")));
    }

    #[test]
    fn units_that_are_not_whole_are_refused_and_never_rounded() {
        for bad in [json!(1.5), json!(-0.5), json!("3"), json!(true), json!(1e300), json!([])] {
            let (said, good) = said(RESTOCKED, &json!({ "sku": "chair", "quantity": bad }));
            assert!(!good && said.restock.is_some_and(|restock| restock.quantity.is_none()), "{bad}");
        }
    }

    #[test]
    fn another_event_is_no_restock_and_may_say_what_it_likes_of_units() {
        let (said, good) = said("product.waitlisted", &json!({ "sku": "chair", "quantity": 1.5 }));
        assert!(good && said.sku.is_some() && said.restock.is_none());
    }

    #[test]
    fn a_restock_without_a_sku_says_nothing() {
        for properties in [json!({}), json!({ "sku": null, "quantity": 3 })] {
            let (said, good) = said(RESTOCKED, &properties);
            assert!(good && said.sku.is_none() && said.restock.is_none(), "{properties}");
        }
    }
}
