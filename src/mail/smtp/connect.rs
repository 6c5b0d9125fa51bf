//! From nothing to a connection that is ready for a letter: TCP, TLS, EHLO, AUTH.
//!
//! ```text
//!  smtp://           connect ─ 220 ─ EHLO ─ STARTTLS ─ 220 ─ TLS ─ EHLO ─ AUTH
//!  smtp+opportunistic://  the same where STARTTLS is offered, else as smtp+insecure://
//!  smtps://          connect ─ TLS ─ 220 ─ EHLO ─ AUTH
//!  smtp+insecure://  connect ─ 220 ─ EHLO ─ AUTH (to this machine only)
//! ```
//!
//! Invariants:
//!
//! * with `smtp://` nothing but EHLO and STARTTLS crosses the wire in clear: no TLS, no letter and no password;
//! * what the server said before TLS is forgotten;
//! * whatever fails here is the shop's or the server's trouble, never a recipient's: it defers, *not reached*.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::super::setting::{Relay, Safety};
use super::super::{MailError, MailOptions, Verdict};
use super::auth::SignIn;
use super::reply::{Reply, presentable};
use super::wire::{Stream, Wire};

/// How long a goodbye may take: the letters are safe already.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything that couriers of one mailer share.
#[derive(Debug)]
pub(in super::super) struct Post {
    relay: Relay,
    pub(super) options: MailOptions,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    sign_in: Option<SignIn>,
}

impl Post {
    /// A server's words without our password: one that was given it may say it at any time, also in the greeting of
    /// a later connection.
    pub(super) fn hush(&self, reply: String) -> String {
        match &self.sign_in {
            Some(sign_in) => sign_in.hush(reply),
            None => reply,
        }
    }

    /// Checks the options and prepares TLS.
    pub(in super::super) fn new(relay: Relay, options: MailOptions) -> Result<Post, MailError> {
        if let Some(name) = &options.hello_name {
            let good = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
            if name.is_empty() || name.len() > 255 || !name.bytes().all(good) {
                return Err(MailError::Option { name: "hello_name", reason: "it is not a host name" });
            }
        }
        let tls = match relay.safety {
            Safety::Plain => None,
            Safety::StartTls | Safety::Tls | Safety::Opportunistic => {
                let name = ServerName::try_from(relay.host.clone())
                    .map_err(|_| MailError::Setting("the host is not a name that a certificate can carry"))?;
                Some((Arc::new(client_config(&options)?), name))
            }
        };
        let sign_in = match &relay.credentials {
            None if options.oauth.is_some() => {
                return Err(MailError::Setting("a mail token needs a user, as in smtp://user@host"));
            }
            None => None,
            Some(who) => Some(SignIn::new(who, options.oauth.as_ref()).ok_or(MailError::Setting(
                "a user needs a password, separated by a colon, or a mail token, and not both",
            ))?),
        };
        Ok(Post { relay, options, tls, sign_in })
    }

    pub(in super::super) fn relay(&self) -> &Relay {
        &self.relay
    }
}

fn client_config(options: &MailOptions) -> Result<ClientConfig, MailError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &options.ca_file {
        let refuse = |reason: String| MailError::Authorities { path: path.clone(), reason };
        let found = CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))?;
        let before = roots.len();
        for certificate in found {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(refuse("it holds no certificate".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(MailError::Tls)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reply: String,
    throttled: bool,
}

impl Trouble {
    pub(super) fn new(what: &str, why: impl std::fmt::Display) -> Trouble {
        Trouble { reply: presentable(&format!("{what}: {why}")), throttled: false }
    }

    pub(super) fn refused(what: &str, reply: &Reply) -> Trouble {
        Trouble { throttled: reply.is_throttle(), ..Trouble::new(what, reply.shown()) }
    }

    pub(super) fn into_verdict(self) -> Verdict {
        Verdict::Deferred { reply: self.reply, throttled: self.throttled, reached: false }
    }
}

/// An open connection between two letters.
pub(super) struct Connection {
    pub(super) wire: Wire,
    /// Letters that were carried to their verdict.
    pub(super) letters: u32,
    pub(super) pipelining: bool,
    pub(super) utf8: bool,
    pub(super) command_timeout: Duration,
    pub(super) dot_timeout: Duration,
    opened: Instant,
}

impl Connection {
    /// Connects, protects, greets and signs in.
    pub(super) async fn open(post: &Post) -> Result<Connection, Trouble> {
        let (stream, name) = dial(post).await?;
        Self::greet(post, Box::new(stream), &name).await
    }

    /// Protects a stream that is there, greets and signs in.
    pub(super) async fn greet(
        post: &Post,
        stream: Box<dyn Stream>,
        name: &str,
    ) -> Result<Connection, Trouble> {
        let met = Self::meet(post, stream, name).await;
        met.map_err(|trouble| Trouble { reply: post.hush(trouble.reply), ..trouble })
    }

    async fn meet(post: &Post, stream: Box<dyn Stream>, name: &str) -> Result<Connection, Trouble> {
        let limit = post.options.command_timeout;
        let mut wire = match post.relay.safety {
            Safety::Tls => Wire::protected(protect(post, stream).await?),
            Safety::StartTls | Safety::Opportunistic | Safety::Plain => Wire::plain(stream),
        };
        let greeting =
            wire.reply(limit).await.map_err(|e| Trouble::new("no greeting from the mail server", e))?;
        if greeting.code != 220 {
            return Err(Trouble::refused("the mail server turned us away", &greeting));
        }
        let mut offers = hello(&mut wire, name, limit).await?;
        let upgrade = match post.relay.safety {
            Safety::StartTls => true,
            Safety::Opportunistic => offered(&offers, "STARTTLS").is_some(),
            Safety::Tls | Safety::Plain => false,
        };
        if upgrade {
            wire = start_tls(post, wire, &offers, limit).await?;
            offers = hello(&mut wire, name, limit).await?;
        }
        if let Some(sign_in) = &post.sign_in {
            sign_in.run(&mut wire, &offers, limit).await?;
        }
        Ok(Connection {
            wire,
            letters: 0,
            pipelining: offered(&offers, "PIPELINING").is_some(),
            utf8: offered(&offers, "SMTPUTF8").is_some(),
            command_timeout: limit,
            dot_timeout: post.options.dot_timeout,
            opened: Instant::now(),
        })
    }

    /// Whether it has carried its share or is too old.
    pub(super) fn is_spent(&self, post: &Post) -> bool {
        self.letters >= post.options.letters_per_connection
            || self.opened.elapsed() >= post.options.connection_age
    }

    /// Forgets a refused transaction; `false` when the connection is of no more use.
    pub(super) async fn reset(&mut self) -> bool {
        let limit = self.command_timeout.min(Duration::from_secs(10));
        self.wire.ask("RSET", limit).await.is_ok_and(|reply| reply.is_positive())
    }

    /// Says goodbye and waits a moment for the answer.
    pub(super) async fn quit(mut self) {
        if let Err(error) = self.wire.ask("QUIT", FAREWELL).await {
            tracing::debug!(mail.error = %error, "the mail server did not say goodbye");
        }
    }
}

/// Connects to the first address that answers; each gets its share of the time, so that one dead address among
/// several does not use it up. Also answers the name to greet with.
async fn dial(post: &Post) -> Result<(TcpStream, String), Trouble> {
    let limit = post.options.connect_timeout;
    let (host, port) = (post.relay.host.as_str(), post.relay.port);
    let found = timeout(limit, lookup_host((host, port))).await;
    let found =
        found.map_err(|_| Trouble::new("the mail server's name was not found", "no answer in time"))?;
    let addresses: Vec<_> =
        found.map_err(|e| Trouble::new("the mail server's name was not found", e))?.collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = Trouble::new("the mail server's name was not found", "it has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Err(_) => last = Trouble::new("the mail server cannot be reached", "no answer in time"),
            Ok(Err(error)) => last = Trouble::new("the mail server cannot be reached", error),
            Ok(Ok(stream)) => {
                let ready = stream.set_nodelay(true).and_then(|()| stream.local_addr());
                let local = ready.map_err(|e| Trouble::new("the mail server cannot be reached", e))?;
                let name = match (&post.options.hello_name, local.ip()) {
                    (Some(name), _) => name.clone(),
                    (None, std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
                    (None, std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
                };
                return Ok((stream, name));
            }
        }
    }
    Err(last)
}

async fn protect(post: &Post, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Trouble> {
    let what = "no protected connection to the mail server";
    let (config, name) = post.tls.as_ref().ok_or_else(|| Trouble::new(what, "TLS is not set up"))?;
    let handshake = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream);
    match timeout(post.options.connect_timeout, handshake).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(Trouble::new(what, error)),
        Err(_) => Err(Trouble::new(what, "no answer in time")),
    }
}

async fn start_tls(post: &Post, mut wire: Wire, offers: &Reply, limit: Duration) -> Result<Wire, Trouble> {
    let what = "no protected connection to the mail server";
    if offered(offers, "STARTTLS").is_none() {
        return Err(Trouble::new(what, "it does not offer STARTTLS, and without it nothing is sent"));
    }
    let reply = wire.ask("STARTTLS", limit).await.map_err(|e| Trouble::new(what, e))?;
    if reply.code != 220 {
        return Err(Trouble::refused(what, &reply));
    }
    let stream = wire.into_inner().map_err(|e| Trouble::new(what, e))?;
    Ok(Wire::protected(protect(post, stream).await?))
}

async fn hello(wire: &mut Wire, name: &str, limit: Duration) -> Result<Reply, Trouble> {
    let what = "the mail server does not take our greeting";
    let reply = wire.ask(&format!("EHLO {name}"), limit).await.map_err(|e| Trouble::new(what, e))?;
    if reply.is_positive() { Ok(reply) } else { Err(Trouble::refused(what, &reply)) }
}

/// What the server says about an extension: `Some("")` for a bare keyword, `None` when it is not offered.
pub(super) fn offered<'a>(offers: &'a Reply, keyword: &str) -> Option<&'a str> {
    offers.lines.iter().skip(1).find_map(|line| {
        let (word, rest) = line.split_once([' ', '=']).unwrap_or((line.as_str(), ""));
        word.eq_ignore_ascii_case(keyword).then_some(rest)
    })
}
