use super::*;
use crate::config::{Purpose, Source, resolve};

fn feasible(keys: &str) -> Result<(), String> {
    let text = format!(
        "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/16\"]\n[load]\n\
         targets = [\"tcp://10.0.0.2:7\"]\n{keys}"
    );
    let config = resolve(&Source::from_text("t", &text).unwrap(), Purpose::Load).unwrap();
    check(&config, &Plan::new(&config).unwrap()).map_err(|e| e.to_string())
}

#[test]
fn our_time_wait_is_what_limits_us() {
    // 64,512 pairs, each a second in TIME-WAIT.
    assert_eq!(feasible("rate = 64_000"), Ok(()));
    let error = feasible("rate = 65_000").unwrap_err();
    for part in [
        "65,000 connections a second to 10.0.0.2:7 need 65,000 pairs",
        "rests for 1,000 ms (time_wait.local_reuse)",
        "there are 64,512 (1 address with 64,512 ports): at most 64,512 a second",
        "add addresses to load.sources (--source), or destinations, or lower time_wait.local_reuse",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    let error =
        feasible("rate = \"2k\"\nduration = \"1m\"\n[tcp]\ntimestamps = false").unwrap_err();
    assert!(error.contains("60,000 ms (time_wait.length)"), "{error}");
}

#[test]
fn more_addresses_or_less_rest_or_less_to_do_make_it_possible() {
    let sources = "sources = [\"10.0.1.0/28\"]\n";
    assert_eq!(feasible(&format!("{sources}rate = 900_000")), Ok(()));
    assert_eq!(feasible("rate = 900_000\nclose = \"server\""), Ok(()));
    assert_eq!(feasible("rate = 900_000\ncount = 64_512"), Ok(()));
    assert_eq!(feasible("rate = 900_000\nduration = \"70ms\""), Ok(()));
    let error = feasible("rate = 900_000\nclose = \"server\"\nreuse_interval = \"1m\"");
    assert!(error.unwrap_err().contains("lower load.reuse_interval"));
    let error = feasible("rate = 900_000\nports = \"5000-5999\"").unwrap_err();
    assert!(error.contains("widen load.ports"), "{error}");
}

#[test]
fn held_connections_need_a_pair_each() {
    assert_eq!(feasible("mode = \"held\"\nconnections = 64_512"), Ok(()));
    let error = feasible("mode = \"held\"\nconnections = 64_513").unwrap_err();
    assert!(
        error.contains("64,513 connections to 10.0.0.2:7 need"),
        "{error}"
    );
}

#[test]
fn a_sweep_needs_pairs_for_its_highest_rate() {
    let to = |to: u64, keys: &str| feasible(&format!("[load.sweep]\nfrom = 1\nto = {to}\n{keys}"));
    // Each pair rests for a second: far less than the 16 s of a trial.
    assert_eq!(to(64_000, ""), Ok(()));
    let error = to(65_000, "").unwrap_err();
    assert!(error.contains("at most 64,512 a second"), "{error}");
    assert!(
        error.contains("lower time_wait.local_reuse, raise load.sweep.settle"),
        "{error}"
    );
    // Trials of 1.5 s, of which half a second is for settling: in 60 s they open for 40.
    let short =
        "time = \"900ms\"\nwarm_up = \"100ms\"\nsettle = \"500ms\"\n[tcp]\ntimestamps = false";
    assert_eq!(to(1_612, short), Ok(()));
    let error = to(1_613, short).unwrap_err();
    assert!(
        error.contains("need 64,520 pairs") && error.contains("at most 1,612"),
        "{error}"
    );
    let rested = short.replace("500ms", "60s");
    assert_eq!(to(64_000, &rested), Ok(()));
}

#[test]
fn a_sweep_over_kept_connections_does_not_meet_its_own_time_wait() {
    let sweep = |connections: u64, keys: &str| {
        feasible(&format!(
            "mode = \"requests\"\nconnections = {connections}\n[load.sweep]\nfrom = 1_000\nto = \"1M\"\n{keys}\n\
             [tcp]\ntimestamps = false"
        ))
    };
    // A minute of TIME-WAIT. When a trial is measured, the connections of those that ended 6, 22, 38 and 54 s ago rest.
    assert_eq!(sweep(12_902, ""), Ok(()));
    let error = sweep(12_903, "").unwrap_err();
    for part in [
        "12,903 connections to 10.0.0.2:7 in each trial need 64,515 pairs",
        "rests for 60,000 ms (time_wait.length)",
        "there are 64,512 (1 address",
        "lower time_wait.length, raise load.sweep.settle",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(sweep(64_512, "settle = \"59s\""), Ok(()));
    assert!(sweep(64_513, "settle = \"59s\"").is_err());
}

#[test]
fn several_targets_share_the_rate_by_weight() {
    let text = |weight: u32| {
        format!(
            "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/16\"]\n[load]\nrate = 120_000\n\
             targets = [\"tcp://10.0.0.2:7\", {{ url = \"tcp://10.0.0.2:8\", weight = {weight} }}]\n"
        )
    };
    let check = |weight| {
        let source = Source::from_text("t", &text(weight)).unwrap();
        let config = resolve(&source, Purpose::Load).unwrap();
        check(&config, &Plan::new(&config).unwrap())
    };
    assert_eq!(check(1), Ok(()));
    assert!(
        check(2)
            .unwrap_err()
            .to_string()
            .contains("10.0.0.2:8 need 80,000")
    );
}
