//! What is wrong with a configuration, and where.

use core::fmt;

/// A configuration that cannot be used. Its text is `place: message`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    place: Place,
    message: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Nowhere,
    Flag(String),
    Line {
        file: String,
        line: usize,
        column: usize,
        text: String,
    },
}

impl ConfigError {
    /// About the configuration as a whole.
    #[must_use]
    pub fn nowhere(message: impl Into<String>) -> ConfigError {
        ConfigError {
            place: Place::Nowhere,
            message: message.into(),
        }
    }

    /// About a command-line flag, given as it was written.
    #[must_use]
    pub fn flag(flag: &str, message: impl Into<String>) -> ConfigError {
        ConfigError {
            place: Place::Flag(flag.to_owned()),
            message: message.into(),
        }
    }

    /// About the byte at `offset` of `text`, the content of `file`.
    pub(crate) fn line(file: &str, text: &str, offset: usize, message: String) -> ConfigError {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError {
            place: Place::Line {
                file: file.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before[start..].chars().count() + 1,
                text: text[start..].lines().next().unwrap_or_default().to_owned(),
            },
            message,
        }
    }

    /// The line of the file, counted from 1, if the error is in a file.
    #[must_use]
    pub fn line_number(&self) -> Option<usize> {
        match self.place {
            Place::Line { line, .. } => Some(line),
            _ => None,
        }
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line` or the flag; empty for the configuration as a whole.
    pub(super) fn place(&self) -> String {
        match &self.place {
            Place::Nowhere => String::new(),
            Place::Flag(flag) => flag.clone(),
            Place::Line { file, line, .. } => format!("{file}:{line}"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Nowhere => f.write_str(&self.message),
            Place::Flag(flag) => write!(f, "{flag}: {}", self.message),
            Place::Line {
                file,
                line,
                column,
                text,
            } => {
                writeln!(f, "{file}:{line}:{column}: {}", self.message)?;
                writeln!(f, "{line:>5} | {text}")?;
                write!(f, "      | {:>column$}", '^')
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// For a message about an unknown key or variant, the known one that was probably meant.
///
/// serde's text of these errors lists the unknown name first and then the known ones, each in
/// backticks (`serde::de::Error::unknown_field`); a deserializer sees no other form of it.
pub(super) fn nearest(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(unknown, name);
    let best = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= 0.5).then(|| format!("did you mean `{best}`?"))
}
