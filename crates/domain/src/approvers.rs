//! Approvers: which addresses may answer for a name by mail, and who is asked for which name of an order.
//!
//! Only constructed addresses may answer (BR 3.2.2.4.4): five local parts, at the name or at a parent of it down
//! to the registered domain. Everyone who was chosen is written to, or refused; nobody is left out in silence.

use crate::authorizations::{Method, authorization_domains};
use crate::fields::{Field, FieldError, Problem};
use crate::names::DomainName;

/// The constructed local parts, in the order people are offered them (BR 3.2.2.4.4).
pub const APPROVER_LOCAL_PARTS: [&str; 5] = [
    "admin",
    "administrator",
    "hostmaster",
    "postmaster",
    "webmaster",
];

/// An address chosen to approve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApproverChoice {
    /// The name it is to answer for, or a parent of names; where none is given, the choice is for the name at its
    /// place, or else for every name that it may approve.
    pub name: Option<String>,
    /// The address; blank where nothing is said.
    pub address: String,
}

/// The addresses that may approve `name`: five local parts at each authorization domain name, the registered domain
/// first, where mailboxes are.
///
/// Aliases are left out: following them needs DNSSEC-validated answers (BR 3.2.2.4).
pub fn approver_addresses(name: &DomainName) -> Vec<String> {
    authorization_domains(name, Method::Email, &[])
        .iter()
        .rev()
        .flat_map(|domain| APPROVER_LOCAL_PARTS.map(|local| format!("{local}@{domain}")))
        .collect()
}

/// Whether an address may approve a name; the address as it is written to then.
pub fn approver_for(name: &DomainName, address: &str) -> Option<String> {
    let address = normalized(address);
    approver_addresses(name)
        .contains(&address)
        .then_some(address)
}

/// Who was chosen for each name, in their order; `None` for a name that nothing is said of.
///
/// Of choices that name a name, one for the name itself counts before one for a parent, and the nearest parent
/// first. Refused are: an address that may not approve a name it was chosen for, and a choice that no name is left
/// for.
pub fn chosen_approvers(
    names: &[DomainName],
    choices: &[ApproverChoice],
) -> Result<Vec<Option<String>>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let choices: Vec<Choice> = choices
        .iter()
        .enumerate()
        .filter_map(|(place, choice)| match Choice::read(place, choice) {
            Ok(choice) => Some(choice),
            Err(error) => {
                errors.push(error);
                None
            }
        })
        .collect();
    let mut chosen = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        chosen.push(choice_for(&choices, place, name).unwrap_or_else(|error| {
            if !errors.contains(&error) {
                errors.push(error);
            }
            None
        }));
    }
    for choice in choices.iter().filter(|choice| !choice.address.is_empty()) {
        let is_asked = chosen
            .iter()
            .flatten()
            .any(|asked| *asked == choice.address);
        if errors.is_empty() && !is_asked {
            errors.push(choice.left_over(names));
        }
    }
    match errors.is_empty() {
        true => Ok(chosen),
        false => Err(errors),
    }
}

struct Choice {
    place: usize,
    name: Option<DomainName>,
    /// In lower case, its host in ASCII.
    address: String,
}

impl Choice {
    fn read(place: usize, choice: &ApproverChoice) -> Result<Self, FieldError> {
        let named = choice.name.as_deref().map(str::trim);
        let name = named.filter(|text| !text.is_empty()).map(|text| {
            DomainName::parse(text)
                .map_err(|error| FieldError::invalid(Field::Approver, format!("{text}: {error}")))
        });
        Ok(Self {
            place,
            name: name.transpose()?,
            address: normalized(&choice.address),
        })
    }

    /// How far a name is from the one the choice names: 0 for itself, 1 for its wildcard or host, more for names
    /// further below; `None` if it is elsewhere, or nothing is said.
    fn distance(&self, name: &DomainName) -> Option<usize> {
        let named = self.name.as_ref().filter(|_| !self.address.is_empty())?;
        if named == name {
            return Some(0);
        }
        let labels = |name: &DomainName| name.host_str().split('.').count();
        name.is_at_or_below(&named.host())
            .then(|| 1 + labels(name) - labels(named))
    }

    /// Why no name is left for it.
    fn left_over(&self, names: &[DomainName]) -> FieldError {
        let address = &self.address;
        let text = match &self.name {
            Some(named) if names.iter().all(|name| self.distance(name).is_none()) => {
                format!("no name of the order is at or below {named}")
            }
            Some(named) => format!("{address}: other approvers are chosen for {named}"),
            None if names
                .iter()
                .all(|name| approver_for(name, address).is_none()) =>
            {
                let name = names.get(self.place).or_else(|| names.first());
                return FieldError {
                    field: Field::Approver,
                    problem: Problem::NotOneOf(name.map(approver_addresses).unwrap_or_default()),
                };
            }
            None => format!("{address}: other approvers are chosen for the names it may approve"),
        };
        FieldError::invalid(Field::Approver, text)
    }
}

/// An address in lower case, its host in ASCII where it is a host name.
fn normalized(address: &str) -> String {
    let address = address.trim().to_lowercase();
    match address
        .rsplit_once('@')
        .map(|(local, host)| (local, DomainName::parse(host)))
    {
        Some((local, Ok(host))) => format!("{local}@{host}"),
        _ => address,
    }
}

fn choice_for(
    choices: &[Choice],
    place: usize,
    name: &DomainName,
) -> Result<Option<String>, FieldError> {
    let near = |choice: &&Choice| choice.distance(name);
    let nearest = choices
        .iter()
        .filter(|choice| near(choice).is_some())
        .min_by_key(|choice| {
            let is_wildcard = choice.name.as_ref().is_some_and(DomainName::is_wildcard);
            (near(choice), is_wildcard)
        });
    if let Some(choice) = nearest {
        let allowed = approver_for(name, &choice.address);
        return allowed.map(Some).ok_or_else(|| FieldError {
            field: Field::Approver,
            problem: Problem::NotOneOf(approver_addresses(name)),
        });
    }
    let bare = || choices.iter().filter(|choice| choice.name.is_none());
    let at_its_place = bare().find(|choice| choice.place == place);
    if at_its_place.is_some_and(|choice| choice.address.is_empty()) {
        return Ok(None);
    }
    Ok(at_its_place
        .into_iter()
        .chain(bare())
        .find_map(|choice| approver_for(name, &choice.address)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(list: &[&str]) -> Vec<DomainName> {
        list.iter()
            .map(|text| DomainName::parse(text).unwrap())
            .collect()
    }

    fn bare(address: &str) -> ApproverChoice {
        ApproverChoice {
            name: None,
            address: address.to_owned(),
        }
    }

    fn named(name: &str, address: &str) -> ApproverChoice {
        ApproverChoice {
            name: Some(name.to_owned()),
            ..bare(address)
        }
    }

    fn told(list: &[&str], choices: &[ApproverChoice]) -> Vec<String> {
        let chosen = chosen_approvers(&names(list), choices).unwrap();
        let word = |address: Option<String>| address.unwrap_or_else(|| "-".to_owned());
        chosen.into_iter().map(word).collect()
    }

    #[test]
    fn the_registered_domain_comes_first() {
        let name = DomainName::parse("*.a.b.example.co.uk").unwrap();
        let list = approver_addresses(&name);
        assert_eq!(list.len(), 15);
        assert_eq!(list[0], "admin@example.co.uk");
        assert_eq!(list[14], "webmaster@a.b.example.co.uk");
        let suffix = DomainName::parse("*.co.uk").unwrap();
        assert!(approver_addresses(&suffix).is_empty());
    }

    #[test]
    fn an_approver_of_a_parent_serves_the_names_below() {
        let both = ["shop.example", "www.shop.example", "*.shop.example"];
        let admin = "admin@shop.example";
        assert_eq!(
            told(&["www.shop.example"], &[named("shop.example", admin)]),
            [admin]
        );
        assert_eq!(told(&both, &[named("shop.example", admin)]), [admin; 3]);
        let nearer = [
            named("shop.example", admin),
            named("www.shop.example", "webmaster@WWW.shop.example"),
        ];
        assert_eq!(
            told(&both, &nearer),
            [admin, "webmaster@www.shop.example", admin]
        );
        let wild = [
            named("*.shop.example", "hostmaster@shop.example"),
            named("shop.example", admin),
        ];
        assert_eq!(
            told(&both, &wild),
            [admin, admin, "hostmaster@shop.example"]
        );
    }

    #[test]
    fn bare_addresses_go_by_place_and_by_what_they_may_approve() {
        let three = ["shop.example", "www.shop.example", "kiosk.example"];
        let [shop, kiosk] = ["admin@shop.example", "admin@kiosk.example"];
        assert_eq!(told(&three, &[bare(shop)]), [shop, shop, "-"]);
        assert_eq!(
            told(&three, &[bare(kiosk), bare(shop)]),
            [shop, shop, kiosk]
        );
        let hostmaster = "hostmaster@shop.example";
        assert_eq!(
            told(&three, &[bare(shop), bare(hostmaster), bare(kiosk)]),
            [shop, hostmaster, kiosk]
        );
        // Blank: nothing is said of the name at that place.
        assert_eq!(
            told(&three, &[bare(" "), bare(hostmaster)]),
            ["-", hostmaster, "-"]
        );
        assert_eq!(
            told(&three, &[bare(""), named("shop.example", "")]),
            ["-"; 3]
        );
    }

    #[test]
    fn who_fits_no_name_is_refused() {
        let www = names(&["www.shop.example"]);
        for wrong in [
            bare("ann@shop.example"),
            bare("admin@other.example"),
            bare("admin"),
            named("other.example", "admin@other.example"),
            named("other.example", "admin@shop.example"),
            named("shop.example", "admin@other.example"),
            named("sub.www.shop.example", "admin@shop.example"),
            named("not a name", "admin@shop.example"),
        ] {
            let errors = chosen_approvers(&www, std::slice::from_ref(&wrong)).unwrap_err();
            assert_eq!(errors.len(), 1, "{wrong:?} {errors:?}");
            assert_eq!(errors[0].field, Field::Approver);
        }
        // Two for one name: one of them would never be asked.
        for two in [
            [bare("admin@shop.example"), bare("webmaster@shop.example")],
            [
                named("shop.example", "admin@shop.example"),
                named("www.shop.example", "webmaster@shop.example"),
            ],
        ] {
            assert_eq!(
                chosen_approvers(&www, &two).unwrap_err().len(),
                1,
                "{two:?}"
            );
        }
        let same = [bare("admin@shop.example"), bare("Admin@shop.example")];
        assert_eq!(chosen_approvers(&www, &same).unwrap().len(), 1);
    }

    fn a_choice() -> impl Strategy<Value = ApproverChoice> {
        let host = prop::sample::select(vec!["a.test", "b.a.test", "*.a.test", "c.test", ""]);
        let local = prop::sample::select(vec!["admin", "webmaster", "ann"]);
        (prop::option::of(host.clone()), local, host).prop_map(|(name, local, at)| ApproverChoice {
            name: name.map(str::to_owned),
            address: match at {
                "" => String::new(),
                at => format!("{local}@{at}"),
            },
        })
    }

    proptest! {
        /// Whatever is chosen: it is refused, or everyone is asked, and only about names they may approve.
        #[test]
        fn everyone_chosen_is_asked_or_refused(choices in prop::collection::vec(a_choice(), 0..4)) {
            let list = names(&["a.test", "b.a.test", "*.a.test"]);
            if let Ok(chosen) = chosen_approvers(&list, &choices) {
                for (name, address) in list.iter().zip(&chosen) {
                    if let Some(address) = address {
                        prop_assert!(approver_addresses(name).contains(address));
                    }
                }
                for choice in choices.iter().filter(|choice| !choice.address.is_empty()) {
                    let asked = |address: &String| address.eq_ignore_ascii_case(&choice.address);
                    prop_assert!(chosen.iter().flatten().any(asked), "{:?}", choice);
                }
            }
        }
    }
}
