//! A long vector in shared pages, which a snapshot can hold without copying a row.
//!
//! ```text
//! Pages ──▶ [Arc page 0][Arc page 1] … [Arc page n]     PAGE rows each, the last one filling
//!              ▲ shared with a snapshot: the next write to a page copies that page only
//! ```
//!
//! A clone costs one pointer a page. Rows are addressed by position (0-based) and never removed one by one;
//! [`Pages::retain`] rebuilds the pages.

use std::sync::Arc;

/// Rows in a page: few enough that the copy on a write takes microseconds.
const PAGE: usize = 64;

/// A vector of rows in copy-on-write pages.
#[derive(Debug, Clone)]
pub struct Pages<T> {
    pages: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone + PartialEq> PartialEq for Pages<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: Clone + Eq> Eq for Pages<T> {}

impl<T: Clone> Pages<T> {
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    /// The row at `at`, to be changed. Copies its page if a snapshot shares it.
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(at / PAGE)?).get_mut(at % PAGE)
    }

    /// Appends a row and returns its position.
    pub(crate) fn push(&mut self, row: T) -> usize {
        let at = self.len;
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => Arc::make_mut(page).push(row),
            // The first page of a short list takes no more room than its rows.
            None if at == 0 => self.pages.push(Arc::new(vec![row])),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(row);
                self.pages.push(Arc::new(page));
            }
        }
        self.len += 1;
        at
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The rows from position `from` on, with their positions.
    pub(crate) fn iter_from(&self, from: usize) -> impl Iterator<Item = (usize, &T)> {
        let first = from / PAGE;
        let pages = self.pages.get(first..).unwrap_or_default();
        let rows = pages.iter().flat_map(|page| page.iter());
        rows.enumerate().map(move |(i, row)| (first * PAGE + i, row)).skip(from % PAGE)
    }

    /// The position of the first row for which `before` is false; the rows must be sorted by it.
    pub(crate) fn partition_point(&self, mut before: impl FnMut(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(row) if before(row) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Keeps the rows that `keep` accepts, in order.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut kept = Self::default();
        for row in self.iter().filter(|row| keep(row)) {
            kept.push(row.clone());
        }
        *self = kept;
    }
}

impl<T: Clone> FromIterator<T> for Pages<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        let mut pages = Self::default();
        for row in rows {
            pages.push(row);
        }
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut pages: Pages<u32> = (0..1000).collect();
        let seen = pages.clone();
        if let Some(row) = pages.get_mut(500) {
            *row = 9;
        }
        pages.push(1000);
        assert_eq!(seen.get(500), Some(&500));
        assert_eq!((seen.len(), pages.len()), (1000, 1001));
        assert_eq!(pages.get(500), Some(&9));
    }

    #[test]
    fn positions_iteration_and_search_agree() {
        let pages: Pages<u32> = (0..300).map(|n| n * 2).collect();
        assert_eq!(pages.iter_from(130).next(), Some((130, &260)));
        assert_eq!(pages.iter_from(130).count(), 170);
        assert_eq!(pages.iter_from(300).count(), 0);
        assert_eq!(pages.partition_point(|n| *n < 101), 51);
        let mut odd = pages.clone();
        odd.retain(|n| n % 4 == 0);
        assert_eq!((odd.len(), odd.get(1)), (150, Some(&4)));
    }
}
