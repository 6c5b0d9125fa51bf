//! A mail server that accepts every letter, except for a minute in which it refuses one domain for sending too fast.
//!
//! ```text
//! first letter ──── CALM ────▶│◀──────────── SHUT ────────────▶│─────────▶
//!        all are accepted    │ RCPT TO @slow.example: refused │ all are accepted
//! ```
//!
//! It is as plain as such a server can be: one task per connection, PIPELINING, no TLS. It keeps no letter, only whose it
//! accepted and when, and when it refused.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The domain that is refused.
pub const SLOW: &str = "slow.example";
/// The time from the first letter's RCPT TO to the first refusal.
pub const CALM: Duration = Duration::from_secs(20);
/// How long the refusals last.
pub const SHUT: Duration = Duration::from_secs(60);

/// The way it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// With 421, and it hangs up.
    HangsUp,
    /// With 451, and the connection stays usable.
    GoesOn,
}

impl Manner {
    /// The reply.
    pub fn words(self) -> &'static str {
        match self {
            Self::HangsUp => "421 4.7.0 try again later, too fast",
            Self::GoesOn => "451 4.7.1 slow down",
        }
    }
}

/// An accepted letter or a refused RCPT TO: the time since the first letter, and whose it was.
#[derive(Debug, Clone)]
pub struct Mark {
    pub at: Duration,
    pub whose: String,
}

#[derive(Debug, Default)]
pub struct Seen {
    pub taken: Vec<Mark>,
    pub refused: Vec<Mark>,
    pub connections: usize,
}

/// The server; it ends with the runtime.
#[derive(Debug)]
pub struct Receiver {
    manner: Manner,
    begin: OnceLock<Instant>,
    seen: Mutex<Seen>,
}

impl Receiver {
    pub async fn start(manner: Manner) -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Arc::new(Self { manner, begin: OnceLock::new(), seen: Mutex::default() });
        let server = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                server.seen().connections += 1;
                let server = Arc::clone(&server);
                // Either side may hang up.
                tokio::spawn(async move { server.converse(BufReader::new(stream)).await.unwrap_or(()) });
            }
        });
        (address, receiver)
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The time since the first letter.
    pub fn age(&self) -> Duration {
        self.begin.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    fn mark(&self, whose: &str) -> Mark {
        Mark { at: self.age(), whose: whose.to_owned() }
    }

    /// Whether this recipient is refused now.
    fn refuses(&self, whose: &str) -> bool {
        let age = self.begin.get_or_init(Instant::now).elapsed();
        let shut = (CALM..CALM + SHUT).contains(&age);
        shut && whose.rsplit_once('@').is_some_and(|(_, domain)| domain == SLOW)
    }

    async fn converse(&self, mut stream: BufReader<TcpStream>) -> io::Result<()> {
        let (mut line, mut to) = (String::new(), String::new());
        stream.write_all(b"220 receiver ESMTP\r\n").await?;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let answer = match line.get(..4).unwrap_or_default() {
                "EHLO" => "250-receiver\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                "RCPT" => {
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    if self.refuses(&to) {
                        let mark = self.mark(&to);
                        self.seen().refused.push(mark);
                        to.clear();
                        stream.write_all(format!("{}\r\n", self.manner.words()).as_bytes()).await?;
                        if self.manner == Manner::HangsUp {
                            return hang_up(stream).await;
                        }
                        continue;
                    }
                    "250 2.1.5 ok\r\n"
                }
                "DATA" if to.is_empty() => "503 5.5.1 nobody to send to\r\n",
                "DATA" => {
                    stream.write_all(b"354 go ahead\r\n").await?;
                    body(&mut stream).await?;
                    let mark = self.mark(&std::mem::take(&mut to));
                    self.seen().taken.push(mark);
                    "250 2.0.0 ok\r\n"
                }
                "MAIL" | "RSET" | "NOOP" => {
                    to.clear();
                    "250 2.0.0 ok\r\n"
                }
                "QUIT" => return stream.write_all(b"221 2.0.0 bye\r\n").await,
                _ => "500 5.5.1 unknown command\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Reads a letter to its final dot.
async fn body(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = Vec::new();
    while line != b".\r\n" {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Closes its own side and reads the other's to its end: closing with unread bytes would reset the connection, and the last
/// reply might be lost.
async fn hang_up(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
