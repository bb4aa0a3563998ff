use proptest::prelude::*;

use super::*;

const MSS: u32 = 10;

fn board(bytes: &mut [u8]) -> Scoreboard<'_> {
    let mut board = Scoreboard::of(bytes);
    board.reset();
    board
}

#[test]
fn three_ranges_or_more_than_two_segments_above_mean_lost() {
    let mut bytes = [0xff; 128];
    let mut b = board(&mut bytes);
    assert_eq!(b.hole_from(Seq(0), MSS), None);
    assert!(b.insert(Seq(10), Seq(20)));
    assert!(b.insert(Seq(20), Seq(30)));
    assert!(
        !b.hole_from(Seq(0), MSS).unwrap().lost,
        "two segments, not more"
    );
    assert!(b.insert(Seq(30), Seq(31)));
    let hole = Hole {
        start: Seq(0),
        end: Seq(10),
        lost: true,
    };
    assert_eq!(b.hole_from(Seq(0), MSS), Some(hole));
    b.reset();
    for start in [50, 10, 30] {
        assert!(b.insert(Seq(start), Seq(start + 1)));
    }
    assert!(b.hole_from(Seq(5), MSS).unwrap().lost);
    assert!(!b.hole_from(Seq(10), MSS).unwrap().lost, "two are above");
    assert_eq!(
        b.hole_from(Seq(50), MSS),
        None,
        "nothing is known of what is above all"
    );
}

#[test]
fn what_is_told_twice_is_not_new() {
    let mut bytes = [0; 128];
    let mut b = board(&mut bytes);
    assert!(b.insert(Seq(10), Seq(20)));
    assert!(!b.insert(Seq(10), Seq(20)));
    assert!(!b.insert(Seq(12), Seq(18)));
    assert!(b.insert(Seq(12), Seq(21)));
    assert!(b.insert(Seq(9), Seq(20)));
}

#[test]
fn without_room_what_joins_is_taken_and_nothing_else() {
    let mut bytes = [0; HEADER + 2 * RANGE];
    let mut b = board(&mut bytes);
    assert!(b.insert(Seq(10), Seq(20)) && b.insert(Seq(40), Seq(50)));
    assert!(!b.insert(Seq(70), Seq(80)));
    assert!(b.insert(Seq(15), Seq(45)));
    assert!(b.insert(Seq(70), Seq(80)));
    assert_eq!(
        b.ranges().collect::<Vec<_>>(),
        [(Seq(10), Seq(50)), (Seq(70), Seq(80))]
    );
}

/// RFC 6675's words about single numbers, on a set of them.
struct Model {
    sacked: Vec<bool>,
    una: usize,
}

impl Model {
    fn is_lost(&self, n: usize) -> bool {
        let above = &self.sacked[n + 1..];
        let bytes = above.iter().filter(|held| **held).count();
        let mut ranges = 0;
        let mut before = false;
        for &held in above {
            ranges += usize::from(held && !before);
            before = held;
        }
        ranges >= 3 || bytes > 2 * MSS as usize
    }

    fn pipe(&self, high_rxt: usize) -> u32 {
        let on_its_way = |n: usize| u32::from(!self.is_lost(n)) + u32::from(n < high_rxt);
        let not_held = (self.una..self.sacked.len()).filter(|&n| !self.sacked[n]);
        not_held.map(on_its_way).sum()
    }

    fn hole_from(&self, from: usize) -> Option<(usize, usize, bool)> {
        let highest = self.sacked.iter().rposition(|held| *held)?;
        let start = (from..highest).find(|&n| !self.sacked[n])?;
        let end = (start..).find(|&n| self.sacked[n])?;
        Some((start, end, self.is_lost(start)))
    }
}

proptest! {
    #[test]
    fn equals_a_set_of_numbers(
        base in any::<u32>(),
        steps in proptest::collection::vec((0..100usize, 1..30usize, any::<bool>()), 0..40),
        from in 0..140usize, high_rxt in 0..140usize,
    ) {
        let mut bytes = [0xaa; 1024];
        let mut b = board(&mut bytes);
        let seq = |n: usize| Seq(base) + n as u32;
        let mut model = Model { sacked: vec![false; 140], una: 0 };
        for (at, n, acknowledges) in steps {
            if acknowledges && at % 4 == 0 {
                model.una = model.una.max(at / 2);
                model.sacked[..model.una].fill(false);
                b.advance(seq(model.una));
            } else if at > model.una {
                let new = model.sacked[at..at + n].contains(&false);
                model.sacked[at..at + n].fill(true);
                prop_assert_eq!(b.insert(seq(at), seq(at + n)), new);
            }
            for (i, &held) in model.sacked.iter().enumerate() {
                let found = b.ranges().any(|(s, e)| seq(i).ge(s) && seq(i).lt(e));
                prop_assert_eq!(found, held, "{}", i);
            }
            let ranges: Vec<_> = b.ranges().collect();
            prop_assert!(ranges.windows(2).all(|w| w[0].1.lt(w[1].0)));
        }
        let from = from.max(model.una);
        let hole = b.hole_from(seq(from), MSS).map(|h| (h.start, h.end, h.lost));
        prop_assert_eq!(hole, model.hole_from(from).map(|(s, e, lost)| (seq(s), seq(e), lost)));
        let high_rxt = high_rxt.max(model.una);
        b.set_high_rxt(seq(high_rxt));
        prop_assert_eq!(b.pipe(seq(model.una), seq(140), MSS), model.pipe(high_rxt));
        let after = model.sacked.iter().rposition(|held| *held).map_or(model.una, |n| n + 1);
        prop_assert_eq!(b.highest(seq(model.una)), seq(after));
    }
}
