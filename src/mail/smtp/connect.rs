//! Opens a connection that is ready for a letter: TCP, TLS, EHLO, AUTH.
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
//! * with `smtp://` only EHLO and STARTTLS cross the wire in clear: without TLS, no letter and no password;
//! * what the server said before TLS is forgotten;
//! * any failure here is the shop's or the server's, never a recipient's: it defers in [`SmtpPhase::Connection`], with
//!   [`FaultSource::Shop`].

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::super::transport_url::{Relay, Safety};
use super::super::{
    DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, MailError, MailOptions, SmtpPhase,
};
use super::auth::SignIn;
use super::reply::{Reply, presentable};
use super::wire::{Stream, Wire};

/// How long a goodbye may take: the letters are settled already.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the couriers of one mailer share.
#[derive(Debug)]
pub(in super::super) struct SmtpClient {
    relay: Relay,
    pub(super) options: MailOptions,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    sign_in: Option<SignIn>,
}

impl SmtpClient {
    /// An outcome without the password. A server that was given it may repeat it at any time, also in the greeting of a later
    /// connection; of such a reply nothing is kept.
    pub(super) fn without_secret(&self, outcome: DeliveryOutcome) -> DeliveryOutcome {
        let said = outcome.diagnostic.to_string();
        if !self.sign_in.as_ref().is_some_and(|sign_in| sign_in.is_contained_in(&said)) {
            return outcome;
        }
        let words = "the mail server's words hold our password and are not repeated";
        DeliveryOutcome { diagnostic: Diagnostic::own(words, outcome.diagnostic.fault), ..outcome }
    }

    /// Checks the options and prepares TLS.
    pub(in super::super) fn new(relay: Relay, options: MailOptions) -> Result<SmtpClient, MailError> {
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
        Ok(SmtpClient { relay, options, tls, sign_in })
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

/// The outcome when there is no connection because of something on the way to the server.
pub(super) fn trouble(what: &str, why: impl std::fmt::Display) -> DeliveryOutcome {
    let said = Diagnostic::own(presentable(&format!("{what}: {why}")), FaultSource::Shop);
    DeliveryOutcome::new(DeliveryResult::Deferred, SmtpPhase::Connection, said)
}

/// The outcome when there is no connection because the server refuses it.
pub(super) fn refused_connection(what: &str, reply: &Reply) -> DeliveryOutcome {
    let outcome = reply.own_fault(SmtpPhase::Connection);
    DeliveryOutcome { diagnostic: outcome.diagnostic.within(what), ..outcome }
}

/// An open connection between two letters.
pub(super) struct Connection {
    pub(super) wire: Wire,
    /// Letters that came to an outcome on it.
    pub(super) letters: u32,
    /// Whether a letter was begun on it.
    pub(super) used: bool,
    pub(super) pipelining: bool,
    pub(super) utf8: bool,
    pub(super) command_timeout: Duration,
    pub(super) dot_timeout: Duration,
    opened: Instant,
    /// When the server last answered.
    heard: Instant,
}

impl Connection {
    /// Connects, sets up TLS, greets and signs in.
    pub(super) async fn open(post: &SmtpClient) -> Result<Connection, DeliveryOutcome> {
        let (stream, name) = dial(post).await?;
        Self::greet(post, Box::new(stream), &name).await
    }

    /// Sets up TLS on an open stream, greets and signs in.
    pub(super) async fn greet(
        post: &SmtpClient,
        stream: Box<dyn Stream>,
        name: &str,
    ) -> Result<Connection, DeliveryOutcome> {
        let met = Self::meet(post, stream, name).await;
        met.map_err(|outcome| post.without_secret(outcome))
    }

    async fn meet(
        post: &SmtpClient,
        stream: Box<dyn Stream>,
        name: &str,
    ) -> Result<Connection, DeliveryOutcome> {
        let limit = post.options.command_timeout;
        let mut wire = match post.relay.safety {
            Safety::Tls => Wire::protected(protect(post, stream).await?),
            Safety::StartTls | Safety::Opportunistic | Safety::Plain => Wire::plain(stream),
        };
        let greeting = wire.reply(limit).await.map_err(|e| trouble("no greeting from the mail server", e))?;
        if greeting.code != 220 {
            return Err(refused_connection("the mail server turned us away", &greeting));
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
        let now = Instant::now();
        Ok(Connection {
            wire,
            letters: 0,
            used: false,
            pipelining: offered(&offers, "PIPELINING").is_some(),
            utf8: offered(&offers, "SMTPUTF8").is_some(),
            command_timeout: limit,
            dot_timeout: post.options.dot_timeout,
            opened: now,
            heard: now,
        })
    }

    /// Whether it has carried its number of letters or is too old.
    pub(super) fn is_spent(&self, post: &SmtpClient) -> bool {
        self.letters >= post.options.letters_per_connection
            || self.opened.elapsed() >= post.options.connection_age
    }

    /// Whether it has been idle for so long that the server may have closed it.
    pub(super) fn is_rested(&self, post: &SmtpClient) -> bool {
        self.heard.elapsed() > post.options.connection_idle
    }

    /// Whether a letter may start on it, as far as this side knows without asking.
    pub(super) fn is_good(&self, post: &SmtpClient) -> bool {
        !self.is_spent(post) && !self.is_rested(post)
    }

    /// Notes that the server has just answered.
    pub(super) fn answered(&mut self) {
        self.heard = Instant::now();
    }

    /// Sends RSET; `false` when the connection can no longer be used.
    pub(super) async fn reset(&mut self) -> bool {
        let limit = self.command_timeout.min(Duration::from_secs(10));
        let good = self.wire.ask("RSET", limit).await.is_ok_and(|reply| reply.is_positive());
        self.answered();
        good
    }

    /// Sends QUIT and waits a moment for the reply.
    pub(super) async fn quit(mut self) {
        if let Err(error) = self.wire.ask("QUIT", FAREWELL).await {
            tracing::debug!(mail.error = %error, "the mail server did not say goodbye");
        }
    }
}

/// Connects to the first address that answers; each gets a share of the time, so that one dead address among several does
/// not use it up. Also returns the name to greet with.
async fn dial(post: &SmtpClient) -> Result<(TcpStream, String), DeliveryOutcome> {
    let limit = post.options.connect_timeout;
    let (host, port) = (post.relay.host.as_str(), post.relay.port);
    let found = timeout(limit, lookup_host((host, port))).await;
    let found = found.map_err(|_| trouble("the mail server's name was not found", "no answer in time"))?;
    let addresses: Vec<_> = found.map_err(|e| trouble("the mail server's name was not found", e))?.collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = trouble("the mail server's name was not found", "it has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Err(_) => last = trouble("the mail server cannot be reached", "no answer in time"),
            Ok(Err(error)) => last = trouble("the mail server cannot be reached", error),
            Ok(Ok(stream)) => {
                let ready = stream.set_nodelay(true).and_then(|()| stream.local_addr());
                let local = ready.map_err(|e| trouble("the mail server cannot be reached", e))?;
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

async fn protect(post: &SmtpClient, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, DeliveryOutcome> {
    let what = "no protected connection to the mail server";
    let (config, name) = post.tls.as_ref().ok_or_else(|| trouble(what, "TLS is not set up"))?;
    let handshake = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream);
    match timeout(post.options.connect_timeout, handshake).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(trouble(what, error)),
        Err(_) => Err(trouble(what, "no answer in time")),
    }
}

async fn start_tls(
    post: &SmtpClient,
    mut wire: Wire,
    offers: &Reply,
    limit: Duration,
) -> Result<Wire, DeliveryOutcome> {
    let what = "no protected connection to the mail server";
    if offered(offers, "STARTTLS").is_none() {
        return Err(trouble(what, "it does not offer STARTTLS, and without it nothing is sent"));
    }
    let reply = wire.ask("STARTTLS", limit).await.map_err(|e| trouble(what, e))?;
    if reply.code != 220 {
        return Err(refused_connection(what, &reply));
    }
    let stream = wire.into_inner().map_err(|e| trouble(what, e))?;
    Ok(Wire::protected(protect(post, stream).await?))
}

async fn hello(wire: &mut Wire, name: &str, limit: Duration) -> Result<Reply, DeliveryOutcome> {
    let what = "the mail server does not take our greeting";
    let reply = wire.ask(&format!("EHLO {name}"), limit).await.map_err(|e| trouble(what, e))?;
    if reply.is_positive() { Ok(reply) } else { Err(refused_connection(what, &reply)) }
}

/// The parameters of an extension: `Some("")` for a bare keyword, `None` when it is not offered.
pub(super) fn offered<'a>(offers: &'a Reply, keyword: &str) -> Option<&'a str> {
    offers.lines.iter().skip(1).find_map(|line| {
        let (word, rest) = line.split_once([' ', '=']).unwrap_or((line.as_str(), ""));
        word.eq_ignore_ascii_case(keyword).then_some(rest)
    })
}
