//! Texts as configuration files, and as `--set` flags (a line each) on top of one. Whatever is refused
//! is refused with a reason; what is accepted makes a host's configuration.
#![no_main]
use tidewheel::config::{Purpose, Source, resolve};

libfuzzer_sys::fuzz_target!(|data: &str| {
    let (file, sets) = data.split_once('\0').unwrap_or((data, ""));
    let source = Source::from_text("fuzz.toml", file).and_then(|mut source| {
        for line in sets.lines().take(8) {
            let (path, value) = line.split_once('=').unwrap_or((line, ""));
            source.set("--set", path, value)?;
        }
        Ok(source)
    });
    match source.and_then(|source| resolve(&source, Purpose::Serve)) {
        Ok(config) => {
            let host = config.host(
                wire::MacAddr([2, 0, 0, 0, 0, 1]),
                stack::Offload::default(),
                0,
            );
            host.validate().expect("what was accepted is valid");
        }
        Err(error) => assert!(!error.to_string().trim().is_empty()),
    }
});
