use super::*;
use proptest::prelude::*;

#[test]
fn both_families() {
    let v4 = Ip::v4([192, 0, 2, 1]);
    assert_eq!((v4.is_v4(), v4.as_v4()), (true, Some([192, 0, 2, 1])));
    assert_eq!(v4.to_string(), "192.0.2.1");
    let v6 = Ip::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    assert_eq!((v6.is_v4(), v6.as_v4()), (false, None));
    assert_eq!(format!("{v6:?}"), "2001:db8::1");
    assert!(!Ip::UNSPECIFIED_V6.is_v4());

    let tuple = FourTuple {
        local: v4,
        remote: v6,
        local_port: 80,
        remote_port: 40000,
    };
    assert_eq!(format!("{tuple:?}"), "192.0.2.1:80 <-> [2001:db8::1]:40000");
}

proptest! {
    #[test]
    fn conversions_return(a in any::<[u8; 4]>(), b in any::<[u8; 16]>(), local_port in any::<u16>(), remote_port in any::<u16>()) {
        let (v4, v6) = (Ip::v4(a), Ip::v6(b));
        prop_assert_eq!(v4.v4_octets(), a);
        prop_assert_eq!(v6.octets(), b);
        prop_assert_eq!(Ip::from(IpAddr::from(v4)), v4);
        prop_assert_eq!(Ip::from(IpAddr::from(v6)), v6);
        prop_assert_eq!(Ip::from(Ipv4Addr::from(a)), v4);

        let tuple = FourTuple { local: v4, remote: v6, local_port, remote_port };
        let reversed = tuple.reversed();
        prop_assert_eq!((reversed.local, reversed.local_port), (v6, remote_port));
        prop_assert_eq!(reversed.reversed(), tuple);
    }
}
