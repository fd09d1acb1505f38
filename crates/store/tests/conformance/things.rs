//! Valid things to store; a test changes what it is about.

use chancery_domain::authorizations::{Challenge, Method, RecordType};
use chancery_domain::certificates::{Certificate, CertificateId, CertificateState};
use chancery_domain::checklists::VettingKind;
use chancery_domain::contact_details::{ContactDetails, PersonName};
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Attributes, Contact, ContactId, Role};
use chancery_domain::customers::CustomerId;
use chancery_domain::issuances::{
    Issuance, IssuanceId, IssuanceState, NameControl, Proof, Purpose,
};
use chancery_domain::ledger::Posting;
use chancery_domain::money::{Currency, Money};
use chancery_domain::names::DomainName;
use chancery_domain::orders::{NameCounts, Order, OrderId, OrderState};
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::Term;
use chancery_domain::resellers::{Reseller, ResellerId, ResellerSettings};
use chancery_domain::stages::Stage;
use chancery_domain::validity::Validity;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;

use crate::bed::Bed;

pub const OURS: ResellerId = ResellerId(2001);
pub const THEIRS: ResellerId = ResellerId(2002);

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::new(seconds, 123_456_000)
}

pub fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub fn usd(minor: i64) -> Money {
    Money {
        minor,
        currency: Currency::parse("USD").unwrap(),
    }
}

pub fn a_reseller(id: ResellerId) -> Reseller {
    let currency = Currency::parse("USD").unwrap();
    Reseller {
        id,
        name: format!("Händler {id}"),
        currency,
        created_at: at(1),
        settings: ResellerSettings {
            notice_footer: Some("Händler\n☃".to_owned()),
            ..ResellerSettings::default()
        },
        version: 1,
    }
}

pub fn an_order(id: i64) -> Order {
    Order {
        id: OrderId(id),
        reseller: OURS,
        product_key: "ssl123".to_owned(),
        product_name: "SSL 123 ☃".to_owned(),
        term: Term(2),
        names: vec![name("shop.example"), name("*.shop.example")],
        organization: Some(OrganizationId(8)),
        vetting: Some(VettingKind::Ev),
        administrator: ContactId(11),
        technical: ContactId(12),
        price: usd(1_999),
        paid: NameCounts {
            names: 3,
            wildcards: 1,
        },
        issuance: IssuanceId(id + 5),
        certificate: None,
        reuse_key: Some(false),
        companion: Some(name("www.shop.example")),
        use_prevalidated: true,
        renews: Some(OrderId(id + 900)),
        renewed_by: None,
        carry_until: Some(at(7_000)),
        special_instruction: Some("ring twice".to_owned()),
        state: OrderState::Open,
        stage: Stage::Placed,
        created_at: at(10),
        modified_at: at(11),
        version: 0,
    }
}

/// The issuance [`an_order`] names.
pub fn an_issuance(order: &Order) -> Issuance {
    let control = |name: &DomainName| NameControl {
        name: name.clone(),
        challenge: Challenge::Dns {
            record_type: RecordType::Txt,
            host: format!("_dnsauth.{}", name.host()),
            value: "0123456789abcdef".to_owned(),
        },
        proof: None,
    };
    Issuance {
        id: order.issuance,
        order: order.id,
        reseller: order.reseller,
        purpose: Purpose::First,
        price: order.price,
        csr: vec![1, 2, 3],
        spki: vec![4, 5],
        method: Method::Dns,
        names: order.names.iter().map(control).collect(),
        looks: 0,
        looked_at: None,
        validate_by: at(1_000),
        sign_from: None,
        state: IssuanceState::Validating,
        created_at: at(10),
        modified_at: at(11),
        version: 0,
    }
}

pub fn a_proof() -> Proof {
    Proof {
        domain: name("shop.example"),
        method: Method::Dns,
        obtained_at: at(20),
    }
}

pub fn a_certificate(id: i64, issuance: &Issuance) -> Certificate {
    Certificate {
        id: CertificateId(id),
        issuance: issuance.id,
        order: issuance.order,
        reseller: issuance.reseller,
        issuer: "embedded".to_owned(),
        serial: vec![0x11, u8::try_from(id).unwrap()],
        names: vec![name("shop.example"), name("*.shop.example")],
        spki_sha256: vec![9; 32],
        validity: Validity {
            not_before: at(30),
            not_after: at(9_000),
        },
        tbs: vec![7; 900],
        reserved_at: at(31),
        state: CertificateState::Reserved,
    }
}

pub fn a_contact(id: i64) -> Contact {
    Contact {
        id: ContactId(id),
        reseller: OURS,
        customer: CustomerId::itself(OURS),
        role: Role::Administrator,
        kind: ContactType::GENERAL,
        attributes: Attributes::new(),
        deleted_at: None,
        version: 1,
        details: ContactDetails {
            company: "Käse & Söhne \"GmbH\"".to_owned(),
            name: PersonName::Parts {
                first_name: "Zoë".to_owned(),
                last_name: "O'Hara".to_owned(),
            },
            address1: "1 High Street".to_owned(),
            address2: None,
            address3: None,
            city: "Köln".to_owned(),
            state: "NRW".to_owned(),
            country: "DE".to_owned(),
            zip: "50667".to_owned(),
            phone: "+49.221123456".parse().unwrap(),
            fax: Some("+49.221123457".parse().unwrap()),
            email: "zoe@shop.example".to_owned(),
            job_title: None,
        },
        created_at: at(2),
        modified_at: at(3),
    }
}

/// Commits what `add` puts into a change set.
pub async fn commit(
    bed: &Bed,
    add: impl FnOnce(&mut Change),
) -> Result<(), chancery_store::StoreError> {
    let mut change = Change::new();
    add(&mut change);
    bed.store.commit(change).await.map(drop)
}

/// Places an order that costs nothing.
pub fn place(change: &mut Change, order: &Order) {
    let free = Issuance {
        price: usd(0),
        ..an_issuance(order)
    };
    change.place_order(order, &Posting::charge(1, &free, at(10)), [1, 2]);
}

/// Stores two resellers, and an order of the first with its issuance.
pub async fn store_an_order(bed: &Bed, id: i64) -> (Order, Issuance) {
    if bed.store.reseller(OURS).await.unwrap().is_none() {
        store_resellers(bed).await;
    }
    let order = an_order(id);
    let issuance = an_issuance(&order);
    commit(bed, |change| {
        place(change, &order);
        change.insert_issuance(&issuance);
    })
    .await
    .unwrap();
    (order, issuance)
}

pub async fn store_resellers(bed: &Bed) {
    commit(bed, |change| {
        change.insert_reseller(&a_reseller(OURS));
        change.insert_reseller(&a_reseller(THEIRS));
    })
    .await
    .unwrap();
}
