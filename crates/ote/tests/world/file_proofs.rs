//! Domain control by file: redirects, limits, addresses, and what the applicant is told.

use chancery_domain::observations::{Observation, Outcome};
use chancery_outside::probe::ProbePolicy;

use crate::fixtures::{
    FILE_PATH, NOBODY, Outside, PATIENCE, Then, VALUE, address, file_challenge, look, ok_answer,
    owner, scripted_server, scripted_tls_server,
};

fn policy_for(port: u16) -> ProbePolicy {
    ProbePolicy {
        timeout: PATIENCE,
        ..ProbePolicy::loopback(port, port)
    }
}

async fn look_at(outside: &Outside, policy: ProbePolicy) -> Observation {
    look(&outside.dcv_with(policy), "shop.test", &file_challenge()).await
}

async fn look_at_answer(answer: &str, then: Then) -> Observation {
    let outside = Outside::start().await;
    let server = scripted_server(answer.as_bytes().to_vec(), then).await;
    look_at(&outside, policy_for(server.port())).await
}

#[tokio::test]
async fn the_right_file_proves_exactly_its_name() {
    let outside = Outside::start().await;
    outside.put_file("shop.test", FILE_PATH, &format!("{VALUE}\r\n"));
    let seen = outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Proved, "{seen:?}");
    assert_eq!(seen.proved_domain.as_ref(), Some(&seen.name));
    assert_eq!(seen.asked, format!("http://shop.test{FILE_PATH}"));
    assert_eq!(seen.of, outside.web.local_addr().to_string());
    assert_eq!(
        outside.look_for_file("www.shop.test").await.outcome,
        Outcome::NotFound
    );
    let seen = outside.look_for_file("*.shop.test").await;
    assert_eq!(
        (seen.outcome, seen.asked.as_str()),
        (Outcome::Forbidden, "")
    );
}

#[tokio::test]
async fn a_wrong_file_is_shown_with_what_to_put() {
    let outside = Outside::start().await;
    for wrong in [
        "else",
        "",
        &format!(" {VALUE}"),
        &format!("<html>{VALUE}</html>"),
    ] {
        outside.put_file("shop.test", FILE_PATH, wrong);
        let seen = outside.look_for_file("shop.test").await;
        assert_eq!(seen.outcome, Outcome::WrongValue, "{wrong}");
        assert!(seen.advice.contains(VALUE), "{}", seen.advice);
        assert!(seen.advice.contains(FILE_PATH), "{}", seen.advice);
    }
}

#[tokio::test]
async fn a_missing_file_and_other_statuses_prove_nothing_whatever_they_carry() {
    for (status, outcome) in [
        ("404 Not Found", Outcome::NotFound),
        ("410 Gone", Outcome::NotFound),
        ("403 Forbidden", Outcome::BadStatus),
        ("500 Oops", Outcome::BadStatus),
        ("304 Not Modified", Outcome::BadStatus),
        ("300 Multiple Choices", Outcome::Forbidden),
        ("303 See Other", Outcome::Forbidden),
    ] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nLocation: /x\r\nContent-Length: {}\r\n\r\n{VALUE}",
            VALUE.len()
        );
        let seen = look_at_answer(&answer, Then::Close).await;
        assert_eq!(seen.outcome, outcome, "{status}: {seen:?}");
        assert!(seen.found.contains(&status[..3]), "{}", seen.found);
    }
}

#[tokio::test]
async fn the_four_redirects_are_followed_to_another_host() {
    for status in [301, 302, 307, 308] {
        let outside = Outside::start().await;
        let to = "http://other.example/dcv/file?x=1#part";
        outside.put_redirect("shop.test", FILE_PATH, status, to);
        outside.put_file("other.example", "/dcv/file", VALUE);
        let seen = outside.look_for_file("shop.test").await;
        assert_eq!(seen.outcome, Outcome::Proved, "{status}: {seen:?}");
        assert!(
            seen.asked.ends_with("→ http://other.example/dcv/file?x=1"),
            "{}",
            seen.asked
        );
        assert_eq!(
            seen.proved_domain.as_ref(),
            Some(&seen.name),
            "the name, not the target"
        );
    }
}

#[tokio::test]
async fn a_relative_redirect_stays_on_the_host() {
    let outside = Outside::start().await;
    outside.put_redirect("shop.test", FILE_PATH, 302, "../elsewhere");
    outside.put_file("shop.test", "/.well-known/elsewhere", VALUE);
    assert_eq!(
        outside.look_for_file("shop.test").await.outcome,
        Outcome::Proved
    );
}

#[tokio::test]
async fn forbidden_redirects_are_not_followed_and_say_why() {
    let outside = Outside::start().await;
    for (location, why) in [
        ("http://other.test:8080/", "port 8080"),
        ("https://other.test:8443/", "port 8443"),
        ("ftp://other.test/", "scheme 'ftp'"),
        ("javascript:alert(1)", "scheme 'javascript'"),
        ("http://user:secret@other.test/", "credentials"),
        (&format!("http://other.test/{VALUE}"), "holds the value"),
        (&format!("/?{}", VALUE.to_lowercase()), "holds the value"),
        ("http://10.0.0.1/", "private or reserved"),
        ("http://[fd00::1]/", "private or reserved"),
        (
            "http://169.254.169.254/latest/meta-data/",
            "private or reserved",
        ),
        ("http://0x0a000001/", "private or reserved"),
        ("http://[::ffff:127.0.0.1]/", "private or reserved"),
        ("http://93.184.215.14/", "outside the test environment"),
        ("http://[2606:4700::1111]/", "outside the test environment"),
        ("http://", "the host is missing"),
    ] {
        outside.put_redirect("shop.test", FILE_PATH, 302, location);
        let seen = outside.look_for_file("shop.test").await;
        assert_eq!(seen.outcome, Outcome::Forbidden, "{location}: {seen:?}");
        assert!(seen.found.contains(why), "{location}: {}", seen.found);
        assert_eq!(
            seen.asked,
            format!("http://shop.test{FILE_PATH}"),
            "nothing else was asked"
        );
        assert!(seen.advice.contains(FILE_PATH), "{}", seen.advice);
    }
}

#[tokio::test]
async fn a_redirect_to_a_name_in_a_private_range_is_refused() {
    let outside = Outside::start().await;
    outside.put_redirect("shop.test", FILE_PATH, 301, "http://intranet.test/");
    outside.put_values("intranet.test", "A", &["192.168.1.10"]);
    let seen = outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    assert!(seen.found.contains("intranet.test"), "{}", seen.found);
    assert!(
        !format!("{seen:?}").contains("192.168"),
        "which address is not told: {seen:?}"
    );
}

#[tokio::test]
async fn production_connects_to_no_special_purpose_address_and_tells_none() {
    let outside = Outside::start().await;
    outside.world.zones.add_zone(&owner("shop.com")).unwrap();
    outside.put_file("shop.com", FILE_PATH, VALUE);
    let port = outside.web.local_addr().port();
    let dcv = outside.dcv_with(ProbePolicy {
        http_port: port,
        ..ProbePolicy::strict()
    });
    let seen = look(&dcv, "shop.com", &file_challenge()).await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    assert!(seen.found.contains("private or reserved"), "{}", seen.found);
    assert_eq!(
        seen.of,
        outside.dns.local_addr().to_string(),
        "only the DNS was asked"
    );

    outside.put_values("shop.com", "A", &["10.1.2.3", "192.0.2.1"]);
    outside.put_values("shop.com", "AAAA", &["fe80::1"]);
    let seen = look(&dcv, "shop.com", &file_challenge()).await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    for part in ["10.1.2.3", "192.0.2.1", "fe80::1"] {
        assert!(!format!("{seen:?}").contains(part), "{seen:?}");
    }
}

#[tokio::test]
async fn ranges_the_operator_denies_are_not_connected_to() {
    let outside = Outside::start().await;
    outside.put_file("shop.test", FILE_PATH, VALUE);
    let policy = ProbePolicy {
        denied: vec!["127.0.0.0/8".parse().unwrap()],
        ..policy_for(outside.web.local_addr().port())
    };
    let seen = look_at(&outside, policy).await;
    assert_eq!(seen.outcome, Outcome::Forbidden, "{seen:?}");
    assert!(
        seen.advice.contains("no check of this service connects to"),
        "{seen:?}"
    );
    assert!(!seen.found.contains("127.0.0"), "{seen:?}");
}

#[tokio::test]
async fn redirects_without_end_are_given_up_after_ten() {
    let outside = Outside::start().await;
    outside.put_redirect("shop.test", FILE_PATH, 302, FILE_PATH);
    let seen = outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    assert!(seen.found.contains("in a circle"), "{}", seen.found);

    outside.put_redirect("shop.test", FILE_PATH, 302, "/1");
    for n in 1..10 {
        outside.put_redirect("shop.test", &format!("/{n}"), 302, &format!("/{}", n + 1));
    }
    outside.put_file("shop.test", "/10", VALUE);
    let seen = outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Proved, "ten are allowed: {seen:?}");
}

#[tokio::test]
async fn a_redirect_without_a_target_proves_nothing() {
    let answer = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    let seen = look_at_answer(answer, Then::Close).await;
    assert_eq!(seen.outcome, Outcome::BadStatus);
    assert_eq!(seen.found, "status 302 without a Location header");
}

#[tokio::test]
async fn https_targets_need_no_valid_certificate() {
    let outside = Outside::start().await;
    let tls = scripted_tls_server(ok_answer(VALUE)).await;
    outside.put_redirect("shop.test", FILE_PATH, 301, "https://secure.test/file");
    let policy = ProbePolicy::loopback(outside.web.local_addr().port(), tls.port());
    let seen = look_at(&outside, policy).await;
    assert_eq!(seen.outcome, Outcome::Proved, "{seen:?}");
    assert_eq!(seen.of, format!("{} → {tls}", outside.web.local_addr()));
}

#[tokio::test]
async fn an_https_target_that_speaks_no_tls_is_unreachable() {
    let outside = Outside::start().await;
    let plain = outside.web.local_addr().port();
    outside.put_redirect("shop.test", FILE_PATH, 301, "https://shop.test/file");
    let seen = look_at(&outside, ProbePolicy::loopback(plain, plain)).await;
    assert_eq!(seen.outcome, Outcome::Unreachable);
    assert!(seen.found.contains("TLS"), "{}", seen.found);
}

#[tokio::test]
async fn a_large_body_is_refused_with_and_without_a_length() {
    let body = format!("{VALUE}{}", " ".repeat(17 * 1024));
    let with_length = String::from_utf8(ok_answer(&body)).unwrap();
    let without_length = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    for answer in [with_length, without_length] {
        let seen = look_at_answer(&answer, Then::Close).await;
        assert_eq!(seen.outcome, Outcome::Forbidden, "{seen:?}");
        assert!(
            seen.found.contains("larger than 16384 bytes"),
            "{}",
            seen.found
        );
    }
    let body = format!("{VALUE}{}", " ".repeat(16 * 1024 - VALUE.len()));
    let answer = String::from_utf8(ok_answer(&body)).unwrap();
    assert_eq!(
        look_at_answer(&answer, Then::Close).await.outcome,
        Outcome::Proved
    );
}

#[tokio::test]
async fn slow_answers_run_into_the_time_limit() {
    let slow_head = "HTTP/1.1 200 OK\r\n";
    let half = &VALUE[..VALUE.len() / 2];
    let slow_body = format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{half}");
    let (nothing, head, body) = tokio::join!(
        look_at_answer("", Then::Stall),
        look_at_answer(slow_head, Then::Stall),
        look_at_answer(&slow_body, Then::Stall),
    );
    for seen in [nothing, head, body] {
        assert_eq!(seen.outcome, Outcome::Timeout, "{seen:?}");
        assert!(
            seen.of.starts_with("127.0.0.1:"),
            "who was too slow is known: {seen:?}"
        );
    }
}

#[tokio::test]
async fn servers_that_do_not_speak_http_are_unreachable() {
    let large_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(300_000));
    for answer in ["", "SSH-2.0-OpenSSH\r\n\r\n", "\0\0\0", &large_head] {
        let seen = look_at_answer(answer, Then::Close).await;
        assert_eq!(seen.outcome, Outcome::Unreachable, "{seen:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let outside = Outside::start().await;
    let seen = look_at(&outside, policy_for(address(NOBODY).port())).await;
    assert_eq!(seen.outcome, Outcome::Unreachable);
    assert!(
        seen.advice.contains("reachable on port 80"),
        "{}",
        seen.advice
    );
}

#[tokio::test]
async fn ipv4_is_tried_where_ipv6_does_not_answer() {
    let outside = Outside::start().await;
    outside.put_file("shop.test", FILE_PATH, VALUE);
    outside.put_values("shop.test", "AAAA", &["::1"]);
    outside.put_values("shop.test", "A", &["127.0.0.1"]);
    let seen = outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Proved, "{seen:?}");
    let port = outside.web.local_addr().port();
    assert!(seen.of.ends_with(&format!("127.0.0.1:{port}")), "{seen:?}");
}

#[tokio::test]
async fn dns_trouble_is_told_as_such() {
    let outside = Outside::start().await;
    for (json, outcome) in [
        (r#"{"rcode":"NXDOMAIN"}"#, Outcome::NoSuchName),
        (r#"{"rcode":"SERVFAIL"}"#, Outcome::ServerFailure),
        (r#"{"drop":true}"#, Outcome::Timeout),
    ] {
        outside.put("shop.test", "ANY", json);
        let seen = outside.look_for_file("shop.test").await;
        assert_eq!(seen.outcome, outcome, "{seen:?}");
        assert_eq!(seen.of, outside.dns.local_addr().to_string());
    }
}

#[tokio::test]
async fn the_request_tells_no_secret_and_carries_no_credentials() {
    let outside = Outside::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let request = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(&ok_answer(VALUE)).await.unwrap();
        String::from_utf8(request[..length].to_vec())
            .unwrap()
            .to_lowercase()
    });
    let seen = look_at(&outside, policy_for(port)).await;
    assert_eq!(seen.outcome, Outcome::Proved);
    let request = request.await.unwrap();
    assert!(
        request.starts_with(&format!("get {FILE_PATH} http/1.1\r\n")),
        "{request}"
    );
    assert!(request.contains("\r\nhost: shop.test\r\n"), "{request}");
    for absent in [&VALUE.to_lowercase(), "cookie", "authorization", "referer"] {
        assert!(!request.contains(absent), "{request}");
    }
}
