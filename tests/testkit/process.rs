//! The engine as a process of its own: started, called through `client`, killed with `kill -9`.
//!
//! A [`Place`] is a directory with an environment; each [`Place::start`] on it is a restart. An [`Engine`] that is dropped is
//! killed.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use crate::client::*;
pub use crate::{KEY, SECRET};

/// The longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(180);

/// Looks until there is a result. This is the only pause of the harness: what is waited for happens in another process,
/// which cannot wake this one, and a loop without a pause would take the processor from it.
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

/// The engine's program, next to the running test or bench, where cargo builds it with the tests of its package.
pub fn program() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this.parent().and_then(Path::parent).unwrap().join("restockd");
    assert!(program.is_file(), "there is no {}; build it with `cargo build -p restockd`", program.display());
    program
}

/// What an engine runs on: a temporary directory, its environment, its configuration.
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

    /// Moves the data directory elsewhere: to a file system that is cut or filled.
    pub fn data_in(mut self, data: PathBuf) -> Self {
        self.data = data;
        self
    }

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

    /// The folder to which a `folder:` transport without a path of its own writes.
    pub fn outbox(&self) -> PathBuf {
        self.dir().join("outbox")
    }

    /// Starts the engine and waits until it listens.
    pub fn start(&self) -> Engine {
        self.spawn(&[]).listening().unwrap_or_else(|ended| panic!("the engine did not start: {ended:#?}"))
    }

    /// Starts the process; with `through`, behind another program's command line.
    pub fn spawn(&self, through: &[OsString]) -> Starting {
        let config = self.dir().join("restockd.toml");
        std::fs::write(&config, &self.toml).unwrap();
        let engine = OsString::from(program());
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

/// A process that does not listen yet; killed when dropped.
pub struct Starting {
    process: Option<Child>,
    lines: Option<BufReader<ChildStderr>>,
}

/// How a process ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub said: Vec<String>,
}

impl Starting {
    /// Waits until the process listens, or ends.
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

/// Reads the engine's output, so that it never blocks on a full pipe, and keeps the last lines.
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

pub struct Engine {
    process: Child,
    pub client: Client,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Engine {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills the process, like `kill -9`; afterwards the data directory is free.
    pub fn kill(mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "it ended by itself: {:#?}", self.said());
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Ended {
        let id = rustix::process::Pid::from_child(&self.process);
        // The process is gone already where it ended by itself.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let status = until("the engine ends", || self.process.try_wait().unwrap());
        Ended { status, said: self.said() }
    }

    /// The last lines of its output.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().iter().cloned().collect()
    }

    /// Resident memory, in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The process is gone already after `kill`.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the engine said last: {:#?}", self.said());
        }
    }
}

/// Copies a directory with all that lies below it.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
