//! Rates, and how they change.

use serde::Deserialize;

use crate::config::quantity::{Count, Millis};

/// Events a second.
pub type Rate = Count<1, 1_000_000_000>;

/// A part of a run with a rate of its own.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long it takes, 1ms to 30d. Required.
    pub time: Millis<1, 2_592_000_000>,
    /// The rate at its beginning, 0 to 1G a second. Default: where the step before ended; for the first, `to`.
    pub from: Option<Count<0, 1_000_000_000>>,
    /// The rate at its end, 0 to 1G a second. Required.
    pub to: Count<0, 1_000_000_000>,
}

impl super::Load {
    /// The rate over time, of a sweep the highest one; `None` in a closed loop.
    #[must_use]
    pub fn profile(&self) -> Option<load::Profile> {
        if let Some(sweep) = &self.sweep {
            return Some(load::Profile::constant(sweep.to.get() as f64));
        }
        if let Some(rate) = self.rate {
            let rate = rate.get() as f64;
            let mut profile = load::Profile::constant(rate);
            if self.ramp.get() > 0 {
                let ramp = load::Segment {
                    duration: self.ramp.duration(),
                    from: 0.0,
                    to: rate,
                };
                profile.segments.insert(0, ramp);
            }
            return Some(profile);
        }
        let first = self.steps.first()?;
        let mut from = first.to.get();
        let segments = self.steps.iter().map(|step| {
            let segment = load::Segment {
                duration: step.time.duration(),
                from: step.from.map_or(from, Count::get) as f64,
                to: step.to.get() as f64,
            };
            from = step.to.get();
            segment
        });
        Some(load::Profile {
            segments: segments.collect(),
        })
    }
}
