//! Bytes into both ends of HTTP.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tidewheel_fuzz::http::run(data));
