//! Organizations: the legal entities that OV and EV certificates speak of.
//!
//! What is told of one is of two kinds. The *legal facts*, its name and address, are what vetting confirms
//! and certificates show; a change of them makes a new edition, for which nothing is vetted yet. The person
//! to ask may change freely.
//!
//! A reseller has an organization once: the same name and address are the same organization. Case and
//! spaces do not count; everything else does, a full stop at the end included.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contact_details::{ContactDetails, RawContactDetails};
use crate::contact_rules::ContactRules;
use crate::contacts::{ContactField, ContactId};
use crate::events::Actor;
use crate::fields::{Field, FieldError, Problem};
use crate::operators::OperatorName;
use crate::resellers::ResellerId;
use crate::texts::{is_blank, is_invisible, is_misleading};
use crate::vetting::CaseId;

crate::id! {
    /// The id of an [`Organization`].
    OrganizationId
}

/// A legal entity, as a reseller described it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Whose organization.
    pub reseller: ResellerId,
    /// Its name and address, and the person to ask.
    pub details: ContactDetails,
    /// The contact for technical matters.
    pub technical: Option<ContactId>,
    /// Which edition of its legal facts this is, from 1.
    pub edition: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// Counts the changes; the store saves a change only over the version it was read at.
    pub version: i64,
}

/// What vetting confirms and certificates show.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of ContactField")]
pub struct LegalFacts {
    pub company: String,
    pub address1: String,
    pub address2: Option<String>,
    pub city: String,
    pub state: String,
    pub country: String,
    pub zip: String,
}

/// The most characters of an organization's name that a certificate has room for (RFC 5280, A.1).
const COMPANY_MAX: usize = 64;

impl Organization {
    /// Checks all that is told of an organization and reports everything wrong at once.
    ///
    /// The rules are those of contacts, but for the name, which has to fit into a certificate, and for texts
    /// that stand for *nothing*, which no vetting could confirm.
    pub fn check(raw: RawContactDetails) -> Result<ContactDetails, Vec<FieldError>> {
        let facts = [
            (ContactField::Company, &raw.company, true),
            (ContactField::Address1, &raw.address1, true),
            (ContactField::Address2, &raw.address2, false),
            (ContactField::City, &raw.city, true),
            (ContactField::State, &raw.state, false),
            (ContactField::Zip, &raw.zip, false),
        ];
        // What no text may have is reported with the rest.
        let is_veiled = |text: &str| {
            text.contains(is_invisible) && !text.contains(is_misleading) && !is_blank(text)
        };
        let is_wrong = |(_, text, must_say): &(_, &Option<String>, bool)| {
            let text = text.as_deref().unwrap_or_default().trim();
            is_veiled(text) || *must_say && is_placeholder(text) && !text.is_empty()
        };
        let wrong = facts.into_iter().filter(is_wrong);
        let mut faults: Vec<FieldError> = wrong
            .map(|(part, ..)| FieldError {
                field: Field::OrganizationPart(part),
                problem: Problem::Format,
            })
            .collect();
        match ContactDetails::check(
            &ContactRules::organization(COMPANY_MAX),
            Field::OrganizationPart,
            raw,
        ) {
            Ok(details) if faults.is_empty() => Ok(details),
            Ok(_) => Err(faults),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
    }

    /// Takes new details. A changed legal fact makes a new edition (BR 4.2.1): what was vetted was another.
    pub fn update(
        self,
        details: ContactDetails,
        technical: Option<ContactId>,
        now: Timestamp,
    ) -> Self {
        let is_other = LegalFacts::of(&details) != self.facts();
        Self {
            edition: self.edition + i64::from(is_other),
            details,
            technical: technical.or(self.technical),
            modified_at: now,
            ..self
        }
    }

    /// What vetting confirms.
    pub fn facts(&self) -> LegalFacts {
        LegalFacts::of(&self.details)
    }
}

impl LegalFacts {
    /// The legal facts among the details.
    pub fn of(details: &ContactDetails) -> Self {
        Self {
            company: details.company.clone(),
            address1: details.address1.clone(),
            address2: details.address2.clone(),
            city: details.city.clone(),
            state: details.state.clone(),
            country: details.country.clone(),
            zip: details.zip.clone(),
        }
    }

    /// The text that two descriptions of one organization have in common.
    pub fn identity(&self) -> String {
        let address2 = self.address2.as_deref().unwrap_or_default();
        let parts = [
            &self.company[..],
            &self.address1,
            address2,
            &self.city,
            &self.state,
            &self.country,
            &self.zip,
        ];
        // No part has a control character, so no text can pass for the end of another.
        parts.map(folded).join("\u{1f}")
    }
}

/// What happened to an organization.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrganizationEventKind {
    /// It was created.
    Created,
    /// The person to ask was changed.
    ContactChanged,
    /// Its name or address was changed, and with it the edition.
    FactsChanged,
    /// A case was opened.
    CaseOpened,
    /// Evidence was put on record.
    EvidenceRecorded,
    /// A case was approved.
    CaseApproved,
    /// A case was rejected.
    CaseRejected,
    /// A case ended with its edition.
    CaseVoided,
}

impl OrganizationEventKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::ContactChanged,
        Self::FactsChanged,
        Self::CaseOpened,
        Self::EvidenceRecorded,
        Self::CaseApproved,
        Self::CaseRejected,
        Self::CaseVoided,
    ];

    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ContactChanged => "contact_changed",
            Self::FactsChanged => "facts_changed",
            Self::CaseOpened => "case_opened",
            Self::EvidenceRecorded => "evidence_recorded",
            Self::CaseApproved => "case_approved",
            Self::CaseRejected => "case_rejected",
            Self::CaseVoided => "case_voided",
        }
    }

    /// Reads [`OrganizationEventKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A line of an organization's history. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrganizationEvent {
    /// Its place in the history.
    pub id: i64,
    /// Of which organization.
    pub organization: OrganizationId,
    /// In which case, if in one.
    pub case: Option<CaseId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Which operator, if one.
    pub operator: Option<OperatorName>,
    /// What.
    pub kind: OrganizationEventKind,
    /// More, for people. Never a secret.
    pub detail: Option<String>,
}

/// A text without what does not count: case, and spaces beyond one between words.
pub fn folded(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// Whether a text only says that there is none (BR 7.1.2.7.4).
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let says_none = ["n/a", "na", "none", "null", "nil"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    says_none || !text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contact_details::PersonName;

    fn raw() -> RawContactDetails {
        let text = |text: &str| Some(text.to_owned());
        RawContactDetails {
            company: text("Example Ltd"),
            first_name: text("Åsa"),
            last_name: text("O'Neill"),
            address1: text("1 High Street"),
            address2: text("Floor 2"),
            city: text("Kuala Lumpur"),
            state: text("Selangor"),
            country: text("my"),
            zip: text("57100"),
            phone: text("+020.6506501"),
            email: text("legal@shop.example"),
            job_title: text("Engineer"),
            ..RawContactDetails::default()
        }
    }

    #[test]
    fn legal_facts_hide_nothing() {
        let faults = |change: &dyn Fn(&mut RawContactDetails)| {
            let mut changed = raw();
            change(&mut changed);
            Organization::check(changed).err().unwrap_or_default()
        };
        let fault = |part| FieldError {
            field: Field::OrganizationPart(part),
            problem: Problem::Format,
        };
        for hidden in [
            "Exam\u{200b}ple",
            "\u{202e}dtL",
            "A\u{ad}B",
            "A\u{feff}",
            "A\u{2028}B",
        ] {
            let text = Some(hidden.to_owned());
            let company = faults(&|raw| raw.company = text.clone());
            assert_eq!(company, [fault(ContactField::Company)], "{hidden:?}");
            let state = faults(&|raw| raw.state = text.clone());
            assert_eq!(state, [fault(ContactField::State)], "{hidden:?}");
            // Persons may be written as their scripts are, as long as that misleads nobody.
            let person = faults(&|raw| raw.last_name = text.clone());
            let is_refused = hidden.contains(is_misleading);
            assert_eq!(person.len(), usize::from(is_refused), "{hidden:?}");
        }
        let control = faults(&|raw| raw.company = Some("A\u{200b}\0".to_owned()));
        assert_eq!(control, [fault(ContactField::Company)]);
    }

    fn details() -> ContactDetails {
        Organization::check(raw()).unwrap()
    }

    fn an_organization() -> Organization {
        Organization {
            id: OrganizationId(8),
            reseller: ResellerId(2740),
            details: details(),
            technical: None,
            edition: 1,
            created_at: Timestamp::UNIX_EPOCH,
            modified_at: Timestamp::UNIX_EPOCH,
            version: 0,
        }
    }

    fn later() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn bea() -> PersonName {
        PersonName::Whole {
            name: "Bea".to_owned(),
        }
    }

    fn identity(change: impl FnOnce(&mut ContactDetails)) -> String {
        let mut changed = details();
        change(&mut changed);
        LegalFacts::of(&changed).identity()
    }

    #[test]
    fn case_and_spaces_make_no_other_organization() {
        let same = identity(|details| {
            details.company = "EXAMPLE  ltd".to_owned();
            details.address1 = "1 high\u{a0}Street".to_owned();
            details.country = "MY".to_owned();
        });
        assert_eq!(same, details_identity());
        assert_eq!(identity(|details| details.name = bea()), same);
    }

    fn details_identity() -> String {
        LegalFacts::of(&details()).identity()
    }

    #[test]
    fn a_point_or_comma_at_the_end_of_the_address_makes_another() {
        for end in [".", ","] {
            assert_ne!(
                identity(|details| details.address1.push_str(end)),
                details_identity()
            );
            let address2 = |details: &mut ContactDetails| {
                details.address2 = Some(format!("Floor 2{end}"));
            };
            assert_ne!(identity(address2), details_identity());
        }
        assert_ne!(
            identity(|details| details.company = "Example Lld".to_owned()),
            details_identity()
        );
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let moved = identity(|details| {
            details.address1 = "1 High Street Floor".to_owned();
            details.address2 = Some("2".to_owned());
        });
        assert_ne!(moved, details_identity());
    }

    #[test]
    fn only_a_changed_fact_makes_a_new_edition() {
        let person = ContactDetails {
            name: bea(),
            phone: "+60.1234567".parse().unwrap(),
            job_title: Some("CEO".to_owned()),
            ..details()
        };
        let organization = an_organization().update(person, Some(ContactId(7)), later());
        assert_eq!(organization.edition, 1);
        assert_eq!(organization.technical, Some(ContactId(7)));
        assert_eq!(organization.modified_at, later());
        let moved = ContactDetails {
            city: "Penang".to_owned(),
            ..details()
        };
        let organization = organization.update(moved, None, later());
        assert_eq!(organization.edition, 2);
        assert_eq!(organization.technical, Some(ContactId(7)));
    }

    #[test]
    fn a_name_has_to_fit_and_to_say_something() {
        let long = RawContactDetails {
            company: Some("é".repeat(65)),
            city: Some(" - ".to_owned()),
            address1: Some("N/A".to_owned()),
            email: None,
            ..raw()
        };
        let faults = Organization::check(long).unwrap_err();
        let of = |part| {
            let field = Field::OrganizationPart(part);
            faults.iter().find(|fault| fault.field == field)
        };
        assert_eq!(
            of(ContactField::Company).unwrap().problem,
            Problem::Length { min: 1, max: 64 }
        );
        assert_eq!(of(ContactField::City).unwrap().problem, Problem::Format);
        assert_eq!(of(ContactField::Address1).unwrap().problem, Problem::Format);
        assert_eq!(of(ContactField::Email).unwrap().problem, Problem::Missing);
        let fits = RawContactDetails {
            company: Some("é".repeat(64)),
            ..raw()
        };
        assert!(Organization::check(fits).is_ok());
    }

    #[test]
    fn no_state_is_said_in_many_words() {
        for text in ["-", ".", " ", "n/a", "None", "--"] {
            assert!(is_placeholder(text), "{text:?}");
        }
        for text in ["Selangor", "N", "北京", "1"] {
            assert!(!is_placeholder(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_edition_never_goes_back_and_counts_changes_of_facts(
            cities in prop::collection::vec("[ab]", 0..8),
        ) {
            let mut organization = an_organization();
            for city in cities {
                let before = organization.clone();
                let details = ContactDetails { city, ..details() };
                organization = organization.update(details, None, later());
                let grew = i64::from(before.facts() != organization.facts());
                prop_assert_eq!(organization.edition, before.edition + grew);
            }
        }

        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }
    }
}
