//! What may stand in a name that a person or a header will see.
//!
//! Control characters end mail headers early (and a CR/LF display name makes lettre panic);
//! bidirectional overrides make a text read as another. Both are refused at the door, so that
//! nothing behind it has to think of them again.

/// The longest product, list or campaign name, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// The longest idempotency key, delivery id or user id, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// The longest SKU, in bytes.
pub(crate) const SKU_BYTES_MAX: usize = 128;

/// True when no character is a control, a line separator or a bidirectional override.
#[must_use]
pub fn plain(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// True for a plain, non-blank name of at most [`NAME_CHARS_MAX`] characters.
#[must_use]
pub fn name_fits(text: &str) -> bool {
    plain(text) && !text.trim().is_empty() && text.chars().count() <= NAME_CHARS_MAX
}

/// True for a plain, non-empty key of at most [`KEY_BYTES_MAX`] bytes.
#[must_use]
pub fn key_fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= KEY_BYTES_MAX && plain(text)
}

/// A text with its line ends as `\n` alone, so that its lines can be counted.
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
