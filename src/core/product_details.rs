//! What a restock says of its product besides the name, for mails: link, picture, price.
//!
//! Invariant: a URL is one that a mail can link to, and a price is one short line. Anything else is dropped
//! when the restock comes in, and never a reason to refuse it.

use super::presentation::UrlPattern;
use super::text;

/// The longest price, in characters.
const PRICE_CHARS_MAX: usize = 40;

/// What is known of a product besides its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductDetails {
    /// The URL of its page.
    pub product_url: Option<String>,
    /// The URL of its picture.
    pub image_url: Option<String>,
    /// Its price with the currency, as text.
    pub price: Option<String>,
}

impl ProductDetails {
    /// Keeps what a mail can show and drops the rest.
    #[must_use]
    pub fn of(product_url: Option<&str>, image_url: Option<&str>, price: Option<&str>) -> Self {
        Self {
            product_url: product_url.and_then(address),
            image_url: image_url.and_then(address),
            price: price.and_then(self::price),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything that is known, by its name in templates.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all =
            [("product_url", &self.product_url), ("image_url", &self.image_url), ("price", &self.price)];
        all.into_iter().filter_map(|(name, said)| Some((name, said.as_deref()?)))
    }
}

/// A URL that would do as a pattern, without a placeholder.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = text::plain(text) && !text.contains(['{', '\u{feff}']) && UrlPattern::parse(text).is_ok();
    fits.then(|| text.to_owned())
}

/// A price that is one short line.
fn price(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = text::plain(text) && !text.is_empty() && text.chars().count() <= PRICE_CHARS_MAX;
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mail_can_show_is_kept_and_the_rest_is_dropped_each_for_itself() {
        let (link, picture) = ("https://shop.example/p/1?a=b#c", "http://cdn.example/ü.jpg");
        let whole = ProductDetails::of(Some(link), Some(picture), Some(" 49,90 € "));
        assert_eq!(
            whole.named().collect::<Vec<_>>(),
            [("product_url", link), ("image_url", picture), ("price", "49,90 €")]
        );
        let long = format!("https://shop.example/{}", "x".repeat(1000));
        for bad in [
            "",
            "chair",
            "/p/1",
            "javascript:alert(1)",
            "ftp://shop.example/",
            "https://",
            "https://shop.example@evil.example/",
            "https://shop.example/{sku}",
            "https://shop.example/a b",
            "https://shop.example/\"><b>",
            "https://shop.example/\u{202e}",
            "https://shop.example/\u{feff}",
            &long,
        ] {
            let details = ProductDetails::of(Some(bad), Some(picture), None);
            assert_eq!(
                details,
                ProductDetails { image_url: Some(picture.into()), ..ProductDetails::default() },
                "{bad}"
            );
            assert!(ProductDetails::of(None, Some(bad), None).is_empty(), "{bad}");
        }
        assert_eq!(
            ProductDetails::of(None, None, Some(&"€".repeat(40))).price.map(|price| price.chars().count()),
            Some(40)
        );
        for bad in ["", "  ", "4\n9", "\u{202e}94", &"9".repeat(41)] {
            assert!(ProductDetails::of(None, None, Some(bad)).is_empty(), "{bad:?}");
        }
    }
}
