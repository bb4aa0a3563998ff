//! Selective acknowledgment (RFC 2018, RFC 6675), as it is seen on the wire.

use crate::packet::{ACK, SYN, Seg, mss, timestamps};
use crate::rig::{BARE, Conn, IRS, PEER_PORT, Rig, stream};

const PERMITTED: [u8; 4] = [1, 1, 4, 2];

fn flags() -> String {
    BARE.replace("sack=off", "sack=on")
        .replace("rcvbuf=8000", "rcvbuf=65535")
}

/// The blocks of a SACK option, relative to `first`.
fn blocks(seg: &Seg, first: u32) -> Vec<(u32, u32)> {
    let words: Vec<u32> = seg
        .option(5)
        .unwrap_or_default()
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes(b.try_into().unwrap()).wrapping_sub(first))
        .collect();
    words.chunks_exact(2).map(|w| (w[0], w[1])).collect()
}

/// ESTABLISHED by a SYN with `options` besides the MSS.
fn established(rig: &mut Rig, options: &[u8]) -> (Conn, Seg) {
    let mut c = rig.nobody(crate::rig::LISTENER, PEER_PORT);
    let mut syn = rig.segment(&c, SYN, c.seq, 0, b"");
    syn.options = [&mss(1460), options].concat();
    syn.wnd = 65_535;
    rig.input(&syn);
    let syn_ack = rig.heard_one(&mut c);
    c.seq = c.seq.wrapping_add(1);
    c.iss = syn_ack.seq;
    c.ack = c.iss.wrapping_add(1);
    c.wnd = 65_535;
    (c, syn_ack)
}

#[test]
fn it_is_answered_where_it_was_offered() {
    for (on, options, want) in [
        ("sack=on", &PERMITTED[..], true),
        ("sack=on", &[], false),
        ("sack=off", &PERMITTED, false),
    ] {
        let mut rig = Rig::new(&flags().replace("sack=on", on));
        let (_, syn_ack) = established(&mut rig, options);
        assert_eq!(syn_ack.option(4).is_some(), want, "{on} {options:?}");
    }
    let mut rig = Rig::new(&flags());
    assert!(rig.syn_sent(PEER_PORT).last.option(4).is_some());
}

#[test]
fn what_is_held_is_told_the_latest_first() {
    for ts in [false, true] {
        let flags = match ts {
            true => flags().replace("timestamps=off", "timestamps=on"),
            false => flags(),
        };
        let mut rig = Rig::new(&flags);
        if ts {
            rig.options = timestamps(1000, 0);
        }
        let options = [&PERMITTED[..], &rig.options].concat();
        let (mut c, _) = established(&mut rig, &options);
        rig.send(&mut c, ACK, b"");
        let first = IRS.wrapping_add(1);
        let mut told = vec![];
        for at in [100u32, 300, 500, 700, 900] {
            let seq = first.wrapping_add(at);
            let seg = rig.segment(&c, ACK, seq, c.ack, &stream(seq, 50));
            rig.input(&seg);
            let out = rig.heard_one(&mut c);
            assert_eq!(out.ack, first);
            told.insert(0, (at, at + 50));
            // RFC 2018 3: four blocks fit the options, three beside timestamps.
            let seen = blocks(&out, first);
            assert_eq!(seen.len(), told.len().min(if ts { 3 } else { 4 }));
            assert_eq!(seen[..seen.len().min(3)], told[..seen.len().min(3)]);
        }
    }
}

#[test]
fn only_what_is_missing_is_sent_again() {
    let mut rig = Rig::new(&flags());
    let (mut c, _) = established(&mut rig, &PERMITTED);
    rig.send(&mut c, ACK, b"");
    rig.accept(&mut c);
    rig.write(&c, 30_000);
    assert_eq!(rig.heard(&mut c).len(), 10);
    let first = c.ack;
    let offsets = |out: &[Seg]| -> Vec<u32> {
        out.iter()
            .map(|s| s.seq.wrapping_sub(first) / 1460)
            .collect()
    };
    // Of ten segments, 0 and 5 are lost.
    let mut sent = vec![];
    for n in [1u32, 2, 3, 4, 6, 7, 8, 9] {
        let block = |from: u32, to: u32| {
            let edge = |n: u32| first.wrapping_add(n * 1460).to_be_bytes();
            [edge(from), edge(to)].concat()
        };
        let body = match n {
            ..5 => block(1, n + 1),
            _ => [block(6, n + 1), block(1, 5)].concat(),
        };
        let mut seg = rig.segment(&c, ACK, c.seq, first, b"");
        seg.options = [&[1, 1, 5, 2 + body.len() as u8][..], &body].concat();
        rig.input(&seg);
        sent.extend(offsets(&rig.heard(&mut c)));
    }
    // Two by limited transmit (RFC 3042), both that are missing, each once, and one for what has left.
    assert_eq!(sent, [10, 11, 0, 5, 12]);
}
