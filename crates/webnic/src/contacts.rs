//! Contacts: create, look up, delete.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use chancery_app::{App, NewContact};
use chancery_domain::contact_details::{ContactDetails, RawContactDetails};
use chancery_domain::contact_rules::ContactRules;
use chancery_domain::contacts::{Contact, ContactField, ContactId, Role};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::telephones::Telephone;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::auth::Caller;
use crate::body::{Body, FromMembers, Members, path_segment, text};
use crate::envelope::Envelope;
use crate::errors::{Obstacle, WebnicError};
use crate::query::Query;
use crate::routes::Wire;
use crate::scalars::{ContactMoment, ContactNumber, parse_contact_number};
use crate::words::{BAD_CONTACT_ID, Fault, contact_member, role_name};

/// Contacts to be created, the administrator first.
pub(crate) struct CreateContacts(Vec<(Role, ContactDetails)>);

impl FromMembers for CreateContacts {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let mut contacts = Vec::new();
        let mut faults = Vec::new();
        for role in [Role::Administrator, Role::Technical] {
            match body.take_value(role_name(role)) {
                None => {}
                Some(Value::Object(members)) => match details(role, members.into()) {
                    Ok(details) => contacts.push((role, details)),
                    Err(more) => faults.extend(more),
                },
                Some(_) => faults.push(FieldError {
                    field: Field::Person(role),
                    problem: Problem::Type("an object"),
                }),
            }
        }
        if contacts.is_empty() && faults.is_empty() {
            faults.push(FieldError::missing(Field::Person(Role::Administrator)));
        }
        if faults.is_empty() {
            Ok(Self(contacts))
        } else {
            Err(faults.into())
        }
    }
}

fn details(role: Role, members: Members) -> Result<ContactDetails, Vec<FieldError>> {
    let field = |part| Field::Contact(role, part);
    read_details(members, field, |raw| {
        ContactDetails::check(&ContactRules::CERTIFICATE, field, raw)
    })
}

/// Reads the parts of a person or an organization and has them checked; ill-typed ones count as reported
/// already.
pub(crate) fn read_details(
    mut members: Members,
    field: impl Fn(ContactField) -> Field,
    check: impl FnOnce(RawContactDetails) -> Result<ContactDetails, Vec<FieldError>>,
) -> Result<ContactDetails, Vec<FieldError>> {
    let mut ill_typed = Vec::new();
    let mut part = |part| {
        let value = members.take_value(contact_member(part))?;
        let field = field(part);
        text(value)
            .map_err(|problem| ill_typed.push(FieldError { field, problem }))
            .ok()
    };
    let raw = RawContactDetails {
        company: part(ContactField::Company),
        first_name: part(ContactField::FirstName),
        last_name: part(ContactField::LastName),
        address1: part(ContactField::Address1),
        address2: part(ContactField::Address2),
        city: part(ContactField::City),
        state: part(ContactField::State),
        country: part(ContactField::Country),
        zip: part(ContactField::Zip),
        phone: part(ContactField::Phone),
        fax: part(ContactField::Fax),
        email: part(ContactField::Email),
        job_title: part(ContactField::JobTitle),
        ..RawContactDetails::default()
    };
    match check(raw) {
        Ok(details) if ill_typed.is_empty() => Ok(details),
        Ok(_) => Err(ill_typed),
        Err(mut faults) => {
            faults.retain(|fault| ill_typed.iter().all(|other| other.field != fault.field));
            ill_typed.extend(faults);
            Err(ill_typed)
        }
    }
}

/// The contact a request is about, by its path or by `?contactId=`.
pub(crate) struct ContactPath(ContactId);

impl FromRequestParts<Wire> for ContactPath {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let text = match path_segment(parts, wire, "contactId").await {
            Some(text) => text,
            None => {
                let Ok(query) = Query::from_request_parts(parts, wire).await;
                query.word("contactId").ok_or_else(|| {
                    Obstacle::Faults(vec![Fault::missing_parameter("contactId".into())])
                })?
            }
        };
        let number = parse_contact_number(&text);
        Ok(Self(number.ok_or_else(|| {
            Obstacle::Refused(BAD_CONTACT_ID.to_owned())
        })?))
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Contact")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContactView<'a> {
    contact_id: ContactNumber,
    resid: i64,
    details: DetailsView<'a>,
    #[schemars(extend("enum" = ["administrator", "technical"]))]
    contact_type: &'static str,
    dtcreate: ContactMoment,
    dtmodify: ContactMoment,
}

/// All thirteen keys, always, in this order.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Details")]
#[serde(rename_all = "camelCase")]
pub(crate) struct DetailsView<'a> {
    company: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    address1: &'a str,
    address2: Option<&'a str>,
    city: &'a str,
    state: &'a str,
    country_code: &'a str,
    zip: &'a str,
    #[schemars(with = "String")]
    phone_number: &'a Telephone,
    #[schemars(with = "Option<String>")]
    fax_number: Option<&'a Telephone>,
    email: &'a str,
    job_title: Option<&'a str>,
}

impl<'a> DetailsView<'a> {
    pub(crate) fn of(details: &'a ContactDetails) -> Self {
        Self {
            company: &details.company,
            first_name: details.name.first(),
            last_name: details.name.last(),
            address1: &details.address1,
            address2: details.address2.as_deref(),
            city: &details.city,
            state: &details.state,
            country_code: &details.country,
            zip: &details.zip,
            phone_number: &details.phone,
            fax_number: details.fax.as_ref(),
            email: &details.email,
            job_title: details.job_title.as_deref(),
        }
    }
}

impl<'a> ContactView<'a> {
    fn of(contact: &'a Contact) -> Self {
        Self {
            contact_id: ContactNumber(contact.id),
            resid: contact.reseller.0,
            details: DetailsView::of(&contact.details),
            contact_type: role_name(contact.role),
            dtcreate: ContactMoment(contact.created_at),
            dtmodify: ContactMoment(contact.modified_at),
        }
    }
}

/// `POST /ssl/v2/contact/create`
pub(crate) async fn create(
    State(app): State<App>,
    Caller(reseller): Caller,
    Body(CreateContacts(asked)): Body<CreateContacts>,
) -> Result<Envelope, WebnicError> {
    let asked = asked
        .into_iter()
        .map(|(role, details)| NewContact::of_reseller(&reseller, role, details));
    let contacts = app.create_contacts(&reseller, asked.collect()).await?;
    let views: Vec<ContactView<'_>> = contacts.iter().map(ContactView::of).collect();
    Ok(Envelope::of(&views))
}

/// `GET /ssl/v2/contact/info?contactId=`
pub(crate) async fn show(
    State(app): State<App>,
    Caller(reseller): Caller,
    ContactPath(id): ContactPath,
) -> Result<Envelope, WebnicError> {
    let contact = app.contact(&reseller, id).await?;
    Ok(Envelope::of(&ContactView::of(&contact)))
}

/// `DELETE /ssl/v2/contact?contactId=`
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(reseller): Caller,
    ContactPath(id): ContactPath,
) -> Result<Envelope, WebnicError> {
    app.delete_contact(&reseller, id).await?;
    Ok(Envelope::of(&ContactNumber(id)))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use chancery_domain::contact_types::ContactType;
    use chancery_domain::contacts::Attributes;
    use chancery_domain::customers::CustomerId;
    use chancery_domain::resellers::ResellerId;
    use serde_json::json;

    use super::*;

    fn a_person() -> Value {
        json!({
            "company": "Nelson Corp",
            "firstName": "Nelson",
            "lastName": "SSL",
            "address1": "L4-E-2, HIVE 5, Mranti",
            "city": "Bukit Jalil",
            "state": "Selangor",
            "countryCode": "MY",
            "zip": "57100",
            "phoneNumber": "+6012.1234567890",
            "email": "ssl-testing@webnic.cc"
        })
    }

    fn read(body: &Value) -> Result<CreateContacts, WebnicError> {
        CreateContacts::from_members(Members::parse(body.to_string().as_bytes())?)
    }

    async fn refusal(body: &Value) -> Value {
        let response = read(body).err().unwrap().into_response();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_contact_looks_as_documented() {
        let body = json!({"administrator": a_person()});
        let (role, details) = read(&body).unwrap().0.remove(0);
        let contact = Contact {
            id: ContactId(10_667),
            reseller: ResellerId(2740),
            customer: CustomerId(2740),
            role,
            kind: ContactType::GENERAL,
            details,
            attributes: Attributes::new(),
            deleted_at: None,
            version: 1,
            created_at: "2024-12-27T01:35:42.7352Z".parse().unwrap(),
            modified_at: "2024-12-27T01:35:42.735204Z".parse().unwrap(),
        };
        let documented = concat!(
            r#"{"contactId":"SSL10667T","resid":2740,"details":{"company":"Nelson Corp","#,
            r#""firstName":"Nelson","lastName":"SSL","address1":"L4-E-2, HIVE 5, Mranti","#,
            r#""address2":null,"city":"Bukit Jalil","state":"Selangor","countryCode":"MY","#,
            r#""zip":"57100","phoneNumber":"+6012.1234567890","faxNumber":null,"#,
            r#""email":"ssl-testing@webnic.cc","jobTitle":null},"contactType":"administrator","#,
            r#""dtcreate":"2024-12-27T09:35:42.7352+08:00","#,
            r#""dtmodify":"2024-12-27T09:35:42.735204+08:00"}"#
        );
        assert_eq!(
            serde_json::to_string(&ContactView::of(&contact)).unwrap(),
            documented
        );
    }

    #[test]
    fn both_roles_come_in_the_documented_order() {
        let mut technical = a_person();
        technical["address2"] = json!("");
        technical["faxNumber"] = json!(null);
        let body = json!({"technical": technical, "administrator": a_person(), "x": 1});
        let asked = read(&body).unwrap().0;
        let roles: Vec<Role> = asked.iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, [Role::Administrator, Role::Technical]);
    }

    #[tokio::test]
    async fn missing_and_ill_typed_parts_are_listed_together() {
        let mut person = a_person();
        person["zip"] = json!(57100);
        person.as_object_mut().unwrap().remove("city");
        let body = refusal(&json!({"administrator": person, "technical": "me"})).await;
        let entries = body["validationErrors"].as_array().unwrap();
        let fields: Vec<&str> = entries
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(
            fields,
            ["administrator.zip", "administrator.city", "technical"]
        );
        assert!(body.get("fieldErrors").is_none());
        let body = refusal(&json!({})).await;
        assert_eq!(
            body["validationErrors"][0]["message"],
            "'administrator' is required."
        );
    }

    #[tokio::test]
    async fn wrong_content_is_listed_by_field() {
        let mut person = a_person();
        person["firstName"] = json!("x".repeat(61));
        person["email"] = json!("nobody");
        let body = refusal(&json!({"technical": person})).await;
        assert_eq!(body["error"]["subCode"], "SSL4000");
        assert_eq!(
            body["fieldErrors"],
            json!([
                {"field": "technical.firstName", "messages": ["invalid length - min: 1 | max: 60"]},
                {"field": "technical.email", "messages": ["invalid format"]}
            ])
        );
    }
}
