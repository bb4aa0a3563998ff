//! Whose turn it is among destinations of different weights.

use stack::DestinationId;

use crate::spec::{SpecError, Target};

/// The longest round.
const MAX_ROUND: u64 = 65_536;

/// Destinations in turn, each as often as its weight says and as evenly spread as can be.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    targets: Box<[Target]>,
    /// The places of the targets.
    round: Box<[u16]>,
    next: usize,
    /// The target that is the next to stand in for another one.
    stand_in: usize,
}

impl Deal {
    /// Weights with a common divisor are reduced.
    pub(crate) fn new(targets: &[Target]) -> Result<Deal, SpecError> {
        let weights: Vec<u64> = targets.iter().map(|t| t.weight.get().into()).collect();
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let weights: Vec<u64> = weights.iter().map(|w| w / divisor).collect();
        let sum: u64 = weights.iter().sum();
        if sum == 0 {
            return Err(SpecError::NoTarget);
        }
        // So there are at most as many targets.
        if sum > MAX_ROUND {
            return Err(SpecError::Weights(sum, MAX_ROUND));
        }
        // The nth turn of a target is at (n + 1/2) / weight of the round.
        let mut turns: Vec<(f64, u16)> = Vec::new();
        for (weight, at) in weights.iter().zip(0..=u16::MAX) {
            turns.extend((0..*weight).map(|n| ((n as f64 + 0.5) / *weight as f64, at)));
        }
        turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let round = turns.into_iter().map(|(_, at)| at);
        Ok(Deal {
            targets: targets.into(),
            round: round.collect(),
            next: 0,
            stand_in: 0,
        })
    }

    /// Whose turn it is.
    #[inline]
    pub(crate) fn next(&mut self) -> Target {
        let at = self.round[self.next];
        self.next += 1;
        if self.next == self.round.len() {
            self.next = 0;
        }
        self.targets[usize::from(at)]
    }

    /// Who may do instead of `of`, which cannot take its turn: all others, one after the other, whatever their weights.
    /// `tried` begins at 0; `None`: all were tried.
    pub(crate) fn stand_in(&mut self, of: DestinationId, tried: &mut usize) -> Option<Target> {
        while *tried < self.targets.len() {
            *tried += 1;
            let target = self.targets[self.stand_in];
            self.stand_in += 1;
            if self.stand_in == self.targets.len() {
                self.stand_in = 0;
            }
            if target.destination != of {
                return Some(target);
            }
        }
        None
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use super::*;

    fn deal(weights: &[u32]) -> Result<Deal, SpecError> {
        let targets = weights.iter().zip(0..).map(|(&weight, id)| Target {
            destination: DestinationId(id),
            weight: NonZeroU32::new(weight).unwrap(),
            exchange: 0,
        });
        Deal::new(&targets.collect::<Vec<_>>())
    }

    #[test]
    fn each_has_its_share_and_none_comes_in_a_row() {
        let mut deal = deal(&[400, 200, 200]).unwrap();
        let turns: Vec<u16> = (0..8).map(|_| deal.next().destination.0).collect();
        assert_eq!(turns.iter().filter(|t| **t == 0).count(), 4);
        assert!(turns.windows(3).all(|w| w != [0, 0, 0]), "{turns:?}");
    }

    #[test]
    fn all_others_stand_in_alike() {
        let mut deal = deal(&[65_533, 1, 1]).unwrap();
        for others in [[1, 2], [2, 1], [1, 2]] {
            let mut tried = 0;
            let mut stand_in = || deal.stand_in(DestinationId(0), &mut tried);
            let stood_in = [(); 3].map(|()| stand_in().map(|target| target.destination.0));
            assert_eq!(stood_in, [Some(others[0]), Some(others[1]), None]);
            // One of them has taken the first place, and so the next one is the first the next time.
            deal.stand_in(DestinationId(0), &mut 0);
        }
    }

    #[test]
    fn weights_too_fine_are_refused() {
        assert!(deal(&[65_535, 1]).is_ok());
        assert!(matches!(
            deal(&[65_535, 2]),
            Err(SpecError::Weights(65_537, 65_536))
        ));
        assert!(matches!(deal(&[]), Err(SpecError::NoTarget)));
    }
}
