//! libFuzzer's end of the target `smtp`.
#![no_main]

libfuzzer_sys::fuzz_target!(init: restockd_fuzz::plant("smtp"), |data: &[u8]| (restockd_fuzz::target("smtp").body)(data));
