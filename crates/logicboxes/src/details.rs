//! A person's details among parameters and in answers: contacts and customers have the same.

use chancery_domain::contact_details::{ContactDetails, RawContactDetails};

use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::parameters::Parameters;

/// Reads a person's details as they came in.
pub(crate) fn read(parameters: &Parameters) -> Result<RawContactDetails, Obstacle> {
    let text = |name: &str| {
        let text = parameters.optional(name)?;
        Ok::<_, Obstacle>(text.map(str::to_owned))
    };
    Ok(RawContactDetails {
        name: text("name")?,
        company: text("company")?,
        email: text("email")?,
        address1: text("address-line-1")?,
        address2: text("address-line-2")?,
        address3: text("address-line-3")?,
        city: text("city")?,
        state: text("state")?,
        country: text("country")?,
        zip: text("zipcode")?,
        phone_code: calling_code(parameters, "phone-cc")?,
        phone: text("phone")?,
        fax_code: calling_code(parameters, "fax-cc")?,
        fax: text("fax")?,
        ..RawContactDetails::default()
    })
}

/// Reads a calling code, which people write with a plus sign in front.
pub(crate) fn calling_code(
    parameters: &Parameters,
    name: &str,
) -> Result<Option<String>, Obstacle> {
    let text = parameters.optional(name)?.map(str::trim);
    Ok(text.map(|text| text.strip_prefix('+').unwrap_or(text).to_owned()))
}

/// Puts details into an answer, under their names with something before each.
pub(crate) fn put(table: &mut Hashtable, prefix: &'static str, details: &ContactDetails) {
    let texts = [
        ("name", details.name.full().into_owned()),
        ("company", details.company.clone()),
        ("emailaddr", details.email.clone()),
        ("telnocc", details.phone.code().to_owned()),
        ("telno", details.phone.number().to_owned()),
        ("address1", details.address1.clone()),
        ("city", details.city.clone()),
        ("country", details.country.to_ascii_uppercase()),
        ("zip", details.zip.clone()),
        ("state", details.state.clone()),
        ("address2", details.address2.clone().unwrap_or_default()),
        ("address3", details.address3.clone().unwrap_or_default()),
    ];
    for (key, text) in texts {
        put_filled(table, format!("{prefix}{key}"), &text);
    }
    if let Some(fax) = &details.fax {
        table.put(format!("{prefix}faxnocc"), fax.code());
        table.put(format!("{prefix}faxno"), fax.number());
    }
}

fn put_filled(table: &mut Hashtable, key: String, text: &str) {
    if !text.is_empty() {
        table.put(key, text);
    }
}
