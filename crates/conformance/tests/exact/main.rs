//! Exactness: what RFC 9293 and its kin say about a segment, against the whole stack, packet by
//! packet and millisecond by millisecond.

mod closing;
mod icmp;
mod opening;
mod oracle;
mod packet;
mod reassembly;
mod receiving;
mod rig;
mod sack;
mod sending;
mod sockets;
mod table;
