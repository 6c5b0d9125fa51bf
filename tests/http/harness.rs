//! An engine to talk to: the real boot on a temporary directory, letters kept in memory.
//!
//! A test may end without stopping it: dropping ends the engine as a crash would, waits until its
//! log is closed and removes the directory, so nothing is left behind either way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use restockd::boot::{Running, boot};
use restockd::config::{Config, Flags};
use restockd::http::HttpSettings;
use restockd_core::Millis;
use restockd_engine::Engine;
use restockd_engine::api::Scope;
use restockd_engine::clock::Clock;
use restockd_mail::MemoryTransport;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The admin key: `RESTOCKD_API_KEY`.
pub const ADMIN_KEY: &str = "admin-key";
/// What stands for the ingest key in tables, as a real one is minted at every start.
pub const INGEST_KEY: &str = "ingest-key";
/// The secret of the source `inventory`, and the one before it.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
pub const OLD_SECRET: &str = "a-secret-of-thirty-two-bytes-old";
/// The template of a campaign made by hand, and the rule's.
pub const TEMPLATE: &str = "announcement";
pub const RESTOCK_TEMPLATE: &str = "ecommerce/back-in-stock";
/// Where the clock stands, and stays: 2026-03-02T12:00:00Z.
pub const NOON: Millis = Millis(1_772_452_800_000);
/// The same on the wire.
pub const NOON_TEXT: &str = "2026-03-02T12:00:00.000Z";
/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Declared lists, a source without a secret, flat snapshots.
const TOML: &str = r#"
shop_name = "Fern & Wick"
[engine]
segment_mib = 1
snapshots = "flat"
[mail]
postal_address = "1 Mill Lane, Ely"
[source.blank]
[list.news]
name = "News"
description = "What is new, once a month"
default_opt_in = true
[list.sale]
name = "Sales"
"#;

/// A running engine with its listener.
pub struct TestServer {
    pub addr: SocketAddr,
    pub admin: String,
    pub ingest: String,
    pub outbox: Arc<MemoryTransport>,
    pub clock: Clock,
    engine: Engine,
    running: Mutex<Option<Running>>,
    ending: Mutex<Option<JoinHandle<()>>>,
    _dir: tempfile::TempDir,
}

/// An engine with the default limits, on a free port, with one configured and one blank source.
pub async fn start() -> TestServer {
    start_with(|_| {}).await
}

/// The same with other settings of the door.
pub async fn start_with(change: impl FnOnce(&mut HttpSettings)) -> TestServer {
    crate::logs::capture();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("restockd.toml");
    std::fs::write(&file, TOML).unwrap();
    let env = |key: &str| {
        let value = match key {
            "RESTOCKD_API_KEY" => ADMIN_KEY.to_owned(),
            "INVENTORY_WEBHOOK_SECRET" => format!("{SECRET},{OLD_SECRET}"),
            "RESTOCKD_MAIL" => "memory:".to_owned(),
            "RESTOCKD_LISTEN" => "127.0.0.1:0".to_owned(),
            "RESTOCKD_PUBLIC_URL" => "https://shop.example".to_owned(),
            _ => return None,
        };
        Some(value)
    };
    let flags = Flags { data: Some(dir.path().join("data")), ..Flags::default() };
    let mut config = Config::load(Some(&file), env, &flags).unwrap();
    change(&mut config.http);
    let clock = Clock::manual(NOON);
    let running = boot(config, clock.clone()).await.unwrap();
    let (_, ingest) = running.engine.mint_key("tests".to_owned(), Scope::Ingest).await.unwrap();
    TestServer {
        addr: running.addr,
        admin: ADMIN_KEY.to_owned(),
        ingest,
        outbox: running.outbox.clone().unwrap(),
        clock,
        engine: running.engine.clone(),
        running: Mutex::new(Some(running)),
        ending: Mutex::new(None),
        _dir: dir,
    }
}

impl TestServer {
    /// A token, fit for a query, out of a mail to `email` about `list`, of which the person is a
    /// member.
    pub async fn list_token(&self, email: &str, list: &str) -> String {
        let body = json!({ "email": email }).to_string();
        let path = format!("/v1/lists/{list}/subscribe");
        assert_eq!(self.ask("POST", &path, &self.ingest, body.as_bytes()).await.status, 200);
        let url = self.mail_to(email, list).await.letter.unsubscribe_url.unwrap();
        let (path, token) = url.split_once("?token=").unwrap();
        assert_eq!(path, "https://shop.example/v1/email/unsubscribe");
        token.to_owned()
    }

    /// A token of the preference page, out of the last mail to that person.
    pub async fn preferences_token(&self, email: &str) -> String {
        let mails = self.outbox.mails();
        let mail = mails.iter().rev().find(|mail| mail.letter.to == email).expect("a mail to take it from");
        let (_, rest) = mail.letter.text.split_once("/v1/email/preferences?token=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Mails everybody on a list; gives back the letter to this person.
    pub async fn mail_to(&self, email: &str, list: &str) -> restockd_mail::CapturedMail {
        let body = json!({"list": list, "template": TEMPLATE, "subject": "A word"}).to_string();
        let made = self.ask("POST", "/v1/campaigns", &self.ingest, body.as_bytes()).await;
        assert_eq!(made.status, 202, "{}", made.text());
        let id = made.json()["campaignId"].as_str().unwrap().to_owned();
        self.campaign_until(&id, "sent").await;
        let mails = self.outbox.mails();
        let mail = mails.iter().rev().find(|mail| mail.letter.to == email).expect("the mail was sent");
        assert_eq!(mail.letter.list_id.as_deref(), Some(list));
        mail.clone()
    }

    /// Asks for a campaign until it has this status.
    pub async fn campaign_until(&self, id: &str, status: &str) -> Value {
        let asking = async {
            loop {
                let reply = self.ask("GET", &format!("/v1/campaigns/{id}"), &self.ingest, b"").await;
                if reply.json()["status"] == status {
                    return reply.json();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the campaign comes to it")
    }

    /// A text of a table with the real key in it.
    pub fn keyed(&self, text: &str) -> String {
        text.replace(INGEST_KEY, &self.ingest)
    }

    /// Makes the engine refuse new work, as after SIGTERM.
    pub fn stop_engine(&self) {
        self.engine.stop_admitting();
    }

    /// Tells everything to stop, politely.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap().take().expect("stopped once");
        *self.ending.lock().unwrap() = Some(tokio::spawn(running.shut_down()));
    }

    /// Waits for it to have stopped.
    pub async fn stopped(self) {
        let ending = self.ending.lock().unwrap().take().expect("told to stop");
        tokio::time::timeout(PATIENCE, ending).await.unwrap().unwrap();
    }

    pub async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.addr).await.unwrap())
    }

    /// One request with a key, on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, key: &str, body: &[u8]) -> Reply {
        let bearer = format!("Bearer {key}");
        self.send(&request(method, path, &[("authorization", &bearer)], body)).await
    }

    /// Status and JSON of a request with the ingest key; `null` is no body.
    pub async fn json(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.json_as(&self.ingest, method, path, body).await
    }

    /// The same with another key.
    pub async fn json_as(&self, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.ask(method, path, key, body.as_bytes()).await;
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "{path}");
        (reply.status, reply.json())
    }

    /// One request as written, on a connection of its own.
    pub async fn send(&self, bytes: &[u8]) -> Reply {
        let mut connection = self.connect().await;
        connection.write(bytes).await;
        connection.reply().await.expect("an answer")
    }

    /// True when the server still answers.
    pub async fn healthy(&self) -> bool {
        self.send(&request("GET", "/v1/health", &[], b"")).await.status == 200
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let running = self.running.lock().map(|mut held| held.take());
        let Ok(Some(running)) = running else { return };
        self.engine.kill();
        let engine = self.engine.clone();
        // The test's own runtime may be ending; the log's threads are waited for on another.
        let waiting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.map(|runtime| runtime.block_on(engine.abandon())).is_ok()
        });
        let closed = waiting.join().unwrap_or(false);
        drop(running);
        assert!(closed || std::thread::panicking());
    }
}

/// A request as bytes, with a length where there is a body.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT") {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A raw socket.
pub struct Connection(TcpStream);

impl Connection {
    /// Writes as much as the server takes.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = tokio::time::timeout(PATIENCE, self.0.write_all(bytes)).await.expect("the server reads");
    }

    /// Writes and never reads; false when the server has closed.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        tokio::time::timeout(PATIENCE, self.0.write_all(bytes))
            .await
            .expect("the server reads or closes")
            .is_ok()
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Reads one answer; none when the connection is closed instead.
    pub async fn reply(&mut self) -> Option<Reply> {
        self.reply_to("GET").await
    }

    /// The same for a method whose answer may have no body.
    pub async fn reply_to(&mut self, method: &str) -> Option<Reply> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            bytes.push(self.byte().await?);
        };
        let head = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned())).unwrap())
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
        if method != "HEAD" {
            for _ in 0..length {
                reply.body.push(self.byte().await?);
            }
        }
        Some(reply)
    }

    /// True when the server closes this connection (and says nothing more).
    pub async fn closed(&mut self) -> bool {
        self.byte().await.is_none()
    }

    async fn byte(&mut self) -> Option<u8> {
        let mut one = [0];
        match tokio::time::timeout(PATIENCE, self.0.read(&mut one))
            .await
            .expect("the server answers or closes")
        {
            Ok(1) => Some(one[0]),
            _ => None,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not json: {self:?}"))
    }

    /// The text of an application error, where the answer is exactly one.
    pub fn error(&self) -> String {
        let json = self.json();
        let object = json.as_object().unwrap();
        assert_eq!(object.len(), 1, "{json}");
        object["error"].as_str().unwrap().to_owned()
    }

    /// The issues of a validation error, each in full, as `path message` lines.
    pub fn issues(&self) -> String {
        let json = self.json();
        assert_eq!(
            (json["success"].as_bool(), json["error"]["name"].as_str()),
            (Some(false), Some("ZodError"))
        );
        let issues: Value = serde_json::from_str(json["error"]["message"].as_str().unwrap()).unwrap();
        let mut lines = String::new();
        for issue in issues.as_array().unwrap() {
            for field in ["code", "expected", "received", "message"] {
                assert!(issue[field].is_string(), "{issue}");
            }
            let path: Vec<_> =
                issue["path"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
            lines.push_str(&format!("{}: {}\n", path.join("."), issue["message"].as_str().unwrap()));
        }
        assert!(!lines.is_empty());
        lines
    }
}
