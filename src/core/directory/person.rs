//! One person's record, kept small: there may be ten million.

use smallvec::SmallVec;

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::time::Millis;

/// Properties: name and JSON text, sorted by name.
pub type Props = Vec<(String, String)>;

/// What became of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonStatus {
    /// A person.
    Live,
    /// Became part of another.
    Merged(PersonId),
    /// Erased.
    Erased,
}

/// Why a person gets no mail at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeliverable {
    /// Wants none at all.
    Unsubscribed,
    /// The address bounced, complained, or was blocked by hand.
    Suppressed,
    /// Erased.
    Erased,
    /// Has no address.
    NoEmail,
}

/// A list the person is or was on, and what the directory last told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLink(u32);

impl ListLink {
    /// A link to list number `list`, last told `told` (`None`: with a sender's timestamp, so only
    /// the list knows whether it counted).
    #[must_use]
    pub(crate) fn new(list: u32, told: Option<bool>) -> Self {
        let told = match told {
            Some(true) => 1,
            Some(false) => 0,
            None => 2,
        };
        Self(list << 2 | told)
    }

    /// As one number: the list's number, shifted by two bits, and what it was told.
    #[must_use]
    pub fn raw(self) -> u32 {
        self.0
    }

    /// A link from its number.
    #[must_use]
    pub fn of_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The list's number.
    #[must_use]
    pub(crate) fn list(self) -> u32 {
        self.0 >> 2
    }

    /// What the list was last told, if that is certain.
    #[must_use]
    pub(crate) fn told(self) -> Option<bool> {
        match self.0 & 3 {
            1 => Some(true),
            0 => Some(false),
            _ => None,
        }
    }
}

/// Rarely present parts of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// A browser's id.
    pub anonymous_id: Option<Box<str>>,
    /// Properties, sorted by name.
    pub props: Props,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Whether the number still stands for somebody.
    pub fate: PersonStatus,
    /// The address.
    pub email: Option<Email>,
    /// The shop's own id.
    pub user_id: Option<Box<str>>,
    /// The rest, where there is any.
    pub extras: Option<Box<Extras>>,
    /// Lists they are or were on.
    pub links: SmallVec<[ListLink; 4]>,
    /// Wants no mail at all.
    pub unsubscribed: bool,
    /// When the record was made.
    pub created: Millis,
    /// When the record last changed.
    pub updated: Millis,
    /// When the person was last heard of.
    pub seen: Millis,
}

impl Person {
    /// A new person as of `at`.
    #[must_use]
    pub(crate) fn new(at: Millis) -> Self {
        Self {
            fate: PersonStatus::Live,
            email: None,
            user_id: None,
            extras: None,
            links: SmallVec::new(),
            unsubscribed: false,
            created: at,
            updated: at,
            seen: at,
        }
    }

    /// The browser's id.
    #[must_use]
    pub fn anonymous_id(&self) -> Option<&str> {
        self.extras.as_ref()?.anonymous_id.as_deref()
    }

    /// All properties, sorted by name.
    #[must_use]
    pub fn props(&self) -> &[(String, String)] {
        self.extras.as_ref().map(|extras| extras.props.as_slice()).unwrap_or_default()
    }

    /// One property's JSON text.
    #[must_use]
    pub(crate) fn prop(&self, name: &str) -> Option<&str> {
        let props = self.props();
        let at = props.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        props.get(at).map(|(_, value)| value.as_str())
    }

    /// What the shop calls them: user id, else anonymous id.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.user_id.as_deref().or_else(|| self.anonymous_id())
    }

    /// Sets properties, key by key.
    pub(super) fn set_props(&mut self, changes: &[(String, String)]) {
        for (name, value) in changes {
            let props = &mut self.extras.get_or_insert_default().props;
            match props.binary_search_by(|(key, _)| key.cmp(name)) {
                Ok(at) => {
                    if let Some((_, old)) = props.get_mut(at) {
                        old.clone_from(value);
                    }
                }
                Err(at) => props.insert(at, (name.clone(), value.clone())),
            }
        }
    }

    /// Notes what a list was told.
    pub(super) fn link(&mut self, list: u32, told: Option<bool>) {
        match self.links.iter_mut().find(|link| link.list() == list) {
            Some(link) => *link = ListLink::new(list, told),
            None => {
                self.links.reserve_exact(1);
                self.links.push(ListLink::new(list, told));
            }
        }
    }
}
