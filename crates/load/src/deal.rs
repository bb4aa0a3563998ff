//! Whose turn it is among destinations of different weights.

use crate::spec::{SpecError, Target};

/// The longest round.
const MAX_ROUND: u64 = 65_536;

/// Destinations in turn, each as often as its weight says and as evenly spread as can be.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    round: Box<[Target]>,
    next: usize,
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
        if sum > MAX_ROUND {
            return Err(SpecError::Weights(sum, MAX_ROUND));
        }
        // The nth turn of a target is at (n + 1/2) / weight of the round.
        let mut turns: Vec<(f64, usize)> = Vec::new();
        for (at, weight) in weights.iter().enumerate() {
            turns.extend((0..*weight).map(|n| ((n as f64 + 0.5) / *weight as f64, at)));
        }
        turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let round = turns.iter().map(|&(_, at)| targets[at]);
        Ok(Deal {
            round: round.collect(),
            next: 0,
        })
    }

    /// Turns in a round.
    pub(crate) fn len(&self) -> usize {
        self.round.len()
    }

    /// Whose turn it is.
    #[inline]
    pub(crate) fn next(&mut self) -> Target {
        let target = self.round[self.next];
        self.next += 1;
        if self.next == self.round.len() {
            self.next = 0;
        }
        target
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use stack::DestinationId;

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
        assert_eq!(deal.len(), 4);
        let turns: Vec<u16> = (0..8).map(|_| deal.next().destination.0).collect();
        assert_eq!(turns.iter().filter(|t| **t == 0).count(), 4);
        assert!(turns.windows(3).all(|w| w != [0, 0, 0]), "{turns:?}");
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
