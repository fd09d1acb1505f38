//! Approving a name: the page behind the link of an approval mail.
//!
//! Looking never approves, since mail scanners follow links; only the form's POST does (BR 3.2.2.4.4). The
//! token in the path is the secret, so the form carries nothing else.

use askama::Template;
use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chancery_app::{App, AppError, ApprovalAsked, ApprovalState};

use crate::page::{STYLE, page};

/// The approval pages, at `/approve/{token}`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/approve/{token}", get(show).post(approve))
        .with_state(app)
}

/// What is asked, with the button if it can still be pressed.
#[derive(Template)]
#[template(path = "approval.html")]
struct ApprovalPage {
    style: &'static str,
    asked: ApprovalAsked,
    stage: Stage,
}

/// What the page has to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The question.
    Asking,
    /// Thanks, just now.
    Approved,
    /// It was answered before.
    Given,
    /// Too late.
    Closed,
}

impl ApprovalPage {
    fn new(asked: ApprovalAsked, stage: Stage) -> Self {
        Self {
            style: STYLE,
            asked,
            stage,
        }
    }

    /// The names in few words, for headlines.
    fn headline(&self) -> String {
        match &self.asked.names[..] {
            [] => "these names".to_owned(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }

    /// What is approved, before the names.
    fn what(&self) -> &'static str {
        match self.asked.order {
            Some(_) => "the certificate for",
            None => "certificates for",
        }
    }

    fn title(&self) -> &'static str {
        match self.stage {
            Stage::Asking => "Approve a certificate",
            Stage::Approved | Stage::Given => "Certificate approved",
            Stage::Closed => "Nothing to approve",
        }
    }

    /// What is left to be done, if anything; pages that only tell are done.
    fn is_open(&self) -> bool {
        self.stage == Stage::Asking
    }
}

/// A page with a headline and a sentence.
#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage {
    style: &'static str,
    title: &'static str,
    text: &'static str,
}

/// `GET /approve/{token}`: shows what would be approved.
async fn show(State(app): State<App>, path: RawPathParams) -> Response {
    match app.approval(token(&path)).await {
        Ok(asked) => {
            let stage = match asked.state {
                ApprovalState::Open => Stage::Asking,
                ApprovalState::Given => Stage::Given,
                ApprovalState::Closed => Stage::Closed,
            };
            page(StatusCode::OK, &ApprovalPage::new(asked, stage))
        }
        Err(error) => failure(error),
    }
}

/// `POST /approve/{token}`: approves.
async fn approve(State(app): State<App>, path: RawPathParams) -> Response {
    let token = token(&path);
    let before = match app.approval(token).await {
        Ok(asked) => asked,
        Err(error) => return failure(error),
    };
    let (status, stage) = match app.approve(token).await {
        Ok(ApprovalState::Given) if before.state == ApprovalState::Open => {
            (StatusCode::OK, Stage::Approved)
        }
        Ok(ApprovalState::Given) => (StatusCode::OK, Stage::Given),
        Ok(ApprovalState::Open | ApprovalState::Closed) => (StatusCode::CONFLICT, Stage::Closed),
        Err(error) => return failure(error),
    };
    page(status, &ApprovalPage::new(before, stage))
}

fn token(path: &RawPathParams) -> &str {
    path.iter()
        .find(|(name, _)| *name == "token")
        .map_or("", |(_, token)| token)
}

fn failure(error: AppError) -> Response {
    let notice = |title, text| NoticePage {
        style: STYLE,
        title,
        text,
    };
    let (status, notice) = match error {
        AppError::NotFound { .. }
        | AppError::Unauthenticated
        | AppError::UnknownUsername
        | AppError::WrongPassword
        | AppError::AddressNotAllowed(_)
        | AppError::OutOfScope { .. }
        | AppError::Suspended
        | AppError::TooMany { .. }
        | AppError::Invalid(_)
        | AppError::Refused(_)
        | AppError::WrongState(_) => (
            StatusCode::NOT_FOUND,
            notice(
                "There is nothing here",
                "The link is incomplete, or it was replaced by a newer one. Please open the link \
                 of the latest message.",
            ),
        ),
        AppError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            notice(
                "Please try again",
                "Your answer met another change and was not kept. Please go back and press the \
                 button once more.",
            ),
        ),
        AppError::Unavailable { source, .. } => {
            tracing::error!(error = source.as_ref(), "the database is away");
            let notice = notice(
                "Please try again later",
                "We cannot answer at the moment. Please open the link again in a few minutes.",
            );
            let mut response = page(StatusCode::SERVICE_UNAVAILABLE, &notice);
            let headers = response.headers_mut();
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(AppError::AWAY_SECONDS),
            );
            return response;
        }
        AppError::Internal(source) => {
            tracing::error!(error = source.as_ref(), "request failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                notice(
                    "Something went wrong",
                    "This is our fault. Please try again in a few minutes.",
                ),
            )
        }
    };
    page(status, &notice)
}

#[cfg(test)]
mod tests {
    use chancery_domain::names::DomainName;

    use super::*;

    fn an_approval() -> ApprovalAsked {
        let name = |text| DomainName::parse(text).unwrap();
        ApprovalAsked {
            names: vec![name("shop.example"), name("*.shop.example")],
            withdrawn: vec![name("old.shop.example")],
            further: vec![name("kiosk.example")],
            reuse: "Your approval shows control of shop.example.".to_owned(),
            product: Some("Example DV".to_owned()),
            reseller: "<script>alert(1)</script> & Sons".to_owned(),
            address: "admin@shop.example".to_owned(),
            order: Some("1000000001".to_owned()),
            state: ApprovalState::Open,
        }
    }

    fn html(stage: Stage) -> String {
        ApprovalPage::new(an_approval(), stage).render().unwrap()
    }

    #[test]
    fn the_question_says_what_is_approved_and_by_whom() {
        let html = html(Stage::Asking);
        for text in [
            "shop.example",
            "*.shop.example",
            "old.shop.example",
            "kiosk.example",
            "shows control of shop.example",
            "Example DV",
            "admin@shop.example",
            "1000000001",
        ] {
            assert!(html.contains(text), "{text}");
        }
        assert!(html.contains("<form method=\"post\">"));
        assert!(html.contains("lang=\"en\""));
        assert!(
            html.contains(&format!("<style>{STYLE}</style>")),
            "the policy has its hash"
        );
    }

    #[test]
    fn what_others_wrote_is_escaped() {
        let html = html(Stage::Asking);
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"),
            "{html}"
        );
    }

    #[test]
    fn only_an_open_question_has_a_button() {
        for stage in [Stage::Approved, Stage::Given, Stage::Closed] {
            assert!(!html(stage).contains("<form"), "{stage:?}");
        }
        assert!(html(Stage::Closed).contains("Nothing is asked of you"));
    }

    #[test]
    fn an_unknown_token_gets_a_page() {
        let error = AppError::NotFound {
            what: chancery_app::Noun::Approval,
            id: String::new(),
        };
        assert_eq!(failure(error).status(), StatusCode::NOT_FOUND);
        let error = AppError::internal(std::io::Error::other("disk"));
        assert_eq!(failure(error).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
