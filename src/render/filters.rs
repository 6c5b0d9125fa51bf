//! How values are written into a template's output: escaping and filters.

use minijinja::{AutoEscape, Error, Output, State, Value, escape_formatter};

use super::render_cache::Placeholder;

/// Characters that fit in a headline.
const SHORT_CHARS: usize = 160;

/// Writes a value: nothing when it is missing or null; in HTML with the five special characters escaped. minijinja's own
/// escaping would also change `/`, and links should look like links to people and to programs that scan a mail's source.
pub(super) fn written(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        _ if value.is_none() || value.is_undefined() => Ok(()),
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            Ok(escape(text, |part| out.write_str(part))?)
        }
        None if let Some(hole) = value.downcast_object_ref::<Placeholder>() => hole.write(out, state),
        _ => escape_formatter(out, state, value),
    }
}

/// Appends a text with the five special characters escaped.
pub(super) fn escape_into(out: &mut String, text: &str) {
    // Writing into a string does not fail.
    let _ = escape(text, |part| {
        out.push_str(part);
        Ok::<(), std::convert::Infallible>(())
    });
}

fn escape<E>(text: &str, mut write: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut rest = text;
    while let Some(i) = rest.find(['&', '<', '>', '"', '\'']) {
        let (plain, from) = rest.split_at(i);
        let mut chars = from.chars();
        let entity = match chars.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            _ => "&#39;",
        };
        write(plain)?;
        write(entity)?;
        rest = chars.as_str();
    }
    write(rest)
}

/// The filter `safe_url`: keeps an http or https URL and turns anything else into nothing, so that no `javascript:` and no
/// look-alike (`https://shop.example@evil.example`) gets into an `href`. The result is still escaped.
pub(super) fn safe_url(value: &Value) -> Value {
    if value.downcast_object_ref::<Placeholder>().is_some() {
        return value.clone();
    }
    Value::from(checked_url(value.as_str().unwrap_or_default().trim()))
}

fn checked_url(url: &str) -> String {
    let scheme_end = match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") => {
            scheme.len() + 3
        }
        _ => return String::new(),
    };
    let rest = url.get(scheme_end..).unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bad = |c: char| unseen(c) || c.is_control() || c.is_whitespace() || "<>\"'\\`{}|^".contains(c);
    if host.is_empty() || host.starts_with(':') || host.contains('@') || url.contains(bad) {
        return String::new();
    }
    url.to_owned()
}

/// The filter `one_line`, for a value of any kind.
pub(super) fn on_one_line(value: &Value) -> String {
    match value.as_str() {
        Some(text) => one_line(text),
        None if value.is_none() || value.is_undefined() => String::new(),
        None => one_line(&value.to_string()),
    }
}

/// The filter `short(most)`: one line of at most so many characters, 160 by default. A name that a stranger chose can
/// neither fill a mail nor break its lines.
pub(super) fn short(value: &Value, most: Option<usize>) -> String {
    let (mut text, most) = (on_one_line(value), most.unwrap_or(SHORT_CHARS));
    if let Some((end, _)) = text.char_indices().nth(most) {
        let last = text[..end].char_indices().next_back().map_or(0, |(last, _)| last);
        text.truncate(last);
        text.push('…');
    }
    text
}

/// Whether a character is invisible and changes the direction of the text after it.
fn unseen(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Puts a text on one line: control characters, line separators and direction marks are removed, runs of space become one.
pub(super) fn one_line(value: &str) -> String {
    let spaced = |c: char| if c.is_control() || c.is_whitespace() { ' ' } else { c };
    let clean: String = value.chars().filter(|c| !unseen(*c)).map(spaced).collect();
    clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::{checked_url, one_line, short};

    #[test]
    fn only_web_addresses_pass() {
        for good in [
            "https://shop.example/a?b=c#d",
            "HTTP://shop.example",
            "https://[::1]:8080/x",
            "https://ü.example/é",
        ] {
            assert_eq!(checked_url(good), good);
        }
        let bad = [
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "https:evil",
            "https://",
            "https:///x",
            "https://a@evil.example",
            "https://a b",
            "https://a\"onload=x",
            "java\nscript://x",
            "https://:80/",
            "mailto:a@b.example",
            "https://a\\@b",
            "https://a.example/\u{202e}gpj.exe",
        ];
        for bad in bad {
            assert_eq!(checked_url(bad), "", "{bad}");
        }
    }

    #[test]
    fn short_is_short_and_takes_anything() {
        let short = |value: Value, most| short(&value, most);
        assert_eq!(short(Value::from("Stühle\nfür 3"), Some(20)), "Stühle für 3");
        assert_eq!(short(Value::from("äöü"), Some(3)), "äöü");
        assert_eq!(short(Value::from("äöüß"), Some(3)), "äö…");
        assert_eq!(short(Value::from("ab"), Some(0)), "…");
        assert_eq!(short(Value::from("x".repeat(10_000)), None).chars().count(), 160);
        assert_eq!(short(Value::from(7), None), "7");
        assert_eq!(short(Value::UNDEFINED, None) + &short(Value::from(()), None), "");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line("  a\r\nBcc: b@c\u{2028}d\t\0e\u{202e} "), "a Bcc: b@c d e");
    }
}
