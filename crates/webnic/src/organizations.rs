//! Organizations: create, find, change.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use chancery_app::{
    App, AppError, Noun, OrganizationFilter, OrganizationRequest, TextFilter, ValidationStanding,
};
use chancery_domain::checklists::VettingKind;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::organizations::{Organization, OrganizationId};
use chancery_domain::vetting::Standing;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::auth::Caller;
use crate::body::{
    Body, FromMembers, Members, OptionalBody, contact_number, is_blank, path_segment, text,
};
use crate::contacts::{DetailsView, read_details};
use crate::envelope::Envelope;
use crate::errors::{Obstacle, WebnicError};
use crate::query::Query;
use crate::routes::Wire;
use crate::scalars::{ContactNumber, OrganizationMoment, Quoted, parse_digits};
use crate::search::{Faults, Operator, PageView, Search};
use crate::words::{Fault, wire_name};

/// What is told of an organization, to create or to change it.
#[derive(Debug)]
pub(crate) struct Told(OrganizationRequest);

impl FromMembers for Told {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let technical = body.take(Field::Technical, contact_number);
        let field = Field::OrganizationDetails;
        let details = match body.take_value(&wire_name(field)) {
            None => Err(vec![FieldError::missing(field)]),
            Some(Value::Object(members)) => {
                read_details(members.into(), Field::OrganizationPart, Organization::check)
            }
            Some(_) => Err(vec![FieldError {
                field,
                problem: Problem::Type("an object"),
            }]),
        };
        let mut faults = body.into_faults();
        match details {
            Ok(details) if faults.is_empty() => {
                Ok(Self(OrganizationRequest { details, technical }))
            }
            Ok(_) => Err(faults.into()),
            Err(more) => {
                faults.extend(more);
                Err(faults.into())
            }
        }
    }
}

/// The organization a request is about, by its path or by `?organizationId=`.
pub(crate) struct OrganizationPath(pub(crate) OrganizationId);

impl FromRequestParts<Wire> for OrganizationPath {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let name = wire_name(Field::Organization);
        let text = match path_segment(parts, wire, &name).await {
            Some(text) => text,
            None => {
                let Ok(query) = Query::from_request_parts(parts, wire).await;
                let missing = || Obstacle::Faults(vec![Fault::missing_parameter(name.clone())]);
                query.word(&name).ok_or_else(missing)?
            }
        };
        match parse_digits(text.trim()) {
            Some(id) => Ok(Self(OrganizationId(id))),
            None => Err(AppError::NotFound {
                what: Noun::Organization,
                id: text,
            }
            .into()),
        }
    }
}

/// An organization. The keys come in the documented order.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Organization")]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganizationView<'a> {
    organization_id: i64,
    resid: i64,
    /// No CA of that name stands behind an organization: its number is ours.
    digicert_organization_id: Quoted<i64>,
    details: DetailsView<'a>,
    /// The technical contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    tecid: Option<ContactNumber>,
    dtcreate: OrganizationMoment,
    dtmodify: OrganizationMoment,
}

impl<'a> OrganizationView<'a> {
    fn of(organization: &'a Organization) -> Self {
        Self {
            organization_id: organization.id.0,
            resid: organization.reseller.0,
            digicert_organization_id: Quoted(organization.id.0),
            details: DetailsView::of(&organization.details),
            tecid: organization.technical.map(ContactNumber),
            dtcreate: OrganizationMoment(organization.created_at),
            dtmodify: OrganizationMoment(organization.modified_at),
        }
    }
}

/// `POST /ssl/v2/organization/create`
pub(crate) async fn create(
    State(app): State<App>,
    Caller(reseller): Caller,
    Body(Told(asked)): Body<Told>,
) -> Result<Envelope, WebnicError> {
    let organization = app.create_organization(&reseller, asked).await?;
    Ok(Envelope::of(&OrganizationView::of(&organization)))
}

/// `PUT /ssl/v2/organization/{organizationId}/contact/update`
pub(crate) async fn update(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrganizationPath(id): OrganizationPath,
    Body(Told(asked)): Body<Told>,
) -> Result<Envelope, WebnicError> {
    let organization = app.update_organization(&reseller, id, asked).await?;
    Ok(Envelope::of(&OrganizationView::of(&organization)))
}

/// `GET /ssl/v2/organization/{organizationId}/info`
pub(crate) async fn show(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrganizationPath(id): OrganizationPath,
) -> Result<Envelope, WebnicError> {
    let organization = app.organization(&reseller, id).await?;
    Ok(Envelope::of(&OrganizationView::of(&organization)))
}

/// `POST /ssl/v2/organization/search`
pub(crate) async fn search(
    State(app): State<App>,
    Caller(reseller): Caller,
    OptionalBody(search): OptionalBody<Search>,
) -> Result<Envelope, WebnicError> {
    let filter = organization_filter(&search)?;
    let found = app
        .search_organizations(&reseller, &filter, search.page, search.page_size)
        .await?;
    let items = found.organizations.iter().map(OrganizationView::of);
    let page = PageView::of(items.collect(), search.page_size, found.total);
    Ok(Envelope::of(&page))
}

/// Which kinds of validation are asked for, in either of the forms that have been seen: one `type`, or
/// `validations` with a `type` each.
#[derive(Debug)]
pub(crate) struct Submit(Vec<VettingKind>);

impl FromMembers for Submit {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        const FIELD: Field = Field::ValidationType;
        let asked: Vec<Option<Value>> = match body.take_value("validations") {
            None => vec![body.take_value("type")],
            Some(Value::Array(items)) if items.len() <= VALIDATIONS_MAX => items
                .into_iter()
                .filter(|item| !is_blank(item))
                .map(|item| match item {
                    Value::Object(members) => Members::from(members).take_value("type"),
                    other => Some(other),
                })
                .collect(),
            Some(other) => vec![Some(other)],
        };
        let mut kinds = Vec::new();
        for value in asked {
            match value {
                None => body.note(FieldError::missing(FIELD)),
                Some(value) => match validation_type(value) {
                    Ok(kind) => kinds.push(kind),
                    Err(problem) => body.note(FieldError {
                        field: FIELD,
                        problem,
                    }),
                },
            }
        }
        let mut faults = body.into_faults();
        if kinds.is_empty() && faults.is_empty() {
            faults.push(FieldError::missing(FIELD));
        }
        if faults.is_empty() {
            Ok(Self(kinds))
        } else {
            Err(faults.into())
        }
    }
}

/// There are only two kinds.
pub(crate) const VALIDATIONS_MAX: usize = 10;

fn validation_type(value: Value) -> Result<VettingKind, Problem> {
    let names = || VettingKind::ALL.map(|kind| type_name(kind).to_owned());
    let word = text(value)?;
    let kind = VettingKind::parse(&word.trim().to_ascii_lowercase());
    kind.ok_or_else(|| Problem::NotOneOf(names().to_vec()))
}

/// A kind of validation, as the value of `type`.
fn type_name(kind: VettingKind) -> &'static str {
    match kind {
        VettingKind::Ov => "OV",
        VettingKind::Ev => "EV",
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Validation")]
pub(crate) struct ValidationView {
    #[schemars(extend("enum" = ["OV", "EV"]))]
    r#type: &'static str,
    #[schemars(extend("enum" = ["PENDING", "APPROVED", "EXPIRED", "REJECTED"]))]
    status: &'static str,
    /// Until when it counts; null unless something was approved.
    dtexpire: Option<OrganizationMoment>,
    /// Why it was rejected, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl ValidationView {
    /// One that is of the organization as it was is not shown.
    fn of(validation: ValidationStanding) -> Option<Self> {
        let (status, until, reason) = match validation.standing {
            Standing::Pending => ("PENDING", None, None),
            Standing::Approved { until } => ("APPROVED", Some(until), None),
            Standing::Expired { until } => ("EXPIRED", Some(until), None),
            Standing::Rejected { reason } => ("REJECTED", None, Some(reason)),
            Standing::Voided => return None,
        };
        Some(Self {
            r#type: type_name(validation.kind),
            status,
            dtexpire: until.map(OrganizationMoment),
            reason,
        })
    }
}

/// `POST /ssl/v2/organization/{organizationId}/validation/submit`
pub(crate) async fn submit(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrganizationPath(id): OrganizationPath,
    OptionalBody(Submit(kinds)): OptionalBody<Submit>,
) -> Result<Envelope, WebnicError> {
    app.submit_validation(&reseller, id, &kinds).await?;
    Ok(Envelope::done())
}

/// `GET /ssl/v2/organization/{organizationId}/validation/status`
pub(crate) async fn status(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrganizationPath(id): OrganizationPath,
) -> Result<Envelope, WebnicError> {
    let found = app.validation_status(&reseller, id).await?;
    let views: Vec<ValidationView> = found.into_iter().filter_map(ValidationView::of).collect();
    Ok(Envelope::of(&views))
}

/// What organizations are searched by.
const FIELDS: [&str; 3] = ["organizationId", "company", "countryCode"];

fn organization_filter(search: &Search) -> Result<OrganizationFilter, WebnicError> {
    let mut wanted = OrganizationFilter::default();
    let mut faults = Faults::default();
    for filter in &search.filters {
        let value = &filter.value;
        let is_repeated = match &filter.field[..] {
            "organizationId" => match parse_digits(value.trim()) {
                Some(id) => wanted.id.replace(OrganizationId(id)).is_some(),
                None => {
                    faults.value(filter, "an integer");
                    false
                }
            },
            "company" => {
                let text = match filter.operator {
                    Operator::Equal => TextFilter::Equal(value.clone()),
                    Operator::Like => TextFilter::Contains(value.clone()),
                };
                wanted.company.replace(text).is_some()
            }
            "countryCode" => wanted.country.replace(value.trim().to_owned()).is_some(),
            _ => {
                faults.unknown_field(filter, &FIELDS);
                false
            }
        };
        if is_repeated {
            faults.repeated_field(filter);
        }
    }
    faults.none_or_refusal()?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use chancery_domain::contacts::ContactId;
    use chancery_domain::resellers::ResellerId;
    use serde_json::json;

    use super::*;

    fn documented_request() -> Value {
        json!({
            "organization": {
                "company": "Jim Test",
                "firstName": "Test",
                "lastName": "Jim",
                "address1": "L4-E-2, HIVE 5, Mranti",
                "address2": "Test",
                "city": "Bukit Jalil",
                "state": "Selangor",
                "countryCode": "my",
                "zip": "57100",
                "phoneNumber": "+020.6506503",
                "email": "wj.jimsac@webnic.cc",
                "jobTitle": "Engineer"
            }
        })
    }

    fn read(body: &Value) -> Result<OrganizationRequest, WebnicError> {
        Told::from_members(Members::parse(body.to_string().as_bytes())?).map(|told| told.0)
    }

    fn organization(asked: OrganizationRequest, created: &str, modified: &str) -> Organization {
        Organization {
            id: OrganizationId(8),
            reseller: ResellerId(2740),
            details: asked.details,
            technical: asked.technical,
            edition: 1,
            created_at: created.parse().unwrap(),
            modified_at: modified.parse().unwrap(),
            version: 0,
        }
    }

    async fn refusal(body: &Value) -> Value {
        let response = read(body).unwrap_err().into_response();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000);
        serde_json::from_slice(&bytes.await.unwrap()).unwrap()
    }

    #[test]
    fn a_new_organization_looks_as_documented() {
        let organization = organization(
            read(&documented_request()).unwrap(),
            "2025-01-13T12:31:26.989791Z",
            "2025-01-13T12:31:26.989793Z",
        );
        let documented = concat!(
            r#"{"organizationId":8,"resid":2740,"digicertOrganizationId":"8","details":{"#,
            r#""company":"Jim Test","firstName":"Test","lastName":"Jim","#,
            r#""address1":"L4-E-2, HIVE 5, Mranti","address2":"Test","city":"Bukit Jalil","#,
            r#""state":"Selangor","countryCode":"my","zip":"57100","#,
            r#""phoneNumber":"+020.6506503","faxNumber":null,"#,
            r#""email":"wj.jimsac@webnic.cc","jobTitle":"Engineer"},"#,
            r#""dtcreate":"2025-01-13T12:31:26.989791Z","#,
            r#""dtmodify":"2025-01-13T12:31:26.989793Z"}"#
        );
        assert_eq!(
            serde_json::to_string(&OrganizationView::of(&organization)).unwrap(),
            documented
        );
    }

    #[test]
    fn a_changed_organization_looks_as_documented() {
        let mut body = documented_request();
        body["organization"]["address2"] = json!("");
        body["technicalContactId"] = json!("SSL10619T");
        let asked = read(&body).unwrap();
        assert_eq!(asked.technical, Some(ContactId(10_619)));
        let organization =
            organization(asked, "2025-01-02T04:10:05Z", "2025-01-13T12:52:01.973992Z");
        let view = serde_json::to_string(&OrganizationView::of(&organization)).unwrap();
        assert!(view.contains(r#""address2":null"#), "{view}");
        let end = concat!(
            r#""jobTitle":"Engineer"},"tecid":"SSL10619T","#,
            r#""dtcreate":"2025-01-02T04:10:05.000000Z","#,
            r#""dtmodify":"2025-01-13T12:52:01.973992Z"}"#
        );
        assert!(view.ends_with(end), "{view}");
    }

    #[tokio::test]
    async fn all_faults_are_told_at_once() {
        let mut body = documented_request();
        body["technicalContactId"] = json!(5);
        body["organization"]["zip"] = json!(57100);
        body["organization"]["city"] = json!(null);
        let told = refusal(&body).await;
        let entries = told["validationErrors"].as_array().unwrap();
        let fields: Vec<&str> = entries
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        let expected = [
            "technicalContactId",
            "organization.zip",
            "organization.city",
        ];
        assert_eq!(fields, expected);
        assert_eq!(entries[2]["message"], "'organization.city' is required.");

        body["organization"]["company"] = json!("x".repeat(65));
        let told = refusal(&body).await;
        assert!(told.get("validationErrors").is_none());
        let company = &told["fieldErrors"][2];
        assert_eq!(company["field"], "organization.company", "{told}");
        assert_eq!(company["messages"][0], "invalid length - min: 1 | max: 64");

        let told = refusal(&json!({})).await;
        assert_eq!(
            told["validationErrors"][0]["message"],
            "'organization' is required."
        );
        let told = refusal(&json!({ "organization": [] })).await;
        assert_eq!(
            told["validationErrors"][0]["message"],
            "'organization' is invalid. Expected an object."
        );
    }

    #[test]
    fn validation_is_asked_for_in_either_form() {
        let read = |body: Value| {
            let members = Members::parse(body.to_string().as_bytes()).unwrap();
            Submit::from_members(members).map(|Submit(kinds)| kinds)
        };
        assert_eq!(read(json!({ "type": "OV" })).unwrap(), [VettingKind::Ov]);
        assert_eq!(read(json!({ "type": "ev" })).unwrap(), [VettingKind::Ev]);
        let both = json!({ "validations": [
            { "type": "ov" }, { "type": "ev", "verified_users": [{ "id": 12 }] },
        ] });
        assert_eq!(read(both).unwrap(), [VettingKind::Ov, VettingKind::Ev]);
        let plain = json!({ "validations": ["OV"] });
        assert_eq!(read(plain).unwrap(), [VettingKind::Ov]);
        for wrong in [
            json!({}),
            json!({ "type": "DV" }),
            json!({ "type": 5 }),
            json!({ "validations": [] }),
            json!({ "validations": [{}] }),
            json!({ "validations": { "type": "ov" } }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_validation_says_how_it_stands() {
        let view = |standing| {
            let kind = VettingKind::Ev;
            let view = ValidationView::of(ValidationStanding { kind, standing });
            serde_json::to_string(&view).unwrap()
        };
        let until = "2027-12-25T10:00:00Z".parse().unwrap();
        assert_eq!(
            view(Standing::Approved { until }),
            r#"{"type":"EV","status":"APPROVED","dtexpire":"2027-12-25T10:00:00.000000Z"}"#
        );
        assert_eq!(
            view(Standing::Pending),
            r#"{"type":"EV","status":"PENDING","dtexpire":null}"#
        );
        let reason = "no such company".to_owned();
        assert_eq!(
            view(Standing::Rejected { reason }),
            r#"{"type":"EV","status":"REJECTED","dtexpire":null,"reason":"no such company"}"#
        );
        assert_eq!(view(Standing::Voided), "null");
    }

    #[test]
    fn each_field_is_searched_by_once() {
        let search = |body: Value| {
            let members = Members::parse(body.to_string().as_bytes()).unwrap();
            organization_filter(&Search::from_members(members).unwrap())
        };
        let wanted = search(json!({ "filters": [
            { "field": "company", "operator": "LIKE", "value": "jim" },
            { "field": "organizationId", "operator": "EQUAL", "value": 8 },
            { "field": "countryCode", "value": "my" },
        ] }));
        assert_eq!(
            wanted.unwrap(),
            OrganizationFilter {
                id: Some(OrganizationId(8)),
                company: Some(TextFilter::Contains("jim".to_owned())),
                country: Some("my".to_owned()),
            }
        );
        for wrong in [
            json!([{ "field": "iban", "value": "x" }]),
            json!([{ "field": "organizationId", "value": "x" }]),
            json!([{ "field": "company", "value": "x" }, { "field": "company", "value": "y" }]),
        ] {
            assert!(search(json!({ "filters": wrong })).is_err(), "{wrong}");
        }
    }
}
