//! lettre: each letter built by its builder, sent by its pool or by its connection over a stream of the bench's own.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lettre::message::{Mailbox, MultiPart, header};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::net::TcpStream;

use crate::{Stretch, engine};

/// The nth letter, as long as the engine's.
fn letter(n: usize, from: &Mailbox, words: &(String, String)) -> Message {
    let to: Mailbox = format!("p{n}@people.example").parse().unwrap();
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject("Studio chair is back in stock")
        .message_id(Some(format!("<{n}.abc@shop.example>")))
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(words.0.clone(), words.1.clone()))
        .unwrap()
}

/// What the senders share.
struct Shared {
    next: AtomicUsize,
    letters: usize,
    from: Mailbox,
    words: (String, String),
}

impl Shared {
    fn new(stretch: Stretch) -> Arc<Self> {
        let from = "Corner Shop <shop@shop.example>".parse().unwrap();
        Arc::new(Self { next: AtomicUsize::new(0), letters: stretch.letters, from, words: engine::words() })
    }

    fn take(&self) -> Option<Message> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        (n < self.letters).then(|| letter(n, &self.from, &self.words))
    }
}

/// Sends by lettre's pool, with as many senders as connections.
pub async fn pool(stretch: Stretch) -> (usize, Duration) {
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(stretch.to.ip().to_string())
        .port(stretch.to.port())
        .pool_config(PoolConfig::new().max_size(u32::try_from(stretch.connections).unwrap()))
        .build();
    let (shared, begin) = (Shared::new(stretch), Instant::now());
    let senders = (0..stretch.connections).map(|_| {
        let (shared, transport) = (Arc::clone(&shared), transport.clone());
        tokio::spawn(async move {
            while let Some(message) = shared.take() {
                transport.send(message).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    (stretch.letters, begin.elapsed())
}

/// Sends by lettre's connection over a stream without Nagle's delay, with a NOOP before each letter.
pub async fn kept(stretch: Stretch) -> (usize, Duration) {
    let (shared, begin) = (Shared::new(stretch), Instant::now());
    let senders = (0..stretch.connections).map(|_| {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let stream = TcpStream::connect(stretch.to).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let hello = ClientId::Domain("shop.example".to_owned());
            let mut connection =
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.unwrap();
            while let Some(message) = shared.take() {
                assert!(connection.test_connected().await, "smtp-sink is there");
                connection.send(message.envelope(), &message.formatted()).await.unwrap();
            }
            connection.quit().await.unwrap();
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    (stretch.letters, begin.elapsed())
}
