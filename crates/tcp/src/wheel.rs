//! The timer wheel of live connections: hierarchical, its lists linked by index.
//!
//! Six levels of 64 slots; a slot of level `l` spans 64^l ticks. A timer lies on the level of the
//! highest six bits in which its deadline differs from the wheel's time, and comes down a level or
//! more when the wheel reaches its slot. A bitmap a level finds the next slot without a search.
//!
//! The wheel knows ids and ticks. It must never know what a timer is for, or a clock.

/// Bits of a tick that a level takes.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 6;
const MASK: u64 = SLOTS as u64 - 1;
/// Marks a timer that is not scheduled.
const IDLE: u32 = u32::MAX;

/// A timer, or the head of a slot's circular list; 12 bytes.
#[derive(Clone, Copy, Debug)]
struct Node {
    next: u32,
    prev: u32,
    /// The low half of the deadline; the rest follows from the wheel's time.
    deadline: u32,
}

/// Timers with the ids 0 to `capacity - 1`, each scheduled at most once.
///
/// A timer never fires before its deadline, and fires at the first [`Wheel::advance`] to its
/// deadline or later whose budget reaches it.
#[derive(Debug)]
pub struct Wheel {
    /// The timers, then a head a slot.
    nodes: Box<[Node]>,
    /// For each level the slots that are not empty.
    occupied: [u64; LEVELS],
    /// The tick up to which everything has fired.
    now: u64,
    /// The slot whose timers are on their way down, if the budget ended there.
    cascade: Option<u32>,
    capacity: u32,
    scheduled: usize,
}

impl Wheel {
    /// The farthest deadline, in ticks from now: 49 days if a tick is a millisecond. A farther one
    /// is taken as this far.
    pub const MAX_AHEAD: u64 = u32::MAX as u64;

    /// The most timers a wheel may have.
    pub const MAX_CAPACITY: usize = u32::MAX as usize - LEVELS * SLOTS;

    /// A wheel at tick 0. Its memory, 12 bytes a timer, is allocated and touched here.
    ///
    /// # Panics
    /// If `capacity` is more than [`Wheel::MAX_CAPACITY`].
    #[must_use]
    pub fn new(capacity: usize) -> Wheel {
        assert!(capacity <= Wheel::MAX_CAPACITY, "too many timers");
        let idle = Node {
            next: IDLE,
            prev: IDLE,
            deadline: 0,
        };
        let mut nodes = vec![idle; capacity + LEVELS * SLOTS].into_boxed_slice();
        for (head, node) in nodes.iter_mut().enumerate().skip(capacity) {
            node.next = head as u32;
            node.prev = head as u32;
        }
        Wheel {
            nodes,
            occupied: [0; LEVELS],
            now: 0,
            cascade: None,
            capacity: capacity as u32,
            scheduled: 0,
        }
    }

    /// Sets the timer `id` to fire at `deadline_tick`, moving it if it is scheduled. A deadline
    /// that has passed fires at the next [`Wheel::advance`].
    ///
    /// # Panics
    /// If `id` is not below the capacity.
    #[inline]
    pub fn schedule(&mut self, id: u32, deadline_tick: u64) {
        self.cancel(id);
        let farthest = self.now.saturating_add(Wheel::MAX_AHEAD);
        self.link(id, deadline_tick.clamp(self.now, farthest));
        self.scheduled += 1;
    }

    /// Sees to it that the timer `id` fires at `deadline_tick` or before: one that is set for then or
    /// earlier stays.
    ///
    /// # Panics
    /// If `id` is not below the capacity.
    #[inline]
    pub fn schedule_by(&mut self, id: u32, deadline_tick: u64) {
        let node = &self.nodes[id as usize];
        let ahead = u64::from(node.deadline.wrapping_sub(self.now as u32));
        if node.next == IDLE || ahead > deadline_tick.saturating_sub(self.now) {
            self.move_forward(id, deadline_tick);
        }
    }

    /// [`Wheel::schedule`], out of the way of timers that stay.
    #[cold]
    fn move_forward(&mut self, id: u32, deadline_tick: u64) {
        self.schedule(id, deadline_tick);
    }

    /// Stops the timer `id`; whether it was scheduled.
    ///
    /// # Panics
    /// If `id` is not below the capacity.
    #[inline]
    pub fn cancel(&mut self, id: u32) -> bool {
        assert!(id < self.capacity, "no timer {id}");
        let scheduled = self.nodes[id as usize].next != IDLE;
        if scheduled {
            self.unlink(id);
            self.scheduled -= 1;
        }
        scheduled
    }

    /// The tick at which `id` fires, or `None` if it is not scheduled. For a deadline that had
    /// passed when it was set, the wheel's time then.
    #[inline]
    #[must_use]
    pub fn deadline(&self, id: u32) -> Option<u64> {
        let node = self.nodes[..self.capacity as usize].get(id as usize)?;
        (node.next != IDLE).then(|| self.widen(node.deadline))
    }

    /// Timers that are scheduled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scheduled
    }

    /// Whether no timer is scheduled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scheduled == 0
    }

    /// Fires what is due at `now_tick`, in the order of the ticks; returns how many fired.
    ///
    /// A timer that fires is no longer scheduled. At most `budget` timers fire or come down a
    /// level; what is left goes on at the next call. A tick before the wheel's is taken as that.
    #[inline]
    pub fn advance(&mut self, now_tick: u64, budget: usize, fire: &mut impl FnMut(u32)) -> usize {
        let mut left = budget;
        let mut fired = 0;
        loop {
            if let Some(head) = self.cascade {
                if !self.come_down(head, &mut left) {
                    return fired;
                }
                self.cascade = None;
            }
            let Some((level, slot, tick)) = self.next_slot() else {
                break;
            };
            if tick > now_tick {
                break;
            }
            self.now = self.now.max(tick);
            let head = self.head(level, slot);
            if level > 0 {
                self.cascade = Some(head);
                continue;
            }
            while self.occupied[0] >> slot & 1 != 0 {
                if left == 0 {
                    return fired;
                }
                left -= 1;
                let id = self.nodes[head as usize].next;
                self.unlink(id);
                self.scheduled -= 1;
                fired += 1;
                fire(id);
            }
        }
        self.now = self.now.max(now_tick);
        fired
    }

    /// A tick before which no timer fires, or `None` if none is scheduled: the deadline itself if
    /// it is less than 64 ticks away, else possibly earlier. Advancing to it and asking again
    /// comes to the deadline in at most six steps.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        // Every timer of the slot may have been cancelled meanwhile.
        if self
            .cascade
            .is_some_and(|head| self.nodes[head as usize].next != head)
        {
            return Some(self.now);
        }
        self.next_slot().map(|(_, _, tick)| tick.max(self.now))
    }

    /// Bytes of memory that the wheel takes.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.nodes) + size_of::<Self>()
    }

    /// The first slot that is not empty, and the tick at which it begins. The lists of a level lie
    /// before those of the levels above it.
    #[inline]
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let shift = BITS * level as u32;
        let here = self.now >> shift;
        let distance = self.occupied[level]
            .rotate_right((here & MASK) as u32)
            .trailing_zeros();
        let at = here + u64::from(distance);
        Some((level, (at & MASK) as usize, at << shift))
    }

    /// Links the timers of a slot anew, nearer to their deadlines. False if the budget ended.
    fn come_down(&mut self, head: u32, left: &mut usize) -> bool {
        loop {
            let id = self.nodes[head as usize].next;
            if id == head {
                return true;
            }
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let deadline = self.widen(self.nodes[id as usize].deadline);
            self.unlink(id);
            self.link(id, deadline);
        }
    }

    /// A deadline from its low half: they are at most [`Wheel::MAX_AHEAD`] from now.
    #[inline]
    fn widen(&self, low: u32) -> u64 {
        self.now + u64::from(low.wrapping_sub(self.now as u32))
    }

    #[inline]
    fn head(&self, level: usize, slot: usize) -> u32 {
        self.capacity + (level * SLOTS + slot) as u32
    }

    #[inline]
    fn link(&mut self, id: u32, deadline: u64) {
        let differ = (deadline ^ self.now) | MASK;
        let level = ((63 - differ.leading_zeros()) / BITS).min(LEVELS as u32 - 1);
        let slot = (deadline >> (BITS * level) & MASK) as usize;
        let head = self.head(level as usize, slot);
        let last = self.nodes[head as usize].prev;
        self.nodes[id as usize] = Node {
            next: head,
            prev: last,
            deadline: deadline as u32,
        };
        self.nodes[last as usize].next = id;
        self.nodes[head as usize].prev = id;
        self.occupied[level as usize] |= 1 << slot;
    }

    #[inline]
    fn unlink(&mut self, id: u32) {
        let Node { next, prev, .. } = self.nodes[id as usize];
        self.nodes[prev as usize].next = next;
        self.nodes[next as usize].prev = prev;
        self.nodes[id as usize].next = IDLE;
        if next == prev && next >= self.capacity {
            let place = (next - self.capacity) as usize;
            self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        }
    }
}

#[cfg(test)]
mod tests;
