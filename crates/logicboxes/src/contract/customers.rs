//! Customers.

use serde_json::{Value as Json, json};

use crate::contact_searches::STATES;
use crate::customers::PAGE;

use super::{
    Kind, Operation, Parameter, boolean, integer, map_of, optional, postal_code, required, text,
    texts,
};

const TAG: &str = "LogicBoxes: customers";

const ID: Parameter = required("customer-id", Kind::Integer, "Which customer.");
const IP: Parameter = required(
    "ip",
    Kind::Text,
    "Where the customer's user is, an IP address.",
);
const USERNAME: Parameter = required("username", Kind::Text, "The user name, an e-mail address.");

const NAME: Parameter = required("name", Kind::Text, "At most 255 characters.");
const COMPANY: Parameter = required("company", Kind::Text, "At most 255 characters.");
const LINE_1: Parameter = required("address-line-1", Kind::Text, "At most 64 characters.");
const LINE_2: Parameter = optional("address-line-2", Kind::Text, "At most 64 characters.");
const LINE_3: Parameter = optional("address-line-3", Kind::Text, "At most 64 characters.");
const CITY: Parameter = required("city", Kind::Text, "At most 64 characters.");
const STATE: Parameter = required(
    "state",
    Kind::Text,
    "At most 64 characters; `Not Applicable` where there is none, or where `other-state` has it.",
);
const OTHER_STATE: Parameter = optional("other-state", Kind::Text, "At most 64 characters.");
const COUNTRY: Parameter = required("country", Kind::Text, "ISO 3166-1 alpha-2, in capitals.");
const ZIP: Parameter = postal_code(
    "At most 10 letters, digits, spaces, hyphens, points and slashes; may be left out where the country is IE.",
);
const PHONE_CODE: Parameter = required("phone-cc", Kind::Text, "A calling code, or 0.");
const PHONE: Parameter = required("phone", Kind::Text, "4 to 12 digits.");
const LANGUAGE: Parameter = required("lang-pref", Kind::Text, "A language, such as `en`.");
const OTHER_PHONE_CODE: Parameter = optional("alt-phone-cc", Kind::Text, "A calling code, or 0.");
const OTHER_PHONE: Parameter = optional("alt-phone", Kind::Text, "4 to 12 digits.");
const FAX_CODE: Parameter = optional("fax-cc", Kind::Text, "A calling code, or 0.");
const FAX: Parameter = optional("fax", Kind::Text, "4 to 12 digits.");
const MOBILE_CODE: Parameter = optional("mobile-cc", Kind::Text, "A calling code, or 0.");
const MOBILE: Parameter = optional("mobile", Kind::Text, "4 to 12 digits.");
const VAT: Parameter = optional("vat-id", Kind::Text, "At most 32 characters.");
const SMS: Parameter = optional(
    "sms-consent",
    Kind::Boolean,
    "Whether text messages are welcome.",
);
const ADVERTISING: Parameter = optional(
    "marketing-email-consent",
    Kind::Boolean,
    "Whether advertising by mail is welcome.",
);

macro_rules! with_profile {
    ($($first:expr),*) => {
        &[
            $($first,)* NAME, COMPANY, LINE_1, LINE_2, LINE_3, CITY, STATE, OTHER_STATE, COUNTRY, ZIP,
            PHONE_CODE, PHONE, LANGUAGE, OTHER_PHONE_CODE, OTHER_PHONE, FAX_CODE, FAX, MOBILE_CODE, MOBILE,
            VAT, SMS, ADVERTISING,
        ]
    };
}

const NEW_PASSWORD: &str = "8 to 128 characters.";

const PASSWORD: Parameter = required("passwd", Kind::Text, NEW_PASSWORD);
const SIGN_UP_TAKES: &[Parameter] = with_profile!(USERNAME, PASSWORD);

const fn sign_up(id: &'static str) -> Operation {
    Operation::new(
        TAG,
        id,
        "Sign a customer up",
        "Makes a customer and its default contact, and answers its id. The user name must be free among the \
         reseller's customers.",
        integer,
        || json!(10_000_001),
    )
    .takes(SIGN_UP_TAKES)
}

pub(crate) const SIGN_UP: Operation = sign_up("logicboxesCustomersSignup");
pub(crate) const SIGN_UP_2: Operation = sign_up("logicboxesCustomersSignupV2");

pub(crate) const DETAILS: Operation = Operation::new(
    TAG,
    "logicboxesCustomersDetails",
    "Customer by user name",
    "A customer that is not deleted.",
    details,
    example,
)
.takes(&[USERNAME]);

pub(crate) const DETAILS_BY_ID: Operation = Operation::new(
    TAG,
    "logicboxesCustomersDetailsById",
    "Customer by id",
    "A customer, deleted or not.",
    details,
    example,
)
.takes(&[ID]);

const RECORDS: Parameter = required(
    "no-of-records",
    Kind::Within(*PAGE.start(), Some(*PAGE.end())),
    "Records on a page.",
);

pub(crate) const SEARCH: Operation = Operation::new(
    TAG,
    "logicboxesCustomersSearch",
    "Search customers",
    "A page of the reseller's customers, the oldest first: `recsonpage`, `recsindb`, and the customers by the \
     keys `1`, `2` and so on. A text finds what begins with it from some word on, in any case. Deleted customers \
     are found by `status` only.",
    page,
    page_example,
)
.takes(&[
    RECORDS,
    required("page-no", Kind::Within(0, None), "From 1 on; 0 is the first page, too."),
    optional("customer-id", Kind::Integers, "Any of these."),
    optional("reseller-id", Kind::Integers, "Any of these, of which there is only one's own."),
    optional("username", Kind::Text, "The user name."),
    optional("name", Kind::Text, "The name."),
    optional("company", Kind::Text, "The company."),
    optional("city", Kind::Text, "The city."),
    optional("state", Kind::Text, "The state."),
    optional("status", Kind::SomeOf(|| STATES.to_vec()), "`Active` (which is what is asked for without it) or `Deleted`."),
    optional("creation-date-start", Kind::Integer, "In seconds since 1970."),
    optional("creation-date-end", Kind::Integer, "In seconds since 1970, inclusive."),
    optional("total-receipt-start", Kind::Text, "An amount. Customers have paid 0."),
    optional("total-receipt-end", Kind::Text, "An amount. Customers have paid 0."),
]);

pub(crate) const MODIFY: Operation = Operation::new(
    TAG,
    "logicboxesCustomersModify",
    "Change a customer",
    "Takes all that signing up takes, but the password; what is left out is not kept. Contacts stay as they are.",
    boolean,
    || json!(true),
)
.takes(with_profile!(ID, USERNAME));

pub(crate) const DELETE: Operation = Operation::new(
    TAG,
    "logicboxesCustomersDelete",
    "Delete a customer",
    "Deletes a customer with its contacts, unless an order in force or an organization needs one of them.",
    boolean,
    || json!(true),
)
.takes(&[ID]);

const CHANGED_PASSWORD: Parameter = required("new-passwd", Kind::Text, NEW_PASSWORD);
const CHANGE_TAKES: &[Parameter] = &[ID, CHANGED_PASSWORD];

const fn change_password(id: &'static str) -> Operation {
    Operation::new(
        TAG,
        id,
        "Change a password",
        "Sets the password of a customer; temporary ones and tokens end.",
        boolean,
        || json!(true),
    )
    .takes(CHANGE_TAKES)
}

pub(crate) const CHANGE_PASSWORD: Operation = change_password("logicboxesCustomersChangePassword");
pub(crate) const CHANGE_PASSWORD_2: Operation =
    change_password("logicboxesCustomersChangePasswordV2");

pub(crate) const FORGOT_PASSWORD: Operation = Operation::new(
    TAG,
    "logicboxesCustomersForgotPassword",
    "Mail a temporary password",
    "Mails the customer a password that serves for three days beside its own, at most five times a day.",
    boolean,
    || json!(true),
)
.takes(&[USERNAME]);

pub(crate) const TEMPORARY_PASSWORD: Operation = Operation::new(
    TAG,
    "logicboxesCustomersTempPassword",
    "Make a temporary password",
    "Answers a password that serves for three days beside the customer's own.",
    text,
    || json!("x7qm2v9kd4hw8ztb"),
)
.takes(&[ID]);

pub(crate) const TOKEN: Operation = Operation::new(
    TAG,
    "logicboxesCustomersGenerateToken",
    "Token for a password",
    "Answers a token for a customer who gives its password; it serves for 120 seconds.",
    text,
    || json!("0b9d7c1e-52a4-4c3f-9f0e-6d1a2b3c4d5e"),
)
.takes(&[
    USERNAME,
    required("passwd", Kind::Text, "The password."),
    IP,
]);

pub(crate) const LOGIN_TOKEN: Operation = Operation::new(
    TAG,
    "logicboxesCustomersGenerateLoginToken",
    "Token for a customer",
    "Answers a token for a customer on the reseller's own word; it serves for 120 seconds.",
    text,
    || json!("0b9d7c1e-52a4-4c3f-9f0e-6d1a2b3c4d5e"),
)
.takes(&[ID, IP]);

pub(crate) const AUTHENTICATE_TOKEN: Operation = Operation::new(
    TAG,
    "logicboxesCustomersAuthenticateToken",
    "Customer by token",
    "The customer whose token this is. It may be asked for more than once while the token serves.",
    by_token,
    by_token_example,
)
.takes(TOKEN_ALONE);

pub(crate) const AUTHENTICATE_TOKEN_2: Operation = Operation::new(
    TAG,
    "logicboxesCustomersAuthenticateTokenWithoutHistory",
    "Customer by token, as where it was redirected",
    "The same as `customers/authenticate-token`.",
    by_token,
    by_token_example,
)
.takes(TOKEN_ALONE);

const TOKEN_ALONE: &[Parameter] = &[required("token", Kind::Text, "The token.")];

/// The details, with what is empty in its place, and whom the customer turns to.
fn by_token() -> Json {
    let mut schema = details();
    for key in ["address2", "address3", "salesrepresentative"] {
        schema["properties"][key] = text();
        let needed = schema["required"].as_array_mut();
        needed.expect("details have such").push(json!(key));
    }
    schema
}

fn by_token_example() -> Json {
    let mut example = example();
    example["address2"] = json!("");
    example["address3"] = json!("");
    example["salesrepresentative"] = json!("Panel Ltd (sales@panel.example)");
    example
}

const ALWAYS: [&str; 26] = [
    "customerid",
    "username",
    "useremail",
    "name",
    "company",
    "address1",
    "city",
    "state",
    "stateid",
    "other_state",
    "country",
    "zip",
    "telnocc",
    "telno",
    "langpref",
    "pin",
    "resellerid",
    "parentid",
    "salescontactid",
    "customerstatus",
    "creationdt",
    "totalreceipts",
    "ispasswdexpired",
    "twofactorauth_enabled",
    "twofactorsmsauth_enabled",
    "twofactorgoogleauth_enabled",
];

const SOMETIMES: [&str; 8] = [
    "address2",
    "address3",
    "faxnocc",
    "faxno",
    "mobilenocc",
    "mobileno",
    "alttelnocc",
    "alttelno",
];

fn details() -> Json {
    let mut schema = texts(&ALWAYS, &SOMETIMES);
    schema["properties"]["salespersonshash"] = map_of(&text());
    schema["properties"]["isDominicanTaxConfiguredByParent"] = boolean();
    schema
}

fn example() -> Json {
    json!({
        "customerid": "10000001", "username": "ann@shop.example", "useremail": "ann@shop.example",
        "name": "Ann Example", "company": "Shop Ltd", "address1": "1 Market Street",
        "city": "Kuala Lumpur", "state": "Selangor", "stateid": "0", "other_state": "", "country": "MY",
        "zip": "50000", "telnocc": "60", "telno": "123456789", "langpref": "en", "pin": "",
        "resellerid": "2001", "parentid": "2001", "salescontactid": "0", "salespersonshash": {},
        "customerstatus": "Active", "creationdt": "1809336600", "totalreceipts": "0.0",
        "ispasswdexpired": "false", "twofactorauth_enabled": "false", "twofactorsmsauth_enabled": "false",
        "twofactorgoogleauth_enabled": "false", "isDominicanTaxConfiguredByParent": false,
    })
}

const ROW: [&str; 12] = [
    "customer.customerid",
    "customer.username",
    "customer.name",
    "customer.company",
    "customer.city",
    "customer.country",
    "customer.telnocc",
    "customer.telno",
    "customer.customerstatus",
    "customer.totalreceipts",
    "customer.resellerid",
    "customer.websitecount",
];

fn page() -> Json {
    let mut schema = texts(&["recsonpage", "recsindb"], &[]);
    schema["patternProperties"] = json!({ "^[1-9][0-9]*$": texts(&ROW, &[]) });
    schema["additionalProperties"] = json!(false);
    schema
}

fn page_example() -> Json {
    json!({
        "recsonpage": "1", "recsindb": "1",
        "1": {
            "customer.customerid": "10000001", "customer.username": "ann@shop.example",
            "customer.name": "Ann Example", "customer.company": "Shop Ltd",
            "customer.city": "Kuala Lumpur", "customer.country": "MY", "customer.telnocc": "060",
            "customer.telno": "123456789", "customer.customerstatus": "Active",
            "customer.totalreceipts": "0.0", "customer.resellerid": "2001", "customer.websitecount": "0",
        },
    })
}
