//! restockd
pub mod codec;
pub mod domain;
pub mod token;
pub mod render;
pub mod clock;
pub mod mail;
pub mod store;
pub mod wal;
#[path = "../actors/mod.rs"]
pub mod actors;
