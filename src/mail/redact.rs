//! Removes addresses from a server's replies before they are recorded.
//!
//! ```text
//! the recipient, in every form servers quote it     ann@shop.example  ANN@Shop.Example  ann%40shop.example
//!                                                   ann+40shop.example (xtext)  ann=shop.example  ann (at) …
//! any other token around an @, %40 or +40           whatever is between blanks and brackets
//! the recipient's local part as a word of its own   "user ann unknown"
//!                                                                     ──▶ <address>
//! ```
//!
//! Invariants: this happens before a reply is recorded, so that no relay can bring an address into log, snapshot or answer;
//! the codes at the beginning stay; no text is longer than 512 characters.

/// Replaces an address.
const PLACEHOLDER: &str = "<address>";
pub(super) const SHOWN_CHARS_MAX: usize = 512;
/// What servers write in place of the `@`.
const ATS: [&str; 13] =
    ["@", "%40", "+40", "=40", "&#64;", "&#x40;", "(at)", "[at]", " (at) ", " [at] ", " at ", "=", "%"];
/// What makes a token look like an address.
const MARKS: [&str; 3] = ["@", "%40", "+40"];
/// A shorter local part is too likely to be an ordinary word.
const LOCAL_CHARS_MIN: usize = 3;

/// A reply about a letter to `to`, redacted and shortened.
#[must_use]
pub(super) fn redact(reply: &str, to: &str) -> String {
    let text: String = reply.chars().take(8 * SHOWN_CHARS_MAX).collect();
    if holds_nothing(&text, to) { text.chars().take(SHOWN_CHARS_MAX).collect() } else { searched(text, to) }
}

/// Whether there is certainly nothing to redact, which holds for most replies, above all the positive ones.
fn holds_nothing(text: &str, to: &str) -> bool {
    let Some((local, _)) = to.rsplit_once('@').filter(|(local, _)| !local.is_empty()) else { return false };
    let folded = lower(text);
    !MARKS.iter().any(|mark| text.contains(mark))
        && !forms(local).iter().any(|form| folded.contains(&lower(form)))
}

/// A local part as it is, as in URLs and as in xtext.
fn forms(local: &str) -> [String; 3] {
    [local.to_owned(), escaped(local, '%'), escaped(local, '+')]
}

/// A reply in which everything that is or looks like an address is replaced.
fn searched(mut text: String, to: &str) -> String {
    if let Some((local, domain)) =
        to.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
    {
        for local in forms(local) {
            for at in ATS {
                text = replaced(&text, &format!("{local}{at}{domain}"), false);
            }
        }
        text = without_addresses(&text);
        if local.chars().count() >= LOCAL_CHARS_MIN && local.chars().any(char::is_alphabetic) {
            text = replaced(&text, local, true);
        }
    }
    let text = without_addresses(&text).replace("<<address>>", PLACEHOLDER);
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// Lower case, character by character, as [`tail_after`] compares.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A local part whose special characters are written in hexadecimal after a sign, as URLs and xtext do.
fn escaped(local: &str, sign: char) -> String {
    let mut out = String::new();
    for byte in local.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("{sign}{byte:02X}"));
        }
    }
    out
}

/// Replaces `needle` in any case; with `alone` only where no letter or digit is next to it.
fn replaced(text: &str, needle: &str, alone: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let hit = tail_after(rest, needle).filter(|after| {
            let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            !alone || (free(before) && free(after.chars().next()))
        });
        match hit {
            Some(after) => {
                out.push_str(PLACEHOLDER);
                before = Some('>');
                rest = after;
            }
            None => {
                out.push(first);
                before = Some(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

/// What follows `needle` at the beginning of a text, in any case.
fn tail_after<'a>(text: &'a str, needle: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in needle.chars() {
        let found = rest.next()?;
        if found != wanted && !found.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Replaces each run of characters around an `@`, `%40` or `+40`, with the brackets around it.
pub(super) fn without_addresses(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "<>()[]{},;:\"'`|".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, from_at) = rest.split_at(at);
        let start = before
            .rfind(ends)
            .map_or(0, |i| i + before.get(i..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8));
        let end = from_at.find(ends).unwrap_or(from_at.len());
        let kept = before.get(..start).unwrap_or_default();
        out.push_str(kept.strip_suffix('<').unwrap_or(kept));
        out.push_str(PLACEHOLDER);
        let after = from_at.get(end..).unwrap_or_default();
        rest = if kept.ends_with('<') { after.strip_prefix('>').unwrap_or(after) } else { after };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_is_cut_out_in_every_form_and_the_codes_stay() {
        let cases = [
            ("550 5.1.1 <Ann.Lee@Shop.Example>: no such user", "550 5.1.1 <address>: no such user"),
            ("550 5.1.1 ann.lee%40shop.example unknown", "550 5.1.1 <address> unknown"),
            ("550 rcpt ann.lee+40shop.example", "550 rcpt <address>"),
            ("550 rcpt ann.lee=shop.example", "550 rcpt <address>"),
            ("550 ANN.LEE (at) SHOP.EXAMPLE is not here", "550 <address> is not here"),
            ("550 user ann.lee unknown", "550 user <address> unknown"),
            ("550 user ANN.LEE, unknown", "550 user <address>, unknown"),
            (
                "550 see https://x.example/?m=ann.lee%40shop.example&x=1",
                "550 see https://x.example/?m=<address>&x=1",
            ),
            ("451 4.7.1 <other@else.example> and bob%40else.example", "451 4.7.1 <address> and <address>"),
            ("250 2.0.0 Ok: queued as 4F2", "250 2.0.0 Ok: queued as 4F2"),
        ];
        for (given, expected) in cases {
            assert_eq!(redact(given, "ann.lee@shop.example"), expected);
        }
        assert_eq!(
            redact("550 <a+b=c@shop.example> a+2Bb no", "a+b=c@shop.example"),
            "550 <address> a+2Bb no"
        );
        assert_eq!(redact("550 a%2Bb%40shop.example no", "a+b@shop.example"), "550 <address> no");
        assert_eq!(redact("550 <{x|y}@shop.example> no", "{x|y}@shop.example"), "550 <address> no");
        assert_eq!(redact("550 5.1.1 user 550", "550@shop.example"), "550 5.1.1 user 550");
        assert_eq!(redact("550 no such box", "no@shop.example"), "550 no such box");
        assert_eq!(redact(&"ä".repeat(9_000), "ann@shop.example").chars().count(), SHOWN_CHARS_MAX);
    }

    #[test]
    fn a_reply_that_is_not_searched_would_have_come_out_the_same() {
        let pieces = [
            "550 ",
            "Ann",
            "ANN",
            "a+b",
            "a%2Bb",
            "a+2BB",
            "@",
            " at ",
            "=",
            "shop.example",
            "%40",
            "+40",
            "İ",
            " no ",
        ];
        let mut skipped = 0;
        for n in 0..pieces.len().pow(3) {
            let piece = |k: u32| pieces[n / pieces.len().pow(k) % pieces.len()];
            let reply = [piece(0), piece(1), piece(2)].concat();
            for to in ["ann@shop.example", "a+b@shop.example", "nobody"] {
                skipped += usize::from(holds_nothing(&reply, to));
                assert_eq!(redact(&reply, to), searched(reply.clone(), to), "{reply:?} to {to}");
            }
        }
        assert!(skipped > 500, "{skipped}");
    }

    #[test]
    fn a_word_is_no_local_part() {
        assert_eq!(
            redact("550 channel banned by Joanna", "ann@shop.example"),
            "550 channel banned by Joanna"
        );
    }
}
