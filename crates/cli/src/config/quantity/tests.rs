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
    assert!("1.5k".parse::<Room>().is_err());
    assert!(
        "1500us"
            .parse::<Wait>()
            .unwrap_err()
            .contains("whole number")
    );
    assert!("soon".parse::<Wait>().unwrap_err().contains("not a time"));
}
