//! What was said of products, and the law about it: the stock and the name that a list tells are those it heard last.
//!
//! A word is said between the moment it was asked and the moment it was answered; one that was never answered may have
//! been said at any time since, or not at all. So a list may tell a word unless another one was surely said behind it.

use std::collections::BTreeSet;

use restockd_engine::api::RestockAnswer;

use crate::clients::{Told, Wish};

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Stock(i64),
    Name(String),
}

/// One word about one product.
#[derive(Debug)]
struct Word {
    sku: usize,
    said: Said,
    asked: u64,
    /// When it was answered, at the latest said.
    answered: Option<u64>,
    /// Answered in a way that leaves no doubt that it was taken in.
    sure: bool,
    /// The list was there when it was asked.
    known: bool,
}

/// All that was said.
#[derive(Debug, Default)]
pub struct Words {
    words: Vec<Word>,
    /// Lists that are surely there.
    known: BTreeSet<usize>,
    now: u64,
}

/// Units that a restock speaks of.
pub fn quantity_said(delivery: u64) -> Option<i64> {
    let units = i64::try_from(delivery).unwrap();
    match delivery % 8 {
        0 | 4 => None,
        5 => Some(-units),
        _ => Some(units),
    }
}

/// The product's name that a restock gives.
pub fn name_said(delivery: u64) -> Option<String> {
    delivery.is_multiple_of(3).then(|| format!("n{delivery}"))
}

/// A restock of nothing.
pub fn is_sold_out(delivery: u64) -> bool {
    quantity_said(delivery).is_some_and(|units| units <= 0)
}

impl Words {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// A request is sent; answers which words it brings.
    pub fn says(&mut self, wish: &Wish) -> Vec<usize> {
        let (sku, stock, name) = match wish {
            Wish::Restock { sku, delivery, .. } => (*sku, quantity_said(*delivery), name_said(*delivery)),
            Wish::Change { bag, key, .. } => (bag[0].0, None, key.and_then(name_said)),
            _ => return Vec::new(),
        };
        let asked = self.tick();
        let known = self.known.contains(&sku);
        let first = self.words.len();
        for said in [stock.map(Said::Stock), name.map(Said::Name)].into_iter().flatten() {
            self.words.push(Word { sku, said, asked, answered: None, sure: false, known });
        }
        (first..self.words.len()).collect()
    }

    /// A request was answered; `once`: it was sent no more than once.
    pub fn heard(&mut self, words: &[usize], wish: &Wish, told: &Told, once: bool) {
        let answered = self.tick();
        let taken_in = match told {
            Told::Event(answer) => answer.stored && answer.lists_error.is_none() && once,
            Told::Restock(_) => true,
            _ => false,
        };
        let repeated = matches!(told, Told::Restock(RestockAnswer::Duplicate { .. }));
        // Neither a sold out product nor somebody who leaves makes a list.
        let (sku, makes) = match wish {
            Wish::Restock { sku, delivery, .. } => (*sku, !is_sold_out(*delivery)),
            Wish::Change { bag, .. } => bag[0],
            _ => return,
        };
        for at in words {
            let word = &mut self.words[*at];
            word.answered = Some(answered);
            // A delivery that was counted before says its name again and counts nothing.
            let counts = !repeated || matches!(word.said, Said::Name(_));
            word.sure = taken_in && counts && (makes || word.known);
        }
        if taken_in && makes {
            self.known.insert(sku);
        }
    }

    /// What a list tells is what it surely heard last, or something that may have been said since.
    pub fn judge(&self, seed: u64, sku: usize, stock: Option<i64>, name: Option<&str>) {
        let is_stock = |said: &Said| matches!(said, Said::Stock(_));
        let told = stock.map(Said::Stock);
        assert!(
            self.fits(sku, told.as_ref(), is_stock),
            "seed {seed}: {sku} tells {stock:?}: {:?}",
            self.of(sku)
        );
        let told = name.map(|name| Said::Name(name.to_owned()));
        let is_name = |said: &Said| !is_stock(said);
        assert!(
            self.fits(sku, told.as_ref(), is_name),
            "seed {seed}: {sku} tells {name:?}: {:?}",
            self.of(sku)
        );
    }

    fn fits(&self, sku: usize, told: Option<&Said>, kind: impl Fn(&Said) -> bool) -> bool {
        let last = self.words.iter().filter(|word| word.sku == sku && word.sure && kind(&word.said));
        let last = last.map(|word| word.asked).max().unwrap_or(0);
        let Some(told) = told else { return last == 0 };
        let mut same = self.words.iter().filter(|word| word.sku == sku && word.said == *told);
        same.any(|word| word.answered.is_none_or(|answered| answered > last))
    }

    fn of(&self, sku: usize) -> Vec<&Word> {
        self.words.iter().filter(|word| word.sku == sku).collect()
    }
}
