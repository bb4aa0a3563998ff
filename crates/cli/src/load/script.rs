//! Scripts: files that say what is sent over `tcp://`, and which answers are right.
//!
//! ```toml
//! [[step]]
//! expect = { until = "\r\n" }                  # the server speaks first
//! [[step]]
//! send = "HELO load\r\n"
//! expect = { regex = "250[^\n]*\n" }
//! [[step]]
//! send = { hex = "00 01 ff" }
//! expect = { bytes = 1048576 }
//! ```

use std::path::Path;

use load::exchange::{Content, Expect, Pattern, Script, ScriptError, Step};
use serde::Deserialize;

use crate::config::quantity::Bytes;
use crate::config::{self, ConfigError, Source};

/// A script as it is written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    /// Its steps.
    step: Vec<StepTable>,
}

/// One step: `send`, `expect` or both.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct StepTable {
    send: Option<Octets>,
    expect: Option<Expected>,
}

/// Octets: a text, `{ hex = "0d 0a" }`, or the content of `{ file = "NAME" }`.
#[derive(Deserialize, Debug)]
#[serde(
    untagged,
    expecting = "write a text, { hex = \"0d 0a\" } or { file = \"NAME\" }"
)]
enum Octets {
    Text(String),
    Hex(Hex),
    File(InFile),
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct InFile {
    file: String,
}

/// An answer.
#[derive(Deserialize, Debug)]
#[serde(
    untagged,
    expecting = "write a text, or a table with one of: hex, file, bytes (and of), until (and max), regex (and max)"
)]
enum Expected {
    These(Octets),
    /// So many octets: any, or a text over and over.
    Length(Length),
    /// Everything up to and including a text.
    Until(Until),
    /// Everything up to where a regular expression matches all of it.
    Regex(Regex),
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Length {
    bytes: Bytes<1, { 1 << 40 }>,
    of: Option<Octets>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Until {
    until: Octets,
    #[serde(default = "most")]
    max: Most,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Regex {
    regex: String,
    #[serde(default = "most")]
    max: Most,
}

/// The most octets of an answer whose end is looked for.
type Most = Bytes<1, { 1 << 40 }>;

const fn most() -> Most {
    Bytes::of(65_536)
}

/// Reads the script in `file`.
///
/// # Errors
/// It cannot be read or understood; with the place.
pub(super) fn read(file: &Path) -> Result<Script, ConfigError> {
    build(
        &config::read_file(file)?,
        file.parent().unwrap_or(Path::new("")),
    )
}

/// The script in `source`; `folder` is where the files are that it names.
///
/// # Errors
/// It cannot be understood, or a file that it names cannot be read; with the place.
pub fn build(source: &Source, folder: &Path) -> Result<Script, ConfigError> {
    let file: ScriptFile = source.read()?;
    let mut steps = Vec::with_capacity(file.step.len());
    for (at, table) in file.step.iter().enumerate() {
        let wrong = |key: &str, why: String| source.error_at(&format!("step.{at}.{key}"), why);
        let send = match &table.send {
            None => Vec::new(),
            Some(octets) => octets.read(folder).map_err(|why| wrong("send", why))?,
        };
        let expect = match &table.expect {
            None => Expect::Content(Content::any(0)),
            Some(expected) => expected.build(folder).map_err(|why| wrong("expect", why))?,
        };
        steps.push(Step {
            send: send.into(),
            expect,
        });
    }
    Script::new(steps).map_err(|error| {
        let place = match error {
            ScriptError::EmptyStep(step) => format!("step.{}", step - 1),
            _ => "step".to_owned(),
        };
        source.error_at(&place, error.to_string())
    })
}

impl Octets {
    fn read(&self, folder: &Path) -> Result<Vec<u8>, String> {
        match self {
            Octets::Text(text) => Ok(text.clone().into_bytes()),
            Octets::Hex(Hex { hex }) => from_hex(hex),
            Octets::File(InFile { file }) => {
                let path = folder.join(file);
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }
}

impl Expected {
    fn build(&self, folder: &Path) -> Result<Expect, String> {
        let pattern = |pattern: Result<Pattern, ScriptError>| match pattern {
            Ok(pattern) => Ok(Expect::Pattern(Box::new(pattern))),
            Err(error) => Err(error.to_string()),
        };
        match self {
            Expected::These(octets) => Ok(Expect::Content(Content::exactly(octets.read(folder)?))),
            Expected::Length(Length { bytes, of: None }) => {
                Ok(Expect::Content(Content::any(bytes.get())))
            }
            Expected::Length(Length {
                bytes,
                of: Some(of),
            }) => {
                let of = of.read(folder)?;
                Ok(Expect::Content(Content::repeated(&of, bytes.get())))
            }
            Expected::Until(Until { until, max }) => {
                pattern(Pattern::until(&until.read(folder)?, max.get()))
            }
            Expected::Regex(Regex { regex, max }) => pattern(Pattern::regex(regex, max.get())),
        }
    }
}

/// Pairs of hexadecimal digits, with white space between pairs or not.
fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| Some(c.to_digit(16)? as u8))
        .collect();
    match digits {
        Some(digits) if digits.len().is_multiple_of(2) => Ok(digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()),
        _ => Err(format!(
            "`{text}` is not pairs of hexadecimal digits, such as 0d 0a"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::{Exchange, Progress};

    fn script(text: &str) -> Result<Script, ConfigError> {
        build(
            &Source::from_text("s.toml", text).unwrap(),
            Path::new("/nonexistent"),
        )
    }

    /// What becomes of `answer` to the `n`th step.
    fn read(script: &Script, n: u32, answer: &[u8]) -> Progress {
        let exchange = Exchange::Script(script.clone());
        exchange.reader(n).read(&exchange, answer)
    }

    #[test]
    fn every_kind_of_step() {
        let script = script(
            r#"
            [[step]]
            expect = "220 ready\r\n"
            [[step]]
            send = "HELO\r\n"
            expect = { regex = "250[^\n]*\n" }
            [[step]]
            send = { hex = "00 01FF" }
            expect = { hex = "ff00" }
            [[step]]
            send = "x"
            expect = { bytes = "1k", of = "ab" }
            [[step]]
            send = "y"
            expect = { until = { hex = "00" }, max = 4 }
            [[step]]
            send = "QUIT"
            "#,
        )
        .unwrap();
        let done = |consumed| Progress::Done {
            consumed,
            status: None,
            last: false,
        };
        let exchange = Exchange::Script(script.clone());
        assert_eq!(exchange.steps(), 6);
        assert_eq!(exchange.request(2, 0), [0, 1, 0xff]);
        assert_eq!(read(&script, 0, b"220 ready\r\nx"), done(11));
        assert_eq!(read(&script, 1, b"250 a\n250 b\n"), done(6));
        assert_eq!(read(&script, 2, &[0xff, 0]), done(2));
        assert_eq!(read(&script, 3, &b"ab".repeat(600)), done(1024));
        assert_eq!(read(&script, 4, b"ab\0"), done(3));
        assert_eq!(
            read(&script, 4, b"abcde"),
            Progress::Wrong("is longer than was allowed")
        );
        assert_eq!(read(&script, 5, b""), done(0));
    }

    #[test]
    fn what_cannot_be_understood_names_its_place() {
        for (text, line, part) in [
            ("[[step]]\nsned = \"a\"", 2, "did you mean `send`?"),
            ("[[step]]\nsend = 5", 2, "write a text, { hex"),
            (
                "[[step]]\nexpect = { length = 5 }",
                2,
                "a table with one of: hex",
            ),
            (
                "[[step]]\nsend = { hex = \"0\" }",
                2,
                "pairs of hexadecimal",
            ),
            (
                "[[step]]\n[[step]]\nsend = \"a\"",
                1,
                "step 1 neither sends nor expects",
            ),
            ("[[step]]\nexpect = { regex = \"a(\" }", 2, "unclosed group"),
            ("[[step]]\nexpect = { until = \"\" }", 2, "marks no end"),
            ("[[step]]\nexpect = { file = \"x\" }", 2, "/nonexistent/x: "),
            ("step = []", 1, "at least one step"),
        ] {
            let error = script(text).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
            assert_eq!(error.line_number(), Some(line), "{text}: {error}");
        }
    }
}
