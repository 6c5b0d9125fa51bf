//! Other servers, for benches to compare with: found, started on a free port, waited for, asked for their processor time,
//! and stopped by their process id, however the bench ends.
//!
//! A [`Server`] that is dropped is told to stop and waited for, which covers a normal end and a panic. Behind `setpriv`
//! (util-linux) the kernel also signals it when the bench dies in any other way; its directory then stays in the bench's.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::until;

/// Where a program is, in the search path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A loopback port on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A user of the system.
#[derive(Clone, Copy)]
pub struct User {
    pub id: u32,
    pub group: u32,
}

/// The command line to put before a server's own, so that the kernel sends the server this signal when the bench dies, and
/// that it runs as this user if one is given.
pub fn lead(signal: &str, user: Option<User>) -> Vec<OsString> {
    let Some(setpriv) = find("setpriv") else {
        assert!(user.is_none(), "setpriv (of util-linux) is needed to start a server as another user");
        return Vec::new();
    };
    let mut words = vec![setpriv.into(), "--pdeathsig".into(), signal.into()];
    if let Some(user) = user {
        let user = [format!("--reuid={}", user.id), format!("--regid={}", user.group)];
        words.extend(user.map(Into::into));
        words.push("--clear-groups".into());
    }
    words
}

pub struct Server {
    child: Child,
    signal: Signal,
    said: PathBuf,
}

impl Server {
    /// Starts a server in this directory; `signal` stops it in order.
    pub fn start(words: &[OsString], dir: &Path, signal: Signal) -> Self {
        let said = dir.join("said");
        let out = File::create(&said).unwrap();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, signal, said }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it serves; fails with its output when it ends.
    pub fn ready(&mut self, mut serves: impl FnMut() -> bool) {
        until("the server serves", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended, {status}: {}", fs::read_to_string(&self.said).unwrap());
            }
            serves().then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process is gone already where it ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), self.signal);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said: {}", fs::read_to_string(&self.said).unwrap_or_default());
        }
    }
}

/// The processor time that a process and its children have used.
pub fn processor_time(id: u32) -> Duration {
    let ticks: u64 = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            // The process may be gone; its time then counts for its parent.
            let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            // The name in parentheses may hold anything; after it come the state, the parent, …
            let numbers: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
            let sum =
                |from: usize, to: usize| numbers[from..to].iter().flat_map(|it| it.parse::<u64>()).sum();
            let own: u64 = sum(11, 13);
            // Ended children count for the server, but not for this process: its children are other servers.
            let ended: u64 = if id == std::process::id() { 0 } else { sum(13, 15) };
            if process == id {
                return Some(own + ended);
            }
            let child = numbers[1].parse() == Ok(id) && id != std::process::id();
            child.then_some(own)
        })
        .sum();
    // Linux reports a hundredth of a second as one tick.
    Duration::from_millis(ticks * 10)
}
