//! The record of one person. It is kept small, since there may be ten million.

use smallvec::SmallVec;

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::time::Millis;

/// Properties: name and JSON text, sorted by name.
pub type Props = Vec<(String, String)>;

/// Whether a person's number still stands for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonStatus {
    Live,
    /// Merged into the person with this number.
    Merged(PersonId),
    Erased,
}

/// Why a person gets no mail at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeliverable {
    /// The person wants no mail at all.
    Unsubscribed,
    /// The address is on the suppression list.
    Suppressed,
    /// The person was erased.
    Erased,
    /// The person has no address.
    NoEmail,
}

/// A list that a person is or was on, and what the directory last told the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLink(u32);

impl ListLink {
    /// Links list number `list`, which was last told `told`: on or off. `None` if that came with a sender's
    /// timestamp, since only the list knows whether it was newer than the last change.
    #[must_use]
    pub(crate) fn new(list: u32, told: Option<bool>) -> Self {
        let told = match told {
            Some(true) => 1,
            Some(false) => 0,
            None => 2,
        };
        Self(list << 2 | told)
    }

    /// The link as one number, as it is stored: the list's number, shifted by two bits, and what the list was
    /// told.
    #[must_use]
    pub fn raw(self) -> u32 {
        self.0
    }

    /// The link that a stored number stands for.
    #[must_use]
    pub fn of_raw(raw: u32) -> Self {
        Self(raw)
    }

    #[must_use]
    pub(crate) fn list(self) -> u32 {
        self.0 >> 2
    }

    /// What the list was last told; `None` if only the list knows.
    #[must_use]
    pub(crate) fn told(self) -> Option<bool> {
        match self.0 & 3 {
            1 => Some(true),
            0 => Some(false),
            _ => None,
        }
    }
}

/// The parts of a person's record that few have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// The id that a browser carries.
    pub anonymous_id: Option<Box<str>>,
    /// Properties, sorted by name.
    pub props: Props,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub status: PersonStatus,
    pub email: Option<Email>,
    /// The shop's own id for the person.
    pub user_id: Option<Box<str>>,
    pub extras: Option<Box<Extras>>,
    /// The lists that the person is or was on.
    pub links: SmallVec<[ListLink; 4]>,
    /// The person wants no mail at all.
    pub unsubscribed: bool,
    pub created: Millis,
    pub updated: Millis,
    /// When the person last appeared in an event or call.
    pub seen: Millis,
}

impl Person {
    /// A new person, without names.
    #[must_use]
    pub(crate) fn new(at: Millis) -> Self {
        Self {
            status: PersonStatus::Live,
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

    /// The id that a browser carries.
    #[must_use]
    pub fn anonymous_id(&self) -> Option<&str> {
        self.extras.as_ref()?.anonymous_id.as_deref()
    }

    /// All properties, sorted by name.
    #[must_use]
    pub fn props(&self) -> &[(String, String)] {
        self.extras.as_ref().map(|extras| extras.props.as_slice()).unwrap_or_default()
    }

    /// The JSON text of one property.
    #[must_use]
    pub(crate) fn prop(&self, name: &str) -> Option<&str> {
        let props = self.props();
        let at = props.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        props.get(at).map(|(_, value)| value.as_str())
    }

    /// The shop's name for the person: the user id, else the anonymous id.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.user_id.as_deref().or_else(|| self.anonymous_id())
    }

    /// Sets properties; a name that exists is replaced.
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

    /// Remembers what a list was told.
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
