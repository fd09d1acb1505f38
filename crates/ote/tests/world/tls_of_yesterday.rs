//! Redirects to the https of old servers, played by OpenSSL with their suites and versions.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use chancery_domain::observations::{Observation, Outcome};
use chancery_outside::probe::ProbePolicy;

use crate::fixtures::{FILE_PATH, Outside, VALUE, file_challenge, look};

/// A TLS server that serves one file, until it is dropped.
struct OldServer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl OldServer {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // With -HTTP openssl sends the file as the whole answer.
        let answer = format!("HTTP/1.0 200 OK\r\n\r\n{VALUE}");
        std::fs::write(folder.path().join("file.txt"), answer).expect("a file");
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=old.test",
            ])
            .args([
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
                "-days",
                "9",
            ])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(made.success());
        let mut process = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-key",
                "key.pem",
                "-cert",
                "certificate.pem",
                "-HTTP",
            ])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let accepting = lines
            .map_while(Result::ok)
            .find(|line| line.starts_with("ACCEPT"));
        let accepting = accepting.expect("openssl says where it listens");
        let (_, port) = accepting.rsplit_once(':').expect("a port");
        Self {
            process,
            port: port.trim().parse().expect("a port"),
            _folder: folder,
        }
    }
}

async fn look_through_redirect(outside: &Outside, server: &OldServer) -> Observation {
    outside.put_redirect("shop.test", FILE_PATH, 301, "https://shop.test/file.txt");
    let policy = ProbePolicy::loopback(outside.web.local_addr().port(), server.port);
    look(&outside.dcv_with(policy), "shop.test", &file_challenge()).await
}

#[tokio::test]
async fn the_suites_of_servers_of_2013_are_spoken() {
    let outside = Outside::start().await;
    for suites in [
        // Those that Windows Server 2012 R2 offers with an RSA certificate, weakest first.
        "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA256:AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA",
        "ECDHE-RSA-AES128-SHA256",
    ] {
        let cipher = format!("{suites}:@SECLEVEL=0");
        let server = OldServer::start(&["-tls1_2", "-cipher", &cipher]);
        let seen = look_through_redirect(&outside, &server).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{suites}: {seen:?}");
    }
}

#[tokio::test]
async fn what_old_servers_lack_is_named() {
    let outside = Outside::start().await;
    for (arguments, what) in [
        (
            [
                "-tls1_2",
                "-cipher",
                "AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0",
            ],
            "no common cipher suite",
        ),
        (
            ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            "no common protocol version",
        ),
    ] {
        let server = OldServer::start(&arguments);
        let seen = look_through_redirect(&outside, &server).await;
        assert_eq!(seen.outcome, Outcome::Unreachable, "{seen:?}");
        assert!(seen.found.contains(what), "{seen:?}");
        assert!(seen.advice.contains(what), "{seen:?}");
        assert!(seen.advice.contains("Port 80 answered"), "{seen:?}");
        assert!(seen.advice.contains("https side of shop.test"), "{seen:?}");
    }
}
