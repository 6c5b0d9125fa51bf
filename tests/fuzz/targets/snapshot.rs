//! libFuzzer's end of the target `snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: restockd_fuzz::plant("snapshot"), |data: &[u8]| (restockd_fuzz::target("snapshot").body)(data));
