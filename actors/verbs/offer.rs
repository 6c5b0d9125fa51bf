//! What a sender says of a product beyond its name, in JSON.

use serde_json::Value;

pub use crate::domain::Offer;

/// Reads the three as `said` has them, a price as text or number; what does not do is left out.
#[must_use]
pub fn offer<'a>(
    product_url: Option<&'a Value>,
    image_url: Option<&'a Value>,
    price: Option<&'a Value>,
) -> Offer {
    let number = match price {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let price = price.and_then(Value::as_str).or(number.as_deref());
    Offer::of(product_url.and_then(Value::as_str), image_url.and_then(Value::as_str), price)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_price_is_text_or_a_plain_number() {
        let price = |said: Value| offer(None, Some(&json!(7)), Some(&said)).price;
        assert_eq!(price(json!("49 €")).as_deref(), Some("49 €"));
        assert_eq!((price(json!(49)).as_deref(), price(json!(49.9)).as_deref()), (Some("49"), Some("49.9")));
        for bad in [json!(null), json!(-1), json!(1e300), json!([49]), json!({"amount": 49}), json!(true)] {
            assert_eq!(price(bad.clone()), None, "{bad}");
        }
    }
}
