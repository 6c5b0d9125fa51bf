//! Directories to damage: made by a real engine, copied for each case, looked at by the real binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use restockd::boot::{BootError, boot};
use restockd_engine::clock::Clock;
use restockd_testkit::app::{App, Plan};
use restockd_testkit::process::copy_dir as copy;
use serde_json::{Value, json};

/// What a run of the binary said.
pub struct Said {
    pub code: i32,
    pub out: String,
}

/// A data directory of its own.
pub struct Case {
    dir: tempfile::TempDir,
    plan: Plan,
}

impl Case {
    /// A copy of what an engine left.
    pub fn of(plan: &Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&plan.data(), &dir.path().join("data"));
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir, plan: plan.clone() }
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs the real binary; its copies go to a directory of ours, which must be empty afterwards.
    pub fn run(&self, more: &[&str]) -> Said {
        let temporary = self.dir.path().join("tmp");
        let out = Command::new(env!("CARGO_BIN_EXE_restockd"))
            .args(["check", "--data"])
            .arg(self.data())
            .args(more)
            .env_clear()
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "a copy was left behind");
        let text = [out.stdout, out.stderr].concat();
        let out_text = String::from_utf8(text).unwrap();
        assert!(!out_text.contains("@shop.example"), "an address was told: {out_text}");
        Said { code: out.status.code().unwrap(), out: out_text }
    }

    /// `check`, which must not change a byte.
    pub fn check(&self) -> Said {
        let before = tree(&self.data());
        let said = self.run(&[]);
        assert!(before == tree(&self.data()), "check changed something: {}", said.out);
        said
    }

    /// `check --json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.run(&["--json"]).out).unwrap()
    }

    /// Every file with its bytes; the lock that a repair takes is no data.
    pub fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = tree(&self.data()).into_iter().map(|(path, (bytes, ..))| (path, bytes));
        files.filter(|(path, _)| !path.ends_with("lock")).collect()
    }

    /// A real start on a directory, or why not.
    pub async fn start(&self) -> Result<App, BootError> {
        let mut config = self.plan.config();
        config.data = self.data();
        let running = boot(config, Clock::real()).await?;
        Ok(App::of(running, self.plan.clone()))
    }

    /// Whether a real start succeeds, on a copy.
    pub async fn starts(&self) -> bool {
        let twin = self.twin();
        match twin.start().await {
            Ok(app) => {
                app.crash().await;
                true
            }
            Err(_) => false,
        }
    }

    /// The same again, to be changed.
    pub fn twin(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.data(), &dir.path().join("data"));
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir, plan: self.plan.clone() }
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let names = std::fs::read_dir(self.data().join("wal")).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            names.filter(|path| path.extension().is_some_and(|end| end == "wal")).collect();
        segments.sort();
        segments
    }

    /// The last segment that holds a frame.
    pub fn last_used(&self) -> PathBuf {
        self.segments().into_iter().rfind(|path| !frames(path).is_empty()).unwrap()
    }

    /// The generations' directories, the newest first.
    pub fn generations(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.data().join("snapshots")).unwrap() {
            let path = entry.unwrap().path();
            let number =
                path.file_name().unwrap().to_str().unwrap().strip_prefix("gen-").map(str::parse::<u64>);
            if let Some(Ok(number)) = number {
                found.push((number, path));
            }
        }
        found.sort();
        found.into_iter().rev().map(|(_, path)| path).collect()
    }
}

/// Two snapshots with log before, between and behind them; a campaign with letters that went out.
pub async fn full(backend: &str) -> Plan {
    let mut plan = Plan::new();
    plan.toml = plan.toml.replace("flat", backend);
    let app = plan.start().await;
    for n in 0..4 {
        app.press(&format!("a{n}@shop.example"), "chair").await;
    }
    let (status, _) = app.restock("d1", "chair", 5).await;
    assert_eq!(status, 200);
    let id = app.campaigns().await[0]["id"].as_str().unwrap().to_owned();
    app.campaign_sent(&id).await;
    for round in ["b", "c"] {
        app.post("/v1/admin/snapshot", json!({})).await;
        for n in 0..4 {
            app.press(&format!("{round}{n}@shop.example"), "chair").await;
        }
    }
    app.crash().await
}

/// One snapshot and the whole log.
pub async fn young() -> Plan {
    let app = App::fresh().await;
    for n in 0..4 {
        app.press(&format!("a{n}@shop.example"), "chair").await;
    }
    app.post("/v1/admin/snapshot", json!({})).await;
    app.press("b0@shop.example", "chair").await;
    app.crash().await
}

/// Where the frames of a segment begin and end.
pub fn frames(path: &Path) -> Vec<(usize, usize)> {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut frames) = (4096, Vec::new());
    while let Some(len) = bytes.get(at..at + 4).map(|len| u32::from_le_bytes(len.try_into().unwrap())) {
        if len == 0 {
            break;
        }
        let end = at + (32 + len as usize).next_multiple_of(8);
        frames.push((at, end));
        at = end;
    }
    frames
}

/// Flips bits of one byte.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x5a;
    std::fs::write(path, bytes).unwrap();
}

/// Every file and directory with its bytes, its permissions and its time.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::fs::Permissions, std::time::SystemTime)> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![dir.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::metadata(&path).unwrap();
            let bytes = if meta.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, (bytes, meta.permissions(), meta.modified().unwrap()));
        }
    }
    all
}
