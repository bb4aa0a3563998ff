//! Texts that the load generator is given: files of dperf, scripts, what a run has to reach, URLs, and
//! configurations. Whatever is refused is refused with a reason.
#![no_main]
use std::path::Path;

use tidewheel::config::load::Url;
use tidewheel::config::{Purpose, Source, resolve};
use tidewheel::load::dperf::Dperf;
use tidewheel::load::pass::Criteria;
use tidewheel::load::{script, unit::Unit};

libfuzzer_sys::fuzz_target!(|data: &str| {
    // The first character chooses the kind.
    let mut chars = data.chars();
    let kind = chars.next();
    let text = chars.as_str();
    let refused = match kind {
        Some('d') => dperf(text),
        Some('s') => scripted(text),
        Some('p') => criteria(text),
        Some('u') => text.parse::<Url>().err(),
        _ => configured(text),
    };
    if let Some(why) = refused {
        assert!(!why.trim().is_empty());
    }
});

fn dperf(text: &str) -> Option<String> {
    let read = Dperf::parse("fuzz.conf", text).and_then(|file| {
        let mut source = Source::from_text("fuzz.toml", "")?;
        file.apply(&mut source)?;
        resolve(&source, Purpose::Load).map(|_| ())
    });
    read.err().map(|why| why.to_string())
}

fn scripted(text: &str) -> Option<String> {
    // What the script names as a file is not to be opened.
    if text.contains("file") || text.contains('\\') {
        return None;
    }
    let read = Source::from_text("fuzz.toml", text)
        .and_then(|source| script::build(&source, Path::new("/nonexistent")));
    read.err().map(|why| why.to_string())
}

fn criteria(text: &str) -> Option<String> {
    let known = [
        ("errors", Unit::Number),
        ("p99", Unit::Time),
        ("loss", Unit::Share),
    ];
    match Criteria::parse(text, &known.map(|(name, unit)| (name.to_owned(), unit))) {
        Ok(criteria) => {
            let verdict = criteria.judge(|name| (name != "loss").then_some(1.0));
            drop(verdict);
            None
        }
        Err(why) => Some(why),
    }
}

fn configured(text: &str) -> Option<String> {
    let read = Source::from_text("fuzz.toml", text)
        .and_then(|source| resolve(&source, Purpose::Load));
    read.err().map(|why| why.to_string())
}
