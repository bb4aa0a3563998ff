//! Selective acknowledgment (RFC 2018): what we tell of text that is held out of order, and what a
//! peer's telling is good for: loss recovery (RFC 6675).
//!
//! What a peer says it holds is remembered in a [`scoreboard`], which lies in one chunk of send
//! memory and only exists while there is something to remember. Text is never let go for it: a
//! peer may discard what it has not acknowledged (RFC 2018 section 8).

mod receive;
mod recovery;
mod scoreboard;
