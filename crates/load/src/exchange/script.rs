//! A conversation in steps, for text protocols: something is sent, and an answer is read.
//!
//! What ends an answer is either its length or a pattern. Patterns are deterministic automata, made at start
//! within a bound of memory: a connection keeps the number of a state, and how the octets come is of no matter.

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{primitives::StateID, start, syntax};

use super::{Content, Progress};

/// The most octets that a pattern's automaton may take.
const MAX_AUTOMATON: usize = 4 << 20;

/// Steps, over and over.
#[derive(Clone, Debug)]
pub struct Script {
    steps: Box<[Step]>,
}

/// Something is sent, and an answer to it is read.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is sent; nothing, if the other end speaks first.
    pub send: Box<[u8]>,
    /// What comes back.
    pub expect: Expect,
}

/// What an answer is.
#[derive(Clone, Debug)]
pub enum Expect {
    /// So many octets, or just these; there may be none.
    Content(Content),
    /// Everything up to where a pattern matches.
    Pattern(Box<Pattern>),
}

/// An answer that ends as soon as what has come of it, from its first octet on, matches.
#[derive(Clone, Debug)]
pub struct Pattern {
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
    max: u64,
}

/// What has been read of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScriptReader {
    step: u32,
    state: StateID,
    received: u64,
}

/// What no script can be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScriptError {
    /// Nothing to do.
    #[error("a script has at least one step")]
    NoStep,
    /// More steps than can be counted.
    #[error("a script has at most 65,536 steps")]
    TooManySteps,
    /// A step in which nothing happens.
    #[error("step {0} neither sends nor expects anything")]
    EmptyStep(usize),
    /// Nothing marks an end that has no octets.
    #[error("an empty text marks no end: write what ends the answer, such as \"\\r\\n\"")]
    EmptyDelimiter,
    /// A regular expression that cannot be used.
    #[error("{0}")]
    Pattern(String),
    /// A regular expression that matches before anything was read.
    #[error("it matches the empty text, so the answer would end before it began")]
    MatchesNothing,
}

impl Script {
    /// The steps in their order.
    ///
    /// # Errors
    /// There are none or too many of them, or one of them does nothing.
    pub fn new(steps: Vec<Step>) -> Result<Script, ScriptError> {
        if steps.is_empty() {
            return Err(ScriptError::NoStep);
        }
        if steps.len() > 1 << 16 {
            return Err(ScriptError::TooManySteps);
        }
        let idle = |step: &Step| {
            let nothing = matches!(&step.expect, Expect::Content(content) if content.is_empty());
            step.send.is_empty() && nothing
        };
        if let Some(at) = steps.iter().position(idle) {
            return Err(ScriptError::EmptyStep(at + 1));
        }
        Ok(Script {
            steps: steps.into(),
        })
    }

    /// How many, at least 1.
    #[must_use]
    pub fn steps(&self) -> u32 {
        // At most 65,536.
        self.steps.len() as u32
    }

    #[inline]
    pub(super) fn request(&self, n: u32) -> &[u8] {
        &self.step(n).send
    }

    #[inline]
    pub(super) fn is_unanswered(&self, n: u32) -> bool {
        matches!(&self.step(n).expect, Expect::Content(content) if content.is_empty())
    }

    #[inline]
    pub(super) fn reader(&self, n: u32) -> ScriptReader {
        let state = match &self.step(n).expect {
            Expect::Content(_) => StateID::ZERO,
            Expect::Pattern(pattern) => pattern.start,
        };
        ScriptReader {
            step: n % self.steps(),
            state,
            received: 0,
        }
    }

    #[inline]
    fn step(&self, n: u32) -> &Step {
        &self.steps[(n % self.steps()) as usize]
    }
}

impl Pattern {
    /// Everything up to and including the first `delimiter`, at most `max` octets.
    ///
    /// # Errors
    /// It is empty, or far too long.
    pub fn until(delimiter: &[u8], max: u64) -> Result<Pattern, ScriptError> {
        if delimiter.is_empty() {
            return Err(ScriptError::EmptyDelimiter);
        }
        let escaped: String = delimiter.iter().map(|b| format!("\\x{b:02x}")).collect();
        Pattern::regex(&format!("(?s).*{escaped}"), max)
    }

    /// Everything up to where `regex` matches all of it for the first time, at most `max` octets. The syntax is
    /// that of the crate `regex` without Unicode: classes such as `\d` are those of ASCII.
    ///
    /// # Errors
    /// It is no regular expression, its automaton is too large, or it matches nothing at all.
    pub fn regex(regex: &str, max: u64) -> Result<Pattern, ScriptError> {
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(MAX_AUTOMATON))
                    .determinize_size_limit(Some(4 * MAX_AUTOMATON)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .build(regex)
            .map_err(|error| ScriptError::Pattern(in_full(&error)))?;
        let start = automaton
            .start_state(&start::Config::new().anchored(Anchored::Yes))
            .map_err(|error| ScriptError::Pattern(error.to_string()))?;
        let pattern = Pattern {
            automaton,
            start,
            max,
        };
        match pattern.is_match(start) {
            true => Err(ScriptError::MatchesNothing),
            false => Ok(pattern),
        }
    }

    /// Whether what led to `state` matches.
    #[inline]
    fn is_match(&self, state: StateID) -> bool {
        let end = self.automaton.next_eoi_state(state);
        self.automaton.is_match_state(end)
    }

    /// The state after `octet`; `None` if no answer begins so.
    #[inline]
    fn next(&self, state: StateID, octet: u8) -> Option<StateID> {
        let next = self.automaton.next_state(state, octet);
        (!self.automaton.is_dead_state(next)).then_some(next)
    }
}

/// An error with what caused it.
fn in_full(error: &dyn core::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", in_full(source)),
        None => error.to_string(),
    }
}

impl ScriptReader {
    #[inline]
    pub(super) fn read(&mut self, script: &Script, data: &[u8]) -> Progress {
        match &script.step(self.step).expect {
            Expect::Content(content) => self.read_content(content, data),
            Expect::Pattern(pattern) => self.read_pattern(pattern, data),
        }
    }

    fn read_content(&mut self, content: &Content, data: &[u8]) -> Progress {
        let missing = content.len() - self.received;
        // At most the length of `data`.
        let consumed = missing.min(data.len() as u64) as usize;
        if !content.matches(self.received, &data[..consumed]) {
            return Progress::Wrong("has another text than was expected");
        }
        self.received += consumed as u64;
        match self.received < content.len() {
            true => Progress::More { consumed },
            false => done(consumed),
        }
    }

    fn read_pattern(&mut self, pattern: &Pattern, data: &[u8]) -> Progress {
        for (before, &octet) in data.iter().enumerate() {
            if self.received == pattern.max {
                return Progress::Wrong("is longer than was allowed");
            }
            let Some(next) = pattern.next(self.state, octet) else {
                return Progress::Wrong("does not match the regular expression");
            };
            self.received += 1;
            self.state = next;
            if pattern.is_match(next) {
                return done(before + 1);
            }
        }
        Progress::More {
            consumed: data.len(),
        }
    }

    pub(super) fn end(&mut self, script: &Script) -> Progress {
        let step = script.step(self.step);
        match &step.expect {
            Expect::Content(content) if self.received == content.len() => {
                Progress::More { consumed: 0 }
            }
            _ => Progress::Wrong("ended too early"),
        }
    }
}

fn done(consumed: usize) -> Progress {
    Progress::Done {
        consumed,
        status: None,
        last: false,
    }
}
