//! What goes wrong between two machines, before there is an answer to judge.

use super::Excerpt;

/// Why no connection came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoConnection {
    /// Every address refused: nobody listens on the port, or a firewall says no.
    Refused,
    /// No address answered: a firewall that drops, or a machine that is off.
    Silent,
    /// The network of the other side cannot be reached.
    Unreachable,
    /// The connection was broken off while it came about.
    Reset,
}

impl NoConnection {
    /// What the machine does, as the end of a sentence.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Refused => "refuses connections",
            Self::Silent => "does not answer (a firewall may drop what comes from outside)",
            Self::Unreachable => "cannot be reached from the Internet",
            Self::Reset => "breaks connections off",
        }
    }
}

/// Why TLS did not come about on the way a redirect leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsTrouble {
    /// No cipher suite that both sides speak.
    NoCommonSuite,
    /// No version that both sides speak: the server has TLS 1.1 or older only.
    NoCommonVersion,
    /// The server has no certificate for the name.
    UnknownName,
    /// The other side does not speak TLS on that port.
    NotTls,
    /// The connection ended during the handshake, without a reason.
    BrokenOff,
    /// Anything else, in the words of the TLS library.
    Other(Excerpt),
}

impl TlsTrouble {
    /// The trouble as a clause, for account and advice.
    pub(super) fn what(&self) -> String {
        match self {
            Self::NoCommonSuite => {
                "no common cipher suite (alert handshake_failure): the server wants neither TLS 1.3 nor ECDHE with AES-GCM, \
                 ChaCha20 or AES-CBC, or it asks for a client certificate"
                    .to_owned()
            }
            Self::NoCommonVersion => {
                "no common protocol version: the server speaks neither TLS 1.2 nor TLS 1.3".to_owned()
            }
            Self::UnknownName => {
                "the server has no certificate for this name (alert unrecognized_name)".to_owned()
            }
            Self::NotTls => "the server does not speak TLS on this port".to_owned(),
            Self::BrokenOff => "the server ended the connection during the TLS handshake, as servers do that have no \
                                certificate for the name, or no cipher suite or protocol version in common"
                .to_owned(),
            Self::Other(why) => format!("the TLS handshake failed: {why}"),
        }
    }
}

/// Why what came back is no answer in HTTP/1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotHttp {
    /// The connection was closed before anything came.
    Closed,
    /// The connection was reset before an answer was there.
    Reset,
    /// The server speaks TLS where plain HTTP was asked.
    Tls,
    /// The server speaks HTTP/2 without having been asked to.
    Http2,
    /// Status line and headers are larger than this many bytes.
    HeadTooLarge(usize),
    /// The answer ended within status line and headers.
    HeadCutOff,
    /// The server asks for a certificate of ours, which there is none of.
    ClientCertificate,
    /// The connection broke before an answer was there; says how.
    Broke(Excerpt),
    /// Something else; its beginning.
    Other(Excerpt),
}

impl NotHttp {
    /// The trouble as a clause.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Closed => "the server closed the connection without an answer".to_owned(),
            Self::Reset => "the server reset the connection without an answer".to_owned(),
            Self::Tls => "the server answers in TLS where plain HTTP was asked".to_owned(),
            Self::Http2 => "the server answers in HTTP/2 where HTTP/1.1 was asked".to_owned(),
            Self::HeadTooLarge(limit) => {
                format!("status line and headers are larger than {limit} bytes")
            }
            Self::HeadCutOff => "the answer ends within its headers".to_owned(),
            Self::ClientCertificate => "the server asks for a client certificate".to_owned(),
            Self::Broke(how) => format!("the connection broke before an answer: {how}"),
            Self::Other(beginning) => format!(
                "not a valid HTTP answer: it begins with \"{beginning}\" in the place of a status line"
            ),
        }
    }

    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::ClientCertificate => "Let this path be read without a client certificate",
            Self::Closed | Self::Reset | Self::Broke(_) => {
                "Let the web server answer requests from outside (a firewall, a filter for bots or a rule of the web \
                 server may break them off)"
            }
            Self::Tls => "Let port 80 speak plain HTTP; TLS belongs on port 443",
            Self::Http2 => "Let the web server answer HTTP/1.1 requests in HTTP/1.1",
            Self::HeadTooLarge(_) => {
                "Let the web server send fewer or smaller headers (cookies, policies) with this file"
            }
            Self::HeadCutOff => {
                "Let the web server end its headers with an empty line, and the content follow them"
            }
            Self::Other(_) => "Let a web server answer on this port, in HTTP",
        }
    }
}

/// How a body came to an end that its headers did not announce.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The connection ended after so many of the bytes that Content-Length had announced.
    Short {
        /// Bytes that came.
        came: u64,
        /// Bytes that were announced.
        announced: u64,
    },
    /// The connection ended within chunks, or without the last one.
    ChunksCutOff,
    /// What should be the size of a chunk is not; its beginning.
    NotChunked(Excerpt),
    /// Several lengths that differ; what they say.
    TwoLengths(Excerpt),
    /// The content is coded in a way that was not asked for and is not understood.
    UnknownCoding(Excerpt),
    /// The content is not what its coding says, or its coding is broken.
    Undecodable(Excerpt),
}

impl Broken {
    /// The trouble as a clause.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Short { came, announced } => {
                format!(
                    "the connection ended after {came} of the {announced} bytes that Content-Length announces"
                )
            }
            Self::ChunksCutOff => {
                "the connection ended before the last chunk (Transfer-Encoding: chunked)".to_owned()
            }
            Self::NotChunked(line) => format!(
                "the headers say Transfer-Encoding: chunked, but \"{line}\" is not the size of a chunk"
            ),
            Self::TwoLengths(lengths) => {
                format!("several Content-Length headers contradict each other: {lengths}")
            }
            Self::UnknownCoding(coding) => format!(
                "the content is coded as Content-Encoding: {coding}, although the request says Accept-Encoding: identity"
            ),
            Self::Undecodable(coding) => format!(
                "the headers say Content-Encoding: {coding}, but the content cannot be decoded so"
            ),
        }
    }

    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Short { .. } | Self::TwoLengths(_) => {
                "Let the web server send one Content-Length that is the number of bytes in the file, or none"
            }
            Self::ChunksCutOff | Self::NotChunked(_) => {
                "Let the web server send the file in whole and well-formed chunks, or without Transfer-Encoding"
            }
            Self::UnknownCoding(_) | Self::Undecodable(_) => {
                "Switch compression off for this file (no Content-Encoding header)"
            }
        }
    }
}

/// How far a look at a file had come when its time was up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// The address of the host was looked for.
    #[default]
    Resolving,
    /// A connection was being made.
    Connecting,
    /// TLS was being set up.
    Handshake,
    /// The request was sent, and nothing of an answer had come.
    Waiting,
    /// Some of the headers had come.
    Head,
    /// Some of the content had come.
    Body {
        /// Bytes that came.
        came: u64,
        /// Bytes that were announced, if they were.
        announced: Option<u64>,
    },
}

impl Stage {
    /// What was still lacking, as a clause.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Resolving => "the DNS had not told the address".to_owned(),
            Self::Connecting => "no connection had come about".to_owned(),
            Self::Handshake => "the TLS handshake had not ended".to_owned(),
            Self::Waiting => "the server had not begun to answer".to_owned(),
            Self::Head => "the headers of the answer had not ended".to_owned(),
            Self::Body {
                came,
                announced: Some(announced),
            } => format!("{came} of the {announced} bytes that Content-Length announces had come"),
            Self::Body {
                came,
                announced: None,
            } => format!(
                "{came} bytes of the content had come, and neither a length nor an end of the connection"
            ),
        }
    }

    /// What to do about it, where more than speed is at fault.
    pub(super) fn advice(&self, host: &str) -> String {
        match self {
            Self::Resolving => format!("Make the name servers of {host} answer faster"),
            Self::Connecting => format!("Make {host} reachable from the Internet"),
            Self::Handshake => format!("Let the TLS side of {host} answer"),
            Self::Waiting | Self::Head => format!("Let the web server of {host} answer faster"),
            Self::Body { announced: Some(_), .. } => {
                "Let the web server send one Content-Length that is the number of bytes in the file, or none".to_owned()
            }
            Self::Body { announced: None, .. } => {
                "Let the web server send a Content-Length with the file, or close the connection after it".to_owned()
            }
        }
    }
}
