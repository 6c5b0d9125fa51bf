//! The characters and lengths allowed in a name that a person or a mail header will show.
//!
//! Control characters could end a mail header early (and a display name with CR or LF makes lettre panic);
//! bidirectional overrides make a text read as another one. Both are refused when a request comes in, so no
//! other code has to think of them.

/// The longest product, list or campaign name, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// The longest idempotency key, delivery id or user id, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// The longest SKU, in bytes.
pub(crate) const SKU_BYTES_MAX: usize = 128;

/// Whether a text has no control character, line separator or bidirectional override.
#[must_use]
pub fn plain(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// Whether a name is plain, not blank, and at most [`NAME_CHARS_MAX`] characters long.
#[must_use]
pub fn name_fits(text: &str) -> bool {
    plain(text) && !text.trim().is_empty() && text.chars().count() <= NAME_CHARS_MAX
}

/// Whether a key is plain, not empty, and at most [`KEY_BYTES_MAX`] bytes long.
#[must_use]
pub fn key_fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= KEY_BYTES_MAX && plain(text)
}

/// The text with `\n` for every line end, so that its lines can be counted.
#[must_use]
pub fn unix_lines(text: &[u8]) -> Vec<u8> {
    let ends = |at: usize| text.get(at) == Some(&b'\r') && text.get(at + 1) == Some(&b'\n');
    text.iter().enumerate().filter(|(at, _)| !ends(*at)).map(|(_, byte)| *byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_overrides_are_not_plain() {
        for bad in ["a\nb", "a\rb", "\u{0}", "x\u{202e}y", "x\u{2066}y", "\u{85}", "a\u{2028}b"] {
            assert!(!plain(bad), "{bad:?}");
        }
        assert!(plain("Stühle für 3 €, \u{1f600}"));
    }

    #[test]
    fn names_are_bounded_in_characters_and_keys_in_bytes() {
        assert!(name_fits(&"ü".repeat(200)));
        assert!(!name_fits(&"ü".repeat(201)) && !name_fits("  ") && !name_fits(""));
        assert!(key_fits(&"k".repeat(255)));
        assert!(!key_fits(&"k".repeat(256)) && !key_fits(""));
    }
}
