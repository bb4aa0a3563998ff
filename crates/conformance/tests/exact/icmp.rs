//! ICMP errors that a router sends (RFC 792), and what is answered with one.

use crate::packet::{HOST, PEER, Seg, checksum, ipv4};
use crate::rig::Rig;

/// Destination Unreachable about `seg`, which the host sent.
pub(crate) fn unreachable(rig: &mut Rig, seg: &Seg, code: u8, mtu: u16) {
    let quoted = seg.packet(HOST, PEER);
    let mut message = vec![3, code, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(&quoted[..28]);
    let sum = checksum(&message, 0);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let router = [192, 0, 2, 254];
    rig.sut.input(&ipv4(router, HOST, 1, &message)).unwrap();
}

pub(crate) fn port_unreachable(rig: &mut Rig, seg: &Seg) {
    unreachable(rig, seg, 3, 0);
}

mod tests {
    use super::*;
    use crate::packet::{ACK, SYN};
    use crate::rig::{BARE, PEER_PORT};

    #[test]
    fn an_open_connection_survives_every_error() {
        // RFC 5927 5.2: hard errors are soft in synchronized states.
        let mut rig = Rig::new(BARE);
        let mut c = rig.established(PEER_PORT);
        rig.write(&c, 100);
        let sent = rig.heard_one(&mut c);
        for code in [0, 1, 2, 3, 5, 13] {
            unreachable(&mut rig, &sent, code, 0);
        }
        assert_eq!(rig.state(&c), 1);
        rig.silent(&mut c);
        let ack = c.ack.wrapping_add(100);
        rig.acknowledge(&mut c, ack);
        assert_eq!(rig.sut.next_timer(), None);
        let mut error = [1; 4];
        rig.sut
            .getsockopt(
                c.handle.unwrap(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                &mut error,
            )
            .unwrap();
        assert_eq!(error, [0; 4]);
    }

    #[test]
    fn a_smaller_path_sends_what_is_in_flight_again_in_smaller_segments() {
        let mut rig = Rig::new(BARE);
        let mut c = rig.established(PEER_PORT);
        rig.write(&c, 1460);
        let sent = rig.heard_one(&mut c);
        unreachable(&mut rig, &sent, 4, 1000);
        let again = rig.heard(&mut c);
        let lens: Vec<usize> = again.iter().map(|s| s.text.len()).collect();
        assert_eq!((lens, again[0].seq), (vec![960, 500], sent.seq));
        // Less than every path carries is not believed (RFC 1191 3), nor what was never sent.
        unreachable(&mut rig, &sent, 4, 60);
        assert!(rig.heard(&mut c).iter().all(|s| s.text.len() <= 536));
        assert!(rig.sut.counters().host.path_mtu_reduced == 2);
        let mut forged = sent.clone();
        forged.seq = forged.seq.wrapping_add(5000);
        unreachable(&mut rig, &forged, 4, 576);
        rig.silent(&mut c);
    }

    #[test]
    fn what_is_damaged_has_no_effect() {
        let mut rig = Rig::new(BARE);
        let c = rig.nobody(crate::rig::LISTENER, PEER_PORT);
        let syn = rig.segment(&c, SYN, 1, 0, b"").packet(PEER, HOST);
        // One bit of each byte but those of the type of service, which no checksum of TCP covers
        // and the header's does.
        for i in 0..syn.len() {
            let mut bad = syn.clone();
            bad[i] ^= 0x04;
            rig.sut.input(&bad).unwrap();
            assert_eq!(rig.sut.output(), None, "byte {i}");
        }
        // Fragments, the first and a later one.
        for (high, low) in [(0x20, 0), (0, 1)] {
            let mut fragment = syn.clone();
            (fragment[6], fragment[7]) = (high, low);
            fragment[10] = 0;
            fragment[11] = 0;
            let sum = checksum(&fragment[..20], 0);
            fragment[10..12].copy_from_slice(&sum.to_be_bytes());
            rig.sut.input(&fragment).unwrap();
            assert_eq!(rig.sut.output(), None);
        }
        assert_eq!(rig.sut.counters().host.drop_ip_fragment, 2);
        for n in 0..syn.len() {
            rig.sut.input(&syn[..n]).unwrap();
            assert_eq!(rig.sut.output(), None);
        }
        rig.sut.input(&syn).unwrap();
        assert!(rig.sut.output().is_some());
    }

    #[test]
    fn malformed_options_have_no_effect() {
        let mut rig = Rig::new(BARE);
        let mut c = rig.established(PEER_PORT);
        for options in [
            vec![2, 0, 5, 0xb4],
            vec![2, 1, 5, 0xb4],
            vec![8, 40, 0, 0],
            vec![1, 1, 1, 2],
            vec![254, 255, 0, 0],
        ] {
            let mut seg = rig.segment(&c, ACK, c.seq, c.ack, b"text");
            seg.options = options;
            rig.input(&seg);
            rig.silent(&mut c);
        }
        // An unknown option is skipped (RFC 9293 MUST-6), and so is what follows the end of the list.
        for options in [vec![253, 4, 1, 2], vec![0, 2, 0, 9]] {
            let mut seg = rig.segment(&c, ACK, c.seq, c.ack, b"text");
            seg.options = options;
            rig.input(&seg);
            c.seq = c.seq.wrapping_add(4);
            assert_eq!(rig.heard_one(&mut c).ack, c.seq);
        }
    }
}
