//! The grammar of `--pass`.

use core::fmt;

use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, cut_err, delimited, eof, opt, repeat, separated, terminated};
use winnow::error::{ContextError, ErrMode, ParseError, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::Comparison;
use crate::load::unit::{SCALES, TIMES, Unit};

/// Parentheses within parentheses, at most.
const MAX_DEPTH: usize = 32;

/// An expression as it is written.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Syntax<'t> {
    Any(Vec<Syntax<'t>>),
    All(Vec<Syntax<'t>>),
    Not(Box<Syntax<'t>>),
    Compare(Operand<'t>, Comparison, Operand<'t>),
}

/// One side of a comparison.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Operand<'t> {
    Name(&'t str),
    /// A number and its suffix.
    Number(f64, &'t str),
}

type Error = ErrMode<ContextError>;

/// Reads all of `text`.
pub(super) fn parse(text: &str) -> Result<Syntax<'_>, String> {
    // The parser calls itself for each parenthesis.
    let mut depth = 0_usize;
    for char in text.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!(
                "more than {MAX_DEPTH} parentheses within each other"
            ));
        }
    }
    let end = eof.context(StrContext::Expected(StrContextValue::Description(
        "`&&`, `||` or the end",
    )));
    terminated(any, end)
        .parse(text)
        .map_err(|error| explain(text, &error))
}

/// The text, and a mark below where it went wrong.
fn explain(text: &str, error: &ParseError<&str, ContextError>) -> String {
    let before = text.get(..error.offset()).unwrap_or(text);
    let expected = error.inner().to_string();
    let expected = match expected.is_empty() {
        true => "this cannot be understood".to_owned(),
        false => expected.replace('\n', ", "),
    };
    let column = before.chars().count();
    format!("{expected}\n  {text}\n  {:column$}^", "")
}

fn any<'t>(input: &mut &'t str) -> Result<Syntax<'t>, Error> {
    let parts: Vec<Syntax<'_>> = separated(1.., all, word("||")).parse_next(input)?;
    Ok(one_or(parts, Syntax::Any))
}

fn all<'t>(input: &mut &'t str) -> Result<Syntax<'t>, Error> {
    let parts: Vec<Syntax<'_>> = separated(1.., negated, word("&&")).parse_next(input)?;
    Ok(one_or(parts, Syntax::All))
}

fn one_or<'t>(mut parts: Vec<Syntax<'t>>, all: fn(Vec<Syntax<'t>>) -> Syntax<'t>) -> Syntax<'t> {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            all(parts)
        }
    }
}

fn negated<'t>(input: &mut &'t str) -> Result<Syntax<'t>, Error> {
    let marks: usize = repeat(0.., word("!")).parse_next(input)?;
    let atom = atom(input)?;
    Ok(match marks % 2 {
        0 => atom,
        _ => Syntax::Not(Box::new(atom)),
    })
}

fn atom<'t>(input: &mut &'t str) -> Result<Syntax<'t>, Error> {
    let close = word(")").context(StrContext::Expected(StrContextValue::Description(
        "a closing parenthesis",
    )));
    alt((delimited(word("("), cut_err(any), cut_err(close)), compared)).parse_next(input)
}

fn compared<'t>(input: &mut &'t str) -> Result<Syntax<'t>, Error> {
    let figure = StrContext::Expected(StrContextValue::Description("a figure or a number"));
    let symbol = StrContext::Expected(StrContextValue::Description(
        "`<`, `<=`, `==`, `!=`, `>=` or `>`",
    ));
    let left = operand.context(figure.clone()).parse_next(input)?;
    let comparison = cut_err(comparison.context(symbol)).parse_next(input)?;
    let right = cut_err(operand.context(figure)).parse_next(input)?;
    Ok(Syntax::Compare(left, comparison, right))
}

fn comparison(input: &mut &str) -> Result<Comparison, Error> {
    alt((
        word("<=").value(Comparison::LessOrEqual),
        word(">=").value(Comparison::GreaterOrEqual),
        word("==").value(Comparison::Equal),
        word("!=").value(Comparison::NotEqual),
        word("<").value(Comparison::Less),
        word(">").value(Comparison::Greater),
    ))
    .parse_next(input)
}

fn operand<'t>(input: &mut &'t str) -> Result<Operand<'t>, Error> {
    let name = (
        one_of(|c: char| c.is_ascii_alphabetic() || c == '_'),
        take_while(0.., |c: char| {
            c.is_ascii_alphanumeric() || c == '_' || c == '.'
        }),
    );
    let digits = (digit1, opt(('.', digit1)));
    let suffix = take_while(0.., |c: char| c.is_alphabetic() || c == '%');
    let number = (digits.take().parse_to::<f64>(), suffix);
    delimited(
        multispace0,
        alt((
            name.take().map(Operand::Name),
            number.map(|(value, suffix)| Operand::Number(value, suffix)),
        )),
        multispace0,
    )
    .parse_next(input)
}

/// `symbol` with white space around it.
fn word<'t>(symbol: &'static str) -> impl Parser<&'t str, &'t str, Error> {
    delimited(multispace0, symbol, multispace0)
}

/// What a number with `suffix` is multiplied by to be in the base of `unit`.
pub(super) fn scale(suffix: &str, unit: Unit, is_zero: bool) -> Result<f64, String> {
    // The micro sign, and the Greek letter that looks like it.
    let suffix = &*suffix.replace(['\u{b5}', '\u{3bc}'], "u");
    let find = |names: &[(&str, f64)]| {
        let mut names = names.iter();
        names
            .find(|(name, _)| *name == suffix)
            .map(|(_, scale)| *scale)
    };
    match unit {
        Unit::Time if is_zero && suffix.is_empty() => Ok(1.0),
        Unit::Time => find(&TIMES).ok_or("a time has a unit: ns, us, ms or s".to_owned()),
        Unit::Share if suffix.is_empty() => Ok(1.0),
        Unit::Share if suffix == "%" => Ok(0.01),
        Unit::Share => Err("a share is written as 0.1% or 0.001".to_owned()),
        Unit::Number if suffix.is_empty() => Ok(1.0),
        Unit::Number => find(&SCALES).ok_or("a number may end in k, M or G".to_owned()),
    }
}

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Name(name) => f.write_str(name),
            Operand::Number(value, suffix) => write!(f, "{value}{suffix}"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Greater => ">",
        })
    }
}
