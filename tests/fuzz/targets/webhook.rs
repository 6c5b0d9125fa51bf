//! libFuzzer's end of the target `webhook`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: restockd_fuzz::plant("webhook"), |data: &[u8]| (restockd_fuzz::target("webhook").body)(data));
