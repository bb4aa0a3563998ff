//! Segments, calls and time, relative to the connections' own state.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tidewheel_fuzz::segments::run(data));
