//! Advice that names the cause, case by case, over real sockets.

use chancery_domain::authorizations::RecordType;
use chancery_domain::observations::{Observation, Outcome};
use chancery_ote::OteWorld;
use chancery_outside::probe::{HttpProbe, ProbePolicy, World};

use crate::fixtures::{
    FILE_PATH, NOBODY, Outside, Then, VALUE, address, dns_challenge, file_challenge, look, owner,
    scripted_server,
};

fn tells(seen: &Observation, outcome: Outcome, parts: &[&str]) {
    assert_eq!(seen.outcome, outcome, "{seen:?}");
    for part in parts {
        assert!(seen.advice.contains(part), "'{part}' is not in {seen:#?}");
    }
}

#[tokio::test]
async fn a_redirect_whose_target_lacks_the_slash_is_told_as_such() {
    let outside = Outside::start().await;
    for target in [
        "https://www.shop.example.well-known/pki-validation/fileauth.txt",
        "https://www.shop.examplepki-validation/fileauth.txt",
        "https://www.shop.examplefileauth.txt",
    ] {
        outside.put_redirect("shop.test", FILE_PATH, 301, target);
        let seen = outside.look_for_file("shop.test").await;
        let meant = "https://www.shop.example/.well-known/pki-validation/fileauth.txt";
        tells(
            &seen,
            Outcome::Forbidden,
            &["no slash after the host name", meant],
        );
        assert!(seen.found.contains(target), "{seen:?}");
    }
}

#[tokio::test]
async fn redirects_gone_wrong_are_told_apart() {
    let outside = Outside::start().await;
    outside.put("gone.test", "ANY", r#"{"rcode":"NXDOMAIN"}"#);
    for (location, outcome, parts) in [
        (
            "https://shop.test/x",
            Outcome::Unreachable,
            &[
                "Port 80 answered",
                "port 443 of shop.test refuses connections",
            ][..],
        ),
        (
            "http://gone.test/x",
            Outcome::NoSuchName,
            &["The redirect leads to gone.test", "no address in the DNS"],
        ),
        (
            "http://https://shop.test/",
            Outcome::Forbidden,
            &["is not a URL"],
        ),
        ("https://$host/x", Outcome::Forbidden, &["is not a URL"]),
        (
            "www.shop.test/x",
            Outcome::Forbidden,
            &["is not a URL (the scheme is missing)"],
        ),
        (
            "https//shop.test/x",
            Outcome::Forbidden,
            &["is not a URL (the scheme is missing)"],
        ),
        (
            "http://shop.test:8080/",
            Outcome::Forbidden,
            &["port 80 or 443"],
        ),
        (FILE_PATH, Outcome::Forbidden, &["back to where they began"]),
    ] {
        outside.put_redirect("shop.test", FILE_PATH, 302, location);
        let seen = outside.look_for_file("shop.test").await;
        tells(&seen, outcome, parts);
        tells(&seen, outcome, &[FILE_PATH, VALUE]);
    }
}

#[tokio::test]
async fn a_redirect_that_loses_the_path_is_told_as_such() {
    let outside = Outside::start().await;
    outside.put_redirect("shop.test", FILE_PATH, 301, "http://www.shop.test/");
    outside.put_file("www.shop.test", "/", "<html>Welcome</html>");
    let seen = outside.look_for_file("shop.test").await;
    let parts = [
        "HTML page",
        "leads to http://www.shop.test/, which does not name the file any more",
    ];
    tells(&seen, Outcome::WrongValue, &parts);
}

#[tokio::test]
async fn an_ipv6_address_that_leads_elsewhere_is_told_as_such() {
    let outside = Outside::start().await;
    let listen = "[::1]:0".parse().unwrap();
    let elsewhere = chancery_ote::web_server::start(listen, OteWorld::in_memory().web);
    let elsewhere = elsewhere.await.unwrap();
    outside.put_values("shop.test", "AAAA", &["::1"]);
    let dcv = outside.dcv_with(ProbePolicy::loopback(elsewhere.local_addr().port(), 1));
    let seen = look(&dcv, "shop.test", &file_challenge()).await;
    tells(
        &seen,
        Outcome::NotFound,
        &["IPv6 address of shop.test that answered", "AAAA record"],
    );
}

#[tokio::test]
async fn connections_that_do_not_come_about_are_told_apart() {
    let outside = Outside::start().await;
    let port = address(NOBODY).port();
    let dcv = outside.dcv_with(ProbePolicy::loopback(port, port));
    let seen = look(&dcv, "shop.test", &file_challenge()).await;
    tells(
        &seen,
        Outcome::Unreachable,
        &["Port 80 of shop.test refuses connections"],
    );

    // TLS where plain HTTP should be, and plain HTTP where TLS should be.
    let tls = crate::fixtures::scripted_tls_server(Vec::new())
        .await
        .port();
    let seen = look(
        &outside.dcv_with(ProbePolicy::loopback(tls, tls)),
        "shop.test",
        &file_challenge(),
    )
    .await;
    tells(&seen, Outcome::Unreachable, &["TLS belongs on port 443"]);
    let web = outside.web.local_addr().port();
    outside.put_redirect("shop.test", FILE_PATH, 301, "https://shop.test/x");
    let seen = look(
        &outside.dcv_with(ProbePolicy::loopback(web, web)),
        "shop.test",
        &file_challenge(),
    )
    .await;
    tells(
        &seen,
        Outcome::Unreachable,
        &["Port 80 answered", "does not speak TLS"],
    );
}

#[tokio::test]
async fn statuses_are_told_with_their_usual_causes() {
    let outside = Outside::start().await;
    for (head, parts) in [
        (
            "401 Unauthorized\r\nWWW-Authenticate: Basic",
            &["password"][..],
        ),
        ("403 Forbidden\r\nServer: nginx", &["forbids this path"]),
        (
            "403 Forbidden\r\nServer: cloudflare",
            &["protection against bots"],
        ),
        ("404 Not Found", &["no file at this path", ".well-known"]),
        ("421 Misdirected Request", &["does not serve this name"]),
        ("429 Too Many Requests", &["too often"]),
        ("500 Oops", &["application fails"]),
        ("502 Bad Gateway", &["proxy in front"]),
        ("525 SSL Handshake Failed", &["proxy in front"]),
        ("101 Switching Protocols", &["switches protocols"]),
    ] {
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n");
        let port = scripted_server(answer.into_bytes(), Then::Close)
            .await
            .port();
        let dcv = outside.dcv_with(ProbePolicy::loopback(port, port));
        let seen = look(&dcv, "shop.test", &file_challenge()).await;
        assert!(seen.found.contains(&head[..3]), "{seen:?}");
        tells(&seen, seen.outcome, parts);
        tells(&seen, seen.outcome, &["With status 200", FILE_PATH, VALUE]);
    }
}

#[tokio::test]
async fn contents_that_are_almost_right_are_told_apart() {
    let outside = Outside::start().await;
    for (content, part) in [
        (String::new(), "is empty"),
        (format!("\u{feff}{VALUE}"), "byte order mark"),
        (format!("\"{VALUE}\""), "quotation marks"),
        (
            format!("<html><body>{VALUE}</body></html>"),
            "HTML page around the value",
        ),
        (
            "<!doctype html><title>Welcome</title>".to_owned(),
            "HTML page, perhaps of the site's application",
        ),
        (format!(" {VALUE}"), "white space"),
        (format!("{VALUE}\u{200b}"), "cannot be seen"),
        (VALUE.to_lowercase(), "other case"),
        (VALUE[..20].to_owned(), "only a part"),
        (format!("token: {VALUE}"), "other text beside the value"),
        ("0".repeat(32), "an older one"),
        ("hello".to_owned(), "another content"),
    ] {
        outside.put_file("shop.test", FILE_PATH, &content);
        let seen = outside.look_for_file("shop.test").await;
        tells(&seen, Outcome::WrongValue, &[part, VALUE, FILE_PATH]);
        if content.is_empty() {
            continue;
        }
        outside.put_values("_dnsauth.shop.test", "TXT", &["v=spf1 -all", &content]);
        let seen = outside.look_for_txt("shop.test").await;
        tells(
            &seen,
            Outcome::WrongValue,
            &[part, VALUE, "_dnsauth.shop.test"],
        );
    }
}

#[tokio::test]
async fn an_alias_in_the_place_of_a_text_is_told_with_its_target() {
    let outside = Outside::start().await;
    let place = "_dnsauth.shop.test";
    outside.put_values(place, "CNAME", &["_gone.dcv.example"]);
    let seen = outside.look_for_txt("shop.test").await;
    let parts = [
        "A CNAME record stands at _dnsauth.shop.test and leads to _gone.dcv.example",
        VALUE,
    ];
    tells(&seen, Outcome::NotFound, &parts);

    outside.put_values(place, "CNAME", &["other.example"]);
    let seen = outside.look_for_txt("shop.test").await;
    tells(&seen, Outcome::NotFound, &["leads to other.example"]);

    outside.put_values("other.example", "TXT", &["an older value"]);
    let seen = outside.look_for_txt("shop.test").await;
    tells(&seen, Outcome::WrongValue, &["leads to other.example"]);
    assert!(seen.found.contains("an older value"), "{seen:?}");

    outside.put_values("other.example", "TXT", &[VALUE]);
    assert_eq!(
        outside.look_for_txt("shop.test").await.outcome,
        Outcome::Proved
    );
}

#[tokio::test]
async fn what_an_internal_name_says_is_not_told() {
    let outside = Outside::start().await;
    for zone in ["shop.com", "secrets.corp"] {
        outside.world.zones.add_zone(&owner(zone)).unwrap();
    }
    outside.put_values("_dnsauth.shop.com", "CNAME", &["db.secrets.corp"]);
    let policy = ProbePolicy {
        world: World::Public,
        ..ProbePolicy::strict()
    };
    for text in ["the password of the database", VALUE] {
        outside.put_values("db.secrets.corp", "TXT", &[text]);
        let seen = look(
            &outside.dcv_with(policy.clone()),
            "shop.com",
            &dns_challenge("shop.com", RecordType::Txt, VALUE),
        )
        .await;
        tells(&seen, Outcome::NotFound, &["leads to db.secrets.corp"]);
        assert!(!seen.found.contains("password"), "{seen:?}");
    }
}

#[tokio::test]
async fn what_lies_behind_an_alias_of_an_internal_name_is_neither_asked_for_nor_told() {
    let outside = Outside::start().await;
    for zone in [
        "shop.com",
        "kiosk.com",
        "gone.com",
        "cdn.com",
        "secrets.corp",
    ] {
        outside.world.zones.add_zone(&owner(zone)).unwrap();
    }
    let policy = ProbePolicy {
        world: World::Public,
        ..ProbePolicy::strict()
    };
    let dcv = outside.dcv_with(policy);
    // Neither the name itself nor where it leads, public or not.
    outside.put_values("www.shop.com", "CNAME", &["db.secrets.corp"]);
    outside.put_values("db.secrets.corp", "CNAME", &["prod-7.cdn.com"]);
    outside.put_values("_dnsauth.cdn.com", "TXT", &[VALUE]);
    outside.put_values("_dnsauth.db.secrets.corp", "TXT", &[VALUE]);
    let challenge = dns_challenge("www.shop.com", RecordType::Txt, VALUE);
    let seen = look(&dcv, "www.shop.com", &challenge).await;
    assert_ne!(seen.outcome, Outcome::Proved, "{seen:?}");
    let told = format!("{} {} {}", seen.asked, seen.found, seen.advice);
    assert!(
        !told.contains("secrets") && !told.contains("prod-7"),
        "{seen:?}"
    );

    // Nor the address it has, be that public, nor whether it has one.
    outside.put_values("www.kiosk.com", "CNAME", &["vpn.secrets.corp"]);
    outside.put_values("vpn.secrets.corp", "A", &["93.184.215.14"]);
    outside.put_values("www.gone.com", "CNAME", &["nothing.secrets.corp"]);
    outside.put("nothing.secrets.corp", "ANY", r#"{"rcode":"NXDOMAIN"}"#);
    for name in ["www.kiosk.com", "www.gone.com"] {
        let seen = look(&dcv, name, &file_challenge()).await;
        tells(&seen, Outcome::Forbidden, &["is an alias of a name"]);
        let told = format!("{} {} {}", seen.of, seen.found, seen.advice);
        assert!(!told.contains("93.184"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_text_in_the_place_of_an_alias_and_a_missing_dot_are_told() {
    let outside = Outside::start().await;
    let target = format!("{VALUE}.dcv.example");
    let challenge = dns_challenge("shop.test", RecordType::Cname, &target);
    let dcv = outside.dcv();
    outside.put_values("_dnsauth.shop.test", "TXT", &[&target]);
    let seen = look(&dcv, "shop.test", &challenge).await;
    tells(
        &seen,
        Outcome::NotFound,
        &[
            "A TXT record stands at _dnsauth.shop.test",
            "points to",
            &target,
        ],
    );

    let outside = Outside::start().await;
    outside.put_values(
        "_dnsauth.shop.test",
        "CNAME",
        &[&format!("{target}.shop.test")],
    );
    let seen = look(&outside.dcv(), "shop.test", &challenge).await;
    tells(&seen, Outcome::WrongValue, &["with a dot at its end"]);
}

#[tokio::test]
async fn the_value_at_another_place_is_told_with_the_place() {
    for (place, part) in [
        ("shop.test", "at the wrong place, shop.test"),
        ("dnsauth.shop.test", "at the wrong place, dnsauth.shop.test"),
        (
            "_dnsauth.www.shop.test",
            "at the wrong place, _dnsauth.www.shop.test",
        ),
        (
            "_dnsauth.shop.test.shop.test",
            "Enter only _dnsauth as the name",
        ),
    ] {
        let outside = Outside::start().await;
        outside.put_values(place, "TXT", &[VALUE]);
        let seen = outside.look_for_txt("shop.test").await;
        tells(&seen, Outcome::NotFound, &[part, "_dnsauth.shop.test"]);
        assert_eq!(seen.proved_domain, None, "a misplaced value proves nothing");
    }
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.www.shop.test.shop.test", "TXT", &[VALUE]);
    let seen = outside.look_for_txt("www.shop.test").await;
    tells(
        &seen,
        Outcome::NotFound,
        &["Enter only _dnsauth.www as the name"],
    );
}

#[tokio::test]
async fn a_record_for_every_name_is_told_as_such() {
    let outside = Outside::start().await;
    for name in ["_dnsauth.shop.test", "_chancery-nobodys-label.shop.test"] {
        outside.put_values(name, "TXT", &["v=spf1 -all"]);
    }
    let seen = outside.look_for_txt("shop.test").await;
    tells(
        &seen,
        Outcome::WrongValue,
        &["the wildcard record *.shop.test", VALUE],
    );
}

#[tokio::test]
async fn a_domain_that_does_not_exist_is_told_as_such() {
    let outside = Outside::start().await;
    outside.put("shop.test", "ANY", r#"{"rcode":"NXDOMAIN"}"#);
    let seen = outside.look_for_txt("www.shop.test").await;
    tells(
        &seen,
        Outcome::NoSuchName,
        &["The domain shop.test does not exist"],
    );
}

#[tokio::test]
async fn a_name_without_room_for_the_label_is_told_where_there_is_room() {
    let outside = Outside::start().await;
    let label = "a".repeat(60);
    let name = format!("{label}.{label}.{label}.{label}.test");
    assert!(name.len() <= 253 && name.len() + 9 > 253);
    let seen = outside.look_for_txt(&name).await;
    let parent = format!("put the TXT record at _dnsauth.{label}.{label}.{label}.test instead");
    tells(
        &seen,
        Outcome::Forbidden,
        &["too long to carry the label", &parent, VALUE],
    );

    outside.put_values(
        &format!("_dnsauth.{label}.{label}.{label}.test"),
        "TXT",
        &[VALUE],
    );
    assert_eq!(outside.look_for_txt(&name).await.outcome, Outcome::Proved);
}

#[tokio::test]
async fn a_name_with_a_private_address_is_told_so_without_the_address() {
    let outside = Outside::start().await;
    outside.world.zones.add_zone(&owner("shop.com")).unwrap();
    outside.put_values("shop.com", "A", &["192.168.7.7"]);
    let probe = HttpProbe::new(outside.resolver(), ProbePolicy::strict());
    let dcv = chancery_outside::dcv::Dcv::new(outside.resolver(), probe);
    let seen = look(&dcv, "shop.com", &file_challenge()).await;
    tells(
        &seen,
        Outcome::Forbidden,
        &["private or reserved address", "public address in the DNS"],
    );
    assert!(!format!("{seen:?}").contains("192.168"), "{seen:?}");
}
