//! A PostgreSQL instance of the bench's own, in a new directory, as a user who may run it.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use restockd_testkit::servers::{Server, User, find, free_port, lead};
use rustix::process::{Signal, geteuid};

/// The directory of the server's programs, where it is installed.
pub fn programs() -> Option<PathBuf> {
    let both = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let in_path = find("postgres").and_then(|file| Some(file.canonicalize().ok()?.parent()?.to_owned()));
    in_path.filter(both).or_else(|| {
        // Debian keeps them out of the search path, by version.
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let version = |dir: &PathBuf| dir.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let dirs = versions.map(|entry| entry.path()).filter(|dir| both(&dir.join("bin")));
        dirs.max_by_key(version).map(|dir| dir.join("bin"))
    })
}

/// A new instance that serves, and its port.
pub fn start(dir: &Path, connections: usize) -> (Server, u16) {
    let (programs, data, port) = (programs().unwrap(), dir.join("data"), free_port());
    // PostgreSQL refuses to run as root.
    let user = geteuid().is_root().then(unprivileged);
    fs::create_dir(&data).unwrap();
    if let Some(user) = user {
        chown(dir, Some(user.id), Some(user.group)).unwrap();
        chown(&data, Some(user.id), Some(user.group)).unwrap();
    }
    let words = |program: &str| {
        let mut words = lead("INT", user);
        words.extend([programs.join(program).into(), OsString::from("-D"), data.clone().into()]);
        words
    };
    let mut init = words("initdb");
    init.extend(["-U", "shop", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"].map(Into::into));
    let made = Command::new(&init[0]).args(&init[1..]).current_dir(dir).output().unwrap();
    assert!(
        made.status.success(),
        "initdb: {}\nIts user may not be able to pass to {}: RESTOCKD_DATA may name another directory.",
        String::from_utf8_lossy(&made.stderr),
        dir.display()
    );
    let mut words = words("postgres");
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        format!("max_connections={connections}"),
        "fsync=on".to_owned(),
        "synchronous_commit=on".to_owned(),
        "shared_buffers=512MB".to_owned(),
        "min_wal_size=2GB".to_owned(),
        "max_wal_size=8GB".to_owned(),
    ];
    words.extend(settings.into_iter().flat_map(|setting| [OsString::from("-c"), setting.into()]));
    let mut server = Server::start(&words, dir, Signal::INT);
    // The eighth line of this file is the state of the server.
    let state = data.join("postmaster.pid");
    server.ready(|| {
        fs::read_to_string(&state)
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|it| it.trim() == "ready"))
    });
    (server, port)
}

/// The user `postgres`, else `nobody`.
fn unprivileged() -> User {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let mut words = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let words = words.find(|words| words[0] == name)?;
        Some(User { id: words[2].parse().ok()?, group: words[3].parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).unwrap()
}
