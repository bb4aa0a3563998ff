//! `--dperf`: a configuration file of the generator dperf (v1.8), in the words of our own configuration.
//!
//! A keyword is understood (it becomes keys), has no meaning here (it is told, with the reason), or asks for traffic that
//! is not made here, which is an error: the run would be another than the one that was asked for.

use core::fmt;
use std::path::Path;

use crate::config::{ConfigError, Source};

mod file;
pub(super) mod keywords;
mod translate;

/// A file that was understood.
#[derive(Clone, PartialEq, Debug)]
pub struct Dperf {
    name: String,
    settings: Vec<Setting>,
    notes: Vec<Note>,
}

/// A key of ours, and the line that it comes from.
#[derive(Clone, PartialEq, Debug)]
struct Setting {
    line: usize,
    /// The line as it is written.
    words: String,
    path: &'static str,
    /// In TOML.
    value: String,
}

/// Something that is not as dperf has it.
#[derive(Clone, PartialEq, Debug)]
struct Note {
    line: usize,
    keyword: String,
    why: String,
}

impl Dperf {
    /// Reads `file`.
    ///
    /// # Errors
    /// It cannot be read, or its first line that cannot be understood or carried out.
    pub fn read(file: &Path) -> Result<Dperf, ConfigError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::flag("--dperf", format!("{name}: {error}")))?;
        Dperf::parse(&name, &text)
    }

    /// Reads `text`, the content of the file `name`.
    ///
    /// # Errors
    /// The first line that cannot be understood or carried out.
    pub fn parse(name: &str, text: &str) -> Result<Dperf, ConfigError> {
        let lines = file::lines(name, text)?;
        let mut file = keywords::File::default();
        for line in &lines {
            file.take(line)?;
        }
        let translated = translate::translate(&file).map_err(|wrong| match wrong.line {
            Some(line) => line.error(wrong.why),
            None => ConfigError::flag(&format!("--dperf {name}"), wrong.why),
        })?;
        Ok(Dperf {
            name: name.to_owned(),
            settings: translated.settings,
            notes: translated.notes,
        })
    }

    /// Puts its keys on top of `source`.
    ///
    /// # Errors
    /// `source` has something else where a key leads through.
    pub fn apply(&self, source: &mut Source) -> Result<(), ConfigError> {
        for setting in &self.settings {
            let place = format!("{}:{}: {}", self.name, setting.line, setting.words);
            source.set(&place, setting.path, &setting.value)?;
        }
        Ok(())
    }
}

/// What is not as dperf has it, a line each; nothing if everything is.
impl fmt::Display for Dperf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Note { line, keyword, why } in &self.notes {
            writeln!(f, "{}:{line}: `{keyword}`: {why}", self.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
