//! Which lists there are without anybody having joined: the declared ones and the SKU pattern.
//!
//! `restock-<sku>` needs no declaration. A declared list has a name, a description and
//! `default_opt_in`; on such a list everybody with an address is a member unless they said no.

use std::collections::BTreeMap;

use super::ids::{ListId, SKU_LIST_PREFIX};
use super::presentation::{Presentation, Presentations};
use super::text;

/// A list from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What people read.
    pub name: String,
    /// A sentence for the preference page.
    pub description: Option<String>,
    /// Everybody is on it unless they left.
    pub default_opt_in: bool,
}

/// Which lists are joined only once their person has confirmed, by a link in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubleOptIn {
    /// Lists by id.
    pub lists: Vec<ListId>,
    /// Lists whose id begins like this.
    pub prefixes: Vec<String>,
    /// How long a link works.
    pub within_ms: u64,
}

impl Default for DoubleOptIn {
    /// None; a link works for 48 hours.
    fn default() -> Self {
        Self { lists: Vec::new(), prefixes: Vec::new(), within_ms: 48 * 3_600_000 }
    }
}

/// All declared lists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    declared: BTreeMap<ListId, Declared>,
    presentations: Presentations,
    double: DoubleOptIn,
}

impl Catalog {
    /// Takes the declared lists.
    #[must_use]
    pub fn new(declared: impl IntoIterator<Item = (ListId, Declared)>) -> Self {
        let (presentations, double) = (Presentations::default(), DoubleOptIn::default());
        Self { declared: declared.into_iter().collect(), presentations, double }
    }

    /// With looks of lists.
    #[must_use]
    pub fn with_presentations(self, presentations: Presentations) -> Self {
        Self { presentations, ..self }
    }

    /// How mails about a list look, as far as the configuration says.
    #[must_use]
    pub fn presentation(&self, list: &ListId) -> Presentation {
        self.presentations.of(list)
    }

    /// Each list or pattern with a template of its own, and that template.
    pub fn templates(&self) -> impl Iterator<Item = (String, &str)> {
        self.presentations.templates()
    }

    /// The same with lists that ask for a confirmation.
    #[must_use]
    pub fn with_double_opt_in(self, double: DoubleOptIn) -> Self {
        Self { double, ..self }
    }

    /// True when a press makes a member only once it is confirmed.
    #[must_use]
    pub fn double_opt_in(&self, list: &ListId) -> bool {
        self.double.lists.contains(list)
            || self.double.prefixes.iter().any(|prefix| list.as_str().starts_with(prefix.as_str()))
    }

    /// How long a link that confirms works.
    #[must_use]
    pub fn confirm_within_ms(&self) -> u64 {
        self.double.within_ms
    }

    /// The list by that id, if it is declared or a SKU list.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<ListId> {
        let list = ListId::parse(id)?;
        let known = self.declared.contains_key(&list)
            || list.sku().is_some_and(|sku| sku.len() <= text::SKU_BYTES_MAX && !sku.trim().is_empty());
        known.then_some(list)
    }

    /// The declaration, for a declared list.
    #[must_use]
    pub fn declared(&self, list: &ListId) -> Option<&Declared> {
        self.declared.get(list)
    }

    /// True when everybody is on it unless they left.
    #[must_use]
    pub fn default_opt_in(&self, list: &ListId) -> bool {
        self.declared.get(list).is_some_and(|d| d.default_opt_in)
    }

    /// All declared lists in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ListId, &Declared)> {
        self.declared.iter()
    }

    /// The name people read: declared, else by the product, else by the SKU.
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
