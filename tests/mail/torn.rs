//! P6 where a letter and its dot leave in one write: what the system took of it decides what a lost connection means.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use restockd_mail::MailOptions;
use restockd_mail::fuzzing::converse;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::fixture::{course, letter};

/// A server that says yes to everything, until the connection breaks within a letter.
struct Torn {
    said: VecDeque<u8>,
    /// Bytes at the letter's end that are not taken.
    short: usize,
    broken: bool,
}

impl AsyncRead for Torn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.said.is_empty() && !self.broken {
            return Poll::Pending;
        }
        let count = self.said.len().min(into.remaining());
        into.put_slice(&self.said.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Torn {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let answer: &[u8] = match bytes.get(..4).unwrap_or_default() {
            _ if self.broken => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            b"EHLO" | b"MAIL" | b"RCPT" => b"250 ok\r\n",
            b"DATA" => b"354 go\r\n",
            _ => {
                self.broken = true;
                return Poll::Ready(Ok(bytes.len() - self.short));
            }
        };
        self.said.extend(answer);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_connection_lost_before_the_dot_delays_and_from_its_first_byte_on_it_is_doubt() {
    let cases = [
        (0, "unknown at data"),
        (1, "unknown at data"),
        (2, "unknown at data"),
        (3, "deferred at data"),
        (4, "deferred at data"),
        (300, "deferred at data"),
    ];
    for (short, expected) in cases {
        let server = Torn { said: b"220 hello\r\n".iter().copied().collect(), short, broken: false };
        let setting = "smtp+insecure://127.0.0.1:2525";
        let outcomes = converse(setting, MailOptions::default(), server, &[letter(1)]).await.unwrap();
        assert_eq!(
            outcomes.iter().map(course).collect::<Vec<_>>(),
            [expected],
            "{short} bytes were not taken"
        );
    }
}
