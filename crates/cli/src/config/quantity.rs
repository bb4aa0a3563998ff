//! Numbers with a unit and a range. The range is part of the type, so a key cannot be read
//! without it, and an error always names it.

use core::fmt;
use core::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A whole number from `MIN` to `MAX`. In TOML an integer, or a string with the decimal suffix
/// `k`, `m` or `g` (any case): `"250k"` is 250,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Count<const MIN: u64, const MAX: u64>(u64);

/// A number of bytes from `MIN` to `MAX`. In TOML an integer, or a string with the binary suffix
/// `k`, `M` or `G` (any case, `KiB` and the like too): `"64k"` is 65,536.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bytes<const MIN: u64, const MAX: u64>(u64);

/// A time in whole milliseconds from `MIN` to `MAX`. In TOML a string with a unit: `"60s"`,
/// `"250ms"`, `"1m 30s"`. A bare number is refused: its unit would be a guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Millis<const MIN: u64, const MAX: u64>(u64);

macro_rules! quantity {
    ($name:ident, $parse:path, $show:path, $expected:literal) => {
        impl<const MIN: u64, const MAX: u64> $name<MIN, MAX> {
            /// A value known at compile time.
            ///
            /// # Panics
            /// Out of range; in a constant that is a build error.
            #[must_use]
            pub const fn of(value: u64) -> Self {
                assert!(MIN <= value && value <= MAX, "default out of its own range");
                $name(value)
            }

            /// `value` if it is in range.
            ///
            /// # Errors
            /// Says the range, in the unit of this type.
            pub fn new(value: u64) -> Result<Self, String> {
                if (MIN..=MAX).contains(&value) {
                    return Ok($name(value));
                }
                Err(format!(
                    "{} is out of range: {} to {}",
                    $show(value),
                    $show(MIN),
                    $show(MAX)
                ))
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl<const MIN: u64, const MAX: u64> core::str::FromStr for $name<MIN, MAX> {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::new($parse(text)?)
            }
        }

        impl<const MIN: u64, const MAX: u64> fmt::Display for $name<MIN, MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$show(self.0))
            }
        }

        impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for $name<MIN, MAX> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader<const MIN: u64, const MAX: u64>;
                impl<const MIN: u64, const MAX: u64> Visitor<'_> for Reader<MIN, MAX> {
                    type Value = $name<MIN, MAX>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, $expected, $show(MIN), $show(MAX))
                    }
                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                        match u64::try_from(value) {
                            Ok(value) => self.visit_u64(value),
                            Err(_) => Err(E::custom(format!("{value} is out of range: {self}"))),
                        }
                    }
                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                        bare(stringify!($name), value)
                            .and_then($name::new)
                            .map_err(E::custom)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                impl<const MIN: u64, const MAX: u64> fmt::Display for Reader<MIN, MAX> {
                    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        self.expecting(f)
                    }
                }
                deserializer.deserialize_any(Reader)
            }
        }
    };
}

quantity!(
    Count,
    parse_count,
    show_count,
    "a whole number from {} to {}"
);
quantity!(
    Bytes,
    parse_bytes,
    show_bytes,
    "a number of bytes from {} to {}, such as 4096 or \"64k\""
);
quantity!(
    Millis,
    parse_millis,
    show_millis,
    "a time from {} to {}, such as \"60s\" or \"250ms\""
);

impl<const MIN: u64, const MAX: u64> Millis<MIN, MAX> {
    /// As a [`Duration`].
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// What a number without a suffix means; only a time has no such meaning.
fn bare(kind: &str, value: u64) -> Result<u64, String> {
    if kind == "Millis" {
        return Err(format!(
            "a time needs a unit: \"{value}s\" or \"{value}ms\""
        ));
    }
    Ok(value)
}

fn parse_count(text: &str) -> Result<u64, String> {
    scaled(text, 1000, "a count")
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    scaled(text, 1024, "a size")
}

/// `digits[.digits][suffix]`, the suffix a power of `base`, and the whole a whole number. Underscores may group digits, as
/// in TOML.
fn scaled(text: &str, base: u64, what: &str) -> Result<u64, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not {what}: use digits and k, M or G");
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_' && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let power = match suffix.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| text.replace('_', "").parse::<u64>().ok();
    let (Some(whole), Some(fraction_value)) = (digits(whole), digits(fraction)) else {
        return Err(wrong());
    };
    let unit = base.pow(power);
    // Of as many digits there are powers of ten in 64 bits.
    let places = fraction.bytes().filter(u8::is_ascii_digit).count() as u32;
    let parts = 10_u64.checked_pow(places).filter(|_| places <= 9);
    let fraction = parts.and_then(|parts| {
        let exact = u128::from(fraction_value) * u128::from(unit);
        let is_whole = exact.is_multiple_of(parts.into());
        is_whole.then_some((exact / u128::from(parts)) as u64)
    });
    let Some(fraction) = fraction else {
        return Err(format!("`{text}` is not a whole number"));
    };
    let value = whole
        .checked_mul(unit)
        .and_then(|n| n.checked_add(fraction));
    value.ok_or_else(wrong)
}

/// A time as it is given to wrk and its kin: a number without a unit is of seconds.
///
/// # Errors
/// It is no time, or out of range.
pub fn seconds<const MIN: u64, const MAX: u64>(text: &str) -> Result<Millis<MIN, MAX>, String> {
    match text.trim().parse::<u64>() {
        Ok(seconds) => Millis::new(seconds.saturating_mul(1_000)),
        Err(_) => text.parse(),
    }
}

fn parse_millis(text: &str) -> Result<u64, String> {
    let time = humantime::parse_duration(text)
        .map_err(|e| format!("`{text}` is not a time ({e}): write it as \"60s\" or \"250ms\""))?;
    if !time.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!("`{text}` is not a whole number of milliseconds"));
    }
    u64::try_from(time.as_millis()).map_err(|_| format!("`{text}` is too long a time"))
}

fn show_count(value: u64) -> String {
    value.to_string()
}

fn show_bytes(value: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")];
    for (unit, name) in UNITS {
        if value >= unit && value.is_multiple_of(unit) {
            return format!("{}{name}", value / unit);
        }
    }
    value.to_string()
}

fn show_millis(value: u64) -> String {
    humantime::format_duration(Duration::from_millis(value)).to_string()
}

#[cfg(test)]
mod tests;
