//! An engine in a child process, called over HTTP.
//!
//! The demo and the load harness start it; it never outlives them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::http;
use restockd_engine::token;

/// Settings that every new engine is given.
const KEY: &str = "RESTOCKD_API_KEY";
const SECRET: &str = "INVENTORY_WEBHOOK_SECRET";

/// An engine's process that listens.
pub struct Child {
    process: std::process::Child,
    client: Client,
}

/// Calls an engine over HTTP.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    key: String,
    secret: String,
}

impl Child {
    /// Starts `serve` of this program on a directory and waits until it listens.
    ///
    /// # Errors
    /// Why it does not listen.
    pub fn start(
        program: &Path,
        dir: &Path,
        config: Option<&Path>,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut args: Vec<&OsStr> = ["serve", "--listen", "127.0.0.1:0", "--data"].map(OsStr::new).to_vec();
        args.push(dir.as_ref());
        args.extend(config.into_iter().flat_map(|file| ["--config".as_ref(), file.as_os_str()]));
        Self::spawn(program, &args, settings)
    }

    /// Starts a program with these arguments, and with a new key and webhook secret unless the settings name them. Waits
    /// until it prints the address that it listens on.
    ///
    /// # Errors
    /// Why it does not listen.
    pub fn spawn(program: &Path, args: &[&OsStr], settings: &[(&str, String)]) -> anyhow::Result<Self> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let (key, secret) = random.split_at(16);
        let named = |name| settings.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone());
        let key = named(KEY).unwrap_or_else(|| token::hex(key));
        let secret = named(SECRET).unwrap_or_else(|| token::hex(secret));
        let mut process = Command::new(program)
            .args(args)
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .env(KEY, &key)
            .env(SECRET, &secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
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
        // The rest of its output is read and dropped, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, client: Client::new(url, key, secret) })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A client with the engine's key and secret.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Kills the process, like `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed or waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().context("cannot kill the engine")?;
        self.process.wait().context("cannot wait for the engine")?;
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When the process ends with an error.
    pub fn stop(mut self) -> anyhow::Result<()> {
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
        // The process is gone already where everything went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Client {
    /// A client that uses this key, and signs webhooks with this secret.
    pub fn new(url: String, key: String, secret: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .build()
            .into();
        Self { agent, url, key, secret }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// # Errors
    /// When there is no answer, or one that is not a 2xx.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let bearer = format!("Bearer {}", self.key);
        let answer = self.agent.get(format!("{}{path}", self.url)).header("authorization", &bearer).call();
        read(path, answer)
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// When there is no answer, or one that is not a 2xx.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let bearer = format!("Bearer {}", self.key);
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", &bearer);
        read(path, request.send_json(body))
    }

    /// Sends a signed restock.
    ///
    /// # Errors
    /// When there is no answer, or one that is not a 2xx.
    pub fn restock(&self, delivery: &str, sku: &str, name: &str, quantity: i64) -> anyhow::Result<Value> {
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

/// The body of a 2xx answer.
fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
    let mut answer = answer.with_context(|| format!("no answer to {path}"))?;
    let status = answer.status();
    let body: Value = answer.body_mut().read_json().with_context(|| format!("no JSON from {path}"))?;
    if !status.is_success() {
        bail!("{path} was answered {status}: {body}");
    }
    Ok(body)
}
