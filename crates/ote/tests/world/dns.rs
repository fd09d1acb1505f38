//! What the DNS server answers, as the production resolver understands it.

use chancery_domain::findings::{DnsTrouble, Excerpt};
use chancery_outside::dns::{DnsAnswer, Resolver, ResolverSettings};
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

use crate::fixtures::{ANY_PORT, NOBODY, Outside, PATIENCE, address, domain, owner, resolver};

fn found(values: &[&str]) -> DnsAnswer<String> {
    DnsAnswer::Found(values.iter().map(|value| (*value).to_owned()).collect())
}

fn failed(told: &str) -> DnsAnswer<String> {
    DnsAnswer::Trouble(DnsTrouble::Failed(Excerpt::new(told.to_owned())))
}

#[tokio::test]
async fn every_record_of_a_set_is_found_whole() {
    let outside = Outside::start().await;
    let long = "x".repeat(600);
    outside.put_values("_dnsauth.shop.test", "TXT", &[" a ", "b;\"c\"", &long]);
    let answer = outside.resolver().txt("_dnsauth.shop.test").await.answer;
    assert_eq!(answer, found(&[" a ", "b;\"c\"", &long]));
}

#[tokio::test]
async fn names_are_found_in_any_case() {
    let outside = Outside::start().await;
    outside.put_values("_DNSauth.Shop.test", "TXT", &["value"]);
    assert_eq!(
        outside.resolver().txt("_dnsAUTH.shop.TEST").await.answer,
        found(&["value"])
    );
}

#[tokio::test]
async fn an_answer_too_large_for_udp_comes_over_tcp() {
    let outside = Outside::start().await;
    let values: Vec<String> = (0..40).map(|n| format!("{n:0200}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    outside.put_values("big.test", "TXT", &values);
    assert_eq!(
        outside.resolver().txt("big.test").await.answer,
        found(&values)
    );
}

#[tokio::test]
async fn a_missing_name_and_a_missing_record_are_told_apart() {
    let outside = Outside::start().await;
    outside.put_values("a._dnsauth.shop.test", "TXT", &["below"]);
    let resolver = outside.resolver();
    assert_eq!(
        resolver.txt("_other.shop.test").await.answer,
        DnsAnswer::NoSuchName
    );
    assert_eq!(
        resolver.txt("_dnsauth.shop.test").await.answer,
        DnsAnswer::NoData,
        "empty non-terminal"
    );
    assert_eq!(
        resolver.txt("shop.test").await.answer,
        DnsAnswer::NoData,
        "every host exists"
    );
    assert_eq!(resolver.cname("shop.test").await, DnsAnswer::NoData);
}

#[tokio::test]
async fn a_record_is_gone_when_it_was_deleted() {
    let outside = Outside::start().await;
    outside.put_values("_x.shop.test", "TXT", &["1"]);
    outside.put_values("_x.shop.test", "TXT", &["2"]);
    let resolver = outside.resolver();
    assert_eq!(resolver.txt("_x.shop.test").await.answer, found(&["2"]));
    let kind = chancery_ote::RecordKind::Txt;
    outside
        .world
        .zones
        .delete(&owner("_x.shop.test"), kind)
        .unwrap();
    assert_eq!(
        resolver.txt("_x.shop.test").await.answer,
        DnsAnswer::NoSuchName,
        "nothing is cached"
    );
    assert!(
        outside
            .world
            .zones
            .delete(&owner("_x.shop.test"), kind)
            .is_err()
    );
}

#[tokio::test]
async fn hosts_have_the_address_of_the_web_server_unless_another_was_put() {
    let outside = Outside::start().await;
    outside.put_values("far.example.com", "A", &["192.0.2.7"]);
    outside.put_values("six.example.com", "AAAA", &["2001:db8::7"]);
    outside.put_values("alias.example.com", "CNAME", &["far.example.com"]);
    let resolver = outside.resolver();
    for (name, addresses) in [
        ("shop.example", "127.0.0.1"),
        ("a.b.c.example.net", "127.0.0.1"),
        ("far.example.com", "192.0.2.7"),
        ("six.example.com", "2001:db8::7"),
        ("alias.example.com", "192.0.2.7"),
    ] {
        let expected = Ok(vec![addresses.parse().unwrap()]);
        assert_eq!(resolver.addresses(name).first().await, expected, "{name}");
    }
    assert_eq!(
        resolver.addresses("_x.example.com").first().await,
        Err(DnsAnswer::NoSuchName)
    );
}

#[tokio::test]
async fn ipv6_addresses_come_first() {
    let outside = Outside::start().await;
    outside.put_values("both.test", "A", &["127.0.0.2"]);
    outside.put_values("both.test", "AAAA", &["::1"]);
    let expected: [std::net::IpAddr; 2] = ["::1", "127.0.0.2"].map(|text| text.parse().unwrap());
    let mut lookup = outside.resolver().addresses("both.test");
    let mut addresses = lookup.first().await.unwrap();
    while lookup.is_open() {
        addresses.extend(lookup.more().await);
    }
    // On a busy machine the other family may take more than its moment, and come after.
    addresses.sort_by_key(std::net::IpAddr::is_ipv4);
    assert_eq!(addresses, expected);
}

#[tokio::test]
async fn names_outside_the_zones_are_refused_until_a_zone_is_added() {
    let outside = Outside::start().await;
    let resolver = outside.resolver();
    let refused = failed(&format!("REFUSED from resolver {}", resolver.servers()));
    assert_eq!(resolver.txt("_dnsauth.shop.kiosk").await.answer, refused);
    outside.world.zones.add_zone(&owner("kiosk")).unwrap();
    outside.put_values("_dnsauth.shop.kiosk", "TXT", &["value"]);
    assert_eq!(
        resolver.txt("_dnsauth.shop.kiosk").await.answer,
        found(&["value"])
    );
}

#[tokio::test]
async fn text_is_found_through_an_alias() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.shop.test", "CNAME", &["_x.dcv.example"]);
    outside.put_values("_x.dcv.example", "TXT", &["value"]);
    let resolver = outside.resolver();
    assert_eq!(
        resolver.txt("_dnsauth.shop.test").await.answer,
        found(&["value"])
    );
    assert_eq!(
        resolver.cname("_dnsauth.shop.test").await,
        found(&["_x.dcv.example"])
    );
}

#[tokio::test]
async fn an_alias_that_leads_nowhere_is_no_such_name() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.shop.test", "CNAME", &["_gone.dcv.example"]);
    assert_eq!(
        outside.resolver().txt("_dnsauth.shop.test").await.answer,
        DnsAnswer::NoSuchName
    );
}

#[tokio::test]
async fn alias_loops_end() {
    let outside = Outside::start().await;
    outside.put_values("a.test", "CNAME", &["b.test"]);
    outside.put_values("b.test", "CNAME", &["a.test"]);
    let resolver = outside.resolver();
    assert!(resolver.txt("a.test").await.answer.into_found().is_empty());
    assert_eq!(
        resolver.cname_chain("a.test", |_| true).await.names,
        [domain("b.test")]
    );
}

#[tokio::test]
async fn the_chain_of_aliases_is_walked_in_order_and_bounded() {
    let outside = Outside::start().await;
    outside.put_values("h0.test", "CNAME", &["_odd.test"]);
    outside.put_values("_odd.test", "CNAME", &["h1.test"]);
    for n in 1..20 {
        outside.put_values(
            &format!("h{n}.test"),
            "CNAME",
            &[&format!("H{}.test.", n + 1)],
        );
    }
    let resolver = outside.resolver();
    let chain = resolver.cname_chain("h0.test", |_| true).await;
    let expected: Vec<_> = (1..8).map(|n| domain(&format!("h{n}.test"))).collect();
    assert_eq!((chain.names, chain.leads_inside), (expected, false));
    // It ends before what is not to be spoken of.
    let chain = resolver
        .cname_chain("h0.test", |target| target != "h3.test")
        .await;
    assert_eq!(chain.names, [domain("h1.test"), domain("h2.test")]);
    assert!(chain.leads_inside);
}

#[tokio::test]
async fn failures_can_be_rehearsed_for_one_type_or_all() {
    let outside = Outside::start().await;
    outside.put("_a.test", "TXT", r#"{"rcode":"SERVFAIL"}"#);
    outside.put("_b.test", "TXT", r#"{"drop":true}"#);
    outside.put("gone.test", "ANY", r#"{"rcode":"nxdomain"}"#);
    let resolver = outside.resolver();
    assert_eq!(
        resolver.txt("_a.test").await.answer,
        failed(&format!("SERVFAIL from resolver {}", resolver.servers()))
    );
    assert_eq!(resolver.cname("_a.test").await, DnsAnswer::NoData);
    let silent = resolver.txt("_b.test").await.answer;
    assert!(
        matches!(silent, DnsAnswer::Trouble(DnsTrouble::Silent(_))),
        "{silent:?}"
    );
    assert_eq!(
        resolver.addresses("gone.test").first().await,
        Err(DnsAnswer::NoSuchName)
    );
}

/// A DNS server that lets `reply` make something of the question.
async fn rude_server(reply: fn(Message) -> Vec<u8>) -> Resolver {
    let socket = UdpSocket::bind(ANY_PORT).await.expect("a socket");
    let resolver = resolver(socket.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let mut response = Message::from_vec(&buffer[..length])
                .expect("a message")
                .into_response();
            response.metadata.recursion_available = true;
            let _ = socket.send_to(&reply(response), peer).await;
        }
    });
    resolver
}

fn text_record(owner: &str) -> Record {
    let owner = Name::from_ascii(owner).expect("a name");
    Record::from_rdata(owner, 60, RData::TXT(TXT::new(vec!["value".to_owned()])))
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_found() {
    let replies: [fn(Message) -> Vec<u8>; 6] = [
        |_| vec![0xff; 7],
        |response| response.to_vec().unwrap()[..12].to_vec(),
        |mut response| {
            response.queries.clear();
            response.add_answer(text_record("_dnsauth.shop.test."));
            response.to_vec().unwrap()
        },
        |mut response| {
            response.add_answer(text_record("_dnsauth.other.test."));
            response.to_vec().unwrap()
        },
        |mut response| {
            response.metadata.id ^= 1;
            response.add_answer(text_record("_dnsauth.shop.test."));
            response.to_vec().unwrap()
        },
        |mut response| {
            let other = Name::from_ascii("_dnsauth.other.test.").unwrap();
            response.queries[0].set_name(other);
            response.add_answer(text_record("_dnsauth.other.test."));
            response.to_vec().unwrap()
        },
    ];
    let asked = replies.map(|reply| async move {
        let resolver = rude_server(reply).await;
        resolver.txt("_dnsauth.shop.test").await.answer
    });
    let answers = futures_util::future::join_all(asked).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert!(
            !matches!(answer, DnsAnswer::Found(_)),
            "reply {number}: {answer:?}"
        );
    }
    let honest = rude_server(|mut response| {
        response.add_answer(text_record("_dnsauth.shop.test."));
        response.add_answer(text_record("_dnsauth.other.test."));
        response.to_vec().unwrap()
    });
    assert_eq!(
        honest.await.txt("_dnsauth.shop.test").await.answer,
        found(&["value"])
    );
}

#[tokio::test]
async fn impossible_names_do_not_exist() {
    let resolver = resolver(address(NOBODY));
    let long = format!("_dnsauth.{}test", "a.".repeat(130));
    assert_eq!(resolver.txt(&long).await.answer, DnsAnswer::NoSuchName);
    assert_eq!(resolver.txt("a..test").await.answer, DnsAnswer::NoSuchName);
}

#[tokio::test]
async fn a_stopped_server_frees_its_port() {
    let outside = Outside::start().await;
    let at = outside.dns.local_addr();
    outside.dns.stop().await;
    let zones = std::sync::Arc::clone(&outside.world.zones);
    let again = chancery_ote::dns_server::start(at, zones).await.unwrap();
    assert_eq!(again.local_addr(), at);
}

#[test]
fn a_resolver_without_servers_is_refused() {
    let settings = ResolverSettings {
        servers: Vec::new(),
        timeout: PATIENCE,
        attempts: 1,
        recursive: true,
    };
    assert!(Resolver::new(&settings).is_err());
}
