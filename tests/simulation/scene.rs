//! What all worlds of a run share: settings, templates, secrets.

use std::sync::Arc;

use restockd::config::{Config, Flags};
use restockd_core::Catalog;
use restockd_engine::Settings;
use restockd_engine::token::Secrets;
use restockd_render::Templates;

/// Made once.
pub struct Scene {
    pub settings: Settings,
    pub catalog: Catalog,
    pub templates: Arc<Templates>,
    pub secrets: Secrets,
    /// Tell the story of each seed: `RESTOCKD_STORY=1`.
    pub story: bool,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    pub fn new() -> Self {
        let config = Config::load(None, |_| None, &Flags::default()).unwrap();
        let settings = Settings { window: 4, permits: 64, ..config.engine };
        // Its clock is never driven: no deadline of the door falls due by real time.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self {
            settings,
            catalog: config.catalog,
            templates: Arc::new(Templates::built_in()),
            secrets: Secrets::new(&[7; 80]),
            story: std::env::var_os("RESTOCKD_STORY").is_some(),
            runtime,
        }
    }

    /// Where the door's futures may be polled.
    pub fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.runtime.enter()
    }
}
