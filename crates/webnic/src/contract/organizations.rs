//! Organizations, and the frame of searches.

use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::{Described, Operation, Parameter, fields};
use crate::order_searches::SORTED_BY;
use crate::organizations::{OrganizationView, Submit, Told, VALIDATIONS_MAX, ValidationView};
use crate::search::{FILTERS_MAX, PAGE_SIZE_MAX, PageView, Search, VALUE_MAX};

const TAG: &str = "Organizations";
const ORGANIZATION: &[Parameter] = &[("organizationId", true)];

impl Described for Told {
    const NAME: &'static str = "OrganizationRequest";

    fn schema() -> Value {
        fields::object(&[Field::OrganizationDetails], &[Field::Technical])
    }
}

impl Described for Submit {
    const NAME: &'static str = "SubmitValidation";

    fn schema() -> Value {
        let kind = fields::schema(Field::ValidationType);
        let with_type = json!({
            "type": "object",
            "required": ["type"],
            "properties": { "type": kind },
        });
        json!({
            "description": "One kind of validation as `type`, or several as `validations`.",
            "anyOf": [
                with_type,
                {
                    "type": "object",
                    "required": ["validations"],
                    "properties": { "validations": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": VALIDATIONS_MAX,
                        "items": { "anyOf": [with_type, kind] },
                    } },
                },
            ],
        })
    }
}

impl Described for Search {
    const NAME: &'static str = "Search";

    fn schema() -> Value {
        let number = |maximum, default| {
            json!({
                "type": ["integer", "string"],
                "minimum": 1,
                "maximum": maximum,
                "pattern": "^[1-9][0-9]*$",
                "default": default,
            })
        };
        json!({
            "type": "object",
            "properties": {
                "filters": {
                    "type": "array",
                    "maxItems": FILTERS_MAX,
                    "description": "All of them have to hold.",
                    "items": {
                        "type": "object",
                        "required": ["field", "value"],
                        "properties": {
                            "field": { "type": "string" },
                            "operator": {
                                "enum": ["EQUAL", "LIKE"],
                                "default": "EQUAL",
                                "description": "`LIKE` is *contains*; neither looks at the case of letters.",
                            },
                            "value": { "type": ["string", "number"], "maxLength": VALUE_MAX },
                        },
                    },
                },
                "sort": {
                    "type": "object",
                    "required": ["field"],
                    "description": "Of orders; the newest come first unless another order is asked for.",
                    "properties": {
                        "field": { "enum": SORTED_BY },
                        "order": { "enum": ["ASC", "DESC"], "default": "ASC" },
                    },
                },
                "pagination": {
                    "type": "object",
                    "properties": {
                        "page": number(u32::MAX, 1),
                        "pageSize": number(u32::MAX, PAGE_SIZE_MAX),
                    },
                },
            },
        })
    }
}

fn details() -> Value {
    json!({
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
        "faxNumber": null,
        "email": "wj.jimsac@webnic.cc",
        "jobTitle": "Engineer",
    })
}

fn told() -> Value {
    let mut details = details();
    details["faxNumber"] = json!("+020.6506504");
    json!({ "organization": details, "technicalContactId": "SSL10667T" })
}

fn an_organization() -> Value {
    json!({
        "organizationId": 8,
        "resid": 2740,
        "digicertOrganizationId": "8",
        "details": details(),
        "tecid": "SSL10667T",
        "dtcreate": "2025-01-13T12:31:26.989791Z",
        "dtmodify": "2025-01-13T12:31:26.989791Z",
    })
}

pub(crate) const CREATE: Operation = Operation::new(
    TAG,
    "createOrganization",
    "Create organization",
    "The same company and address is the same organization: creating it again answers with the one there is, \
     unchanged.",
)
.takes::<Told>(told)
.answers::<OrganizationView<'static>>(an_organization);

pub(crate) const SEARCH: Operation = Operation::new(
    TAG,
    "searchOrganizations",
    "Search organization",
    "By `organizationId`, `company` (`LIKE`, too) and `countryCode`, each at most once; without a body, all. \
     The newest come first.",
)
.may_take::<Search>(|| {
    json!({
        "filters": [{ "field": "company", "operator": "LIKE", "value": "jim" }],
        "pagination": { "page": 1, "pageSize": 20 },
    })
})
.answers::<PageView<OrganizationView<'static>>>(|| {
    json!({
        "pageSize": 1,
        "totalPages": 1,
        "totalItems": 1,
        "items": [an_organization()],
    })
});

pub(crate) const SHOW: Operation =
    Operation::new(TAG, "getOrganization", "Get organization info", "")
        .query(ORGANIZATION)
        .answers::<OrganizationView<'static>>(an_organization);

pub(crate) const UPDATE: Operation = Operation::new(
    TAG,
    "updateOrganizationContact",
    "Update organization contact",
    "Takes the whole organization again. Another company or address makes a new edition under the same id, for \
     which nothing is validated any more.",
)
.takes::<Told>(told)
.answers::<OrganizationView<'static>>(an_organization);

pub(crate) const SUBMIT: Operation = Operation::new(
    TAG,
    "submitValidation",
    "Submit validation",
    "Asks for the organization to be validated, as OV and EV orders need it. What is asked for already, or is \
     validated, is left as it is.",
)
.takes::<Submit>(|| json!({ "validations": [{ "type": "OV" }] }));

pub(crate) const STATUS: Operation = Operation::new(
    TAG,
    "getValidationStatus",
    "Get validation status",
    "The latest validation of each kind that was asked for.",
)
.answers::<Vec<ValidationView>>(|| {
    json!([
        { "type": "OV", "status": "APPROVED", "dtexpire": "2027-12-25T10:00:00.000000Z" },
        { "type": "EV", "status": "REJECTED", "dtexpire": null, "reason": "no such company" },
    ])
});
