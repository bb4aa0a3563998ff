//! Frame buffers: what the stack asks of memory that holds one Ethernet frame.
//!
//! Under DPDK a frame is an mbuf and the pool a mempool; on the virtual network both are plain
//! memory. A frame has one owner: receiving gives it to the stack, sending takes it away.

use wire::checksum;

/// What the device says about a received checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verdict {
    /// Not looked at: software must verify.
    #[default]
    Unknown,
    /// Verified and right.
    Good,
    /// Verified and wrong.
    Bad,
}

/// The device's verdicts on one received frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RxChecksum {
    /// The IPv4 header checksum.
    pub ip: Verdict,
    /// The TCP checksum.
    pub tcp: Verdict,
}

/// What the device is asked to do with a frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TxOffload {
    /// Bytes before the IP header.
    pub l2_len: u8,
    /// Bytes of the IP header.
    pub l3_len: u8,
    /// IPv4 (else IPv6).
    pub ipv4: bool,
    /// Fill the IPv4 header checksum.
    pub ip_checksum: bool,
    /// Fill the TCP checksum; its field holds the pseudo-header sum.
    pub tcp_checksum: bool,
    /// Put an 802.1Q tag with this control information into the Ethernet header, which has none.
    pub vlan: Option<u16>,
}

/// One Ethernet frame in contiguous memory.
pub trait Frame {
    /// The frame, from the destination address to the last byte before the FCS.
    fn data(&self) -> &[u8];
    /// The same, to be written.
    fn data_mut(&mut self) -> &mut [u8];
    /// The device's verdicts; all unknown where it has none.
    fn rx_checksum(&self) -> RxChecksum {
        RxChecksum::default()
    }
    /// The control information of the 802.1Q tag that the device took off a received frame. `None`: it
    /// took none off, and a tag, if there is one, is in [`Frame::data`].
    fn stripped_vlan(&self) -> Option<u16> {
        None
    }
    /// Asks the device for checksums and a tag. Called only if the stack was configured with
    /// [`Offload`] that promises them.
    fn set_tx_offload(&mut self, _offload: TxOffload) {}
}

/// Where frames come from and go back to.
pub trait FramePool {
    /// The frame type.
    type Frame: Frame;
    /// A frame of exactly `len` bytes whose content is unspecified, or `None` when the pool is
    /// empty or `len` is more than a frame can hold.
    fn alloc(&mut self, len: usize) -> Option<Self::Frame>;
    /// Gives a frame back. Dropping it does the same, one at a time.
    fn free(&mut self, frame: Self::Frame);
}

/// Work on frames to be sent that the port does; what is `false` is done in software.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// The port fills IPv4 header checksums.
    pub tx_ip: bool,
    /// The port fills TCP checksums.
    pub tx_tcp: bool,
    /// The port puts the VLAN tag into the frame, if the host has one.
    pub tx_vlan: bool,
}

/// A frame in plain memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemFrame(pub Vec<u8>);

impl Frame for MemFrame {
    fn data(&self) -> &[u8] {
        &self.0
    }
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// A pool of [`MemFrame`]s with a limit, so that exhaustion and leaks can be tested.
#[derive(Debug)]
pub struct MemPool {
    free: Vec<MemFrame>,
    in_use: usize,
    limit: usize,
}

impl MemPool {
    /// A pool that lends at most `limit` frames at a time.
    #[must_use]
    pub fn new(limit: usize) -> MemPool {
        MemPool {
            free: Vec::new(),
            in_use: 0,
            limit,
        }
    }

    /// Frames lent and not given back. A frame that another pool's owner frees stays counted
    /// here until [`MemPool::forget`].
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// Takes a frame that has left for good (delivered to another host) off the count.
    pub fn forget(&mut self, frames: usize) {
        self.in_use = self.in_use.saturating_sub(frames);
    }

    /// Counts a frame that came from elsewhere, so that freeing it here balances.
    pub fn adopt(&mut self, frames: usize) {
        self.in_use += frames;
    }
}

impl FramePool for MemPool {
    type Frame = MemFrame;
    fn alloc(&mut self, len: usize) -> Option<MemFrame> {
        if self.in_use >= self.limit {
            return None;
        }
        self.in_use += 1;
        let mut frame = self.free.pop().unwrap_or_default();
        frame.0.resize(len, 0);
        Some(frame)
    }
    fn free(&mut self, frame: MemFrame) {
        self.in_use = self.in_use.saturating_sub(1);
        if self.free.len() < 1024 {
            self.free.push(frame);
        }
    }
}

/// Whether the TCP segment in `segment` is intact, by the device's word or else by arithmetic.
#[inline]
pub(crate) fn tcp_intact(verdict: Verdict, src: wire::Ip, dst: wire::Ip, segment: &[u8]) -> bool {
    match verdict {
        Verdict::Good => true,
        Verdict::Bad => false,
        Verdict::Unknown => checksum::tcp_ok(src, dst, segment),
    }
}
