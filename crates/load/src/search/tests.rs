use proptest::prelude::*;

use super::*;

/// Searches with `passes` as the judge, and returns the trials and what was found.
fn search(mut search: Search, mut passes: impl FnMut(Trial) -> bool) -> (Vec<Trial>, Found) {
    let mut trials = Vec::new();
    while let Some(trial) = search.next() {
        trials.push(trial);
        assert!(trials.len() < 2_000, "it does not end");
        search.judge(passes(trial));
    }
    (trials, search.found())
}

#[test]
fn the_lowest_and_the_highest_come_first() {
    let new = || Search::new(100.0, 100_000.0, 0.01, 1).unwrap();
    // Nobody is there: no use in trying more.
    let (trials, found) = search(new(), |_| false);
    assert_eq!((trials.len(), found.rate), (1, None));
    assert_eq!(found.failed, Some(100.0));
    // There is room above: no use in trying less.
    let (trials, found) = search(new(), |_| true);
    let rates: Vec<f64> = trials.iter().map(|trial| trial.rate).collect();
    assert_eq!(rates, [100.0, 100_000.0, 100_000.0]);
    assert_eq!((found.rate, found.failed), (Some(100_000.0), None));
    assert_eq!(found.confirmed, 1);
}

#[test]
fn a_range_of_one_rate_is_one_trial_and_its_repetitions() {
    let (trials, found) = search(Search::new(7.0, 7.0, 0.01, 2).unwrap(), |_| true);
    let repeats: Vec<bool> = trials.iter().map(|trial| trial.repeats).collect();
    assert_eq!(repeats, [false, true, true]);
    assert_eq!((found.rate, found.confirmed), (Some(7.0), 2));
}

#[test]
fn what_passed_by_luck_is_not_believed() {
    // The limit is 1,000, but the first trial above it passes, whichever it is.
    let mut luck = true;
    let (trials, found) =
        search(
            Search::new(100.0, 100_000.0, 0.05, 1).unwrap(),
            |trial| match trial.rate {
                rate if rate <= 1_000.0 => true,
                rate if rate < 100_000.0 => core::mem::take(&mut luck),
                _ => false,
            },
        );
    let rate = found.rate.unwrap();
    assert!((952.0..=1_000.0).contains(&rate), "{found:?} {trials:?}");
    let repeated = trials.iter().filter(|trial| trial.repeats);
    assert_eq!(repeated.count(), 2, "{trials:?}");
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let range = |lowest, highest| Search::new(lowest, highest, 0.01, 1).is_err();
    assert!(range(0.0, 10.0) && range(11.0, 10.0) && range(1.0, f64::INFINITY));
    assert!(range(f64::NAN, 1.0) && range(-1.0, 1.0));
    let resolution = |share| Search::new(1.0, 2.0, share, 1).is_err();
    assert!(resolution(0.0) && resolution(0.000_9) && resolution(1.1) && resolution(f64::NAN));
    assert!(!resolution(0.001) && !resolution(1.0));
}

proptest! {
    #[test]
    fn a_threshold_is_found_to_the_resolution(
        lowest in 1.0..1e6_f64,
        range in 1.0..1e4_f64,
        at in 0.0..1.2_f64,
        resolution in 0.001..1.0_f64,
        confirmations in 0..4_u32,
    ) {
        let highest = lowest * range;
        let threshold = lowest * range.powf(at);
        let new = Search::new(lowest, highest, resolution, confirmations).unwrap();
        let (trials, found) = search(new, |trial| trial.rate <= threshold);
        let rate = found.rate.unwrap();
        prop_assert!(rate <= threshold, "{rate} {threshold}");
        match found.failed {
            None => prop_assert_eq!(rate, highest),
            Some(failed) => {
                prop_assert!(failed > threshold && failed / rate <= 1.0 + resolution + 1e-9, "{:?}", found);
            }
        }
        prop_assert_eq!(found.confirmed, confirmations);
        // The ends, the halvings, and the repetitions.
        let steps = range.ln() / resolution.ln_1p() + 2.0;
        let most = 3.0 + steps.log2().ceil() + f64::from(confirmations);
        prop_assert!(trials.len() as f64 <= most, "{} of {most}", trials.len());
        prop_assert!(trials.iter().all(|trial| (lowest..=highest).contains(&trial.rate)));
    }

    #[test]
    fn a_threshold_in_noise_is_found_within_the_noise(
        threshold in 2e3..5e4_f64,
        noise in 0.0..0.3_f64,
        dice in proptest::collection::vec(any::<bool>(), 2_000),
        confirmations in 1..4_u32,
    ) {
        // Below the band it always passes, above never, within at random.
        let (sure, never) = (threshold * (1.0 - noise), threshold * (1.0 + noise));
        let mut dice = dice.into_iter();
        let new = Search::new(1e3, 1e5, 0.01, confirmations).unwrap();
        let (trials, found) = search(new, |trial| {
            trial.rate < sure || (trial.rate < never && dice.next() == Some(true))
        });
        let rate = found.rate.unwrap();
        // What surely passes is next to what may fail, so nothing below it is found.
        prop_assert!(rate * 1.011 >= sure && rate < never, "{sure} {rate} {never} {trials:?}");
        prop_assert_eq!(found.confirmed, confirmations);
        // What was found has passed each time that it was tried.
        let failed = found.failed.unwrap();
        prop_assert!(failed > rate && failed / rate < 1.011);
    }
}
