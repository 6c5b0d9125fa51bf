//! `[list.<id>]`: declared lists, and the presentation of mails about lists.
//!
//! | table | name, description, default_opt_in | template, subject, double_opt_in | product_url, image_url |
//! |---|---|---|---|
//! | `[list.news]`, a declared list | yes | yes | no, it has no product |
//! | `[list."restock-chair-01"]`, `[list."restock-*"]` | no, it needs no declaration | yes | yes |
//!
//! `double_opt_in` asks for a confirmation by mail. It cannot be set on a list that everybody is on, since nobody joins it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ConfigError, consent, wrong};
use restockd_core::ids::SKU_LIST_PREFIX;
use restockd_core::{Catalog, Declared, ListId, Presentation, Presentations, UrlPattern, text};

/// One `[list.<id>]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListFile {
    name: Option<String>,
    description: Option<String>,
    default_opt_in: Option<bool>,
    double_opt_in: Option<bool>,
    template: Option<String>,
    subject: Option<String>,
    product_url: Option<String>,
    image_url: Option<String>,
}

impl ListFile {
    /// How mails about the list look.
    fn look(&self, id: &str) -> Result<Presentation, ConfigError> {
        let key = |field: &str| format!("list.{id}.{field}");
        if self.subject.as_deref().is_some_and(|subject| !subject.is_empty() && !text::name_fits(subject)) {
            return Err(wrong(key("subject"), "at most 200 characters without control characters"));
        }
        Ok(Presentation {
            template: self.template.clone(),
            subject: self.subject.clone(),
            product_url: address(&key("product_url"), self.product_url.as_deref())?,
            image_url: address(&key("image_url"), self.image_url.as_deref())?,
        })
    }
}

/// All `[list.<id>]` tables, as a catalog.
pub(super) fn catalog(
    file: BTreeMap<String, ListFile>,
    confirm_within: Option<&str>,
) -> Result<Catalog, ConfigError> {
    let (mut declared, mut presentations) = (Vec::new(), Presentations::default());
    let mut double = consent::double_opt_in(confirm_within)?;
    for (id, list) in file {
        let look = list.look(&id)?;
        let of_skus = id.starts_with(SKU_LIST_PREFIX);
        if of_skus && (list.name.is_some() || list.description.is_some() || list.default_opt_in.is_some()) {
            let reason = "a list of a SKU is not declared; it takes double_opt_in, template, subject, product_url, image_url";
            return Err(wrong(format!("list.{id}"), reason));
        }
        if !of_skus && (look.product_url.is_some() || look.image_url.is_some()) {
            let reason = "product_url and image_url are for lists of SKUs, such as \"restock-chair-*\"";
            return Err(wrong(format!("list.{id}"), reason));
        }
        if !presentations.insert(&id, look) || id == SKU_LIST_PREFIX {
            let reason = "an id is plain text, or restock-… with a * as its last character";
            return Err(wrong(format!("list.{id}"), reason));
        }
        let confirms = list.double_opt_in.unwrap_or(false);
        if confirms && list.default_opt_in.unwrap_or(false) {
            let reason = "everybody is on a default_opt_in list, so it cannot ask for a confirmation too";
            return Err(wrong(format!("list.{id}.double_opt_in"), reason));
        }
        if confirms {
            match id.strip_suffix('*') {
                Some(prefix) => double.prefixes.push(prefix.to_owned()),
                None => double.lists.extend(ListId::parse(&id)),
            }
        }
        if of_skus {
            continue;
        }
        let list_id = ListId::parse(&id).ok_or_else(|| wrong(format!("list.{id}"), "an id is plain text"))?;
        let name = list.name.unwrap_or_else(|| id.clone());
        if !text::name_fits(&name) {
            return Err(wrong(
                format!("list.{id}.name"),
                "at most 200 characters without control characters",
            ));
        }
        let default_opt_in = list.default_opt_in.unwrap_or(false);
        declared.push((list_id, Declared { name, description: list.description, default_opt_in }));
    }
    Ok(Catalog::new(declared).with_presentations(presentations).with_double_opt_in(double))
}

/// The address of a product, with `{sku}` as placeholder.
pub(super) fn address(key: &str, text: Option<&str>) -> Result<Option<UrlPattern>, ConfigError> {
    text.map(|text| UrlPattern::parse(text.trim()).map_err(|why| wrong(key, format!("{text:?}: {why}"))))
        .transpose()
}
