//! The options of `tidewheel load` for what is said.

use std::path::PathBuf;

use clap::Args;

use crate::args::{list, quoted};
use crate::config::load::{ExpectStatus, Header};
use crate::config::{ConfigError, Source};

/// Requests, and which answers are right.
#[derive(Args, Debug, Default)]
pub struct SaidArgs {
    /// HTTP: the method [default: GET, with a body POST]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// HTTP: a header field, such as "Accept: text/html"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// HTTP: a file with the content of the request
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// HTTP: the status that is right, such as 200 or 2xx
    #[arg(long, value_name = "STATUS")]
    expect_status: Option<String>,
    /// HTTP: a file with the content that a right answer has
    #[arg(long, value_name = "FILE")]
    expect_body: Option<PathBuf>,
    /// tcp: a file that says what is sent and expected, step by step
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

impl SaidArgs {
    /// Puts the flags on top of `source`.
    ///
    /// # Errors
    /// A value that is none, with its flag.
    pub fn apply(&self, source: &mut Source) -> Result<(), ConfigError> {
        // Each on its own, so that an error names the flag that it is about.
        for header in &self.headers {
            let parsed = header.parse::<Header>();
            parsed.map_err(|error| ConfigError::flag("--header", error))?;
        }
        if let Some(status) = &self.expect_status {
            let parsed = status.parse::<ExpectStatus>();
            parsed.map_err(|error| ConfigError::flag("--expect-status", error))?;
        }
        let path = |path: &PathBuf| quoted(&path.display().to_string());
        for (flag, key, value) in [
            (
                "--method",
                "http.method",
                self.method.as_deref().map(quoted),
            ),
            (
                "--header",
                "http.headers",
                list(&self.headers, |h| quoted(h)),
            ),
            ("--body", "http.body", self.body.as_ref().map(path)),
            (
                "--expect-status",
                "http.expect_status",
                self.expect_status.as_deref().map(quoted),
            ),
            (
                "--expect-body",
                "http.expect_body",
                self.expect_body.as_ref().map(path),
            ),
            ("--script", "script", self.script.as_ref().map(path)),
        ] {
            if let Some(value) = value {
                source.set(&format!("{flag} {value}"), &format!("load.{key}"), &value)?;
            }
        }
        Ok(())
    }
}
