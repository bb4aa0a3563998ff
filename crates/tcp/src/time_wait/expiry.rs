//! When an entry's time is over, in eight bits.
//!
//! A duration class divides its length T into ticks of T/160, but not shorter than a millisecond, nor than the sweep of a large
//! table needs to come by every line before eight bits and eight generations are used up.
//! An entry holds the low eight bits of the tick at which it expires. They are read relative to
//! a *generation*: a point in time, named by three bits of the entry's line, at which everything
//! in the line that had expired was removed. So a tick is never ambiguous, however long the sweep
//! was kept from running: an entry whose eight bits could wrap cannot be armed before its line is
//! cleaned and moved to a newer generation.

use crate::time::Instant;

/// Names a duration class: its place in the table's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ClassId(pub u8);

/// How many duration classes a table may have.
pub const MAX_CLASSES: usize = 16;

/// The longest duration, in milliseconds: 24 hours. RFC 7323 5.5 lets TS.Recent expire after
/// 24 days, so within any TIME-WAIT it stays valid.
pub const MAX_DURATION_MS: u64 = 24 * 60 * 60 * 1000;

/// Generations that can be told apart in a line's flags.
pub(super) const GENERATIONS: usize = 8;

/// The class of a vacant place: nothing of it is ever over.
pub(super) const NEVER: ClassId = ClassId(MAX_CLASSES as u8);

/// Places for classes where a class is only looked up, so that no index is out of range.
const CLASS_PLACES: usize = 1 << u8::BITS;

/// Ticks in a duration of 160 ms or more.
const TICKS: u64 = 160;
const NS_PER_MS: u64 = 1_000_000;

/// One length of TIME-WAIT.
#[derive(Clone, Copy, Debug)]
struct Class {
    duration_ms: u64,
    tick_ns: u64,
    /// Ticks from the one in which an entry is armed to the one at which it expires.
    lead: u64,
    /// The oldest generation, in ticks, in whose lines an entry may be armed.
    slack: u8,
    /// The tick in which `now` lies.
    tick: u64,
}

/// The expiries that are over, in lines of one generation and for one class.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Over {
    /// The first: the tick of the generation's start, low bits.
    from: u8,
    /// How many: the ticks since then, that one included, at most 256.
    count: u16,
}

impl Over {
    /// All bits if it is over, else none: the sweep does without branches.
    #[inline(always)]
    fn mask(self, expires: u8) -> u32 {
        let ticks = i32::from(expires.wrapping_sub(self.from));
        ((ticks - i32::from(self.count)) >> 31) as u32
    }
}

/// What is over in lines of one generation, by class.
pub(super) type Overs = [Over; CLASS_PLACES];

/// All bits if the entry that expires at `expires` is over, in a line of the generation that `overs` is of;
/// else none.
#[inline(always)]
pub(super) fn over_mask(overs: &Overs, class: ClassId, expires: u8) -> u32 {
    overs[usize::from(class.0)].mask(expires)
}

/// What an entry of a class is armed with.
#[derive(Clone, Copy, Debug)]
struct Arm {
    /// Its expiry; [`NOT_KEPT`] if the class keeps nothing.
    expires: u16,
    /// The generations, a bit each, in whose lines it may be.
    generations: u8,
}

/// No expiry.
const NOT_KEPT: u16 = u16::MAX;

/// The classes and generations of a table, at one point in time.
#[derive(Debug)]
pub(super) struct Expiry {
    classes: [Class; MAX_CLASSES],
    count: usize,
    /// The tick of each generation's start, for each class.
    starts: [[u64; MAX_CLASSES]; GENERATIONS],
    overs: Box<[Overs; GENERATIONS]>,
    /// What an entry of each class is armed with now.
    arms: [Arm; 2 * MAX_CLASSES],
    generation: u8,
    /// Generations that some line may still name, the current one included.
    in_use: usize,
    /// How many lines the sweep had come by when each began.
    begun: [u64; GENERATIONS],
    now: Instant,
    /// Nothing below changes before this.
    next_change: Instant,
}

impl Expiry {
    /// Bytes that it takes beside itself.
    pub(super) const ALLOCATED_BYTES: usize = size_of::<[Overs; GENERATIONS]>();

    /// Classes of these lengths in milliseconds; 0 is a class that keeps nothing. The caller has
    /// checked their number and size. A pass of the sweep takes `pass_ns` where it cannot be faster.
    pub(super) fn new(durations_ms: &[u64], pass_ns: u64, now: Instant) -> Expiry {
        let class = |ms: u64| {
            // All generations but the one that begins last as long as a pass: (253 ticks - T) * 7.
            let needed = (pass_ns / (GENERATIONS as u64 - 1) + ms * NS_PER_MS).div_ceil(253);
            // 6,250 ns a millisecond of T is exactly T/160: no rounding, so no lateness from it.
            let tick_ns = (ms * (NS_PER_MS / TICKS)).max(NS_PER_MS).max(needed);
            // One more tick because the current one has begun: never early.
            let lead = (ms * NS_PER_MS).div_ceil(tick_ns) + 1;
            Class {
                duration_ms: ms,
                tick_ns,
                lead,
                slack: (u64::from(u8::MAX) - lead) as u8,
                tick: 0,
            }
        };
        let mut classes = [class(0); MAX_CLASSES];
        for (slot, &ms) in classes.iter_mut().zip(durations_ms) {
            *slot = class(ms);
        }
        let mut expiry = Expiry {
            classes,
            count: durations_ms.len().min(MAX_CLASSES),
            starts: [[0; MAX_CLASSES]; GENERATIONS],
            overs: Box::new([[Over::default(); CLASS_PLACES]; GENERATIONS]),
            arms: [Arm {
                expires: NOT_KEPT,
                generations: 0,
            }; 2 * MAX_CLASSES],
            // The next one is 0, the generation of an empty bucket.
            generation: GENERATIONS as u8 - 1,
            in_use: 0,
            begun: [0; GENERATIONS],
            now,
            next_change: Instant::ZERO,
        };
        expiry.update();
        expiry.begin_generation(0);
        expiry
    }

    /// The number of classes.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Moves to `now`; a time before the last is taken as the last.
    #[inline(always)]
    pub(super) fn advance(&mut self, now: Instant) {
        if now > self.now {
            self.now = now;
            if now >= self.next_change {
                self.update();
            }
        }
    }

    /// The latest time given.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    #[cold]
    fn update(&mut self) {
        let now = self.now.as_nanos();
        let mut next = u64::MAX;
        for (class, arm) in self.classes[..self.count].iter_mut().zip(&mut self.arms) {
            class.tick = now / class.tick_ns;
            if class.duration_ms != 0 {
                arm.expires = u16::from((class.tick + class.lead) as u8);
            }
            next = next.min((class.tick + 1).saturating_mul(class.tick_ns));
        }
        self.next_change = Instant::from_nanos(next);
        for generation in 0..GENERATIONS {
            self.measure(generation);
        }
    }

    /// How old a generation is now.
    fn measure(&mut self, generation: usize) {
        let classes = self.classes.iter().zip(&self.starts[generation]);
        for (i, (class, &start)) in classes.enumerate() {
            let age = class.tick.saturating_sub(start).min(255) as u8;
            self.overs[generation][i] = Over {
                from: start as u8,
                count: u16::from(age) + 1,
            };
            let generations = &mut self.arms[i].generations;
            *generations &= !(1 << generation);
            *generations |= u8::from(age <= class.slack) << generation;
        }
    }

    /// The current generation.
    #[inline]
    pub(super) fn generation(&self) -> u8 {
        self.generation
    }

    /// Whether a new generation can begin without a name being used twice.
    pub(super) fn can_begin(&self) -> bool {
        self.in_use < GENERATIONS
    }

    /// Starts a generation at `now`, after the sweep has come by `swept` lines.
    pub(super) fn begin_generation(&mut self, swept: u64) {
        self.generation = (self.generation + 1) % GENERATIONS as u8;
        self.in_use += 1;
        let generation = usize::from(self.generation);
        self.begun[generation] = swept;
        self.starts[generation] = self.classes.map(|class| class.tick);
        self.measure(generation);
    }

    /// The sweep has come by `swept` lines of a table of `lines`: where it has been everywhere since a
    /// generation began, the names of those before it are free.
    pub(super) fn free(&mut self, swept: u64, lines: u64) {
        while self.in_use > 1 {
            let second = usize::from(self.generation) + GENERATIONS + 2 - self.in_use;
            if swept < self.begun[second % GENERATIONS] + lines {
                return;
            }
            self.in_use -= 1;
        }
    }

    /// Whether an entry is over: `expires` as armed, in a line of `generation`.
    #[inline(always)]
    pub(super) fn is_over(&self, generation: u8, class: ClassId, expires: u8) -> bool {
        over_mask(self.overs(generation), class, expires) != 0
    }

    /// What is over in lines of `generation`.
    #[inline(always)]
    pub(super) fn overs(&self, generation: u8) -> &Overs {
        &self.overs[usize::from(generation) % GENERATIONS]
    }

    /// The expiry of an entry armed now, or `None` for a class that keeps nothing.
    #[inline]
    pub(super) fn arm(&self, class: ClassId) -> Option<u8> {
        let expires = self.arm_of(class).expires;
        (expires != NOT_KEPT).then_some(expires as u8)
    }

    /// Whether an entry may be armed now in a line of `generation`.
    #[inline]
    pub(super) fn may_arm(&self, generation: u8, class: ClassId) -> bool {
        self.arm_of(class).generations >> (generation % GENERATIONS as u8) & 1 != 0
    }

    #[inline]
    fn arm_of(&self, class: ClassId) -> Arm {
        self.arms[usize::from(class.0) % (2 * MAX_CLASSES)]
    }

    /// When an entry that is not over expires: the exact start of its tick.
    #[inline]
    pub(super) fn expires_at(&self, generation: u8, class: ClassId, expires: u8) -> Instant {
        let generation = usize::from(generation) % GENERATIONS;
        let start = self.starts[generation][usize::from(class.0) % MAX_CLASSES];
        let tick = start + u64::from(expires.wrapping_sub(start as u8));
        Instant::from_nanos(tick.saturating_mul(self.class(class).tick_ns))
    }

    /// Nanoseconds left to an entry that is not over.
    #[inline]
    pub(super) fn left_ns(&self, generation: u8, class: ClassId, expires: u8) -> u64 {
        let at = self.expires_at(generation, class, expires).as_nanos();
        at.saturating_sub(self.now.as_nanos())
    }

    /// The most that the age of an entry that is not over may be: up to a tick less.
    #[inline]
    pub(super) fn age_at_most_ns(&self, generation: u8, class: ClassId, expires: u8) -> u64 {
        let longest = self.duration_ms(class) * NS_PER_MS + self.tick_ns(class);
        longest.saturating_sub(self.left_ns(generation, class, expires))
    }

    /// The length of `class` in milliseconds.
    #[inline]
    pub(super) fn duration_ms(&self, class: ClassId) -> u64 {
        self.class(class).duration_ms
    }

    /// The tick of `class` in nanoseconds: by so much an entry may expire late.
    #[inline]
    pub(super) fn tick_ns(&self, class: ClassId) -> u64 {
        self.class(class).tick_ns
    }

    /// A quarter of the shortest length, in nanoseconds: the time for one pass of the sweep.
    /// `None` if every length is 0.
    pub(super) fn pass_ns(&self) -> Option<u64> {
        let kept = self.classes[..self.count].iter().map(|c| c.duration_ms);
        let shortest = kept.filter(|&ms| ms != 0).min()?;
        Some(shortest * NS_PER_MS / 4)
    }

    #[inline]
    fn class(&self, class: ClassId) -> &Class {
        &self.classes[usize::from(class.0) % MAX_CLASSES]
    }
}

#[cfg(test)]
mod tests;
