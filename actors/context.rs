//! What every actor holds: log, clock, secrets, settings, and the mailboxes of the others.
//!
//! None of it is an actor's state. The mailboxes open once, after all actors are spawned and before the first message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ractor::ActorRef;
use tokio::sync::watch;

use super::ack::AckGuard;
use super::mailboxes::Mailboxes;
use super::recent::Recent;
use crate::clock::Clock;
use crate::token::Secrets;
use restockd_core::shaping::Plan;
use restockd_core::{Catalog, Millis, Rate, Retry, Span, UrlPattern};
use restockd_journal::wal::{Log, Record};
use restockd_mail::Address;
use restockd_records::{Encoded, Stamp};
use restockd_render::Templates;

/// The built-in rule: an accepted restock opens the campaign of its SKU and day.
#[derive(Debug, Clone)]
pub struct RuleSettings {
    /// When false, restocks are counted and open no campaign.
    pub enabled: bool,
    pub template: String,
    /// `{product}` stands for the product's name; empty for the template's own subject.
    pub subject: String,
    /// The address of a product's page, for lists that set none themselves.
    pub product_url: Option<UrlPattern>,
    /// The address of a product's picture, for lists that set none themselves.
    pub image_url: Option<UrlPattern>,
    /// Whether letters in doubt are sent again; otherwise they are held.
    pub resend_doubt: bool,
    /// The rate of each rule campaign by itself; `None` for no limit besides the others.
    pub rate: Option<Rate>,
    /// How old a letter may become before it expires; `None` for no limit of the rule's own.
    pub max_age: Option<Span>,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            template: "ecommerce/back-in-stock".to_owned(),
            subject: "{product} is back in stock".to_owned(),
            product_url: None,
            image_url: None,
            resend_doubt: false,
            rate: None,
            max_age: None,
        }
    }
}

/// The settings of all actors.
#[derive(Debug, Clone)]
pub struct Settings {
    pub rule: RuleSettings,
    /// The offset from UTC, in seconds, of a named zone at an instant.
    pub zone: fn(Millis, &str) -> i32,
    /// The shop's time zone by name, such as `UTC`.
    pub zone_name: String,
    /// The rate over all campaigns; `None` for no limit.
    pub rate: Option<Rate>,
    /// The receiving providers, and the limits of each.
    pub shaping: Arc<Plan>,
    /// When deferred letters are tried again.
    pub retry: Retry,
    /// Two rule campaigns of one SKU do not mail the same person within this time; 0 turns that off.
    pub renotify_after_ms: u64,
    /// After this many soft bounces within `soft_window_ms` an address is suppressed.
    pub soft_bounces: u8,
    /// The time within which soft bounces are counted.
    pub soft_window_ms: u64,
    /// Whether a person who was mailed by a rule campaign leaves its list.
    pub leave_after_send: bool,
    /// Letters that one campaign may have looked up or in flight at once.
    pub window: usize,
    /// Lists that may be awake at once.
    pub lists_awake: usize,
    /// A list to which nothing was sent for this long is passivated.
    pub rest_after_ms: u64,
    /// Time between two snapshots.
    pub snapshot_every_ms: u64,
    /// Bytes of log after which a snapshot is due.
    pub snapshot_every_bytes: u64,
    /// Requests admitted at once.
    pub permits: usize,
    /// How long a request waits for its answer.
    pub deadline_ms: u64,
    /// How long a stop waits for the replies of mail servers.
    pub stop_wait_ms: u64,
    /// Idempotency keys that are remembered, at most.
    pub keys_max: usize,
    /// The beginning of all links in mails, without a slash at its end.
    pub public_url: String,
    /// The sender of mails that name none of their own.
    pub from: Address,
    pub shop_name: String,
    /// For the footer of mails; may be empty.
    pub postal_address: String,
    pub envelope: Envelope,
}

/// How bounces, complaints and statistics find their way back; each is off unless it is set.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// Bounces go to `bounce+<token>@` this domain; `None`: to the sender.
    pub bounce_domain: Option<String>,
    /// The sender id at the end of `Feedback-ID`.
    pub feedback_id: Option<String>,
    /// Where receivers send complaints (`CFBL-Address`).
    pub cfbl_address: Option<Address>,
}

/// Ends the process when the log has failed or an actor has died.
#[derive(Debug, Clone)]
pub struct Fatal(watch::Sender<Option<String>>, Arc<AtomicBool>);

impl Fatal {
    /// A fresh one: nothing has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(None), Arc::default())
    }

    /// From now on the end of an actor is expected and no failure.
    pub(crate) fn expect_the_end(&self) {
        self.1.store(true, Ordering::Release);
    }

    /// Reports a failure; only the first reason is kept.
    pub(crate) fn end(&self, why: &str) {
        if self.1.load(Ordering::Acquire) {
            return;
        }
        self.0.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                tracing::error!(reason = why, "the engine cannot go on and ends; recovery is the restart");
                *slot = Some(why.to_owned());
            }
            first
        });
    }

    /// True once something has failed.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// A channel that gets the reason of the failure.
    #[must_use]
    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

impl Default for Fatal {
    fn default() -> Self {
        Self::new()
    }
}

/// What every actor holds.
pub struct Context {
    pub log: Log,
    pub clock: Clock,
    /// The secrets that sign links and hash addresses.
    pub secrets: Secrets,
    /// The lists of the configuration.
    pub catalog: Catalog,
    /// The templates of mails and pages.
    pub templates: Arc<Templates>,
    pub settings: Settings,
    /// Where a failure that ends the process is reported.
    pub fatal: Fatal,
    /// The ids of the newest campaigns.
    pub recent: Recent,
    /// The mailboxes of the actors.
    pub mailboxes: Mailboxes,
}

/// An encoded entry as a record of the log.
pub(crate) fn logged(Encoded { kind, version, bytes }: Encoded) -> Record {
    Record { kind, version, bytes }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// Appends a record; the guard is done when it is durable.
    pub(crate) fn append(&self, record: Encoded, ack: AckGuard) {
        self.log.append(logged(record), ack.ticket());
    }

    /// Appends a record that nobody waits for.
    pub(crate) fn append_quiet(&self, record: Encoded) {
        self.log.append_quiet(logged(record));
    }

    /// The guard is done when everything appended so far is durable.
    pub fn barrier(&self, ack: AckGuard) {
        self.log.barrier_at_once(ack.ticket());
    }

    /// The stamp of an author's next record.
    #[must_use]
    pub(crate) fn stamp(&self, seq: u64, at: Millis) -> Stamp {
        Stamp { seq, at }
    }

    /// Sends a message to a list's actor. A message to an actor that is gone is dropped: the engine is ending then.
    pub(crate) fn cast<M: ractor::Message>(&self, to: &ActorRef<M>, message: M) {
        if to.cast(message).is_err() && !self.log.poisoned() {
            tracing::debug!("a message found its actor gone; the engine is ending");
        }
    }
}
