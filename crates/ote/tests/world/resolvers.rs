//! Several resolvers: who refuses, fails or is silent is passed over, and a shortage of ours is nobody's fault.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chancery_domain::authorizations::RecordType;
use chancery_domain::findings::DnsTrouble;
use chancery_domain::observations::Outcome;
use chancery_outside::dcv::Dcv;
use chancery_outside::dns::{DnsAnswer, Resolver, ResolverSettings};
use chancery_outside::probe::{HttpProbe, ProbePolicy};
use hickory_proto::op::{Message, ResponseCode};
use tokio::net::UdpSocket;

use crate::fixtures::{
    ANY_PORT, FILE_PATH, NOBODY, Outside, VALUE, address, dns_challenge, file_challenge, look,
    recursive,
};

/// A DNS server that answers every question with a code.
async fn always(code: ResponseCode) -> SocketAddr {
    let socket = UdpSocket::bind(ANY_PORT).await.expect("a socket");
    let local_addr = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).expect("a message");
            let mut response = question.into_response();
            response.metadata.response_code = code;
            let _ = socket
                .send_to(&response.to_vec().expect("octets"), peer)
                .await;
        }
    });
    local_addr
}

fn dcv(resolver: &Resolver, outside: &Outside) -> Dcv {
    let port = outside.web.local_addr().port();
    let probe = HttpProbe::new(resolver.clone(), ProbePolicy::loopback(port, port));
    Dcv::new(resolver.clone(), probe)
}

#[tokio::test]
async fn a_resolver_that_will_not_or_cannot_answer_is_passed_over() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.shop.test", "TXT", &[VALUE]);
    outside.put_file("shop.test", FILE_PATH, VALUE);
    let silent = UdpSocket::bind(ANY_PORT).await.unwrap();
    for first in [
        always(ResponseCode::Refused).await,
        always(ResponseCode::ServFail).await,
        always(ResponseCode::NotImp).await,
        address(NOBODY),
        silent.local_addr().unwrap(),
    ] {
        let dcv = dcv(&recursive(&[first, outside.dns.local_addr()]), &outside);
        let challenge = dns_challenge("shop.test", RecordType::Txt, VALUE);
        let seen = look(&dcv, "shop.test", &challenge).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{first}: {seen:?}");
        let seen = look(&dcv, "shop.test", &file_challenge()).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{first}: {seen:?}");
    }
}

#[tokio::test]
async fn the_resolver_that_failed_is_named() {
    let outside = Outside::start().await;
    let [failing, refusing] = [
        always(ResponseCode::ServFail).await,
        always(ResponseCode::Refused).await,
    ];
    let dcv = dcv(&recursive(&[failing, refusing]), &outside);
    let challenge = dns_challenge("shop.test", RecordType::Txt, VALUE);
    for challenge in [challenge, file_challenge()] {
        let seen = look(&dcv, "shop.test", &challenge).await;
        assert_eq!(seen.outcome, Outcome::ServerFailure, "{seen:?}");
        for part in [
            format!("SERVFAIL from resolver {failing}"),
            format!("REFUSED from resolver {refusing}"),
        ] {
            assert!(seen.found.contains(&part), "{seen:?}");
            assert!(seen.advice.contains(&part), "{seen:?}");
        }
        assert!(seen.advice.contains("DNSSEC"), "{seen:?}");
    }
}

#[tokio::test]
async fn where_no_resolver_can_be_asked_nobodys_name_servers_are_blamed() {
    let outside = Outside::start().await;
    let silent = UdpSocket::bind(ANY_PORT).await.unwrap();
    for servers in [
        vec![address(NOBODY)],
        vec![always(ResponseCode::Refused).await, address(NOBODY)],
        vec![silent.local_addr().unwrap()],
    ] {
        let resolver = recursive(&servers);
        let answer = resolver.txt("_dnsauth.shop.test").await.answer;
        assert_eq!(
            answer,
            DnsAnswer::Trouble(DnsTrouble::NotAsked),
            "{servers:?}"
        );
        let dcv = dcv(&resolver, &outside);
        let challenge = dns_challenge("shop.test", RecordType::Txt, VALUE);
        for challenge in [challenge, file_challenge()] {
            let seen = look(&dcv, "shop.test", &challenge).await;
            assert_eq!(seen.outcome, Outcome::OwnFailure, "{servers:?}: {seen:?}");
            assert!(!seen.advice.contains("name server"), "{seen:?}");
            assert!(seen.advice.contains("repeated soon"), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_silent_zone_behind_a_resolver_that_lives_is_told_as_such() {
    let outside = Outside::start().await;
    outside.put("shop.test", "ANY", r#"{"drop":true}"#);
    outside.put("_dnsauth.shop.test", "TXT", r#"{"drop":true}"#);
    let dcv = dcv(&recursive(&[outside.dns.local_addr()]), &outside);
    let challenge = dns_challenge("shop.test", RecordType::Txt, VALUE);
    for challenge in [challenge, file_challenge()] {
        let seen = look(&dcv, "shop.test", &challenge).await;
        assert_eq!(seen.outcome, Outcome::Timeout, "{seen:?}");
        assert!(
            seen.found.contains("no answer in time from resolver"),
            "{seen:?}"
        );
        assert!(seen.advice.contains("name servers"), "{seen:?}");
    }
}

/// With the settings of production: five seconds for a question, two attempts, ten seconds for a check.
#[tokio::test]
async fn a_family_of_addresses_that_is_never_told_holds_no_look_up() {
    for silent_family in ["AAAA", "A"] {
        let outside = Outside::start().await;
        outside.put_file("shop.test", FILE_PATH, VALUE);
        outside.put("shop.test", silent_family, r#"{"drop":true}"#);
        let other = [("A", "127.0.0.1"), ("AAAA", "::1")];
        let (kind, value) = other[usize::from(silent_family == "A")];
        outside.put_values("shop.test", kind, &[value]);
        let settings = ResolverSettings {
            servers: vec![outside.dns.local_addr()],
            timeout: Duration::from_secs(5),
            attempts: 2,
            recursive: true,
        };
        let resolver = Resolver::new(&settings).unwrap();
        let began = Instant::now();
        let seen = look(&dcv(&resolver, &outside), "shop.test", &file_challenge()).await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
        // The web server of the tests listens on 127.0.0.1 alone; that ::1 was dialled is what counts.
        match silent_family {
            "AAAA" => assert_eq!(seen.outcome, Outcome::Proved, "{seen:?}"),
            _ => assert!(seen.of.starts_with("[::1]:"), "{seen:?}"),
        }
    }
}
