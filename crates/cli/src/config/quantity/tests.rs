use super::*;

type Small = Count<1, 1000>;
type Room = Bytes<16, 1_048_576>;
type Wait = Millis<0, 3_600_000>;

#[test]
fn counts_take_decimal_suffixes() {
    assert_eq!("1k".parse::<Small>().unwrap().get(), 1000);
    assert_eq!("1_000".parse::<Small>().unwrap().get(), 1000);
    assert_eq!(
        "2m".parse::<Count<0, 9_000_000>>().unwrap().get(),
        2_000_000
    );
}

#[test]
fn sizes_take_binary_suffixes() {
    for text in ["64k", "64K", "64KiB", "65536"] {
        assert_eq!(text.parse::<Room>().unwrap().get(), 65_536, "{text}");
    }
    assert_eq!("1M".parse::<Room>().unwrap().to_string(), "1M");
}

#[test]
fn times_are_milliseconds_with_a_unit() {
    assert_eq!("60s".parse::<Wait>().unwrap().get(), 60_000);
    assert_eq!("1m 30s".parse::<Wait>().unwrap().get(), 90_000);
    assert_eq!("0s".parse::<Wait>().unwrap().get(), 0);
    assert_eq!("60s".parse::<Wait>().unwrap().duration().as_secs(), 60);
}

#[test]
fn errors_name_the_range_in_the_unit() {
    assert_eq!(
        "1001".parse::<Small>().unwrap_err(),
        "1001 is out of range: 1 to 1000"
    );
    assert_eq!(
        "2M".parse::<Room>().unwrap_err(),
        "2M is out of range: 16 to 1M"
    );
    assert_eq!(
        "2h".parse::<Wait>().unwrap_err(),
        "2h is out of range: 0s to 1h"
    );
}

#[test]
fn nonsense_is_refused_without_overflow() {
    assert!("99999999999999999999g".parse::<Room>().is_err());
    assert!("18446744073709551615g".parse::<Room>().is_err());
    assert!("k".parse::<Room>().is_err());
    for fraction in [
        "1.5",
        "1.",
        ".5k",
        "1.2.3k",
        "1.0000000001g",
        "1.1k",
        "1.9999999999999999999999g",
    ] {
        assert!(fraction.parse::<Room>().is_err(), "{fraction}");
    }
    assert!(
        "18446744073.709551616g"
            .parse::<Count<0, { u64::MAX }>>()
            .is_err()
    );
    assert!(
        "1500us"
            .parse::<Wait>()
            .unwrap_err()
            .contains("whole number")
    );
    assert!("soon".parse::<Wait>().unwrap_err().contains("not a time"));
}

#[test]
fn a_fraction_of_a_unit_is_a_number_if_it_is_whole() {
    for (text, value) in [
        ("1.5k", 1_500),
        ("0.25M", 250_000),
        ("1.000001g", 1_000_001_000),
        ("2.0", 2),
    ] {
        assert_eq!(
            text.parse::<Count<0, { u64::MAX }>>().map(Count::get),
            Ok(value),
            "{text}"
        );
    }
    assert_eq!("1.5k".parse::<Bytes<0, 4096>>().map(Bytes::get), Ok(1_536));
}
