//! The outside world of OTE mode and its clock, over the control surface.

use serde_json::{Value, json};

use crate::http::{Http, Reply};

/// Moves the world of a server in OTE mode.
#[derive(Clone, Debug)]
pub struct World {
    http: Http,
}

impl World {
    /// The world of the server at the other end of this client.
    pub fn new(http: Http) -> Self {
        Self { http }
    }

    /// Publishes a record set.
    pub async fn put_dns(&self, name: &str, kind: &str, values: &[&str]) {
        self.put_dns_set(name, kind, &json!({ "values": values, "ttl": 60 }))
            .await;
    }

    /// Publishes a record set as the control surface takes it, failures among them.
    pub async fn put_dns_set(&self, name: &str, kind: &str, set: &Value) {
        succeeded(self.http.put(&format!("/ote/dns/{name}/{kind}"), set).await);
    }

    /// Takes a record set back.
    pub async fn delete_dns(&self, name: &str, kind: &str) {
        succeeded(self.http.delete(&format!("/ote/dns/{name}/{kind}")).await);
    }

    /// Publishes a file; `path` begins with a slash.
    pub async fn put_web(&self, host: &str, path: &str, body: &str) {
        succeeded(
            self.http
                .send("PUT", &format!("/ote/web/{host}{path}"), body.to_owned())
                .await,
        );
    }

    /// Answers a path with a status, and with a Location where one is given.
    pub async fn put_web_answer(
        &self,
        host: &str,
        path: &str,
        status: u16,
        location: Option<&str>,
    ) {
        let mut http = self.http.with_header("x-ote-status", &status.to_string());
        if let Some(location) = location {
            http = http.with_header("x-ote-location", location);
        }
        succeeded(
            http.send("PUT", &format!("/ote/web/{host}{path}"), "moved")
                .await,
        );
    }

    /// The messages caught so far.
    pub async fn mails(&self) -> Vec<Value> {
        let mails = succeeded(self.http.get("/ote/mail").await).json();
        mails.as_array().unwrap().clone()
    }

    /// One message, its text and raw form included.
    pub async fn mail(&self, id: &Value) -> Value {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        succeeded(self.http.get(&format!("/ote/mail/{id}")).await).json()
    }

    /// The paths of the approval links in the messages to this address, oldest first.
    pub async fn approval_links(&self, address: &str) -> Vec<String> {
        let mut links = Vec::new();
        for mail in self.mails().await {
            if !mail["to"].to_string().contains(address) {
                continue;
            }
            let text = self.mail(&mail["id"]).await["text"]
                .as_str()
                .unwrap()
                .to_owned();
            let link = text
                .split_whitespace()
                .find(|word| word.contains("/approve/"));
            let link = link.unwrap_or_else(|| panic!("no link in {text}"));
            // A message keeps the address that the server had when it was sent.
            links.push(link[link.find("/approve/").unwrap_or_default()..].to_owned());
        }
        links
    }

    /// Forgets the messages caught so far.
    pub async fn clear_mail(&self) {
        succeeded(self.http.delete("/ote/mail").await);
    }

    /// The time by the server's clock, RFC 3339.
    pub async fn now(&self) -> String {
        let clock = succeeded(self.http.get("/ote/clock").await).json();
        clock["now"].as_str().unwrap().to_owned()
    }

    /// Moves the clock forward, then runs what has become due.
    pub async fn advance(&self, seconds: i64) {
        self.advance_clock(seconds).await;
        self.run_due_jobs().await;
    }

    /// Moves the clock forward and leaves the rest to the worker.
    pub async fn advance_clock(&self, seconds: i64) {
        let body = json!({ "advance_seconds": seconds });
        succeeded(self.http.post("/ote/clock", &body).await);
    }

    /// Runs what is due, and returns once nothing is.
    pub async fn run_due_jobs(&self) {
        succeeded(self.http.send("POST", "/ote/jobs/run", "").await);
    }
}

fn succeeded(reply: Reply) -> Reply {
    assert!(
        (200..300).contains(&reply.status),
        "{} {}",
        reply.status,
        reply.text()
    );
    reply
}
