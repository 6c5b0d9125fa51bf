//! An SMTP server in this process that takes every letter after a set delay.
//!
//! One thread per connection, any number of connections; they end with the process. It outlives the engines that are killed,
//! as a relay would: a letter whose final dot arrived is accepted, whether or not anybody still listens.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the sink keeps of a letter.
#[derive(Debug, Clone)]
pub struct Letter {
    pub to: String,
    pub message_id: String,
    pub subject: String,
    /// When it was accepted (in `dots`: when its final dot came).
    pub at: Instant,
}

/// The letters that the sink has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Letters whose final dot came.
    pub dots: Vec<Letter>,
    /// Letters that were answered with 250, in that order.
    pub accepted: Vec<Letter>,
    by_address: HashMap<String, Instant>,
}

impl Seen {
    /// When a letter to this address was first accepted.
    pub fn first_to(&self, address: &str) -> Option<Instant> {
        self.by_address.get(address).copied()
    }
}

#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    delay: Duration,
}

impl Sink {
    /// Starts to listen; each letter is accepted `delay` after its final dot.
    pub fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { seen: Mutex::default(), changed: Condvar::new(), delay });
        let sink = Self { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // An error means that an engine was killed in the middle of a line.
                std::thread::spawn(move || shared.serve(socket));
            }
        });
        sink
    }

    /// The transport setting that leads here.
    pub fn setting(&self) -> String {
        format!("smtp+insecure://{}", self.address)
    }

    /// Reads what was seen.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }

    /// Forgets what was seen.
    pub fn clear(&self) {
        *self.shared.seen.lock().unwrap() = Seen::default();
    }

    /// Waits until what was seen is as wanted.
    pub fn wait<T>(&self, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.shared.seen.lock().unwrap();
        loop {
            if let Some(found) = wanted(&seen) {
                return found;
            }
            let (again, timeout) = self.shared.changed.wait_timeout(seen, Duration::from_secs(60)).unwrap();
            assert!(!timeout.timed_out(), "no letter for a minute; {} so far", again.accepted.len());
            seen = again;
        }
    }

    /// Waits until this many letters were accepted, and returns the last of them.
    pub fn wait_for(&self, letters: usize) -> Letter {
        self.wait(|seen| seen.accepted.get(letters.checked_sub(1)?).cloned())
    }
}

impl Shared {
    fn serve(&self, socket: TcpStream) -> std::io::Result<()> {
        socket.set_nodelay(true)?;
        let mut out = socket.try_clone()?;
        let mut lines = BufReader::new(socket);
        out.write_all(b"220 sink ESMTP\r\n")?;
        let (mut line, mut to) = (Vec::new(), String::new());
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            let reply: &[u8] = match text.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                "RCPT" => {
                    to = text.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    b"250 2.1.5 ok\r\n"
                }
                "DATA" => {
                    out.write_all(b"354 go ahead\r\n")?;
                    let (message_id, subject) = letter(&mut lines)?;
                    let to = std::mem::take(&mut to);
                    self.take(Letter { to, message_id, subject, at: Instant::now() });
                    b"250 2.0.0 taken\r\n"
                }
                "QUIT" => return out.write_all(b"221 2.0.0 bye\r\n"),
                "HELO" | "MAIL" | "RSET" | "NOOP" => b"250 2.0.0 ok\r\n",
                _ => b"500 5.5.1 unknown command\r\n",
            };
            out.write_all(reply)?;
        }
    }

    /// Waits for the delay, then accepts the letter.
    fn take(&self, mut letter: Letter) {
        self.seen.lock().unwrap().dots.push(letter.clone());
        if !self.delay.is_zero() {
            // The sleep stands for the work of a real relay; it synchronises nothing.
            std::thread::sleep(self.delay);
        }
        letter.at = Instant::now();
        let mut seen = self.seen.lock().unwrap();
        seen.by_address.entry(letter.to.clone()).or_insert(letter.at);
        seen.accepted.push(letter);
        drop(seen);
        self.changed.notify_all();
    }
}

/// Reads a letter to its end; returns its Message-ID and subject, or an error if the connection ends first.
fn letter(lines: &mut BufReader<TcpStream>) -> std::io::Result<(String, String)> {
    let (mut line, mut message_id, mut subject) = (Vec::new(), String::new(), String::new());
    let header = |line: &[u8], name: &str, value: &mut String| {
        let length = name.len();
        if value.is_empty()
            && line.get(..length).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        {
            *value = String::from_utf8_lossy(&line[length..]).trim().to_owned();
        }
    };
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 || !line.ends_with(b"\n") {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok((message_id, subject));
        }
        header(&line, "message-id:", &mut message_id);
        header(&line, "subject:", &mut subject);
    }
}
