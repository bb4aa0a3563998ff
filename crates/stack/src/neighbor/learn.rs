//! What is learnt of neighbours from what they say of themselves.

use tcp::time::Instant;
use wire::{Ip, MacAddr};

use super::{FORGET_MS, NeighborId, Neighbors, REACHABLE_MS, State, UNUSED};

/// What a neighbour said of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// Where it is, unasked: the sender of an ARP request, or of a solicitation.
    Claim,
    /// An advertisement, or an ARP reply.
    Advertisement {
        /// It answers us, and so proves that it is reachable.
        solicited: bool,
        /// It replaces what is known.
        replace: bool,
    },
}

/// What [`Neighbors::learn`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Learned {
    /// Not asked for and not to be created.
    Ignored,
    /// No room.
    Full,
    /// New, or confirmed.
    Known,
    /// Known now, and somebody may have waited.
    Resolved(NeighborId),
}

impl Neighbors {
    /// What a frame from `ip`, which is at `mac`, taught: RFC 826's merge and RFC 4861 7.2.3 and
    /// 7.2.5. A new entry is made only if `create`.
    pub(crate) fn learn(
        &mut self,
        ip: Ip,
        mac: Option<MacAddr>,
        news: News,
        create: bool,
        now: Instant,
    ) -> Learned {
        let (id, waited) = match (self.by_ip.get(&ip), mac) {
            (Some(&id), _) => (id, true),
            (None, Some(_)) if create => match self.place(ip, now) {
                Some(id) => (id, false),
                None => return Learned::Full,
            },
            (None, _) => return Learned::Ignored,
        };
        let entry = &mut self.entries[usize::from(id)];
        let (solicited, replace) = match news {
            News::Claim => (false, true),
            News::Advertisement { solicited, replace } => (solicited, replace),
        };
        let was = entry.state;
        let unknown = matches!(was, State::Incomplete(_) | State::Failed);
        let differs = mac.is_some_and(|mac| mac != entry.mac);
        if unknown && mac.is_none() {
            return Learned::Ignored;
        }
        let state = if !unknown && differs && !replace {
            //= RFC 4861 7.2.5
            //# If the Override flag is clear and the supplied link-layer address
            //# differs from that in the cache, then one of two actions takes
            //# place:
            // What is known stays, and is doubted if it was believed.
            match was {
                State::Reachable => State::Stale,
                other => other,
            }
        } else {
            entry.mac = mac.unwrap_or(entry.mac);
            match was {
                _ if solicited => State::Reachable,
                _ if unknown || differs => State::Stale,
                other => other,
            }
        };
        if entry.users == 0 {
            self.unused.remove(id.into());
            self.unused.push(UNUSED, id.into());
        }
        self.set_state(id, state);
        match state {
            State::Reachable if solicited => self.look_at(id, now.plus_millis(REACHABLE_MS)),
            State::Stale => self.look_at(id, now.plus_millis(FORGET_MS)),
            _ => {}
        }
        if unknown && waited {
            Learned::Resolved(NeighborId(id))
        } else {
            Learned::Known
        }
    }
}
