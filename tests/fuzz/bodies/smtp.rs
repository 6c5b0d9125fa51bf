//! The SMTP reply path: a whole conversation in memory, the script being the server.
//!
//! ```text
//! script   setting, cut and rest u8 | chunk, chunk, …   each chunk is said after the courier's next write; then it hangs up
//!          a chunk with the high bit set in its length is said together with the next one
//! rest     whether each letter but the first is preceded by RSET
//! cut      how much of a write is taken: all; all but a letter's dot; 700 bytes; the dot, but not its line end
//! ```
//!
//! The property is P6: what an outcome says must follow from whether the dot went out and what was said after it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use restockd_mail::fuzzing::converse;
use restockd_mail::{Address, DeliveryResult, FaultSource, Letter, MailOptions, SmtpPhase};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::script::Script;

const LETTERS: usize = 3;
/// Looks that a courier may take between two writes, one to be ready and one before the letter.
const LOOKS: u8 = 2;
/// The end of a letter.
const END: &[u8] = b"\r\n.\r\n";

/// How much of a write the server takes.
#[derive(Default, Clone, Copy, PartialEq)]
enum Cut {
    #[default]
    Nowhere,
    BeforeTheDot,
    Often,
    WithinTheDot,
}

/// What both ends see.
#[derive(Default)]
struct Talk {
    chunks: VecDeque<(bool, Vec<u8>)>,
    said: VecDeque<u8>,
    /// Everything the courier wrote.
    heard: Vec<u8>,
    /// For each final dot: what was said after it.
    dots: Vec<Vec<u8>>,
    /// How often the courier has looked since it wrote, and found nothing.
    looks: u8,
    cut: Cut,
    /// A dot was taken without its line end.
    half: bool,
}

impl Talk {
    /// The courier wrote: the server's turn.
    fn turn(&mut self) {
        while let Some((more, chunk)) = self.chunks.pop_front() {
            if let Some(after) = self.dots.last_mut() {
                after.extend(&chunk);
            }
            self.said.extend(chunk);
            if !more {
                break;
            }
        }
    }
}

/// The server's end as a stream.
struct Server(Arc<Mutex<Talk>>);

impl AsyncRead for Server {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut talk = self.0.lock().unwrap();
        if talk.said.is_empty() && talk.looks < LOOKS {
            // Whoever only looks sees nothing; whoever waits comes again at once.
            talk.looks += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = talk.said.len().min(into.remaining());
        let bytes: Vec<u8> = talk.said.drain(..count).collect();
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut talk = self.0.lock().unwrap();
        let ends = bytes.ends_with(END);
        let taken = match talk.cut {
            Cut::BeforeTheDot if ends => bytes.len() - 3,
            Cut::WithinTheDot if ends => bytes.len() - 2,
            Cut::Often => bytes.len().min(700),
            _ => bytes.len(),
        };
        talk.heard.extend(&bytes[..taken]);
        talk.looks = 0;
        // From its first byte on the courier may be in doubt.
        let begins = ends && talk.cut == Cut::WithinTheDot;
        if begins || (talk.heard.ends_with(END) && !talk.half) {
            talk.dots.push(Vec::new());
        }
        talk.half = begins;
        talk.turn();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn letter(number: usize) -> Letter {
    Letter {
        message_id: format!("m{number}@shop.example"),
        to: format!("ann{number}@shop.example"),
        from: Address::named("The Shop", "news@shop.example").unwrap(),
        reply_to: None,
        subject: "It is back".to_owned(),
        text: "It is back.\n.\nReally.".to_owned(),
        html: "<p>It is back.</p>".to_owned(),
        list_id: Some("restock-chair".to_owned()),
        unsubscribe_url: Some("https://shop.example/u".to_owned()),
        date_ms: 1_772_452_800_000,
        envelope_from: None,
        feedback_id: None,
        complaints: None,
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

/// The three first digits of the first line, if that is how it begins.
fn code(said: &[u8]) -> Option<u16> {
    std::str::from_utf8(said.get(..3)?).ok()?.parse().ok()
}

pub fn body(data: &[u8]) {
    let mut script = Script::new(data);
    let first = script.u8();
    let setting = match first % 4 {
        0 | 1 => "smtp+insecure://127.0.0.1:2525",
        2 => "smtp+insecure://user:secret-word@127.0.0.1:2525",
        _ => "smtp://user:secret-word@relay.example:587",
    };
    let cut = match first / 4 % 4 {
        0 => Cut::Nowhere,
        1 => Cut::BeforeTheDot,
        2 => Cut::Often,
        _ => Cut::WithinTheDot,
    };
    let mut talk = Talk { cut, ..Talk::default() };
    talk.said.extend(script.piece());
    while !script.is_over() && talk.chunks.len() < 64 {
        let head = script.u8();
        talk.chunks.push_back((head & 0x80 != 0, script.take(usize::from(head & 0x7f) * 4).to_vec()));
    }
    let talk = Arc::new(Mutex::new(talk));
    let letters: Vec<Letter> = (0..LETTERS).map(letter).collect();
    let connection_idle = if first & 16 == 0 { Duration::from_secs(3_600) } else { Duration::ZERO };
    let options = MailOptions { connection_idle, ..MailOptions::default() };
    let work = converse(setting, options, Server(talk.clone()), &letters);
    let outcomes = RUNTIME.with(|runtime| runtime.block_on(work)).unwrap();
    let talk = talk.lock().unwrap();

    assert!((0..=LETTERS).contains(&outcomes.len()));
    if setting.starts_with("smtp:") {
        assert!(talk.dots.is_empty(), "a letter crossed the wire in clear");
        assert!(!talk.heard.windows(4).any(|word| word == b"AUTH"), "a password crossed the wire in clear");
    }
    let mut dots = talk.dots.iter();
    let mut undecided = outcomes.len();
    for outcome in &outcomes {
        undecided -= 1;
        let reply = outcome.diagnostic.to_string();
        let shops = outcome.diagnostic.fault == FaultSource::Shop;
        assert!(
            outcome.phase > SmtpPhase::Connection || shops || outcome.end == DeliveryResult::Failed,
            "{outcome:?}"
        );
        assert!(
            !shops || matches!(outcome.end, DeliveryResult::Deferred | DeliveryResult::Throttled),
            "{outcome:?}"
        );
        assert!(!reply.contains('@') && reply.chars().count() <= 700, "{reply}");
        // A server that was given the password may say it at any time; nobody repeats it.
        assert!(!setting.contains("secret-word") || !reply.contains("secret-word"), "{reply}");
        match outcome.end {
            DeliveryResult::Sent => {
                let after = dots.next().unwrap_or_else(|| panic!("sent without a dot"));
                assert!(
                    code(after).is_some_and(|code| (200..300).contains(&code)),
                    "{}",
                    after.escape_ascii()
                );
            }
            DeliveryResult::Unknown => {
                let after = dots.next().unwrap_or_else(|| panic!("unknown without a dot"));
                let refused = whole_reply(after).is_some_and(|code| (400..600).contains(&code));
                assert!(!refused, "a plain no left in doubt: {}", after.escape_ascii());
            }
            // Whether these had a dot decides what was said after it.
            DeliveryResult::Deferred | DeliveryResult::Throttled | DeliveryResult::Failed => {
                let sent_later = outcomes[outcomes.len() - undecided..]
                    .iter()
                    .filter(|outcome| matches!(outcome.end, DeliveryResult::Sent | DeliveryResult::Unknown))
                    .count();
                if dots.len() > sent_later
                    && let Some(after) = dots.clone().next()
                    && code(after).is_some_and(|code| (400..600).contains(&code))
                {
                    dots.next();
                }
            }
        }
    }
    assert_eq!(dots.len(), 0, "a dot went out and no outcome owns it");
}

/// The code of a reply of one line that is whole and well-formed.
fn whole_reply(said: &[u8]) -> Option<u16> {
    let line = said.strip_suffix(b"\r\n")?;
    let plain = line.len() < 900 && line.iter().all(|byte| (b' '..=b'~').contains(byte));
    (plain && line.get(3) == Some(&b' ')).then(|| code(line)).flatten()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let chunk = |text: &str, more: bool| {
        let mut text = text.as_bytes().to_vec();
        text.resize(text.len().next_multiple_of(4), b'\n');
        [vec![(text.len() / 4) as u8 | if more { 0x80 } else { 0 }], text].concat()
    };
    // Words are padded inside, so that no reply has blank lines behind it.
    let say = |text: &str| {
        let pad = (4 - (text.len() + 2) % 4) % 4;
        chunk(&format!("{text}{}\r\n", "x".repeat(pad)), false)
    };
    let greeting = |first: u8| {
        let hello = b"220 relay\r\n";
        [vec![first, hello.len() as u8], hello.to_vec()].concat()
    };
    let plain = "250-relay\r\n250-SMTPUTF8\r\n250 8BITMIME ";
    let piped = "250-relay\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS ";
    // RCPT and DATA are answered one by one; a letter whose dot comes apart gets silence first.
    let oks = "250 ok1\r\n250 ok2\r\n354 go!\r\n";
    let under = |cut: u8| {
        let greeting = |first: u8| greeting(first + 4 * cut);
        let end = |dot: &str| if cut == 0 { say(dot) } else { [chunk("", false), say(dot)].concat() };
        let letter = |dot: &str| [say("250 ok "), say("250 ok "), say("354 go "), end(dot)].concat();
        let piped_letter = |three: &str, dot: &str| [chunk(three, false), end(dot)].concat();
        vec![
            [
                greeting(0),
                say(plain),
                letter("250 2.0.0 queued"),
                letter("451 4.3.0 later "),
                letter("250 ok "),
            ]
            .concat(),
            [greeting(0), say(plain), letter("550 5.1.1 <ann0@shop.example> no")].concat(),
            [greeting(0), say(plain), letter("354 what")].concat(),
            [greeting(0), say(piped), piped_letter(oks, "250 ok "), piped_letter(oks, "250 ok ")].concat(),
            [greeting(0), say(piped), piped_letter("250 ok\r\n550 no\r\n354 go\r\n", "250 ok ")].concat(),
            [
                greeting(0),
                say(piped),
                piped_letter("550 no\r\n503 no\r\n503 no\r\n", ""),
                say("250 ok "),
                piped_letter(oks, "250 ok"),
            ]
            .concat(),
            [greeting(2), say(piped), say("235 welcome"), piped_letter(oks, "250 ok ")].concat(),
        ]
    };
    let one = [say("250 ok "), say("250 ok "), say("354 go "), say("250 ok ")].concat();
    let beside = vec![
        // Before each letter but the first it is asked whether anybody is there.
        [greeting(16), say(plain), one.clone(), say("250 ok "), one.clone(), say("250 ok "), one.clone()]
            .concat(),
        [greeting(16), say(plain), one.clone(), say("421 4.4.2 idle"), one].concat(),
        [greeting(0), say(plain), say("421 4.7.0 too many"), say("250 ok ")].concat(),
        [greeting(2), say("250-relay\r\n250 AUTH LOGIN "), say("334 who "), say("334 pass "), say("235 ok ")]
            .concat(),
        [greeting(3), say(piped), say("220 go "), chunk("\u{16}\u{3}\u{3}\u{0}\u{2}\u{1}\u{0}", false)]
            .concat(),
        [vec![0, 12], b"554 go away\n".to_vec()].concat(),
        [
            greeting(0),
            vec![0x80 | 20],
            vec![b'2'; 80],
            vec![0x7f],
            vec![b'x'; 508],
            vec![0x7f],
            vec![b'x'; 508],
        ]
        .concat(),
    ];
    (0..4).flat_map(under).chain(beside).collect()
}
