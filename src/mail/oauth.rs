//! The bearer token that stands for a password (XOAUTH2), and where the fresh one is.
//!
//! Such a token lives for an hour or so. Whoever renews it writes it into a file, whole, by renaming; the file is read at
//! each sign-in, so nothing has to be told or restarted. A token that cannot be had defers letters, as any trouble before
//! a connection does. `Debug` shows none.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a token at most; a command line with more is taken by no server (RFC 4954, 4: 12,288 with its base64).
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Where the token comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum OauthToken {
    /// Always this one.
    Fixed(String),
    /// Whatever stands in this file at the moment.
    File(PathBuf),
}

impl OauthToken {
    /// The token to sign in with now, or why there is none.
    pub(super) async fn now(&self) -> Result<String, String> {
        let text = match self {
            OauthToken::Fixed(token) => token.clone(),
            OauthToken::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                read.unwrap_or_else(|_| Err("the reading task was stopped".to_owned()))?
            }
        };
        let token = text.trim();
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the token is not one word of ASCII".to_owned());
        }
        Ok(token.to_owned())
    }
}

/// A little more than a token's bytes at most.
fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("the token file cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(TOKEN_BYTES_MAX as u64 + 64).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

impl fmt::Debug for OauthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OauthToken::Fixed(_) => f.write_str("OauthToken(<secret>)"),
            OauthToken::File(path) => write!(f, "OauthToken({})", path.display()),
        }
    }
}
