//! Start and stop of the whole program, in order.
//!
//! ```text
//! start  data directory ▶ lock ▶ secrets ▶ templates ▶ mailer ▶ recovery ▶ actors ▶ listen
//! stop   stop listening ▶ finish open requests ▶ letters' replies ▶ snapshot ▶ log closed
//! ```
//!
//! Nothing listens before recovery is complete. One process owns a data directory: the lock is held by an open file and ends
//! with the process, however that ends.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::http::{HttpSettings, Server};
use crate::overrides::{self, OverridesError};
use restockd_core::Catalog;
use restockd_engine::api::Scope;
use restockd_engine::clock::Clock;
use restockd_engine::engine::RecoveryReport;
use restockd_engine::token::Secrets;
use restockd_engine::{Engine, EngineError, StartError, Started};
use restockd_journal::disk::RealDisk;
use restockd_mail::{MailError, Mailer, MemoryTransport};
use restockd_render::{RenderError, Templates};

/// Why the program did not start; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("{what} {path}: {source}{}", hint(.source))]
    File {
        /// What was tried.
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Another process has locked the data directory.
    #[error("another restockd is running on {0}; stop it first, or choose another --data")]
    Locked(PathBuf),
    /// The secrets file is incomplete or missing.
    #[error(
        "{0} is not a secrets file; put the right one back from the backup, links and hashes depend on it"
    )]
    Secrets(PathBuf),
    #[error(transparent)]
    Templates(#[from] RenderError),
    /// The folder of overriding templates cannot be read.
    #[error("templates: {0}")]
    Overrides(#[from] OverridesError),
    /// A setting names a template that does not exist.
    #[error("{key}: there is no template {template:?}; `restockd template list` shows all")]
    NoTemplate {
        /// The name of the setting.
        key: String,
        /// The template that it names.
        template: String,
    },
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// The first key could not be made.
    #[error("the first key could not be made: {0}")]
    Key(#[from] EngineError),
}

/// What to do about an error of the file system, where its text does not say so.
fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => "; the disk is full, make room and start again (nothing is lost)",
        std::io::ErrorKind::PermissionDenied => "; give this user the right to it",
        _ => "",
    }
}

/// A running program: engine and HTTP server.
pub struct Running {
    pub engine: Engine,
    /// The bound address.
    pub addr: SocketAddr,
    /// What recovery found.
    pub report: RecoveryReport,
    /// How mail is sent, without secrets.
    pub mail: String,
    /// The letters of the memory transport, when that is the transport.
    pub outbox: Option<Arc<MemoryTransport>>,
    /// The first key, if this start made one.
    pub first_key: Option<FirstKey>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _lock: File,
}

/// Where the first key was put.
pub enum FirstKey {
    /// To be shown on the terminal, once.
    Show(String),
    /// In a file that only its owner can read.
    File(PathBuf),
}

/// Starts the program.
///
/// # Errors
/// When something is missing, damaged or wrong; nothing listens then.
pub async fn boot(config: Config, clock: Clock) -> Result<Running, BootError> {
    let data = config.data;
    make_dir(&data)?;
    let lock = lock(&data)?;
    let secrets = secrets(&data)?;
    let templates = Arc::new(templates(config.templates.as_deref())?);
    check_template_names(&config.engine.rule.template, &config.catalog, &templates)?;
    let mailer = Mailer::from_url(&config.mail.0, config.mail_options)?;
    let (mail, outbox) = (mailer.describe(), mailer.outbox());
    let (engine, report) = restockd_engine::start(Started {
        disk: Arc::new(RealDisk),
        segment_bytes: config.segment_bytes,
        backend: config.backend,
        clock,
        accept_clock: config.accept_clock,
        secrets,
        catalog: config.catalog,
        templates: Arc::clone(&templates),
        mailer,
        settings: config.engine,
        environment_key: config.api_key.map(|key| key.0),
        data: data.clone(),
    })
    .await?;
    let (first_key, server) = match open(&engine, &data, config.http, templates).await {
        Ok(opened) => opened,
        Err(error) => {
            engine.kill();
            engine.abandon().await;
            return Err(error);
        }
    };
    let addr = server.addr();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(server.run(stopped));
    Ok(Running { engine, addr, report, mail, outbox, first_key, stop, server, _lock: lock })
}

/// Makes the first key if needed, and binds the HTTP server.
async fn open(
    engine: &Engine,
    data: &Path,
    settings: HttpSettings,
    templates: Arc<Templates>,
) -> Result<(Option<FirstKey>, Server), BootError> {
    let first_key = first_key(engine, data).await?;
    let address = settings.listen;
    let server = Server::bind(settings, engine.clone(), templates).await;
    Ok((first_key, server.map_err(|source| BootError::Listen { address, source })?))
}

impl Running {
    /// Stops in order; afterwards the data directory is unlocked.
    pub async fn shut_down(self) {
        // The receiver lives as long as the server.
        let _ = self.stop.send(true);
        let _ = self.server.await;
        self.engine.stop().await;
    }

    /// Ends as a crash would, except for the process: nothing is finished or answered.
    #[cfg(feature = "testing")]
    pub async fn crash(self) {
        self.server.abort();
        let _ = self.server.await;
        self.engine.kill();
        self.engine.abandon().await;
    }
}

/// Makes an admin key at the first start, when there is no key at all.
async fn first_key(engine: &Engine, data: &Path) -> Result<Option<FirstKey>, BootError> {
    if !engine.is_keyless() {
        return Ok(None);
    }
    let (_, key) = engine.mint_key("first key".to_owned(), Scope::Admin).await?;
    if std::io::stdout().is_terminal() {
        return Ok(Some(FirstKey::Show(key)));
    }
    let path = data.join("admin.key");
    write_private(&path, format!("{key}\n").as_bytes())?;
    Ok(Some(FirstKey::File(path)))
}

/// Reads the engine's secrets, or makes them at the first start.
pub fn secrets(data: &Path) -> Result<Secrets, BootError> {
    let path = data.join("secrets");
    match std::fs::read_to_string(&path) {
        Ok(text) => Secrets::parse(&text).ok_or(BootError::Secrets(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if ["wal", "snapshots"].iter().any(|part| data.join(part).exists()) {
                // A log or a snapshot without its secrets is an incomplete backup, not a first start.
                return Err(BootError::Secrets(path));
            }
            let mut random = [0; 80];
            getrandom::fill(&mut random).map_err(|error| BootError::File {
                what: "no random bytes for",
                path: path.clone(),
                source: std::io::Error::other(error),
            })?;
            let secrets = Secrets::new(&random);
            write_private(&path, secrets.text().as_bytes())?;
            Ok(secrets)
        }
        Err(source) => Err(BootError::File { what: "cannot read", path, source }),
    }
}

/// Writes a file that only its owner can read: whole or not at all, and durable.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), BootError> {
    let failed = |source| BootError::File { what: "cannot write", path: path.to_owned(), source };
    let temporary = path.with_extension("tmp");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    let parent = path.parent().unwrap_or(path);
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// Creates the data directory, for its owner only.
fn make_dir(data: &Path) -> Result<(), BootError> {
    let failed = |source| BootError::File { what: "cannot make", path: data.to_owned(), source };
    let new: Vec<&Path> = data.ancestors().take_while(|dir| !dir.exists()).collect();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    // What is acknowledged in it must survive a power cut, so the directory's own name must too.
    for dir in new.into_iter().filter(|dir| !dir.as_os_str().is_empty()) {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = File::open(parent.unwrap_or(Path::new("."))).map_err(failed)?;
        parent.sync_all().map_err(failed)?;
    }
    Ok(())
}

/// Locks a data directory.
pub fn lock(data: &Path) -> Result<File, BootError> {
    let path = data.join("lock");
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|source| BootError::File { what: "cannot open", path, source })?;
    file.try_lock().map_err(|_| BootError::Locked(data.to_owned()))?;
    Ok(file)
}

/// Checks that every template named in the settings exists, so that a wrong name shows at start and not at a restock.
///
/// # Errors
/// The first template that does not exist.
pub fn check_template_names(rule: &str, catalog: &Catalog, templates: &Templates) -> Result<(), BootError> {
    let lists = catalog.templates().map(|(list, template)| (format!("list.{list}.template"), template));
    for (key, template) in std::iter::once(("rule.template".to_owned(), rule)).chain(lists) {
        if !templates.has(template) {
            return Err(BootError::NoTemplate { key, template: template.to_owned() });
        }
    }
    Ok(())
}

/// The built-in templates, overridden by those of a folder.
fn templates(folder: Option<&Path>) -> Result<Templates, BootError> {
    let Some(folder) = folder else { return Ok(Templates::built_in()) };
    Ok(Templates::with_overrides(overrides::read(folder)?)?)
}
