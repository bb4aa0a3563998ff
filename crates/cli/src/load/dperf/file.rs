//! Lines of words, as dperf reads them.

use crate::config::ConfigError;

/// A line that says something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    name: &'t str,
    text: &'t str,
    /// Where in the text it begins.
    offset: usize,
    pub(super) number: usize,
    /// Its words: a keyword and its arguments.
    pub(super) words: &'t str,
}

impl<'t> Line<'t> {
    pub(super) fn keyword(&self) -> &'t str {
        self.words
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default()
    }

    pub(super) fn arguments(&self) -> Vec<&'t str> {
        self.words.split_ascii_whitespace().skip(1).collect()
    }

    /// An error about this line.
    pub(super) fn error(&self, why: impl Into<String>) -> ConfigError {
        ConfigError::line(self.name, self.text, self.offset, why.into())
    }

    /// An error about `argument`, one of this line's.
    pub(super) fn error_at(&self, argument: &str, why: impl Into<String>) -> ConfigError {
        let within = self.words.rfind(argument).unwrap_or(0);
        ConfigError::line(self.name, self.text, self.offset + within, why.into())
    }
}

/// The lines that are neither empty nor comments.
pub(super) fn lines<'t>(name: &'t str, text: &'t str) -> Result<Vec<Line<'t>>, ConfigError> {
    let mut lines = Vec::new();
    let mut begin = 0;
    for (number, whole) in (1..).zip(text.split('\n')) {
        let words = whole.trim_ascii();
        let line = Line {
            name,
            text,
            offset: begin + (whole.len() - whole.trim_ascii_start().len()),
            number,
            words,
        };
        begin += whole.len() + 1;
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if !words
            .bytes()
            .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
        {
            return Err(line.error("dperf's files are printable ASCII"));
        }
        lines.push(line);
    }
    Ok(lines)
}
