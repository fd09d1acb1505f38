//! Who may do what in the LogicBoxes dialect: every method, asked by everyone there is.
//!
//! The methods come from the dialect's own table. A method without a row here fails, and so does a row without a
//! method. What is refused has no effect: the owner asks last, about the very things that the others asked about.

use std::collections::BTreeSet;

use chancery_domain::access::{Access, Networks, Scope};
use chancery_logicboxes::{Route, routes};
use chancery_testkit::{LogicBoxes, Panel, Reply, TestServer, on_both_engines};

on_both_engines!(everyone_calls_every_method);

/// What a row is about, made anew for each who may use it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    /// Nothing that belongs to anyone.
    Nothing,
    /// A customer.
    Customer,
    /// A contact of a customer's.
    Contact,
    /// A token that a customer was given.
    Token,
}

/// How a method is called. Words in braces stand for the thing that the row is about.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) about: About,
    /// Whether a person's details go with it.
    is_of_person: bool,
    parameters: &'static [(&'static str, &'static str)],
}

const fn row(
    method: &'static str,
    about: About,
    parameters: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        method,
        about,
        is_of_person: false,
        parameters,
    }
}

/// A row whose parameters come beside a person's details.
const fn person(
    method: &'static str,
    about: About,
    parameters: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        is_of_person: true,
        ..row(method, about, parameters)
    }
}

const PERSON: &[(&str, &str)] = &[
    ("name", "Ann Example"),
    ("company", "Shop Ltd"),
    ("email", "ann@shop.example"),
    ("address-line-1", "1 Market Street"),
    ("city", "London"),
    ("country", "GB"),
    ("zipcode", "SW1A 1AA"),
    ("phone-cc", "44"),
    ("phone", "2079460000"),
];

const PAGE: &str = "10";

#[rustfmt::skip]
const ROWS: &[Row] = {
    use About::{Contact, Customer, Nothing, Token};
    &[
        person("contacts/add", Customer, &[("customer-id", "{customer}"), ("type", "Contact")]),
        row("contacts/details", Contact, &[("contact-id", "{contact}")]),
        row("contacts/search", Customer, &[("customer-id", "{customer}"), ("no-of-records", PAGE), ("page-no", "1")]),
        row("contacts/default", Customer, &[("customer-id", "{customer}"), ("type", "Contact")]),
        row("contacts/modDefault", Contact, &[
            ("customer-id", "{customer}"), ("type", "Contact"), ("reg-contact-id", "{contact}"),
            ("admin-contact-id", "{contact}"), ("tech-contact-id", "{contact}"), ("billing-contact-id", "{contact}"),
        ]),
        person("contacts/modify", Contact, &[("contact-id", "{contact}")]),
        row("contacts/delete", Contact, &[("contact-id", "{contact}")]),
        row("contacts/set-details", Contact, &[
            ("contact-id", "{contact}"), ("product-key", "domus"), ("attr-name1", "purpose"), ("attr-value1", "P1"),
            ("attr-name2", "category"), ("attr-value2", "C11"),
        ]),
        row("contacts/validate-registrant", Contact, &[("contact-id", "{contact}"), ("eligibility-criteria", "CPR")]),
        row("contacts/sponsors", Customer, &[("customer-id", "{customer}")]),
        person("contacts/coop/add-sponsor", Customer, &[("customer-id", "{customer}")]),
        row("contacts/dotca/registrantagreement", Nothing, &[]),
        person("customers/signup", Nothing, &[("username", "{fresh}"), ("passwd", "A-pass-word-42"), ("state", "Not Applicable"), ("lang-pref", "en")]),
        person("customers/v2/signup", Nothing, &[("username", "{fresh}"), ("passwd", "A-pass-word-42"), ("state", "Not Applicable"), ("lang-pref", "en"), ("accept-policy", "true"), ("marketing-email-consent", "false")]),
        row("customers/details", Customer, &[("username", "{username}")]),
        row("customers/details-by-id", Customer, &[("customer-id", "{customer}")]),
        row("customers/search", Nothing, &[("no-of-records", PAGE), ("page-no", "1")]),
        person("customers/modify", Customer, &[("customer-id", "{customer}"), ("username", "{username}"), ("state", "Not Applicable"), ("lang-pref", "en")]),
        row("customers/change-password", Customer, &[("customer-id", "{customer}"), ("new-passwd", "B-pass-word-42")]),
        row("customers/v2/change-password", Customer, &[("customer-id", "{customer}"), ("new-passwd", "B-pass-word-42")]),
        row("customers/forgot-password", Customer, &[("username", "{username}")]),
        row("customers/temp-password", Customer, &[("customer-id", "{customer}")]),
        row("customers/generate-token", Customer, &[
            ("username", "{username}"), ("passwd", "A-pass-word-42"), ("ip", "192.0.2.1")]),
        row("customers/generate-login-token", Customer, &[("customer-id", "{customer}"), ("ip", "192.0.2.1")]),
        row("customers/authenticate-token", Token, &[("token", "{token}")]),
        row("customers/authenticate-token-without-history", Token, &[("token", "{token}")]),
        row("resellers/details", Nothing, &[]),
        row("customers/delete", Customer, &[("customer-id", "{customer}")]),
    ]
};

/// The rows with the methods they are for: there is one for each that is served, and none for any other.
pub(crate) fn rows() -> Vec<(&'static Row, Route)> {
    let mut table = routes();
    let served: BTreeSet<&str> = table.iter().map(|route| route.path).collect();
    let asked: BTreeSet<&str> = ROWS.iter().map(|row| row.method).collect();
    assert_eq!(served, asked);
    assert_eq!((table.len(), ROWS.len()), (served.len(), asked.len()));
    table.sort_by_key(|route| ROWS.iter().position(|row| row.method == route.path));
    ROWS.iter().zip(table).collect()
}

/// What the words in braces stand for.
#[derive(Clone, Default)]
pub(crate) struct Words(Vec<(&'static str, String)>);

impl Words {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// The words back in their braces, so that answers about different things compare.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(value, &format!("{{{name}}}"))
        })
    }
}

/// The same words for things that nobody ever had.
fn unknown(words: &Words) -> Words {
    let with_other = |(name, value): &(&'static str, String)| match *name {
        "customer" | "contact" => (*name, "1999999999".to_owned()),
        "username" => (*name, "nobody@shop.example".to_owned()),
        "token" => (*name, "00000000-0000-4000-8000-000000000000".to_owned()),
        _ => (*name, value.clone()),
    };
    Words(words.0.iter().map(with_other).collect())
}

impl Row {
    /// The parameters, beside the credential.
    pub(crate) fn filled(&self, words: &Words) -> Vec<(&'static str, String)> {
        let person = if self.is_of_person { PERSON } else { &[] };
        let all = person.iter().chain(self.parameters);
        all.map(|(name, value)| (*name, words.fill(value)))
            .collect()
    }

    /// Asks with everything that the method is asked for.
    async fn ask(&self, client: &LogicBoxes, words: &Words) -> Reply {
        let filled = self.filled(words);
        let parameters: Vec<(&str, &str)> = filled
            .iter()
            .map(|(name, value)| (*name, &value[..]))
            .collect();
        client.call(self.method, &parameters).await
    }
}

/// Those who ask.
struct Askers<'a> {
    server: &'a TestServer,
    /// May do everything; the things are theirs.
    owner: LogicBoxes,
    /// May do everything, too, with things of their own.
    other: LogicBoxes,
    nobody: LogicBoxes,
    /// Those whose credentials are none, each in another way.
    strangers: Vec<(&'static str, LogicBoxes)>,
    blocked: LogicBoxes,
    suspended: LogicBoxes,
    reader: LogicBoxes,
    manager: LogicBoxes,
    /// How many things were made.
    made: usize,
}

impl<'a> Askers<'a> {
    async fn new(server: &'a TestServer) -> Self {
        let owner = server.logicboxes().await;
        let other = server.another_logicboxes().await;
        let with = async |scope, allowed: &str| {
            let allowed = Networks::parse(allowed).unwrap();
            server.logicboxes_with(Access { scope, allowed }).await
        };
        let revoked = with(Scope::Money, "").await;
        let operations = server.operations();
        let ended = operations.revoke_credential(&revoked.user_id).await;
        ended.unwrap();
        let suspended = server.another_logicboxes().await;
        let reseller = operations.resellers().await.unwrap().pop().unwrap();
        let done = operations.suspend_reseller(reseller.id, "unpaid").await;
        done.unwrap();
        let panel: Panel = server.panel().await;
        let [username, password] = panel.credential();
        let http = || server.http();
        let strangers = vec![
            (
                "wrong key",
                LogicBoxes::new(http(), &owner.user_id, "wrong"),
            ),
            (
                "another's key",
                LogicBoxes::new(http(), &owner.user_id, &other.key),
            ),
            ("unknown number", LogicBoxes::new(http(), "1", &owner.key)),
            ("revoked", revoked),
            (
                "of the other dialect",
                LogicBoxes::new(http(), username, password),
            ),
        ];
        Self {
            nobody: LogicBoxes::new(http(), "", ""),
            strangers,
            suspended,
            blocked: with(Scope::Money, "192.0.2.1, 2001:db8::/32").await,
            reader: with(Scope::Read, "").await,
            manager: with(Scope::Orders, "").await,
            server,
            owner,
            other,
            made: 0,
        }
    }

    /// Makes what a row is about.
    async fn make(&mut self, about: About) -> Words {
        self.made += 1;
        make(&self.owner, about, self.made).await
    }
}

/// Makes what a row is about, by a number of its own.
pub(crate) async fn make(owner: &LogicBoxes, about: About, number: usize) -> Words {
    let words = Words::default().with("fresh", format!("fresh{number}@shop.example"));
    if about == About::Nothing {
        return words;
    }
    let username = format!("customer{number}@shop.example");
    let more = [
        ("username", &username[..]),
        ("passwd", "A-pass-word-42"),
        ("state", "Not Applicable"),
        ("lang-pref", "en"),
    ];
    let customer = owner
        .done("customers/signup", &[PERSON, &more].concat())
        .await;
    let customer = customer.to_string();
    let words = words.with("customer", &customer).with("username", username);
    let of_customer = [("customer-id", &customer[..])];
    match about {
        About::Nothing | About::Customer => words,
        About::Contact => {
            let parameters = [PERSON, &of_customer, &[("type", "Contact")]].concat();
            let contact = owner.done("contacts/add", &parameters).await;
            words.with("contact", contact.to_string())
        }
        About::Token => {
            let parameters = [of_customer[0], ("ip", "192.0.2.1")];
            let token = owner
                .done("customers/generate-login-token", &parameters)
                .await;
            words.with("token", token.as_str().unwrap())
        }
    }
}

async fn everyone_calls_every_method(server: &mut TestServer) {
    let mut askers = Askers::new(server).await;
    for (row, route) in rows() {
        call_as_everyone(&mut askers, row, &route).await;
    }
}

async fn call_as_everyone(askers: &mut Askers<'_>, row: &Row, route: &Route) {
    let words = askers.make(row.about).await;
    let method = row.method;
    let refused = |who: &str, reply: &Reply, message: &str| {
        assert_eq!(reply.logicboxes_error(), message, "{method}, {who}");
    };
    let reply = row.ask(&askers.nobody, &words).await;
    refused("nobody", &reply, "Required parameter missing: auth-userid");
    for (who, stranger) in &askers.strangers {
        let message = "Invalid credentials, or your User account maybe Inactive or Suspended";
        refused(who, &row.ask(stranger, &words).await, message);
    }
    let message = "Access Denied. You are not authorized to perform this action. \
                   The request came from 127.0.0.1.";
    refused(
        "blocked address",
        &row.ask(&askers.blocked, &words).await,
        message,
    );
    refused(
        "suspended",
        &row.ask(&askers.suspended, &words).await,
        "This reseller is suspended: your User account maybe Inactive or Suspended",
    );

    let of_scope = |held: Scope, reply: &Reply| match held.includes(route.needs) {
        true => assert_eq!(reply.status, 200, "{method}, {held}: {}", reply.text()),
        false => refused(
            "small scope",
            reply,
            "You are not allowed to perform this action",
        ),
    };
    of_scope(Scope::Read, &row.ask(&askers.reader, &words).await);

    // Another's things are not there: the answer is the one about things that never were.
    let of_other = row.ask(&askers.other, &words).await;
    if row.about == About::Nothing {
        assert_eq!(
            of_other.status,
            200,
            "{method}, another: {}",
            of_other.text()
        );
    } else {
        let nowhere = unknown(&words);
        let never = row.ask(&askers.other, &nowhere).await;
        let told = |reply: &Reply, words: &Words| (reply.status, words.mask(&reply.text()));
        assert_eq!(told(&of_other, &words), told(&never, &nowhere), "{method}");
        of_other.logicboxes_error();
    }

    // What anyone did so far is done: another one of the kind.
    let words = match row.about == About::Nothing {
        true => askers.make(row.about).await,
        false => words,
    };
    let reply = row.ask(&askers.owner, &words).await;
    assert_eq!(reply.status, 200, "{method}, the owner: {}", reply.text());
    let words = askers.make(row.about).await;
    of_scope(Scope::Orders, &row.ask(&askers.manager, &words).await);
    askers.server.world().run_due_jobs().await;
}
