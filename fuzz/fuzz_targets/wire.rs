//! Bytes into every parser.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tidewheel_fuzz::wire::run(data));
