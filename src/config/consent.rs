//! Lists and how consent to them is asked for and proven.
//!
//! A list is declared with `[list.<id>]`; `[pattern."restock-*"]` speaks of all lists that begin
//! so. Both may ask for a confirmation by mail (`double_opt_in`), but not a list that everybody is
//! on: nobody joins that.

use std::collections::BTreeMap;

use super::file::{ListFile, PatternFile};
use super::{ConfigError, duration, millis, wrong};
use crate::domain::{Catalog, Declared, DoubleOptIn, ListId};
use crate::http::KeepAddress;

/// Declared lists, and which of all lists ask for a confirmation.
pub(super) fn catalog(
    lists: BTreeMap<String, ListFile>,
    patterns: BTreeMap<String, PatternFile>,
    within: Option<&str>,
) -> Result<Catalog, ConfigError> {
    let mut declared = Vec::new();
    let mut double = DoubleOptIn::default();
    if let Some(text) = within {
        double.within_ms = millis(duration("consent.confirm_within", text)?);
        if double.within_ms < 600_000 {
            return Err(wrong("consent.confirm_within", "a link must work for 10m at least"));
        }
    }
    for (id, list) in lists {
        let list_id = ListId::parse(&id).filter(|list| list.sku().is_none()).ok_or_else(|| {
            wrong(format!("list.{id}"), "a declared list's id is plain text and not restock-…")
        })?;
        let name = list.name.unwrap_or_else(|| id.clone());
        if !crate::domain::text::name_fits(&name) {
            let limit = "at most 200 characters without control characters";
            return Err(wrong(format!("list.{id}.name"), limit));
        }
        let default_opt_in = list.default_opt_in.unwrap_or(false);
        if list.double_opt_in.unwrap_or(false) {
            double.lists.push(list_id.clone());
        }
        declared.push((list_id, Declared { name, description: list.description, default_opt_in }));
    }
    for (pattern, settings) in patterns {
        let prefix = pattern.strip_suffix('*').filter(|prefix| !prefix.contains('*')).ok_or_else(|| {
            wrong(
                format!("pattern.{pattern}"),
                "a pattern is the beginning of a list's id and one * at the end",
            )
        })?;
        if settings.double_opt_in.unwrap_or(false) {
            double.prefixes.push(prefix.to_owned());
        }
    }
    let catalog = Catalog::new(declared).with_double_opt_in(double);
    for (id, list) in catalog.iter() {
        if list.default_opt_in && catalog.double_opt_in(id) {
            let reason = "everybody is on a default_opt_in list, so it cannot ask for a confirmation too";
            return Err(wrong(format!("list.{id}.double_opt_in"), reason));
        }
    }
    Ok(catalog)
}

/// How much of an address is kept.
pub(super) fn keep_address(text: Option<&str>) -> Result<KeepAddress, ConfigError> {
    match text {
        None | Some("truncated") => Ok(KeepAddress::Truncated),
        Some("none") => Ok(KeepAddress::None),
        Some("full") => Ok(KeepAddress::Full),
        Some(other) => {
            Err(wrong("consent.keep_address", format!("{other:?} is neither none, truncated nor full")))
        }
    }
}
