//! The lists that exist before anybody joins: declared lists, and every `restock-<sku>`.
//!
//! A SKU list needs no declaration. On a declared list with `default_opt_in`, everybody with an address is a
//! member unless they opted out.

use std::collections::BTreeMap;

use super::ids::{ListId, SKU_LIST_PREFIX};
use super::presentation::{Presentation, Presentations};
use super::text;

/// A list from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The name that people read.
    pub name: String,
    /// A sentence for the preference page.
    pub description: Option<String>,
    /// Everybody is on the list unless they opted out.
    pub default_opt_in: bool,
}

/// The lists that a person joins only by confirming, with a link in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleOptIn {
    pub lists: Vec<ListId>,
    /// Prefixes of list ids.
    pub prefixes: Vec<String>,
    /// How long a link works, in milliseconds.
    pub within_ms: u64,
}

impl Default for DoubleOptIn {
    /// No lists; a link would work for 48 hours.
    fn default() -> Self {
        Self { lists: Vec::new(), prefixes: Vec::new(), within_ms: 48 * 3_600_000 }
    }
}

/// The declared lists and the settings of all lists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    declared: BTreeMap<ListId, Declared>,
    presentations: Presentations,
    double: DoubleOptIn,
}

impl Catalog {
    #[must_use]
    pub fn new(declared: impl IntoIterator<Item = (ListId, Declared)>) -> Self {
        let (presentations, double) = (Presentations::default(), DoubleOptIn::default());
        Self { declared: declared.into_iter().collect(), presentations, double }
    }

    /// Sets how mails about lists look.
    #[must_use]
    pub fn with_presentations(self, presentations: Presentations) -> Self {
        Self { presentations, ..self }
    }

    /// How mails about a list look, as far as the configuration says.
    #[must_use]
    pub fn presentation(&self, list: &ListId) -> Presentation {
        self.presentations.of(list)
    }

    /// Each list or pattern with a template of its own, and that template's key.
    pub fn templates(&self) -> impl Iterator<Item = (String, &str)> {
        self.presentations.templates()
    }

    /// Sets the lists that need a confirmation.
    #[must_use]
    pub fn with_double_opt_in(self, double: DoubleOptIn) -> Self {
        Self { double, ..self }
    }

    /// Whether a person joins this list only by confirming.
    #[must_use]
    pub fn double_opt_in(&self, list: &ListId) -> bool {
        self.double.lists.contains(list)
            || self.double.prefixes.iter().any(|prefix| list.as_str().starts_with(prefix.as_str()))
    }

    /// How long a confirmation link works, in milliseconds.
    #[must_use]
    pub fn confirm_within_ms(&self) -> u64 {
        self.double.within_ms
    }

    /// The list with an id, if it is declared or a SKU list.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<ListId> {
        let list = ListId::parse(id)?;
        let known = self.declared.contains_key(&list)
            || list.sku().is_some_and(|sku| sku.len() <= text::SKU_BYTES_MAX && !sku.trim().is_empty());
        known.then_some(list)
    }

    /// The declaration of a declared list.
    #[must_use]
    pub fn declared(&self, list: &ListId) -> Option<&Declared> {
        self.declared.get(list)
    }

    /// Whether everybody is on this list unless they opted out.
    #[must_use]
    pub fn default_opt_in(&self, list: &ListId) -> bool {
        self.declared.get(list).is_some_and(|d| d.default_opt_in)
    }

    /// All declared lists, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ListId, &Declared)> {
        self.declared.iter()
    }

    /// The name that people read: the declared one, else the product's name, else the SKU.
    #[must_use]
    pub fn name(&self, list: &ListId, product: Option<&str>) -> String {
        match self.declared.get(list) {
            Some(declared) => declared.name.clone(),
            None => {
                let sku = list.as_str().strip_prefix(SKU_LIST_PREFIX).unwrap_or(list.as_str());
                format!("Back in stock — {}", product.unwrap_or(sku))
            }
        }
    }
}
