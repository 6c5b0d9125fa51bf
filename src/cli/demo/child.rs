//! The demo's own engine: the same binary as a child process, spoken to over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::http;
use crate::token;

/// A running engine.
pub(super) struct Child {
    process: std::process::Child,
    client: Client,
}

/// What speaks to it.
#[derive(Clone)]
pub(super) struct Client {
    agent: ureq::Agent,
    url: String,
    key: String,
    secret: String,
}

impl Child {
    /// Starts `restockd serve` on a directory and waits until it listens.
    pub(super) fn start(dir: &Path, rate: u32) -> anyhow::Result<Self> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let (key, secret) = random.split_at(16);
        let (key, secret) = (token::hex(key), token::hex(secret));
        let mut process = Command::new(std::env::current_exe().context("cannot find this program")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir)
            .env("RESTOCKD_API_KEY", &key)
            .env("INVENTORY_WEBHOOK_SECRET", &secret)
            .env("RESTOCKD_MAIL", format!("folder:{}", dir.join("outbox").display()))
            .env("RESTOCKD_MAIL_RATE", format!("{rate}/s"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the engine")?;
        let lines = process.stderr.take().context("the engine has no standard error")?;
        let mut lines = BufReader::new(lines).lines();
        let mut said = Vec::new();
        let url = loop {
            let Some(Ok(line)) = lines.next() else {
                bail!("the engine did not start: {}", said.join(" / "));
            };
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(',').next().unwrap_or(rest).to_owned();
            }
            said.push(line);
        };
        // The rest of what it says is read and dropped, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .build()
            .into();
        Ok(Self { process, client: Client { agent, url, key, secret } })
    }

    /// What speaks to it.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().context("cannot kill the engine")?;
        self.process.wait().context("cannot wait for the engine")?;
        Ok(())
    }

    /// SIGTERM, and its end.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .context("cannot stop the engine")?;
        let status = self.process.wait().context("cannot wait for the engine")?;
        if !status.success() {
            bail!("the engine did not stop well: {status}");
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Already gone where the demo went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Client {
    /// A GET.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let bearer = format!("Bearer {}", self.key);
        let answer = self.agent.get(format!("{}{path}", self.url)).header("authorization", &bearer).call();
        read(path, answer)
    }

    /// A POST of JSON.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let bearer = format!("Bearer {}", self.key);
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", &bearer);
        read(path, request.send_json(body))
    }

    /// A signed restock.
    pub(super) fn restock(
        &self,
        delivery: &str,
        sku: &str,
        name: &str,
        quantity: i64,
    ) -> anyhow::Result<Value> {
        let body = json!({
            "delivery_id": delivery, "type": "restock", "sku": sku, "product_name": name, "quantity": quantity,
        })
        .to_string();
        let signature = http::sign(self.secret.as_bytes(), body.as_bytes());
        let path = "/v1/webhooks/inventory";
        let request = self.agent.post(format!("{}{path}", self.url)).header("x-signature", &signature);
        read(path, request.content_type("application/json").send(body.as_bytes()))
    }
}

/// The body of a good answer.
fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
    let mut answer = answer.with_context(|| format!("no answer to {path}"))?;
    let status = answer.status();
    let body: Value = answer.body_mut().read_json().with_context(|| format!("no JSON from {path}"))?;
    if !status.is_success() {
        bail!("{path} was answered {status}: {body}");
    }
    Ok(body)
}

/// Lets time pass between two looks at the engine.
pub(super) fn rest(span: Duration) {
    std::thread::sleep(span);
}
