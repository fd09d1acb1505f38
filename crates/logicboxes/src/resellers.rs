//! `resellers/details`: what panels ask of the reseller they work for.

use chancery_domain::resellers::Reseller;

use crate::auth::USER_ID;
use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::parameters::Parameters;
use crate::routes::{Answer, Call};

/// Who is above a reseller: nobody that it could ask for.
const NO_PARENT: i64 = 0;

/// Whether a reseller means itself by this number: its own, or that of the credential it calls with, which is the only
/// one a panel was given.
pub(crate) fn is_itself(reseller: &Reseller, parameters: &Parameters, number: i64) -> bool {
    let own = parameters.integer(USER_ID).ok().flatten();
    number == reseller.id.0 || own == Some(number)
}

/// `resellers/details`: of the reseller itself, by whichever number it names itself.
pub(crate) async fn details(call: Call) -> Answer {
    let Call {
        reseller,
        parameters,
        ..
    } = &call;
    let asked = parameters.integer("reseller-id")?;
    let settings = &reseller.settings;
    if asked.is_some_and(|asked| !is_itself(reseller, parameters, asked)) {
        return Err(Obstacle::NotAllowed);
    }
    let company = settings.company.as_deref().unwrap_or(&reseller.name);
    let email = settings.notice_email.as_deref().unwrap_or_default();
    let currency = reseller.currency.as_str();
    let mut map = Hashtable::new();
    map.put("resellerid", reseller.id);
    map.put("parentid", NO_PARENT);
    map.put("username", email);
    map.put("useremail", email);
    map.put("name", &reseller.name);
    map.put("company", company);
    map.put("brandname", company);
    let url = settings.branding_url.as_deref();
    map.put("brandingurl", url.unwrap_or_default());
    map.put("resellerstatus", "Active");
    map.put("creationdt", reseller.created_at.as_second());
    map.put("sellingcurrencysymbol", currency);
    map.put("accountingcurrencysymbol", currency);
    map.put("parentsellingcurrencysymbol", currency);
    Ok(map.into())
}
