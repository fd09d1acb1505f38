//! Whom a certificate names: nobody for DV, and for OV and EV the order's organization, once it is vetted.

use chancery_domain::SignedDuration;
use chancery_domain::Timestamp;
use chancery_domain::checklists::VettingKind;
use chancery_domain::issuances::{Issuance, IssuanceState};
use chancery_domain::orders::Order;
use chancery_domain::organizations::{LegalFacts, is_placeholder};
use chancery_domain::registrations::{EntityCategory, Registration};
use chancery_domain::vetting::{Verdict, verdict};
use chancery_pki::identities::{self, BusinessCategory, Identity, Place};
use chancery_store::orders::OrderFile;

use crate::holds::HOLD_LOOK;
use crate::{App, AppError};

/// Whether a certificate may name the organization of its order today.
pub(crate) enum Naming {
    /// It may; or there is nobody to name.
    Ready(Option<Identity>),
    /// The organization is still to be vetted.
    Waiting,
    /// The organization was not found to be what it says.
    Rejected(String),
}

/// How long after a look at the vetting the next one is made by itself; decisions bring it forward.
const VETTING_LOOK: SignedDuration = SignedDuration::from_mins(10);

impl App {
    /// Whom a certificate of this run names, if it is signed at `now`. While nothing is signed, that is to be seen.
    pub(crate) async fn identity_for(
        &self,
        order: &Order,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<Naming, AppError> {
        if self.signing_hold().is_some() {
            return Ok(Naming::Waiting);
        }
        let Some((id, needed)) = order.organization.zip(order.vetting) else {
            return Ok(Naming::Ready(None));
        };
        let Some(organization) = self.store.organization(order.reseller, id).await? else {
            return Err(AppError::Internal(
                "the order's organization is not there".into(),
            ));
        };
        let cases = self.store.cases_of_organization(id).await?;
        let asked_at = issuance.created_at;
        let edition = organization.edition;
        Ok(
            match verdict(&cases, edition, needed, asked_at, &self.rules, now) {
                Verdict::Vetted(approval) => {
                    let registration = match needed {
                        VettingKind::Ov => None,
                        VettingKind::Ev => approval.registration.as_ref(),
                    };
                    match identity(&organization.facts(), needed, registration) {
                        Ok(identity) => Naming::Ready(Some(identity)),
                        Err(reason) => Naming::Rejected(reason),
                    }
                }
                Verdict::Pending | Verdict::Unknown => Naming::Waiting,
                Verdict::Rejected(reason) => Naming::Rejected(reason.to_owned()),
            },
        )
    }

    /// Whose decision a run waits for, where its organization is still to be vetted.
    pub(crate) async fn vetting_wait(
        &self,
        OrderFile {
            order, issuance, ..
        }: &OrderFile,
        now: Timestamp,
    ) -> Result<Option<String>, AppError> {
        let Some((id, needed)) = order.organization.zip(order.vetting) else {
            return Ok(None);
        };
        if issuance.state != IssuanceState::Validating || self.signing_hold().is_some() {
            return Ok(None);
        }
        Ok(match self.identity_for(order, issuance, now).await? {
            Naming::Waiting => {
                let kind = needed.as_str().to_uppercase();
                Some(format!("the {kind} validation of organization {id}"))
            }
            Naming::Ready(_) | Naming::Rejected(_) => None,
        })
    }

    /// When a run that cannot be signed yet is looked at again.
    pub(crate) fn next_naming(&self, now: Timestamp) -> Timestamp {
        match self.signing_hold() {
            Some(_) => now + HOLD_LOOK,
            None => now + VETTING_LOOK,
        }
    }

    /// Makes sure that somebody is at work on what an order waits for.
    pub(crate) async fn see_to_vetting(&self, order: &Order) -> Result<(), AppError> {
        let Some((id, needed)) = order.organization.zip(order.vetting) else {
            return Ok(());
        };
        self.ask_for_vetting(order.reseller, id, &[needed]).await
    }
}

/// What a certificate says of vetted facts, or why it cannot say it.
fn identity(
    facts: &LegalFacts,
    needed: VettingKind,
    registration: Option<&Registration>,
) -> Result<Identity, String> {
    let written = |text: &str| (!is_placeholder(text)).then(|| text.to_owned());
    let place = Place {
        country: facts.country.to_ascii_uppercase(),
        state: written(&facts.state),
        locality: written(&facts.city),
    };
    let made = match (needed, registration) {
        (VettingKind::Ov, _) => Identity::new(&facts.company, place),
        (VettingKind::Ev, Some(held)) => {
            let registration = identities::Registration {
                category: category(held.category),
                jurisdiction: Place {
                    country: held.country.clone(),
                    state: held.state.clone(),
                    locality: held.locality.clone(),
                },
                number: held.number.clone(),
            };
            Identity::extended(&facts.company, place, registration)
        }
        (VettingKind::Ev, None) => return Err("the registration is not on record".to_owned()),
    };
    made.map_err(|error| error.to_string())
}

fn category(category: EntityCategory) -> BusinessCategory {
    match category {
        EntityCategory::PrivateOrganization => BusinessCategory::PrivateOrganization,
        EntityCategory::GovernmentEntity => BusinessCategory::GovernmentEntity,
        EntityCategory::BusinessEntity => BusinessCategory::BusinessEntity,
        EntityCategory::NonCommercialEntity => BusinessCategory::NonCommercialEntity,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(company: &str, state: &str, city: &str) -> LegalFacts {
        LegalFacts {
            company: company.to_owned(),
            address1: "1 High Street".to_owned(),
            address2: None,
            city: city.to_owned(),
            state: state.to_owned(),
            country: "sg".to_owned(),
            zip: "571001".to_owned(),
        }
    }

    fn registration() -> Registration {
        let category = EntityCategory::GovernmentEntity;
        Registration::check(category, "SG", None, None, "T08GB0046G").unwrap()
    }

    #[test]
    fn the_registration_is_named_for_ev_alone() {
        let (shop, held) = (facts("Shop Ltd", "-", "Singapore"), registration());
        let ov = identity(&shop, VettingKind::Ov, Some(&held)).unwrap();
        assert!(!ov.is_extended());
        let ev = identity(&shop, VettingKind::Ev, Some(&held)).unwrap();
        assert!(ev.is_extended());
        assert!(identity(&shop, VettingKind::Ev, None).is_err());
    }

    proptest! {
        /// What passed the checks of an organization and of a registration can be written.
        #[test]
        fn what_was_checked_can_be_written(
            company in "\\PC{1,64}",
            state in "\\PC{1,128}",
            city in "\\PC{1,128}",
        ) {
            use chancery_domain::contact_details::RawContactDetails;
            use chancery_domain::organizations::Organization;
            let text = |text: &str| Some(text.to_owned());
            let told = Organization::check(RawContactDetails {
                company: Some(company),
                first_name: text("A"),
                last_name: text("B"),
                address1: text("1 High Street"),
                city: Some(city),
                state: Some(state),
                country: text("sg"),
                zip: text("571001"),
                phone: text("+65.1234567"),
                email: text("a@shop.example"),
                ..RawContactDetails::default()
            });
            if let Ok(details) = told {
                let facts = LegalFacts::of(&details);
                let made = identity(&facts, VettingKind::Ev, Some(&registration()));
                prop_assert!(made.is_ok(), "{made:?}");
            }
        }
    }
}
