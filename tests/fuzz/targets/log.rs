//! libFuzzer's end of the target `log`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: restockd_fuzz::plant("log"), |data: &[u8]| (restockd_fuzz::target("log").body)(data));
