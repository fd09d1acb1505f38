//! What contact details must look like, by what they are for: rows of rules, as data.
//!
//! [`ContactDetails::check`](crate::contact_details::ContactDetails::check) holds details against them. The rows
//! of contact types are in [`contact_types`](crate::contact_types).

use crate::fields::Problem;
use crate::states::State;
use crate::telephones::{Digits, is_calling_code};
use crate::texts::{is_blank, is_misleading};

/// How long a text may be, in characters, and how many words it must have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TextRules {
    /// At most so many characters.
    pub max: usize,
    /// At least so many words.
    pub words: usize,
}

impl TextRules {
    /// At most so many characters.
    pub const fn up_to(max: usize) -> Self {
        Self { max, words: 1 }
    }

    /// The same with so many words at least.
    pub const fn with_words(self, words: usize) -> Self {
        Self { words, ..self }
    }

    /// What is wrong with a text.
    pub fn problem(self, text: &str) -> Option<Problem> {
        let Self { max, words } = self;
        if text.chars().count() > max {
            Some(Problem::Length { min: 1, max })
        } else if text.contains(is_misleading) || (is_blank(text) && !text.trim().is_empty()) {
            Some(Problem::Format)
        } else {
            let seen = text.split_whitespace().filter(|word| !is_blank(word));
            (seen.count() < words).then_some(Problem::Words(words))
        }
    }
}

/// What the name of a company is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CompanyRules {
    /// The text.
    pub text: TextRules,
    /// Whether there must be one.
    pub required: bool,
    /// What a person who stands for no company may say in its place, however few words it has.
    pub fillers: &'static [&'static str],
}

impl CompanyRules {
    /// Required, at most so many characters.
    pub const fn up_to(max: usize) -> Self {
        Self {
            text: TextRules::up_to(max),
            required: true,
            fillers: &[],
        }
    }
}

/// How a name is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameRules {
    /// In two parts, each of at most so many characters.
    Parts(usize),
    /// As one text.
    Whole(TextRules),
}

/// What a state or province is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateRules {
    /// Any text, required.
    Required(usize),
    /// Any text, if there is one.
    Optional(usize),
    /// One that [`state_of`](crate::states::state_of) finds in a list; kept as it is written there.
    OneOf(&'static [State]),
}

/// What a country is: always of ISO 3166-1 alpha-2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CountryRules {
    /// In either case.
    AnyCase,
    /// In capitals.
    Capitals,
    /// In capitals, and one of a list.
    OneOf(&'static [&'static str]),
}

/// How telephone numbers are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TelephoneRules {
    /// As one text, `+<code>.<number>`, of at most so many characters. Only the form is checked.
    Whole(usize),
    /// Calling code and number apart.
    Parts(PartRules),
}

/// How a telephone number is told in parts, its calling code apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PartRules {
    /// How many digits the number has.
    pub digits: Digits,
    /// Whether the calling code may be 0, where it is not known; else it is one in use.
    pub zero: bool,
}

impl PartRules {
    /// Those of a reseller's client.
    pub const CUSTOMER: Self = Self {
        digits: Digits(4, 12),
        zero: true,
    };

    /// Whether this is a calling code.
    pub fn has_code(self, code: &str) -> bool {
        is_calling_code(code) || self.zero && code == "0"
    }
}

/// How a postal code is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ZipRules {
    /// As any text of at most so many characters.
    Any(usize),
    /// In at most so many letters, digits, spaces, hyphens, points and slashes, as no country in particular has them.
    Plain(usize),
    /// As the country writes them, in at most so many characters.
    OfCountry(usize),
}

/// What details must look like that are for something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContactRules {
    /// The name of the person.
    pub name: NameRules,
    /// The name of the company.
    pub company: CompanyRules,
    /// Each line of the address, in characters.
    pub address: usize,
    /// The city, in characters.
    pub city: usize,
    /// The state or province.
    pub state: StateRules,
    /// The country.
    pub country: CountryRules,
    /// The postal code.
    pub zip: ZipRules,
    /// Telephone and fax.
    pub telephone: TelephoneRules,
}

impl ContactRules {
    /// Those of a person behind an order for a certificate. Reseller systems send calling codes that no
    /// numbering plan knows, and postal codes of any form; the contract accepts them.
    pub const CERTIFICATE: Self = Self {
        name: NameRules::Parts(60),
        company: CompanyRules::up_to(80),
        address: 128,
        city: 128,
        state: StateRules::Required(128),
        country: CountryRules::AnyCase,
        zip: ZipRules::Any(16),
        telephone: TelephoneRules::Whole(25),
    };

    /// Those of a reseller's client. A calling code that is not known is sent as 0, and of a postal code only length
    /// and characters count; everything else is as for the contact that is made of them.
    pub const CUSTOMER: Self = Self {
        name: NameRules::Whole(TextRules::up_to(255)),
        company: CompanyRules::up_to(255),
        address: 64,
        city: 64,
        state: StateRules::Required(64),
        country: CountryRules::Capitals,
        zip: ZipRules::Plain(10),
        telephone: TelephoneRules::Parts(PartRules::CUSTOMER),
    };

    /// Those of an organization, whose name stands in certificates.
    pub const fn organization(company_max: usize) -> Self {
        Self {
            company: CompanyRules::up_to(company_max),
            ..Self::CERTIFICATE
        }
    }
}
