//! A whole engine in a temporary directory: the real boot, log and actors, mail into memory.
//!
//! It ends as a crash would, without a last snapshot, and its directory is deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use restockd::boot::{Running, boot};
use restockd::config::{Config, Flags};
use restockd_core::Email;
use restockd_engine::Engine;
use restockd_engine::api::{EventInput, Identity};
use restockd_engine::clock::Clock;
use restockd_mail::MemoryTransport;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::size;

/// Events in one call while an engine is filled.
const SLICE: usize = 1000;

pub struct LiveEngine {
    pub runtime: Runtime,
    pub engine: Engine,
    running: Option<Running>,
    _dir: TempDir,
}

impl LiveEngine {
    /// With the default settings except for the mail connections, and without snapshots in between.
    pub fn new(clock: Clock, connections: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("restockd.toml");
        let (mib, never) = (size(64, 1), "snapshot_every = \"24h\"\nsnapshot_every_mib = 100000");
        let toml = format!("[engine]\nsegment_mib = {mib}\n{never}\n[mail]\nconnections = {connections}\n");
        std::fs::write(&file, toml).unwrap();
        let env = BTreeMap::from([
            ("RESTOCKD_API_KEY", "admin-key"),
            ("RESTOCKD_MAIL", "memory:"),
            ("RESTOCKD_LISTEN", "127.0.0.1:0"),
            ("RESTOCKD_PUBLIC_URL", "https://shop.example"),
        ]);
        let flags = Flags { data: Some(dir.path().join("data")), ..Flags::default() };
        let config =
            Config::load(Some(&file), |key| env.get(key).map(|it| (*it).to_owned()), &flags).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let running = runtime.block_on(boot(config, clock)).unwrap();
        Self { runtime, engine: running.engine.clone(), running: Some(running), _dir: dir }
    }

    pub fn outbox(&self) -> Arc<MemoryTransport> {
        self.running.as_ref().and_then(|running| running.outbox.clone()).unwrap()
    }

    /// Shoppers press for a SKU, in order.
    pub fn press(&self, shoppers: std::ops::Range<usize>, sku: &str) {
        let events: Vec<EventInput> = shoppers.map(|p| press(p, sku)).collect();
        for slice in events.chunks(SLICE) {
            let answers = self.runtime.block_on(self.engine.ingest_batch(slice.to_vec())).unwrap();
            assert!(answers.iter().all(|answer| answer.stored && answer.lists_error.is_none()));
        }
    }
}

/// A shopper presses, without a key.
pub fn press(p: usize, sku: &str) -> EventInput {
    EventInput {
        name: "product.waitlisted".to_owned(),
        who: Identity { email: Email::parse(&format!("shopper.{p}@mail.example")), ..Identity::default() },
        lists: vec![(format!("restock-{sku}"), true)],
        ..EventInput::default()
    }
}

impl Drop for LiveEngine {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.crash());
        }
    }
}
