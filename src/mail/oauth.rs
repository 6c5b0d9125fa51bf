//! The bearer token that replaces a password (XOAUTH2).
//!
//! Such a token is valid for an hour or so. Whatever renews it writes a whole new file and renames it; the file is read at
//! each sign-in, so nothing has to be notified or restarted. When the token cannot be read, letters are deferred, as by any
//! failure before a connection. `Debug` shows no token.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a token, at most: no server takes a longer command line (RFC 4954, 4: 12,288 with the base64).
const TOKEN_BYTES_MAX: usize = 8 << 10;

#[derive(Clone, PartialEq, Eq)]
pub enum OauthToken {
    /// A fixed token.
    Fixed(String),
    /// The token that is in this file at the time of each sign-in.
    File(PathBuf),
}

impl OauthToken {
    /// The token to sign in with now, or the reason why there is none.
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

/// Reads slightly more than a token may have, so that an overlong one is noticed.
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
