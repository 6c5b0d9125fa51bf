//! An engine under test: the real boot and real HTTP, in a temporary directory, with a clock that the test moves.
//!
//! Dropping it without [`App::stop`] or [`App::crash`] fails the test, unless the test is panicking already: an engine left
//! behind would hide what it still had to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use restockd::boot::{Running, boot};
use restockd::config::{Config, Flags};
use restockd_engine::Engine;
use restockd_engine::clock::Clock;
use restockd_mail::MemoryTransport;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use crate::client::add_up;
pub use crate::{KEY, NOON, SECRET};

/// How long a test waits for the engine before it fails; when all is well it waits only as long as it takes.
const MINUTE: Duration = Duration::from_secs(60);

/// What an engine is started with. Each start on the same plan is a restart.
#[derive(Clone)]
pub struct Plan {
    dir: Arc<tempfile::TempDir>,
    /// The text of the configuration file.
    pub toml: String,
    /// The environment variables.
    pub env: BTreeMap<String, String>,
    pub clock: Clock,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// The memory transport, small segments, flat snapshots, no rate limit, the clock at noon.
    pub fn new() -> Self {
        let env = [
            ("RESTOCKD_API_KEY", KEY),
            ("INVENTORY_WEBHOOK_SECRET", SECRET),
            ("RESTOCKD_MAIL", "memory:"),
            ("RESTOCKD_LISTEN", "127.0.0.1:0"),
            ("RESTOCKD_PUBLIC_URL", "https://shop.example"),
        ];
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            toml: "[engine]\nsegment_mib = 1\nsnapshots = \"flat\"\n".to_owned(),
            env: env.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            clock: Clock::manual(NOON),
        }
    }

    /// Adds to the configuration file; a table must not occur twice.
    pub fn toml(mut self, more: &str) -> Self {
        self.toml.push_str(more);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The temporary directory; the data directory is `data` in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// The settings as a start would read them.
    pub fn config(&self) -> Config {
        let file = self.dir().join("restockd.toml");
        std::fs::write(&file, &self.toml).unwrap();
        let flags = Flags { data: Some(self.data()), ..Flags::default() };
        Config::load(Some(&file), |key| self.env.get(key).cloned(), &flags).unwrap()
    }

    pub async fn start(&self) -> App {
        let running = boot(self.config(), self.clock.clone()).await.unwrap();
        App { running: Some(running), plan: self.clone() }
    }
}

pub struct App {
    running: Option<Running>,
    pub plan: Plan,
}

/// Status and body of a response.
pub type Answer = (u16, Value);

impl App {
    /// A new engine on [`Plan::new`].
    pub async fn fresh() -> Self {
        Plan::new().start().await
    }

    /// Takes over an engine that the test has booted itself.
    pub fn of(running: Running, plan: Plan) -> Self {
        Self { running: Some(running), plan }
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn engine(&self) -> &Engine {
        &self.running().engine
    }

    /// The memory transport's letters.
    pub fn outbox(&self) -> Arc<MemoryTransport> {
        self.running().outbox.clone().unwrap()
    }

    /// Moves the clock forward, in milliseconds.
    pub fn advance(&self, ms: u64) {
        self.plan.clock.advance(ms);
    }

    /// Stops in order, and gives back the plan for a restart.
    pub async fn stop(mut self) -> Plan {
        self.running.take().unwrap().shut_down().await;
        self.plan.clone()
    }

    /// Ends as a crash would, and gives back the plan for a restart.
    pub async fn crash(mut self) -> Plan {
        self.running.take().unwrap().crash().await;
        self.plan.clone()
    }

    /// Sends a request with the admin key.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers = [("authorization", format!("Bearer {KEY}"))];
        self.send(method, path, &headers, body.as_bytes()).await
    }

    /// Sends a GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a POST that must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Sends any request; a body that is not JSON comes back as a string.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.running().addr).await.unwrap();
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        socket.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
    }

    /// A shopper presses "notify me".
    pub async fn press(&self, email: &str, sku: &str) -> Value {
        let list = format!("restock-{sku}");
        let event = json!({
            "name": "product.waitlisted", "email": email, "lists": { list: true },
            "eventProperties": { "sku": sku, "product_name": format!("The {sku}") },
        });
        self.post("/v1/events", event).await
    }

    /// Many shoppers press, in order, through the batch endpoint.
    pub async fn press_many(&self, emails: impl IntoIterator<Item = String>, sku: &str) {
        let list = format!("restock-{sku}");
        let event = |email: String| json!({ "name": "product.waitlisted", "email": email, "lists": { list.clone(): true } });
        let events: Vec<Value> = emails.into_iter().map(event).collect();
        for slice in events.chunks(5000) {
            let answer = self.post("/v1/events/batch", json!({ "events": slice })).await;
            for result in answer["results"].as_array().unwrap() {
                assert_eq!(result["stored"], true, "{result}");
            }
        }
    }

    /// Sends a signed restock.
    pub async fn restock(&self, delivery: &str, sku: &str, quantity: i64) -> Answer {
        let body = json!({
            "delivery_id": delivery, "type": "restock", "sku": sku, "product_name": format!("The {sku}"),
            "quantity": quantity,
        })
        .to_string();
        let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
        self.send("POST", "/v1/webhooks/inventory", &[("x-signature", signature)], body.as_bytes()).await
    }

    /// The campaigns, newest first.
    pub async fn campaigns(&self) -> Vec<Value> {
        self.get("/v1/campaigns").await["campaigns"].as_array().unwrap().clone()
    }

    /// Reads a campaign until it is as wanted, while transport and log do their work.
    pub async fn campaign_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/campaigns/{id}");
        let asked = async {
            loop {
                let campaign = self.get(&path).await;
                add_up(&campaign);
                if wanted(&campaign) {
                    return campaign;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(MINUTE, asked).await {
            Ok(campaign) => campaign,
            Err(_) => panic!("the campaign never came to it: {}", self.get(&path).await),
        }
    }

    /// Looks at the data directory until it is as wanted, while the log's thread does its work.
    pub async fn until(&self, wanted: impl Fn(&Plan) -> bool) {
        let looked = async {
            while !wanted(&self.plan) {
                self.get("/v1/health").await;
            }
        };
        tokio::time::timeout(MINUTE, looked).await.expect("the directory never came to it");
    }

    /// Waits until this many letters are held by the memory transport; fails after a minute.
    pub async fn held(&self, count: usize) {
        let outbox = self.outbox();
        tokio::time::timeout(MINUTE, outbox.wait_held(count))
            .await
            .expect("no letter was held back within a minute");
    }

    /// Waits until the campaign is sent.
    pub async fn campaign_sent(&self, id: &str) -> Value {
        self.campaign_until(id, |campaign| campaign["status"] == "sent").await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        assert!(
            self.running.is_none() || std::thread::panicking(),
            "an engine was left running; end the test with stop() or crash()"
        );
    }
}
