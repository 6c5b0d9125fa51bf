//! Evidence of consent: which wording was shown when somebody asked for a list, with whose key and from
//! where.
//!
//! ```text
//! consent_records  [row 0 | row 1 | …]   one row for each person, list and way in; the newest stays
//!                    ▲ before ──┘      each row names the person's row before it
//! last             person ──▶ newest row      derived
//! words            ["v3" | "https://…" | …]   each text once: a shop has few wordings and keys
//! ```
//!
//! A row is kept only if evidence was given; otherwise time and way of joining are in the list's own row.
//! Erasure empties the rows. The texts are the shop's own, never a person's, and stay.

use std::collections::BTreeMap;

use super::super::ids::PersonId;
use super::super::index::Index;
use super::super::list::ChangeSource;
use super::super::pages::Pages;
use super::super::time::Millis;

/// The longest name of a wording, in characters.
pub const WORDING_CHARS_MAX: usize = 100;
/// The longest URL of a wording, in bytes.
pub const WORDING_URL_BYTES_MAX: usize = 500;

/// How somebody asked for a list. An empty text means that it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentEvidence {
    /// The public id of the API key.
    pub key: String,
    /// The client's IP address, shortened as the settings say.
    pub source: String,
    /// The version of the wording that was shown.
    pub wording: String,
    /// The page on which it was shown.
    pub url: String,
}

/// One row of evidence, as it is kept in memory and in snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRecord {
    /// The person's number; 0 for a row that was emptied.
    pub person: u32,
    /// The list's number.
    pub list: u32,
    /// The person's row before this one, plus one; 0 if there is none.
    pub before: u32,
    pub how: ChangeSource,
    pub at: Millis,
    /// The client's IP address, shortened as the settings say.
    pub source: Box<str>,
    /// The numbers of the texts for key, wording and page; 0 for none.
    pub words: [u32; 3],
}

/// One row of evidence with its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// The list's number.
    pub list: u32,
    pub how: ChangeSource,
    pub at: Millis,
    pub evidence: ConsentEvidence,
}

/// All evidence of consent.
#[derive(Debug, Clone)]
pub struct ConsentRecords {
    rows: Pages<ConsentRecord>,
    words: Pages<Box<str>>,
    /// From text to its number. Derived.
    numbers: Index,
    /// From person to their newest row. Derived.
    last: BTreeMap<u32, u32>,
}

impl ConsentRecords {
    /// No evidence yet; `seed` makes the hashes of the index unpredictable.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rows: Pages::default(),
            words: Pages::default(),
            numbers: Index::new(seed),
            last: BTreeMap::new(),
        }
    }

    /// Keeps how somebody asked for a list; of each person, list and way in only the newest stays.
    pub(super) fn note(
        &mut self,
        person: PersonId,
        list: u32,
        how: ChangeSource,
        at: Millis,
        evidence: &ConsentEvidence,
    ) {
        let words = [&evidence.key, &evidence.wording, &evidence.url].map(|word| self.word(word));
        let source = evidence.source.as_str().into();
        let found = self.chain(person.0).find(|(_, row)| row.list == list && row.how == how);
        if let Some((at_row, before)) = found.map(|(at, row)| (at, row.before)) {
            if let Some(row) = self.rows.get_mut(at_row as usize) {
                *row = ConsentRecord { person: person.0, list, before, how, at, source, words };
            }
            return;
        }
        let before = self.last.get(&person.0).map_or(0, |row| row + 1);
        let row = self.rows.push(ConsentRecord { person: person.0, list, before, how, at, source, words });
        self.last.insert(person.0, row as u32);
    }

    /// A person's evidence, the newest row first.
    pub(super) fn of(&self, person: PersonId) -> impl Iterator<Item = ConsentView> + '_ {
        self.chain(person.0).map(|(_, row)| {
            let word = |at: usize| {
                let number = row.words.get(at).copied().unwrap_or_default() as usize;
                number.checked_sub(1).and_then(|at| self.words.get(at)).map(|w| w.to_string())
            };
            let [key, wording, url] = [0, 1, 2].map(|at| word(at).unwrap_or_default());
            let evidence = ConsentEvidence { key, source: row.source.to_string(), wording, url };
            ConsentView { list: row.list, how: row.how, at: row.at, evidence }
        })
    }

    /// Empties all rows of a person.
    pub(super) fn erase(&mut self, person: PersonId) {
        let rows: Vec<u32> = self.chain(person.0).map(|(at, _)| at).collect();
        for at in rows {
            if let Some(row) = self.rows.get_mut(at as usize) {
                let (how, source) = (ChangeSource::Erasure, "".into());
                *row = ConsentRecord {
                    person: 0,
                    list: 0,
                    before: 0,
                    how,
                    at: Millis(0),
                    source,
                    words: [0; 3],
                };
            }
        }
        self.last.remove(&person.0);
    }

    /// After a merge, the rows of `from` are rows of `to`.
    pub(super) fn merge(&mut self, from: PersonId, to: PersonId) {
        let moved: Vec<u32> = self.chain(from.0).map(|(at, _)| at).collect();
        let Some(first) = self.last.remove(&from.0) else { return };
        let under = self.last.insert(to.0, first).map_or(0, |row| row + 1);
        for at in &moved {
            if let Some(row) = self.rows.get_mut(*at as usize) {
                row.person = to.0;
                if row.before == 0 {
                    row.before = under;
                }
            }
        }
    }

    /// Rows and texts, for a snapshot.
    pub(super) fn parts(&self) -> (Pages<ConsentRecord>, Pages<Box<str>>) {
        (self.rows.clone(), self.words.clone())
    }

    /// Takes texts back from a snapshot, in the order of their numbers from `first`.
    pub(super) fn restore_words(&mut self, first: u32, words: Vec<Box<str>>) -> Result<(), String> {
        if first as usize != self.words.len() {
            return Err(format!("word page {first} came after {} words", self.words.len()));
        }
        words.into_iter().for_each(|word| _ = self.add_word(word));
        Ok(())
    }

    /// Takes rows back from a snapshot, in order from `first`.
    pub(super) fn restore_rows(&mut self, first: u32, rows: Vec<ConsentRecord>) -> Result<(), String> {
        if first as usize != self.rows.len() {
            return Err(format!("evidence page {first} came after {} rows", self.rows.len()));
        }
        rows.into_iter().for_each(|row| _ = self.rows.push(row));
        Ok(())
    }

    /// Derives each person's newest row: the one that none of their other rows names.
    pub(super) fn restored(&mut self) {
        let named: std::collections::BTreeSet<u32> =
            self.rows.iter().filter_map(|row| row.before.checked_sub(1)).collect();
        let newest = (0..).zip(self.rows.iter()).filter(|(at, row)| row.person > 0 && !named.contains(at));
        self.last = newest.map(|(at, row)| (row.person, at)).collect();
    }

    /// A person's rows, the newest first.
    fn chain(&self, person: u32) -> impl Iterator<Item = (u32, &ConsentRecord)> {
        let mut next = self.last.get(&person).copied();
        // The steps are bounded by the number of rows, should damaged rows ever name each other in a circle.
        (0..self.rows.len()).map_while(move |_| {
            let at = next?;
            let row = self.rows.get(at as usize).filter(|row| row.person == person)?;
            next = row.before.checked_sub(1);
            Some((at, row))
        })
    }

    /// The number of a text, from 1; 0 for an empty one. A new text gets the next number.
    fn word(&mut self, word: &str) -> u32 {
        if word.is_empty() {
            return 0;
        }
        let is = |number: u32| self.words.get(number as usize).is_some_and(|text| &**text == word);
        let found = self.numbers.find(word, is);
        found.unwrap_or_else(|| self.add_word(word.into())) + 1
    }

    /// Gives a text the next number.
    fn add_word(&mut self, word: Box<str>) -> u32 {
        let number = self.words.len() as u32;
        let words = &self.words;
        self.numbers.insert(&*word, number, |n, h| h.of(words.get(n as usize).map_or("", |w| w)));
        self.words.push(word);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(wording: &str) -> ConsentEvidence {
        ConsentEvidence {
            key: "k1".into(),
            source: "203.0.113.0".into(),
            wording: wording.into(),
            url: String::new(),
        }
    }

    fn wordings(consent_records: &ConsentRecords, person: u32) -> Vec<(u32, String)> {
        consent_records.of(PersonId(person)).map(|proof| (proof.list, proof.evidence.wording)).collect()
    }

    #[test]
    fn the_newest_of_each_list_and_way_in_is_kept_and_goes_with_its_person() {
        let mut consent_records = ConsentRecords::new(1);
        let mut note = |person, list, how, wording: &str| {
            consent_records.note(PersonId(person), list, how, Millis(5), &evidence(wording));
        };
        note(1, 0, ChangeSource::Event, "v1");
        note(2, 0, ChangeSource::Event, "v1");
        note(1, 1, ChangeSource::Event, "v2");
        note(1, 0, ChangeSource::Event, "v3");
        note(1, 0, ChangeSource::Link, "v3");
        let of = |wording: &str, list| (list, wording.to_owned());
        assert_eq!(wordings(&consent_records, 1), [of("v3", 0), of("v2", 1), of("v3", 0)]);
        assert_eq!(consent_records.words.len(), 4, "each word once: the key and three wordings");
        consent_records.merge(PersonId(2), PersonId(1));
        assert_eq!(wordings(&consent_records, 1).len(), 4);
        assert_eq!(wordings(&consent_records, 2), []);
        let before = wordings(&consent_records, 1);
        consent_records.restored();
        assert_eq!(wordings(&consent_records, 1), before);
        consent_records.erase(PersonId(1));
        assert_eq!(wordings(&consent_records, 1), []);
        assert!(consent_records.rows.iter().all(|row| row.person == 0 && row.source.is_empty()));
    }

    #[test]
    fn merging_somebody_of_whom_nothing_is_known_changes_nothing() {
        let mut consent_records = ConsentRecords::new(1);
        consent_records.merge(PersonId(2), PersonId(1));
        consent_records.note(PersonId(1), 0, ChangeSource::Event, Millis(1), &evidence("v1"));
        consent_records.merge(PersonId(3), PersonId(1));
        assert_eq!(wordings(&consent_records, 1).len(), 1);
        consent_records.merge(PersonId(1), PersonId(4));
        assert_eq!((wordings(&consent_records, 1).len(), wordings(&consent_records, 4).len()), (0, 1));
    }
}
