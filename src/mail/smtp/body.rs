//! A message made fit for `DATA`: line ends normalised, dots stuffed.
//!
//! Servers disagree about what ends a line. A body with a bare LF or CR around a dot may end the mail at one server
//! and not at the next, and what follows is then read as commands ("SMTP smuggling"). So every bare CR and LF
//! becomes CRLF *before* the dots are stuffed.

/// The message with CRLF line ends only, a dot before each leading dot, and CRLF at its end.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 16);
    let mut rest = message;
    while !rest.is_empty() {
        if rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::stuffed;

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
            assert_eq!(stuffed(given), expected, "{}", given.escape_ascii());
        }
    }
}
