//! libFuzzer's end of the target `batch`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: restockd_fuzz::plant("batch"), |data: &[u8]| (restockd_fuzz::target("batch").body)(data));
