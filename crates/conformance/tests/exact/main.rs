//! Exactness: what RFC 9293 and its kin say about a segment, against the whole stack, packet by
//! packet and microsecond by microsecond.

#![allow(dead_code)] // until every script is there
mod oracle;
mod packet;
mod rig;
mod table;
