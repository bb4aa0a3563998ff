//! `--pass`: what a run has to reach, as an expression over its figures.
//!
//! `errors == 0 && p99 < 500us && cps > 1M`. Comparisons of figures and constants with `<`, `<=`, `==`, `!=`, `>=`,
//! `>`, joined by `&&`, `||`, `!` and parentheses, which bind as in C. A figure without a value (the latency of
//! requests, if there was none) makes its comparison neither true nor false, and what depends on it does not pass.

use core::fmt;

use super::unit::{Unit, Written};

mod parse;

/// An expression whose figures are known.
#[derive(Clone, PartialEq, Debug)]
pub struct Criteria {
    text: String,
    root: Expression,
    /// The figures that it names, in the order of their appearance.
    named: Vec<(String, Unit)>,
}

/// Whether a run passed.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Verdict {
    /// The expression.
    pub criteria: String,
    /// Whether it is true.
    pub passed: bool,
    /// The figures in it and their values, in words.
    pub because: String,
}

#[derive(Clone, PartialEq, Debug)]
enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Term, Comparison, Term),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Term {
    /// A place in [`Criteria::named`].
    Figure(usize),
    /// In the base unit of what it is compared with.
    Constant(f64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Criteria {
    /// Reads `text`; `known` are the figures that there are.
    ///
    /// # Errors
    /// Says where and why it cannot be understood, and names the figures for one that is not known.
    pub fn parse(text: &str, known: &[(String, Unit)]) -> Result<Criteria, String> {
        let syntax = parse::parse(text)?;
        let mut named = Vec::new();
        let root = resolve(&syntax, known, &mut named)?;
        Ok(Criteria {
            text: text.trim().to_owned(),
            root,
            named,
        })
    }

    /// Whether `figure` is in the expression.
    #[must_use]
    pub fn names(&self, figure: &str) -> bool {
        self.named.iter().any(|(name, _)| name == figure)
    }

    /// Judges a run whose figures have the values that `value` gives.
    pub fn judge(&self, value: impl Fn(&str) -> Option<f64>) -> Verdict {
        let values: Vec<Option<f64>> = self.named.iter().map(|(name, _)| value(name)).collect();
        let because = self.named.iter().zip(&values).map(|((name, unit), value)| {
            let value = value.map(|value| Written(*unit, value).to_string());
            let value = value.unwrap_or_else(|| "not known: nothing was measured".to_owned());
            format!("{name} is {value}")
        });
        Verdict {
            criteria: self.text.clone(),
            passed: self.root.evaluate(&values) == Some(true),
            because: because.collect::<Vec<_>>().join(", "),
        }
    }
}

impl Verdict {
    /// The same of a run whose figures do not mean what they say: it has not passed.
    #[must_use]
    pub fn void(self, why: &str) -> Verdict {
        Verdict {
            passed: false,
            because: format!("{}; the run is not valid: {why}", self.because),
            ..self
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = if self.passed { "passed" } else { "NOT PASSED" };
        write!(f, "{passed}: {} ({})", self.criteria, self.because)
    }
}

impl Expression {
    /// `None`: neither true nor false (Kleene's logic).
    fn evaluate(&self, values: &[Option<f64>]) -> Option<bool> {
        match self {
            Expression::Any(parts) => decisive(parts, values, true),
            Expression::All(parts) => decisive(parts, values, false),
            Expression::Not(part) => part.evaluate(values).map(|truth| !truth),
            Expression::Compare(left, comparison, right) => {
                let value = |term: &Term| match *term {
                    Term::Figure(at) => values.get(at).copied().flatten(),
                    Term::Constant(value) => Some(value),
                };
                Some(comparison.holds(value(left)?, value(right)?))
            }
        }
    }
}

/// `decides` if one part is that; otherwise its contrary, if every part is known.
fn decisive(parts: &[Expression], values: &[Option<f64>], decides: bool) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part.evaluate(values) {
            Some(truth) if truth == decides => return Some(decides),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decides)
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::Greater => left > right,
        }
    }
}

/// The names of `syntax` become places in `named`, and its constants numbers in the unit of what they are compared
/// with.
fn resolve(
    syntax: &parse::Syntax<'_>,
    known: &[(String, Unit)],
    named: &mut Vec<(String, Unit)>,
) -> Result<Expression, String> {
    let mut all = |parts: &[parse::Syntax<'_>]| -> Result<Vec<Expression>, String> {
        parts
            .iter()
            .map(|part| resolve(part, known, named))
            .collect()
    };
    Ok(match syntax {
        parse::Syntax::Any(parts) => Expression::Any(all(parts)?),
        parse::Syntax::All(parts) => Expression::All(all(parts)?),
        parse::Syntax::Not(part) => Expression::Not(Box::new(resolve(part, known, named)?)),
        parse::Syntax::Compare(left, comparison, right) => {
            let (left_unit, right_unit) = (unit(left, known)?, unit(right, known)?);
            let unit = match (left_unit, right_unit) {
                (None, None) => {
                    return Err(format!("`{left} {comparison} {right}` names no figure"));
                }
                (Some(one), Some(other)) if one != other => {
                    return Err(format!("{left} and {right} are not of one kind"));
                }
                (Some(unit), _) | (None, Some(unit)) => unit,
            };
            let left = term(left, unit, named)?;
            Expression::Compare(left, *comparison, term(right, unit, named)?)
        }
    })
}

/// The unit of a figure; `None` for a constant, which takes that of what it is compared with.
fn unit(operand: &parse::Operand<'_>, known: &[(String, Unit)]) -> Result<Option<Unit>, String> {
    let parse::Operand::Name(name) = *operand else {
        return Ok(None);
    };
    let name = canonical(name);
    if let Some((_, unit)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(Some(*unit));
    }
    let likeness = |(known, _): &&(String, Unit)| {
        (strsim::normalized_damerau_levenshtein(&name, known) * 1e6) as u32
    };
    let nearest = known.iter().max_by_key(likeness);
    let meant = nearest.filter(|known| likeness(known) >= 500_000);
    let meant = meant.map(|(meant, _)| format!("; did you mean `{meant}`?"));
    let all: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    Err(format!(
        "`{name}` is not a figure{}\nThe figures are: {}",
        meant.unwrap_or_default(),
        all.join(", ")
    ))
}

fn term(
    operand: &parse::Operand<'_>,
    unit: Unit,
    named: &mut Vec<(String, Unit)>,
) -> Result<Term, String> {
    match *operand {
        parse::Operand::Name(name) => {
            let name = canonical(name);
            let at = named.iter().position(|(known, _)| *known == name);
            Ok(Term::Figure(at.unwrap_or_else(|| {
                named.push((name, unit));
                named.len() - 1
            })))
        }
        parse::Operand::Number(value, suffix) => {
            parse::scale(suffix, unit, value == 0.0).map(|scale| Term::Constant(value * scale))
        }
    }
    .map_err(|error| format!("`{operand}`: {error}"))
}

/// `p99.9` is another way to write `p99_9`.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        let decimal = char == '.' && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if decimal { '_' } else { char });
    }
    out
}

#[cfg(test)]
mod tests;
