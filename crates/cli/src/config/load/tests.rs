use super::*;
use crate::config::{Config, ConfigError, Purpose, Source, resolve};

fn load(keys: &str) -> Result<Load, ConfigError> {
    let text =
        format!("[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/24\"]\n[load]\n{keys}");
    let config: Config = resolve(&Source::from_text("t", &text)?, Purpose::Load)?;
    Ok(config.load)
}

const TARGET: &str = "targets = [\"http://10.0.0.2\"]\n";

#[test]
fn urls() {
    let url = |text: &str| text.parse::<Url>();
    let parsed = url("http://10.0.0.2:8080/a?b#c").unwrap();
    assert_eq!((parsed.port, parsed.path.as_str()), (8080, "/a?b"));
    assert_eq!(parsed.authority, "10.0.0.2:8080");
    let parsed = url("HTTP://[2001:db8::1]?q").unwrap();
    assert_eq!((parsed.port, parsed.path.as_str()), (80, "/?q"));
    assert_eq!(parsed.to_string(), "http://[2001:db8::1]/?q");
    for (bad, why) in [
        ("tcp://10.0.0.2", "needs a port"),
        ("tcp://10.0.0.2:7/x", "has no path"),
        ("http://10.0.0.2:0/", "`0` is not a port"),
        ("http://10.0.0.2:/", "`` is not a port"),
        ("http://2001:db8::1/", "in brackets"),
        ("http://[::1]x/", "in brackets"),
        ("ftp://10.0.0.2/", "not http or tcp"),
    ] {
        let error = url(bad).unwrap_err();
        assert!(error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn weights() {
    let load = load("targets = [{ url = \"http://10.0.0.2\", weight = 7 }, \"tcp://10.0.0.3:9\"]");
    let weights: Vec<u64> = load
        .unwrap()
        .targets
        .iter()
        .map(|t| t.weight.get())
        .collect();
    assert_eq!(weights, [7, 1]);
    let error = super::tests::load("targets = [{ url = \"http://10.0.0.2\", wieght = 7 }]");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("did you mean `weight`?"), "{error}");
}

#[test]
fn sources_of_all_kinds() {
    let all = |list: &[&str]| {
        let sources: Result<Vec<Sources>, _> = list.iter().map(|text| text.parse()).collect();
        sources.and_then(|s| Sources::all(&s))
    };
    let count = |list: &[&str]| all(list).unwrap().len();
    assert_eq!(count(&["10.0.0.0/24"]), 254);
    assert_eq!(count(&["10.0.0.0/31", "10.0.0.9/32"]), 3);
    assert_eq!(count(&["10.0.0.1-10.0.0.9", "10.0.0.5"]), 9);
    assert_eq!(count(&["2001:db8::/112"]), 65_535);
    assert_eq!(count(&["0.0.0.1-0.1.0.0"]), 65_536);
    let first = all(&["2001:db8::/126"]).unwrap()[0];
    assert_eq!(first.to_string(), "2001:db8::1");
    for (bad, why) in [
        ("10.0.0.1/24", "write 10.0.0.0/24"),
        ("10.0.0.0/33", "0 to 32 bits"),
        ("10.0.0.9-10.0.0.1", "is empty"),
        ("10.0.0.1-::1", "one family"),
        ("x", "not an IP address"),
        ("::/0", "at most 65536"),
        ("0.0.0.0/0", "at most 65536"),
    ] {
        let error = all(&[bad]).unwrap_err();
        assert!(error.contains(why), "{bad}: {error}");
    }
}

#[test]
fn steps_begin_where_the_one_before_ended() {
    let steps = "steps = [{ time = \"1s\", from = 0, to = \"1k\" }, { time = \"2s\", to = \"1k\" }, \
                 { time = \"1s\", to = 0 }]\n";
    let profile = load(&format!("{TARGET}{steps}"))
        .unwrap()
        .profile()
        .unwrap();
    let rates: Vec<_> = profile.segments.iter().map(|s| (s.from, s.to)).collect();
    assert_eq!(rates, [(0.0, 1e3), (1e3, 1e3), (1e3, 0.0)]);
    for (keys, why) in [
        (
            "rate = 1\nsteps = [{ time = \"1s\", to = 1 }]",
            "both say how fast",
        ),
        ("steps = [{ time = \"1s\", to = 0 }]", "0 throughout"),
        ("ports = \"9-7\"", "write the lower port first"),
        ("mode = \"held\"\nrequests = 1", "is for the modes"),
        ("mode = \"requests\"\nclose = \"half\"", "set load.requests"),
        ("mode = \"send\"", "octets that are no requests"),
        ("every = \"1s\"", "elsewhere `think` is the pause"),
        (
            "mode = \"requests\"\nrate = 5\nthink = \"1s\"",
            "the rate says when",
        ),
        (
            "mode = \"held\"\nclose = \"server\"",
            "the server does not know",
        ),
        ("script = \"s\"", "not for HTTP"),
        ("request_bytes = 5", "`request_bytes` is not for HTTP"),
        ("response_bytes = 5", "`response_bytes` is not for HTTP"),
        (
            "mode = \"held\"\nhttp = { method = \"HEAD\" }",
            "without `every`",
        ),
        ("connections = 0", "out of range: 1 to"),
    ] {
        let error = load(&format!("{TARGET}{keys}")).unwrap_err().to_string();
        assert!(error.contains(why), "{keys}: {error}");
        assert!(error.contains("t:"), "{keys}: {error}");
    }
}

#[test]
fn listeners_and_targets_may_be_in_one_file() {
    let text = "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/24\"]\n";
    let with = |more: &str, purpose| {
        let source = Source::from_text("t", &format!("{text}{more}")).unwrap();
        resolve(&source, purpose)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let load = "[load]\ntargets = [\"http://10.0.0.2/\"]\n";
    let listen = "[[listen]]\nport = 7\napp = \"echo\"\n";
    assert_eq!(with(load, Purpose::Load), Ok(()));
    assert_eq!(with(load, Purpose::Either), Ok(()));
    assert!(
        with(load, Purpose::Serve)
            .unwrap_err()
            .contains("nothing to serve")
    );
    assert!(
        with(listen, Purpose::Load)
            .unwrap_err()
            .contains("nowhere to connect")
    );
    assert_eq!(with(&format!("{load}{listen}"), Purpose::Serve), Ok(()));
}

#[test]
fn ports_are_ranges() {
    let ports = |text: &str| text.parse::<Ports>();
    let several = ports("3000-3999, 1024-1999,5000,2000-2009,3500-4099").unwrap();
    assert_eq!(several.to_string(), "1024-2009,3000-4099,5000-5000");
    assert_eq!(several.count(), 986 + 1_100 + 1);
    let gaps = vec![(2010, 2999), (4100, 4999)];
    assert_eq!(several.span(), (1024, 5000, gaps));
    let some = several.lowest(986 + 10);
    assert_eq!(
        (some.to_string().as_str(), some.count()),
        ("1024-2009,3000-3009", 996)
    );
    assert_eq!(several.lowest(0).count(), 1);
    assert_eq!(several.lowest(u32::MAX), several);
    assert_eq!(ports("1-65535").unwrap().span(), (1, 65_535, vec![]));
    for bad in ["", "0", "1024-", "5-4", "1,,2", "65536", "1-2-3"] {
        assert!(ports(bad).is_err(), "{bad}");
    }
}
