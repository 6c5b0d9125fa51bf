//! `restockd dkim new`: makes a key file that only its owner can read, and prints what to do with it.
//!
//! An Ed25519 key is a random seed and made here. RSA needs primes: a crate for that would be the heaviest of all for one
//! use a year, so the system's `openssl` makes the key. An existing file is never overwritten: DNS may still name its key.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, anyhow, bail};

use restockd_mail::{Dkim, DkimKey};

const RSA_BITS: &str = "2048";

pub(super) fn new(domain: &str, selector: &str, out: &Path, ed25519: bool) -> anyhow::Result<ExitCode> {
    let pem =
        if ed25519 { DkimKey::new_ed25519().context("this machine has no random bytes")? } else { rsa()? };
    let key = DkimKey::from_pem(&pem).map_err(|why| anyhow!("the new key does not do: {why}"))?;
    let dkim = Dkim::new(domain, vec![(selector.to_owned(), key)])?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let path = out.join(format!("{domain}.{selector}.pem"));
    let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already; choose another --selector, DNS may still name its key",
                path.display()
            )
        }
        file => file.with_context(|| format!("cannot make {}", path.display()))?,
    };
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    let prefix = if ed25519 { "ed25519_" } else { "" };
    println!("# the key is in {}; in restockd.toml:", path.display());
    println!("[mail.dkim]\ndomain = {:?}\n{prefix}selector = {selector:?}", dkim.domain());
    println!("{prefix}key_file = {:?}", path.display().to_string());
    println!("# in DNS, before letters are signed with it:");
    for (name, value) in dkim.records() {
        print!("{}", super::records::line(&name, &value));
    }
    Ok(ExitCode::SUCCESS)
}

/// Has openssl make an RSA key.
fn rsa() -> anyhow::Result<String> {
    let manual = || {
        format!(
            "make the key elsewhere with `openssl genrsa {RSA_BITS}` and name it as mail.dkim.key_file, or make one \
             with --ed25519"
        )
    };
    let made = Command::new("openssl").args(["genrsa", RSA_BITS]).output();
    let made = made.with_context(|| format!("openssl, which makes RSA keys, cannot be run; {}", manual()))?;
    if !made.status.success() {
        bail!("openssl made no RSA key; {}", manual());
    }
    String::from_utf8(made.stdout).context("openssl made no PEM text")
}
