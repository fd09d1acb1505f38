//! Names records and files belong to: host names, and names with underscore labels.

use std::fmt;

use hickory_proto::rr::Name;

use crate::errors::OteError;

/// A name in the DNS: lower case, letters, digits, hyphens and underscores.
///
/// It is kept as labels from the top down, so that names sort under their parents.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OwnerName(Vec<String>);

impl OwnerName {
    /// Reads a name in any case, perhaps with a final dot.
    pub fn parse(text: &str) -> Result<Self, OteError> {
        let refused = |why| Err(OteError::Refused(format!("'{text}' is not a name: {why}")));
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() || name.len() > 253 {
            return refused("a name has 1 to 253 characters");
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !name.split('.').all(is_label) {
            return refused("a label has 1 to 63 letters, digits, hyphens and underscores");
        }
        Ok(Self(name.rsplit('.').map(str::to_owned).collect()))
    }

    /// The name of a question; `None` where it holds bytes no record here can have.
    pub(crate) fn of(name: &Name) -> Option<Self> {
        let labels: Vec<&str> = name
            .iter()
            .map(str::from_utf8)
            .collect::<Result<_, _>>()
            .ok()?;
        // A dot inside a label would make two of it.
        if labels.iter().any(|label| label.contains('.')) {
            return None;
        }
        Self::parse(&labels.join(".")).ok()
    }

    /// Whether the name equals `zone` or lies below it.
    pub fn is_at_or_below(&self, zone: &Self) -> bool {
        self.0.starts_with(&zone.0)
    }

    /// Whether a host may bear the name: no label has an underscore.
    pub fn is_host(&self) -> bool {
        self.0.iter().all(|label| !label.contains('_'))
    }

    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn to_dns(&self) -> Name {
        Name::from_labels(self.0.iter().rev().map(String::as_bytes))
            .expect("invariant: an owner name is within the limits of the DNS")
    }
}

impl fmt::Display for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, label) in self.0.iter().rev().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            f.write_str(label)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> OwnerName {
        OwnerName::parse(text).unwrap()
    }

    #[test]
    fn names_are_normalized_and_know_their_parents() {
        assert_eq!(
            name("_DNSauth.Shop.TEST.").to_string(),
            "_dnsauth.shop.test"
        );
        assert!(name("a.shop.test").is_at_or_below(&name("shop.test")));
        assert!(name("shop.test").is_at_or_below(&name("shop.test")));
        assert!(!name("workshop.test").is_at_or_below(&name("shop.test")));
        assert!(name("shop.test").is_host());
        assert!(!name("_dnsauth.shop.test").is_host());
        assert!(!name("a._x.test").is_host());
    }

    #[test]
    fn bad_names_are_refused() {
        for text in ["", ".", "a..test", "*.test", "ü.test", "a b.test", "a/b"] {
            assert!(OwnerName::parse(text).is_err(), "{text:?} was accepted");
        }
        assert!(OwnerName::parse(&format!("{}.test", "a".repeat(64))).is_err());
    }

    proptest! {
        #[test]
        fn a_name_is_a_valid_dns_name(text in "[a-zA-Z0-9_.-]{0,80}") {
            if let Ok(name) = OwnerName::parse(&text) {
                prop_assert_eq!(OwnerName::of(&name.to_dns()), Some(name));
            }
        }
    }
}
