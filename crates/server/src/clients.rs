//! Where a client is: at the other end of the connection, or where a trusted proxy there says it is.
//!
//! Anyone can send `X-Forwarded-For`. It counts only where a proxy that the operator trusts sent it, and then
//! only from its right end, where each proxy adds the address it was asked from: the client is the first from
//! the right that is no trusted proxy, and what stands to the left of it is the client's own invention.
//! `Forwarded` (RFC 7239) is not looked at: a proxy that adds to the one passes the other on as it came.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use chancery_domain::access::Networks;

/// Who is counted for one, by an address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Client {
    /// An address of IPv4.
    Address(u32),
    /// The network of 64 bits of an IPv6 address: the least that a subscriber has.
    Network64(u64),
    /// Its network of 48 bits: the most that a subscriber is likely to have (RFC 6177).
    Network48(u64),
}

impl Client {
    /// Who an address is.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => Self::Address(u32::from(four)),
            IpAddr::V6(six) => Self::Network64((six.to_bits() >> 64) as u64),
        }
    }

    /// Who an address may all be.
    pub(crate) fn all_of(address: IpAddr) -> impl Iterator<Item = Self> {
        let one = Self::of(address);
        let larger = match one {
            Self::Network64(bits) => Some(Self::Network48(bits >> 16)),
            Self::Address(_) | Self::Network48(_) => None,
        };
        std::iter::once(one).chain(larger)
    }

    /// A number that no other client has.
    pub(crate) fn number(self) -> u128 {
        match self {
            Self::Address(bits) => u128::from(bits),
            Self::Network64(bits) => 1 << 64 | u128::from(bits),
            Self::Network48(bits) => 2 << 64 | u128::from(bits),
        }
    }
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. A list that cannot be read from the right up to the client counts for nothing.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
        let Some(address) = address(hop) else {
            return peer;
        };
        client = address;
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

/// An address; some proxies add the port, and then put IPv6 addresses into brackets.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse().ok().map(|both: SocketAddr| both.ip());
    let plain: Option<IpAddr> = text.parse().ok();
    plain
        .or_else(with_port)
        .or_else(|| in_brackets().map(IpAddr::V6))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn seen(peer: &str, lines: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = Networks::parse(trusted).unwrap();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let list = ["203.0.113.7"];
        assert_eq!(seen("198.51.100.1", &list, ""), "198.51.100.1");
        assert_eq!(seen("198.51.100.1", &list, "10.0.0.0/8"), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &list, "10.0.0.0/8"), "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", &list, "10.0.0.0/8"), "203.0.113.7");
        assert_eq!(seen("::1", &list, "127.0.0.1, ::1"), "203.0.113.7");
        assert_eq!(seen("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
    }

    #[test]
    fn the_list_is_walked_from_the_right_past_trusted_proxies() {
        let of = |lines: &[&str]| seen("10.0.0.1", lines, "10.0.0.0/8, 2001:db8:1::/48");
        assert_eq!(of(&["1.1.1.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(of(&["1.1.1.1, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(of(&["1.1.1.1", "203.0.113.7,10.0.0.2"]), "203.0.113.7");
        assert_eq!(of(&["1.1.1.1, 203.0.113.7", "10.0.0.2"]), "203.0.113.7");
        assert_eq!(of(&["2001:db8::7, [2001:db8:1::2]:443"]), "2001:db8::7");
        assert_eq!(of(&["::ffff:203.0.113.7"]), "203.0.113.7");
        assert_eq!(of(&["203.0.113.7:50123"]), "203.0.113.7");
        assert_eq!(of(&["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(of(&["203.0.113.7, ,"]), "203.0.113.7");
        // A proxy that asks for itself.
        assert_eq!(of(&["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_cannot_be_read_counts_for_nothing() {
        for list in [
            "unknown",
            "203.0.113.7, unknown",
            "203.0.113.7, _hidden, 10.0.0.2",
            "203.0.113.7 10.0.0.2",
            "for=203.0.113.7",
            "203.0.113.07",
            "[203.0.113.7]",
            "\"203.0.113.7\"",
        ] {
            assert_eq!(
                seen("10.0.0.1", &[list], "10.0.0.0/8"),
                "10.0.0.1",
                "{list}"
            );
        }
        assert_eq!(
            seen("10.0.0.1", &["unknown, 203.0.113.7"], "10.0.0.0/8"),
            "203.0.113.7"
        );
    }

    /// What a client may put into a header: its own lines, each any bytes that HTTP lets through.
    fn inventions() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let word = prop_oneof![
            Just(b"10.0.0.9".to_vec()),
            Just(b"192.0.2.1".to_vec()),
            Just(b",".to_vec()),
            prop::collection::vec(any::<u8>(), 0..8),
        ];
        let line = prop::collection::vec(word, 0..5).prop_map(|words| words.concat());
        prop::collection::vec(line, 0..4)
    }

    fn headers(lines: &[Vec<u8>]) -> HeaderMap {
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line));
        values
            .filter_map(Result::ok)
            .map(|value| (FORWARDED_FOR, value))
            .collect()
    }

    proptest! {
        /// Whatever it sends, whether the proxy adds to its last line or a line of its own.
        #[test]
        fn a_client_behind_a_trusted_proxy_cannot_move(
            lines in inventions(), adds_a_line in any::<bool>(), hops in 0_usize..3,
        ) {
            let trusted = Networks::parse("10.0.0.0/8").unwrap();
            let mut lines = lines;
            let mut added = b"203.0.113.7".to_vec();
            for hop in 0..hops {
                added.extend_from_slice(format!(", 10.0.1.{hop}").as_bytes());
            }
            let mut sent = headers(&lines);
            match (adds_a_line, lines.pop()) {
                (false, Some(last)) if HeaderValue::from_bytes(&last).is_ok() => {
                    sent = headers(&lines);
                    let line = [last, added].join(&b", "[..]);
                    sent.append(FORWARDED_FOR, HeaderValue::from_bytes(&line).unwrap());
                }
                _ => {
                    sent.append(FORWARDED_FOR, HeaderValue::from_bytes(&added).unwrap());
                }
            }
            let client = client_address("10.0.0.1".parse().unwrap(), &sent, &trusted);
            prop_assert_eq!(client.to_string(), "203.0.113.7");
        }

        #[test]
        fn a_client_without_a_trusted_proxy_is_where_it_is(
            lines in inventions(), bits in any::<u32>(),
        ) {
            let peer = IpAddr::from(std::net::Ipv4Addr::from(bits));
            let trusted = Networks::parse("10.0.0.0/8").unwrap();
            prop_assume!(!trusted.contains(peer));
            prop_assert_eq!(client_address(peer, &headers(&lines), &trusted), peer);
        }
    }
}
