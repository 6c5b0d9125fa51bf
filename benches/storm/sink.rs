//! A mail server that counts: it takes every letter and remembers the Message-ID.
//!
//! It offers pipelining and answers at once, with one task per connection. A letter counts when its final dot came.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The longest line that is read; a longer one ends the connection.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) letters: u64,
    /// Letters whose Message-ID had come before.
    pub(super) twice: u64,
    /// When the first letter came.
    pub(super) first: Option<Instant>,
    /// When the last letter came.
    pub(super) last: Option<Instant>,
    ids: HashMap<u64, u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Sink {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Sink {
    /// Listens on a free port of this machine.
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sink = Self { addr: listener.local_addr()?, seen: Arc::default() };
        let seen = Arc::clone(&sink.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // An error means that an engine went away in the middle of a line.
                tokio::spawn(serve(stream, Arc::clone(&seen)));
            }
        });
        Ok(sink)
    }

    /// The transport setting that leads here.
    pub(super) fn setting(&self) -> String {
        format!("smtp+insecure://{}", self.addr)
    }

    /// Reads the counts.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock())
    }
}

async fn serve(stream: TcpStream, seen: Arc<Mutex<Seen>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(32 << 10, stream);
    stream.write_all(b"220 storm ESMTP\r\n").await?;
    let (mut line, mut out) = (Vec::new(), Vec::new());
    let (mut data, mut id) = (false, None);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 || line.len() > LINE_BYTES_MAX {
            return Ok(());
        }
        if data {
            if line == b".\r\n" {
                data = false;
                count(&seen, id.take());
                out.extend_from_slice(b"250 2.0.0 counted\r\n");
            } else if id.is_none()
                && line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"message-id:"))
            {
                id = Some(crc(&line));
            }
        } else {
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            out.extend_from_slice(match &*verb {
                b"EHLO" => b"250-storm\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n".as_slice(),
                b"DATA" => {
                    data = true;
                    b"354 go on\r\n"
                }
                b"QUIT" => b"221 bye\r\n",
                _ => b"250 2.0.0 ok\r\n",
            });
        }
        // Pipelined commands are answered together.
        if !out.is_empty() && (stream.buffer().is_empty() || data) {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
}

/// Two checksums of a line, as one number.
fn crc(line: &[u8]) -> u64 {
    let half = line.len() / 2;
    let (a, b) = line.split_at(half);
    u64::from(crc32fast::hash(a)) << 32 | u64::from(crc32fast::hash(b))
}

fn count(seen: &Mutex<Seen>, id: Option<u64>) {
    let mut seen = seen.lock();
    seen.letters += 1;
    let now = Instant::now();
    seen.first.get_or_insert(now);
    seen.last = Some(now);
    if let Some(id) = id {
        let times = seen.ids.entry(id).or_default();
        *times += 1;
        seen.twice += u64::from(*times > 1);
    }
}
