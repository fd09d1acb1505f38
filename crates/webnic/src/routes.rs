//! The table of routes, aliases among them: where, by which method, with what scope, and who answers.
//!
//! It is the only one: the router is made of it, and so is [`routes`], which tests and documents go by.
//!
//! Paths the contract leaves open are our choice; the aliases beside them are the other names a client may
//! have been told.

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use chancery_app::{App, Suspended};
use chancery_domain::access::Scope;

use crate::contract::Operation;
use crate::{
    balance, contacts, contract, csrs, domains, downloads, errors, order_searches,
    order_statistics, orders, organizations, products, revocations, tokens, validations as dcv,
};

/// One line of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its variables in braces.
    pub path: &'static str,
    /// What a credential must be good for; nothing where the route is how one signs in.
    pub needs: Option<Scope>,
    /// Whether it serves a reseller that is suspended.
    pub suspended: Suspended,
}

/// A line of the table with the handler behind it, and what the document tells of it.
pub(crate) struct Row {
    pub(crate) route: Route,
    pub(crate) operation: &'static Operation,
    handler: MethodRouter<Wire>,
}

impl Row {
    /// A row for whoever comes.
    fn open<H, T>(
        method: Method,
        path: &'static str,
        handler: H,
        operation: &'static Operation,
    ) -> Self
    where
        H: Handler<T, Wire>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone());
        let handler = on(filter.expect("the table has ordinary methods"), handler);
        let needs = None;
        let route = Route {
            method,
            path,
            needs,
            suspended: Suspended::Refuse,
        };
        Self {
            route,
            operation,
            handler,
        }
    }

    /// A row for credentials of a scope.
    fn of<H, T>(
        needs: Scope,
        method: Method,
        path: &'static str,
        handler: H,
        operation: &'static Operation,
    ) -> Self
    where
        H: Handler<T, Wire>,
        T: 'static,
    {
        let mut row = Self::open(method, path, handler, operation);
        row.route.needs = Some(needs);
        row
    }

    /// The same, also while the reseller is suspended.
    fn while_suspended(mut self) -> Self {
        self.route.suspended = Suspended::Admit;
        self
    }
}

/// The table. A handler with a `Caller` lets in who is good for its row. Of rows with one operation the first
/// has its name, and the others are aliases.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Row> {
    use Scope::{Money, Orders, Read};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    vec![
        Row::open(POST, "/reseller/v2/api-user/token", tokens::create, &contract::account::SIGN_IN),
        Row::of(Read, GET, "/reseller/v2/balance", balance::show, &contract::account::BALANCE),
        Row::of(Orders, POST, "/ssl/v2/contact/create", contacts::create, &contract::contacts::CREATE),
        Row::of(Read, GET, "/ssl/v2/contact/info", contacts::show, &contract::contacts::SHOW),
        Row::of(Read, GET, "/ssl/v2/contact/{contactId}", contacts::show, &contract::contacts::SHOW),
        Row::of(Orders, DELETE, "/ssl/v2/contact", contacts::delete, &contract::contacts::DELETE),
        Row::of(Orders, DELETE, "/ssl/v2/contact/delete", contacts::delete, &contract::contacts::DELETE),
        Row::of(Orders, DELETE, "/ssl/v2/contact/{contactId}", contacts::delete, &contract::contacts::DELETE),
        Row::of(Orders, POST, "/ssl/v2/generate-csr", csrs::generate, &contract::csrs::GENERATE),
        Row::of(Orders, POST, "/ssl/v2/csr/generate", csrs::generate, &contract::csrs::GENERATE),
        Row::of(Read, POST, "/ssl/v2/decode-csr", csrs::decode, &contract::csrs::DECODE),
        Row::of(Read, POST, "/ssl/v2/csr/decode", csrs::decode, &contract::csrs::DECODE),
        Row::of(Read, GET, "/ssl/v2/products/list", products::list, &contract::products::LIST),
        Row::of(Read, GET, "/ssl/v2/products/list/price", products::list_with_prices, &contract::products::LIST_WITH_PRICES),
        Row::of(Read, GET, "/ssl/v2/products/info", products::info, &contract::products::INFO),
        Row::of(Read, GET, "/ssl/v2/products/rules", products::rules, &contract::products::RULES),
        Row::of(Read, GET, "/ssl/v2/products/pricing", products::pricing, &contract::products::PRICING),
        Row::of(Orders, POST, "/ssl/v2/organization/create", organizations::create, &contract::organizations::CREATE),
        Row::of(Read, POST, "/ssl/v2/organization/search", organizations::search, &contract::organizations::SEARCH),
        Row::of(Read, GET, "/ssl/v2/organization/{organizationId}/info", organizations::show, &contract::organizations::SHOW),
        Row::of(Read, GET, "/ssl/v2/organization/info", organizations::show, &contract::organizations::SHOW),
        Row::of(Orders, PUT, "/ssl/v2/organization/{organizationId}/contact/update", organizations::update, &contract::organizations::UPDATE),
        Row::of(Orders, POST, "/ssl/v2/organization/{organizationId}/contact/update", organizations::update, &contract::organizations::UPDATE),
        Row::of(Orders, POST, "/ssl/v2/organization/{organizationId}/validation/submit", organizations::submit, &contract::organizations::SUBMIT),
        Row::of(Orders, POST, "/ssl/v2/organization/{organizationId}/validation", organizations::submit, &contract::organizations::SUBMIT),
        Row::of(Read, GET, "/ssl/v2/organization/{organizationId}/validation/status", organizations::status, &contract::organizations::STATUS),
        Row::of(Money, POST, "/ssl/v2/orders/new", orders::place, &contract::orders::PLACE),
        Row::of(Money, POST, "/ssl/v2/orders/{orderId}/renew", orders::renew, &contract::orders::RENEW),
        Row::of(Orders, POST, "/ssl/v2/orders/{orderId}/reissue", orders::reissue, &contract::orders::REISSUE),
        Row::of(Orders, PUT, "/ssl/v2/orders/{orderId}/reuse-key", orders::set_key_reuse, &contract::orders::SET_KEY_REUSE),
        Row::of(Read, GET, "/ssl/v2/orders/info", orders::info, &contract::orders::INFO),
        Row::of(Read, POST, "/ssl/v2/orders/search", order_searches::search, &contract::orders::SEARCH),
        Row::of(Read, GET, "/ssl/v2/orders/statistics", order_statistics::show, &contract::orders::STATISTICS),
        Row::of(Read, GET, "/ssl/v2/orders/statistics/graph", order_statistics::graph, &contract::orders::GRAPH),
        Row::of(Orders, POST, "/ssl/v2/orders/{orderId}/cancel", orders::cancel, &contract::orders::CANCEL),
        Row::of(Orders, POST, "/ssl/v2/orders/{orderId}/revoke", revocations::revoke, &contract::orders::REVOKE).while_suspended(),
        Row::of(Read, POST, "/ssl/v2/orders/{orderId}/download/format/{format}", downloads::download, &contract::downloads::DOWNLOAD),
        Row::of(Read, GET, "/ssl/v2/orders/{orderId}/dcv-status", dcv::status, &contract::validations::STATUS),
        Row::of(Read, GET, "/ssl/v2/orders/{orderId}/auth/info", dcv::info, &contract::validations::INFO),
        Row::of(Orders, PUT, "/ssl/v2/orders/{orderId}/auth", dcv::change, &contract::validations::CHANGE),
        Row::of(Orders, POST, "/ssl/v2/orders/{orderId}/auth", dcv::change, &contract::validations::CHANGE),
        Row::of(Orders, PUT, "/ssl/v2/orders/{orderId}/approver-email", dcv::change_approvers, &contract::validations::CHANGE_APPROVERS),
        Row::of(Orders, POST, "/ssl/v2/orders/{orderId}/approver-email/send", dcv::resend, &contract::validations::RESEND),
        Row::of(Orders, POST, "/ssl/v2/domains/validate", domains::validate, &contract::domains::VALIDATE),
        Row::of(Read, GET, "/ssl/v2/domains/list", domains::list, &contract::domains::LIST),
        Row::of(Read, GET, "/ssl/v2/domains/{domainId}/info", domains::info, &contract::domains::INFO),
        Row::of(Orders, DELETE, "/ssl/v2/domains/{domainId}", domains::drop_domain, &contract::domains::DROP),
        Row::of(Read, GET, "/ssl/v2/proofs/list", domains::list_proofs, &contract::domains::PROOFS),
        Row::of(Orders, DELETE, "/ssl/v2/proofs/{proofId}", domains::drop_proof, &contract::domains::DROP_PROOF),
        Row::of(Read, GET, "/ssl/v2/domainValidations/approver-list", dcv::approvers, &contract::validations::APPROVERS),
        Row::of(Read, GET, "/ssl/v2/domain-validations/approver-list", dcv::approvers, &contract::validations::APPROVERS),
        Row::of(Read, GET, "/ssl/v2/orders/approver-list", dcv::approvers, &contract::validations::APPROVERS),
    ]
}

/// All that is served, aliases among it.
pub fn routes() -> Vec<Route> {
    table().into_iter().map(|row| row.route).collect()
}

/// What every handler shares, and what its row says of it.
#[derive(Clone)]
pub(crate) struct Wire {
    app: App,
    /// How long a client may take to send a body.
    pub(crate) body_time: Duration,
    needs: Scope,
    suspended: Suspended,
}

impl FromRef<Wire> for App {
    fn from_ref(wire: &Wire) -> Self {
        wire.app.clone()
    }
}

impl Wire {
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// What a credential must be good for.
    pub(crate) fn needs(&self) -> Scope {
        self.needs
    }

    /// Whether it serves a reseller that is suspended.
    pub(crate) fn suspended(&self) -> Suspended {
        self.suspended
    }
}

/// The dialect as a service. `body_time` is how long a client may take to send a body.
///
/// It answers every path, unknown ones in the dialect's own way, and so belongs last in a server's table. Its
/// requests must carry `ConnectInfo<SocketAddr>`: where the client is.
pub fn router(app: App, body_time: Duration) -> Router {
    let wire = Wire {
        app,
        body_time,
        needs: Scope::Money,
        suspended: Suspended::Refuse,
    };
    let mut known = Router::new();
    for Row { route, handler, .. } in table() {
        // A row that is open lets everyone in; if its handler asked who calls, all would be needed.
        let needs = route.needs.unwrap_or(wire.needs);
        let wire = Wire {
            needs,
            suspended: route.suspended,
            ..wire.clone()
        };
        known = known.route(route.path, handler.with_state(wire));
    }
    let known = known.method_not_allowed_fallback(errors::wrong_method);
    known.fallback(errors::unknown_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_documentation() {
        let documentation = include_str!("../../../docs/api/webnic.md");
        for Route { method, path, .. } in routes() {
            assert!(documentation.contains(path), "{method} {path}");
        }
    }

    #[test]
    fn a_route_that_changes_nothing_can_be_read_and_one_that_changes_something_cannot() {
        let looks = [
            "/ssl/v2/decode-csr",
            "/ssl/v2/csr/decode",
            "/ssl/v2/organization/search",
            "/ssl/v2/orders/search",
            "/ssl/v2/orders/{orderId}/download/format/{format}",
        ];
        for Route {
            method,
            path,
            needs,
            ..
        } in routes()
        {
            let changes_nothing = method == Method::GET || looks.contains(&path);
            let said = needs.map(|needs| needs == Scope::Read);
            let is_sign_in = path == "/reseller/v2/api-user/token";
            let wanted = (!is_sign_in).then_some(changes_nothing);
            assert_eq!(said, wanted, "{method} {path}");
        }
    }
}
