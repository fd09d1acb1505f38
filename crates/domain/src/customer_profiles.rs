//! What a customer says of itself, as it comes in, and what it must look like.
//!
//! A customer is told as a contact is, under [`ContactRules::CUSTOMER`]; its user name is its e-mail address.
//! Every fault is reported at once. Whether a user name is free is not known here.

use crate::contact_details::{ContactDetails, RawContactDetails, present};
use crate::contact_rules::{ContactRules, PartRules, TextRules};
use crate::contacts::ContactField;
use crate::customers::{CustomerField, CustomerProfile, Username};
use crate::fields::{Field, FieldError, Problem};
use crate::telephones::Telephone;

/// What is sent as the state where a country's states are in no list; the state is told beside it.
pub const NO_STATE: &str = "Not Applicable";

/// The longest name of a language, in characters: a tag of RFC 5646 for any in use.
const LANGUAGE: TextRules = TextRules::up_to(16);

/// A state that is told beside, in characters.
const OTHER_STATE: TextRules = TextRules::up_to(64);

/// A number for value added tax, in characters: with room for those of countries that write several.
const VAT_ID: TextRules = TextRules::up_to(32);

/// What a customer says of itself, nothing checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RawCustomer {
    /// The name it signs in with.
    pub username: Option<String>,
    /// Who and where. The e-mail address is the user name, whatever is here.
    pub details: RawContactDetails,
    /// State or province, where the country has no list of them.
    pub other_state: Option<String>,
    /// Calling code of another telephone.
    pub other_phone_code: Option<String>,
    /// Another telephone.
    pub other_phone: Option<String>,
    /// Calling code of a mobile telephone.
    pub mobile_code: Option<String>,
    /// A mobile telephone.
    pub mobile: Option<String>,
    /// The language it reads.
    pub language: Option<String>,
    /// Its number for value added tax.
    pub vat_id: Option<String>,
    /// Whether it agreed to text messages.
    pub takes_text_messages: bool,
    /// Whether it agreed to advertising by mail.
    pub takes_advertising: bool,
}

impl CustomerProfile {
    /// Checks every part and reports all that is wrong at once.
    pub fn check(raw: RawCustomer) -> Result<Self, Vec<FieldError>> {
        use CustomerField::{Language, Mobile, MobileCode, OtherPhone, OtherPhoneCode};
        let details = RawContactDetails {
            email: raw.username,
            ..raw.details
        };
        let details = ContactDetails::check(&ContactRules::CUSTOMER, field, details);
        let mut check = Check { faults: Vec::new() };
        let language = check.text(Language, raw.language, LANGUAGE);
        if language.is_none() {
            check.fault(Language, Problem::Missing);
        }
        let other_phone = [raw.other_phone_code, raw.other_phone];
        let other_phone = check.telephone([OtherPhoneCode, OtherPhone], other_phone);
        let mobile = check.telephone([MobileCode, Mobile], [raw.mobile_code, raw.mobile]);
        let other_state = check.text(CustomerField::OtherState, raw.other_state, OTHER_STATE);
        let vat_id = check.text(CustomerField::VatId, raw.vat_id, VAT_ID);
        let username = match &details {
            Ok(details) => Username::parse(&details.email),
            Err(_) => None,
        };
        match (details, username) {
            (Ok(details), Some(username)) if check.faults.is_empty() => Ok(Self {
                username,
                details,
                other_state,
                other_phone,
                mobile,
                language: language.unwrap_or_default(),
                vat_id,
                takes_text_messages: raw.takes_text_messages,
                takes_advertising: raw.takes_advertising,
            }),
            (Ok(_), Some(_)) => Err(check.faults),
            (Ok(_), None) => {
                check.fault(CustomerField::Username, Problem::Format);
                Err(check.faults)
            }
            (Err(mut faults), _) => {
                faults.append(&mut check.faults);
                Err(faults)
            }
        }
    }

    /// The details of the contact that the customer is.
    pub fn contact_details(&self) -> ContactDetails {
        let mut details = self.details.clone();
        if details.state == NO_STATE {
            details.state = self.other_state.clone().unwrap_or_default();
        }
        details
    }

    /// What of it differs from before, in words for people.
    pub fn changes_since(&self, before: &Self) -> Vec<&'static str> {
        let (now, was) = (&self.details, &before.details);
        let address = |details: &ContactDetails| {
            let ContactDetails {
                address1,
                address2,
                address3,
                ..
            } = details.clone();
            (address1, address2, address3)
        };
        let is_changed = [
            ("username", self.username != before.username),
            ("name", now.name != was.name),
            ("company", now.company != was.company),
            ("address", address(now) != address(was)),
            ("city", now.city != was.city),
            (
                "state",
                now.state != was.state || self.other_state != before.other_state,
            ),
            ("country", now.country != was.country),
            ("postal code", now.zip != was.zip),
            ("telephone", now.phone != was.phone),
            ("other telephone", self.other_phone != before.other_phone),
            ("mobile telephone", self.mobile != before.mobile),
            ("fax", now.fax != was.fax),
            ("language", self.language != before.language),
            ("VAT number", self.vat_id != before.vat_id),
            (
                "consent",
                self.takes_text_messages != before.takes_text_messages
                    || self.takes_advertising != before.takes_advertising,
            ),
        ];
        let changed = is_changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(name, _)| name).collect()
    }
}

/// What a part of the details is called: the e-mail address is sent as the user name.
fn field(part: ContactField) -> Field {
    match part {
        ContactField::Email => Field::CustomerPart(CustomerField::Username),
        other => Field::CustomerDetails(other),
    }
}

struct Check {
    faults: Vec<FieldError>,
}

impl Check {
    fn fault(&mut self, part: CustomerField, problem: Problem) {
        let field = Field::CustomerPart(part);
        self.faults.push(FieldError { field, problem });
    }

    fn text(
        &mut self,
        part: CustomerField,
        value: Option<String>,
        rules: TextRules,
    ) -> Option<String> {
        let text = present(value)?;
        if let Some(problem) = rules.problem(&text) {
            self.fault(part, problem);
        }
        Some(text)
    }

    /// A telephone without a number is none.
    fn telephone(
        &mut self,
        [of_code, of_number]: [CustomerField; 2],
        [code, number]: [Option<String>; 2],
    ) -> Option<Telephone> {
        const RULES: PartRules = PartRules::CUSTOMER;
        let number = present(number)?;
        let code = present(code).unwrap_or_default();
        if !RULES.has_code(&code) {
            self.fault(of_code, Problem::Format);
        }
        if !RULES.digits.has(&number) {
            self.fault(of_number, Problem::Format);
        }
        format!("+{code}.{number}").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawCustomer {
        let text = |text: &str| Some(text.to_owned());
        RawCustomer {
            username: text(" Ann@Shop.example "),
            details: RawContactDetails {
                name: text("Ann O'Neill"),
                company: text("Shop Ltd"),
                address1: text("1 High Street"),
                city: text("London"),
                state: text(NO_STATE),
                country: text("GB"),
                zip: text("SW1A 1AA"),
                phone_code: text("0"),
                phone: text("2079460000"),
                ..RawContactDetails::default()
            },
            other_state: text("Greater London"),
            language: text("en"),
            ..RawCustomer::default()
        }
    }

    fn fields(raw: RawCustomer) -> Vec<Field> {
        let faults = CustomerProfile::check(raw).unwrap_err();
        faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_calling_code_of_0_will_do() {
        let profile = CustomerProfile::check(raw()).unwrap();
        assert_eq!(profile.username.as_str(), "ann@shop.example");
        assert_eq!(profile.details.email, "Ann@Shop.example");
        assert_eq!(profile.details.phone.code(), "0");
        assert_eq!(profile.details.state, NO_STATE);
        assert_eq!(profile.contact_details().state, "Greater London");
        assert_eq!(profile.mobile, None);
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = |text: &str| Some(text.to_owned());
        let bad = RawCustomer {
            username: text("nobody"),
            details: RawContactDetails {
                phone: text("207 946"),
                zip: text("#1"),
                ..raw().details
            },
            mobile: text("12345"),
            other_phone_code: text("999"),
            other_phone: text("x"),
            language: None,
            vat_id: text(&"1".repeat(33)),
            ..raw()
        };
        use ContactField::{Phone, Zip};
        use CustomerField::{Language, MobileCode, OtherPhone, OtherPhoneCode, VatId};
        let parts = [Language, OtherPhoneCode, OtherPhone, MobileCode, VatId];
        let mut expected = vec![
            Field::CustomerDetails(Zip),
            Field::CustomerDetails(Phone),
            Field::CustomerPart(CustomerField::Username),
        ];
        expected.extend(parts.map(Field::CustomerPart));
        assert_eq!(fields(bad), expected);
        let nameless = RawCustomer {
            username: None,
            ..raw()
        };
        assert_eq!(
            fields(nameless)[0],
            Field::CustomerPart(CustomerField::Username)
        );
    }

    #[test]
    fn what_changed_is_told_without_its_values() {
        let before = CustomerProfile::check(raw()).unwrap();
        assert!(before.changes_since(&before).is_empty());
        let mut after = before.clone();
        after.details.city = "Leeds".to_owned();
        after.other_state = None;
        after.takes_advertising = true;
        assert_eq!(after.changes_since(&before), ["city", "state", "consent"]);
    }
}
