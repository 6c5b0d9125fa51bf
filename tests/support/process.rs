//! The engine as a process of its own: started, spoken to over HTTP, killed with `kill -9`.
//!
//! It stands alone: tests and benches include it with `#[path]`. A [`Place`] is a directory and an
//! environment; each [`Place::start`] on it is a restart. An [`Engine`] that is dropped is killed.
#![allow(dead_code, missing_docs, reason = "each test tree uses its part")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The admin key of engines under test.
pub const KEY: &str = "admin-key";
/// The secret of the source `inventory`.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// Events in one batch request.
const BATCH: usize = 10_000;

/// Looks until there is something to see. The one pause of this harness: what is waited for
/// happens in another process, which cannot wake us, and a loop without a pause would take the
/// processor from it.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where an engine lives: a temporary directory, its environment, its configuration.
pub struct Place {
    dir: tempfile::TempDir,
    data: PathBuf,
    env: BTreeMap<String, String>,
    toml: String,
}

impl Place {
    pub fn new(mail: &str) -> Self {
        let env = [
            ("RESTOCKD_API_KEY", KEY),
            ("INVENTORY_WEBHOOK_SECRET", SECRET),
            ("RESTOCKD_MAIL", mail),
            ("RESTOCKD_MAIL_RATE", "unlimited"),
            ("RESTOCKD_PUBLIC_URL", "https://shop.example"),
            ("RESTOCKD_LOG", "warn"),
        ];
        let env = env.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let dir = tempfile::tempdir().unwrap();
        Self { data: dir.path().join("data"), dir, env, toml: String::new() }
    }

    /// The data directory lies elsewhere: on a file system that is cut or filled.
    pub fn data_in(mut self, data: PathBuf) -> Self {
        self.data = data;
        self
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn toml(mut self, text: &str) -> Self {
        self.toml.push_str(text);
        self
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where a `folder:` mailer without a path of its own writes to.
    pub fn outbox(&self) -> PathBuf {
        self.dir().join("outbox")
    }

    /// Starts the engine and waits until it listens.
    pub fn start(&self) -> Engine {
        self.spawn(&[]).listening().unwrap_or_else(|ended| panic!("the engine did not start: {ended:#?}"))
    }

    /// Starts the process, behind another program's command line where one is given.
    pub fn spawn(&self, through: &[OsString]) -> Starting {
        let config = self.dir().join("restockd.toml");
        std::fs::write(&config, &self.toml).unwrap();
        let engine = OsString::from(env!("CARGO_BIN_EXE_restockd"));
        let mut words = through.iter().chain([&engine]);
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&self.data)
            .arg("--config")
            .arg(&config)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap());
        Starting { process: Some(process), lines: Some(lines) }
    }
}

/// A process that does not listen yet; dropped, it is killed.
pub struct Starting {
    process: Option<Child>,
    lines: Option<BufReader<ChildStderr>>,
}

/// How a process ended that was not killed by us.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub said: Vec<String>,
}

impl Starting {
    /// Waits until it listens, or ends.
    pub fn listening(mut self) -> Result<Engine, Ended> {
        let (mut process, mut lines) = (self.process.take().unwrap(), self.lines.take().unwrap());
        let mut said = VecDeque::new();
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                return Err(Ended { status: process.wait().unwrap(), said: said.into() });
            }
            if let Some((_, rest)) = line.split_once("listening on ") {
                let url = rest.split([',', '\n']).next().unwrap().trim().to_owned();
                let said = Arc::new(Mutex::new(said));
                listen_to(lines, Arc::clone(&said));
                return Ok(Engine { process, client: Client::new(url), said });
            }
            said.push_back(line);
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Keeps the last lines of what the engine says, so that it never waits for us.
fn listen_to(lines: BufReader<ChildStderr>, said: Arc<Mutex<VecDeque<String>>>) {
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            if said.len() >= 100 {
                said.pop_front();
            }
            said.push_back(line);
        }
    });
}

/// A running engine.
pub struct Engine {
    process: Child,
    pub client: Client,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Engine {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`; afterwards the data directory is free.
    pub fn kill(mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "it ended by itself: {:#?}", self.said());
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop with SIGTERM, and waits for its end.
    pub fn stop(mut self) -> Ended {
        let id = rustix::process::Pid::from_child(&self.process);
        // Gone already where it ended by itself.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let status = until("the engine ends", || self.process.try_wait().unwrap());
        Ended { status, said: self.said() }
    }

    /// What it said lately.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().cloned().collect()
    }

    /// Memory in use, in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Already gone after `kill`.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the engine said last: {:#?}", self.said());
        }
    }
}

/// Speaks to an engine; cheap to clone.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub url: String,
}

/// Status and body; `None` where the connection was lost, so nothing is known.
pub type Answer = Option<(u16, Value)>;

impl Client {
    pub fn new(url: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_connections_per_host(16)
            .build();
        Self { agent: agent.into(), url }
    }

    /// Host and port, for raw sockets.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn try_get(&self, path: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.url));
        read(request.header("authorization", &format!("Bearer {KEY}")).call())
    }

    pub fn try_post(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url));
        read(request.header("authorization", &format!("Bearer {KEY}")).send_json(body))
    }

    pub fn try_delete(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.delete(format!("{}{path}", self.url)).force_send_body();
        read(request.header("authorization", &format!("Bearer {KEY}")).send_json(body))
    }

    /// What `Retry-After` says in the answer to an event, with the status.
    pub fn retry_after(&self, event: &Value) -> Option<(u16, Option<u64>)> {
        let request = self.agent.post(format!("{}/v1/events", self.url));
        let answer = request.header("authorization", &format!("Bearer {KEY}")).send_json(event).ok()?;
        let after = answer.headers().get("retry-after").and_then(|text| text.to_str().ok()?.parse().ok());
        Some((answer.status().as_u16(), after))
    }

    pub fn try_restock(&self, delivery: &str, sku: &str) -> Answer {
        let (body, signature) = restock(delivery, sku);
        let request = self.agent.post(format!("{}/v1/webhooks/inventory", self.url));
        read(request.header("x-signature", &signature).content_type("application/json").send(body.as_bytes()))
    }

    /// A GET that must succeed.
    pub fn get(&self, path: &str) -> Value {
        good(path, self.try_get(path))
    }

    /// A POST that must succeed.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        good(path, self.try_post(path, body))
    }

    /// A signed restock that must be accepted.
    pub fn restock(&self, delivery: &str, sku: &str) -> Value {
        good("the webhook", self.try_restock(delivery, sku))
    }

    /// Many press "notify me", in order, through the batch endpoint.
    pub fn press_many(&self, emails: impl IntoIterator<Item = String>, sku: &str) {
        let mut emails = emails.into_iter().peekable();
        while emails.peek().is_some() {
            let events: Vec<Value> = emails.by_ref().take(BATCH).map(|email| press(&email, sku)).collect();
            let answer = self.post("/v1/events/batch", &json!({ "events": events }));
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), events.len());
            for result in results {
                assert_eq!(result["stored"], true, "{result}");
                assert!(result.get("listsError").is_none(), "{result}");
            }
        }
    }

    /// The campaign of a SKU, whose counts add up.
    pub fn campaign_of(&self, sku: &str) -> Option<Value> {
        let list = format!("restock-{sku}");
        let all = self.get("/v1/campaigns?limit=200");
        let mut found = all["campaigns"].as_array().unwrap().iter().filter(|it| it["audienceId"] == *list);
        let campaign = found.next().cloned();
        assert!(found.next().is_none(), "two campaigns of one SKU on one day: {all}");
        campaign.inspect(add_up)
    }

    /// Everybody on a list, in the order they came; nobody is on it twice.
    pub fn members(&self, list: &str) -> Vec<String> {
        let (mut all, mut cursor, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
        loop {
            let page = self.get(&format!("/v1/lists/{list}/members?limit=1000{cursor}"));
            for member in page["members"].as_array().unwrap() {
                let email = member["email"].as_str().unwrap().to_owned();
                assert!(seen.insert(email.clone()), "twice on one list: {member}");
                all.push(email);
            }
            let Some(next) = page["cursor"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    /// All campaigns, whose counts add up.
    pub fn campaigns(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("/v1/campaigns?limit=200&offset={}", all.len()));
            let campaigns = page["campaigns"].as_array().unwrap();
            campaigns.iter().for_each(add_up);
            all.extend(campaigns.iter().cloned());
            if page["hasMore"] != true {
                return all;
            }
        }
    }

    /// A campaign, whose counts add up.
    pub fn campaign(&self, id: &str) -> Value {
        let campaign = self.get(&format!("/v1/campaigns/{id}"));
        add_up(&campaign);
        campaign
    }
}

/// The event of somebody who presses "notify me".
pub fn press(email: &str, sku: &str) -> Value {
    let list = format!("restock-{sku}");
    json!({ "name": "product.waitlisted", "email": email, "lists": { list: true } })
}

/// The body of a restock and its signature.
pub fn restock(delivery: &str, sku: &str) -> (String, String) {
    let body = json!({
        "delivery_id": delivery, "type": "restock", "sku": sku, "product_name": format!("The {sku}"),
        "quantity": 5,
    })
    .to_string();
    let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
    (body, signature)
}

/// The conservation law, on the wire.
pub fn add_up(campaign: &Value) {
    let parts = ["pending", "started", "deferred", "sent", "failed", "skipped", "inDoubt"];
    let sum: u64 = parts.iter().map(|part| count(campaign, part)).sum();
    assert_eq!(campaign["totalRecipients"].as_u64().unwrap(), sum, "{campaign}");
}

/// One of a campaign's counts.
pub fn count(campaign: &Value, part: &str) -> u64 {
    campaign[format!("{part}Count")].as_u64().unwrap()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.ok()?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(64 << 20).read_json().ok()?;
    Some((status, body))
}

fn good(path: &str, answer: Answer) -> Value {
    let (status, body) = answer.unwrap_or_else(|| panic!("no answer to {path}"));
    assert!((200..300).contains(&status), "{path}: {status} {body}");
    body
}
