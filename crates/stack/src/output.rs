//! Frames out: TCP segments with their IP and Ethernet headers.

use wire::tcp_ipv4::{self, Checksums};
use wire::{FourTuple, MacAddr, ethernet, ipv4, ipv6, tcp as wire_tcp, tcp_ipv6};

use crate::frame::{Frame, FramePool, TxOffload};
use crate::link::Link;

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

    /// A frame with one TCP segment, whose ports are filled in; `write_text` fills the text. `None`
    /// when the pool is empty.
    #[inline(never)] // A function of its own keeps its values in registers.
    pub(crate) fn tcp_frame<P: FramePool>(
        &self,
        pool: &mut P,
        to: MacAddr,
        tuple: &FourTuple,
        header: &mut wire_tcp::Header,
        text_len: usize,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Option<P::Frame> {
        let l2 = self.l2_len();
        let options_len = header.options.len();
        let is_v4 = tuple.local.is_v4();
        let ip_len = match is_v4 {
            true => ipv4::Header::LEN,
            false => ipv6::Header::LEN,
        };
        let before_text = ip_len + wire_tcp::Header::LEN + options_len;
        let mut frame = pool.alloc(l2 + before_text + text_len)?;
        let buf = frame.data_mut();
        let ethertype = match is_v4 {
            true => ethernet::ETHERTYPE_IPV4,
            false => ethernet::ETHERTYPE_IPV6,
        };
        self.emit_ethernet(buf, to, ethertype);
        let packet = &mut buf[l2..];
        if text_len > 0 {
            write_text(&mut packet[before_text..]);
        }
        header.src_port = tuple.local_port;
        header.dst_port = tuple.remote_port;
        let written = if is_v4 {
            let (src, dst) = (tuple.local.v4_octets(), tuple.remote.v4_octets());
            let checksums = Checksums {
                ip: !self.offload.tx_ip,
                tcp: !self.offload.tx_tcp,
            };
            tcp_ipv4::emit(packet, src, dst, header, options_len, checksums)
        } else {
            let (src, dst) = (tuple.local, tuple.remote);
            tcp_ipv6::emit(packet, src, dst, header, options_len, !self.offload.tx_tcp)
        };
        if !written {
            // An MTU is at most 9,216, and the frame is as long as was asked for.
            debug_assert!(false, "headers that do not fit their frame");
            pool.free(frame);
            return None;
        }
        if self.offload.tx_ip || self.offload.tx_tcp {
            frame.set_tx_offload(TxOffload {
                l2_len: l2 as u8,
                l3_len: ip_len as u8,
                ipv4: is_v4,
                ip_checksum: self.offload.tx_ip && is_v4,
                tcp_checksum: self.offload.tx_tcp,
            });
        }
        Some(frame)
    }
}
