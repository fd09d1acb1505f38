//! A reseller's program that speaks the LogicBoxes dialect: a number and a key with every call.

use chancery_logicboxes::routes;
use hyper::Method;
use serde_json::Value;
use url::form_urlencoded;

use crate::http::{Http, Reply};
use crate::servers::TestServer;

/// A client of the LogicBoxes dialect.
#[derive(Clone)]
pub struct LogicBoxes {
    /// The client.
    pub http: Http,
    /// `auth-userid`
    pub user_id: String,
    /// `api-key`
    pub key: String,
}

impl LogicBoxes {
    /// A client with this credential.
    pub fn new(http: Http, user_id: &str, key: &str) -> Self {
        Self {
            http,
            user_id: user_id.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Calls a method, such as `contacts/add`, for JSON, by the HTTP method that is documented for it: parameters
    /// in the query of a GET, and in the body of a POST.
    pub async fn call(&self, method: &str, parameters: &[(&str, &str)]) -> Reply {
        self.call_for("json", method, parameters).await
    }

    /// The same for `json` or `xml`.
    pub async fn call_for(
        &self,
        extension: &str,
        method: &str,
        parameters: &[(&str, &str)],
    ) -> Reply {
        let route = routes().into_iter().find(|route| route.path == method);
        let route = route.unwrap_or_else(|| panic!("there is no method {method}"));
        let path = format!("/api/{method}.{extension}");
        let form = self.form(parameters);
        if route.method == Method::GET {
            return self.http.get(&format!("{path}?{form}")).await;
        }
        let kind = "application/x-www-form-urlencoded";
        let http = self.http.with_header("content-type", kind);
        http.send("POST", &path, form).await
    }

    /// Calls a method that succeeds, and gives what it answers.
    pub async fn done(&self, method: &str, parameters: &[(&str, &str)]) -> Value {
        let reply = self.call(method, parameters).await;
        assert_eq!(reply.status, 200, "{method}: {}", reply.text());
        reply.json()
    }

    /// Calls a method that refuses, and gives the message.
    pub async fn refused(&self, method: &str, parameters: &[(&str, &str)]) -> String {
        self.call(method, parameters).await.logicboxes_error()
    }

    /// The credential and these parameters, encoded.
    pub fn form(&self, parameters: &[(&str, &str)]) -> String {
        let credential = [("auth-userid", &self.user_id[..]), ("api-key", &self.key)];
        encoded(&[&credential, parameters].concat())
    }
}

/// Parameters with others in their place, or added.
pub fn with<'a>(
    parameters: &[(&'a str, &'a str)],
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let is_kept = |(name, _): &&(&str, &str)| others.iter().all(|(other, _)| other != name);
    let kept = parameters.iter().filter(is_kept);
    kept.chain(others).copied().collect()
}

/// The number of the customer that the client's reseller itself is.
pub async fn itself(client: &LogicBoxes, server: &TestServer) -> String {
    let operations = server.operations();
    for reseller in operations.resellers().await.unwrap() {
        let held = operations.credentials(reseller.id).await.unwrap();
        if held.iter().any(|held| held.username == client.user_id) {
            return reseller.id.to_string();
        }
    }
    panic!("no reseller has the credential {}", client.user_id)
}

/// Parameters as a query string or a form has them.
pub fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters).finish()
}

impl Reply {
    /// The message of an error in the LogicBoxes dialect, its shape checked, in JSON or XML.
    pub fn logicboxes_error(&self) -> String {
        let text = self.text();
        let expected = if text.contains("No such method") {
            404
        } else {
            500
        };
        assert_eq!(self.status, expected, "{text}");
        if self.header("content-type").starts_with("text/xml") {
            let begin = "<response><status>ERROR</status><message>";
            let rest = text.strip_prefix(begin).unwrap_or_else(|| panic!("{text}"));
            let message = rest.strip_suffix("</message></response>");
            return message.unwrap_or_else(|| panic!("{text}")).to_owned();
        }
        assert!(
            text.starts_with(r#"{"status":"ERROR","message":""#),
            "{text}"
        );
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{text}");
        body["message"].as_str().unwrap().to_owned()
    }
}
