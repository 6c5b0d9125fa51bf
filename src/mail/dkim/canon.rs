//! Relaxed canonicalisation (RFC 6376, 3.4): the form in which a letter is hashed, so that changed white space does not
//! break a signature.
//!
//! ```text
//! header   Subject:  Back   in\r\n\t stock \r\n    ▶  subject:Back in stock\r\n
//! body     two  blanks \r\n\r\n\r\n                ▶  two blanks\r\n
//! ```
//!
//! Invariants: a line ends at CRLF, CR or LF, exactly as in the letter that goes over the wire (`smtp/body.rs`), so what is
//! signed is what arrives; a body is not copied, only hashed.

use sha2::{Digest, Sha256};

/// Splits a message into the fields of its head, which may be folded, and its body.
pub(super) fn split(message: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let mut end = 0;
        loop {
            let (line, after) = line(rest.get(end..).unwrap_or_default());
            if line.is_empty() && end == 0 {
                return (fields, after);
            }
            end = rest.len() - after.len();
            if !matches!(after.first(), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        fields.push(field);
        rest = after;
    }
    (fields, rest)
}

/// The name of a field, without white space around it.
pub(super) fn name(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|b| *b == b':').unwrap_or(field.len());
    field.get(..end).unwrap_or_default().trim_ascii()
}

/// Writes one field in relaxed form, with its line end.
pub(super) fn field(field: &[u8], out: &mut Vec<u8>) {
    let value = field.iter().position(|b| *b == b':').and_then(|colon| field.get(colon + 1..));
    out.extend(name(field).iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut blank = false;
    let start = out.len();
    for byte in value.unwrap_or_default() {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            blank = true;
        } else {
            if std::mem::take(&mut blank) && out.len() > start {
                out.push(b' ');
            }
            out.push(*byte);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The hash of a body in relaxed form: a run of blanks counts as one, blanks at a line's end and empty lines at the end are
/// left out.
pub(super) fn body_hash(body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut empty_lines = 0;
    let mut rest = body;
    let mut relaxed = Vec::with_capacity(128);
    while !rest.is_empty() {
        let (line, after) = line(rest);
        rest = after;
        relaxed.clear();
        let mut blank = false;
        for byte in line {
            if matches!(byte, b' ' | b'\t') {
                blank = true;
            } else {
                if std::mem::take(&mut blank) {
                    relaxed.push(b' ');
                }
                relaxed.push(*byte);
            }
        }
        if relaxed.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            hash.update(b"\r\n");
        }
        relaxed.extend_from_slice(b"\r\n");
        hash.update(&relaxed);
    }
    hash.finalize().into()
}

/// The first line without its end, and the rest.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(text.len());
    let (line, after) = text.split_at(end);
    match after {
        [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => (line, rest),
        [] => (line, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relaxed(text: &str) -> String {
        let mut out = Vec::new();
        field(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_field_is_one_line_with_single_blanks_and_a_small_name() {
        let cases = [
            ("A: X\r\n", "a:X\r\n"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"),
            ("SubJect:\t  Back \r\n  in\r\n\tstock\r\n", "subject:Back in stock\r\n"),
            ("Empty:\r\n", "empty:\r\n"),
            ("Empty: \r\n \r\n", "empty:\r\n"),
            ("Url: http://x:1", "url:http://x:1\r\n"),
        ];
        for (given, expected) in cases {
            assert_eq!(relaxed(given), expected);
        }
    }

    #[test]
    fn a_message_comes_apart_into_fields_and_body() {
        let (fields, body) = split(b"A: 1\r\n 2\r\nB: 3\r\n\r\nC: 4\r\n");
        assert_eq!(fields, [b"A: 1\r\n 2\r\n".as_slice(), b"B: 3\r\n"]);
        assert_eq!(body, b"C: 4\r\n");
        for (whole, fields) in [("", 0), ("A: 1", 1), ("A: 1\r\n", 1), ("\r\n", 0), ("A: 1\r\n\r\n", 1)] {
            let (found, body) = split(whole.as_bytes());
            assert_eq!((found.len(), body), (fields, b"".as_slice()), "{whole:?}");
        }
    }

    #[test]
    fn a_body_is_hashed_relaxed() {
        // the example of RFC 6376, 3.4.5, and what else ends or fills a line
        let same = [
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("a", "a\r\n"),
            ("a\r\n \t\r\n", "a\r\n"),
            ("", ""),
            ("\r\n\r\n", ""),
            (" \r\n", ""),
            ("\r\n\r\na\r\n", "\r\n\r\na\r\n"),
            ("a\nb\rc\r\n", "a\r\nb\r\nc\r\n"),
            ("a\n\rb", "a\r\n\r\nb\r\n"),
        ];
        for (given, relaxed) in same {
            let expected: [u8; 32] = Sha256::digest(relaxed).into();
            assert_eq!(body_hash(given.as_bytes()), expected, "{given:?}");
        }
    }
}
