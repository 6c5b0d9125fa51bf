//! What every actor holds: the log, the clock, the secrets, the settings, and the way to the others.
//!
//! Nothing in here is anybody's state. The mailboxes open once, after all actors are
//! spawned and before the first message.

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
    /// False: restocks are counted and open nothing.
    pub enabled: bool,
    /// The template's key.
    pub template: String,
    /// The subject; `{product}` stands for the product's name, an empty one for the template's own.
    pub subject: String,
    /// Where a product is, for lists that do not say it themselves.
    pub product_url: Option<UrlPattern>,
    /// Where its picture is, likewise.
    pub image_url: Option<UrlPattern>,
    /// Letters in doubt are sent again.
    pub resend_doubt: bool,
    /// Each rule campaign's own pace.
    pub rate: Option<Rate>,
    /// How old a letter of one may become, if not as old as any.
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

/// What the actors are told about how to behave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The restock rule.
    pub rule: RuleSettings,
    /// Offset of the shop's zone from UTC at an instant, in seconds.
    pub zone: fn(Millis, &str) -> i32,
    /// The shop's zone by name (`UTC`).
    pub zone_name: String,
    /// The pace over all campaigns.
    pub rate: Option<Rate>,
    /// Who receives what, and how fast.
    pub shaping: Arc<Plan>,
    /// How deferred letters come back.
    pub retry: Retry,
    /// Nobody is mailed twice for one SKU within this span by two rule campaigns; 0 is off.
    pub renotify_after_ms: u64,
    /// So many soft bounces give an address up.
    pub soft_bounces: u8,
    /// Within this span.
    pub soft_window_ms: u64,
    /// A person who was mailed by a rule campaign leaves its list.
    pub leave_after_send: bool,
    /// Letters fetched or in flight in one campaign at most.
    pub window: usize,
    /// List actors awake at most.
    pub lists_awake: usize,
    /// A list that nobody talks to goes to rest after this.
    pub rest_after_ms: u64,
    /// A checkpoint round runs after this much time.
    pub snapshot_every_ms: u64,
    /// A checkpoint round runs after this much log.
    pub snapshot_every_bytes: u64,
    /// Requests admitted at once.
    pub permits: usize,
    /// How long a request waits for its answer.
    pub deadline_ms: u64,
    /// How long a stop waits for mail servers' replies.
    pub stop_wait_ms: u64,
    /// Idempotency keys remembered at most.
    pub keys_max: usize,
    /// Where links in mails lead.
    pub public_url: String,
    /// The sender.
    pub from: Address,
    /// The shop's name in mails.
    pub shop_name: String,
    /// The postal address in the footer.
    pub postal_address: String,
    /// How what comes of a letter finds its way back.
    pub envelope: Envelope,
}

/// How bounces, complaints and statistics find their way back; each is off unless set.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// Where bounces go, to `bounce+<token>@` it; to the sender unless set.
    pub bounce_domain: Option<String>,
    /// The sender's id at the end of `Feedback-ID`.
    pub feedback_id: Option<String>,
    /// Where receivers send complaints, by `CFBL-Address`.
    pub cfbl_address: Option<Address>,
}

/// Ends the process: the log failed, or an actor died.
#[derive(Debug, Clone)]
pub struct Fatal(watch::Sender<Option<String>>, Arc<AtomicBool>);

impl Fatal {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(None), Arc::default())
    }

    /// From here on the actors end because they are told to.
    pub(crate) fn expect_the_end(&self) {
        self.1.store(true, Ordering::Release);
    }

    /// The first reason stays.
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

    /// True once something failed.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Follows it.
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
    /// The log.
    pub log: Log,
    /// Time.
    pub clock: Clock,
    /// Signing and hashing.
    pub secrets: Secrets,
    /// Declared lists.
    pub catalog: Catalog,
    /// Templates of mails and pages.
    pub templates: Arc<Templates>,
    /// How to behave.
    pub settings: Settings,
    /// The way out when all is lost.
    pub fatal: Fatal,
    /// The newest campaigns.
    pub recent: Recent,
    /// The way to the other actors.
    pub mailboxes: Mailboxes,
}

/// A record as the log takes it.
pub(crate) fn logged(Encoded { kind, version, bytes }: Encoded) -> Record {
    Record { kind, version, bytes }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// Appends a record; the part is done when it is durable.
    pub(crate) fn append(&self, record: Encoded, ack: AckGuard) {
        self.log.append(logged(record), ack.ticket());
    }

    /// Appends a record that nobody waits for.
    pub(crate) fn append_quiet(&self, record: Encoded) {
        self.log.append_quiet(logged(record));
    }

    /// The part is done when all that was appended before is durable.
    pub fn barrier(&self, ack: AckGuard) {
        self.log.barrier_at_once(ack.ticket());
    }

    /// The stamp of an author's next record.
    #[must_use]
    pub(crate) fn stamp(&self, seq: u64, at: Millis) -> Stamp {
        Stamp { seq, at }
    }

    /// Sends a message to a list's actor; one to an actor that is gone is dropped, for the engine is ending then.
    pub(crate) fn cast<M: ractor::Message>(&self, to: &ActorRef<M>, message: M) {
        if to.cast(message).is_err() && !self.log.poisoned() {
            tracing::debug!("a message found its actor gone; the engine is ending");
        }
    }
}
