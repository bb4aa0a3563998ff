//! What is compared, and what they have in common.

use wire::Seq;

/// Connections whose operations are prepared together.
pub(crate) const BURST: usize = 64;
/// The length of TIME-WAIT.
pub(crate) const TIME_WAIT_MS: u64 = 60_000;

/// A table of connections in TIME-WAIT with `n` live entries.
pub(crate) trait Contender {
    /// What the figures call it.
    fn name(&self) -> &'static str;
    /// Starts loading what the operations on these names will touch.
    fn prepare(&mut self, burst: &[(u64, u64)]);
    fn insert(&mut self, name: u64, hash: u64);
    /// RCV.NXT of a live entry; sets its TS.Recent if there is one to set.
    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq>;
    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq>;
    /// Time goes on by what `connections` of `n` take of a TIME-WAIT; nothing expires yet.
    fn wait(&mut self, _connections: usize) {}
    /// Time goes on; the oldest expire.
    fn expire(&mut self, connections: usize);
    /// Bytes allocated.
    fn bytes(&self) -> usize;
}
