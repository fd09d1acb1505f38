//! The table of methods, and the one way that every call goes.
//!
//! It is the only table: the router is made of it, and so are [`routes`], which tests and documents go by, and
//! the contract document. A row says what a credential must be good for, the HTTP method that the method's page
//! documents, the path, who answers, and what the document tells of it.
//!
//! GET and POST are both taken everywhere, since clients do not agree on either; where [`Settings`] are strict,
//! only the documented one is. HEAD goes as GET does where nothing is changed, and is refused elsewhere: it is
//! sent by programs that only mean to look (RFC 9110 §9.2.1).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::any;
use chancery_app::App;
use chancery_bodies::BodyError;
use chancery_domain::access::Scope;
use chancery_domain::resellers::Reseller;
use futures_util::future::BoxFuture;

use crate::contract::Operation;
use crate::errors::{Obstacle, respond};
use crate::parameters::{BODY_LIMIT, Parameters};
use crate::values::{Format, Value};
use crate::{
    agreements, auth, contact_changes, contact_defaults, contact_searches, contacts, contract,
    customer_access, customers, eligibility, resellers, sponsors,
};

/// One line of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The HTTP method that is documented; others are taken, too, unless settings are strict.
    pub method: Method,
    /// The path below `/api/`, without its extension.
    pub path: &'static str,
    /// What a credential must be good for.
    pub needs: Scope,
}

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a client may take to send a body.
    pub body_time: Duration,
    /// Whether only the documented HTTP method is taken.
    pub strict_methods: bool,
}

/// A call that was let in.
pub(crate) struct Call {
    /// The use cases.
    pub(crate) app: App,
    /// On whose account.
    pub(crate) reseller: Reseller,
    /// All that came with it.
    pub(crate) parameters: Parameters,
}

/// What comes of a call.
pub(crate) type Answer = Result<Value, Obstacle>;

type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A line of the table with the handler behind it, and what the document tells of it.
pub(crate) struct Row {
    pub(crate) route: Route,
    pub(crate) operation: &'static Operation,
    handler: Handler,
}

impl Row {
    fn of<F, R>(
        needs: Scope,
        method: Method,
        path: &'static str,
        handler: F,
        operation: &'static Operation,
    ) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        Self {
            route: Route {
                method,
                path,
                needs,
            },
            operation,
            handler: Arc::new(move |call| Box::pin(handler(call))),
        }
    }
}

/// The table.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Row> {
    use Scope::{Orders, Read};
    use contract::contacts as described;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        Row::of(Orders, POST, "contacts/add", contacts::add, &described::ADD),
        Row::of(Read, GET, "contacts/details", contacts::details, &described::DETAILS),
        Row::of(Read, GET, "contacts/search", contact_searches::search, &described::SEARCH),
        Row::of(Read, POST, "contacts/default", contact_defaults::default, &described::DEFAULT),
        Row::of(Orders, POST, "contacts/modDefault", contact_defaults::mod_default, &described::MOD_DEFAULT),
        Row::of(Orders, POST, "contacts/modify", contact_changes::modify, &described::MODIFY),
        Row::of(Orders, POST, "contacts/set-details", contact_changes::set_details, &described::SET_DETAILS),
        Row::of(Orders, POST, "contacts/delete", contact_changes::delete, &described::DELETE),
        Row::of(Read, GET, "contacts/validate-registrant", eligibility::validate_registrant, &described::VALIDATE),
        Row::of(Read, GET, "contacts/sponsors", sponsors::sponsors, &described::SPONSORS),
        Row::of(Orders, POST, "contacts/coop/add-sponsor", sponsors::add, &described::ADD_SPONSOR),
        Row::of(Read, GET, "contacts/dotca/registrantagreement", agreements::dotca, &described::REGISTRANT_AGREEMENT),
        Row::of(Orders, POST, "customers/signup", customers::sign_up, &contract::customers::SIGN_UP),
        Row::of(Orders, POST, "customers/v2/signup", customers::sign_up, &contract::customers::SIGN_UP_2),
        Row::of(Read, GET, "customers/details", customers::details, &contract::customers::DETAILS),
        Row::of(Read, GET, "customers/details-by-id", customers::details_by_id, &contract::customers::DETAILS_BY_ID),
        Row::of(Read, GET, "customers/search", customers::search, &contract::customers::SEARCH),
        Row::of(Orders, POST, "customers/modify", customers::modify, &contract::customers::MODIFY),
        Row::of(Orders, POST, "customers/change-password", customer_access::change_password, &contract::customers::CHANGE_PASSWORD),
        Row::of(Orders, POST, "customers/v2/change-password", customer_access::change_password, &contract::customers::CHANGE_PASSWORD_2),
        Row::of(Orders, GET, "customers/forgot-password", customer_access::forgot_password, &contract::customers::FORGOT_PASSWORD),
        Row::of(Orders, GET, "customers/temp-password", customer_access::temporary_password, &contract::customers::TEMPORARY_PASSWORD),
        Row::of(Orders, GET, "customers/generate-token", customer_access::token, &contract::customers::TOKEN),
        Row::of(Orders, GET, "customers/generate-login-token", customer_access::login_token, &contract::customers::LOGIN_TOKEN),
        Row::of(Read, GET, "customers/authenticate-token", customer_access::authenticate_token, &contract::customers::AUTHENTICATE_TOKEN),
        Row::of(Read, GET, "customers/authenticate-token-without-history", customer_access::authenticate_token, &contract::customers::AUTHENTICATE_TOKEN_2),
        Row::of(Orders, POST, "customers/delete", customers::delete, &contract::customers::DELETE),
        Row::of(Read, GET, "resellers/details", resellers::details, &contract::resellers::DETAILS),
    ]
}

/// All that is served.
pub fn routes() -> Vec<Route> {
    table().into_iter().map(|row| row.route).collect()
}

/// What one route needs to answer.
#[derive(Clone)]
struct Wire {
    app: App,
    settings: Settings,
    route: Arc<Route>,
    operation: &'static Operation,
    handler: Handler,
    format: Format,
}

/// The dialect as a service. It answers every path, unknown ones in the dialect's own way, and so belongs behind
/// `/api/` only. Its requests must carry `ConnectInfo<SocketAddr>`: where the client is.
pub fn router(app: &App, settings: Settings) -> Router {
    let mut router = Router::new();
    for row in table() {
        let Row {
            route,
            operation,
            handler,
        } = row;
        let route = Arc::new(route);
        for format in Format::ALL {
            let path = format!("/api/{}.{}", route.path, format.extension());
            let wire = Wire {
                app: app.clone(),
                settings,
                route: route.clone(),
                operation,
                handler: handler.clone(),
                format,
            };
            let answer = move |request| wire.clone().answer(request);
            router = router.route(&path, any(answer));
        }
    }
    router.fallback(unknown_address)
}

/// Answers whoever comes while there are too many others.
pub fn overloaded(path: &str) -> Response {
    Obstacle::Overloaded.answer(Format::of(path))
}

async fn unknown_address(uri: Uri) -> Response {
    Obstacle::UnknownAddress.answer(Format::of(uri.path()))
}

impl Wire {
    async fn answer(self, request: Request) -> Response {
        let format = self.format;
        match self.call(request).await {
            Ok(value) => respond(StatusCode::OK, format, format.write(&value)),
            Err(obstacle) => obstacle.answer(format),
        }
    }

    async fn call(self, request: Request) -> Answer {
        self.check_method(request.method())?;
        let address = client(&request)?;
        if !request.body().is_end_stream() {
            auth::prove_ahead(&self.app, request.uri().query(), address).await?;
        }
        let parameters = self.parameters(request).await?;
        let needs = self.route.needs;
        let reseller = auth::admit(&self.app, &parameters, address, needs).await?;
        if let Some(name) = self.operation.missing(&parameters) {
            return Err(Obstacle::Missing(name));
        }
        let call = Call {
            app: self.app,
            reseller,
            parameters,
        };
        (self.handler)(call).await
    }

    fn check_method(&self, method: &Method) -> Result<(), Obstacle> {
        let asked = match *method {
            Method::HEAD if self.route.needs == Scope::Read => &Method::GET,
            _ => method,
        };
        let documented = &self.route.method;
        let is_right = asked == documented;
        match self.settings.strict_methods {
            _ if is_right => Ok(()),
            false if [Method::GET, Method::POST].contains(asked) => Ok(()),
            false => Err(Obstacle::WrongMethod("GET or POST")),
            true if documented == Method::GET => Err(Obstacle::WrongMethod("GET")),
            true => Err(Obstacle::WrongMethod("POST")),
        }
    }

    async fn parameters(&self, request: Request) -> Result<Parameters, Obstacle> {
        let (parts, body) = request.into_parts();
        let body = chancery_bodies::read_secret(body, self.settings.body_time, BODY_LIMIT).await;
        let body = body.map_err(|error| match error {
            BodyError::TooLarge => Obstacle::TooLarge,
            BodyError::TooSlow => Obstacle::TooSlow,
            BodyError::Broken => Obstacle::Broken,
            BodyError::NoRoom => Obstacle::Overloaded,
        })?;
        let kind = parts.headers.get(header::CONTENT_TYPE);
        // A header that is no text promises nothing that could be read.
        let kind = kind.map(|value| value.to_str().unwrap_or_default());
        Parameters::merge(parts.uri.query(), kind, &body)
    }
}

/// Where the client is.
fn client(request: &Request) -> Result<IpAddr, Obstacle> {
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = connected.map(|ConnectInfo(client)| client.ip());
    Ok(address.ok_or_else(auth::no_address)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_the_documentation() {
        let documentation = include_str!("../../../docs/api/logicboxes.md");
        for Route {
            method,
            path,
            needs,
        } in routes()
        {
            let line = format!("| `{path}` | {method} | `{needs}` | [below](#");
            assert!(documentation.contains(&line), "{line}");
            let section = format!("\n## {path}\n");
            assert!(documentation.contains(&section), "{path} has no section");
        }
    }

    #[test]
    fn no_method_costs_money() {
        assert!(routes().iter().all(|route| route.needs != Scope::Money));
    }
}
