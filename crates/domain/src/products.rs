//! Products: what is sold, and what an order for it may ask.
//!
//! What a product's page tells of its rules and what an order is held against are the same functions here and in
//! [`crate::prices`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::authorizations::{Method, RecordType};
use crate::fields::{Field, FieldError, Problem};
use crate::money::Currency;
use crate::names::{DomainName, Reservation, World};
use crate::orders::NameCounts;
use crate::prices::TermPrice;
use crate::validity::ValidityRules;

/// How far the applicant is vetted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Validation {
    /// Control of the names only.
    Dv,
    /// The organization too.
    Ov,
    /// The organization by the Extended Validation guidelines.
    Ev,
}

impl Validation {
    /// `DV`, `OV` or `EV`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dv => "DV",
            Self::Ov => "OV",
            Self::Ev => "EV",
        }
    }
}

/// Years bought.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Term(pub u8);

impl Term {
    /// The longest that is sold.
    pub const LONGEST: Self = Self(10);

    /// So many years, if they can be sold.
    pub fn of(years: u8) -> Option<Self> {
        (1..=Self::LONGEST.0)
            .contains(&years)
            .then_some(Self(years))
    }
}

/// Which name comes along with a common name, for nothing, where a proof of the order covers it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Companion {
    /// The common name with `www.` before it or, where it begins with that, without it.
    Www,
    /// The name that a wildcard is below.
    Bare,
}

impl Companion {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Www => "www",
            Self::Bare => "bare",
        }
    }

    /// The name that comes along with a common name, if that is one a certificate may have.
    pub fn of(self, common_name: &DomainName) -> Option<DomainName> {
        let host = common_name.host_str();
        let text = match (self, common_name.is_wildcard()) {
            (Self::Www, false) => match host.strip_prefix("www.") {
                Some(bare) => bare.to_owned(),
                None => format!("www.{host}"),
            },
            (Self::Bare, true) => host.to_owned(),
            (Self::Www, true) | (Self::Bare, false) => return None,
        };
        let name = DomainName::parse(&text).ok()?;
        // Where the name itself is sold, its companion is: reserved for tests are both or neither.
        name_fault(&name, World::Tests).is_none().then_some(name)
    }
}

/// The refund window of a product that names none, in days.
pub const DEFAULT_REFUND_DAYS: u32 = 30;

/// How many days before the end of its term an order for a product can be renewed, where the product says nothing.
pub const DEFAULT_RENEWAL_DAYS: u32 = 90;

/// Something that can be ordered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Product {
    /// The key that orders name it by; lower case.
    pub key: String,
    /// The name people read.
    pub name: String,
    /// The brand or CA, for people.
    pub provider: String,
    /// How far the applicant is vetted.
    pub validation: Validation,
    /// Whether the common name must be a wildcard; if not, it must not be one.
    pub wildcard: bool,
    /// Whether further ordinary names may be asked for.
    pub further_names: bool,
    /// Whether further wildcard names may be asked for.
    pub further_wildcards: bool,
    /// Further ordinary names within the base price.
    pub included_names: u32,
    /// Further wildcard names within the base price.
    pub included_wildcards: u32,
    /// The greatest number of names, the common name among them.
    pub max_names: u32,
    /// Which name comes along for nothing.
    pub companion: Option<Companion>,
    /// How control of names may be shown.
    pub methods: Vec<Method>,
    /// What kind of record a DNS proof wants.
    pub record_type: RecordType,
    /// For so many days after its first certificate an order may be given back.
    pub refund_days: u32,
    /// So many days before the end of its term an order can be renewed for the first time.
    pub renewal_days: u32,
    pub(crate) prices: BTreeMap<(Currency, Term), TermPrice>,
}

impl Product {
    /// The catalogue's prices in a currency, shortest term first. What a reseller pays is in its
    /// [`crate::prices::PriceList`].
    pub(crate) fn catalogue_prices(
        &self,
        currency: Currency,
    ) -> impl Iterator<Item = (Term, TermPrice)> {
        let of_currency = self
            .prices
            .iter()
            .filter(move |((of, _), _)| *of == currency);
        of_currency.map(|((_, term), price)| (*term, *price))
    }

    /// The methods that can be chosen for the product at `now`: those it is sold with that are still in force
    /// and able to prove its common name.
    pub fn offered_methods(&self, rules: &ValidityRules, now: Timestamp) -> Vec<Method> {
        let is_offered = |method: &Method| {
            rules.is_in_force(*method, now) && (!self.wildcard || method.covers_subdomains())
        };
        self.methods.iter().copied().filter(is_offered).collect()
    }

    /// Whether further names of any kind may be asked for.
    pub fn takes_further(&self) -> bool {
        self.further_names || self.further_wildcards
    }

    /// The name that comes along with a common name.
    pub fn companion_of(&self, common_name: &DomainName) -> Option<DomainName> {
        self.companion?.of(common_name)
    }

    /// How many further names there are in a list that begins with the common name, without the one that is free.
    pub fn counts(&self, names: &[DomainName]) -> NameCounts {
        let free = names.first().and_then(|name| self.companion_of(name));
        NameCounts::of(names, free.as_ref())
    }

    /// How many names an order may have beside the common name.
    pub fn max_further_names(&self) -> u32 {
        self.max_names - 1
    }

    /// What an order for the product cannot do without.
    pub fn required_fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::Product,
            Field::Term,
            Field::Csr,
            Field::Method,
            Field::Administrator,
        ];
        if self.validation != Validation::Dv {
            fields.push(Field::Organization);
        }
        fields
    }

    /// Checks how many names are wanted beside the common name, ordinary ones and wildcards; reports all
    /// faults.
    pub fn check_counts(&self, names: u32, wildcards: u32) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if wildcards > 0 && !self.further_wildcards {
            let text = "this product takes no further wildcard names";
            errors.push(FieldError::invalid(Field::WildcardCount, text));
        }
        if names > 0 && !self.further_names {
            let text = "this product takes no further names";
            errors.push(FieldError::invalid(Field::NameCount, text));
        }
        if names.saturating_add(wildcards) > self.max_further_names() {
            let text = format!("this product takes at most {} names in all", self.max_names);
            errors.push(FieldError::invalid(Field::NameCount, text));
        }
        errors
    }

    /// Checks the names of an order against the product, common name first; reports all faults.
    /// Names for tests are sold in a test environment only.
    pub fn check_names(&self, names: &[DomainName], world: World) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if names
            .first()
            .is_some_and(|name| name.is_wildcard() != self.wildcard)
        {
            let text = if self.wildcard {
                "the common name must be a wildcard for this product"
            } else {
                "the common name must not be a wildcard for this product"
            };
            errors.push(FieldError::invalid(Field::Csr, text));
        }
        let NameCounts {
            names: ordinary,
            wildcards,
        } = self.counts(names);
        for mut error in self.check_counts(ordinary, wildcards) {
            error.field = Field::Names;
            errors.push(error);
        }
        for (at, name) in names.iter().enumerate() {
            let field = if at == 0 { Field::Csr } else { Field::Names };
            errors.extend(name_fault(name, world).map(|text| FieldError::invalid(field, text)));
        }
        errors
    }

    /// Checks that a method is among those offered at `now` and able to prove every one of the names.
    pub fn check_method(
        &self,
        method: Method,
        names: &[DomainName],
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Vec<FieldError> {
        let offered = self.offered_methods(rules, now);
        if !offered.contains(&method) {
            let words = offered
                .iter()
                .map(|method| method.as_str().to_owned())
                .collect();
            return vec![FieldError {
                field: Field::Method,
                problem: Problem::NotOneOf(words),
            }];
        }
        names
            .iter()
            .filter(|name| name.is_wildcard() && !method.covers_subdomains())
            .map(|name| {
                let text = format!("{name} is a wildcard and cannot be proved by a file");
                FieldError::invalid(Field::Method, text)
            })
            .collect()
    }
}

/// What keeps a name out of any certificate, as a sentence.
pub fn name_fault(name: &DomainName, world: World) -> Option<String> {
    match name.reservation() {
        Some(Reservation::Tests) if world == World::Tests => {}
        Some(reservation) => return Some(format!("{name} {}", reservation.what())),
        None => {}
    }
    (name.is_public_suffix())
        .then(|| format!("{name} is a public suffix, shared by many registrants"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::a_product;

    fn names(texts: &[&str]) -> Vec<DomainName> {
        texts
            .iter()
            .map(|text| DomainName::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn names_are_held_against_the_product() {
        let product = a_product();
        assert!(
            product
                .check_names(&names(&["shop.example", "*.shop.example"]), World::Tests)
                .is_empty()
        );
        let single = Product {
            further_names: false,
            further_wildcards: false,
            ..a_product()
        };
        assert_eq!(
            single
                .check_names(&names(&["shop.example", "www.shop.example"]), World::Tests)
                .len(),
            1
        );
        assert_eq!(
            product
                .check_names(&names(&["*.shop.example"]), World::Tests)
                .len(),
            1
        );
        assert_eq!(
            product
                .check_names(&names(&["shop.example", "*.co.uk"]), World::Tests)
                .len(),
            1
        );
        assert_eq!(
            product
                .check_names(&names(&["server.internal"]), World::Tests)
                .len(),
            1
        );
        let many: Vec<String> = (0..6).map(|n| format!("n{n}.shop.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(product.check_names(&names(&many), World::Tests).len(), 1);
    }

    #[test]
    fn names_that_are_set_aside_are_no_ones_to_buy() {
        let faults = |name: &str, world| a_product().check_names(&names(&[name]), world);
        for name in ["shop.test", "shop.example", "www.example.com"] {
            assert!(faults(name, World::Tests).is_empty(), "{name}");
            assert_eq!(faults(name, World::Public).len(), 1, "{name}");
        }
        for name in [
            "a.onion",
            "a.home.arpa",
            "1.e164.arpa",
            "1.10.in-addr.arpa",
            "a.local",
            "a.corp",
            "co.uk",
        ] {
            for world in [World::Tests, World::Public] {
                assert_eq!(faults(name, world).len(), 1, "{name}");
            }
        }
        assert!(faults("shop.com", World::Public).is_empty());
    }

    #[test]
    fn a_name_comes_along_where_the_trade_has_one() {
        let of = |companion: Companion, name: &str| {
            let along = companion.of(&names(&[name])[0]);
            along.map(String::from)
        };
        let is = |name: &str| Some(name.to_owned());
        assert_eq!(of(Companion::Www, "shop.example"), is("www.shop.example"));
        assert_eq!(of(Companion::Www, "www.shop.example"), is("shop.example"));
        assert_eq!(
            of(Companion::Www, "a.shop.example"),
            is("www.a.shop.example")
        );
        assert_eq!(
            of(Companion::Bare, "*.a.shop.example"),
            is("a.shop.example")
        );
        // Nobody has these.
        assert_eq!(of(Companion::Www, "www.co.uk"), None);
        assert_eq!(of(Companion::Www, "*.shop.example"), None);
        assert_eq!(of(Companion::Bare, "shop.example"), None);
    }

    #[test]
    fn what_comes_along_is_not_counted_where_it_is_asked_for() {
        let single = Product {
            further_names: false,
            further_wildcards: false,
            max_names: 1,
            companion: Some(Companion::Www),
            ..a_product()
        };
        let asked = names(&["shop.example", "www.shop.example"]);
        assert!(single.check_names(&asked, World::Tests).is_empty());
        assert_eq!(single.counts(&asked), NameCounts::default());
        let others = names(&["shop.example", "www.shop.example", "mail.shop.example"]);
        assert_eq!(single.counts(&others).names, 1);
        assert!(!single.check_names(&others, World::Tests).is_empty());
    }

    #[test]
    fn only_methods_that_can_succeed_are_offered() {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let offered = |product: &Product| product.offered_methods(&ValidityRules::default(), now);
        assert_eq!(offered(&a_product()), [Method::Dns, Method::File]);
        let wildcard = Product {
            wildcard: true,
            ..a_product()
        };
        assert_eq!(offered(&wildcard), [Method::Dns]);
        let faults = wildcard.check_method(
            Method::File,
            &names(&["*.shop.example"]),
            &ValidityRules::default(),
            now,
        );
        assert_eq!(faults[0].problem, Problem::NotOneOf(vec!["dns".to_owned()]));
    }

    #[test]
    fn a_file_cannot_prove_a_wildcard() {
        let product = a_product();
        let wildcard = names(&["shop.example", "*.shop.example"]);
        let faults = |method| {
            let now = "2026-11-22T00:00:00Z".parse().unwrap();
            product.check_method(method, &wildcard, &ValidityRules::default(), now)
        };
        assert_eq!(faults(Method::File).len(), 1);
        assert!(faults(Method::Dns).is_empty());
        assert_eq!(faults(Method::Email).len(), 1);
    }

    #[test]
    fn a_method_is_not_offered_after_its_last_day() {
        let product = Product {
            methods: vec![Method::Email, Method::Dns],
            ..a_product()
        };
        let faults = |now: &str| {
            let now = now.parse().unwrap();
            let names = names(&["shop.example"]);
            product.check_method(Method::Email, &names, &ValidityRules::default(), now)
        };
        assert!(faults("2028-03-14T23:59:59Z").is_empty());
        let only_dns = Problem::NotOneOf(vec!["dns".to_owned()]);
        assert_eq!(faults("2028-03-15T00:00:00Z")[0].problem, only_dns);
    }
}
