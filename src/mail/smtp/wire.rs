//! The stream under the SMTP conversation: plain or TLS, replies of bounded size, every wait with a deadline.
//!
//! Bounds: a reply line has at most 1,000 bytes, a reply at most 100 lines, and the whole reply one deadline, so neither an
//! endless line nor a server that sends single bytes can hold up a courier. A reply is read strictly: three digits, the same
//! on each line, then a space, a hyphen or the end of the line.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::reply::Reply;

const LINE_BYTES_MAX: usize = 1_000;
const LINES_MAX: usize = 100;
const READ_BUFFER_BYTES: usize = 4_096;

/// A stream under a connection: TCP, TLS or a test's.
pub(in super::super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why no reply was read or no bytes were written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the server closed the connection")]
    Closed,
    #[error("the connection was lost ({0})")]
    Lost(io::ErrorKind),
    #[error("the server did not answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("the server answered something that is not SMTP: {0}")]
    Garbled(&'static str),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> WireError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => WireError::Closed,
            kind => WireError::Lost(kind),
        }
    }
}

pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    /// True over plain TCP: exactly the bytes that a write reports have left, and a failed write took none.
    exact: bool,
}

impl Wire {
    pub(super) fn plain(stream: Box<dyn Stream>) -> Wire {
        Wire { stream: BufReader::with_capacity(READ_BUFFER_BYTES, stream), exact: true }
    }

    /// A stream over TLS, which buffers bytes itself.
    pub(super) fn protected(stream: Box<dyn Stream>) -> Wire {
        Wire { exact: false, ..Wire::plain(stream) }
    }

    /// Returns the stream, to set up TLS on it. Fails when bytes were received already: they came in clear and would be taken
    /// for protected ones.
    pub(super) fn into_inner(self) -> Result<Box<dyn Stream>, WireError> {
        if self.stream.buffer().is_empty() {
            return Ok(self.stream.into_inner());
        }
        Err(WireError::Garbled("it spoke on before TLS was up"))
    }

    /// Writes and flushes.
    pub(super) async fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), WireError> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        Ok(timeout(limit, write).await.map_err(|_| WireError::Silent(limit))??)
    }

    /// Writes what the system takes in one call, where it can be known how much that is; returns the number of bytes.
    pub(super) async fn send_some(&mut self, bytes: &[u8], limit: Duration) -> Result<usize, WireError> {
        if !self.exact {
            return Ok(0);
        }
        Ok(timeout(limit, self.stream.write(bytes)).await.map_err(|_| WireError::Silent(limit))??)
    }

    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, WireError> {
        timeout(limit, self.read_reply()).await.map_err(|_| WireError::Silent(limit))?
    }

    /// Sends a command line and reads the reply.
    pub(super) async fn ask(&mut self, line: &str, limit: Duration) -> Result<Reply, WireError> {
        self.send(format!("{line}\r\n").as_bytes(), limit).await?;
        self.reply(limit).await
    }

    /// Whether the server has neither hung up nor spoken, as far as this side knows. Does not wait.
    pub(super) async fn is_quiet(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_fill_buf(cx).is_pending())).await
    }

    async fn read_reply(&mut self) -> Result<Reply, WireError> {
        let mut reply: Option<Reply> = None;
        for _ in 0..LINES_MAX {
            let line = self.read_line().await?;
            let (code, last, text) = parse_line(&line)?;
            let reply = reply.get_or_insert(Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(WireError::Garbled("the code changes within one reply"));
            }
            reply.lines.push(text);
            if last {
                return Ok(Reply { code, lines: std::mem::take(&mut reply.lines) });
            }
        }
        Err(WireError::Garbled("the reply has more than 100 lines"))
    }

    async fn read_line(&mut self) -> Result<Vec<u8>, WireError> {
        let mut line = Vec::with_capacity(80);
        loop {
            let buffer = self.stream.fill_buf().await?;
            if buffer.is_empty() {
                return Err(WireError::Closed);
            }
            let end = buffer.iter().position(|b| *b == b'\n');
            let taken = end.map_or(buffer.len(), |i| i + 1);
            line.extend_from_slice(buffer.get(..taken).unwrap_or_default());
            self.stream.consume(taken);
            if line.len() > LINE_BYTES_MAX {
                return Err(WireError::Garbled("a line of the reply has more than 1000 bytes"));
            }
            if end.is_some() {
                return Ok(line);
            }
        }
    }
}

/// The code, whether this is the last line, and the text.
fn parse_line(line: &[u8]) -> Result<(u16, bool, String), WireError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return Err(WireError::Garbled("a line of the reply has no code"));
    };
    let code = [a, b, c].into_iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let (last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return Err(WireError::Garbled("no space follows the code of the reply")),
    };
    Ok((code, last, String::from_utf8_lossy(text).trim_end().to_owned()))
}
