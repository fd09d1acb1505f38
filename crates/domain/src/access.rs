//! What a credential may do, and from where.
//!
//! Addresses are compared in their canonical form: an IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) is the
//! IPv4 address it stands for, in a list as on the wire.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// What a credential may be used for. Each scope includes those before it.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Looking at things, and downloading them.
    Read,
    /// Changing what costs nothing: contacts, organizations, and the orders that are there.
    Orders,
    /// Spending from the balance, too.
    #[default]
    Money,
}

impl Scope {
    /// All scopes, the smallest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Orders, Self::Money];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Orders => "orders",
            Self::Money => "money",
        }
    }

    /// The scope of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Whether what needs `needed` may be done.
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An address, or a range of them: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// Why a text names no network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// It is neither an address nor a range.
    #[error("{0:?} is neither an address nor a range such as 203.0.113.0/24")]
    Form(String),
    /// The address of a range is not its first one, so that either may be meant.
    #[error("{given} is not the beginning of a range: write {whole} or {single}")]
    InTheMiddle {
        /// What was given.
        given: String,
        /// The range it lies in.
        whole: Network,
        /// The address alone.
        single: IpAddr,
    },
}

/// In IPv6, the length of what stands before a mapped IPv4 address.
const MAPPED_PREFIX: u8 = 96;

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether it is all of IPv4 or all of IPv6.
    pub fn is_everything(&self) -> bool {
        self.0.prefix_len() == 0
    }

    fn canonical(net: IpNet) -> IpNet {
        let IpNet::V6(six) = net else { return net };
        let four = six.addr().to_ipv4_mapped();
        let length = six.prefix_len().checked_sub(MAPPED_PREFIX);
        four.zip(length)
            .and_then(|(four, length)| Ipv4Net::new(four, length).ok())
            .map_or(net, IpNet::V4)
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let given: IpNet = text
            .parse()
            .map_err(|_| NetworkError::Form(text.to_owned()))?;
        let net = Self::canonical(given);
        if net != net.trunc() {
            return Err(NetworkError::InTheMiddle {
                given: text.to_owned(),
                whole: Self(net.trunc()),
                single: net.addr(),
            });
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// Some networks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Reads networks with commas between; a blank text names none.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let words = text.split(',').map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .map(str::parse)
            .collect::<Result<Vec<Network>, _>>()
            .map(Self::from_iter)
    }

    /// Whether one of them has the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }
}

/// In order, each once.
impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let mut networks: Vec<Network> = networks.into_iter().collect();
        networks.sort();
        networks.dedup();
        Self(networks)
    }
}

/// What a credential may do, and from where. By default everything, from everywhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// What it may be used for.
    pub scope: Scope,
    /// From where; none means everywhere.
    pub allowed: Networks,
}

impl Access {
    /// Whether it may be used from this address.
    pub fn is_open_to(&self, address: IpAddr) -> bool {
        self.allowed.is_empty() || self.allowed.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_scope_includes_those_before_it() {
        for (at, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            for (other, needed) in Scope::ALL.into_iter().enumerate() {
                assert_eq!(scope.includes(needed), other <= at);
            }
        }
        assert_eq!(Scope::default(), Scope::Money);
        assert_eq!(Scope::parse("everything"), None);
    }

    #[test]
    fn networks_are_told_in_one_form() {
        for (given, told) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7/32 ", "203.0.113.7"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ] {
            assert_eq!(network(given).to_string(), told);
        }
        for wrong in [
            "",
            "example.com",
            "203.0.113",
            "203.0.113.0/33",
            "203.0.113.0-9",
            "2001:db8::1%eth0",
        ] {
            let refused = wrong.parse::<Network>();
            assert!(matches!(refused, Err(NetworkError::Form(_))), "{wrong}");
        }
        let refused = "203.0.113.7/24".parse::<Network>().unwrap_err();
        let said = refused.to_string();
        assert!(
            said.ends_with("write 203.0.113.0/24 or 203.0.113.7"),
            "{said}"
        );
    }

    #[test]
    fn a_mapped_address_is_the_one_it_stands_for() {
        for list in ["203.0.113.0/24", "::ffff:203.0.113.0/120"] {
            for text in ["203.0.113.7", "::ffff:203.0.113.7"] {
                assert!(network(list).contains(address(text)), "{list} {text}");
            }
            assert!(!network(list).contains(address("::ffff:203.0.114.7")));
        }
        for (text, is_everything) in [("0.0.0.0/0", true), ("::/0", true), ("0.0.0.0/1", false)] {
            assert_eq!(network(text).is_everything(), is_everything);
        }
        assert!(!network("::/0").contains(address("203.0.113.7")));
        assert!(!network("0.0.0.0/0").contains(address("2001:db8::1")));
    }

    #[test]
    fn no_list_is_everywhere_and_any_list_is_only_there() {
        let open = Access::default();
        let allowed = Networks::parse("203.0.113.7, 2001:db8::/32,").unwrap();
        let closed = Access {
            allowed,
            ..Access::default()
        };
        for (text, is_listed) in [
            ("203.0.113.7", true),
            ("203.0.113.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert!(open.is_open_to(address(text)));
            assert_eq!(closed.is_open_to(address(text)), is_listed, "{text}");
        }
        assert!(Networks::parse(" , ").unwrap().is_empty());
        assert!(Networks::parse("203.0.113.7, everywhere").is_err());
    }

    proptest! {
        #[test]
        fn a_range_holds_what_shares_its_first_bits(
            bits in any::<u32>(), other in any::<u32>(), length in 0_u32..=32,
        ) {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let first = std::net::Ipv4Addr::from(bits & mask);
            let range = network(&format!("{first}/{length}"));
            let address = IpAddr::from(std::net::Ipv4Addr::from(other));
            prop_assert_eq!(range.contains(address), other & mask == bits & mask);
        }

        #[test]
        fn what_is_told_is_read_again(bits in any::<u128>(), length in 0_u8..=128) {
            let net = IpNet::new(IpAddr::from(std::net::Ipv6Addr::from(bits)), length).unwrap();
            let given = network(&net.trunc().to_string());
            prop_assert_eq!(network(&given.to_string()), given);
            let json = toml::Value::try_from(given).unwrap();
            prop_assert_eq!(json.try_into::<Network>().unwrap(), given);
        }
    }
}
