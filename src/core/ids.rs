//! The ids of lists, SKUs, people and campaigns.
//!
//! Ids are checked once when a request comes in, cheap to clone, and ordered. A SKU is compared byte for byte
//! and never part of a file name. A person's number is given out by the directory and never reused. A
//! campaign's id is a keyed hash of its key, made outside, since this crate holds no secret.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::text;
use super::time::Day;

/// The prefix of every SKU list.
pub const SKU_LIST_PREFIX: &str = "restock-";
/// The longest list id, in bytes: the prefix and the longest SKU.
pub(crate) const LIST_ID_BYTES_MAX: usize = SKU_LIST_PREFIX.len() + text::SKU_BYTES_MAX;

/// A stock keeping unit: 1 to 128 bytes of UTF-8 without control characters or bidirectional overrides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(Arc<str>);

impl Sku {
    /// Checks the text; `None` if it is empty, too long or not plain.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.trim().is_empty() && text.len() <= text::SKU_BYTES_MAX && text::plain(text);
        fits.then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The list of the people who wait for this SKU.
    #[must_use]
    pub fn list(&self) -> ListId {
        ListId(format!("{SKU_LIST_PREFIX}{}", self.0).into())
    }
}

/// The id of a list: `restock-<sku>` or a declared name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(Arc<str>);

impl ListId {
    /// Checks length and characters. Whether there is such a list, only the catalog knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.trim().is_empty() && text.len() <= LIST_ID_BYTES_MAX && text::plain(text);
        fits.then(|| Self(text.into()))
    }

    /// An id as a record holds it. It came from [`ListId::parse`] once and is not checked again.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SKU, if this is a SKU list.
    #[must_use]
    pub fn sku(&self) -> Option<&str> {
        self.0.strip_prefix(SKU_LIST_PREFIX).filter(|sku| !sku.is_empty())
    }

    /// The key of the rule campaign on this list on a day, `restock-<sku>-<date>`.
    #[must_use]
    pub fn campaign_key(&self, day: Day) -> String {
        // The id of a SKU list is `restock-<sku>` already.
        format!("{self}-{day}")
    }
}

/// Lets a map that is keyed by ids be searched with a `str`.
impl Borrow<str> for ListId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's number in the directory, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub u32);

/// The contact id in JSON, `ct_<hex>`.
impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ct_{:08x}", self.0)
    }
}

/// A campaign's id: a keyed hash of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(pub u128);

impl CampaignId {
    /// Reads `cmp_` and 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("cmp_")?;
        let exact = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        exact.then(|| u128::from_str_radix(hex, 16).ok()).flatten().map(Self)
    }
}

/// The campaign id in JSON, `cmp_<hex>`.
impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cmp_{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_bounded_and_plain() {
        assert!(Sku::parse("chair 01/ü").is_some());
        assert!(Sku::parse(&"s".repeat(128)).is_some());
        for bad in ["", " ", "a\nb", "a\u{202e}", &"s".repeat(129)] {
            assert!(Sku::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn ids_survive_their_own_printing() {
        let id = CampaignId(0x1234);
        assert_eq!(CampaignId::parse(&id.to_string()), Some(id));
        assert_eq!(CampaignId::parse("cmp_+0000000000000000000000000000000"), None);
        let list = Sku::parse("x").map(|s| s.list());
        assert_eq!(list.as_ref().and_then(ListId::sku), Some("x"));
        assert_eq!(ListId::parse("restock-").as_ref().and_then(ListId::sku), None);
    }
}
