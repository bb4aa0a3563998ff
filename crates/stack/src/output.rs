//! Frames out: TCP segments with their IP and Ethernet headers.

use wire::tcp_ipv4::{self, Checksums};
use wire::{FourTuple, MacAddr, ethernet, ipv4, ipv6, tcp as wire_tcp, tcp_ipv6};

use crate::frame::{Frame, FramePool, TxOffload};
use crate::link::Link;

impl Link {
    /// Bytes of the Ethernet header that this link uses.
    #[inline]
    pub(crate) fn l2_len(&self) -> usize {
        if self.tag.is_some() {
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
            vlan: self.tag,
            ethertype,
        }
        .emit(buf)
    }

    /// Has the device put the tag, if it does so, into a frame for which nothing else is asked of it.
    #[inline]
    pub(crate) fn tag_by_device<F: Frame>(&self, frame: &mut F) {
        if self.device_tag.is_some() {
            frame.set_tx_offload(TxOffload {
                l2_len: self.l2_len() as u8,
                vlan: self.device_tag,
                ..TxOffload::default()
            });
        }
    }

    /// A frame with one TCP segment, whose ports are filled in; `write_text` fills the text, and before
    /// it the blocks of a SACK option, if the header announces some. `None` when the pool is empty.
    #[inline(always)]
    pub(crate) fn tcp_frame<P: FramePool>(
        &self,
        pool: &mut P,
        to: MacAddr,
        tuple: &FourTuple,
        header: &mut wire_tcp::Header,
        text_len: usize,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Option<P::Frame> {
        header.src_port = tuple.local_port;
        header.dst_port = tuple.remote_port;
        match tuple.local.is_v4() {
            true => self.tcp_frame_v4(pool, to, tuple, header, text_len, write_text),
            false => self.tcp_frame_v6(pool, to, tuple, header, text_len, write_text),
        }
    }

    #[inline(never)] // a function of its own keeps its values in registers
    fn tcp_frame_v4<P: FramePool>(
        &self,
        pool: &mut P,
        to: MacAddr,
        tuple: &FourTuple,
        header: &wire_tcp::Header,
        text_len: usize,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Option<P::Frame> {
        let options_len = header.options.len();
        let headers = ipv4::Header::LEN + wire_tcp::Header::LEN + options_len;
        let l2 = self.l2_len();
        let mut frame = pool.alloc(l2 + headers + text_len)?;
        let buf = frame.data_mut();
        self.emit_ethernet(buf, to, ethernet::ETHERTYPE_IPV4);
        let packet = &mut buf[l2..];
        let blocks = usize::from(header.options.sack);
        if text_len + blocks > 0 {
            write_text(&mut packet[headers - blocks..]);
        }
        let (src, dst) = (tuple.local.v4_octets(), tuple.remote.v4_octets());
        let checksums = Checksums {
            ip: !self.offload.tx_ip,
            tcp: !self.offload.tx_tcp,
        };
        let written = tcp_ipv4::emit(packet, src, dst, header, options_len, checksums);
        self.finish_frame(pool, frame, written, ipv4::Header::LEN)
    }

    #[inline(never)]
    fn tcp_frame_v6<P: FramePool>(
        &self,
        pool: &mut P,
        to: MacAddr,
        tuple: &FourTuple,
        header: &wire_tcp::Header,
        text_len: usize,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Option<P::Frame> {
        let options_len = header.options.len();
        let headers = ipv6::Header::LEN + wire_tcp::Header::LEN + options_len;
        let l2 = self.l2_len();
        let mut frame = pool.alloc(l2 + headers + text_len)?;
        let buf = frame.data_mut();
        self.emit_ethernet(buf, to, ethernet::ETHERTYPE_IPV6);
        let packet = &mut buf[l2..];
        let blocks = usize::from(header.options.sack);
        if text_len + blocks > 0 {
            write_text(&mut packet[headers - blocks..]);
        }
        let (src, dst) = (tuple.local, tuple.remote);
        let written = tcp_ipv6::emit(packet, src, dst, header, options_len, !self.offload.tx_tcp);
        self.finish_frame(pool, frame, written, ipv6::Header::LEN)
    }

    /// What is left to do for a frame whose headers are `written`.
    #[inline(always)]
    fn finish_frame<P: FramePool>(
        &self,
        pool: &mut P,
        mut frame: P::Frame,
        written: bool,
        ip_len: usize,
    ) -> Option<P::Frame> {
        if !written {
            // An MTU is at most 9,216, and the frame is as long as was asked for.
            debug_assert!(false, "headers that do not fit their frame");
            pool.free(frame);
            return None;
        }
        if self.offload.tx_ip || self.offload.tx_tcp || self.device_tag.is_some() {
            let ipv4 = ip_len == ipv4::Header::LEN;
            frame.set_tx_offload(TxOffload {
                l2_len: self.l2_len() as u8,
                l3_len: ip_len as u8,
                ipv4,
                ip_checksum: self.offload.tx_ip && ipv4,
                tcp_checksum: self.offload.tx_tcp,
                vlan: self.device_tag,
            });
        }
        Some(frame)
    }
}
