//! Units of figures: how values are written and read.

use core::fmt;

/// What a figure's value is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A number, or a rate a second.
    Number,
    /// A time; the value is in nanoseconds.
    Time,
    /// A share of a whole; the value is from 0 to 1.
    Share,
}

/// Suffixes of numbers, and what they stand for.
pub const SCALES: [(&str, f64); 3] = [("k", 1e3), ("M", 1e6), ("G", 1e9)];
/// Suffixes of times, and what they stand for in nanoseconds.
pub const TIMES: [(&str, f64); 4] = [("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)];

/// A value as people write it: 1,234,567 and 1.5, 612.4us, 0.12%.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Written(pub Unit, pub f64);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Written(Unit::Number, value) if value.fract() == 0.0 => grouped(value, 0),
            Written(Unit::Number, value) if value.abs() < 100.0 => grouped(value, 2),
            Written(Unit::Number, value) => grouped(value, 0),
            Written(Unit::Share, value) => format!("{:.2}%", value * 100.0),
            Written(Unit::Time, value) => {
                let scale = TIMES.iter().find(|(_, scale)| value.abs() >= *scale);
                let (name, scale) = scale.copied().unwrap_or(("ns", 1.0));
                match name {
                    "ns" => format!("{value:.0}ns"),
                    _ => format!("{:.2}{name}", value / scale),
                }
            }
        };
        f.pad(&text)
    }
}

/// With a comma before every three digits, and so many digits behind the point.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let end = text.find('.').unwrap_or(text.len());
    let begin = usize::from(text.starts_with('-'));
    let mut out = text[..begin].to_owned();
    for (at, digit) in text[begin..end].chars().enumerate() {
        if at > 0 && (end - begin - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&text[end..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_for_people() {
        for (unit, value, text) in [
            (Unit::Number, 0.0, "0"),
            (Unit::Number, 999.0, "999"),
            (Unit::Number, 1_234_567.0, "1,234,567"),
            (Unit::Number, 123_456.7, "123,457"),
            (Unit::Number, 1.5, "1.50"),
            (Unit::Number, -1000.0, "-1,000"),
            (Unit::Time, 0.0, "0ns"),
            (Unit::Time, 999.0, "999ns"),
            (Unit::Time, 1_234.0, "1.23us"),
            (Unit::Time, 612_400.0, "612.40us"),
            (Unit::Time, 2e9, "2.00s"),
            (Unit::Time, 2e12, "2000.00s"),
            (Unit::Share, 0.0012, "0.12%"),
        ] {
            assert_eq!(Written(unit, value).to_string(), text);
        }
        assert_eq!(format!("{:>6}", Written(Unit::Number, 5.0)), "     5");
    }
}
