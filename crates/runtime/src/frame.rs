//! A DPDK packet buffer as the stack sees it.

use bytemuck::TransparentWrapper;
use dpdk::{Checksum, Mbuf};
use stack::{Frame, RxChecksum, TxOffload, Verdict};

/// A frame in a DPDK packet buffer, all of it in the buffer's first segment.
#[derive(Debug, TransparentWrapper)]
#[repr(transparent)]
pub struct MbufFrame(pub(crate) Mbuf);

impl Frame for MbufFrame {
    #[inline]
    fn data(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    #[inline]
    fn rx_checksum(&self) -> RxChecksum {
        let sums = self.0.rx_checksums();
        RxChecksum {
            ip: verdict(sums.ip),
            tcp: verdict(sums.l4),
        }
    }

    #[inline]
    fn stripped_vlan(&self) -> Option<u16> {
        self.0.stripped_vlan()
    }

    #[inline]
    fn set_tx_offload(&mut self, offload: TxOffload) {
        self.0.set_tx_offload(&dpdk::TxOffload {
            l2_len: offload.l2_len,
            l3_len: offload.l3_len.into(),
            ipv6: !offload.ipv4,
            ipv4_checksum: offload.ip_checksum,
            tcp_checksum: offload.tcp_checksum,
            vlan: offload.vlan,
            ..dpdk::TxOffload::default()
        });
    }
}

#[inline]
fn verdict(checksum: Checksum) -> Verdict {
    match checksum {
        Checksum::Unknown => Verdict::Unknown,
        // `None`: not right in the frame, yet the device vouches for the data.
        Checksum::Good | Checksum::None => Verdict::Good,
        Checksum::Bad => Verdict::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_that_nobody_gave_leaves_the_work_to_software() {
        assert_eq!(verdict(Checksum::Unknown), Verdict::Unknown);
        assert_eq!(verdict(Checksum::Bad), Verdict::Bad);
        assert_eq!(verdict(Checksum::Good), Verdict::Good);
        assert_eq!(verdict(Checksum::None), Verdict::Good);
    }
}
