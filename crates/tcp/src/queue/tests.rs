use proptest::prelude::*;

use super::*;

#[test]
fn a_small_message_takes_one_chunk_and_gives_it_back() {
    let mut m = Memory::new(4, 64);
    let mut q = Queue::new();
    assert_eq!(q.append(&mut m, b"hello"), 5);
    assert_eq!((q.len(), m.in_use(), q.peek(&m)), (5, 1, &b"hello"[..]));
    q.drop_front(&mut m, 2);
    assert_eq!(q.peek(&m), b"llo");
    q.drop_front(&mut m, 3);
    assert!(q.is_empty() && q.is_released() && m.in_use() == 0);
    assert_eq!(q.peek(&m), b"");
}

#[test]
fn exhaustion_takes_a_prefix() {
    let mut m = Memory::new(2, 64);
    let mut q = Queue::new();
    assert_eq!(q.append(&mut m, &[7; 200]), 128);
    assert_eq!(q.append(&mut m, &[7; 1]), 0);
    q.drop_front(&mut m, 63);
    assert_eq!(m.in_use(), 2);
    q.drop_front(&mut m, 1);
    assert_eq!(m.in_use(), 1);
    assert_eq!(q.append(&mut m, &[8; 200]), 64);
    let mut out = [0; 128];
    assert_eq!(q.copy_out(&m, 0, &mut out), 128);
    assert!(out[..64].iter().all(|&b| b == 7) && out[64..].iter().all(|&b| b == 8));
}

#[test]
fn bytes_written_ahead_join_when_the_gap_is_filled() {
    let mut m = Memory::new(8, 64);
    let mut q = Queue::new();
    assert!(q.write_ahead(&mut m, 100, b"tail", 0));
    assert!(
        !q.write_ahead(&mut m, 300, b"far", 6),
        "the reserve is respected"
    );
    assert_eq!((q.len(), m.in_use()), (0, 2));
    assert_eq!(q.append(&mut m, &[1; 100]), 100);
    q.extend(4);
    let mut out = [0; 104];
    assert_eq!(q.copy_out(&m, 0, &mut out), 104);
    assert_eq!(&out[100..], b"tail");
    q.clear(&mut m);
    assert_eq!(m.in_use(), 0);
}

#[test]
fn skipping_a_gap_keeps_what_lies_ahead() {
    let mut m = Memory::new(8, 64);
    let mut q = Queue::new();
    assert!(q.write_ahead(&mut m, 150, b"tail", 0));
    q.skip(&mut m, 150);
    q.extend(4);
    assert_eq!((q.peek(&m), m.in_use()), (&b"tail"[..], 1));
    q.skip(&mut m, 1000);
    assert_eq!(m.in_use(), 0);
}

proptest! {
    #[test]
    fn behaves_as_a_deque(
        ops in proptest::collection::vec((0u8..4, 0usize..400), 1..200),
        start in any::<u32>(),
    ) {
        let mut m = Memory::new(16, 64);
        // Any aligned starting position is as good as zero: positions wrap.
        let mut q = Queue { start: start & !63, end: start & !63, ..Queue::new() };
        let mut model: Vec<u8> = Vec::new();
        let mut next = 0u8;
        for (op, n) in ops {
            match op {
                0 | 1 => {
                    let bytes: Vec<u8> = (0..n).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let taken = q.append(&mut m, &bytes);
                    prop_assert!(taken == n || m.free() == 0);
                    model.extend(&bytes[..taken]);
                }
                2 => {
                    q.drop_front(&mut m, n as u32);
                    model.drain(..n.min(model.len()));
                }
                _ => {
                    let offset = n.min(model.len());
                    let mut out = vec![0; 97];
                    let got = q.copy_out(&m, offset as u32, &mut out);
                    let want = &model[offset..(offset + 97).min(model.len())];
                    prop_assert_eq!(&out[..got], want);
                }
            }
            prop_assert_eq!(q.len() as usize, model.len());
            let front = q.peek(&m);
            prop_assert!(model.starts_with(front) && front.is_empty() == model.is_empty());
            prop_assert!(m.in_use() as usize <= model.len() / 64 + 2);
        }
        q.clear(&mut m);
        prop_assert_eq!(m.in_use(), 0);
    }
}
