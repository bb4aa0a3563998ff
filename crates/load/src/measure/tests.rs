use super::*;

fn measured(seconds: u64, requests: u64, latency: u64) -> Measured {
    let mut measured = Measured::new().unwrap();
    measured.elapsed = Duration::from_secs(seconds);
    measured.counts.requests = requests;
    measured.latencies.request.record(latency).unwrap();
    measured.alive.open = requests;
    measured
}

#[test]
fn workers_run_beside_each_other_and_intervals_follow_each_other() {
    let mut total = measured(2, 10, 1_000);
    total.beside(&measured(2, 30, 3_000));
    assert_eq!(total.elapsed, Duration::from_secs(2));
    assert_eq!((total.counts.requests, total.alive.open), (40, 40));
    assert_eq!(total.latencies.request.len(), 2);
    assert_eq!(total.per_second(|c| c.requests), 20.0);
    total.after(&measured(2, 8, 5_000));
    assert_eq!((total.counts.requests, total.alive.open), (48, 8));
    assert_eq!(total.per_second(|c| c.requests), 12.0);
    total.reset();
    assert_eq!(total, Measured::new().unwrap());
}

#[test]
fn what_came_late_is_counted_but_is_no_rate() {
    let mut total = measured(2, 10, 1);
    total.late.requests = 4;
    assert_eq!(total.per_second(|c| c.requests), 3.0);
    assert_eq!(Measured::new().unwrap().per_second(|c| c.requests), 0.0);
}

#[test]
fn every_count_has_a_name_and_a_meaning_and_takes_part_in_sums() {
    let mut names = Vec::new();
    Counts::default().for_each(&mut |name, meaning, value| {
        assert!(meaning.ends_with('.') && value == 0, "{name}: {meaning}");
        names.push(name);
    });
    assert_eq!(names.len(), Counts::LEN);
    let one = Counts {
        err_wrong: 2,
        opened: 5,
        ..Counts::default()
    };
    let mut two = one;
    two.add(&one);
    assert_eq!((two.errors(), two.opened), (4, 10));
    assert_eq!(two.since(&one), one);
}
