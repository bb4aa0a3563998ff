use proptest::prelude::*;

use super::*;

fn known() -> Vec<(String, Unit)> {
    [
        ("errors", Unit::Number),
        ("cps", Unit::Number),
        ("p99", Unit::Time),
        ("p99_9", Unit::Time),
        ("connect.p99_9", Unit::Time),
        ("busy", Unit::Share),
        ("none", Unit::Number),
    ]
    .map(|(name, unit)| (name.to_owned(), unit))
    .to_vec()
}

fn value(name: &str) -> Option<f64> {
    match name {
        "errors" => Some(0.0),
        "cps" => Some(1.2e6),
        "p99" => Some(612_400.0),
        "p99_9" | "connect.p99_9" => Some(1e6),
        "busy" => Some(0.5),
        _ => None,
    }
}

fn judge(text: &str) -> Verdict {
    Criteria::parse(text, &known()).unwrap().judge(value)
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let error = Criteria::parse(text, &known()).unwrap_err();
    assert!(error.contains(part), "{text}: {error}");
}

#[test]
fn what_passes_and_what_does_not() {
    for (text, passed) in [
        ("errors==0", true),
        ("errors == 0 && p99 < 500us && cps > 1M", false),
        ("errors==0&&p99<=612.4us&&cps>1M", true),
        ("p99 < 0.7ms", true),
        ("p99 > 0 && 0ns < p99", true),
        ("p99.9 == 1ms && connect.p99.9 == 1000us", true),
        ("p99 < p99_9", true),
        ("p99 < 613µs", true),
        ("1k < cps", true),
        ("cps != 1200k", false),
        ("busy < 50% || busy >= 0.5", true),
        // As in C: && before ||, and ! before both.
        ("errors == 0 || errors == 0 && errors == 1", true),
        ("(errors == 0 || errors == 0) && errors == 1", false),
        ("!errors == 0", false),
        ("!!errors == 0", true),
        ("!(errors == 1 || cps < 1k)", true),
    ] {
        assert_eq!(judge(text).passed, passed, "{text}");
    }
}

#[test]
fn a_figure_without_a_value_never_lets_pass() {
    for (text, passed) in [
        ("none == 0", false),
        ("!(none == 0)", false),
        ("none == 0 || errors == 0", true),
        ("none == 0 && errors == 0", false),
        ("!(none == 0 && errors == 1)", true),
    ] {
        assert_eq!(judge(text).passed, passed, "{text}");
    }
    assert!(judge("none == 0").because.contains("nothing was measured"));
}

#[test]
fn a_verdict_names_the_values() {
    assert_eq!(
        judge(" errors==0 && p99 < 500us && p99 > 1ns ").to_string(),
        "NOT PASSED: errors==0 && p99 < 500us && p99 > 1ns (errors is 0, p99 is 612.40us)"
    );
    assert!(judge("errors==0").to_string().starts_with("passed: "));
}

#[test]
fn what_cannot_be_understood_is_explained() {
    refused("", "a figure or a number");
    refused("errors", "`<`, `<=`");
    refused("errors = 0", "`<`, `<=`");
    refused("errors == ", "a figure or a number");
    refused("errors == 0 cps > 1", "`&&`, `||` or the end");
    refused("errors == 0 && ", "`&&`, `||` or the end");
    refused("(errors == 0", "a closing parenthesis");
    refused("errors < 1 < 2", "`&&`, `||` or the end");
    refused("errorz == 0", "did you mean `errors`?");
    refused("xyz == 0", "The figures are: errors, cps, p99,");
    refused("1 < 2", "names no figure");
    refused("p99 < 500", "`500`: a time has a unit");
    refused("p99 < 5k", "a time has a unit");
    refused("cps > 1m", "k, M or G");
    refused("busy < 5s", "a share is written as");
    refused("p99 < cps", "not of one kind");
    refused(&"(".repeat(100_000), "within each other");
    let error = Criteria::parse("errors == 0 && p99 ~ 1", &known()).unwrap_err();
    assert!(
        error.ends_with("\n  errors == 0 && p99 ~ 1\n                     ^"),
        "{error}"
    );
}

/// An expression, and whether it is true.
fn expressions() -> impl Strategy<Value = (String, bool)> {
    let leaf = prop_oneof![
        Just(("errors==0".to_owned(), true)),
        Just(("p99 < 500us".to_owned(), false)),
        Just(("cps>1M".to_owned(), true)),
        Just(("busy > 50%".to_owned(), false)),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|(text, truth)| (format!("!({text})"), !truth)),
            (inner.clone(), inner.clone())
                .prop_map(|((a, x), (b, y))| (format!("({a})&&({b})"), x && y)),
            (inner.clone(), inner)
                .prop_map(|((a, x), (b, y))| (format!("( {a} ) || ( {b} )"), x || y)),
        ]
    })
}

proptest! {
    #[test]
    fn expressions_mean_what_they_say((text, truth) in expressions()) {
        prop_assert_eq!(judge(&text).passed, truth);
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9_.<>=!&|()%µ ]{0,40}|\\PC{0,40}") {
        let _ = Criteria::parse(&text, &known());
    }
}
