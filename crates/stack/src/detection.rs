//! Duplicate address detection (RFC 4862 5.4): before an IPv6 address is used, the link is asked
//! whether another host has it. And announcing the addresses that may be used.
//!
//! All addresses are verified at once. RFC 4862 5.4.2 wants a random delay before the first question
//! where many hosts start together after a power failure; this host starts when its operator starts
//! it, and asks at once.

use tcp::time::Instant;
use wire::{FourTuple, Ip};

use crate::core::Core;
use crate::link::Link;
use tcp::CloseReason;

/// RetransTimer (RFC 4861 10): between questions, and after the last.
const RETRANS_TIMER_MS: u64 = 1_000;

/// An address that may not be used yet.
struct Tentative {
    ip: Ip,
    probes_left: u8,
}

/// What is to be verified and announced.
pub(crate) struct Detection {
    tentative: Vec<Tentative>,
    /// When the next question is due, or the answer to the last overdue. `None`: not begun.
    due: Option<Instant>,
    /// Questions to send now.
    ask: Vec<Ip>,
    /// Addresses to announce, the next one last.
    announce: Vec<Ip>,
}

impl Detection {
    /// Begins with every IPv6 address of `link`, unless `probes` is 0.
    pub(crate) fn new(probes: u8, link: &mut Link) -> Detection {
        let ours = link.addresses.iter().rev().map(|a| a.ip);
        //= RFC 4862 5.1
        //# A value of zero indicates that Duplicate Address
        //# Detection is not performed on tentative addresses.
        let (announce, unverified): (Vec<Ip>, Vec<Ip>) =
            ours.partition(|ip| ip.is_v4() || probes == 0);
        for &ip in &unverified {
            link.suspend(ip);
        }
        let tentative = |ip| Tentative {
            ip,
            probes_left: probes,
        };
        Detection {
            ask: Vec::with_capacity(unverified.len()),
            tentative: unverified.into_iter().map(tentative).collect(),
            due: None,
            announce,
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        !self.tentative.is_empty()
    }

    pub(crate) fn is_tentative(&self, ip: Ip) -> bool {
        self.tentative.iter().any(|t| t.ip == ip)
    }

    /// When [`Core::detect_duplicates`] or sending has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.announce.is_empty() || !self.ask.is_empty() {
            return Some(Instant::ZERO);
        }
        self.is_under_way()
            .then(|| self.due.unwrap_or(Instant::ZERO))
    }

    /// An address to ask the link for.
    pub(crate) fn next_question(&mut self) -> Option<Ip> {
        self.ask.pop()
    }

    /// An address to announce.
    pub(crate) fn next_announcement(&mut self) -> Option<Ip> {
        self.announce.pop()
    }
}

impl Core {
    /// Asks again, or believes that nobody else has the addresses.
    pub(crate) fn detect_duplicates(&mut self, now: Instant) {
        let detection = &mut self.detection;
        if !detection.is_under_way() || detection.due.is_some_and(|due| now < due) {
            return;
        }
        detection.due = Some(now.plus_millis(RETRANS_TIMER_MS));
        let (link, ask, announce) = (&mut self.link, &mut detection.ask, &mut detection.announce);
        detection.tentative.retain_mut(|t| {
            if t.probes_left > 0 {
                t.probes_left -= 1;
                ask.push(t.ip);
                return true;
            }
            //= RFC 4862 5.4
            //# An address is considered unique if none of the tests indicate the
            //# presence of a duplicate address within RetransTimer milliseconds
            //# after having sent DupAddrDetectTransmits Neighbor Solicitations.
            link.use_address(t.ip);
            announce.push(t.ip);
            false
        });
        if !detection.is_under_way() {
            self.neighbors.release_v6(now);
        }
    }

    //= RFC 4862 5.4.5
    //# A tentative address that is determined to be a duplicate as described
    //# above MUST NOT be assigned to an interface
    /// Another host has the address `ip`, which was being verified. What wanted to use it fails; the
    /// host goes on with its other addresses.
    pub(crate) fn on_duplicate(&mut self, now: Instant, ip: Ip) {
        self.counters.host.duplicate_addresses += 1;
        self.duplicates.push(ip);
        self.detection.tentative.retain(|t| t.ip != ip);
        self.detection.ask.retain(|&asked| asked != ip);
        self.link.give_up(ip);
        for destination in &mut self.destinations {
            destination.pool.withdraw(ip);
        }
        let uses = |tuple: &FourTuple| tuple.local == ip;
        let users: Vec<u32> = self.slab.live_indices().collect();
        for index in users {
            let slot = self.slab.get_mut(index);
            if uses(&slot.tuple) {
                slot.conn.fail(CloseReason::Unreachable);
                self.mark_dirty(index);
            }
        }
        if !self.detection.is_under_way() {
            self.neighbors.release_v6(now);
        }
    }
}
