//! What the model is about, and what came of it.

use tcp::time_wait::Rules;

/// How the client chooses the number of a SYN.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isn {
    /// So far after the last number used.
    Step(u32),
    /// Up to so far after the last number used.
    UpTo(u32),
    /// Any number.
    Random,
    /// Up to so far after the last number used, and as often that of a segment that is still under way, or just before it.
    Hostile(u32),
}

/// Which of the client's connections have timestamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stamps {
    Never,
    Always,
    /// Now and then, at random: several hosts behind one address.
    Mixed,
    /// The same, and their clocks differ, by little or by much.
    Nat,
    /// Always, from a clock with a random offset for each connection.
    Offsets,
    /// Always, from a clock that ticks once a second.
    Slow,
    /// Always, from a clock that goes on by nearly as much with each connection as is believed where the entry's age is in doubt.
    Racing,
}

/// How a connection that has recycled comes to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// In TIME-WAIT: the server closes first.
    Closed,
    /// In TIME-WAIT, by way of CLOSING: the FINs cross.
    Crossed,
    /// By the client's RST in ESTABLISHED.
    Reset,
    /// By the server's RST, with text still under way.
    Aborted,
    /// By the client's RST in CLOSING.
    ResetInClosing,
    /// By the client's RST in FIN-WAIT-2, which nobody but the table remembers.
    ResetInFinWait2,
    /// By text in FIN-WAIT-2, which the server answers with a RST, and more still under way.
    LateText,
    /// FIN-WAIT-2 lasts no longer than it may.
    Forsaken,
}

pub(crate) const ENDS: [End; 8] = [
    End::Closed,
    End::Crossed,
    End::Reset,
    End::Aborted,
    End::ResetInClosing,
    End::ResetInFinWait2,
    End::LateText,
    End::Forsaken,
];

/// What the model is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) rules: Rules,
    pub(crate) isn: Isn,
    pub(crate) timestamps: Stamps,
    /// Between one connection and the next.
    pub(crate) pause_ns: u64,
    /// Whether it is sometimes longer, up to an MSL, and a connection lasts for up to several of them.
    pub(crate) rests: bool,
    /// Whether connections that recycle end in every way, or as a rule in TIME-WAIT.
    pub(crate) ends: bool,
    pub(crate) seed: u64,
}

impl Setup {
    /// Whether the client sends again, later, what it has sent. Where its numbers go back, timestamps alone can tell such
    /// segments, and TIME-WAIT does not learn from those that it did not expect.
    pub(crate) fn repeats(&self) -> bool {
        self.rests && matches!(self.isn, Isn::Step(_) | Isn::UpTo(_))
    }
}

/// What went on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) incarnations: u64,
    pub(crate) refused: u64,
    /// Connections that ended in each way but the first.
    pub(crate) ends: [u64; ENDS.len() - 1],
    /// Segments of the client's that arrived again.
    pub(crate) replayed: u64,
    /// Segments of the server's that came by the client again.
    pub(crate) reread: u64,
    /// How far the client's numbers went, in wraps of the space.
    pub(crate) wraps: f64,
}
