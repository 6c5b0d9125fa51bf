//! `[provider.<name>]`: the limits of a receiving provider, and its domains.
//!
//! ```toml
//! [provider.default]              # for domains without a table of their own, each by itself
//! connections = 4
//! [provider.google]               # a built-in name; a new one must say `domains`
//! domains = ["campus.example"]    # besides the built-in ones
//! rate = "20/s"
//! warm_up = [50, 100, 500]
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::{ConfigError, wrong};
use restockd_core::shaping::{Limits, Plan};
use restockd_core::{Email, Rate};

const PROVIDERS_MAX: usize = 1000;
/// Names that the engine itself uses.
const RESERVED: [&str; 2] = ["relay", "others"];

/// `[provider.<name>]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProviderFile {
    domains: Vec<String>,
    rate: Option<String>,
    burst: Option<u32>,
    connections: Option<u32>,
    per_day: Option<u32>,
    warm_up: Option<Vec<u32>>,
}

/// All provider tables, checked.
pub(super) fn plan(mut file: BTreeMap<String, ProviderFile>) -> Result<Arc<Plan>, ConfigError> {
    if file.len() > PROVIDERS_MAX {
        return Err(wrong("provider", format!("at most {PROVIDERS_MAX} providers can have a table")));
    }
    let mut plan = Plan::default();
    if let Some(default) = file.remove("default") {
        if !default.domains.is_empty() {
            return Err(wrong(
                "provider.default.domains",
                "the default is for domains that are named nowhere",
            ));
        }
        plan.default = default.limits("default", &Limits::default())?;
    }
    let mut taken = BTreeMap::new();
    for (name, table) in file {
        let key = |field: &str| format!("provider.{name}{field}");
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let fits = !name.is_empty() && name.len() <= 40 && name.bytes().all(plain);
        if !fits || RESERVED.contains(&name.as_str()) {
            return Err(wrong(
                key(""),
                "a provider's name is made of a-z, 0-9, - and _, and is not relay or others",
            ));
        }
        let known = plan.providers.names().iter().any(|other| **other == *name);
        if !known && table.domains.is_empty() {
            return Err(wrong(key(".domains"), "it is no built-in provider; say which domains are its"));
        }
        let number = plan.providers.name(&name);
        for domain in &table.domains {
            let address = Email::parse(&format!("someone@{domain}")).ok_or_else(|| {
                wrong(key(".domains"), format!("{domain:?} is no domain such as shop.example"))
            })?;
            if let Some(other) = taken.insert(address.domain().to_owned(), name.clone()) {
                let why = format!("{domain:?} is claimed by provider.{other} already");
                return Err(wrong(key(".domains"), why));
            }
            plan.providers.own(address.domain(), number);
        }
        let limits = table.limits(&name, &plan.default)?;
        plan.named.insert(number, limits);
    }
    Ok(Arc::new(plan))
}

impl ProviderFile {
    /// The limits; those left out are as in the default table.
    fn limits(&self, name: &str, default: &Limits) -> Result<Limits, ConfigError> {
        let key = |field: &str| format!("provider.{name}.{field}");
        let positive = |field: &str, value: Option<u32>| match value {
            Some(0) => Err(wrong(key(field), "it must be at least 1; leave it out for no limit")),
            value => Ok(value),
        };
        let mut rate = match &self.rate {
            None => default.rate,
            Some(text) => Rate::parse(text).ok_or_else(|| {
                wrong(key("rate"), format!("{text:?} is not like 20/s, 600/m or unlimited"))
            })?,
        };
        if let Some(burst) = positive("burst", self.burst)? {
            let rate = rate.as_mut().ok_or_else(|| wrong(key("burst"), "a burst needs a rate beside it"))?;
            rate.burst = burst.min(1_000_000);
        }
        let warm_up = self.warm_up.clone().unwrap_or_else(|| default.warm_up.clone());
        if warm_up.len() > 366 || warm_up.contains(&0) {
            return Err(wrong(key("warm_up"), "it holds at most 366 days, each with at least 1 letter"));
        }
        Ok(Limits {
            rate,
            connections: positive("connections", self.connections)?.or(default.connections),
            per_day: positive("per_day", self.per_day)?.or(default.per_day),
            warm_up,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Arc<Plan>, String> {
        #[derive(Deserialize)]
        struct File {
            provider: BTreeMap<String, ProviderFile>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        plan(file.provider).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_takes_from_the_default_what_it_leaves_out() {
        let text = "[provider.default]\nconnections = 4\nper_day = 900\n\
                    [provider.google]\nrate = \"20/s\"\nburst = 7\nwarm_up = [50, 100]\n\
                    [provider.campus]\ndomains = [\"Campus.Example\"]\nconnections = 1\n";
        let plan = read(text).unwrap();
        let google = plan.limits(plan.providers.of("gmail.com").unwrap());
        assert_eq!(
            (google.connections, google.per_day, google.warm_up.as_slice()),
            (Some(4), Some(900), &[50, 100][..])
        );
        assert_eq!(google.rate.map(|rate| (rate.letters, rate.burst)), Some((20, 7)));
        let campus = plan.limits(plan.providers.of("campus.example").unwrap());
        assert_eq!((campus.connections, campus.rate), (Some(1), None));
        assert_eq!(plan.limits(plan.providers.of("web.de").unwrap()).connections, Some(4));
    }

    #[test]
    fn a_mistake_is_named_with_its_key() {
        for (text, key) in [
            ("[provider.google]\nrat = \"20/s\"", "rat"),
            ("[provider.google]\nrate = \"20\"", "provider.google.rate"),
            ("[provider.google]\nconnections = 0", "provider.google.connections"),
            ("[provider.google]\nburst = 3", "provider.google.burst"),
            ("[provider.google]\nwarm_up = [5, 0]", "provider.google.warm_up"),
            ("[provider.gogle]\nconnections = 3", "provider.gogle.domains"),
            ("[provider.x]\ndomains = [\"nodot\"]", "provider.x.domains"),
            (
                "[provider.x]\ndomains = [\"a.example\"]\n[provider.y]\ndomains = [\"A.example\"]",
                "provider.y.domains",
            ),
            ("[provider.relay]\ndomains = [\"a.example\"]", "provider.relay"),
            ("[provider.default]\ndomains = [\"a.example\"]", "provider.default.domains"),
            ("[provider.\"a.b\"]\ndomains = [\"a.example\"]", "provider.a.b"),
        ] {
            let error = read(text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
