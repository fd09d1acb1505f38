//! Addresses that a check of the public Internet must never be sent to.
//!
//! A stranger decides where a name points, so without this guard a domain control check could be aimed at
//! the machine it runs on, or at its neighbours. The table holds the IANA IPv4 and IPv6 Special-Purpose Address
//! Registries (RFC 6890), multicast, and what lies outside of IPv6 global unicast. Blocks of the registries
//! that are globally reachable (AS112, AMT) are in it too: no applicant's web server lives there. An IPv4
//! address inside a NAT64 address is judged as that IPv4 address; mapped, 6to4 and Teredo addresses are
//! refused whole.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The special-purpose block that holds `address`, by its registered name; `None` for an ordinary address.
pub fn is_special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// A range of addresses, written as `127.0.0.0/8` or `::1/128`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is not a [`Network`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not an address with a prefix length, for example 127.0.0.0/8")]
pub struct NetworkError(String);

impl Network {
    /// `127.0.0.0/8`: this machine.
    pub const LOOPBACK_V4: Self = Self {
        base: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
        prefix: 8,
    };

    /// `::1/128`: this machine.
    pub const LOOPBACK_V6: Self = Self {
        base: IpAddr::V6(Ipv6Addr::LOCALHOST),
        prefix: 128,
    };

    /// Whether `address` lies in the range. An IPv4 range holds no IPv6 address, mapped ones included.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => v4_in(address, base, self.prefix),
            (IpAddr::V6(base), IpAddr::V6(address)) => v6_in(address, base, self.prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || NetworkError(text.to_owned());
        let (base, prefix) = text.split_once('/').ok_or_else(error)?;
        let base: IpAddr = base.parse().map_err(|_| error())?;
        let prefix: u8 = prefix.parse().map_err(|_| error())?;
        let longest = if base.is_ipv4() { 32 } else { 128 };
        if prefix > longest {
            Err(error())
        } else {
            Ok(Self { base, prefix })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

type BlockV4 = (Ipv4Addr, u8, &'static str);
type BlockV6 = (Ipv6Addr, u8, &'static str);

/// The IANA IPv4 Special-Purpose Address Registry, and multicast (RFC 5771).
const BLOCKS_V4: [BlockV4; 19] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network (RFC 791)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use (RFC 1918)"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "shared address space (RFC 6598)",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback (RFC 1122)"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link local (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use (RFC 1918)"),
    (
        Ipv4Addr::new(192, 0, 0, 0),
        24,
        "IETF protocol assignments (RFC 6890)",
    ),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation (RFC 5737)"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112 (RFC 7535)"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT (RFC 7450)"),
    (
        Ipv4Addr::new(192, 88, 99, 0),
        24,
        "6to4 relay anycast (RFC 7526)",
    ),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use (RFC 1918)"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112 (RFC 7534)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking (RFC 2544)"),
    (
        Ipv4Addr::new(198, 51, 100, 0),
        24,
        "documentation (RFC 5737)",
    ),
    (
        Ipv4Addr::new(203, 0, 113, 0),
        24,
        "documentation (RFC 5737)",
    ),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (RFC 5771)"),
    (Ipv4Addr::BROADCAST, 32, "limited broadcast (RFC 8190)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved (RFC 1112)"),
];

/// The IANA IPv6 Special-Purpose Address Registry, multicast and retired blocks; the first match names it.
const BLOCKS_V6: [BlockV6; 23] = [
    (Ipv6Addr::LOCALHOST, 128, "loopback (RFC 4291)"),
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified (RFC 4291)"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible (RFC 4291)"),
    (v6(0, 0, 0, 0, 0, 0xffff), 96, "IPv4-mapped (RFC 4291)"),
    (
        v6(0x64, 0xff9b, 1, 0, 0, 0),
        48,
        "local-use translation (RFC 8215)",
    ),
    (v6(0x100, 0, 0, 0, 0, 0), 64, "discard-only (RFC 6666)"),
    (v6(0x100, 0, 0, 1, 0, 0), 64, "dummy prefix (RFC 9780)"),
    (v6(0x2001, 0, 0, 0, 0, 0), 32, "Teredo (RFC 4380)"),
    (v6(0x2001, 2, 0, 0, 0, 0), 48, "benchmarking (RFC 5180)"),
    (v6(0x2001, 3, 0, 0, 0, 0), 32, "AMT (RFC 7450)"),
    (v6(0x2001, 4, 0x112, 0, 0, 0), 48, "AS112 (RFC 7535)"),
    (v6(0x2001, 0x10, 0, 0, 0, 0), 28, "ORCHID (RFC 4843)"),
    (v6(0x2001, 0x20, 0, 0, 0, 0), 28, "ORCHIDv2 (RFC 7343)"),
    (
        v6(0x2001, 0x30, 0, 0, 0, 0),
        28,
        "drone remote identification (RFC 9374)",
    ),
    (
        v6(0x2001, 0, 0, 0, 0, 0),
        23,
        "IETF protocol assignments (RFC 2928)",
    ),
    (
        v6(0x2001, 0xdb8, 0, 0, 0, 0),
        32,
        "documentation (RFC 3849)",
    ),
    (v6(0x2002, 0, 0, 0, 0, 0), 16, "6to4 (RFC 3056)"),
    (v6(0x2620, 0x4f, 0x8000, 0, 0, 0), 48, "AS112 (RFC 7534)"),
    (v6(0x3fff, 0, 0, 0, 0, 0), 20, "documentation (RFC 9637)"),
    (v6(0x5f00, 0, 0, 0, 0, 0), 16, "segment routing (RFC 9602)"),
    (v6(0xfc00, 0, 0, 0, 0, 0), 7, "unique local (RFC 4193)"),
    (v6(0xfe80, 0, 0, 0, 0, 0), 10, "link local (RFC 4291)"),
    (v6(0xff00, 0, 0, 0, 0, 0), 8, "multicast (RFC 4291)"),
];

const NAT64: Ipv6Addr = v6(0x64, 0xff9b, 0, 0, 0, 0);
const GLOBAL_UNICAST: Ipv6Addr = v6(0x2000, 0, 0, 0, 0, 0);

/// The first six groups; the last two are zero in every block.
const fn v6(a: u16, b: u16, c: u16, d: u16, e: u16, f: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, e, f, 0, 0)
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let block = BLOCKS_V4
        .iter()
        .find(|(base, prefix, _)| v4_in(address, *base, *prefix));
    block.map(|(_, _, name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = translated(address) {
        return special_v4(inner);
    }
    let block = BLOCKS_V6
        .iter()
        .find(|(base, prefix, _)| v6_in(address, *base, *prefix));
    match block {
        Some((_, _, name)) => Some(name),
        None if v6_in(address, GLOBAL_UNICAST, 3) => None,
        None => Some("outside global unicast (RFC 4291)"),
    }
}

/// The IPv4 host that an address stands for: a resolver behind NAT64 makes these of ordinary ones (RFC 6147), so the
/// inner one counts.
pub(crate) fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    v6_in(address, NAT64, 96).then(|| Ipv4Addr::new(a, b, c, d))
}

fn v4_in(address: Ipv4Addr, base: Ipv4Addr, prefix: u8) -> bool {
    let shift = 32 - u32::from(prefix);
    let differing = address.to_bits() ^ base.to_bits();
    differing.checked_shr(shift).unwrap_or(0) == 0
}

fn v6_in(address: Ipv6Addr, base: Ipv6Addr, prefix: u8) -> bool {
    let shift = 128 - u32::from(prefix);
    let differing = address.to_bits() ^ base.to_bits();
    differing.checked_shr(shift).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Option<&'static str> {
        is_special_purpose(text.parse().unwrap())
    }

    #[test]
    fn every_registered_block_is_special_from_its_first_address_to_its_last() {
        for (base, prefix, _) in BLOCKS_V4 {
            let last = base.to_bits() | u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            for address in [base, Ipv4Addr::from_bits(last)] {
                assert!(is_special_purpose(address.into()).is_some(), "{address}");
            }
        }
        for (base, prefix, _) in BLOCKS_V6 {
            let last = base.to_bits() | u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            for address in [base, Ipv6Addr::from_bits(last)] {
                assert!(is_special_purpose(address.into()).is_some(), "{address}");
            }
        }
    }

    #[test]
    fn blocks_are_named() {
        for (address, name) in [
            ("127.0.0.1", "loopback"),
            ("10.1.2.3", "private use"),
            ("172.31.255.255", "private use"),
            ("192.168.1.1", "private use"),
            ("100.64.0.1", "shared address space"),
            ("169.254.169.254", "link local"),
            ("192.0.0.171", "IETF protocol assignments"),
            ("198.51.100.7", "documentation"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "limited broadcast"),
            ("250.0.0.1", "reserved"),
            ("0.0.0.0", "this network"),
            ("::1", "loopback"),
            ("::", "unspecified"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("::ffff:8.8.8.8", "IPv4-mapped"),
            ("64:ff9b::10.0.0.1", "private use"),
            ("64:ff9b:1::1", "local-use translation"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
            ("2001:1::1", "IETF protocol assignments"),
            ("2001:db8::1", "documentation"),
            ("3fff:fff::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("fd00::1", "unique local"),
            ("fe80::1", "link local"),
            ("fec0::1", "outside global unicast"),
            ("ff02::1", "multicast"),
            ("4000::1", "outside global unicast"),
        ] {
            let found = block(address).unwrap_or("none");
            assert!(found.starts_with(name), "{address} is {found}, not {name}");
        }
    }

    #[test]
    fn ordinary_addresses_pass() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
        ] {
            assert_eq!(block(address), None, "{address}");
        }
    }

    #[test]
    fn networks_are_parsed_and_hold_what_they_should() {
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert!(network.contains("10.255.0.1".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        assert!(!network.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("8.8.8.8".parse().unwrap())
        );
        assert!(
            "::/0"
                .parse::<Network>()
                .unwrap()
                .contains("fd00::1".parse().unwrap())
        );
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "::1/129",
            "host/8",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?} was accepted");
        }
    }
}
