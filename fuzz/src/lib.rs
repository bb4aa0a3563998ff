//! What the fuzz targets do with their bytes. `scripts/fuzz` runs them.
//!
//! The property is always the same: whatever arrives, nothing panics (debug assertions are on), what
//! one end writes the other reads the same, nothing is held when all is over, a packet is answered
//! with no more than the windows allow, and connections that others do not touch go on.

// The exact tests' own reading and writing of packets.
#[allow(dead_code)]
#[path = "../../crates/conformance/tests/exact/packet.rs"]
mod packet;
pub mod http;
pub mod seeds;
pub mod segments;
pub mod wire;
