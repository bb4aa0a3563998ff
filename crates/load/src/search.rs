//! A search for the highest rate that passes, by halving, as throughput is looked for in trials (RFC 2544 26.1).
//!
//! A single trial may pass by luck, or fail for a reason of its own. So what was found is repeated, and if it
//! fails then, the search goes on below it.

/// The search: it says what to try next, and is told what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    lowest: f64,
    highest: f64,
    /// The rates that may be tried are the lowest, and so many above it, each the same share above the one before.
    steps: u32,
    confirmations: u32,
    /// The steps that have passed and did not fail when they were repeated, rising.
    passed: Vec<u32>,
    /// The lowest that has failed; one above all if none has.
    failed: u32,
    /// How often the last one that passed has passed again.
    confirmed: u32,
}

/// What to try.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trial {
    /// Events a second.
    pub rate: f64,
    /// Whether it has passed already, and is repeated.
    pub repeats: bool,
}

/// What is known.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Found {
    /// The highest rate that has passed.
    pub rate: Option<f64>,
    /// How often it has passed again.
    pub confirmed: u32,
    /// The lowest rate that has failed; `None`: the highest one has passed.
    pub failed: Option<f64>,
}

/// A search that cannot be made.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum SearchError {
    /// Rates that are none, or in the wrong order.
    #[error(
        "a search from {0} to {1} a second: the lowest rate has to be above 0 and not above the highest"
    )]
    Range(f64, f64),
    /// A resolution that is none.
    #[error("a resolution of {0}: it has to be from {min} to 1", min = Search::FINEST)]
    Resolution(f64),
}

impl Search {
    /// The finest resolution.
    pub const FINEST: f64 = 0.001;

    /// A search from `lowest` to `highest`, both included. It ends when the rate next above the one that has passed,
    /// by a share of `resolution`, has failed, and the former has passed `confirmations` times more.
    ///
    /// # Errors
    /// Rates or a resolution that are none.
    pub fn new(
        lowest: f64,
        highest: f64,
        resolution: f64,
        confirmations: u32,
    ) -> Result<Search, SearchError> {
        if !(lowest > 0.0 && lowest <= highest && (highest / lowest).is_finite()) {
            return Err(SearchError::Range(lowest, highest));
        }
        if !(Search::FINEST..=1.0).contains(&resolution) {
            return Err(SearchError::Resolution(resolution));
        }
        // Of the finest resolution there are less than a million.
        let steps = ((highest / lowest).ln() / resolution.ln_1p()).ceil() as u32;
        Ok(Search {
            lowest,
            highest,
            steps,
            confirmations,
            passed: Vec::new(),
            failed: steps + 1,
            confirmed: 0,
        })
    }

    fn rate(&self, step: u32) -> f64 {
        match step {
            0 => self.lowest,
            step if step == self.steps => self.highest,
            step => {
                let share = f64::from(step) / f64::from(self.steps);
                self.lowest * (self.highest / self.lowest).powf(share)
            }
        }
    }

    /// The next step, and whether it is a repetition.
    fn step(&self) -> Option<(u32, bool)> {
        let Some(&low) = self.passed.last() else {
            // If not even the lowest passes, there is nothing to look for.
            return (self.failed > 0).then_some((0, false));
        };
        if self.failed > self.steps && low < self.steps {
            return Some((self.steps, false));
        }
        match self.failed - low {
            1 => (self.confirmed < self.confirmations).then_some((low, true)),
            between => Some((low + between / 2, false)),
        }
    }

    /// What to try next; `None`: the search is over.
    #[must_use]
    pub fn next(&self) -> Option<Trial> {
        let (step, repeats) = self.step()?;
        Some(Trial {
            rate: self.rate(step),
            repeats,
        })
    }

    /// Whether what [`Search::next`] said has passed.
    pub fn judge(&mut self, passed: bool) {
        match (self.step(), passed) {
            (Some((_, true)), true) => self.confirmed += 1,
            (Some((step, false)), true) => {
                self.passed.push(step);
                self.confirmed = 0;
            }
            (Some((step, repeats)), false) => {
                self.failed = step;
                if repeats {
                    self.passed.pop();
                    self.confirmed = 0;
                }
            }
            (None, _) => {}
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn found(&self) -> Found {
        Found {
            rate: self.passed.last().map(|&step| self.rate(step)),
            confirmed: self.confirmed,
            failed: (self.failed <= self.steps).then(|| self.rate(self.failed)),
        }
    }
}

#[cfg(test)]
mod tests;
