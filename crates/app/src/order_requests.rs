//! Holding an order against the rules, every field of it, before anything is decided.

use chancery_domain::Timestamp;
use chancery_domain::approvers::ApproverChoice;
use chancery_domain::authorizations::{Challenge, Method};
use chancery_domain::contacts::ContactId;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::issuances::{Issuance, NameControl};
use chancery_domain::money::Money;
use chancery_domain::names::{DomainName, World};
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::{Product, Term, name_fault};
use chancery_domain::resellers::Reseller;
use chancery_domain::validity::ValidityRules;
use chancery_pki::csr::Csr;

use crate::challenges::{Approvers, challenges};
use crate::{App, AppError};

/// An order as a dialect understood it: form is checked, content is not.
#[derive(Clone, Debug, Default)]
pub struct OrderRequest {
    /// The key of a product.
    pub product: Option<String>,
    /// Years.
    pub term: Option<i64>,
    /// The CSR, PEM. Its common name is the order's.
    pub csr: Option<String>,
    /// Further names; where none are given and the product takes some, those of the CSR.
    pub names: Option<Vec<String>>,
    /// The contact who administers the order.
    pub administrator: Option<ContactId>,
    /// The contact for technical matters; the administrator, where none is given.
    pub technical: Option<ContactId>,
    /// The contact for deliveries; must exist, and is not kept: certificates are delivered by download.
    pub shipment: Option<ContactId>,
    /// The vetted organization.
    pub organization: Option<String>,
    /// How control of the names is to be shown.
    pub method: Option<Method>,
    /// Who is to approve, for the email method.
    pub approvers: Vec<ApproverChoice>,
    /// The name that came along with the order that is renewed, where it was sent back.
    pub echoed: Option<DomainName>,
    /// What the order that is renewed asked for: its approvers stay where nobody else is chosen.
    pub before: Vec<NameControl>,
    /// Whether the platform may certify the key again when it replaces a certificate; as the reseller's settings
    /// have it, where nothing is said.
    pub reuse_key: Option<bool>,
    /// Whether what the reseller has proved ahead of any order serves it; not, where nothing is said.
    pub use_prevalidated: Option<bool>,
    /// A note.
    pub special_instruction: Option<String>,
    /// What the dialect found wrong already; reported together with what is found here.
    pub errors: Vec<FieldError>,
}

/// An order whose every field has passed.
pub(crate) struct CheckedOrder<'a> {
    pub(crate) product: &'a Product,
    pub(crate) term: Term,
    pub(crate) price: Money,
    pub(crate) csr: Csr,
    pub(crate) names: Vec<DomainName>,
    pub(crate) method: Method,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) reuse_key: Option<bool>,
    pub(crate) use_prevalidated: bool,
    pub(crate) administrator: ContactId,
    pub(crate) technical: ContactId,
    pub(crate) controls: Vec<NameControl>,
    pub(crate) echoed: Option<DomainName>,
    pub(crate) special_instruction: Option<String>,
}

impl App {
    /// Holds every field against the rules and reports all faults at once.
    pub(crate) async fn check_order(
        &self,
        reseller: &Reseller,
        asked: OrderRequest,
    ) -> Result<CheckedOrder<'_>, AppError> {
        let mut faults = Faults(asked.errors);
        let product = faults
            .required(Field::Product, asked.product)
            .and_then(|key| {
                let found = self.catalogue().product(&key);
                found.or_else(|| faults.add(Field::Product, Problem::Unknown(key)))
            });
        let years = faults.required(Field::Term, asked.term);
        let now = self.clock.now();
        let prices = match product {
            Some(product) => Some(self.price_list(reseller, product, now).await?),
            None => None,
        };
        let term = years
            .zip(prices.as_ref())
            .and_then(|(years, prices)| faults.keep(prices.check_term(years)));
        let csr = faults.required(Field::Csr, asked.csr).and_then(|text| {
            let parsed = Csr::parse(&text);
            faults.keep(parsed.map_err(|e| FieldError::invalid(Field::Csr, e.to_string())))
        });
        if let Some(csr) = &csr {
            faults.0.extend(self.key_fault(csr).await?);
        }
        let source = match asked.names {
            Some(_) => Field::Names,
            None => Field::Csr,
        };
        let names = csr.as_ref().and_then(|csr| {
            let of_csr = || product.map_or_else(Vec::new, |product| names_of(csr, product));
            faults.names(csr, &asked.names.unwrap_or_else(of_csr))
        });
        let method = faults.required(Field::Method, asked.method);
        if let (Some(product), Some(names)) = (product, &names) {
            let wrong = product.check_names(names, self.settings.world).into_iter();
            faults.0.extend(wrong.map(|error| match error.field {
                Field::Names => FieldError {
                    field: source,
                    ..error
                },
                _ => error,
            }));
            if let Some(method) = method {
                faults
                    .0
                    .extend(product.check_method(method, names, &self.rules, now));
            }
        }
        let needs = |field| move |product: &&Product| product.required_fields().contains(&field);
        let organization = match product.filter(needs(Field::Organization)) {
            Some(_) => {
                let named = faults.required(Field::Organization, asked.organization);
                self.check_organization(reseller, &mut faults, named)
                    .await?
            }
            // Nobody is named in the certificate.
            None => None,
        };
        let administrator = faults.required(Field::Administrator, asked.administrator);
        let technical = asked.technical.or(administrator);
        self.check_contacts(
            reseller,
            &mut faults,
            administrator,
            technical,
            asked.shipment,
        )
        .await?;

        let (Some(product), Some(prices), Some(term), Some(csr), Some(names), Some(method)) =
            (product, prices, term, csr, names, method)
        else {
            return Err(AppError::Invalid(faults.0));
        };
        let suffix = &self.settings.challenge_domain;
        let made = challenges(
            product.record_type,
            method,
            &names,
            Approvers {
                chosen: &asked.approvers,
                before: &asked.before,
            },
            suffix,
        );
        let made = made
            .map_err(|errors| faults.0.extend(errors))
            .unwrap_or_default();
        let (Some(administrator), Some(technical), true) =
            (administrator, technical, faults.0.is_empty())
        else {
            return Err(AppError::Invalid(faults.0));
        };
        let counts = product.counts(&names);
        let quote = prices.quote(term, counts.names, counts.wildcards)?;
        let controls = controls(&names, made);
        Ok(CheckedOrder {
            product,
            term,
            price: quote.total,
            csr,
            names,
            method,
            organization,
            reuse_key: asked.reuse_key,
            use_prevalidated: asked.use_prevalidated.unwrap_or(false),
            administrator,
            technical,
            controls,
            echoed: asked.echoed,
            special_instruction: asked.special_instruction,
        })
    }

    async fn check_organization(
        &self,
        reseller: &Reseller,
        faults: &mut Faults,
        named: Option<String>,
    ) -> Result<Option<OrganizationId>, AppError> {
        let Some(named) = named else { return Ok(None) };
        if let Ok(id) = named.trim().parse().map(OrganizationId)
            && self.store.organization(reseller.id, id).await?.is_some()
        {
            return Ok(Some(id));
        }
        Ok(faults.add(Field::Organization, Problem::Unknown(named)))
    }

    async fn check_contacts(
        &self,
        reseller: &Reseller,
        faults: &mut Faults,
        administrator: Option<ContactId>,
        technical: Option<ContactId>,
        shipment: Option<ContactId>,
    ) -> Result<(), AppError> {
        let asked = [
            (Field::Administrator, administrator),
            (Field::Technical, technical),
            (Field::Shipment, shipment),
        ];
        let ids: Vec<ContactId> = asked.iter().filter_map(|(_, id)| *id).collect();
        let Some(first) = ids.first().copied() else {
            return Ok(());
        };
        let at = |index: usize| ids.get(index).copied().unwrap_or(first);
        let found = self
            .store
            .contacts(reseller.id, [first, at(1), at(2)])
            .await?;
        for (field, id) in asked {
            let Some(id) = id else { continue };
            let is_repeat = field == Field::Technical && Some(id) == administrator;
            if !is_repeat && found.iter().all(|contact| contact.id != id) {
                faults.0.push(FieldError {
                    field,
                    problem: Problem::Unknown(id.to_string()),
                });
            }
        }
        Ok(())
    }
}

/// Each name with what is asked for it, nothing proved.
pub(crate) fn controls(names: &[DomainName], challenges: Vec<Challenge>) -> Vec<NameControl> {
    names
        .iter()
        .zip(challenges)
        .map(|(name, challenge)| NameControl {
            name: name.clone(),
            challenge,
            proof: None,
        })
        .collect()
}

/// The host names of a CSR that an order for a product is for, where it says nothing else: none where the product
/// takes no further names. What no certificate may have, such as the name of a machine, was never meant to be in one.
pub(crate) fn names_of(csr: &Csr, product: &Product) -> Vec<String> {
    let can_be_certified = |text: &&String| {
        DomainName::parse(text).is_ok_and(|name| name_fault(&name, World::Tests).is_none())
    };
    match product.takes_further() {
        true => csr
            .dns_names
            .iter()
            .filter(can_be_certified)
            .cloned()
            .collect(),
        false => Vec::new(),
    }
}

/// The names of a CSR that are neither among the names of a run nor the one that comes along with them; each once.
/// `companion` is that one, where the product has one, and `echoed` one that came along before and was sent back.
pub(crate) fn left_out(
    csr: &Csr,
    issuance: &Issuance,
    companion: Option<DomainName>,
    echoed: Option<&DomainName>,
    (rules, now): (&ValidityRules, Timestamp),
) -> Vec<String> {
    let names = issuance.covered();
    // Where the common name is still to be shown, by what it will be shown.
    let may_come = |companion: &DomainName| {
        let mut unproved = issuance.unproved();
        issuance.proof_covering(companion, rules, now).is_some()
            || unproved.any(|control| issuance.method.covers(&control.name, companion))
    };
    let companion = companion.filter(may_come);
    let mut left_out = Vec::new();
    let echoed = echoed.map(ToString::to_string);
    for text in (csr.dns_names.iter().chain(&csr.further_names)).chain(&echoed) {
        let told = match DomainName::parse(text) {
            Ok(name) if names.contains(&name) || companion.as_ref() == Some(&name) => continue,
            Ok(name) => name.to_string(),
            Err(_) => text.clone(),
        };
        if !left_out.contains(&told) {
            left_out.push(told);
        }
    }
    left_out
}

/// Collects what is wrong, one fault a field where one is enough.
pub(crate) struct Faults(pub(crate) Vec<FieldError>);

impl Faults {
    pub(crate) fn add<T>(&mut self, field: Field, problem: Problem) -> Option<T> {
        self.0.push(FieldError { field, problem });
        None
    }

    pub(crate) fn keep<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// The value; where it is missing and the dialect has not said why, that is a fault.
    pub(crate) fn required<T>(&mut self, field: Field, value: Option<T>) -> Option<T> {
        if value.is_none() && self.0.iter().all(|error| error.field != field) {
            self.0.push(FieldError::missing(field));
        }
        value
    }

    /// The names of an order: the CSR's common name (or its first SAN), then those asked for, each once.
    pub(crate) fn names(&mut self, csr: &Csr, further: &[String]) -> Option<Vec<DomainName>> {
        let Some(common_name) = csr
            .common_name
            .as_deref()
            .or_else(|| csr.dns_names.first().map(String::as_str))
        else {
            let text = "the CSR names neither a common name nor a host name";
            return self.keep(Err(FieldError::invalid(Field::Csr, text)));
        };
        let before = self.0.len();
        let parse = |field: Field, text: &str| {
            DomainName::parse(text)
                .map_err(|error| FieldError::invalid(field, format!("{text}: {error}")))
        };
        let mut names = Vec::with_capacity(1 + further.len());
        names.extend(self.keep(parse(Field::Csr, common_name)));
        for text in further {
            if let Some(name) = self.keep(parse(Field::Names, text))
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        (self.0.len() == before).then_some(names)
    }
}
