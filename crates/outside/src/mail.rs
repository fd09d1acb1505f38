//! Hands messages to the configured SMTP relay.
//!
//! A message is complete before it comes here, its Message-ID and date included, so that a second attempt after a
//! lost answer sends the same message and not another one. Failures are of two kinds, because the sending job
//! must know: those that trying again may cure, and those of this message or address. Of what a relay replies,
//! only the codes are told: it likes to quote the address. Each message takes a connection of its own: one that
//! was given up half-way must not be mistaken for a fresh one.

use std::fmt;
use std::time::{Duration, SystemTime};

use chancery_domain::Timestamp;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::Code;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SmtpTls {
    /// Not at all: for a relay on this machine only.
    None,
    /// By STARTTLS, which is then required (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
}

/// Which relay to use.
#[derive(Clone)]
pub struct SmtpSettings {
    /// The relay's name or address; with TLS, the name its certificate must carry.
    pub host: String,
    /// The relay's port.
    pub port: u16,
    /// The protection of the connection.
    pub tls: SmtpTls,
    /// User name and password, where the relay wants them.
    pub credentials: Option<SmtpCredentials>,
    /// The sender, as an address or `Name <address>`.
    pub from: String,
    /// How long handing over one message may take.
    pub timeout: Duration,
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// How to sign in at the relay. The password does not print.
#[derive(Clone)]
pub struct SmtpCredentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for SmtpCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpCredentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A plain text message. Whom it is for and what it says do not print: it may hold a password.
#[derive(Clone, Eq, PartialEq)]
pub struct Mail {
    /// The recipients' addresses, at least one; they see each other.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text, with `\n` line ends.
    pub text: String,
    /// The Message-ID without angle brackets, for example `0198…@ca.example`. A repetition keeps it.
    pub message_id: String,
    /// The Date header. A repetition keeps it.
    pub date: Timestamp,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("message_id", &self.message_id)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

/// What went wrong between us and the relay, without the relay's words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct RelayFault(String);

impl RelayFault {
    fn of(error: &lettre::transport::smtp::Error) -> Self {
        let Some(code) = error.status() else {
            return Self(masked(&error.to_string()));
        };
        let words = std::error::Error::source(error).map(ToString::to_string);
        match words.as_deref().and_then(enhanced_code) {
            Some(enhanced) => Self(format!("reply {code} {enhanced}")),
            None => Self(format!("reply {code}")),
        }
    }
}

/// The enhanced status code that a reply begins with (RFC 2034 §4, RFC 3463 §2).
fn enhanced_code(reply: &str) -> Option<&str> {
    let first = reply.split_whitespace().next()?;
    let is_number = |part: &str, digits| {
        (1..=digits).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts: Vec<&str> = first.split('.').collect();
    let [class, subject, detail] = parts[..] else {
        return None;
    };
    let is_code = matches!(class, "4" | "5") && is_number(subject, 3) && is_number(detail, 3);
    is_code.then_some(first)
}

/// A text without the words that have an address in them.
fn masked(text: &str) -> String {
    let words = text.split(' ');
    let words: Vec<&str> = words
        .map(|word| if word.contains('@') { "…" } else { word })
        .collect();
    words.join(" ")
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A recipient is not an address; trying again is useless.
    #[error("a recipient is not an e-mail address")]
    Address(#[source] AddressError),
    /// The message cannot be put together; trying again is useless.
    #[error("the message cannot be put together")]
    Message(#[source] lettre::error::Error),
    /// The relay refused this message or recipient for good (a 5yz reply).
    #[error("the mail relay refused the message")]
    Refused(#[source] RelayFault),
    /// The relay could not be reached, is busy, or does not let us in: try later.
    #[error("the mail relay cannot take the message now")]
    TryLater(#[source] RelayFault),
    /// The relay did not answer in time: try later. It may have taken the message all the same.
    #[error("the mail relay did not answer in time")]
    Timeout,
}

impl MailError {
    /// Whether the same message may succeed later.
    pub fn may_pass_later(&self) -> bool {
        match self {
            Self::TryLater(_) | Self::Timeout => true,
            Self::Address(_) | Self::Message(_) | Self::Refused(_) => false,
        }
    }
}

/// Why a [`Mailer`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The sender is not an address.
    #[error("the mail sender '{0}' is not an e-mail address")]
    Sender(String, #[source] AddressError),
    /// TLS cannot be set up for the relay.
    #[error("TLS cannot be set up for the mail relay")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// A client of one SMTP relay.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Mailer {
    /// Makes a client for the relay. Nothing is sent before the first message.
    pub fn new(settings: &SmtpSettings) -> Result<Self, MailerError> {
        let from = settings
            .from
            .parse()
            .map_err(|error| MailerError::Sender(settings.from.clone(), error))?;
        let parameters = || TlsParameters::new(settings.host.clone()).map_err(MailerError::Tls);
        let tls = match settings.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Implicit => Tls::Wrapper(parameters()?),
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
                .port(settings.port)
                .tls(tls)
                .timeout(Some(settings.timeout));
        if let Some(SmtpCredentials { username, password }) = settings.credentials.clone() {
            builder = builder.credentials(Credentials::new(username, password));
        }
        Ok(Self {
            transport: builder.build(),
            from,
            timeout: settings.timeout,
        })
    }

    /// How long handing over one message may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends one message. `Ok` means that the relay has taken responsibility for it (RFC 5321 §6.1).
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.send_as(None, mail).await
    }

    /// The same under another name of the sender; the address stays.
    pub async fn send_as(&self, sender: Option<&str>, mail: &Mail) -> Result<(), MailError> {
        let message = self.compose(sender, mail)?;
        // The transport's own limit covers connecting only.
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_about_this_message(&error) => {
                Err(MailError::Refused(RelayFault::of(&error)))
            }
            Ok(Err(error)) => Err(MailError::TryLater(RelayFault::of(&error))),
            Err(_) => Err(MailError::Timeout),
        }
    }

    /// Whether the relay takes connections, and the credentials where there are any.
    pub async fn check(&self) -> Result<(), MailError> {
        match tokio::time::timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(MailError::TryLater(RelayFault::of(&error))),
            Err(_) => Err(MailError::Timeout),
        }
    }

    fn compose(&self, sender: Option<&str>, mail: &Mail) -> Result<Message, MailError> {
        // An automatic message says so, and gets no automatic reply (RFC 3834 §5).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut from = self.from.clone();
        if let Some(sender) = sender {
            from.name = Some(sender.to_owned());
        }
        let mut message = Message::builder().from(from);
        for address in &mail.to {
            let address = address.parse().map_err(MailError::Address)?;
            message = message.to(Mailbox::new(None, address));
        }
        message
            .subject(mail.subject.as_str())
            .date(SystemTime::from(mail.date))
            .message_id(Some(format!("<{}>", mail.message_id)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            // SMTP ends the last line itself.
            .body(
                mail.text
                    .strip_suffix('\n')
                    .unwrap_or(&mail.text)
                    .to_owned(),
            )
            .map_err(MailError::Message)
    }
}

/// A refusal for good, unless it is about signing in, which the operator can mend (RFC 4954 §6).
fn is_about_this_message(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(|code: Code| code.to_string());
    error.is_permanent() && !matches!(code.as_deref(), Some("530" | "534" | "535" | "538"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    fn settings() -> SmtpSettings {
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: 25,
            tls: SmtpTls::None,
            credentials: Some(SmtpCredentials {
                username: "ca".to_owned(),
                password: "hunter2".to_owned(),
            }),
            from: "Chancery <ca@example.com>".to_owned(),
            timeout: Duration::from_secs(5),
        }
    }

    fn mail() -> Mail {
        Mail {
            to: vec!["admin@shop.example".to_owned()],
            subject: "Grüße".to_owned(),
            text: "Bitte bestätigen.\n".to_owned(),
            message_id: "1@ca.example".to_owned(),
            date: "2026-11-22T10:00:00Z".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_message_is_the_same_each_time_it_is_composed() {
        let mailer = Mailer::new(&settings()).unwrap();
        let first = mailer.compose(None, &mail()).unwrap().formatted();
        assert_eq!(first, mailer.compose(None, &mail()).unwrap().formatted());
        let text = String::from_utf8(first).unwrap();
        assert!(text.contains("Message-ID: <1@ca.example>\r\n"), "{text}");
        assert!(
            text.contains("Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Auto-Submitted: auto-generated\r\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn header_injection_is_impossible() {
        let mailer = Mailer::new(&settings()).unwrap();
        let evil = Mail {
            subject: "a\r\nBcc: evil@example.net".to_owned(),
            ..mail()
        };
        let text = String::from_utf8(mailer.compose(None, &evil).unwrap().formatted()).unwrap();
        assert!(!text.contains("\nBcc:"), "{text}");
        let evil = Mail {
            to: vec!["a@b.example\r\nBcc: evil@example.net".to_owned()],
            ..mail()
        };
        assert!(matches!(
            mailer.compose(None, &evil),
            Err(MailError::Address(_))
        ));
    }

    /// What comes of a message where the relay replies so to its recipient.
    async fn replied(reply: &'static str) -> MailError {
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = relay.local_addr().unwrap().port();
        let talk = async move {
            let (stream, _) = relay.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 relay.example\r\n").await.unwrap();
            while let Some(line) = lines.next_line().await.unwrap_or(None) {
                let answer = match line.get(..4) {
                    Some("RCPT") => reply,
                    _ => "250 relay.example",
                };
                let answer = format!("{answer}\r\n");
                if write.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        };
        let settings = SmtpSettings {
            port,
            credentials: None,
            ..settings()
        };
        let mailer = Mailer::new(&settings).unwrap();
        let message = mail();
        let (sent, ()) = tokio::join!(mailer.send(&message), talk);
        sent.unwrap_err()
    }

    #[tokio::test]
    async fn of_a_relays_reply_only_the_codes_are_told() {
        let told = async |reply| {
            let error = replied(reply).await;
            let source = std::error::Error::source(&error).unwrap();
            assert!(!format!("{error:?} {error} {source}").contains("admin@"));
            (error.may_pass_later(), source.to_string())
        };
        let refused = told("550 5.1.1 <admin@shop.example>: no such user").await;
        assert_eq!(refused, (false, "reply 550 5.1.1".to_owned()));
        let later = told("450 <admin@shop.example> greylisted").await;
        assert_eq!(later, (true, "reply 450".to_owned()));
        let garbage = told("admin@shop.example what").await;
        assert!(
            garbage.0 && !garbage.1.contains("shop.example"),
            "{garbage:?}"
        );
    }

    #[test]
    fn what_a_mail_says_does_not_print() {
        let printed = format!("{:?}", mail());
        let told = ["admin@", "Grüße", "bestätigen"].map(|text| printed.contains(text));
        assert_eq!(told, [false; 3], "{printed}");
    }

    #[test]
    fn the_password_does_not_print() {
        let printed = format!("{:?} {:?}", settings(), settings().credentials);
        assert!(!printed.contains("hunter2"));
    }
}
