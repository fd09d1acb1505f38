//! Orders.

use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::csrs::A_CSR;
use super::{Described, Operation, fields, validations};
use crate::order_searches::LineView;
use crate::order_statistics::{MonthView, Statistics};
use crate::orders::{OrderView, PlaceOrder, Reissue, Renew, RenewalView, SetKeyReuse};
use crate::revocations::{RevocationView, Revoke};
use crate::search::{PageView, Search};
use crate::validations::ControlsView;

const TAG: &str = "Orders";

impl Described for PlaceOrder {
    const NAME: &'static str = "PlaceOrder";

    fn schema() -> Value {
        let required = [
            Field::Product,
            Field::Term,
            Field::Csr,
            Field::Administrator,
            Field::Method,
        ];
        let optional = [
            Field::Names,
            Field::Technical,
            Field::Shipment,
            Field::Organization,
            Field::Approver,
            Field::ReuseKey,
            Field::UsePrevalidated,
            Field::SpecialInstruction,
        ];
        fields::object(&required, &optional)
    }
}

impl Described for Renew {
    const NAME: &'static str = "RenewOrder";

    fn schema() -> Value {
        let optional = [
            Field::Csr,
            Field::Names,
            Field::Method,
            Field::Approver,
            Field::ReuseKey,
            Field::UsePrevalidated,
            Field::SpecialInstruction,
        ];
        fields::object(&[Field::Term], &optional)
    }
}

impl Described for Reissue {
    const NAME: &'static str = "ReissueOrder";

    fn schema() -> Value {
        let optional = [
            Field::Csr,
            Field::Names,
            Field::Method,
            Field::Approver,
            Field::ReuseKey,
            Field::UsePrevalidated,
        ];
        fields::object(&[], &optional)
    }
}

impl Described for Revoke {
    const NAME: &'static str = "RevokeCertificate";

    fn schema() -> Value {
        fields::object(&[Field::RevocationReason], &[Field::Serial])
    }
}

impl Described for SetKeyReuse {
    const NAME: &'static str = "SetKeyReuse";

    fn schema() -> Value {
        let mut schema = fields::object(&[Field::ReuseKey], &[]);
        schema["properties"]["reuseKey"] = json!({
            "enum": [true, false, "true", "false", "default"],
            "description": "Whether the platform may certify the key again by itself when it replaces a certificate; \
                `default` leaves it to what is set for the reseller.",
        });
        schema
    }
}

pub(crate) const PLACE: Operation = Operation::new(
    TAG,
    "placeOrder",
    "Place order",
    "The common name is that of the CSR; further names come from `sanfield` or, where that is left out and the product \
     takes further names, from the CSR. The answer says what is to be shown for each name, and in `leftOut` which names \
     of the CSR the certificate will not have.",
)
.repeatable()
.takes::<PlaceOrder>(|| {
    json!({
        "productKey": "ssl123",
        "term": 1,
        "csr": A_CSR,
        "sanfield": ["www.shop.example"],
        "authType": "dns",
        "administratorContactId": "SSL10667T",
        "technicalContactId": "SSL10667T",
    })
})
.answers::<ControlsView<'static>>(validations::controls);

pub(crate) const RENEW: Operation = Operation::new(
    TAG,
    "renewOrder",
    "Renew order",
    "Opens a new order, charged like any other; all that is left of the old term is added to it. What is left out is \
     as it was. Possible from 90 days before the end of the term, or as many as the product says, until 30 days after \
     it, and once.",
)
.repeatable()
.takes::<Renew>(|| json!({ "term": 1, "csr": A_CSR }))
.answers::<RenewalView<'static>>(|| json!({ "renewOrder": validations::controls() }));

pub(crate) const REISSUE: Operation = Operation::new(
    TAG,
    "reissueOrder",
    "Reissue order",
    "Asks for a further certificate within the term. Without `csr` the last one is certified again. Names that are not paid for yet cost the difference. The certificate in force stays good until the new one is issued. \
     Where it costs, it needs the scope `money`.",
)
.repeatable()
.takes::<Reissue>(|| json!({ "csr": A_CSR, "sanfield": ["www.shop.example"] }))
.answers::<ControlsView<'static>>(validations::controls);

pub(crate) const SET_KEY_REUSE: Operation = Operation::new(
    TAG,
    "setKeyReuse",
    "Set key reuse",
    "Says whether the platform may certify the key of an order again by itself when it replaces a certificate. Without \
     that a new CSR is asked for each time.",
)
.takes::<SetKeyReuse>(|| json!({ "reuseKey": false }))
.answers::<OrderView<'static>>(an_order);

pub(crate) const INFO: Operation = Operation::new(
    TAG,
    "getOrder",
    "Get order info",
    "By number, by common name, or by both, which then have to match; of several orders with one common name \
     the newest.",
)
.query(&[("orderId", false), ("commonName", false)])
.answers::<OrderView<'static>>(an_order);

pub(crate) const SEARCH: Operation = Operation::new(
    TAG,
    "searchOrders",
    "Order pagination search",
    "By `commonName`, `name` (any of its names), `email`, `company`, `productKey`, `product` (these with `LIKE`, too), \
     `orderId`, `orderStatus`, `certStatus`, `dtcreateFrom`, `dtcreateTo`, `dtcertexpireFrom`, `dtcertexpireTo` and \
     `organizationId`, each at most once; numbers, statuses and keys may be lists with commas. Without a body, all. The \
     newest come first unless `sort` says otherwise. `partial` says that the search stopped at its bound.",
)
.may_take::<Search>(|| {
    json!({
        "filters": [
            { "field": "commonName", "operator": "LIKE", "value": "shop" },
            { "field": "orderStatus", "operator": "EQUAL", "value": "COMPLETED" },
        ],
        "pagination": { "page": 1, "pageSize": 100 },
    })
})
.answers::<PageView<LineView<'static>>>(|| {
    json!({
        "pageSize": 1,
        "totalPages": 1,
        "totalItems": 1,
        "items": [{
            "orderId": "757512302",
            "commonName": "shop.example",
            "term": "1",
            "orderStatus": "COMPLETED",
            "certStatus": "ACTIVE",
            "product": "SSL 123",
            "dtcreate": "2026-12-02T09:42:34Z",
            "dtorderexpire": "2027-12-02T09:45:10Z",
            "dtcertexpire": "2027-06-19T09:45:09Z",
            "email": "ann@shop.example",
            "company": "Shop Ltd",
        }],
    })
});

pub(crate) const STATISTICS: Operation = Operation::new(
    TAG,
    "getOrderStatistics",
    "Order statistics",
    "How many orders there are, in all and by how far they have come; with `type`, one of the numbers alone.",
)
.query(&[("type", false)])
.answers::<Statistics>(|| {
    json!({
        "total": 4,
        "totalActive": 1,
        "totalExpired": 0,
        "totalExpiring": 0,
        "totalPending": 1,
        "totalCancelled": 1,
        "totalRefunded": 1,
        "totalRejected": 0,
        "totalRevoked": 0,
        "totalLapsed": 0,
    })
});

pub(crate) const GRAPH: Operation = Operation::new(
    TAG,
    "getOrderGraphStatistics",
    "Order graph statistics",
    "How many orders were placed in each month, in all and by product: in the last twelve months, in a year, or \
     from one month to another.",
)
.query(&[
    ("year", false),
    ("from", false),
    ("to", false),
    ("productKey", false),
])
.answers::<Vec<MonthView<'static>>>(|| {
    json!([
        { "month": "2026-11", "total": 3, "products": [
            { "productKey": "dv-multi", "total": 1 },
            { "productKey": "ssl123", "total": 2 },
        ] },
        { "month": "2026-12", "total": 0, "products": [] },
    ])
});

pub(crate) const CANCEL: Operation = Operation::new(
    TAG,
    "cancelOrder",
    "Cancel order",
    "Gives back all that was charged: before the certificate, and after it within the product's refund window, \
     when the certificate is revoked. While it is being signed, it waits the moment that takes. Cancelling what is \
     cancelled succeeds. Later, a certificate can be revoked without money back.",
);

pub(crate) const REVOKE: Operation = Operation::new(
    TAG,
    "revokeCertificate",
    "Revoke certificate",
    "Revokes the certificate with a serial, or all of the order's that are in force, at any time and without moving \
     money. The revocation list has it within a minute. Revoking what is revoked succeeds. With `keyCompromise` the key \
     is never certified again, and every certificate with it is revoked.",
)
.takes::<Revoke>(|| json!({ "reason": "keyCompromise" }))
.answers::<RevocationView<'static>>(|| {
    json!({
        "orderId": "757512302",
        "certificates": [{
            "serial": "5b1f0c2d3e4f5061728394a5b6c7d8e9",
            "commonName": "shop.example",
            "dtcertexpire": "2027-06-19T09:45:09Z",
            "dtrevoke": "2027-01-08T16:20:11Z",
            "reason": "keyCompromise",
            "reasonCode": 1,
            "dtrequest": "2027-01-08T16:20:11Z",
            "dtdeadline": "2027-01-09T16:20:11Z",
        }],
        "keyBlocked": true,
        "sameKey": [{
            "orderId": "757512388",
            "serial": "1c2d3e4f5061728394a5b6c7d8e9f0a1",
            "commonName": "mail.shop.example",
            "dtcertexpire": "2027-05-02T11:00:00Z",
        }],
    })
});

fn an_order() -> Value {
    json!({
        "id": 757_512_302,
        "orderId": "757512302",
        "commonName": "shop.example",
        "resid": 2222,
        "sanfield": ["www.shop.example"],
        "term": "1",
        "orderStatus": "COMPLETED",
        "certStatus": "ACTIVE",
        "product": "SSL 123",
        "renewal": false,
        "reissue": false,
        "cancel": false,
        "dtcreate": "2026-12-02T09:42:34Z",
        "dtmodify": "2026-12-02T09:45:10Z",
        "dtsettle": "2026-12-02T09:45:10Z",
        "dtorderexpire": "2027-12-02T09:45:10Z",
        "dtcertexpire": "2027-06-19T09:45:09Z",
        "admid": "SSL10667T",
        "tecid": "SSL10667T",
        "plan": {
            "certificates": [{
                "status": "ACTIVE",
                "dtissue": "2026-12-02T09:45:10Z",
                "dtstart": "2026-12-02T09:45:10Z",
                "dtexpire": "2027-06-19T09:45:09Z",
                "capDays": 200,
                "dtreplace": "2027-04-13T09:45:09Z",
            }],
            "authorizations": [{
                "name": "shop.example",
                "authType": "dns",
                "dtvalidate": "2026-12-02T09:45:02Z",
                "dtexpire": "2027-06-20T09:45:02Z",
                "dtrenew": null,
            }],
        },
        "dtrenewable": "2027-09-03T09:45:10Z",
        "reuseKey": true,
        "companion": null,
    })
}
