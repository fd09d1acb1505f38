//! Answers of the LogicBoxes dialect as they are sent, octet by octet: each shape there is, in JSON and in XML, with the
//! order of its keys. `UPDATE_GOLDENS=1` writes the file anew; what changes in it, clients get to see.
//!
//! Moments and the numbers of lines in histories are left out of it, as `lasting` has it.

use std::fs;

use chancery_testkit::{Engine, LogicBoxes, Logs, TestServer, repository_root, run, with};

use crate::logicboxes_contacts::DOCUMENTED;
use crate::logicboxes_customers::ANN;
use crate::logicboxes_senders::lasting;

const FILE: &str = "tests/data/logicboxes_answers.txt";

#[test]
fn answers_are_as_they_were_on_sqlite() {
    run(async |logs| answers_are_as_they_were(Engine::Sqlite, logs).await);
}

#[test]
fn answers_are_as_they_were_on_postgres() {
    run(async |logs| answers_are_as_they_were(Engine::Postgres, logs).await);
}

async fn answers_are_as_they_were(engine: Engine, logs: Logs) {
    let server = TestServer::start_at(engine, logs, "2027-05-03T09:30:00Z".parse().unwrap()).await;
    let mut book = Book {
        client: server.logicboxes().await,
        text: String::new(),
    };
    of_customers(&mut book).await;
    of_contacts(&mut book).await;
    of_faults(&mut book).await;
    server.finish().await;
    let file = repository_root().join(FILE);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&file, &book.text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    for (kept, said) in kept.lines().zip(book.text.lines()) {
        assert_eq!(said, kept);
    }
    assert_eq!(book.text.len(), kept.len());
}

/// What was said so far.
struct Book {
    client: LogicBoxes,
    text: String,
}

impl Book {
    /// Calls a method for JSON and for XML, and keeps what is answered. Gives it as JSON.
    async fn ask(&mut self, method: &str, parameters: &[(&str, &str)]) -> String {
        let mut told = Vec::new();
        for extension in ["json", "xml"] {
            let reply = self.client.call_for(extension, method, parameters).await;
            let (status, text) = (reply.status, reply.text());
            assert!(!text.contains('\n'), "{text}");
            let line = lasting(&text);
            self.text += &format!("{method}.{extension} {status}\n{line}\n\n");
            told.push(text);
        }
        told.swap_remove(0)
    }
}

const CUSTOMER: (&str, &str) = ("customer-id", "10000001");

async fn of_customers(book: &mut Book) {
    let id = book.client.done("customers/signup", ANN).await;
    assert_eq!(id.to_string(), CUSTOMER.1);
    book.ask("customers/details-by-id", &[CUSTOMER]).await;
    let page = [("no-of-records", "10"), ("page-no", "1")];
    book.ask("customers/search", &page).await;
    let moved = with(ANN, &[CUSTOMER, ("city", "Leeds")]);
    book.ask("customers/modify", &moved).await;
}

async fn of_contacts(book: &mut Book) {
    let whole = [
        CUSTOMER,
        ("state", "Texas"),
        ("address-line-2", "Floor 2"),
        ("address-line-3", "<Room> 'A' & B="),
        ("fax-cc", "1"),
        ("fax", "7135745288"),
        ("attr-name1", "purpose"),
        ("attr-value1", "P1"),
        ("attr-name2", "category"),
        ("attr-value2", "C11"),
    ];
    let id = book.ask("contacts/add", &with(DOCUMENTED, &whole)).await;
    let of_contact = [("contact-id", &id[..])];
    book.ask("contacts/details", &of_contact).await;
    let page = [CUSTOMER, ("no-of-records", "10"), ("page-no", "1")];
    let this = with(&page, &of_contact);
    book.ask("contacts/search", &this).await;
    book.ask("contacts/search", &with(&page, &[("contact-id", "1")]))
        .await;
    let defaults = [
        CUSTOMER,
        ("type", "Contact"),
        ("reg-contact-id", &id),
        ("admin-contact-id", &id),
        ("tech-contact-id", "-1"),
        ("billing-contact-id", "-1"),
    ];
    book.ask("contacts/modDefault", &defaults).await;
    book.ask("contacts/default", &defaults[..2]).await;
    let changed = with(DOCUMENTED, &[of_contact[0], ("city", "Austin")]);
    book.ask("contacts/modify", &changed).await;
    let criteria = [
        of_contact[0],
        ("eligibility-criteria", "APP_PREF_NEXUS"),
        ("eligibility-criteria", "CPR"),
    ];
    book.ask("contacts/validate-registrant", &criteria).await;
    let keys = [of_contact[0], ("product-key", "dotca")];
    book.ask("contacts/set-details", &keys).await;
    let sponsor = with(DOCUMENTED, &[CUSTOMER]);
    book.ask("contacts/coop/add-sponsor", &sponsor).await;
    book.ask("contacts/sponsors", &[CUSTOMER]).await;
    let other = book.client.done("contacts/add", &sponsor).await.to_string();
    let action = book
        .client
        .call("contacts/delete", &[("contact-id", &other)])
        .await;
    book.text += &format!("contacts/delete.json 200\n{}\n\n", lasting(&action.text()));
}

async fn of_faults(book: &mut Book) {
    let whole = with(DOCUMENTED, &[CUSTOMER]);
    for wrong in [
        &[("phone-cc", "0")][..],
        &[("phone-cc", "0"), ("zipcode", "0")],
        &[("city", "")],
        &[("customer-id", "1")],
    ] {
        book.ask("contacts/add", &with(&whole, wrong)).await;
    }
    book.ask("contacts/details", &[("contact-id", "1")]).await;
    book.ask("contacts/delete", &[("contact-id", "1")]).await;
}
