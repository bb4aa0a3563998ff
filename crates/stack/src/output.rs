//! Frames out: TCP segments with their IPv4 and Ethernet headers.

use wire::{FourTuple, MacAddr, checksum, ethernet, ipv4, tcp as wire_tcp};

use crate::core::Link;
use crate::frame::{Frame, FramePool, TxOffload};

impl Link {
    /// Bytes of the Ethernet header that this link uses.
    #[inline]
    pub(crate) fn l2_len(&self) -> usize {
        if self.vlan.is_some() {
            ethernet::Header::LEN_TAGGED
        } else {
            ethernet::Header::LEN
        }
    }

    /// Writes the Ethernet header.
    #[inline]
    pub(crate) fn emit_ethernet(&self, buf: &mut [u8], dst: MacAddr, ethertype: u16) -> usize {
        ethernet::Header {
            dst,
            src: self.mac,
            vlan: self.vlan.map(ethernet::Tag::new),
            ethertype,
        }
        .emit(buf)
    }

    /// A frame with one TCP segment; `write_text` fills the text. `None` when the pool is empty.
    #[inline]
    pub(crate) fn tcp_frame<P: FramePool>(
        &self,
        pool: &mut P,
        to: MacAddr,
        tuple: &FourTuple,
        mut header: wire_tcp::Header,
        text_len: usize,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Option<P::Frame> {
        let l2 = self.l2_len();
        let l4 = l2 + ipv4::Header::LEN;
        let segment_len = header.header_len() + text_len;
        let mut frame = pool.alloc(l4 + segment_len)?;
        let buf = frame.data_mut();
        self.emit_ethernet(buf, to, ethernet::ETHERTYPE_IPV4);
        let (src, dst) = (tuple.local.v4_octets(), tuple.remote.v4_octets());
        // An MTU is at most 9,216: the length fits.
        ipv4::Header::new(src, dst, ipv4::PROTOCOL_TCP, segment_len as u16)
            .emit(&mut buf[l2..], !self.offload.tx_ip);
        let segment = &mut buf[l4..l4 + segment_len];
        header.src_port = tuple.local_port;
        header.dst_port = tuple.remote_port;
        let text = header.emit(segment);
        write_text(&mut segment[text..]);
        if self.offload.tx_tcp {
            checksum::fill_tcp_pseudo_header(
                tuple.local,
                tuple.remote,
                segment_len as u32,
                segment,
            );
        } else {
            checksum::fill_tcp(tuple.local, tuple.remote, segment);
        }
        if self.offload.tx_ip || self.offload.tx_tcp {
            frame.set_tx_offload(TxOffload {
                l2_len: l2 as u8,
                l3_len: ipv4::Header::LEN as u8,
                ipv4: true,
                ip_checksum: self.offload.tx_ip,
                tcp_checksum: self.offload.tx_tcp,
            });
        }
        Some(frame)
    }
}
