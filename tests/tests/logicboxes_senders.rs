//! Every method of the LogicBoxes dialect, sent in every form in which known clients send their calls: the requests as
//! they stand on the wire.

use chancery_logicboxes::routes;
use chancery_testkit::{LogicBoxes, TestServer, encoded, on_both_engines};

use crate::logicboxes_matrix::{About, ROWS, make};

on_both_engines!(every_sender_is_understood);

const FORM: &str = "application/x-www-form-urlencoded";

/// A call in all the forms in which it may come: what the form is, and the request.
fn requests(
    client: &LogicBoxes,
    method: &str,
    parameters: &[(&str, &str)],
) -> Vec<(&'static str, String)> {
    let path = format!("/api/{method}.json");
    let form = client.form(parameters);
    let older = [
        ("auth-userid", &client.user_id[..]),
        ("auth-password", &client.key),
    ];
    let older = encoded(&[&older, parameters].concat());
    let mut pairs: Vec<&str> = form.split('&').collect();
    pairs.sort_unstable();
    let sorted = pairs.join("&");
    let (credential, rest) = (client.form(&[]), encoded(parameters));
    let numbered = form.replace("&type=", "&type%5B0%5D=");
    let part = |(name, value): (&str, &str)| {
        format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let all = [
        ("auth-userid", &client.user_id[..]),
        ("api-key", &client.key),
    ];
    let parts: String = all
        .into_iter()
        .chain(parameters.iter().copied())
        .map(part)
        .collect();

    let get = |query: &str, headers: &str| {
        format!("GET {path}?{query} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
    };
    let post = |query: &str, headers: &str, body: &str| {
        let (mark, length) = (if query.is_empty() { "" } else { "?" }, body.len());
        format!(
            "POST {path}{mark}{query} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let kind = format!("Content-Type: {FORM}\r\n");
    vec![
        ("all in the query string of a POST", post(&form, "", "")),
        (
            "the same without a length",
            format!("POST {path}?{form} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        ("sorted by name", post(&sorted, "", "")),
        ("a form", post("", &kind, &form)),
        (
            "a form with a charset",
            post(
                "",
                &format!("Content-Type: {FORM}; charset=utf-8\r\n"),
                &form,
            ),
        ),
        ("a form that says not that it is one", post("", "", &form)),
        ("a form with PHP's arrays", post("", &kind, &numbered)),
        (
            "credential in the query string, the rest in a form",
            post(&credential, &kind, &rest),
        ),
        ("the other way around", post(&rest, &kind, &credential)),
        ("query string and form the same", post(&form, &kind, &form)),
        (
            "a multipart header without boundary or body",
            post(&form, "Content-Type: multipart/form-data\r\n", ""),
        ),
        (
            "a multipart form",
            post(
                "",
                "Content-Type: multipart/form-data; boundary=cut\r\n",
                &format!("{parts}--cut--\r\n"),
            ),
        ),
        (
            "text/plain without a body",
            post(&form, "Content-Type: text/plain\r\n", ""),
        ),
        (
            "JSON that is none",
            post(&form, "Content-Type: application/json\r\n", "{"),
        ),
        (
            "a body that is announced",
            post("", &format!("{kind}Expect: 100-continue\r\n"), &form),
        ),
        ("GET", get(&form, "")),
        (
            "GET with a pointless header",
            get(&form, "Content-Type: application/json\r\n"),
        ),
        ("the older name of the key", get(&older, "")),
        (
            "doubled slashes",
            get(&form, "").replacen("/api/", "//api//", 1),
        ),
        (
            "unknown and empty parameters",
            get(
                &format!("{form}&profiler-ink=1&lang-pref=&self-line-2=x"),
                "",
            ),
        ),
    ]
}

/// Whether a call can be made once about the same thing, or a few times only.
fn uses_up(method: &str) -> bool {
    let ends = ["delete", "signup", "forgot-password"];
    ends.iter().any(|end| method.ends_with(end))
}

async fn every_sender_is_understood(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let served = routes();
    let mut made = 0;
    for row in ROWS {
        let is_served = |method: &str| served.iter().any(|route| route.path == method);
        if !is_served(row.method) || row.about != About::Nothing && !is_served("customers/signup") {
            continue;
        }
        let mut words = make(&client, row.about, made).await;
        for number in 0.. {
            if uses_up(row.method) {
                made += 1;
                words = make(&client, row.about, made).await;
            }
            let filled = row.filled(&words);
            let parameters: Vec<(&str, &str)> = filled
                .iter()
                .map(|(name, value)| (*name, &value[..]))
                .collect();
            let Some((form, request)) = requests(&client, row.method, &parameters)
                .into_iter()
                .nth(number)
            else {
                break;
            };
            let reply = client.http.send_raw(request.as_bytes()).await;
            assert_eq!(
                reply.status,
                200,
                "{}, {form}: {}\n{request}",
                row.method,
                reply.text()
            );
        }
        made += 1;
    }
    server.world().run_due_jobs().await;
}
