//! The pair of statuses clients steer by, computed from an order, its latest run, its certificate and the time.
//!
//! What the clock alone has brought about shows at once for certificates and terms; a validation that ran out
//! of time shows when the platform has ended the order, since only then the money is back.

use std::fmt;

use chancery_app::OrderFile;
use chancery_domain::Timestamp;
use chancery_domain::stages::Stage;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// `orderStatus`, as far as orders can be in it.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum OrderStatus {
    Pending,
    InProcess,
    Processed,
    PendingReissue,
    Completed,
    Expired,
    Cancelled,
    Refunded,
    Rejected,
}

/// `certStatus`, as far as certificates can be in it.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CertStatus {
    Initial,
    Active,
    PendingReissue,
    Expired,
    Revoked,
    Cancelled,
    Failed,
}

/// Both, as they go together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Statuses {
    pub(crate) order: OrderStatus,
    pub(crate) cert: CertStatus,
}

/// The statuses of an order at a moment.
pub(crate) fn statuses(file: &OrderFile, now: Timestamp) -> Statuses {
    let OrderFile {
        order,
        issuance,
        certificate,
    } = file;
    of_stage(Stage::of(order, issuance, certificate.as_ref(), now))
}

/// The pair of a stage. The one table of them.
pub(crate) fn of_stage(stage: Stage) -> Statuses {
    let (order, cert) = match stage {
        Stage::Placed => (OrderStatus::Pending, CertStatus::Initial),
        Stage::Validating => (OrderStatus::InProcess, CertStatus::Initial),
        Stage::Issuing => (OrderStatus::Processed, CertStatus::Initial),
        Stage::Active => (OrderStatus::Completed, CertStatus::Active),
        Stage::Reissuing => (OrderStatus::PendingReissue, CertStatus::PendingReissue),
        Stage::Revoked => (OrderStatus::Completed, CertStatus::Revoked),
        // Clients take a completed order for issued whatever its certificate is, and would deliver what has ended.
        Stage::Lapsed | Stage::Expired | Stage::ValidationExpired => {
            (OrderStatus::Expired, CertStatus::Expired)
        }
        Stage::Cancelled => (OrderStatus::Cancelled, CertStatus::Cancelled),
        Stage::Refunded => (OrderStatus::Refunded, CertStatus::Cancelled),
        Stage::Refused => (OrderStatus::Rejected, CertStatus::Failed),
    };
    Statuses { order, cert }
}

/// Every word of `orderStatus`, also those that no order of ours is ever in.
pub(crate) const ORDER_STATUSES: [&str; 11] = [
    "REJECTED",
    "COMPLETED",
    "EXPIRED",
    "CANCELLED",
    "PENDING",
    "PENDING_REISSUE",
    "PROCESSED",
    "IN_PROCESS",
    "REVOKED",
    "INITIAL",
    "REFUNDED",
];

/// Every word of `certStatus`, likewise.
pub(crate) const CERT_STATUSES: [&str; 8] = [
    "ACTIVE",
    "EXPIRED",
    "REVOKED",
    "CANCELLED",
    "PENDING_REISSUE",
    "INITIAL",
    "COMPLETED",
    "FAILED",
];

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::InProcess => "IN_PROCESS",
            Self::Processed => "PROCESSED",
            Self::PendingReissue => "PENDING_REISSUE",
            Self::Completed => "COMPLETED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Refunded => "REFUNDED",
            Self::Rejected => "REJECTED",
        })
    }
}

impl fmt::Display for CertStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "INITIAL",
            Self::Active => "ACTIVE",
            Self::PendingReissue => "PENDING_REISSUE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        })
    }
}

impl Serialize for OrderStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for CertStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chancery_domain::SignedDuration;
    use chancery_domain::authorizations::{Challenge, Method, RecordType};
    use chancery_domain::certificates::{CertificateId, CertificateSummary};
    use chancery_domain::contacts::ContactId;
    use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState, NameControl, Purpose};
    use chancery_domain::money::{Currency, Money};
    use chancery_domain::names::DomainName;
    use chancery_domain::orders::{Failure, NameCounts, Order, OrderId, OrderState};
    use chancery_domain::products::Term;
    use chancery_domain::resellers::ResellerId;
    use chancery_domain::validity::Validity;
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The documented order: settled, with a certificate that ends a day before its term.
    pub(crate) fn a_file() -> OrderFile {
        let names = ["*.webnic.cc", "webnic.cc"].map(|name| DomainName::parse(name).unwrap());
        let placed = at("2024-12-02T09:42:34Z");
        let order = Order {
            id: OrderId(757_512_302),
            reseller: ResellerId(2222),
            product_key: "rapidssl".to_owned(),
            product_name: "RapidSSL".to_owned(),
            term: Term(1),
            names: names.to_vec(),
            administrator: ContactId(10_618),
            technical: ContactId(10_619),
            organization: None,
            vetting: None,
            price: Money::zero(Currency::parse("USD").unwrap()),
            paid: NameCounts::of(&names, None),
            issuance: IssuanceId(5),
            certificate: Some(CertificateId(9)),
            reuse_key: None,
            companion: None,
            use_prevalidated: false,
            renews: None,
            renewed_by: None,
            carry_until: None,
            special_instruction: None,
            state: OrderState::Active {
                settled_at: at("2024-05-21T00:33:03Z"),
                expires_at: at("2025-05-21T04:00:00Z"),
            },
            stage: Stage::Active,
            created_at: placed,
            modified_at: placed,
            version: 3,
        };
        let control = |name: &DomainName| NameControl {
            name: name.clone(),
            challenge: Challenge::Dns {
                record_type: RecordType::Txt,
                host: format!("_dnsauth.{}", name.host_str()),
                value: "0123456789abcdef".to_owned(),
            },
            proof: None,
        };
        let issuance = Issuance {
            id: IssuanceId(5),
            order: order.id,
            reseller: order.reseller,
            purpose: Purpose::First,
            price: order.price,
            csr: vec![],
            spki: vec![],
            method: Method::Dns,
            names: names.iter().map(control).collect(),
            looks: 1,
            looked_at: None,
            validate_by: at("2025-01-01T00:00:00Z"),
            sign_from: None,
            state: IssuanceState::Issued {
                certificate: CertificateId(9),
            },
            created_at: placed,
            modified_at: placed,
            version: 2,
        };
        let certificate = CertificateSummary {
            id: CertificateId(9),
            validity: Validity {
                not_before: at("2024-05-21T00:00:00Z"),
                not_after: at("2025-05-20T04:00:00Z"),
            },
            signed_at: at("2024-05-21T00:33:03Z"),
            revoked_at: None,
            revocation_reason: None,
        };
        OrderFile {
            order,
            issuance,
            certificate: Some(certificate),
        }
    }

    /// The same before its certificate.
    pub(crate) fn an_open_file(looks: u32) -> OrderFile {
        let mut file = a_file();
        file.order.state = OrderState::Open;
        file.issuance.state = IssuanceState::Validating;
        file.issuance.looks = looks;
        file.certificate = None;
        file
    }

    fn pair(file: &OrderFile, now: &str) -> (String, String) {
        let Statuses { order, cert } = statuses(file, at(now));
        (order.to_string(), cert.to_string())
    }

    #[test]
    fn every_stage_has_its_pair() {
        let spring = "2025-02-01T00:00:00Z";
        let is = |file: &OrderFile, now: &str, order: &str, cert: &str| {
            assert_eq!(pair(file, now), (order.to_owned(), cert.to_owned()));
        };
        is(&an_open_file(0), spring, "PENDING", "INITIAL");
        is(&an_open_file(1), spring, "IN_PROCESS", "INITIAL");
        let mut file = an_open_file(1);
        file.issuance.state = IssuanceState::Signing {
            certificate: CertificateId(9),
        };
        is(&file, spring, "PROCESSED", "INITIAL");
        is(&a_file(), spring, "COMPLETED", "ACTIVE");
        is(&a_file(), "2025-05-20T04:00:00Z", "COMPLETED", "ACTIVE");
        is(&a_file(), "2025-05-20T04:00:01Z", "EXPIRED", "EXPIRED");
        is(&a_file(), "2025-05-21T04:00:00Z", "EXPIRED", "EXPIRED");
        let mut file = a_file();
        file.certificate.as_mut().unwrap().revoked_at = Some(at("2024-12-24T00:00:00Z"));
        is(&file, spring, "COMPLETED", "REVOKED");
        let mut file = a_file();
        file.issuance.state = IssuanceState::Validating;
        file.issuance.purpose = Purpose::Reissue;
        is(&file, spring, "PENDING_REISSUE", "PENDING_REISSUE");
        // What the platform does by itself is not shown.
        file.issuance.purpose = Purpose::Replacement;
        is(&file, spring, "COMPLETED", "ACTIVE");
        let window = SignedDuration::from_hours(24 * 30);
        let settled = at("2024-06-01T00:00:00Z");
        file.order = file.order.refund(window, settled).unwrap();
        is(&file, spring, "REFUNDED", "CANCELLED");
        let mut file = an_open_file(4);
        file.order.state = OrderState::Cancelled;
        is(&file, spring, "CANCELLED", "CANCELLED");
        file.order.state = OrderState::Failed(Failure::ValidationExpired);
        is(&file, spring, "EXPIRED", "EXPIRED");
        file.order.state = OrderState::Failed(Failure::IssuerRefused("CAA".to_owned()));
        is(&file, spring, "REJECTED", "FAILED");
    }

    #[test]
    fn a_validation_out_of_time_stays_until_the_platform_ends_it() {
        assert_eq!(
            pair(&an_open_file(9), "2026-01-01T00:00:00Z").0,
            "IN_PROCESS"
        );
    }

    fn an_order_state() -> impl Strategy<Value = OrderState> {
        prop_oneof![
            Just(OrderState::Open),
            Just(OrderState::Cancelled),
            Just(OrderState::Failed(Failure::ValidationExpired)),
            Just(OrderState::Failed(Failure::IssuerRefused(String::new()))),
            Just(a_file().order.state),
        ]
    }

    fn an_issuance_state() -> impl Strategy<Value = IssuanceState> {
        let certificate = CertificateId(9);
        prop_oneof![
            Just(IssuanceState::Validating),
            Just(IssuanceState::Signing { certificate }),
            Just(IssuanceState::Issued { certificate }),
            Just(IssuanceState::Rejected {
                reason: String::new()
            }),
            Just(IssuanceState::Cancelled),
        ]
    }

    #[test]
    fn every_status_shown_is_among_the_words() {
        for stage in Stage::ALL {
            let Statuses { order, cert } = of_stage(stage);
            assert!(ORDER_STATUSES.contains(&&order.to_string()[..]), "{order}");
            assert!(CERT_STATUSES.contains(&&cert.to_string()[..]), "{cert}");
        }
    }

    proptest! {
        /// Whatever the facts, only pairs that clients know are shown, and time alone never makes an order
        /// younger: once expired, it stays so.
        #[test]
        fn only_known_pairs_are_shown(
            order in an_order_state(),
            issuance in an_issuance_state(),
            looks in 0..3_u32,
            has_certificate in any::<bool>(),
            revoked in any::<bool>(),
            seconds in 1_700_000_000..1_800_000_000_i64,
            later in 0..100_000_000_i64,
        ) {
            let mut file = a_file();
            file.order.state = order;
            file.issuance.state = issuance;
            file.issuance.looks = looks;
            let now = Timestamp::from_second(seconds).unwrap();
            if !has_certificate {
                file.certificate = None;
            } else if revoked {
                file.certificate.as_mut().unwrap().revoked_at = Some(now);
            }
            let known = [
                ("PENDING", "INITIAL"),
                ("IN_PROCESS", "INITIAL"),
                ("PROCESSED", "INITIAL"),
                ("COMPLETED", "ACTIVE"),
                ("COMPLETED", "REVOKED"),
                ("EXPIRED", "EXPIRED"),
                ("CANCELLED", "CANCELLED"),
                ("REJECTED", "FAILED"),
                ("PENDING_REISSUE", "PENDING_REISSUE"),
                ("REFUNDED", "CANCELLED"),
            ];
            let shown = statuses(&file, now);
            let words = (shown.order.to_string(), shown.cert.to_string());
            prop_assert!(known.contains(&(&words.0[..], &words.1[..])), "{words:?}");
            let after = statuses(&file, Timestamp::from_second(seconds + later).unwrap());
            prop_assert!(shown.order != OrderStatus::Expired || after == shown);
        }
    }
}
