//! A learning switch (IEEE 802.1Q 8.7): a frame goes to the port where its destination was last
//! seen as a source, and to all others if it was not.

use std::collections::BTreeMap;

use wire::{MacAddr, ethernet};

use crate::network::StationId;

/// Which station has which address.
#[derive(Default, Debug)]
pub(crate) struct Switch {
    ports: BTreeMap<MacAddr, StationId>,
}

/// Where a frame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Forward {
    /// Shorter than an Ethernet header.
    Nowhere,
    To(StationId),
    /// To every port but the one it came from.
    Flood,
}

impl Switch {
    /// Notes where the frame came from.
    pub(crate) fn learn(&mut self, from: StationId, frame: &[u8]) {
        if let Ok((header, _)) = ethernet::Header::parse(frame)
            && header.src.is_unicast()
        {
            self.ports.insert(header.src, from);
        }
    }

    /// Where the frame goes. A frame for the port that it came from goes nowhere.
    pub(crate) fn forward(&self, from: Option<StationId>, frame: &[u8]) -> Forward {
        let Ok((header, _)) = ethernet::Header::parse(frame) else {
            return Forward::Nowhere;
        };
        match self.ports.get(&header.dst) {
            Some(&to) if Some(to) == from => Forward::Nowhere,
            Some(&to) => Forward::To(to),
            None => Forward::Flood,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(dst: u8, src: u8) -> Vec<u8> {
        let mut bytes = vec![0; 60];
        ethernet::Header {
            dst: MacAddr([2, 0, 0, 0, 0, dst]),
            src: MacAddr([2, 0, 0, 0, 0, src]),
            vlan: None,
            ethertype: 0x1234,
        }
        .emit(&mut bytes);
        bytes
    }

    #[test]
    fn learns_forwards_and_follows_a_move() {
        let mut switch = Switch::default();
        let (a, b, c) = (StationId(0), StationId(1), StationId(2));
        assert_eq!(switch.forward(Some(a), &frame(2, 1)), Forward::Flood);
        switch.learn(a, &frame(2, 1));
        assert_eq!(switch.forward(Some(b), &frame(1, 2)), Forward::To(a));
        assert_eq!(switch.forward(Some(a), &frame(1, 1)), Forward::Nowhere);
        switch.learn(c, &frame(2, 1));
        assert_eq!(switch.forward(Some(b), &frame(1, 2)), Forward::To(c));
        assert_eq!(switch.forward(Some(a), &[0; 13]), Forward::Nowhere);
    }
}
