//! Cached renders: a letter rendered once, with placeholders where each recipient's own two links go.
//!
//! ```text
//!  letter ──▶ key: the properties that templates read of the contact ──▶ cached render? ── yes ──▶ links filled in
//!                                     │ no                                       (microseconds)
//!                                       └──▶ rendered whole; the eighth letter of a key also makes a cached render
//! ```
//!
//! Most letters of a campaign differ only in their links. While a cached render is made, a link is an object that can be
//! written and tested for presence, and nothing else: a template that measures, cuts or changes it is detected, by the object
//! or by the comparison below. A comparison of the link with a text is not detected; no link equals a text that is known
//! beforehand. The contact is an object that records which properties are read of it: letters whose contacts agree in those
//! are the same letter.
//!
//! Invariants:
//!
//! * a cached render is used only after it produced exactly what rendering whole produces for the recipient it was made for;
//! * a campaign whose templates do more with a link than write it, or read a contact as a whole, has no cached renders;
//! * memory is bounded: [`STENCILS_MAX`] letters and [`KEYS_MAX`] keys per campaign.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{AutoEscape, Error, Output, State, Value};
use parking_lot::Mutex;

use super::{RecipientValues, Rendered, filters};

/// The letter of a key that also makes a cached render: a campaign of three letters needs none.
const CUT_AT: u8 = 8;
const STENCILS_MAX: usize = 256;
const KEYS_MAX: usize = 4_096;
/// The characters that stand for a link in the rendered text: noncharacters, which no text uses. The first two are escaped
/// for HTML, the others written as they are.
const MARKS: [char; 4] = ['\u{fdd0}', '\u{fdd1}', '\u{fdd2}', '\u{fdd3}'];

/// A link while a cached render is made.
#[derive(Debug)]
pub(super) struct Placeholder {
    /// 0: the link that unsubscribes; 1: the link to the preference page.
    which: usize,
    /// Set when a template does more with the link than write it or test for it.
    touched: Arc<AtomicBool>,
}

impl Placeholder {
    /// Writes the placeholder's character.
    pub(super) fn write(&self, out: &mut Output<'_>, state: &State<'_, '_>) -> Result<(), Error> {
        let plain = if matches!(state.auto_escape(), AutoEscape::Html) { 0 } else { 2 };
        Ok(out.write_str(MARKS[self.which + plain].encode_utf8(&mut [0; 4]))?)
    }

    fn touch<T>(&self, answer: T) -> T {
        self.touched.store(true, Relaxed);
        answer
    }
}

impl Object for Placeholder {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        self.touch(None)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.touch(Enumerator::NonEnumerable)
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, _: &str, _: &[Value]) -> Result<Value, Error> {
        self.touch(Ok(Value::UNDEFINED))
    }

    fn render(self: &Arc<Self>, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.touch(Ok(()))
    }
}

/// A contact while a cached render is made.
#[derive(Debug)]
struct Watched {
    contact: Value,
    read: Mutex<BTreeSet<String>>,
    /// Set when a template reads the contact as a whole.
    whole: AtomicBool,
}

impl Object for Watched {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(name) => self.read.lock().insert(name.to_owned()),
            None => self.whole.swap(true, Relaxed),
        };
        self.contact.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.whole.store(true, Relaxed);
        match self.contact.try_iter() {
            Ok(names) => Enumerator::Values(names.collect()),
            Err(_) => Enumerator::Empty,
        }
    }
}

/// The values that take the place of a recipient's own while a cached render is made.
pub(super) struct Recorder {
    touched: Arc<AtomicBool>,
    watched: Arc<Watched>,
}

impl Recorder {
    /// For a contact as templates see it.
    pub(super) fn new(contact: Value) -> Recorder {
        let watched = Watched { contact, read: Mutex::default(), whole: AtomicBool::new(false) };
        Recorder { touched: Arc::default(), watched: Arc::new(watched) }
    }

    /// Contact, unsubscribe link, preferences link.
    pub(super) fn values(&self) -> [Value; 3] {
        let hole = |which| Value::from_object(Placeholder { which, touched: Arc::clone(&self.touched) });
        [Value::from_dyn_object(Arc::clone(&self.watched)), hole(0), hole(1)]
    }
}

#[derive(Debug)]
enum Piece {
    Words(String),
    Link { which: usize, escaped: bool },
}

#[derive(Debug)]
pub(super) struct CachedRender {
    subject: String,
    text: Vec<Piece>,
    html: Vec<Piece>,
}

impl CachedRender {
    /// The letter for one recipient.
    pub(super) fn fill(&self, own: RecipientValues<'_>) -> Rendered {
        let links = [own.unsubscribe_url, own.preferences_url];
        let filled = |pieces: &[Piece]| {
            let room = |piece: &Piece| match piece {
                Piece::Words(words) => words.len(),
                Piece::Link { which, .. } => links[*which].len() + 16,
            };
            let mut text = String::with_capacity(pieces.iter().map(room).sum());
            for piece in pieces {
                match piece {
                    Piece::Words(words) => text.push_str(words),
                    Piece::Link { which, escaped: false } => text.push_str(links[*which]),
                    Piece::Link { which, escaped: true } => filters::escape_into(&mut text, links[*which]),
                }
            }
            text
        };
        Rendered { subject: self.subject.clone(), text: filled(&self.text), html: filled(&self.html) }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in text.split_inclusive(MARKS) {
        let mark = part.chars().next_back().and_then(|c| MARKS.iter().position(|mark| *mark == c));
        let words = part.trim_end_matches(MARKS);
        pieces.push(Piece::Words(words.to_owned()));
        pieces.extend(mark.map(|mark| Piece::Link { which: mark % 2, escaped: mark < 2 }));
    }
    pieces
}

#[derive(Debug, Default)]
pub(super) struct RenderCache(Mutex<CacheState>);

#[derive(Debug, Default)]
struct CacheState {
    /// The properties that templates were seen to read, sorted.
    read: Vec<String>,
    cut: HashMap<String, Arc<CachedRender>>,
    /// How many letters each key without a cached render has had.
    seen: HashMap<String, u8>,
    /// Set when the templates allow no cached renders.
    never: bool,
}

/// How a letter is to be rendered.
pub(super) enum CacheLookup {
    /// By filling in its links here.
    Stencil(Arc<CachedRender>),
    /// Whole.
    Nothing,
    /// Whole, and a cached render is to be made of it.
    Due,
}

impl RenderCache {
    /// Looks up the cached render for a contact.
    pub(super) fn find(&self, contact: &[(String, String)]) -> CacheLookup {
        let mut held = self.0.lock();
        if held.never {
            return CacheLookup::Nothing;
        }
        let key = held.key(contact);
        if let Some(cached) = held.cut.get(&key) {
            return CacheLookup::Stencil(Arc::clone(cached));
        }
        if held.cut.len() >= STENCILS_MAX {
            return CacheLookup::Nothing;
        }
        if held.seen.len() >= KEYS_MAX {
            held.seen.clear();
        }
        let times = held.seen.entry(key).or_default();
        *times = times.saturating_add(1);
        if *times == CUT_AT { CacheLookup::Due } else { CacheLookup::Nothing }
    }

    /// Keeps what the templates produced with a [`Recorder`], if it makes the same letter for this recipient.
    pub(super) fn keep(
        &self,
        cutter: &Recorder,
        marked: Option<Rendered>,
        own: RecipientValues<'_>,
        whole: &Rendered,
    ) {
        let mut held = self.0.lock();
        let free = !cutter.touched.load(Relaxed) && !cutter.watched.whole.load(Relaxed);
        let cached = marked.filter(|_| free).map(|marked| CachedRender {
            text: pieces(&marked.text),
            html: pieces(&marked.html),
            subject: marked.subject,
        });
        match cached.filter(|cached| cached.fill(own) == *whole) {
            Some(cached) => {
                let mut read: BTreeSet<String> = held.read.drain(..).collect();
                let before = read.len();
                read.extend(cutter.watched.read.lock().iter().cloned());
                if read.len() > before {
                    held.cut.clear();
                    held.seen.clear();
                }
                held.read = read.into_iter().collect();
                let key = held.key(own.contact);
                held.seen.remove(&key);
                held.cut.insert(key, Arc::new(cached));
            }
            None => *held = CacheState { never: true, ..CacheState::default() },
        }
    }
}

impl CacheState {
    /// The values that templates read of a contact, as JSON; a missing property differs from one that is null.
    fn key(&self, contact: &[(String, String)]) -> String {
        let mut key = String::new();
        for name in &self.read {
            match contact.iter().find(|(held, _)| held == name) {
                Some((_, value)) => key.push_str(value),
                None => key.push('-'),
            }
            // A character that JSON does not contain.
            key.push('\0');
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::super::Templates;
    use super::*;

    const KEY: &str = "ecommerce/back-in-stock";

    fn letter(templates: &Templates, common: &super::super::PreparedCampaign, name: &str) {
        let contact =
            [("firstName".to_owned(), format!("\"{name}\"")), ("age".to_owned(), name.len().to_string())];
        let own = RecipientValues {
            contact: &contact,
            unsubscribe_url: "https://shop.example/u",
            preferences_url: "https://shop.example/p",
        };
        templates.letter(common, own).unwrap();
    }

    #[test]
    fn the_ninth_letter_of_a_name_comes_from_a_stencil_and_other_properties_do_not_matter() {
        let templates = Templates::built_in();
        let common = templates.prepare(KEY, &serde_json::json!({})).unwrap();
        for _ in 0..CUT_AT {
            letter(&templates, &common, "Ann");
        }
        let contact = [("firstName".to_owned(), "\"Ann\"".to_owned())];
        assert!(matches!(common.cache.find(&contact), CacheLookup::Stencil(_)));
        assert!(matches!(common.cache.find(&[]), CacheLookup::Nothing));
        // The second name is read only where there is no first.
        assert_eq!(common.cache.0.lock().read, ["firstName"]);
        for _ in 0..CUT_AT {
            templates
                .letter(
                    &common,
                    RecipientValues {
                        contact: &[],
                        unsubscribe_url: "https://a.b/u",
                        preferences_url: "https://a.b/p",
                    },
                )
                .unwrap();
        }
        assert_eq!(common.cache.0.lock().read, ["firstName", "first_name"]);
    }

    #[test]
    fn stencils_and_names_are_bounded() {
        let templates = Templates::built_in();
        let common = templates.prepare(KEY, &serde_json::json!({})).unwrap();
        for name in 0..STENCILS_MAX + 5 {
            for _ in 0..=CUT_AT {
                letter(&templates, &common, &name.to_string());
            }
        }
        assert_eq!(common.cache.0.lock().cut.len(), STENCILS_MAX);
        let common = templates.prepare(KEY, &serde_json::json!({})).unwrap();
        for _ in 0..=CUT_AT {
            letter(&templates, &common, "Ann");
        }
        for name in 0..KEYS_MAX + 9 {
            common.cache.find(&[("firstName".to_owned(), name.to_string())]);
        }
        let held = common.cache.0.lock();
        assert!(held.seen.len() <= KEYS_MAX && held.cut.len() == 1);
    }
}
