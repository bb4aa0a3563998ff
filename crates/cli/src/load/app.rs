//! The generator as a worker runs it: what it counts is published beside the stack's counters.

use std::sync::LazyLock;

use load::{Counts, Load};
use runtime::{Field, Publish};
use stack::{Application, CloseReason, Context, Handle, TimeWaitEvent};
use tcp::time::Instant;

/// The generator of one worker.
pub struct Generator(pub Load);

/// Whether the run has ended and no connection is left.
pub const DONE: &str = "load_done";

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let counts = Counts::PREFIXED.map(|(name, meaning)| Field::counter(name, meaning.trim_ascii()));
    let done = Field::gauge(
        DONE,
        "1 when the run has ended and no connection of it is left, else 0.",
    );
    counts.into_iter().chain([done]).collect()
});

impl Publish for Generator {
    fn fields() -> &'static [Field] {
        &FIELDS
    }

    fn values(&self, put: &mut dyn FnMut(u64)) {
        self.0.counts().for_each(&mut |_, _, value| put(value));
        put(self.0.is_done().into());
    }
}

impl Application for Generator {
    #[inline]
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.0.on_open(cx, conn);
    }

    #[inline]
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        self.0.on_data(cx, conn, data)
    }

    #[inline]
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.0.on_writable(cx, conn);
    }

    #[inline]
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.0.on_peer_closed(cx, conn);
    }

    #[inline]
    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        self.0.on_closed(cx, conn, reason);
    }

    fn on_drain(&mut self, cx: &mut Context<'_>) {
        self.0.on_drain(cx);
    }

    fn on_time_wait(&mut self, event: &TimeWaitEvent<'_>) {
        crate::apps::trace(event);
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) {
        self.0.poll(cx);
    }

    #[inline]
    fn next_poll(&self) -> Option<Instant> {
        self.0.next_poll()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_field_and_a_name_of_its_own() {
        let fields = Generator::fields();
        assert_eq!(fields.len(), Counts::LEN + 1);
        let all = runtime::fields::<Generator>();
        let names: std::collections::HashSet<&str> = all.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
