//! Signing in: with a password by PLAIN or LOGIN, with a bearer token by XOAUTH2.
//!
//! ```text
//!  AUTH PLAIN <\0user\0password>                            ─ 235
//!  AUTH LOGIN ─ 334 ─ <user> ─ 334 ─ <password>             ─ 235
//!  AUTH XOAUTH2 <user=…^Aauth=Bearer …^A^A>                 ─ 235
//!                                           ─ 334 <reason> ─ (empty line) ─ 535
//! ```
//!
//! Invariants: a server may repeat a secret in any later reply, also in the greeting of a later connection, and it never
//! gets into an outcome ([`SignIn::is_contained_in`]); a refused sign-in is the shop's fault and defers.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;

use super::super::DeliveryOutcome;
use super::super::OauthToken;
use super::super::transport_url::Credentials;
use super::connect::{offered, refused_connection, trouble};
use super::reply::Reply;
use super::wire::Wire;

/// Shorter parts of a reply are not taken for the password.
const ECHO_BYTES_MIN: usize = 4;
const WHAT: &str = "the mail server does not let us sign in";

/// The credentials, and the secrets that a server may therefore repeat.
pub(super) struct SignIn {
    user: String,
    with: With,
    /// The token that was sent last; it is kept out of outcomes until the next one is sent.
    given: Mutex<String>,
}

enum With {
    Password(String),
    Token(OauthToken),
}

impl SignIn {
    /// `None` when user, password and token do not make one way to sign in.
    pub(super) fn new(who: &Credentials, token: Option<&OauthToken>) -> Option<SignIn> {
        let with = match (&who.password, token) {
            (Some(password), None) => With::Password(password.clone()),
            (None, Some(token)) => With::Token(token.clone()),
            _ => return None,
        };
        Some(SignIn { user: who.user.clone(), with, given: Mutex::default() })
    }

    /// Whether a server's reply contains our secret.
    pub(super) fn is_contained_in(&self, reply: &str) -> bool {
        let secret = match &self.with {
            With::Password(password) => password.clone(),
            With::Token(_) => self.given.lock().clone(),
        };
        self.forms(&secret).iter().any(|it| it.len() >= ECHO_BYTES_MIN && reply.contains(it))
    }

    /// A secret in each form in which a server has it.
    fn forms(&self, secret: &str) -> Vec<String> {
        let plain = BASE64.encode(format!("\0{}\0{secret}", self.user));
        vec![secret.to_owned(), BASE64.encode(secret), plain, self.bearer(secret)]
    }

    fn bearer(&self, token: &str) -> String {
        BASE64.encode(format!("user={}\x01auth=Bearer {token}\x01\x01", self.user))
    }

    /// Signs in with a mechanism that the server offers.
    pub(super) async fn run(
        &self,
        wire: &mut Wire,
        offers: &Reply,
        limit: Duration,
    ) -> Result<(), DeliveryOutcome> {
        let methods = offered(offers, "AUTH").unwrap_or_default().to_ascii_uppercase();
        let offers = |method| methods.split_ascii_whitespace().any(|offered| offered == method);
        let (secret, steps) = match &self.with {
            With::Password(password) if offers("PLAIN") => {
                let both = BASE64.encode(format!("\0{}\0{password}", self.user));
                (password.clone(), vec![format!("AUTH PLAIN {both}")])
            }
            With::Password(password) if offers("LOGIN") => {
                let (user, word) = (BASE64.encode(&self.user), BASE64.encode(password));
                (password.clone(), vec!["AUTH LOGIN".to_owned(), user, word])
            }
            With::Password(_) => {
                return Err(trouble(WHAT, "it offers neither AUTH PLAIN nor AUTH LOGIN"));
            }
            With::Token(_) if !offers("XOAUTH2") => {
                return Err(trouble(WHAT, "it does not offer AUTH XOAUTH2"));
            }
            With::Token(token) => {
                let token = token.now().await.map_err(|why| trouble("there is no mail token", why))?;
                self.given.lock().clone_from(&token);
                let step = format!("AUTH XOAUTH2 {}", self.bearer(&token));
                (token, vec![step])
            }
        };
        let last = steps.len() - 1;
        for (i, step) in steps.iter().enumerate() {
            let mut reply = wire.ask(step, limit).await.map_err(|e| trouble(WHAT, e))?;
            if reply.code == 334 && matches!(self.with, With::Token(_)) {
                // The server's reason is in base64 and may quote the token; an empty line asks for the refusal itself.
                reply = wire.ask("", limit).await.map_err(|e| trouble(WHAT, e))?;
            }
            if reply.code != if i == last { 235 } else { 334 } {
                return Err(self.refused(&reply, &secret, &steps));
            }
        }
        Ok(())
    }

    /// The outcome of a refusal: with the server's reply, unless that repeats what was sent.
    fn refused(&self, reply: &Reply, secret: &str, steps: &[String]) -> DeliveryOutcome {
        let said = reply.text();
        let forms = self.forms(secret);
        let sent = steps.iter().filter_map(|step| step.rsplit(' ').next()).filter(|word| *word != "LOGIN");
        let mut sent = sent.chain(forms.iter().map(String::as_str)).filter(|it| it.len() >= ECHO_BYTES_MIN);
        if sent.any(|secret| said.contains(secret)) {
            return trouble(WHAT, format!("{}, and it repeats what we sent", reply.code));
        }
        refused_connection(WHAT, reply)
    }
}

/// Shows no secret.
impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignIn(<secret>)")
    }
}
