//! `restockd check` and `--repair` on damaged directories: what is said, that nothing changes, that the start agrees.
#![allow(clippy::unwrap_used, dead_code)]

mod cut;
mod damage;
mod newer;
mod place;
mod plain;
