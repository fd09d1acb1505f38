//! Every method of the LogicBoxes dialect, sent in every form in which known clients send their calls: the requests as
//! they stand on the wire. What is answered is the same in all of them.

use chancery_testkit::{LogicBoxes, TestServer, encoded, on_both_engines};

use crate::logicboxes_matrix::{Row, Words, make, rows};

on_both_engines!(every_sender_is_understood);

const FORM: &str = "application/x-www-form-urlencoded";

/// What a form is, and the request in it.
type Request = (&'static str, String);

/// A call, before it has a form.
struct Message<'a> {
    client: &'a LogicBoxes,
    /// Such as `/api/contacts/add.json`.
    path: String,
    parameters: &'a [(&'a str, &'a str)],
}

impl Message<'_> {
    /// The credential and all parameters, encoded.
    fn form(&self) -> String {
        self.client.form(self.parameters)
    }

    fn get(&self, query: &str, headers: &str) -> String {
        let path = &self.path;
        format!("GET {path}?{query} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
    }

    fn post(&self, query: &str, headers: &str, body: &str) -> String {
        let (path, length) = (&self.path, body.len());
        let mark = if query.is_empty() { "" } else { "?" };
        format!(
            "POST {path}{mark}{query} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    fn in_the_query_string(&self) -> Vec<Request> {
        let (path, form) = (&self.path, self.form());
        let older = [
            ("auth-userid", &self.client.user_id[..]),
            ("auth-password", &self.client.key),
        ];
        let older = encoded(&[&older, self.parameters].concat());
        let mut pairs: Vec<&str> = form.split('&').collect();
        pairs.sort_unstable();
        let sorted = pairs.join("&");
        let more = format!("{form}&profiler-ink=1&lang-pref=&self-line-2=x");
        let slashes = self.get(&form, "").replacen("/api/", "//api//", 1);
        let without_length = format!("POST {path}?{form} HTTP/1.1\r\nHost: x\r\n\r\n");
        let json = "Content-Type: application/json\r\n";
        vec![
            ("GET", self.get(&form, "")),
            ("GET with a pointless header", self.get(&form, json)),
            ("the older name of the key", self.get(&older, "")),
            ("doubled slashes", slashes),
            ("unknown and empty parameters", self.get(&more, "")),
            ("a POST without a body", self.post(&form, "", "")),
            ("a POST without a length", without_length),
            ("sorted by name", self.post(&sorted, "", "")),
        ]
    }

    fn beside_a_useless_body(&self) -> Vec<Request> {
        let form = self.form();
        let with = |kind: &str, body: &str| {
            let header = format!("Content-Type: {kind}\r\n");
            self.post(&form, &header, body)
        };
        vec![
            (
                "a multipart header without boundary or body",
                with("multipart/form-data", ""),
            ),
            ("text/plain without a body", with("text/plain", "")),
            ("JSON that is none", with("application/json", "{")),
            ("JSON for a form", with(FORM, r#"{"a":"100%"}"#)),
            ("query string and form the same", with(FORM, &form)),
        ]
    }

    fn in_the_body(&self) -> Vec<Request> {
        let form = self.form();
        let (credential, rest) = (self.client.form(&[]), encoded(self.parameters));
        let numbered = form.replace("&type=", "&type%5B0%5D=");
        let kind = format!("Content-Type: {FORM}\r\n");
        let charset = format!("Content-Type: {FORM}; charset=utf-8\r\n");
        let announced = format!("{kind}Expect: 100-continue\r\n");
        vec![
            ("a form", self.post("", &kind, &form)),
            ("a form with a charset", self.post("", &charset, &form)),
            ("a form that says not so", self.post("", "", &form)),
            ("PHP's arrays", self.post("", &kind, &numbered)),
            ("credential before", self.post(&credential, &kind, &rest)),
            ("credential behind", self.post(&rest, &kind, &credential)),
            ("announced", self.post("", &announced, &form)),
            ("a multipart form", self.in_parts()),
        ]
    }

    fn in_parts(&self) -> String {
        let credential = [
            ("auth-userid", &self.client.user_id[..]),
            ("api-key", &self.client.key),
        ];
        let part = |(name, value): &(&str, &str)| {
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let all = credential.iter().chain(self.parameters);
        let parts: String = all.map(part).collect();
        self.post(
            "",
            "Content-Type: multipart/form-data; boundary=cut\r\n",
            &format!("{parts}--cut--\r\n"),
        )
    }

    /// The call in all the forms in which it may come.
    fn requests(&self) -> Vec<Request> {
        let requests = [
            self.in_the_query_string(),
            self.beside_a_useless_body(),
            self.in_the_body(),
        ];
        requests.concat()
    }
}

/// How many forms there are.
const FORMS: usize = 21;

/// Whether a call can be made once about the same thing, or a few times only.
fn uses_up(method: &str) -> bool {
    let ends = ["delete", "signup", "forgot-password"];
    ends.iter().any(|end| method.ends_with(end))
}

/// Whether a method answers with a number or a text that is new each time.
fn makes_something(method: &str) -> bool {
    let makes = [
        "/add",
        "signup",
        "temp-password",
        "generate-token",
        "generate-login-token",
    ];
    makes.iter().any(|end| method.ends_with(end))
}

/// An answer without moments and numbers of lines in histories, which are new each time.
pub(crate) fn lasting(text: &str) -> String {
    const NEW: [&str; 4] = [
        "eaqid",
        "contact.creationdt",
        "contact.timestamp",
        "creationdt",
    ];
    let places = NEW.into_iter().flat_map(|key| {
        [
            (format!("\"{key}\":\""), '"'),
            (format!("<string>{key}</string><string>"), '<'),
        ]
    });
    places.fold(text.to_owned(), |text, (begin, end)| {
        let mut parts = text.split(&begin[..]);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |told, part| {
            let after = part.find(end).expect("a value has an end");
            told + &begin + &part[after..]
        })
    })
}

/// What an answer has that is the same however it was asked for.
fn same(method: &str, text: &str, words: &Words) -> String {
    let text = lasting(&words.mask(text));
    let is_new = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    match makes_something(method) {
        true => text.replace(is_new, ""),
        false => text,
    }
}

async fn every_sender_is_understood(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let mut made = 0;
    for (row, _) in rows() {
        for extension in ["json", "xml"] {
            is_understood(&client, row, extension, made).await;
            made += FORMS + 1;
        }
    }
    server.world().run_due_jobs().await;
}

/// Sends a method in all forms, about things whose numbers begin at one.
async fn is_understood(client: &LogicBoxes, row: &Row, extension: &str, first: usize) {
    let mut words = make(client, row.about, first).await;
    let mut before: Option<String> = None;
    for number in 0..FORMS {
        if uses_up(row.method) {
            words = make(client, row.about, first + 1 + number).await;
        }
        let filled = row.filled(&words);
        let parameters: Vec<(&str, &str)> = filled
            .iter()
            .map(|(name, value)| (*name, &value[..]))
            .collect();
        let message = Message {
            client,
            path: format!("/api/{}.{extension}", row.method),
            parameters: &parameters,
        };
        let requests = message.requests();
        assert_eq!(requests.len(), FORMS);
        let (form, request) = &requests[number];
        let reply = client.http.send_raw(request.as_bytes()).await;
        let text = reply.text();
        assert_eq!(
            reply.status, 200,
            "{}, {form}: {text}\n{request}",
            row.method
        );
        let told = same(row.method, &text, &words);
        match &before {
            None => before = Some(told),
            Some(before) => assert_eq!(&told, before, "{}, {form}", row.method),
        }
    }
}
