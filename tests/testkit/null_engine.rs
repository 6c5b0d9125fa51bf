//! An engine without actors and disk, which confirms every request at once.
//!
//! With it, what is in front of the engine (HTTP) can be measured by itself, and so can what needs only settings and secrets
//! (letters). The log is on a simulated disk and is never written.

use std::sync::Arc;
use std::time::Duration;

use restockd::config::{Config, Flags};
use restockd_core::directory::{Directory, IngestOutcome};
use restockd_engine::Engine;
use restockd_engine::api::{EventAnswer, RestockAnswer};
use restockd_engine::clock::Clock;
use restockd_engine::context::{Context, Fatal};
use restockd_engine::mailboxes::Mailboxes;
use restockd_engine::messages::{DirectoryMessage, ListMessage, SupervisorMessage};
use restockd_engine::recent::Recent;
use restockd_engine::token::Secrets;
use restockd_journal::disk::Disk;
use restockd_journal::wal::{self, Log, Options};
use restockd_render::Templates;

use crate::disk::SimDisk;
use crate::{KEY, NOON};

fn stored() -> (EventAnswer, IngestOutcome) {
    let outcome = IngestOutcome { stored: true, person: None, created: true, linked: false, problem: None };
    (EventAnswer { stored: true, contact_key: Some("ct_00000001".to_owned()), lists_error: None }, outcome)
}

/// The context of an engine: its settings, and all that handlers need.
pub fn context() -> Arc<Context> {
    let config = Config::load(None, |_| None, &Flags::default()).unwrap();
    let secrets = Secrets::new(&[7; 80]);
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let options = Options::new("/data/wal", secrets.engine);
    let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
    let age = Box::new(|| Duration::ZERO);
    let (log, _) = Log::manual(disk, &options, &read, age, Box::new(|_| ())).unwrap();
    let context = Context {
        log,
        clock: Clock::manual(NOON),
        secrets,
        catalog: config.catalog,
        templates: Arc::new(Templates::built_in()),
        settings: config.engine,
        fatal: Fatal::new(),
        recent: Recent::default(),
        mailboxes: Mailboxes::default(),
    };
    context.mailboxes.directory.open_with(|message| {
        if let DirectoryMessage::Ingest { items, reply } = message {
            reply.when_durable(items.iter().map(|_| Some(stored())).collect());
        }
    });
    context.mailboxes.supervisor.open_with(|message| {
        if let SupervisorMessage::ToList(_, ListMessage::Restock { reply, .. }) = message {
            reply.when_durable(RestockAnswer::Accepted { campaign: None });
        }
    });
    context.mailboxes.campaign.open_with(drop);
    Arc::new(context)
}

/// An engine on that context.
pub fn engine(context: &Arc<Context>) -> Engine {
    let directory = Directory::new(context.secrets.seed(), 1);
    Engine::over(Arc::clone(context), &directory, Some(KEY))
}
