//! A real SMTP server on a loopback port that does what a test tells it to, phase by phase.
//!
//! ```text
//!  Server::start().await            takes every letter
//!  server.script([...])             one plan per connection, in order; then the default plan
//!  Plan::default().at(Phase::Rcpt, Act::Say("550 5.1.1 no such user"))
//! ```
//!
//! A plan's acts are used up: `at` twice for one phase means the first and the second time that it is reached. What the
//! server has seen is in `letters()`, `commands()` and `connections()`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A point of the conversation at which the server can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Banner,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    /// In place of the 354.
    Data,
    /// After the 354, before any byte of the letter is read.
    Body,
    /// After the final dot.
    Dot,
    Rset,
    Quit,
}

/// What the server does there in place of its usual reply.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends this line (CRLF is added) and goes on.
    Say(&'static str),
    /// Sends these bytes as they are.
    Raw(&'static [u8]),
    /// Sends its usual reply one byte at a time, with this pause in between.
    Drip(Duration),
    Close,
    /// Sends this line and hangs up.
    SayAndClose(&'static str),
    /// Takes the letter and hangs up without a reply; only at [`Phase::Dot`].
    TakeAndClose,
    /// Sends nothing, and keeps the connection.
    Silence,
    Usual,
}

/// The course of one connection.
#[derive(Debug, Clone)]
pub struct Plan {
    acts: Vec<(Phase, Act)>,
    extensions: Vec<&'static str>,
    /// Says 354 although it has refused the sender or the recipient.
    careless: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        let extensions = vec!["PIPELINING", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN"];
        Plan { acts: Vec::new(), extensions, careless: false }
    }
}

impl Plan {
    pub fn at(mut self, phase: Phase, act: Act) -> Plan {
        self.acts.push((phase, act));
        self
    }

    pub fn offering(mut self, extensions: &[&'static str]) -> Plan {
        self.extensions = extensions.to_vec();
        self
    }

    pub fn careless(mut self) -> Plan {
        self.careless = true;
        self
    }

    fn next(&mut self, phase: Phase) -> Act {
        let found = self.acts.iter().position(|(p, _)| *p == phase);
        found.map_or(Act::Usual, |i| self.acts.remove(i).1)
    }
}

/// A letter that the server took.
#[derive(Debug, Clone)]
pub struct Taken {
    pub from: String,
    pub to: String,
    /// Headers and body, without dot-stuffing.
    pub message: String,
}

#[derive(Default)]
struct Seen {
    letters: Vec<Taken>,
    commands: Vec<String>,
    connections: usize,
    plans: VecDeque<Plan>,
    default: Plan,
}

impl Seen {
    fn arrive(&mut self) -> Plan {
        self.connections += 1;
        self.plans.pop_front().unwrap_or_else(|| self.default.clone())
    }
}

pub type Upgrade = Arc<dyn Fn(Box<dyn Duplex>) -> Upgraded + Send + Sync>;
type Upgraded = std::pin::Pin<Box<dyn Future<Output = Option<Box<dyn Duplex>>> + Send>>;

pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The server; it ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    dots: watch::Receiver<usize>,
    waiting: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Server {
        Server::start_with(None, false).await
    }

    /// With TLS: by STARTTLS where a plan offers it, or from the first byte.
    pub async fn start_with(upgrade: Option<Upgrade>, from_first_byte: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (dots_tx, dots) = watch::channel(0);
        let (waiting_tx, waiting) = watch::channel(0);
        let shared = Arc::clone(&seen);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let plan = shared.lock().unwrap().arrive();
                let (upgrade, seen) = (upgrade.clone(), Arc::clone(&shared));
                let (dots, waiting) = (dots_tx.clone(), waiting_tx.clone());
                sessions.spawn(async move {
                    let mut stream: Box<dyn Duplex> = Box::new(socket);
                    if from_first_byte && let Some(upgrade) = &upgrade {
                        let Some(protected) = upgrade(stream).await else { return };
                        stream = protected;
                    }
                    let session = Session {
                        stream: BufReader::new(stream),
                        plan,
                        seen,
                        dots,
                        waiting,
                        upgrade,
                        from: String::new(),
                        to: String::new(),
                    };
                    let _ = session.run().await;
                });
            }
        });
        Server { address, seen, dots, waiting, _task: task }
    }

    /// The transport setting that leads here without TLS.
    pub fn url(&self) -> String {
        format!("smtp+insecure://{}", self.address)
    }

    /// Plans for the next connections, one each.
    pub fn script(&self, plans: impl IntoIterator<Item = Plan>) {
        self.seen().plans.extend(plans);
    }

    /// The plan of every connection that has none of its own.
    pub fn always(&self, plan: Plan) {
        self.seen().default = plan;
    }

    pub fn letters(&self) -> Vec<Taken> {
        self.seen().letters.clone()
    }

    /// Every command line seen, and `.` for each final dot.
    pub fn commands(&self) -> Vec<String> {
        self.seen().commands.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen().connections
    }

    pub fn dots(&self) -> usize {
        *self.dots.borrow()
    }

    /// Waits until this many letters have been answered with 354.
    pub async fn wait_354(&self, count: usize) {
        self.waiting.clone().wait_for(|n| *n >= count).await.unwrap();
    }

    /// Waits until this many final dots have been seen.
    pub async fn wait_dots(&self, count: usize) {
        self.dots.clone().wait_for(|n| *n >= count).await.unwrap();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

struct Session {
    stream: BufReader<Box<dyn Duplex>>,
    plan: Plan,
    seen: Arc<Mutex<Seen>>,
    dots: watch::Sender<usize>,
    waiting: watch::Sender<usize>,
    upgrade: Option<Upgrade>,
    from: String,
    to: String,
}

/// An error ends the connection.
type Step = Result<(), std::io::Error>;

impl Session {
    async fn run(mut self) -> Step {
        self.answer(Phase::Banner, "220 double ESMTP").await?;
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            self.seen.lock().unwrap().commands.push(line.clone());
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let offers: String =
                        self.plan.extensions.iter().map(|e| format!("250-{e}\r\n")).collect();
                    self.answer(Phase::Ehlo, &format!("250-double\r\n{offers}250 OK")).await?;
                }
                "STARTTLS" => {
                    self.answer(Phase::StartTls, "220 go ahead").await?;
                    let upgrade = self.upgrade.clone().ok_or(std::io::ErrorKind::Unsupported)?;
                    let protected = upgrade(self.stream.into_inner()).await;
                    self.stream = BufReader::new(protected.ok_or(std::io::ErrorKind::InvalidData)?);
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => {
                    let taken = self.answer(Phase::Mail, "250 2.1.0 ok").await?;
                    self.from = if taken { line } else { String::new() };
                    self.to.clear();
                }
                "RCPT" if self.from.is_empty() && !self.plan.careless => {
                    self.say("503 5.5.1 no sender").await?
                }
                "RCPT" => {
                    let taken = self.answer(Phase::Rcpt, "250 2.1.5 ok").await?;
                    self.to = if taken { line } else { String::new() };
                }
                "DATA" if self.to.is_empty() && !self.plan.careless => {
                    self.say("503 5.5.1 nobody to send to").await?
                }
                "DATA" => self.data().await?,
                "RSET" => {
                    self.from.clear();
                    self.to.clear();
                    self.answer(Phase::Rset, "250 2.0.0 ok").await?;
                }
                "QUIT" => return self.answer(Phase::Quit, "221 2.0.0 bye").await.map(drop),
                _ => self.say("500 5.5.1 unknown command").await?,
            }
        }
    }

    async fn auth(&mut self, line: &str) -> Step {
        if line.eq_ignore_ascii_case("AUTH LOGIN") {
            for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                self.say(prompt).await?;
                let line = self.line().await?.unwrap_or_default();
                self.seen.lock().unwrap().commands.push(line);
            }
        }
        self.answer(Phase::Auth, "235 2.7.0 welcome").await.map(drop)
    }

    async fn data(&mut self) -> Step {
        let act = self.plan.next(Phase::Data);
        let refused = matches!(act, Act::Say(text) if !text.starts_with("354"));
        self.perform(act, "354 go ahead").await?;
        if refused {
            return Ok(());
        }
        self.waiting.send_modify(|n| *n += 1);
        if let act @ (Act::Close | Act::SayAndClose(_) | Act::Say(_) | Act::Silence) =
            self.plan.next(Phase::Body)
        {
            self.perform(act, "").await?;
        }
        let mut message = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" {
                break;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        self.seen.lock().unwrap().commands.push(".".to_owned());
        let act = self.plan.next(Phase::Dot);
        let takes = match &act {
            Act::Usual | Act::Drip(_) | Act::TakeAndClose => true,
            Act::Say(text) | Act::SayAndClose(text) => text.starts_with('2'),
            Act::Raw(_) | Act::Close | Act::Silence => false,
        };
        if takes {
            let (from, to) = (self.from.clone(), self.to.clone());
            let message = String::from_utf8_lossy(&message).into_owned();
            self.seen.lock().unwrap().letters.push(Taken { from, to, message });
        }
        self.dots.send_modify(|n| *n += 1);
        self.perform(act, "250 2.0.0 ok: queued as DOUBLE").await
    }

    /// Sends a reply; returns whether it was positive.
    async fn answer(&mut self, phase: Phase, usual: &str) -> Result<bool, std::io::Error> {
        let act = self.plan.next(phase);
        let yes = match &act {
            Act::Say(text) | Act::SayAndClose(text) => text.starts_with('2'),
            Act::Raw(bytes) => bytes.starts_with(b"2"),
            _ => true,
        };
        self.perform(act, usual).await?;
        Ok(yes)
    }

    async fn perform(&mut self, act: Act, usual: &str) -> Step {
        match act {
            Act::Usual => self.say(usual).await,
            Act::Say(text) => self.say(text).await,
            Act::Raw(bytes) => self.stream.write_all(bytes).await,
            Act::Drip(pause) => {
                for byte in format!("{usual}\r\n").into_bytes() {
                    self.stream.write_all(&[byte]).await?;
                    self.stream.flush().await?;
                    tokio::time::sleep(pause).await;
                }
                Ok(())
            }
            Act::Close | Act::TakeAndClose => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Act::SayAndClose(text) => {
                self.say(text).await?;
                self.stream.shutdown().await?;
                // Reading on lets the reply arrive: closing with unread bytes would reset the connection.
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest).await?;
                Err(std::io::ErrorKind::ConnectionAborted.into())
            }
            Act::Silence => std::future::pending().await,
        }
    }

    async fn say(&mut self, text: &str) -> Step {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> Result<Option<String>, std::io::Error> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line).await?;
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}
