//! The Toeplitz hash, by which a NIC spreads received frames over its queues (receive side
//! scaling), computed in software.
//!
//! The input is what a frame says: source address, destination address, and for the four-tuple
//! form source port and destination port. The hash is linear: the hash of an input is the XOR of
//! the hashes of its parts, each with zeros in place of the rest. [`Partial`] uses that to try
//! local ports at the cost of a few look-ups each.

use core::fmt;

use crate::{FourTuple, Ip};

/// Bytes of a four-tuple of IPv6, the longest input.
const MAX_INPUT: usize = 36;
/// Offset of the source port in the input of IPv4.
const PORTS_V4: usize = 8;
/// Offset of the source port in the input of IPv6.
const PORTS_V6: usize = 32;

/// The part of a hash key that the inputs here can use: 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; Key::LEN]);

/// A hash key of fewer than 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyTooShort;

impl fmt::Display for KeyTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Toeplitz key has 40 bytes or more")
    }
}

impl core::error::Error for KeyTooShort {}

impl Key {
    /// Length in bytes: 32 bits of the key for each of up to 288 bits of input.
    pub const LEN: usize = MAX_INPUT + 4;

    /// The key of Microsoft's RSS specification, for which it publishes test vectors, and the
    /// default of many drivers.
    pub const MICROSOFT: Key = Key([
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f,
        0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
        0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ]);

    /// A key of period 16 bits, with which both directions of a connection have the same hash
    /// (S. Woo and K. Park, "Scalable TCP session monitoring with symmetric receive-side
    /// scaling", 2012).
    pub const SYMMETRIC: Key = {
        let mut key = [0; Key::LEN];
        let mut i = 0;
        while i < Key::LEN {
            key[i] = if i % 2 == 0 { 0x6d } else { 0x5a };
            i += 1;
        }
        Key(key)
    };

    /// From a device's key; bytes after the 40th (some devices have 52) do not affect the hash of
    /// the inputs here.
    ///
    /// # Errors
    /// [`KeyTooShort`].
    pub fn from_slice(key: &[u8]) -> Result<Key, KeyTooShort> {
        key.first_chunk().map_or(Err(KeyTooShort), |k| Ok(Key(*k)))
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Key::LEN] {
        &self.0
    }

    /// The 32 bits of the key that start at `bit`, counted from the most significant bit of the
    /// first byte; `bit` is below 288.
    const fn window(&self, bit: usize) -> u32 {
        let (k, at) = (&self.0, bit / 8);
        let high = u32::from_be_bytes([k[at], k[at + 1], k[at + 2], k[at + 3]]);
        match bit % 8 {
            0 => high,
            shift => (high << shift) | (k[at + 4] as u32 >> (8 - shift)),
        }
    }

    /// The hash by definition: for each bit of the input that is set, the window of the key that
    /// starts there.
    fn hash<const N: usize>(&self, input: &[u8; N]) -> u32 {
        const { assert!(N <= MAX_INPUT) };
        let mut hash = 0;
        for (i, byte) in input.iter().enumerate() {
            for bit in 0..8 {
                if byte & (0x80 >> bit) != 0 {
                    hash ^= self.window(i * 8 + bit);
                }
            }
        }
        hash
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The hash of an IPv4 four-tuple as a frame states it, bit by bit; [`Toeplitz`] is the quick form.
#[must_use]
pub fn hash_v4(key: &Key, src: [u8; 4], dst: [u8; 4], src_port: u16, dst_port: u16) -> u32 {
    key.hash(&input_v4(src, dst, src_port, dst_port))
}

/// The hash of the two IPv4 addresses alone, which devices use for fragments and other protocols.
#[must_use]
pub fn hash_v4_addresses(key: &Key, src: [u8; 4], dst: [u8; 4]) -> u32 {
    key.hash(&input_v4(src, dst, 0, 0))
}

/// The hash of an IPv6 four-tuple as a frame states it, bit by bit; [`Toeplitz`] is the quick form.
#[must_use]
pub fn hash_v6(key: &Key, src: [u8; 16], dst: [u8; 16], src_port: u16, dst_port: u16) -> u32 {
    key.hash(&input_v6(src, dst, src_port, dst_port))
}

/// The hash of the two IPv6 addresses alone.
#[must_use]
pub fn hash_v6_addresses(key: &Key, src: [u8; 16], dst: [u8; 16]) -> u32 {
    key.hash(&input_v6(src, dst, 0, 0))
}

fn input_v4(src: [u8; 4], dst: [u8; 4], src_port: u16, dst_port: u16) -> [u8; 12] {
    let mut input = [0; 12];
    input[..4].copy_from_slice(&src);
    input[4..8].copy_from_slice(&dst);
    input[8..10].copy_from_slice(&src_port.to_be_bytes());
    input[10..].copy_from_slice(&dst_port.to_be_bytes());
    input
}

fn input_v6(src: [u8; 16], dst: [u8; 16], src_port: u16, dst_port: u16) -> [u8; 36] {
    let mut input = [0; 36];
    input[..16].copy_from_slice(&src);
    input[16..32].copy_from_slice(&dst);
    input[32..34].copy_from_slice(&src_port.to_be_bytes());
    input[34..].copy_from_slice(&dst_port.to_be_bytes());
    input
}

/// The hashes of a byte at one position, by its upper and lower four bits. Four bits a look-up
/// and not eight, because the tables then take 1.5 KiB of cache for IPv4 and not 12.
type ByteTable = [[u32; 16]; 2];

/// The hash with look-up tables made from a key: two look-ups for a byte of input.
#[derive(Clone)]
pub struct Toeplitz {
    tables: [ByteTable; MAX_INPUT],
    key: Key,
}

impl Toeplitz {
    /// Makes the tables (4.5 KiB) for `key`.
    #[must_use]
    pub const fn new(key: Key) -> Toeplitz {
        let mut tables = [[[0; 16]; 2]; MAX_INPUT];
        let mut nibble = 0;
        while nibble < 2 * MAX_INPUT {
            let mut value = 1usize;
            while value < 16 {
                // Linearity: the value without its lowest bit, and that bit.
                let rest = value & (value - 1);
                let bit = nibble * 4 + 3 - (value.trailing_zeros() as usize);
                let table = &mut tables[nibble / 2][nibble % 2];
                table[value] = table[rest] ^ key.window(bit);
                value += 1;
            }
            nibble += 1;
        }
        Toeplitz { tables, key }
    }

    /// The key that the tables were made from.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize, bytes: [u8; N]) -> u32 {
        let mut hash = 0;
        for (table, byte) in self.tables[at..at + N].iter().zip(bytes) {
            hash ^= byte_hash(table, byte);
        }
        hash
    }

    /// The hash of an IPv4 four-tuple as a frame states it.
    #[inline]
    #[must_use]
    pub fn hash_v4(&self, src: [u8; 4], dst: [u8; 4], src_port: u16, dst_port: u16) -> u32 {
        self.hash_v4_addresses(src, dst)
            ^ self.bytes(PORTS_V4, src_port.to_be_bytes())
            ^ self.bytes(PORTS_V4 + 2, dst_port.to_be_bytes())
    }

    /// The hash of the two IPv4 addresses alone.
    #[inline]
    #[must_use]
    pub fn hash_v4_addresses(&self, src: [u8; 4], dst: [u8; 4]) -> u32 {
        self.bytes(0, src) ^ self.bytes(4, dst)
    }

    /// The hash of an IPv6 four-tuple as a frame states it.
    #[inline]
    #[must_use]
    pub fn hash_v6(&self, src: [u8; 16], dst: [u8; 16], src_port: u16, dst_port: u16) -> u32 {
        self.hash_v6_addresses(src, dst)
            ^ self.bytes(PORTS_V6, src_port.to_be_bytes())
            ^ self.bytes(PORTS_V6 + 2, dst_port.to_be_bytes())
    }

    /// The hash of the two IPv6 addresses alone.
    #[inline]
    #[must_use]
    pub fn hash_v6_addresses(&self, src: [u8; 16], dst: [u8; 16]) -> u32 {
        self.bytes(0, src) ^ self.bytes(16, dst)
    }

    /// The hash of the frames that this host receives on `tuple`: from the peer's socket to ours.
    #[inline]
    #[must_use]
    pub fn hash_received(&self, tuple: &FourTuple) -> u32 {
        self.partial(tuple.remote, tuple.local, tuple.remote_port)
            .with_local_port(tuple.local_port)
    }

    /// What the hash of received frames has in common for all local ports, between the peer's
    /// socket and a local address of the same family.
    #[inline]
    #[must_use]
    pub fn partial(&self, remote: Ip, local: Ip, remote_port: u16) -> Partial<'_> {
        let (addresses, ports) = match (remote.as_v4(), local.as_v4()) {
            (Some(src), Some(dst)) => (self.hash_v4_addresses(src, dst), PORTS_V4),
            _ => (
                self.hash_v6_addresses(remote.octets(), local.octets()),
                PORTS_V6,
            ),
        };
        Partial {
            base: addresses ^ self.bytes(ports, remote_port.to_be_bytes()),
            high: &self.tables[ports + 2],
            low: &self.tables[ports + 3],
        }
    }
}

impl fmt::Debug for Toeplitz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Toeplitz").field(&self.key).finish()
    }
}

/// The hash of a received four-tuple but for its local port, from [`Toeplitz::partial`].
#[derive(Clone, Copy, Debug)]
pub struct Partial<'t> {
    base: u32,
    high: &'t ByteTable,
    low: &'t ByteTable,
}

impl Partial<'_> {
    /// The hash of the frames that arrive at `port`: four look-ups.
    #[inline]
    #[must_use]
    pub fn with_local_port(&self, port: u16) -> u32 {
        self.base ^ self.local_port_term(port)
    }

    /// What `port` contributes: the same for all peers of a family, so that ports can be sorted
    /// by it once and then be found for a peer by `hash == wanted ^ self.with_local_port(0)`.
    #[inline]
    #[must_use]
    pub fn local_port_term(&self, port: u16) -> u32 {
        let [high, low] = port.to_be_bytes();
        byte_hash(self.high, high) ^ byte_hash(self.low, low)
    }
}

#[inline(always)]
fn byte_hash(table: &ByteTable, byte: u8) -> u32 {
    table[0][usize::from(byte >> 4)] ^ table[1][usize::from(byte & 0x0f)]
}

#[cfg(test)]
mod tests;
