//! One HTTP/1.1 GET over one connection.

use chancery_domain::findings::{FileFinding, Stage};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Host;

use crate::answers::{self, Answer};
use crate::tls;

/// How the connection is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// What is asked for.
pub(crate) struct Question<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: &'a Host,
    /// The host and, if unusual, the port.
    pub(crate) authority: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
}

/// Asks over `stream`, telling `stage` how far it is; `answer` has what has come so far. The caller bounds the time.
pub(crate) async fn get(
    stream: TcpStream,
    question: &Question<'_>,
    stage: &mut Stage,
    answer: &mut Answer,
) -> Result<(), FileFinding> {
    let request = request(question).ok_or(FileFinding::Unaskable)?;
    match question.scheme {
        Scheme::Http => send(stream, &request, stage, answer).await,
        Scheme::Https => {
            *stage = Stage::Handshake;
            let name = server_name(question.host).ok_or(FileFinding::Unaskable)?;
            let stream = tls::connect(stream, name)
                .await
                .map_err(FileFinding::NoTls)?;
            send(stream, &request, stage, answer).await
        }
    }
}

/// The request as it is sent. No coding is asked for: there is little to save, and less that can go wrong.
fn request(question: &Question<'_>) -> Option<Vec<u8>> {
    let Question {
        authority, path, ..
    } = question;
    // What the URL parser lets through has none of these; a request must not be split by a stranger's URL.
    let is_plain = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
    (is_plain(authority) && is_plain(path)).then(|| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Chancery domain control check\r\nAccept: */*\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        .into_bytes()
    })
}

async fn send<S>(
    mut stream: S,
    request: &[u8],
    stage: &mut Stage,
    answer: &mut Answer,
) -> Result<(), FileFinding>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    *stage = Stage::Waiting;
    // A server may answer and close before it has read all of the request, so the answer is read in any case.
    let _ = stream.write_all(request).await;
    let _ = stream.flush().await;
    answers::read(stream, stage, answer)
        .await
        .map_err(FileFinding::NotHttp)
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            ServerName::try_from(name.to_owned()).ok()
        }
        Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_not_split_by_what_it_asks_for() {
        let host = Host::Domain("a.test".to_owned());
        let ask = |authority, path| {
            let question = Question {
                scheme: Scheme::Http,
                host: &host,
                authority,
                path,
            };
            request(&question)
        };
        assert!(ask("a.test", "/x?y=%0D%0A").is_some());
        for (authority, path) in [
            ("a.test", "/x\r\nCookie: y"),
            ("a.test\r\nX: y", "/x"),
            ("a.test", "/x y"),
            ("a.test", "/é"),
        ] {
            assert!(ask(authority, path).is_none(), "{authority} {path}");
        }
    }
}
