//! Customers: sign up, details, search, modify, delete.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chancery_app::CustomerFilter;
use chancery_domain::Timestamp;
use chancery_domain::customer_profiles::RawCustomer;
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::passwords::Password;
use chancery_domain::resellers::Reseller;
use chancery_domain::telephones::Telephone;

use crate::details;
use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::parameters::Parameters;
use crate::resellers::is_itself;
use crate::routes::{Answer, Call};
use crate::values::Value;

/// What customers have paid through us: nothing, for it is resellers who pay.
const RECEIPTS: &str = "0.0";

/// How many records a page may have.
pub(crate) const PAGE: RangeInclusive<i64> = 1..=500;

/// `customers/signup`
pub(crate) async fn sign_up(call: Call) -> Answer {
    let asked = profile(&call.parameters)?;
    let password = call.parameters.optional("passwd")?.map(Password::new);
    let customer = call.app.sign_up(&call.reseller, asked, password).await?;
    Ok(customer.id.0.into())
}

/// `customers/details`
pub(crate) async fn details(call: Call) -> Answer {
    let username = call.parameters.required("username")?;
    let customer = call
        .app
        .customer_of_username(&call.reseller, username)
        .await?;
    Ok(told(&customer, &call.reseller, call.app.now()).into())
}

/// `customers/details-by-id`
pub(crate) async fn details_by_id(call: Call) -> Answer {
    let customer = call.app.customer(&call.reseller, id(&call)?).await?;
    Ok(told(&customer, &call.reseller, call.app.now()).into())
}

/// `customers/search`
pub(crate) async fn search(call: Call) -> Answer {
    let Call {
        app,
        reseller,
        parameters,
    } = &call;
    let records = parameters.required_integer("no-of-records")?;
    let page = parameters.required_integer("page-no")?;
    if !PAGE.contains(&records) {
        return Err(Obstacle::Malformed("no-of-records"));
    }
    if page < 0 {
        return Err(Obstacle::Malformed("page-no"));
    }
    let skip = (page - 1).max(0).saturating_mul(records);
    let filter = filter(parameters, reseller)?;
    let limit = u32::try_from(records).map_err(|_| Obstacle::Malformed("no-of-records"))?;
    let page = app.search_customers(reseller, &filter, limit, skip).await?;
    let mut answer = Hashtable::new();
    answer.put("recsonpage", page.customers.len());
    answer.put("recsindb", page.total);
    for (at, customer) in page.customers.iter().enumerate() {
        answer.put_value((at + 1).to_string(), row(customer, reseller));
    }
    Ok(answer.into())
}

/// `customers/modify`
pub(crate) async fn modify(call: Call) -> Answer {
    let asked = profile(&call.parameters)?;
    call.app
        .change_customer(&call.reseller, id(&call)?, asked)
        .await?;
    Ok(true.into())
}

/// `customers/delete`
pub(crate) async fn delete(call: Call) -> Answer {
    call.app.delete_customer(&call.reseller, id(&call)?).await?;
    Ok(true.into())
}

/// Which customer a call is about.
pub(crate) fn id(call: &Call) -> Result<CustomerId, Obstacle> {
    let id = call.parameters.required_integer("customer-id")?;
    Ok(CustomerId(id))
}

/// Reads what a customer says of itself.
fn profile(parameters: &Parameters) -> Result<RawCustomer, Obstacle> {
    let text = |name: &str| {
        let text = parameters.optional(name)?;
        Ok::<_, Obstacle>(text.map(str::to_owned))
    };
    let calling_code = |name| details::calling_code(parameters, name);
    let is_agreed = |name| Ok::<_, Obstacle>(parameters.boolean(name)?.unwrap_or(false));
    Ok(RawCustomer {
        username: text("username")?,
        details: details::read(parameters)?,
        other_state: text("other-state")?,
        other_phone_code: calling_code("alt-phone-cc")?,
        other_phone: text("alt-phone")?,
        mobile_code: calling_code("mobile-cc")?,
        mobile: text("mobile")?,
        language: text("lang-pref")?,
        vat_id: text("vat-id")?,
        takes_text_messages: is_agreed("sms-consent")?,
        takes_advertising: is_agreed("marketing-email-consent")?,
    })
}

/// Reads which customers are wanted.
fn filter(parameters: &Parameters, reseller: &Reseller) -> Result<CustomerFilter, Obstacle> {
    let text = |name: &str| {
        let text = parameters.optional(name)?;
        Ok::<_, Obstacle>(text.map(str::to_owned))
    };
    let time = |name: &'static str| match parameters.integer(name)? {
        None => Ok(None),
        Some(seconds) => match Timestamp::from_second(seconds) {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(Obstacle::Malformed(name)),
        },
    };
    let ids = parameters.integers("customer-id")?;
    let mut ids = (!ids.is_empty()).then(|| ids.into_iter().map(CustomerId).collect());
    let resellers = parameters.integers("reseller-id")?;
    let is_itself = |number: &i64| is_itself(reseller, parameters, *number);
    let is_ours = resellers.is_empty() || resellers.iter().any(is_itself);
    if !is_ours || !are_nothing_within(parameters)? {
        ids = Some(BTreeSet::new());
    }
    let statuses = parameters.list("status")?;
    let is_asked = |status: &str| statuses.iter().any(|asked| asked == status);
    Ok(CustomerFilter {
        ids,
        username: text("username")?,
        company: text("company")?,
        name: text("name")?,
        city: text("city")?,
        state: text("state")?,
        with_living: statuses.is_empty() || is_asked(ACTIVE),
        with_deleted: is_asked(DELETED),
        created_from: time("creation-date-start")?,
        // All of its last second.
        created_until: time("creation-date-end")?
            .map(|time| time + chancery_domain::SignedDuration::from_micros(999_999)),
    })
}

/// Whether having paid nothing is within the receipts that are asked for.
fn are_nothing_within(parameters: &Parameters) -> Result<bool, Obstacle> {
    let amount = |name: &'static str| match parameters.optional(name)? {
        None => Ok(0.0),
        Some(text) => match text.trim().parse::<f64>() {
            Ok(amount) if amount.is_finite() => Ok(amount),
            _ => Err(Obstacle::Malformed(name)),
        },
    };
    Ok(amount("total-receipt-start")? <= 0.0 && amount("total-receipt-end")? >= 0.0)
}

const ACTIVE: &str = "Active";
const DELETED: &str = "Deleted";

fn status(customer: &Customer) -> &'static str {
    match customer.deleted_at {
        None => ACTIVE,
        Some(_) => DELETED,
    }
}

/// A customer in an answer. Of the one that is the reseller, nothing more than its name may be known.
pub(crate) fn told(customer: &Customer, reseller: &Reseller, now: Timestamp) -> Hashtable {
    let profile = customer.profile.as_ref();
    let details = profile.map(|profile| &profile.details);
    let username = profile.map_or("", |profile| profile.username.as_str());
    let mut map = Hashtable::new();
    map.put("customerid", customer.id);
    map.put("username", username);
    map.put("useremail", details.map_or("", |details| &details.email));
    let name = details.map(|details| details.name.full());
    map.put("name", name.as_deref().unwrap_or(&reseller.name));
    map.put(
        "company",
        details.map_or(&reseller.name, |details| &details.company),
    );
    map.put("address1", details.map_or("", |details| &details.address1));
    map.put_some(
        "address2",
        details.and_then(|details| details.address2.as_ref()),
    );
    map.put_some(
        "address3",
        details.and_then(|details| details.address3.as_ref()),
    );
    map.put("city", details.map_or("", |details| &details.city));
    map.put("state", details.map_or("", |details| &details.state));
    map.put("stateid", "0");
    let other_state = profile.and_then(|profile| profile.other_state.as_deref());
    map.put("other_state", other_state.unwrap_or_default());
    map.put("country", details.map_or("", |details| &details.country));
    map.put("zip", details.map_or("", |details| &details.zip));
    let phone = details.map(|details| &details.phone);
    map.put("telnocc", phone.map_or("", Telephone::code));
    map.put("telno", phone.map_or("", Telephone::number));
    put_more_phones(&mut map, customer);
    map.put("langpref", profile.map_or("", |profile| &profile.language));
    map.put("pin", "");
    map.put("resellerid", reseller.id);
    map.put("parentid", reseller.id);
    map.put("salescontactid", "0");
    map.put_value("salespersonshash", Hashtable::new());
    map.put("customerstatus", status(customer));
    map.put("creationdt", customer.created_at.as_second());
    map.put("totalreceipts", RECEIPTS);
    map.put("ispasswdexpired", customer.should_choose_password(now));
    map.put("twofactorauth_enabled", false);
    map.put("twofactorsmsauth_enabled", false);
    map.put("twofactorgoogleauth_enabled", false);
    map.put_value("isDominicanTaxConfiguredByParent", Value::Boolean(false));
    map
}

/// Fax, mobile and another telephone, as far as they are known.
fn put_more_phones(map: &mut Hashtable, customer: &Customer) {
    let Some(profile) = &customer.profile else {
        return;
    };
    for (code, number, phone) in [
        ("faxnocc", "faxno", &profile.details.fax),
        ("mobilenocc", "mobileno", &profile.mobile),
        ("alttelnocc", "alttelno", &profile.other_phone),
    ] {
        map.put_some(code, phone.as_ref().map(Telephone::code));
        map.put_some(number, phone.as_ref().map(Telephone::number));
    }
}

/// A customer in a list.
fn row(customer: &Customer, reseller: &Reseller) -> Hashtable {
    let profile = customer.profile.as_ref();
    let details = profile.map(|profile| &profile.details);
    let phone = details.map(|details| &details.phone);
    let name = details.map(|details| details.name.full());
    let code = phone.map_or(String::new(), |phone| format!("{:0>3}", phone.code()));
    let username = profile.map_or("", |profile| profile.username.as_str());
    let mut row = Hashtable::new();
    row.put("customer.customerid", customer.id);
    row.put("customer.username", username);
    row.put("customer.name", name.as_deref().unwrap_or(&reseller.name));
    row.put(
        "customer.company",
        details.map_or(&reseller.name, |details| &details.company),
    );
    row.put("customer.city", details.map_or("", |details| &details.city));
    row.put(
        "customer.country",
        details.map_or("", |details| &details.country),
    );
    row.put("customer.telnocc", code);
    row.put("customer.telno", phone.map_or("", Telephone::number));
    row.put("customer.customerstatus", status(customer));
    row.put("customer.totalreceipts", RECEIPTS);
    row.put("customer.resellerid", reseller.id);
    row.put("customer.websitecount", "0");
    row
}
