//! Neighbour discovery (RFC 4861): who has an address, and which routers there are.

use super::{Context, Error, HEADER_LEN, Message, fill_checksum};
use crate::MacAddr;
use crate::bytes::{array, be16, be32, put32};
use crate::ipv6::{is_link_local, is_multicast};

const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
pub(super) const ROUTER_SOLICITATION: u8 = 133;
pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
const PREFIX_INFORMATION: u8 = 3;
const MTU: u8 = 5;

const UNSPECIFIED: [u8; 16] = [0; 16];
/// Header and target address.
const NEIGHBOR_LEN: usize = HEADER_LEN + 16;
const ROUTER_ADVERTISEMENT_LEN: usize = HEADER_LEN + 8;
const LINK_LAYER_OPTION_LEN: usize = 8;

/// The hop limit of every neighbour discovery message: one that was forwarded has less.
pub const HOP_LIMIT: u8 = 255;

/// Who has `target`?
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NeighborSolicitation {
    /// The address asked for; never a group.
    pub target: [u8; 16],
    /// The asking station; absent when the source address is unspecified (duplicate address
    /// detection).
    pub source_lladdr: Option<MacAddr>,
}

/// `target` is here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NeighborAdvertisement {
    /// Whether the sender is a router.
    pub router: bool,
    /// Whether this answers a solicitation, and so proves that the neighbour is reachable.
    pub solicited: bool,
    /// Whether this replaces what is known.
    pub override_entry: bool,
    /// The address; never a group.
    pub target: [u8; 16],
    /// The station that has it.
    pub target_lladdr: Option<MacAddr>,
}

/// A host asks routers to advertise themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RouterSolicitation {
    /// The asking station.
    pub source_lladdr: Option<MacAddr>,
}

/// A prefix information option (RFC 4861 4.6.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PrefixInformation {
    /// The prefix; bits after `prefix_len` are without meaning.
    pub prefix: [u8; 16],
    /// Its length in bits, 0 to 128.
    pub prefix_len: u8,
    /// L: addresses of the prefix are on this link.
    pub on_link: bool,
    /// A: addresses may be formed from the prefix.
    pub autonomous: bool,
    /// How long the prefix is on link, in seconds; all ones for ever.
    pub valid_lifetime: u32,
    /// How long addresses from it are preferred, in seconds; all ones for ever.
    pub preferred_lifetime: u32,
}

/// The first four prefix information options of an advertisement; further ones are ignored.
#[derive(Clone, Copy, Default, Debug)]
pub struct Prefixes {
    prefixes: [PrefixInformation; Prefixes::MAX],
    len: usize,
}

impl Prefixes {
    /// How many are kept.
    pub const MAX: usize = 4;

    /// The prefixes, in the order of the message.
    #[must_use]
    pub fn as_slice(&self) -> &[PrefixInformation] {
        &self.prefixes[..self.len]
    }

    fn push(&mut self, prefix: PrefixInformation) {
        if let Some(place) = self.prefixes.get_mut(self.len) {
            *place = prefix;
            self.len += 1;
        }
    }
}

impl PartialEq for Prefixes {
    fn eq(&self, other: &Prefixes) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Prefixes {}

/// A router presents itself and the parameters of the link. Zero is "unspecified by this router"
/// where the field is a hop limit or a time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouterAdvertisement {
    /// Hop limit for hosts to use.
    pub cur_hop_limit: u8,
    /// M: addresses are available by DHCPv6.
    pub managed: bool,
    /// O: other configuration is available by DHCPv6.
    pub other_config: bool,
    /// How long this is a default router, in seconds; 0 if it is none.
    pub router_lifetime: u16,
    /// How long a neighbour is reachable after a confirmation, in milliseconds.
    pub reachable_time: u32,
    /// Time between retransmitted solicitations, in milliseconds.
    pub retrans_timer: u32,
    /// The router's station.
    pub source_lladdr: Option<MacAddr>,
    /// MTU of the link, in bytes.
    pub mtu: Option<u32>,
    /// Prefixes of the link.
    pub prefixes: Prefixes,
}

/// The options of a message, of whatever type it is.
#[derive(Default)]
struct Options {
    source_lladdr: Option<MacAddr>,
    target_lladdr: Option<MacAddr>,
    mtu: Option<u32>,
    prefixes: Prefixes,
}

impl Options {
    fn parse(mut bytes: &[u8]) -> Result<Options, Error> {
        let mut options = Options::default();
        while let [kind, units, ..] = bytes {
            let len = usize::from(*units) * 8;
            //= RFC 4861 4.6
            //# The value 0 is invalid.  Nodes MUST silently discard an ND packet that contains
            //# an option with length zero.
            if len == 0 {
                return Err(Error::Neighbor);
            }
            let option = bytes.get(..len).ok_or(Error::Neighbor)?;
            match (*kind, len) {
                (SOURCE_LINK_LAYER_ADDRESS, 8) => {
                    options.source_lladdr = Some(MacAddr(array(option, 2)));
                }
                (TARGET_LINK_LAYER_ADDRESS, 8) => {
                    options.target_lladdr = Some(MacAddr(array(option, 2)));
                }
                (MTU, 8) => options.mtu = Some(be32(option, 4)),
                (PREFIX_INFORMATION, 32) if option[2] <= 128 => {
                    options.prefixes.push(PrefixInformation {
                        prefix: array(option, 16),
                        prefix_len: option[2],
                        on_link: option[3] & 0x80 != 0,
                        autonomous: option[3] & 0x40 != 0,
                        valid_lifetime: be32(option, 4),
                        preferred_lifetime: be32(option, 8),
                    });
                }
                //= RFC 4861 4.3
                //# Receivers MUST silently ignore any options they do not recognize and continue
                //# processing the message.
                _ => {}
            }
            bytes = &bytes[len..];
        }
        // One byte cannot be an option.
        if bytes.is_empty() {
            Ok(options)
        } else {
            Err(Error::Neighbor)
        }
    }
}

/// Reads a message of types 133 to 136 whose checksum is right.
pub(super) fn parse(context: &Context, bytes: &[u8]) -> Result<Message, Error> {
    //= RFC 4861 7.1.1
    //# The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been
    //# forwarded by a router.
    if context.hop_limit != HOP_LIMIT {
        return Err(Error::HopLimit);
    }
    let kind = bytes[0];
    let fixed_len = match kind {
        ROUTER_SOLICITATION => HEADER_LEN,
        ROUTER_ADVERTISEMENT => ROUTER_ADVERTISEMENT_LEN,
        _ => NEIGHBOR_LEN,
    };
    let (fixed, options) = bytes.split_at_checked(fixed_len).ok_or(Error::Truncated)?;
    // ICMP Code is 0, in all four types.
    if bytes[1] != 0 {
        return Err(Error::Neighbor);
    }
    let options = Options::parse(options)?;
    match kind {
        ROUTER_SOLICITATION => {
            //= RFC 4861 6.1.1
            //# If the IP source address is the unspecified address, there is no source link-layer
            //# address option in the message.
            if context.src == UNSPECIFIED && options.source_lladdr.is_some() {
                return Err(Error::Neighbor);
            }
            Ok(Message::RouterSolicitation(RouterSolicitation {
                source_lladdr: options.source_lladdr,
            }))
        }
        ROUTER_ADVERTISEMENT => router_advertisement(context, fixed, &options),
        NEIGHBOR_SOLICITATION => neighbor_solicitation(context, fixed, &options),
        _ => neighbor_advertisement(context, fixed, &options),
    }
}

fn router_advertisement(
    context: &Context,
    fixed: &[u8],
    options: &Options,
) -> Result<Message, Error> {
    //= RFC 4861 6.1.2
    //# IP Source Address is a link-local address.
    if !is_link_local(context.src) {
        return Err(Error::Neighbor);
    }
    Ok(Message::RouterAdvertisement(RouterAdvertisement {
        cur_hop_limit: fixed[4],
        managed: fixed[5] & 0x80 != 0,
        other_config: fixed[5] & 0x40 != 0,
        router_lifetime: be16(fixed, 6),
        reachable_time: be32(fixed, 8),
        retrans_timer: be32(fixed, 12),
        source_lladdr: options.source_lladdr,
        mtu: options.mtu,
        prefixes: options.prefixes,
    }))
}

fn neighbor_solicitation(
    context: &Context,
    fixed: &[u8],
    options: &Options,
) -> Result<Message, Error> {
    let target = array(fixed, 8);
    let source_lladdr = options.source_lladdr;
    //= RFC 4861 7.1.1
    //# Target Address is not a multicast address.
    let mut valid = !is_multicast(target);
    //= RFC 4861 7.1.1
    //# If the IP source address is the unspecified address, the IP destination address is a
    //# solicited-node multicast address.
    //= RFC 4861 7.1.1
    //# If the IP source address is the unspecified address, there is no source link-layer address
    //# option in the message.
    if context.src == UNSPECIFIED {
        let solicited_node = crate::ipv6::solicited_node(context.dst) == context.dst;
        valid &= solicited_node && source_lladdr.is_none();
    }
    if !valid {
        return Err(Error::Neighbor);
    }
    Ok(Message::NeighborSolicitation(NeighborSolicitation {
        target,
        source_lladdr,
    }))
}

fn neighbor_advertisement(
    context: &Context,
    fixed: &[u8],
    options: &Options,
) -> Result<Message, Error> {
    let target = array(fixed, 8);
    let solicited = fixed[4] & 0x40 != 0;
    //= RFC 4861 7.1.2
    //# Target Address is not a multicast address.
    //# If the IP Destination Address is a multicast address the Solicited flag is zero.
    if is_multicast(target) || (solicited && is_multicast(context.dst)) {
        return Err(Error::Neighbor);
    }
    Ok(Message::NeighborAdvertisement(NeighborAdvertisement {
        router: fixed[4] & 0x80 != 0,
        solicited,
        override_entry: fixed[4] & 0x20 != 0,
        target,
        target_lladdr: options.target_lladdr,
    }))
}

impl NeighborSolicitation {
    /// The longest it can be, in bytes.
    pub const MAX_LEN: usize = NEIGHBOR_LEN + LINK_LAYER_OPTION_LEN;

    /// Writes the message to the start of `buf`; returns its length, 24 or 32 bytes. The packet's
    /// hop limit must be [`HOP_LIMIT`].
    ///
    /// # Panics
    /// If `buf` is shorter than that.
    pub fn emit(&self, buf: &mut [u8], src: [u8; 16], dst: [u8; 16]) -> usize {
        let option = (SOURCE_LINK_LAYER_ADDRESS, self.source_lladdr);
        let target = Some(self.target);
        emit(buf, src, dst, NEIGHBOR_SOLICITATION, 0, target, option)
    }
}

impl NeighborAdvertisement {
    /// The longest it can be, in bytes.
    pub const MAX_LEN: usize = NEIGHBOR_LEN + LINK_LAYER_OPTION_LEN;

    /// Writes the message to the start of `buf`; returns its length, 24 or 32 bytes. The packet's
    /// hop limit must be [`HOP_LIMIT`].
    ///
    /// # Panics
    /// If `buf` is shorter than that.
    pub fn emit(&self, buf: &mut [u8], src: [u8; 16], dst: [u8; 16]) -> usize {
        let flags = u32::from(self.router) << 31
            | u32::from(self.solicited) << 30
            | u32::from(self.override_entry) << 29;
        let option = (TARGET_LINK_LAYER_ADDRESS, self.target_lladdr);
        let target = Some(self.target);
        emit(buf, src, dst, NEIGHBOR_ADVERTISEMENT, flags, target, option)
    }
}

impl RouterSolicitation {
    /// The longest it can be, in bytes.
    pub const MAX_LEN: usize = HEADER_LEN + LINK_LAYER_OPTION_LEN;

    /// Writes the message to the start of `buf`; returns its length, 8 or 16 bytes. The packet's
    /// hop limit must be [`HOP_LIMIT`].
    ///
    /// # Panics
    /// If `buf` is shorter than that.
    pub fn emit(&self, buf: &mut [u8], src: [u8; 16], dst: [u8; 16]) -> usize {
        let option = (SOURCE_LINK_LAYER_ADDRESS, self.source_lladdr);
        emit(buf, src, dst, ROUTER_SOLICITATION, 0, None, option)
    }
}

fn emit(
    buf: &mut [u8],
    src: [u8; 16],
    dst: [u8; 16],
    kind: u8,
    flags: u32,
    target: Option<[u8; 16]>,
    (option, lladdr): (u8, Option<MacAddr>),
) -> usize {
    let mut len = HEADER_LEN;
    buf[..2].copy_from_slice(&[kind, 0]);
    put32(buf, 4, flags);
    if let Some(target) = target {
        buf[len..len + 16].copy_from_slice(&target);
        len += 16;
    }
    if let Some(mac) = lladdr {
        buf[len..len + 2].copy_from_slice(&[option, 1]);
        buf[len + 2..len + LINK_LAYER_OPTION_LEN].copy_from_slice(&mac.0);
        len += LINK_LAYER_OPTION_LEN;
    }
    fill_checksum(&mut buf[..len], src, dst);
    len
}
