//! Prepares a message for `DATA`: line ends normalised, dots stuffed.
//!
//! Servers disagree about what ends a line. A bare LF or CR around a dot may end the mail at one server and not at the next,
//! and what follows is then read as commands ("SMTP smuggling"). So every bare CR and LF becomes CRLF *before* the dots are
//! stuffed.

use memchr::memchr2;

/// Ends a letter.
pub(super) const DOT: &[u8] = b".\r\n";

/// The message with only CRLF line ends, a dot before each leading dot, and CRLF at its end; then [`DOT`].
pub(super) fn stuffed(mut message: Vec<u8>) -> Vec<u8> {
    let good = good_until(&message);
    if good < message.len() {
        let rest = message.split_off(good);
        append_stuffed(&mut message, &rest);
    }
    message.extend_from_slice(DOT);
    message
}

/// The beginning of the first line that has to be changed.
fn good_until(message: &[u8]) -> usize {
    let mut from = 0;
    while let Some(rest) = message.get(from..).filter(|rest| !rest.is_empty()) {
        let Some(end) = memchr2(b'\r', b'\n', rest) else { break };
        if rest.first() == Some(&b'.') || rest.get(end..end + 2) != Some(b"\r\n") {
            break;
        }
        from += end + 2;
    }
    from
}

fn append_stuffed(out: &mut Vec<u8>, mut rest: &[u8]) {
    out.reserve(rest.len() + rest.len() / 32 + 16);
    while !rest.is_empty() {
        if rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{DOT, stuffed};

    #[test]
    fn no_line_end_can_smuggle_a_dot() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"a", b"a\r\n"),
            (b"a\r\n", b"a\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
            (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
            (b"a\r\n.\r\nb", b"a\r\n..\r\nb\r\n"),
            (b".\r\n", b"..\r\n"),
            (b"a\n\r.b\r\r\n", b"a\r\n\r\n..b\r\n\r\n"),
            (b"a.b\n..c", b"a.b\r\n...c\r\n"),
        ];
        for (given, expected) in cases {
            let whole = stuffed(given.to_vec());
            assert_eq!(whole.strip_suffix(DOT), Some(expected), "{}", given.escape_ascii());
        }
    }
}
