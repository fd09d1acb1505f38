//! Looks while this process may open no more files: a program of its own, since every test in it would suffer.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Challenge, RecordType};
use chancery_domain::names::DomainName;
use chancery_domain::observations::Outcome;
use chancery_ote::{OteWorld, OwnerName, RecordKind, WebFile, WebHead, dns_server, web_server};
use chancery_outside::dcv::Dcv;
use chancery_outside::dns::{Resolver, ResolverSettings};
use chancery_outside::probe::{HttpProbe, ProbePolicy};

const VALUE: &str = "3f2a9c51d8e04b7796a1c0de55aa77bb";

/// Somebody beside this process, who changes how many files it may have open.
struct Limits(Child, ChildStdin, BufReader<ChildStdout>);

impl Limits {
    fn new() -> Self {
        let script =
            "while read limit; do prlimit --pid \"$0\" --nofile=\"$limit:\" && echo done; done";
        let mut shell = Command::new("sh")
            .args(["-c", script, &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = shell.stdin.take().expect("its input");
        let output = BufReader::new(shell.stdout.take().expect("its output"));
        Self(shell, input, output)
    }

    fn set(&mut self, limit: u32) {
        writeln!(self.1, "{limit}").expect("the shell listens");
        let mut answer = String::new();
        self.2.read_line(&mut answer).expect("the shell answers");
        assert_eq!(answer, "done\n", "prlimit (util-linux) is installed");
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_lack_of_descriptors_is_no_fault_of_the_applicants() {
    let world = OteWorld::in_memory();
    let any = "127.0.0.1:0".parse().unwrap();
    let dns = dns_server::start(any, Arc::clone(&world.zones))
        .await
        .unwrap();
    let web = web_server::start(any, Arc::clone(&world.web))
        .await
        .unwrap();
    let resolver = Resolver::new(&ResolverSettings {
        servers: vec![dns.local_addr()],
        timeout: Duration::from_secs(5),
        attempts: 1,
        recursive: true,
    })
    .unwrap();
    let port = web.local_addr().port();
    let probe = HttpProbe::new(resolver.clone(), ProbePolicy::loopback(port, port));
    let dcv = Dcv::new(resolver, probe);

    let owner = |name: &str| OwnerName::parse(name).unwrap();
    let text = serde_json::from_value(serde_json::json!({ "values": [VALUE] })).unwrap();
    (world.zones)
        .put(&owner("_dnsauth.shop.test"), RecordKind::Txt, text)
        .unwrap();
    let file = WebFile {
        head: WebHead::default(),
        body: VALUE.into(),
    };
    let path = "/.well-known/pki-validation/fileauth.txt";
    world.web.put(&owner("shop.test"), path, file).unwrap();
    let name = DomainName::parse("shop.test").unwrap();
    let challenges = [
        Challenge::Dns {
            record_type: RecordType::Txt,
            host: "_dnsauth.shop.test".to_owned(),
            value: VALUE.to_owned(),
        },
        Challenge::File {
            file_name: "fileauth.txt".to_owned(),
            value: VALUE.to_owned(),
        },
    ];

    let mut limits = Limits::new();
    for (limit, outcome) in [
        (1024, Outcome::Proved),
        (3, Outcome::OwnFailure),
        (1024, Outcome::Proved),
    ] {
        limits.set(limit);
        for challenge in &challenges {
            let seen = dcv.look(&name, challenge, Timestamp::UNIX_EPOCH).await;
            assert_eq!(seen.outcome, outcome, "{limit}: {seen:?}");
            assert!(!seen.advice.contains("name servers"), "{seen:?}");
        }
    }
}
