//! What has to be shown of an organization, and what may show it.
//!
//! One table says it all: for each kind of vetting its items in the order they are worked through, each with
//! the sources that count for it (BR 3.2.2.1, 3.2.5; EV Guidelines 3.2.2). A database of our own is no source
//! (BR 3.2.2.7), so there is no word for one.

use serde::{Deserialize, Serialize};

use crate::products::Validation;

/// How thoroughly an organization is vetted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VettingKind {
    /// For certificates that name an organization.
    Ov,
    /// For certificates under the EV Guidelines.
    Ev,
}

impl VettingKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ov, Self::Ev];

    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ov => "ov",
            Self::Ev => "ev",
        }
    }

    /// Reads [`VettingKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a product needs, if anything.
    pub fn of(validation: Validation) -> Option<Self> {
        match validation {
            Validation::Dv => None,
            Validation::Ov => Some(Self::Ov),
            Validation::Ev => Some(Self::Ev),
        }
    }

    /// Whether this serves where `needed` is needed: EV shows all that OV does, and more.
    pub fn serves(self, needed: Self) -> bool {
        self >= needed
    }

    /// The items to be shown, in the order they are worked through.
    pub fn checklist(self) -> impl Iterator<Item = &'static ChecklistRow> {
        CHECKLISTS.iter().filter(move |row| row.kind == self)
    }

    /// The row of an item, if the kind has it.
    pub fn row(self, item: ChecklistItem) -> Option<&'static ChecklistRow> {
        self.checklist().find(|row| row.item == item)
    }
}

/// Declares an enum with the word of each variant, both ways.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it, on record and on the command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads the word back.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Something to be shown of an organization.
    ChecklistItem {
        /// It exists in law, under this name, and is active.
        LegalExistence = "legal-existence",
        /// Under which number, where and as what it is registered.
        Registration = "registration",
        /// The address is where it exists or works.
        Address = "address",
        /// The address is a real place of business.
        PhysicalAddress = "physical-address",
        /// A telephone number or the like, from someone other than the applicant.
        Telephone = "telephone",
        /// It does business.
        OperationalExistence = "operational-existence",
        /// Who signs for it may do so.
        SignerAuthority = "signer-authority",
        /// Who approves its requests may do so.
        ApproverAuthority = "approver-authority",
        /// It wants this, asked over a channel that the applicant did not name.
        RequestConfirmation = "request-confirmation",
        /// Neither it nor its people are on a list of those not to be dealt with.
        DeniedLists = "denied-lists",
        /// Its name does not pass for a well-known one.
        NameRisk = "name-risk",
        /// All of it agrees, found by someone who collected none of it.
        CrossCheck = "cross-check",
    }
}

words! {
    /// Where a piece of evidence comes from.
    Source {
        /// The register of a government agency, looked up online.
        GovernmentRegister = "government-register",
        /// The registering agency, asked directly.
        Agency = "agency",
        /// A database that is independent and kept up to date.
        IndependentDatabase = "independent-database",
        /// A tax authority's database.
        TaxDatabase = "tax-database",
        /// A letter of a lawyer, a notary or an accountant whose licence was checked.
        Letter = "letter",
        /// Someone went there.
        SiteVisit = "site-visit",
        /// A call, or a message, over a channel verified before.
        Call = "call",
        /// A utility bill, a bank statement or the like.
        Document = "document",
        /// A search of lists or of names.
        Screening = "screening",
        /// The operator's own comparison of what is on record.
        Review = "review",
        /// Nobody: a test environment that approves by itself.
        TestEnvironment = "test-environment",
    }
}

/// One line of a checklist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChecklistRow {
    /// Of which kind of vetting.
    pub kind: VettingKind,
    /// What is to be shown.
    pub item: ChecklistItem,
    /// What that means, for the people who do it.
    pub asks: &'static str,
    /// What may show it.
    pub sources: &'static [Source],
}

impl ChecklistRow {
    /// Whether a source counts.
    pub fn takes(&self, source: Source) -> bool {
        self.sources.contains(&source)
    }
}

const fn row(
    kind: VettingKind,
    item: ChecklistItem,
    asks: &'static str,
    sources: &'static [Source],
) -> ChecklistRow {
    ChecklistRow {
        kind,
        item,
        asks,
        sources,
    }
}

#[rustfmt::skip]
const CHECKLISTS: &[ChecklistRow] = {
    use ChecklistItem::{
        Address, ApproverAuthority, CrossCheck, DeniedLists, LegalExistence, NameRisk,
        OperationalExistence, PhysicalAddress, Registration, RequestConfirmation, SignerAuthority,
        Telephone,
    };
    use Source::{
        Agency, Call, Document, GovernmentRegister, IndependentDatabase, Letter, Review, Screening,
        SiteVisit, TaxDatabase,
    };
    use VettingKind::{Ev, Ov};
    &[
        row(Ov, LegalExistence, "the organization exists under this name and is active",
            &[GovernmentRegister, Agency, IndependentDatabase, Letter, SiteVisit]),
        row(Ov, Address, "the address is where it exists or works",
            &[GovernmentRegister, Agency, IndependentDatabase, TaxDatabase, Letter, SiteVisit, Document]),
        row(Ov, Telephone, "a telephone number listed by someone other than the applicant",
            &[GovernmentRegister, Agency, IndependentDatabase, TaxDatabase, Letter, SiteVisit]),
        row(Ov, RequestConfirmation, "the organization confirms the request over that number or another verified channel",
            &[Call, Letter, SiteVisit]),

        row(Ev, LegalExistence, "the full legal name, registered and active, from the registering agency",
            &[GovernmentRegister, Agency, Letter]),
        row(Ev, Registration, "the registration number, the jurisdiction and the kind of entity",
            &[GovernmentRegister, Agency, Letter]),
        row(Ev, PhysicalAddress, "the address is a real place of business, no post box",
            &[GovernmentRegister, Agency, IndependentDatabase, TaxDatabase, Letter, SiteVisit]),
        row(Ev, Telephone, "a verified way to reach it, listed by someone other than the applicant",
            &[GovernmentRegister, Agency, IndependentDatabase, TaxDatabase, Letter, SiteVisit]),
        row(Ev, OperationalExistence, "three years on the register, a current entry in an independent database, or a bank or professional letter",
            &[GovernmentRegister, Agency, IndependentDatabase, TaxDatabase, Letter, Document]),
        row(Ev, SignerAuthority, "name, title and authority of the contract signer, confirmed by someone else",
            &[Call, Letter, GovernmentRegister, Agency]),
        row(Ev, ApproverAuthority, "name, title and authority of the certificate approver, confirmed by someone else",
            &[Call, Letter, GovernmentRegister, Agency]),
        row(Ev, RequestConfirmation, "signer and approver confirm agreement and request, reached the verified way",
            &[Call, Letter, SiteVisit]),
        row(Ev, DeniedLists, "organization, signer, approver and jurisdictions are on no denied list",
            &[Screening]),
        row(Ev, NameRisk, "the name mixes no scripts and passes for no high-risk name",
            &[Screening, Review]),
        row(Ev, CrossCheck, "discrepancies found and how they were resolved, by someone who collected nothing",
            &[Review]),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for item in ChecklistItem::ALL {
            assert_eq!(ChecklistItem::parse(item.as_str()), Some(*item));
        }
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(*source));
        }
        for kind in VettingKind::ALL {
            assert_eq!(VettingKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ChecklistItem::parse("passport"), None);
    }

    #[test]
    fn each_item_stands_once_in_a_list_and_can_be_shown() {
        for kind in VettingKind::ALL {
            for row in kind.checklist() {
                assert!(!row.sources.is_empty(), "{row:?}");
                let times = kind.checklist().filter(|other| other.item == row.item);
                assert_eq!(times.count(), 1, "{row:?}");
            }
        }
        for item in ChecklistItem::ALL {
            assert!(
                VettingKind::ALL
                    .iter()
                    .any(|kind| kind.row(*item).is_some())
            );
        }
    }

    #[test]
    fn a_bill_shows_an_address_and_nothing_else() {
        let bill = Source::Document;
        let takes = |kind: VettingKind, item| kind.row(item).is_some_and(|row| row.takes(bill));
        assert!(takes(VettingKind::Ov, ChecklistItem::Address));
        assert!(!takes(VettingKind::Ov, ChecklistItem::LegalExistence));
        assert!(!takes(VettingKind::Ev, ChecklistItem::PhysicalAddress));
    }

    #[test]
    fn ev_takes_its_facts_from_the_agency() {
        for item in [ChecklistItem::LegalExistence, ChecklistItem::Registration] {
            let row = VettingKind::Ev.row(item).unwrap();
            assert!(!row.takes(Source::IndependentDatabase));
        }
        assert!(VettingKind::Ev.serves(VettingKind::Ov));
        assert!(!VettingKind::Ov.serves(VettingKind::Ev));
    }
}
