//! What web servers really send, octet by octet: the value is found in it, or the advice names what is wrong.

use std::io::Write;

use chancery_domain::observations::{Observation, Outcome};
use chancery_outside::probe::ProbePolicy;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use futures_util::future::join_all;

use crate::fixtures::{
    FILE_PATH, Outside, PATIENCE, Then, VALUE, file_challenge, look, scripted_server,
};

async fn look_at(outside: &Outside, answer: Vec<u8>, then: Then) -> Observation {
    let port = scripted_server(answer, then).await.port();
    let policy = ProbePolicy {
        timeout: PATIENCE,
        ..ProbePolicy::loopback(port, port)
    };
    look(&outside.dcv_with(policy), "shop.test", &file_challenge()).await
}

/// `{V}` stands for the value and `{N}` for its length.
fn filled(answer: &str) -> Vec<u8> {
    answer
        .replace("{V}", VALUE)
        .replace("{N}", &VALUE.len().to_string())
        .into_bytes()
}

fn ok(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {{N}}\r\n\r\n{{V}}")
}

#[tokio::test]
async fn the_value_is_found_in_whatever_form_it_comes() {
    let outside = Outside::start().await;
    let headers =
        |count: usize| -> String { (0..count).map(|n| format!("X-H{n}: v\r\n")).collect() };
    let answers = [
        ok("X-Device: a=b;\r\n c=d\r\n"),
        ok("X-Device: a=b;\r\n\t c=d\r\n\te=f\r\n"),
        ok("Content-Type: text/plain;\r\n charset=utf-8\r\n"),
        ok("Set-Cookie: ___utm=dmo\0AOZ; path=/\r\n"),
        ok("Set-Cookie: a=\x01\x02\x1f\x7f; path=/\r\n"),
        ok("X-Title: Größe\r\n"),
        ok("Server : Apache\r\nDate\t: now\r\n"),
        ok("X-Empty:\r\nX-None\r\n: nothing\r\nnot a header at all\r\n"),
        ok("Bad Name: x\r\n(comment): y\r\n\"quoted\": z\r\n"),
        ok(&headers(120)),
        ok(&headers(3000)),
        ok(&format!("Set-Cookie: {}\r\n", "c".repeat(60_000))),
        ok("Content-Encoding: utf-8\r\n"),
        ok("Content-Encoding: identity\r\n"),
        ok("Content-Encoding:\r\n"),
        ok("Content-Encoding: gzip\r\n"),
        ok("Content-Length: {N}\r\n"),
        ok("Transfer-Encoding: identity\r\n"),
        ok("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
        "HTTP/1.1 200\r\nContent-Length: {N}\r\n\r\n{V}".to_owned(),
        "HTTP/1.0 200 OK\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: {N}\n\n{V}\n".to_owned(),
        "HTTP/2 200 OK\r\nContent-Length: {N}\r\n\r\n{V}".to_owned(),
        "ICY 200 OK\r\n\r\n{V}".to_owned(),
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: {N}\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: {N}, {N}\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: unknown\r\n\r\n{V}\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: {N}\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20;a=b\r\n{V}\r\n0\r\nX-Trailer: x\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n0020  \r\n{V}\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\n{V}\n0\n\n".to_owned(),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n20\r\n{V}\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{V}\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {N}\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{V}".to_owned(),
        "HTTP/1.1 203 Non-Authoritative Information\r\n\r\n{V}".to_owned(),
    ];
    let looks = answers
        .iter()
        .map(|answer| look_at(&outside, filled(answer), Then::Close));
    for (seen, answer) in join_all(looks).await.iter().zip(&answers) {
        assert_eq!(
            seen.outcome,
            Outcome::Proved,
            "{}: {seen:?}",
            &answer[..answer.len().min(200)]
        );
    }
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("room in memory");
    encoder.finish().expect("room in memory")
}

#[tokio::test]
async fn a_value_that_came_whole_proves_though_more_was_announced() {
    let outside = Outside::start().await;
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{V}",
        "HTTP/1.1 200 OK\r\n\r\n{V}\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{V}\r\n",
    ] {
        let seen = look_at(&outside, filled(answer), Then::Stall).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{answer} {seen:?}");
    }
    let other = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{V}x";
    let seen = look_at(&outside, filled(other), Then::Stall).await;
    assert_eq!(seen.outcome, Outcome::Timeout, "{seen:?}");
}

#[tokio::test]
async fn a_compressed_answer_is_decoded_within_bounds_or_named() {
    let outside = Outside::start().await;
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(VALUE.as_bytes()).unwrap();
    let chunked = |body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            body.len()
        );
        [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    for answer in [
        coded("gzip", &gzip(VALUE.as_bytes())),
        coded("X-GZIP", &gzip(format!("{VALUE}\r\n").as_bytes())),
        coded("deflate", &deflate.finish().unwrap()),
        chunked(&gzip(VALUE.as_bytes())),
    ] {
        let seen = look_at(&outside, answer, Then::Close).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{seen:?}");
    }
    for (answer, outcome, told) in [
        (
            coded("br", b"\x0b\x10\x80"),
            Outcome::Unreachable,
            "Content-Encoding: br",
        ),
        (
            coded("gzip", b"something else"),
            Outcome::Unreachable,
            "Content-Encoding: gzip",
        ),
        (
            coded("gzip", &gzip(&vec![b'a'; 1_000_000])),
            Outcome::Forbidden,
            "larger than 16384 bytes",
        ),
        (
            coded("identity", &gzip(VALUE.as_bytes())),
            Outcome::WrongValue,
            "compressed",
        ),
    ] {
        let seen = look_at(&outside, answer, Then::Close).await;
        assert_eq!(seen.outcome, outcome, "{seen:?}");
        assert!(seen.found.contains(told), "{told}: {seen:?}");
        assert!(seen.advice.contains(FILE_PATH), "{seen:?}");
    }
}

#[tokio::test]
async fn the_request_asks_for_no_coding() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let outside = Outside::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(&filled(&ok(""))).await.unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let dcv = outside.dcv_with(ProbePolicy::loopback(port, port));
    assert_eq!(
        look(&dcv, "shop.test", &file_challenge()).await.outcome,
        Outcome::Proved
    );
    let request = request.await.unwrap();
    assert!(
        request.contains("\r\nAccept-Encoding: identity\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn what_keeps_an_answer_from_being_read_is_named() {
    let outside = Outside::start().await;
    let large = format!(
        "HTTP/1.1 200 OK\r\n{}",
        "X-Header: value\r\n".repeat(20_000)
    );
    for (answer, then, found, advice) in [
        ("", Then::Close, "without an answer", "firewall"),
        (
            "\x15\x03\x01\0\x02\x02F",
            Then::Close,
            "in TLS where plain HTTP",
            "port 80 speak plain HTTP",
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            Then::Close,
            "SSH-2.0-OpenSSH_9.2",
            "in HTTP",
        ),
        ("{V}", Then::Close, "not a valid HTTP answer", "in HTTP"),
        (
            "HTTP/1.1 200 OK\r\nX: y\r\n",
            Then::Close,
            "within its headers",
            "empty line",
        ),
        (
            &large,
            Then::Close,
            "headers are larger than",
            "fewer or smaller headers",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nelse",
            Then::Close,
            "4 of the 99 bytes",
            "Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\nelse",
            Then::Close,
            "8, 9",
            "one Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nelse",
            Then::Close,
            "not the size of a chunk",
            "Transfer-Encoding",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nel",
            Then::Close,
            "before the last chunk",
            "chunks",
        ),
        ("", Then::Stall, "had not begun to answer", "answer faster"),
        (
            "HTTP/1.1 200 OK\r\n",
            Then::Stall,
            "headers of the answer had not ended",
            "answer faster",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nelse",
            Then::Stall,
            "4 of the 99 bytes",
            "one Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nelse",
            Then::Stall,
            "neither a length nor an end",
            "close the connection",
        ),
    ] {
        let seen = look_at(&outside, filled(answer), then).await;
        assert!(
            matches!(seen.outcome, Outcome::Unreachable | Outcome::Timeout),
            "{seen:?}"
        );
        assert!(seen.found.contains(found), "{found}: {seen:?}");
        assert!(seen.advice.contains(advice), "{advice}: {seen:?}");
        assert!(seen.advice.contains(FILE_PATH), "{seen:?}");
    }
}
