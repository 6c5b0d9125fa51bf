//! A server to talk to. Everything that depends on the engine behind it is in this file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use restockd::actors::Engine;
use restockd::http::{HttpSettings, Secret, Server, Source};
use restockd::render::Templates;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The secret of the source `inventory`, and the one before it.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
pub const OLD_SECRET: &str = "a-secret-of-thirty-two-bytes-old";
/// A template that the engine knows.
pub const TEMPLATE: &str = "back-in-stock";
/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server over an engine of its own.
pub struct TestServer {
    pub addr: SocketAddr,
    pub admin: String,
    pub ingest: String,
    engine: Engine,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// A server with the default settings, on a free port, with one configured and one blank source.
pub async fn start() -> TestServer {
    start_with(|_| {}).await
}

/// The same with other settings.
pub async fn start_with(change: impl FnOnce(&mut HttpSettings)) -> TestServer {
    crate::logs::capture();
    let (admin, ingest) = ("admin-key".to_owned(), "ingest-key".to_owned());
    let engine = Engine::fake(&admin, &ingest);
    let secrets = vec![Secret::new(SECRET), Secret::new(OLD_SECRET)];
    let blank = Source { id: "blank".to_owned(), secrets: vec![Secret::new("  ")], ..Source::default() };
    let mut settings = HttpSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        sources: vec![Source { secrets, ..Source::default() }, blank],
        ..HttpSettings::default()
    };
    change(&mut settings);
    let server = Server::bind(settings, engine.clone(), Arc::new(Templates)).await.unwrap();
    let addr = server.addr();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(server.run(stopped));
    TestServer { addr, admin, ingest, engine, stop, running }
}

impl TestServer {
    /// A token, fit for a query, of a mail to `email` about `list`, of which the person is a member.
    pub async fn list_token(&self, email: &str, list: &str) -> String {
        let body = format!(r#"{{"email":"{email}"}}"#);
        let path = format!("/v1/lists/{list}/subscribe");
        assert_eq!(self.ask("POST", &path, &self.ingest, body.as_bytes()).await.status, 200);
        format!("tok%7C{email}%7C{list}")
    }

    /// A token of the preference page.
    pub async fn preferences_token(&self, email: &str) -> String {
        format!("tok%7C{email}%7C")
    }

    /// Makes the engine refuse new work, as after SIGTERM.
    pub fn stop_engine(&self) {
        self.engine.stop();
    }

    /// Tells the server to stop.
    pub fn stop(&self) {
        self.stop.send(true).unwrap();
    }

    /// Waits for it to have stopped.
    pub async fn stopped(self) {
        let Self { running, stop, .. } = self;
        tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
        drop(stop);
    }

    pub async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.addr).await.unwrap())
    }

    /// One request with a key, on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, key: &str, body: &[u8]) -> Reply {
        let bearer = format!("Bearer {key}");
        self.send(&request(method, path, &[("authorization", &bearer)], body)).await
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
