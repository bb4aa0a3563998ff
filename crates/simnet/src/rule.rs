//! Rules that pick single frames as they are sent: to hold them and let them go later, to keep a
//! copy as an old duplicate, or to drop them.

use crate::decode::{self, Segment};
use crate::network::StationId;

/// A rule's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RuleId(pub(crate) usize);

/// What a rule does to the frames that it picks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Keeps the frame; it goes no further until it is released.
    Hold,
    /// Keeps a copy; the frame itself goes on.
    Copy,
    /// Drops the frame.
    Drop,
}

/// Which of the frames that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The n-th, counted from 1.
    Nth(u64),
    /// The first so many.
    First(u64),
    /// All.
    All,
}

impl Which {
    fn takes(self, n: u64) -> bool {
        match self {
            Which::Nth(nth) => n == nth,
            Which::First(count) => n <= count,
            Which::All => true,
        }
    }
}

/// A frame as a rule's predicate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The sender.
    pub from: StationId,
    /// The frame.
    pub frame: &'a [u8],
}

impl Seen<'_> {
    /// The TCP segment in the frame, if there is one.
    #[must_use]
    pub fn segment(&self) -> Option<Segment> {
        decode::segment(self.frame)
    }
}

/// A frame that a rule keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The sender.
    pub from: StationId,
    /// The frame.
    pub frame: Vec<u8>,
}

type Predicate = Box<dyn FnMut(&Seen<'_>) -> bool>;

pub(crate) struct Rule {
    action: Action,
    which: Which,
    predicate: Predicate,
    matched: u64,
    pub(crate) taken: u64,
    pub(crate) kept: Vec<Kept>,
    pub(crate) on: bool,
}

impl Rule {
    pub(crate) fn new(action: Action, which: Which, predicate: Predicate) -> Rule {
        Rule {
            action,
            which,
            predicate,
            matched: 0,
            taken: 0,
            kept: Vec::new(),
            on: true,
        }
    }

    /// What the rule wants to happen to the frame, if anything.
    pub(crate) fn judge(&mut self, seen: &Seen<'_>) -> Option<Action> {
        if !self.on || !(self.predicate)(seen) {
            return None;
        }
        self.matched += 1;
        if !self.which.takes(self.matched) {
            return None;
        }
        self.taken += 1;
        if self.action != Action::Drop {
            self.kept.push(Kept {
                from: seen.from,
                frame: seen.frame.to_vec(),
            });
        }
        Some(self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rule: &mut Rule, byte: u8) -> Option<Action> {
        rule.judge(&Seen {
            from: StationId(0),
            frame: &[byte],
        })
    }

    #[test]
    fn picks_the_nth_of_what_matches() {
        let odd = |seen: &Seen<'_>| seen.frame[0] % 2 == 1;
        let mut nth = Rule::new(Action::Hold, Which::Nth(2), Box::new(odd));
        let fates: Vec<_> = (0..6).map(|b| judge(&mut nth, b)).collect();
        assert_eq!(fates, [None, None, None, Some(Action::Hold), None, None]);
        assert_eq!(nth.kept[0].frame, [3]);
        let mut first = Rule::new(Action::Drop, Which::First(2), Box::new(odd));
        assert_eq!((0..6).filter_map(|b| judge(&mut first, b)).count(), 2);
        assert_eq!((first.taken, first.kept.len()), (2, 0));
        let mut all = Rule::new(Action::Copy, Which::All, Box::new(odd));
        assert_eq!((0..6).filter_map(|b| judge(&mut all, b)).count(), 3);
        all.on = false;
        assert_eq!(judge(&mut all, 1), None);
    }
}
