//! Spans of time as people write them: `250ms`, `60s`, `5m`, `12h`, `2d` or `0`; at most 400 days.

use std::fmt;

/// The units, the longest first, each in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// The longest span, in milliseconds.
const MS_MAX: u64 = 400 * 86_400_000;

/// A span of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Span {
    /// Reads a whole number with its unit; `None` if it is no span, or too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "0" {
            return Some(Self(0));
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let span = number.parse::<u64>().ok()?.checked_mul(*ms)?;
        (span <= MS_MAX).then_some(Self(span))
    }

    /// Reads the maximum age of a letter, which is a span but not zero.
    #[must_use]
    pub fn age(text: &str) -> Option<Self> {
        Self::parse(text).filter(|age| age.0 > 0)
    }
}

/// A whole number of the longest unit that gives it exactly.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, ms)| self.0 > 0 && self.0.is_multiple_of(*ms)) {
            Some((unit, ms)) => write!(f, "{}{unit}", self.0 / ms),
            None => f.write_str("0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_is_written_and_nonsense_is_none() {
        for text in ["250ms", "90s", "5m", "36h", "400d", "0"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse(" 240m ").unwrap().to_string(), "4h");
        for text in ["", "4", "h", "4 h", "-4h", "4.5h", "4hours", "401d", "99999999999999999999d", "4h\n0"] {
            assert_eq!(Span::parse(text), None, "{text:?}");
        }
        assert_eq!((Span::age("0"), Span::age("0s"), Span::age("1ms")), (None, None, Some(Span(1))));
    }
}
