//! Where values come from: a file, then `--set` and other flags on top, in one tree. Every value
//! keeps its place, so that an error found by any later check can name the line or the flag.

use core::ops::Range;
use std::borrow::Cow;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, nearest};

type Table<'t> = DeTable<'t>;
type Value<'t> = Spanned<DeValue<'t>>;

/// A text that values came from. All texts share one axis of offsets: `base` is where this one
/// begins on it, and spans of values are positions on that axis.
#[derive(Debug)]
struct Piece {
    /// A file's path, or a flag as it was written.
    name: String,
    /// The key that a flag sets; `None` for a file.
    path: Option<String>,
    base: usize,
    text: String,
}

/// The texts of a configuration. Their tree borrows from them, so it is built when it is asked
/// for: at start, a handful of times.
#[derive(Debug, Default)]
pub struct Source {
    pieces: Vec<Piece>,
}

impl Source {
    /// Nothing: every key has its default.
    #[must_use]
    pub fn empty() -> Source {
        Source::default()
    }

    /// The TOML in `text`, called `name` in errors.
    ///
    /// # Errors
    /// Not TOML.
    pub fn from_text(name: &str, text: &str) -> Result<Source, ConfigError> {
        let mut source = Source::empty();
        source.add(name, None, text);
        source.tree()?;
        Ok(source)
    }

    /// Sets the key at `path` (`tcp.mss`, `listen.0.port`) to `value`: TOML, or else a bare
    /// string. `flag` is what the user wrote.
    ///
    /// # Errors
    /// The path goes through something that is not a table, or past the end of an array.
    pub fn set(&mut self, flag: &str, path: &str, value: &str) -> Result<(), ConfigError> {
        if path.is_empty() || path.split('.').any(str::is_empty) {
            let message = format!("`{path}` is not a path of keys such as tcp.mss");
            return Err(ConfigError::flag(flag, message));
        }
        self.add(flag, Some(path), value);
        self.tree().map(|_| ())
    }

    /// Adds `table` as a further element of the array of tables at `key`.
    ///
    /// # Errors
    /// `key` is something else already.
    pub fn push(&mut self, flag: &str, key: &str, table: &str) -> Result<(), ConfigError> {
        let next = match self.tree()?.get(key).map(Spanned::get_ref) {
            Some(DeValue::Array(array)) => array.len(),
            _ => 0,
        };
        self.set(flag, &format!("{key}.{next}"), table)
    }

    /// Whether the key at `path` is given.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.find(path).1
    }

    /// Reads the tree into `T`.
    ///
    /// # Errors
    /// An unknown key, a wrong type or a value out of range, with its place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let root = Spanned::new(0..self.end(), self.tree()?);
        T::deserialize(toml::de::Deserializer::from(root)).map_err(|e| self.explain(&e))
    }

    /// An error about the key at `path`, or about the nearest table around it that was given.
    #[must_use]
    pub fn error_at(&self, path: &str, message: impl Into<String>) -> ConfigError {
        self.error_in(self.find(path).0, message.into())
    }

    /// The place of the key at `path` in words, if it was given.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Option<String> {
        match self.find(path) {
            (Some(span), true) => {
                let error = self.error_in(Some(span), String::new());
                Some(error.place())
            }
            _ => None,
        }
    }

    fn add(&mut self, name: &str, path: Option<&str>, text: &str) {
        let base = self.end();
        self.pieces.push(Piece {
            name: name.to_owned(),
            path: path.map(str::to_owned),
            base,
            text: text.to_owned(),
        });
    }

    /// All texts as one tree, later ones over earlier ones.
    fn tree(&self) -> Result<Table<'_>, ConfigError> {
        let mut root = Table::new();
        for piece in &self.pieces {
            match &piece.path {
                None => {
                    root = DeTable::parse(&piece.text)
                        .map_err(|e| self.explain(&e))?
                        .into_inner();
                }
                Some(path) => {
                    let value = parse_value(&piece.text, piece.base);
                    insert(&mut root, path, value, piece.base)
                        .map_err(|e| ConfigError::flag(&piece.name, e))?;
                }
            }
        }
        Ok(root)
    }

    /// The first offset after every text. One more than the last text needs, so that its end is
    /// not the beginning of the next.
    fn end(&self) -> usize {
        self.pieces
            .last()
            .map_or(0, |piece| piece.base + piece.text.len() + 1)
    }

    /// The span of the last value on the way to `path`, and whether that is the end of the path.
    fn find(&self, path: &str) -> (Option<Range<usize>>, bool) {
        self.tree().map_or((None, false), |root| walk(&root, path))
    }

    fn explain(&self, e: &toml::de::Error) -> ConfigError {
        let message = match nearest(e.message()) {
            Some(help) => format!("{}; {help}", e.message()),
            None => e.message().to_owned(),
        };
        self.error_in(e.span(), message)
    }

    fn error_in(&self, span: Option<Range<usize>>, message: String) -> ConfigError {
        let piece = match &span {
            Some(span) => self.pieces.iter().rev().find(|p| p.base <= span.start),
            // What is nowhere is missing in the file; no flag is to blame.
            None => self.pieces.first().filter(|piece| piece.path.is_none()),
        };
        let Some(piece) = piece else {
            return ConfigError::nowhere(message);
        };
        if piece.path.is_some() {
            return ConfigError::flag(&piece.name, message);
        }
        let offset = span.map_or(0, |span| span.start - piece.base);
        ConfigError::line(&piece.name, &piece.text, offset, message)
    }
}

/// Follows `path` below `table` as far as it goes.
fn walk(table: &Table<'_>, path: &str) -> (Option<Range<usize>>, bool) {
    let mut keys = path.split('.');
    let Some((key, value)) = keys.next().and_then(|key| table.get_key_value(key)) else {
        return (None, false);
    };
    let (mut span, mut value) = (place(key.span(), value), value);
    for key in keys {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get_key_value(key).map(|(k, v)| (k.span(), v)),
            DeValue::Array(array) => key
                .parse::<usize>()
                .ok()
                .and_then(|index| array.get(index))
                .map(|v| (v.span(), v)),
            _ => None,
        };
        let Some((key_span, next)) = next else {
            return (Some(span), false);
        };
        (span, value) = (place(key_span, next), next);
    }
    (Some(span), true)
}

/// Where to point for a value: at a scalar itself, at the key of a table or an array. Tables made
/// by dotted keys and headers have spans of their own that begin there.
fn place(key: Range<usize>, value: &Value<'_>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) | DeValue::Array(_) => key,
        _ => value.span(),
    }
}

/// `text` as TOML, or the string that it is; its spans begin at `base`.
fn parse_value(text: &str, base: usize) -> Value<'_> {
    match DeValue::parse(text) {
        Ok(value) => shift(value, base),
        Err(_) => Spanned::new(
            base..base + text.len(),
            DeValue::String(Cow::Borrowed(text)),
        ),
    }
}

/// The same value with every span moved by `base`.
fn shift(value: Value<'_>, base: usize) -> Value<'_> {
    let moved = |span: Range<usize>| span.start + base..span.end + base;
    let span = moved(value.span());
    let value = match value.into_inner() {
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|v| shift(v, base)).collect())
        }
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(k, v)| {
                    let key = Spanned::new(moved(k.span()), k.into_inner());
                    (key, shift(v, base))
                })
                .collect(),
        ),
        scalar => scalar,
    };
    Spanned::new(span, value)
}

/// Puts `value` at `path` below `table`, making tables on the way. `base` is the place of what is
/// made.
fn insert<'t>(
    table: &mut Table<'t>,
    path: &'t str,
    value: Value<'t>,
    base: usize,
) -> Result<(), String> {
    let made = |value| Spanned::new(base..base, value);
    let (key, rest) = match path.split_once('.') {
        Some((key, rest)) => (key, Some(rest)),
        None => (path, None),
    };
    let Some(rest) = rest else {
        table.remove(key);
        table.insert(Spanned::new(value.span(), Cow::Borrowed(key)), value);
        return Ok(());
    };
    if !table.contains_key(key) {
        let first = rest.split('.').next().unwrap_or_default();
        let empty = if first.parse::<usize>().is_ok() {
            DeValue::Array(toml::de::DeArray::new())
        } else {
            DeValue::Table(Table::new())
        };
        let name = Spanned::new(base..base, Cow::Borrowed(key));
        table.insert(name, made(empty));
    }
    let Some(entry) = table.get_mut(key) else {
        return Err(format!("`{key}` could not be made"));
    };
    match entry.get_mut() {
        DeValue::Table(inner) => insert(inner, rest, value, base),
        DeValue::Array(array) => {
            let (index, rest) = match rest.split_once('.') {
                Some((index, rest)) => (index, Some(rest)),
                None => (rest, None),
            };
            let len = array.len();
            let index = index
                .parse::<usize>()
                .ok()
                .filter(|&i| i <= len)
                .ok_or_else(|| {
                    format!("`{key}` has {len} elements: `{index}` is not one of them or the next")
                })?;
            if index == len {
                array.push(made(DeValue::Table(Table::new())));
            }
            let Some(element) = array.get_mut(index) else {
                return Err(format!("`{key}` has no element {index}"));
            };
            match (rest, element.get_mut()) {
                (None, _) => *element = value,
                (Some(rest), DeValue::Table(inner)) => insert(inner, rest, value, base)?,
                (Some(rest), _) => {
                    return Err(format!(
                        "`{key}.{index}` is not a table, so it has no `{rest}`"
                    ));
                }
            }
            Ok(())
        }
        other => Err(format!(
            "`{key}` is a {}, so it has no `{rest}`",
            other.type_str()
        )),
    }
}

#[cfg(test)]
mod tests;
