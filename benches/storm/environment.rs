//! The environment of a storm: an engine of its own or one that already runs, and the ceiling beside it.

use std::ffi::OsStr;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use restockd::cli::child::{Child, Client};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::args::StormArgs;
use super::procstat::{self, ProcessSample};
use super::wire::Endpoint;

pub(super) struct Environment {
    /// The storm's own engine; `None` when the engine already runs.
    child: Option<Child>,
    /// The bare routes, once they were started.
    ceiling: Option<Child>,
    pub(super) client: Client,
    /// The engine's program; empty when the engine already runs.
    engine: PathBuf,
    dir: Option<PathBuf>,
    config: Option<PathBuf>,
    settings: Vec<(&'static str, String)>,
    cores: Option<CpuSet>,
    /// True when the data directory was made here and is deleted at the end.
    temporary: bool,
}

impl Environment {
    /// Starts what the arguments ask for.
    pub(super) fn new(args: &StormArgs, settings: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let cores = args.engine_cores.as_deref().map(cores_of).transpose()?;
        if let Some(url) = &args.url {
            let (Some(key), Some(secret)) = (&args.key, &args.secret) else {
                bail!("a running engine needs RESTOCKD_API_KEY (an admin key) and INVENTORY_WEBHOOK_SECRET");
            };
            let client = Client::new(url.trim_end_matches('/').to_owned(), key.clone(), secret.clone());
            client.get("/v1/ready").context("the engine is not ready")?;
            return Ok(Self {
                child: None,
                ceiling: None,
                client,
                engine: PathBuf::new(),
                dir: None,
                config: None,
                settings,
                cores,
                temporary: false,
            });
        }
        let engine = engine(args.engine.as_deref())?;
        let temporary = args.data.is_none();
        let dir = args
            .data
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("restockd-storm-{}", std::process::id())));
        ensure!(
            !dir.join("secrets").exists(),
            "{} holds data already; choose an empty directory",
            dir.display()
        );
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let config = args.config.clone();
        let child = on(cores.as_ref(), || Child::start(&engine, &dir, config.as_deref(), &settings))?;
        let client = child.client();
        let dir = Some(dir);
        Ok(Self {
            child: Some(child),
            ceiling: None,
            client,
            engine,
            dir,
            config,
            settings,
            cores,
            temporary,
        })
    }

    /// The address and the key of the engine.
    pub(super) fn endpoint(&self) -> anyhow::Result<Endpoint> {
        endpoint(&self.client)
    }

    /// The address of the bare routes, which start at the first call, and their process id.
    pub(super) fn ceiling(&mut self) -> anyhow::Result<(Endpoint, u32)> {
        if self.ceiling.is_none() {
            let secret = vec![("INVENTORY_WEBHOOK_SECRET", self.client.secret().to_owned())];
            let this = std::env::current_exe().context("cannot find this program")?;
            let args = [OsStr::new("ceiling")];
            self.ceiling = Some(on(self.cores.as_ref(), || Child::spawn(&this, &args, &secret))?);
        }
        let ceiling = self.ceiling.as_ref().context("the ceiling is gone")?;
        Ok((endpoint(&ceiling.client())?, ceiling.pid()))
    }

    /// The process id of the storm's own engine.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// What the engine's process has used so far.
    pub(super) fn look(&self) -> ProcessSample {
        self.pid().map(procstat::look).unwrap_or_default()
    }

    /// The data directory of the storm's own engine.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Kills the engine (`kill -9`) and starts it on the same directory; false when it is not the storm's own.
    pub(super) fn restart(&mut self) -> anyhow::Result<bool> {
        let (Some(child), Some(dir)) = (&mut self.child, &self.dir) else { return Ok(false) };
        child.kill()?;
        let (engine, config) = (&self.engine, self.config.as_deref());
        let child = on(self.cores.as_ref(), || Child::start(engine, dir, config, &self.settings))?;
        self.client = child.client();
        self.child = Some(child);
        Ok(true)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // Both processes end with their handles; their data is deleted unless the arguments name a directory.
        (self.child, self.ceiling) = (None, None);
        if let Some(dir) = self.dir.as_ref().filter(|_| self.temporary) {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// The engine's program: the given one, or the `restockd` in the directory of this program.
fn engine(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named {
        ensure!(named.is_file(), "--engine: {} is no file", named.display());
        return Ok(named.to_owned());
    }
    let beside = std::env::current_exe().context("cannot find this program")?.with_file_name("restockd");
    if !beside.is_file() {
        let profile = match beside.parent().and_then(Path::file_name).and_then(OsStr::to_str) {
            Some("release") => "--release".to_owned(),
            Some(name) if name != "debug" => format!("--profile {name}"),
            _ => "--profile dev".to_owned(),
        };
        bail!(
            "there is no engine at {}: build it with `cargo build {profile} -p restockd`, or name one with --engine",
            beside.display(),
        );
    }
    Ok(beside)
}

fn endpoint(client: &Client) -> anyhow::Result<Endpoint> {
    let host = client.url().strip_prefix("http://").context("the storm speaks plain http:// only")?;
    let addr = host.to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?.next();
    let mut bearer = hyper::header::HeaderValue::from_str(&format!("Bearer {}", client.key()))?;
    bearer.set_sensitive(true);
    Ok(Endpoint { addr: addr.with_context(|| format!("{host} has no address"))?, bearer })
}

/// Keeps this thread, and every thread that it starts, on these cores.
pub(super) fn keep_on(cores: &str) -> anyhow::Result<()> {
    sched_setaffinity(None, &cores_of(cores)?).context("cannot keep the load on these cores")
}

/// Starts something on these cores: a child inherits them from the thread that starts it.
fn on<T>(cores: Option<&CpuSet>, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let Some(cores) = cores else { return start() };
    let before = sched_getaffinity(None)?;
    sched_setaffinity(None, cores).context("cannot keep the engine on these cores")?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}

/// Reads core numbers such as `0` or `0,2`.
fn cores_of(text: &str) -> anyhow::Result<CpuSet> {
    let mut cores = CpuSet::new();
    for core in text.split(',') {
        let core: usize =
            core.trim().parse().with_context(|| format!("{text:?} is no list of cores, as in 0,1"))?;
        ensure!(core < CpuSet::MAX_CPU, "there is no core {core}");
        cores.set(core);
    }
    Ok(cores)
}
