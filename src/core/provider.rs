//! Which mail provider receives the mail of a domain, from a built-in table and the shop's own lines.
//!
//! ```text
//! googlemail.com ─ exact ───▶ google          the shop's own lines win over both
//! hotmail.co.uk  ─ family ──▶ microsoft       a domain in none of them is a provider of its own
//!
//! The mail exchangers of a domain would tell more, but this engine hands all letters to a relay and needs no
//! DNS; a slow or lying name server must not decide how fast letters go. If a large provider hosts a domain
//! under another name, a line in the configuration says so.
//!
//! Invariants: a provider's name has no dot and a domain has one, so neither can be mistaken for the other; a
//! number is an index into [`Providers::names`] and stays the same for the whole run.

use std::collections::BTreeMap;

/// The built-in names. The tables below point into this one.
pub(crate) const BUILT_IN: [&str; 22] = [
    "google",
    "microsoft",
    "yahoo",
    "apple",
    "orange",
    "united_internet",
    "t_online",
    "comcast",
    "free",
    "sfr",
    "laposte",
    "libero",
    "mail_ru",
    "yandex",
    "qq",
    "netease",
    "naver",
    "proton",
    "zoho",
    "seznam",
    "wp",
    "charter",
];

/// Domains, sorted, each with its provider's number.
const DOMAINS: [(&str, u16); 99] = [
    ("126.com", 15),
    ("163.com", 15),
    ("1und1.de", 5),
    ("aim.com", 2),
    ("aliceadsl.fr", 8),
    ("aol.co.uk", 2),
    ("aol.com", 2),
    ("aol.de", 2),
    ("aol.fr", 2),
    ("aol.it", 2),
    ("att.net", 2),
    ("bellsouth.net", 2),
    ("bk.ru", 12),
    ("blu.it", 11),
    ("brighthouse.com", 21),
    ("caramail.com", 5),
    ("charter.net", 21),
    ("comcast.net", 7),
    ("email.com", 5),
    ("email.cz", 19),
    ("email.de", 5),
    ("foxmail.com", 14),
    ("free.fr", 8),
    ("freenet.fr", 8),
    ("giallo.it", 11),
    ("gmail.com", 0),
    ("googlemail.com", 0),
    ("icloud.com", 3),
    ("inbox.ru", 12),
    ("inwind.it", 11),
    ("iol.it", 11),
    ("laposte.net", 10),
    ("libero.it", 11),
    ("list.ru", 12),
    ("live.at", 1),
    ("live.be", 1),
    ("live.ca", 1),
    ("live.cl", 1),
    ("live.cn", 1),
    ("live.co.uk", 1),
    ("live.co.za", 1),
    ("live.com", 1),
    ("live.com.ar", 1),
    ("live.com.au", 1),
    ("live.com.mx", 1),
    ("live.com.pt", 1),
    ("live.de", 1),
    ("live.dk", 1),
    ("live.fi", 1),
    ("live.fr", 1),
    ("live.ie", 1),
    ("live.in", 1),
    ("live.it", 1),
    ("live.jp", 1),
    ("live.nl", 1),
    ("live.no", 1),
    ("live.ru", 1),
    ("live.se", 1),
    ("mac.com", 3),
    ("magenta.de", 6),
    ("mail.com", 5),
    ("mail.ru", 12),
    ("me.com", 3),
    ("msn.com", 1),
    ("narod.ru", 13),
    ("nate.com", 16),
    ("naver.com", 16),
    ("neuf.fr", 9),
    ("o2.pl", 20),
    ("online.de", 5),
    ("orange.fr", 4),
    ("passport.com", 1),
    ("pm.me", 17),
    ("proton.me", 17),
    ("protonmail.ch", 17),
    ("protonmail.com", 17),
    ("qq.com", 14),
    ("rocketmail.com", 2),
    ("rr.com", 21),
    ("sbcglobal.net", 2),
    ("seznam.cz", 19),
    ("sfr.fr", 9),
    ("sky.com", 2),
    ("spectrum.net", 21),
    ("t-online.de", 6),
    ("twc.com", 21),
    ("verizon.net", 2),
    ("vip.qq.com", 14),
    ("voila.fr", 4),
    ("wanadoo.fr", 4),
    ("web.de", 5),
    ("windowslive.com", 1),
    ("wp.pl", 20),
    ("xfinity.com", 7),
    ("ya.ru", 13),
    ("yeah.net", 15),
    ("ymail.com", 2),
    ("zoho.com", 18),
    ("zohomail.com", 18),
];

/// First labels under which a provider has domains in many countries.
const FAMILIES: [(&str, u16); 5] = [("gmx", 5), ("hotmail", 1), ("outlook", 1), ("yahoo", 2), ("yandex", 13)];

/// All named providers: the built-in ones and the shop's.
#[derive(Debug, Clone)]
pub struct Providers {
    names: Vec<Box<str>>,
    own: BTreeMap<Box<str>, u16>,
}

impl Default for Providers {
    fn default() -> Self {
        Self { names: BUILT_IN.iter().map(|name| (*name).into()).collect(), own: BTreeMap::new() }
    }
}

impl Providers {
    /// The number of a provider; a new name gets the next one. The length of the configuration bounds them.
    pub fn name(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|known| **known == *name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Says that a domain belongs to a provider.
    pub fn own(&mut self, domain: &str, provider: u16) {
        self.own.insert(domain.into(), provider);
    }

    /// All names, by number.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The provider of a lower-case domain; `None` if the domain is a provider of its own.
    #[must_use]
    pub fn of(&self, domain: &str) -> Option<u16> {
        if !self.own.is_empty()
            && let Some(own) = self.own.get(domain)
        {
            return Some(*own);
        }
        if let Ok(at) = DOMAINS.binary_search_by_key(&domain, |(domain, _)| domain) {
            return DOMAINS.get(at).map(|(_, provider)| *provider);
        }
        let (label, rest) = domain.split_once('.')?;
        let (_, provider) = FAMILIES.iter().find(|(family, _)| *family == label)?;
        is_country(rest).then_some(*provider)
    }
}

/// Whether the rest of a domain is only a country or top-level part: `com`, `de`, `co.uk`, but not
/// `shop.example`.
fn is_country(rest: &str) -> bool {
    let two = |label: &str| label.len() == 2 && label.bytes().all(|b| b.is_ascii_lowercase());
    match rest.split_once('.') {
        None => two(rest) || matches!(rest, "com" | "net"),
        Some(("co" | "com", country)) => two(country),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_points_at_names() {
        assert!(DOMAINS.windows(2).all(|pair| pair[0].0 < pair[1].0), "the domains are not in order");
        let points = |(_, at): &(&str, u16)| usize::from(*at) < BUILT_IN.len();
        assert!(DOMAINS.iter().all(points) && FAMILIES.iter().all(points));
        assert!(BUILT_IN.iter().all(|name| !name.contains('.')));
        for (at, name) in BUILT_IN.iter().enumerate() {
            let used = |(_, n): &(&str, u16)| usize::from(*n) == at;
            assert!(DOMAINS.iter().any(used) || FAMILIES.iter().any(used), "{name} has no domain");
        }
    }

    #[test]
    fn domains_are_grouped_by_who_receives_their_mail() {
        let providers = Providers::default();
        let name = |domain: &str| providers.of(domain).map(|at| BUILT_IN[usize::from(at)]);
        for (domain, expected) in [
            ("gmail.com", Some("google")),
            ("googlemail.com", Some("google")),
            ("hotmail.com", Some("microsoft")),
            ("hotmail.co.uk", Some("microsoft")),
            ("outlook.fr", Some("microsoft")),
            ("live.com.mx", Some("microsoft")),
            ("msn.com", Some("microsoft")),
            ("yahoo.co.jp", Some("yahoo")),
            ("ymail.com", Some("yahoo")),
            ("aol.com", Some("yahoo")),
            ("me.com", Some("apple")),
            ("wanadoo.fr", Some("orange")),
            ("gmx.net", Some("united_internet")),
            ("web.de", Some("united_internet")),
            ("t-online.de", Some("t_online")),
            ("free.fr", Some("free")),
            ("libero.it", Some("libero")),
            ("yandex.com.tr", Some("yandex")),
            ("naver.com", Some("naver")),
            ("shop.example", None),
            ("hotmail.shop.example", None),
            ("yahoo.example", None),
            ("live.example.com", None),
            ("mygmail.com", None),
            ("mail.gmail.com", None),
            ("gmx", None),
            ("", None),
        ] {
            assert_eq!(name(domain), expected, "{domain}");
        }
    }

    #[test]
    fn the_shops_own_line_wins_and_a_new_name_gets_a_new_number() {
        let mut providers = Providers::default();
        let google = providers.name("google");
        let mine = providers.name("campus");
        providers.own("staff.example", google);
        providers.own("gmail.com", mine);
        assert_eq!((google, usize::from(mine)), (0, BUILT_IN.len()));
        assert_eq!(providers.of("staff.example"), Some(google));
        assert_eq!(providers.of("gmail.com"), Some(mine));
        assert_eq!(&*providers.names()[usize::from(mine)], "campus");
    }
}
