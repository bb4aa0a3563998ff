use super::*;
use proptest::prelude::*;

const HALF: u32 = 1 << 31;

#[test]
fn order_across_the_wrap() {
    let (before, after) = (Seq(u32::MAX - 1), Seq(3));
    assert!(before.lt(after) && before.le(after) && after.gt(before) && after.ge(before));
    assert!(!after.lt(before) && !after.le(before) && !before.gt(after) && !before.ge(after));
    assert_eq!((after.since(before), before.since(after)), (5, -5));
    assert_eq!(after.offset_from(before), 5);
    assert_eq!((before.max(after), after.max(before)), (after, after));
    assert_eq!((before.min(after), after.min(before)), (before, before));
    assert_eq!((before + 5, after - 5), (after, before));
}

#[test]
fn half_of_the_space_away_is_less_and_not_greater() {
    let (a, b) = (Seq(7), Seq(7) + HALF);
    assert!(a.lt(b) && b.lt(a));
    assert!(!a.gt(b) && !b.gt(a));
}

#[test]
fn window() {
    let low = Seq(u32::MAX);
    assert!(low.in_window(low, 1) && !low.in_window(low, 0));
    assert!(Seq(1).in_window(low, 3) && !Seq(2).in_window(low, 3));
    assert!(!(low - 1).in_window(low, u32::MAX));
}

/// Any distance, and often one where a comparison changes.
fn distances() -> impl Strategy<Value = u32> {
    let edges = vec![0, 1, HALF - 1, HALF, HALF + 1, u32::MAX];
    prop_oneof![any::<u32>(), proptest::sample::select(edges)]
}

proptest! {
    #[test]
    fn comparisons_agree(a in any::<u32>(), distance in distances()) {
        let (a, b) = (Seq(a), Seq(a) + distance);
        prop_assert_eq!(b.offset_from(a), distance);
        prop_assert_eq!(a == b, distance == 0);
        prop_assert_eq!(a.lt(b), distance != 0 && distance <= HALF);
        prop_assert_eq!(b.gt(a), distance != 0 && distance < HALF);
        prop_assert_eq!(a.le(b), a == b || a.lt(b));
        prop_assert_eq!(b.ge(a), a == b || b.gt(a));
        prop_assert_eq!(b.since(a), distance as i32);
        prop_assert_eq!(b - distance, a);
        let mut c = a;
        c += distance;
        prop_assert_eq!(c, b);
    }
}
