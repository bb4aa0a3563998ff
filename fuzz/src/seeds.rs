//! Seeds of the corpora: lives of connections for `segments`, packets for `wire`, the ready
//! configurations for `config`.

use std::fs;
use std::io;
use std::path::Path;

use crate::packet::{ACK, FIN, HOST, PEER, PSH, RST, SYN, Seg, ipv4};
use crate::segments::{Step, op};

fn seg(conn: u8, flags: u8, len: u16) -> Step {
    Step {
        op: op::SEGMENT,
        conn,
        flags,
        len,
        wnd: 8000,
        ..Step::default()
    }
}

fn call(op: u8, conn: u8, len: u16) -> Step {
    Step {
        op,
        conn,
        len,
        flags: 1,
        ..Step::default()
    }
}

/// A SYN begins one before what RCV.NXT will be.
fn syn(conn: u8) -> Step {
    seg(conn, SYN | 64, 0)
}

fn lives() -> Vec<(&'static str, Vec<Step>)> {
    let passive = [syn(0), seg(0, ACK, 0), call(op::ACCEPT, 0, 0)];
    let text = [
        seg(0, ACK | PSH, 500),
        call(op::READ, 0, 1000),
        call(op::WRITE, 0, 3000),
    ];
    let with = |more: &[Step]| [&passive[..], more].concat();
    let fin = seg(0, FIN | ACK, 0);
    let shut = call(op::SHUTDOWN, 0, 0);
    let close = call(op::CLOSE, 0, 0);
    vec![
        ("passive", with(&text)),
        ("peer_closes", with(&[text[0], fin, close, seg(0, ACK, 0)])),
        (
            "we_close",
            with(&[text[2], shut, seg(0, ACK, 0), fin, fin, close, syn(0)]),
        ),
        ("both_close", with(&[shut, fin, seg(0, ACK, 0), close])),
        ("reset", with(&[text[2], seg(0, RST, 0), text[1], close])),
        (
            "active",
            vec![
                call(op::CONNECT, 1, 0),
                seg(1, SYN | ACK, 0),
                call(op::WRITE, 1, 100),
                seg(1, ACK | PSH, 10),
                call(op::CLOSE, 1, 0),
            ],
        ),
        (
            "crossed",
            vec![
                call(op::CONNECT, 2, 0),
                syn(2),
                seg(2, SYN | ACK, 0),
                seg(2, ACK, 0),
            ],
        ),
        (
            "timers",
            with(&[
                text[2],
                call(op::TIMER, 0, 0),
                call(op::TIMER, 0, 0),
                seg(0, ACK, 0),
            ]),
        ),
        (
            "zero_window",
            with(&[
                Step {
                    wnd: 0,
                    ..seg(0, ACK, 0)
                },
                text[2],
                call(op::TIMER, 0, 0),
                call(op::TIMER, 0, 0),
                seg(0, ACK, 0),
            ]),
        ),
        (
            "out_of_order",
            with(&[
                Step {
                    op: op::BURST,
                    ..seg(0, ACK | PSH, 300)
                },
                call(op::READ, 0, 5000),
                Step {
                    seq: 100,
                    ..seg(0, ACK | FIN, 100)
                },
                seg(0, ACK, 100),
            ]),
        ),
        (
            "icmp",
            with(&[
                text[2],
                Step {
                    op: op::ICMP,
                    flags: 3,
                    bases: 4,
                    len: 8,
                    wnd: 600,
                    ..Step::default()
                },
                Step {
                    op: op::ICMP,
                    flags: 3,
                    bases: 1,
                    len: 8,
                    ..Step::default()
                },
            ]),
        ),
    ]
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), bytes)
}

/// Writes them to folders in `corpus`.
///
/// # Errors
/// A file that cannot be written or read.
pub fn write_all(corpus: &Path) -> io::Result<()> {
    for (name, steps) in lives() {
        for setup in [0x50u8, 0x5f, 0xa3, 0x00, 0xff] {
            let mut bytes = vec![setup];
            for step in &steps {
                bytes.extend(step.bytes());
            }
            write(
                &corpus.join("segments"),
                &format!("{name}_{setup:02x}"),
                &bytes,
            )?;
        }
    }
    let options = [
        vec![],
        vec![
            2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2,
        ],
        vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
    ];
    for (i, options) in options.into_iter().enumerate() {
        let segment = Seg {
            src: 1,
            dst: 2,
            flags: ACK,
            options,
            text: b"text".to_vec(),
            ..Seg::default()
        };
        let packet = segment.packet(PEER, HOST);
        let wire = corpus.join("wire");
        write(&wire, &format!("ipv4_{i}"), &[&[2], &packet[..]].concat())?;
        write(&wire, &format!("quoted_{i}"), &[&[3], &packet[..]].concat())?;
        write(&wire, &format!("tcp_{i}"), &[&[8], &packet[20..]].concat())?;
        write(&wire, &format!("sum_{i}"), &[&[9], &packet[..]].concat())?;
        let error = [&[3, 4, 0, 0, 0, 0, 2, 88], &packet[..28]].concat();
        write(&wire, &format!("icmp_{i}"), &[&[6], &error[..]].concat())?;
        let frame = [&[2; 12][..], &[8, 0], &ipv4(PEER, HOST, 1, &error)].concat();
        write(
            &wire,
            &format!("ethernet_{i}"),
            &[&[0], &frame[..]].concat(),
        )?;
    }
    let arp = [
        &[1, 0, 1, 8, 0, 6, 4, 0, 1][..],
        &[2, 0, 0, 0, 0, 1],
        &HOST,
        &[0; 6],
        &PEER,
    ];
    write(&corpus.join("wire"), "arp", &arp.concat())?;
    let mut ipv6 = vec![4, 0x60, 0, 0, 0, 0, 16, 0, 64];
    ipv6.extend([0x20; 32]);
    ipv6.extend([60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0]);
    write(&corpus.join("wire"), "ipv6", &ipv6)?;
    // Neighbour solicitation, advertisement, router advertisement with a prefix.
    for (name, kind, rest) in [("ns", 135, 20), ("na", 136, 20), ("ra", 134, 44)] {
        let mut message = vec![7];
        message.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        message.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2]);
        message.extend([255, kind, 0, 0, 0]);
        message.extend(vec![0; rest]);
        message.extend([1, 1, 2, 0, 0, 0, 0, 1]);
        write(&corpus.join("wire"), name, &message)?;
    }
    for entry in fs::read_dir("../config")? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|e| e == "toml") {
            let name = entry.file_name().to_string_lossy().into_owned();
            write(&corpus.join("config"), &name, &fs::read(entry.path())?)?;
        }
    }
    let http: [(&str, [u8; 2], &[u8]); 7] = [
        ("get", [0, 3], b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.0\r\n\r\n"),
        ("put", [0, 200], b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET /"),
        ("post", [2, 7], b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: r\r\n\r\n"),
        ("ok", [1, 3], b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n"),
        ("chunked", [1, 9], b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        ("close", [1, 0], b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nabc"),
        ("head", [3, 5], b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
    ];
    for (name, choice, bytes) in http {
        write(&corpus.join("http"), name, &[&choice, bytes].concat())?;
    }
    let texts = [
        ("dperf", "ddmode client\nduration 10s\ncpu 0\nport 0000:00:06.0 6.6.241.2 6.6.241.1\nclient 6.6.241.2 1\nserver 6.6.241.1 1\nlisten 80 1\ncc 2k\ncps 1k\nkeepalive 1ms 3"),
        ("script", "s[[step]]\nsend = \"PING\\r\\n\"\nexpect = { until = \"\\r\\n\", max = 64 }\n[[step]]\nsend = { hex = \"0d 0a\" }\nexpect = { regex = \"^a+b\" }\n[[step]]\nexpect = { bytes = 5, of = \"x\" }"),
        ("pass", "perrors == 0 && (p99 < 500us || !(loss >= 1%))"),
        ("url", "uhttp://[2001:db8::1]:8080/a?b"),
        ("tcp", "utcp://192.0.2.1:7"),
        ("toml", "c[port]\ndevice = \"x\"\n[host]\naddresses = [\"192.0.2.2/24\"]\n[load]\ntargets = [\"http://192.0.2.1/\"]\n"),
    ];
    for (name, text) in texts {
        write(&corpus.join("load"), name, text.as_bytes())?;
    }
    write(
        &corpus.join("config"),
        "set",
        b"[tcp]\nmss = 1000\n\0tcp.mss=500\nlisten.0.port=80\nlisten.0.application=echo",
    )
}
