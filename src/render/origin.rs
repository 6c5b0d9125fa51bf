//! Where each template comes from: the program, the shop's folder, or both.

use super::sources::BUILT_IN;
use super::{PARTS, Templates};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    /// It comes with the program, and the shop has replaced these of its files.
    Overridden(Vec<String>),
    /// It comes from the shop's folder only.
    Own,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// A mail of three files.
    Mail,
    /// A page behind a link.
    Page,
    /// A frame or a macro that others use.
    Part,
}

/// A mail, a page, or a part that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateEntry {
    pub kind: TemplateKind,
    /// A mail's key, a page's name, or a part's path.
    pub key: String,
    pub origin: Origin,
}

impl Templates {
    /// All mails, pages and parts.
    pub fn entries(&self) -> Vec<TemplateEntry> {
        let mails = self.keys.iter().map(|key| {
            let paths: Vec<_> = PARTS.iter().map(|part| format!("mail/{key}/{part}")).collect();
            TemplateEntry { kind: TemplateKind::Mail, key: key.clone(), origin: self.origin(&paths) }
        });
        let mut others: Vec<TemplateEntry> =
            self.environment.templates().filter_map(|(path, _)| self.other(path)).collect();
        others.sort_by(|a, b| (a.kind as u8, &a.key).cmp(&(b.kind as u8, &b.key)));
        mails.chain(others).collect()
    }

    /// A page or a part; `None` for a file of a mail.
    fn other(&self, path: &str) -> Option<TemplateEntry> {
        let of_a_mail = path
            .strip_prefix("mail/")
            .and_then(|rest| rest.rsplit_once('/'))
            .is_some_and(|(key, part)| self.has(key) && PARTS.contains(&part));
        if of_a_mail {
            return None;
        }
        let page = path.strip_prefix("pages/").and_then(|page| page.strip_suffix(".html"));
        let (kind, key) = match page {
            Some(page) if page != "base" => (TemplateKind::Page, page),
            _ => (TemplateKind::Part, path),
        };
        Some(TemplateEntry { kind, key: key.to_owned(), origin: self.origin(&[path.to_owned()]) })
    }

    fn origin(&self, paths: &[String]) -> Origin {
        let replaced: Vec<String> = paths.iter().filter(|path| self.given.contains(*path)).cloned().collect();
        let ours = paths.iter().any(|path| BUILT_IN.iter().any(|(built_in, _)| built_in == path));
        match (ours, replaced.is_empty()) {
            (true, true) => Origin::BuiltIn,
            (true, false) => Origin::Overridden(replaced),
            (false, _) => Origin::Own,
        }
    }
}
