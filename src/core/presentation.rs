//! How mails about a list look: template, subject, and the URLs of product and picture.
//!
//! ```text
//!  restock-chair-01         one list      ┐
//!  restock-chair-*          a pattern     ├─ each setting from the narrowest entry that says it
//!  restock-*                a wider one   ┘
//! ```
//!
//! The URLs are patterns of the configuration and not in the log, so a restart is enough to correct one, for
//! open campaigns too. Only the SKU is put into a pattern, percent-encoded and never into the host.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ids::{ListId, SKU_LIST_PREFIX};

/// The placeholder for the SKU.
const SKU: &str = "{sku}";
/// The longest pattern, in bytes; mail programs cut longer links.
const PATTERN_BYTES_MAX: usize = 1000;
/// Everything is encoded except letters, digits and these (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An http or https URL in which `{sku}` stands for the SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern(String);

impl UrlPattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// A text that says what is wrong: the scheme, the host, a character that no URL has, or the length.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or("it must begin with https:// or http://")?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') || host.contains(['{', '}', '@']) {
            return Err("it needs a host of its own before the first slash, without {sku} and @");
        }
        let bare = text.replace(SKU, "");
        let bad = |c: char| c.is_control() || c.is_whitespace() || "<>\"'\\`{}|^".contains(c);
        if bare.contains(bad) {
            return Err(
                "it holds a character that no web address has; the one placeholder is {sku}, all else is percent-encoded",
            );
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err("it is longer than 1000 bytes");
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL for one SKU.
    #[must_use]
    pub fn of(&self, sku: &str) -> String {
        self.0.replace(SKU, &utf8_percent_encode(sku, ENCODED).to_string())
    }
}

/// How mails about a list look. `None` is left to a wider entry, and in the end to the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presentation {
    /// The template's key.
    pub template: Option<String>,
    /// The subject; `{product}` stands for the product's name. Empty: the template's own subject.
    pub subject: Option<String>,
    /// The page of the product.
    pub product_url: Option<UrlPattern>,
    /// The picture of the product.
    pub image_url: Option<UrlPattern>,
}

impl Presentation {
    /// Takes from a wider entry what this one leaves open.
    fn fill_from(&mut self, wider: &Presentation) {
        self.template = self.template.take().or_else(|| wider.template.clone());
        self.subject = self.subject.take().or_else(|| wider.subject.clone());
        self.product_url = self.product_url.take().or_else(|| wider.product_url.clone());
        self.image_url = self.image_url.take().or_else(|| wider.image_url.clone());
    }

    /// The subject with the product's name filled in.
    #[must_use]
    pub fn subject_for(&self, product: &str) -> Option<String> {
        self.subject.as_ref().map(|subject| subject.replace("{product}", product))
    }
}

/// How mails about all lists look, by list or pattern.
#[derive(Debug, Clone, Default)]
pub struct Presentations {
    exact: BTreeMap<ListId, Presentation>,
    /// By the part before the star.
    patterns: BTreeMap<String, Presentation>,
}

impl Presentations {
    /// Adds an entry for a list, or for all SKU lists that begin with the part of a pattern before its `*`.
    /// False if `of` is neither; only a `*` at the end makes a pattern.
    pub fn insert(&mut self, of: &str, look: Presentation) -> bool {
        match of.strip_suffix('*') {
            Some(prefix) if prefix.starts_with(SKU_LIST_PREFIX) && !prefix.contains('*') => {
                self.patterns.insert(prefix.to_owned(), look);
                true
            }
            Some(_) => false,
            None => ListId::parse(of).map(|list| self.exact.insert(list, look)).is_some(),
        }
    }

    /// How mails about a list look.
    #[must_use]
    pub(crate) fn of(&self, list: &ListId) -> Presentation {
        let mut look = self.exact.get(list).cloned().unwrap_or_default();
        // From the longest beginning to the shortest; nothing shorter than `restock-` is a pattern.
        let id = list.as_str();
        for end in (SKU_LIST_PREFIX.len()..=id.len()).rev() {
            if let Some(wider) = id.get(..end).and_then(|prefix| self.patterns.get(prefix)) {
                look.fill_from(wider);
            }
        }
        look
    }

    /// Each list or pattern with a template of its own, and that template's key.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (String, &str)> {
        let exact = self.exact.iter().map(|(list, look)| (list.to_string(), look));
        let patterns = self.patterns.iter().map(|(prefix, look)| (format!("{prefix}*"), look));
        exact.chain(patterns).filter_map(|(of, look)| Some((of, look.template.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(id: &str) -> ListId {
        ListId::parse(id).unwrap()
    }

    fn look(template: Option<&str>, subject: Option<&str>) -> Presentation {
        let own = |text: &str| text.to_owned();
        Presentation { template: template.map(own), subject: subject.map(own), ..Presentation::default() }
    }

    #[test]
    fn each_setting_comes_from_the_narrowest_entry_that_says_it() {
        let mut looks = Presentations::default();
        assert!(looks.insert("restock-*", look(Some("wide"), Some("wide"))));
        assert!(looks.insert("restock-chair-*", look(Some("chairs"), None)));
        assert!(looks.insert("restock-chair-01", look(None, Some("one"))));
        assert_eq!(looks.of(&list("restock-chair-01")), look(Some("chairs"), Some("one")));
        assert_eq!(looks.of(&list("restock-chair-02")), look(Some("chairs"), Some("wide")));
        assert_eq!(looks.of(&list("restock-chair")), look(Some("wide"), Some("wide")));
        assert_eq!(looks.of(&list("restock-stühle-é")), look(Some("wide"), Some("wide")));
        assert_eq!(looks.of(&list("news")), Presentation::default());
        let named: Vec<_> = looks.templates().collect();
        assert_eq!(named, [("restock-*".to_owned(), "wide"), ("restock-chair-*".to_owned(), "chairs")]);
    }

    #[test]
    fn a_star_stands_at_the_end_of_a_sku_pattern_or_nowhere() {
        let mut looks = Presentations::default();
        for bad in ["*", "ne*", "restock*", "restock-a*b*", ""] {
            assert!(!looks.insert(bad, Presentation::default()), "{bad}");
        }
        assert!(looks.insert("restock-a*b", Presentation::default()), "a SKU may hold a star");
    }

    #[test]
    fn a_sku_is_encoded_and_stays_out_of_the_host() {
        let pattern = UrlPattern::parse("https://shop.example/p/{sku}?ref={sku}&a=1#top").unwrap();
        assert_eq!(
            pattern.of("a/b?c#d e\"<ü>{sku}%"),
            "https://shop.example/p/a%2Fb%3Fc%23d%20e%22%3C%C3%BC%3E%7Bsku%7D%25\
             ?ref=a%2Fb%3Fc%23d%20e%22%3C%C3%BC%3E%7Bsku%7D%25&a=1#top"
        );
        assert_eq!(
            UrlPattern::parse("http://cdn.example/all.jpg").unwrap().of("x"),
            "http://cdn.example/all.jpg"
        );
        for bad in [
            "",
            "ftp://shop.example/{sku}",
            "javascript:alert(1)",
            "https://{sku}.shop.example/",
            "https://{sku}/",
            "https:///{sku}",
            "https://:80/{sku}",
            "https://me@shop.example/{sku}",
            "https://shop.example/{SKU}",
            "https://shop.example/{sku",
            "https://shop.example/ {sku}",
            "https://shop.example/\"{sku}",
        ] {
            assert!(UrlPattern::parse(bad).is_err(), "{bad}");
        }
        assert!(UrlPattern::parse(&format!("https://shop.example/{}", "x".repeat(1000))).is_err());
    }
}
