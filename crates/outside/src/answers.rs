//! Reads an HTTP/1 answer as browsers do: what servers really send, within bounds.
//!
//! A proof rests on the value alone, which nobody has who was not told it; so every form that leaves no doubt about the
//! content is read, whether or not RFC 9112 lets a server send it: folded lines, control octets, lines without a colon,
//! bare line feeds, interim answers, lengths that do not fit. There is one answer to a connection and nothing is passed
//! on, so the confusions that strictness guards proxies against (request smuggling) have no place here. What is kept of
//! the headers is what is needed; all else is counted against a limit and forgotten.

use std::io;

use chancery_domain::findings::{Broken, NotHttp, Stage};
use futures_util::FutureExt;
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::excerpts::{excerpt, shown};

/// The largest body that is read, and the largest that one may decode to, in bytes.
pub const BODY_LIMIT: usize = 16 * 1024;

/// The most that status lines and headers may take, interim answers included, in bytes.
pub const HEAD_LIMIT: usize = 256 * 1024;

/// How much of one line is kept.
const LINE_KEPT: usize = 16 * 1024;

/// How much of a header's value is kept, folded lines included.
const VALUE_KEPT: usize = 16 * 1024;

/// How many empty lines before a status line are passed over.
const EMPTY_LINES: usize = 4;

/// How many octets of rubbish before `HTTP/` are passed over.
const RUBBISH: usize = 4;

/// How many Location headers are kept.
const LOCATIONS: usize = 4;

/// What a server answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The Location headers, in order.
    pub locations: Vec<String>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The codings of the content, in the order they were applied.
    pub codings: Vec<String>,
    /// The content as it came, without transfer coding; read for a success only.
    pub body: Vec<u8>,
    /// How the content ended.
    pub end: Ending,
}

/// How a content ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Ending {
    /// As announced.
    #[default]
    Whole,
    /// It is larger than what is read.
    TooLarge,
    /// Otherwise than announced.
    Broken(Broken),
}

/// What goes on inside of the headers while they are read.
#[derive(Default)]
struct Fields {
    locations: Vec<String>,
    server: Option<String>,
    content_codings: Vec<String>,
    transfer_codings: Vec<String>,
    lengths: Vec<String>,
}

/// Reads one answer from `stream`, telling `stage` how far it is; what has come is in `answer`, also where the caller,
/// who bounds the time, does not wait for the rest.
pub async fn read(
    stream: impl AsyncRead + Unpin,
    stage: &mut Stage,
    answer: &mut Answer,
) -> Result<(), NotHttp> {
    let mut source = Source::new(stream);
    let (status, fields) = loop {
        let status = read_status(&mut source, stage).await?;
        let fields = read_fields(&mut source).await?;
        // An interim answer (RFC 9110 §15.2) is followed by another; 101 is not.
        if !(100..200).contains(&status) || status == 101 {
            break (status, fields);
        }
    };
    let framing = Framing::of(&fields);
    let mut codings = fields.content_codings;
    codings.extend((fields.transfer_codings.into_iter()).filter(|coding| coding != "chunked"));
    *answer = Answer {
        status,
        locations: fields.locations,
        server: fields.server,
        codings,
        ..Answer::default()
    };
    if (200..300).contains(&status) && !matches!(status, 204 | 205) {
        let mut body = Body {
            source: &mut source,
            stage,
            content: &mut answer.body,
        };
        answer.end = match framing {
            Framing::Chunked => body.read_chunks().await,
            Framing::Length(length) => body.read_length(length).await,
            Framing::Contradictory(told) => body.read_contradictory(&told).await,
            Framing::UntilClose => body.read_until_close().await,
        };
    }
    Ok(())
}

/// Reads an answer that is there whole, as [`read`] does.
pub fn read_whole(octets: &[u8]) -> Result<Answer, NotHttp> {
    let (mut stage, mut answer) = (Stage::default(), Answer::default());
    let reading = read(octets, &mut stage, &mut answer).now_or_never();
    let read = reading.expect("invariant: octets in memory are never waited for");
    read.map(|()| answer)
}

async fn read_status(
    source: &mut Source<impl AsyncRead + Unpin>,
    stage: &mut Stage,
) -> Result<u16, NotHttp> {
    for _ in 0..=EMPTY_LINES {
        let line = source.line(stage).await?;
        if line.octets.is_empty() && !line.is_last {
            continue;
        }
        return status_of(&line.octets).ok_or_else(|| match &source.error {
            Some(error) if line.octets.is_empty() => broke(error),
            _ => not_http(&line.octets),
        });
    }
    Err(NotHttp::Other(shown("")))
}

/// How a connection broke before anything came.
fn broke(error: &io::Error) -> NotHttp {
    let of_tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (of_tls, error.kind()) {
        (Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)), _) => {
            NotHttp::ClientCertificate
        }
        (Some(error), _) => NotHttp::Broke(shown(&error.to_string())),
        (None, io::ErrorKind::ConnectionReset) => NotHttp::Reset,
        // TLS that ends without saying so, as many servers end it.
        (None, io::ErrorKind::UnexpectedEof) => NotHttp::Closed,
        (None, _) => NotHttp::Broke(shown(&error.to_string())),
    }
}

/// What something that is no status line is.
fn not_http(octets: &[u8]) -> NotHttp {
    match octets {
        [] => NotHttp::Closed,
        // A TLS record: an alert, or a handshake, of version 3.x.
        [0x15 | 0x16, 0x03, ..] => NotHttp::Tls,
        // An HTTP/2 SETTINGS frame on stream 0 (RFC 9113 §3.4).
        [0, 0, _, 4, _, 0, 0, 0, 0, ..] => NotHttp::Http2,
        other => {
            let beginning = String::from_utf8_lossy(&other[..other.len().min(80)]);
            NotHttp::Other(shown(&excerpt(&beginning, 80)))
        }
    }
}

/// The status code of a status line: any version, with or without a reason, after a little rubbish; `ICY` too.
fn status_of(line: &[u8]) -> Option<u16> {
    let rest = (0..=RUBBISH).find_map(|skip| {
        let line = line.get(skip..)?;
        let is_http = line
            .get(..5)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"));
        let is_icy = skip == 0
            && line
                .get(..4)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"ICY "));
        (is_http || is_icy).then_some(line)
    })?;
    let space = rest.iter().position(u8::is_ascii_whitespace)?;
    let code = rest[space..].trim_ascii_start();
    let digits = code
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    let code = std::str::from_utf8(&code[..digits]).ok()?;
    let status: u16 = code.parse().ok()?;
    (digits == 3 && status >= 100).then_some(status)
}

async fn read_fields(source: &mut Source<impl AsyncRead + Unpin>) -> Result<Fields, NotHttp> {
    let mut fields = Fields::default();
    // A line is only whole when the next one does not continue it.
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let line = source.line(&mut Stage::Head).await?;
        if line.is_last {
            return Err(NotHttp::HeadCutOff);
        }
        let continues = matches!(line.octets.first(), Some(b' ' | b'\t'));
        if continues && !line.octets.trim_ascii().is_empty() {
            if !pending.is_empty() && pending.len() < VALUE_KEPT {
                // RFC 9112 §5.2: a user agent must replace a fold by spaces.
                pending.push(b' ');
                pending.extend_from_slice(line.octets.trim_ascii());
            }
            continue;
        }
        fields.take(&pending);
        if line.octets.is_empty() {
            return Ok(fields);
        }
        pending = line.octets;
    }
}

impl Fields {
    /// Keeps a header if it is needed. A line without a colon or without a name says nothing.
    fn take(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else {
            return;
        };
        let name = line[..colon].trim_ascii().to_ascii_lowercase();
        let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned();
        let tokens = || {
            let tokens = value.split(',').map(|token| {
                let token = token.split(';').next().unwrap_or_default();
                token.trim().to_ascii_lowercase()
            });
            tokens.filter(|token| !token.is_empty() && token != "identity")
        };
        match name.as_slice() {
            b"location" if self.locations.len() < LOCATIONS => {
                self.locations
                    .push(as_url_text(line[colon + 1..].trim_ascii()));
            }
            b"server" => self.server = self.server.take().or(Some(value)),
            b"content-encoding" => self.content_codings.extend(tokens()),
            b"transfer-encoding" => self.transfer_codings.extend(tokens()),
            b"content-length" => {
                let lengths = value.split(',').map(|length| length.trim().to_owned());
                self.lengths.extend(lengths.take(LOCATIONS));
            }
            _ => {}
        }
    }
}

/// A URL as it was sent: octets that are no UTF-8 (ISO 8859-1, often) become percent-encoded, as browsers send them on.
fn as_url_text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => (octets.iter())
            .map(|octet| match octet.is_ascii() {
                true => char::from(*octet).to_string(),
                false => format!("%{octet:02X}"),
            })
            .collect(),
    }
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Eq, PartialEq)]
enum Framing {
    Chunked,
    Length(u64),
    /// Several lengths; the text says which.
    Contradictory(String),
    UntilClose,
}

impl Framing {
    fn of(fields: &Fields) -> Self {
        if fields
            .transfer_codings
            .iter()
            .any(|coding| coding == "chunked")
        {
            return Self::Chunked;
        }
        // What is not a number is no length, and the end of the connection is the end of the body.
        let mut lengths: Vec<u64> = (fields.lengths.iter())
            .filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()))
            .filter_map(|text| text.parse().ok())
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        match lengths.as_slice() {
            [] => Self::UntilClose,
            [length] => Self::Length(*length),
            several => {
                let told: Vec<String> = several.iter().map(u64::to_string).collect();
                Self::Contradictory(told.join(", "))
            }
        }
    }
}

struct Body<'a, S> {
    source: &'a mut Source<S>,
    stage: &'a mut Stage,
    content: &'a mut Vec<u8>,
}

impl<S: AsyncRead + Unpin> Body<'_, S> {
    async fn read_length(&mut self, length: u64) -> Ending {
        match self.take(length, Some(length)).await {
            Taken::All => Ending::Whole,
            Taken::TooMuch => Ending::TooLarge,
            Taken::Ended(came) => Ending::Broken(Broken::Short {
                came,
                announced: length,
            }),
        }
    }

    async fn read_until_close(&mut self) -> Ending {
        match self.take(u64::MAX, None).await {
            Taken::TooMuch => Ending::TooLarge,
            Taken::All | Taken::Ended(_) => Ending::Whole,
        }
    }

    async fn read_contradictory(&mut self, told: &str) -> Ending {
        match self.take(u64::MAX, None).await {
            Taken::TooMuch => Ending::TooLarge,
            Taken::All | Taken::Ended(_) => Ending::Broken(Broken::TwoLengths(shown(told))),
        }
    }

    /// RFC 9112 §7.1, chunk extensions and trailers passed over, line feeds alone taken for line ends.
    async fn read_chunks(&mut self) -> Ending {
        loop {
            let Ok(line) = self.source.line(&mut Stage::Head).await else {
                return Ending::TooLarge;
            };
            let size = line.octets.split(|octet| *octet == b';').next();
            let size = size.unwrap_or_default().trim_ascii();
            if size.is_empty() && line.is_last {
                return Ending::Broken(Broken::ChunksCutOff);
            }
            let Some(size) = size_of_chunk(size) else {
                let text = String::from_utf8_lossy(&line.octets);
                return Ending::Broken(Broken::NotChunked(shown(&excerpt(&text, 40))));
            };
            if size == 0 {
                // Trailers may follow; nothing in them is needed.
                return Ending::Whole;
            }
            match self.take(size, None).await {
                Taken::All => {}
                Taken::TooMuch => return Ending::TooLarge,
                Taken::Ended(_) => return Ending::Broken(Broken::ChunksCutOff),
            }
            match self.source.line(&mut Stage::Head).await {
                Ok(line) if line.octets.is_empty() && !line.is_last => {}
                Ok(_) => return Ending::Broken(Broken::ChunksCutOff),
                Err(_) => return Ending::TooLarge,
            }
        }
    }

    /// Takes so many octets, or as many as there are room for or come.
    async fn take(&mut self, count: u64, announced: Option<u64>) -> Taken {
        let mut came = 0;
        while came < count {
            *self.stage = Stage::Body { came, announced };
            let Some(octets) = self.source.some().await else {
                return Taken::Ended(came);
            };
            let wanted = usize::try_from(count - came)
                .unwrap_or(usize::MAX)
                .min(octets.len());
            let room = BODY_LIMIT - self.content.len();
            self.content.extend_from_slice(&octets[..wanted.min(room)]);
            self.source.consume(wanted);
            came += wanted as u64;
            if wanted > room {
                return Taken::TooMuch;
            }
        }
        Taken::All
    }
}

enum Taken {
    All,
    TooMuch,
    Ended(u64),
}

fn size_of_chunk(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// Octets from a stream, line by line or as they come.
struct Source<S> {
    stream: S,
    buffer: Vec<u8>,
    at: usize,
    /// How much of the limit on heads is used up.
    spent: usize,
    /// What broke the connection, if it did not end in order.
    error: Option<io::Error>,
}

struct Line {
    /// Without its end.
    octets: Vec<u8>,
    /// Whether the stream ended before the line did.
    is_last: bool,
}

impl<S: AsyncRead + Unpin> Source<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
            spent: 0,
            error: None,
        }
    }

    /// The next line, ended by CR LF or by LF alone; what is too much of a long one is dropped.
    async fn line(&mut self, stage: &mut Stage) -> Result<Line, NotHttp> {
        let mut octets = Vec::new();
        loop {
            let Some(some) = self.some().await else {
                return Ok(Line {
                    octets,
                    is_last: true,
                });
            };
            *stage = Stage::Head;
            let end = some.iter().position(|octet| *octet == b'\n');
            let part = &some[..end.unwrap_or(some.len())];
            let room = LINE_KEPT.saturating_sub(octets.len());
            octets.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.consume(used);
            self.spent += used;
            if self.spent > HEAD_LIMIT {
                return Err(NotHttp::HeadTooLarge(HEAD_LIMIT));
            }
            if end.is_some() {
                if octets.last() == Some(&b'\r') {
                    octets.pop();
                }
                return Ok(Line {
                    octets,
                    is_last: false,
                });
            }
        }
    }

    /// What is there, after waiting for something; `None` at the end. However a connection ends, it ends: many
    /// servers close TLS without saying so.
    async fn some(&mut self) -> Option<&[u8]> {
        if self.at == self.buffer.len() {
            self.buffer.resize(8 * 1024, 0);
            self.at = 0;
            let read = self.stream.read(&mut self.buffer).await;
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            self.error = read.err();
        }
        let some = &self.buffer[self.at..];
        (!some.is_empty()).then_some(some)
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body_of(answer: &[u8]) -> String {
        let answer = read_whole(answer).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }

    #[test]
    fn status_lines_are_read_in_every_form_servers_send() {
        for line in [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200",
            "HTTP/1.1 200 ",
            "HTTP/1.0 200 Okay",
            "HTTP/2 200",
            "HTTP/2.0 200 OK",
            "http/1.1 200 ok",
            "HTTP/1.1  200 OK",
            "HTTP/1.1\t200\tOK",
            "HTTP/1.1 200OK",
            "HTTP/ 200 OK",
            "ICY 200 OK",
            "\0\0HTTP/1.1 200 OK",
        ] {
            assert_eq!(status_of(line.as_bytes()), Some(200), "{line}");
        }
        for line in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 OK",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
            "HTTP/1.1 099 x",
            "SSH-2.0-x 200 y",
            "<html> 200",
            "ICYX 200",
        ] {
            assert_eq!(status_of(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn odd_headers_do_not_hide_the_content() {
        let mut many = String::new();
        for n in 0..1000 {
            many += &format!("X-H{n}: {}\r\n", "v".repeat(100));
        }
        for head in [
            "X-Device: a=b;\r\n c=d\r\n",
            "X-Device: a=b;\r\n\tc=d\r\n \r\n",
            " folded from the start\r\n",
            "Set-Cookie: ___utm=dmo\0AOZ; path=/\r\n",
            "Set-Cookie: a\x01\x02\x7f\u{85}b\r\n",
            "Server : x\r\n",
            "X Y Z: a\r\n",
            "no colon at all\r\n",
            ": no name\r\n",
            "X-Empty:\r\n",
            "X-Empty\r\n",
            "Über: straße\r\n",
            "Content-Length : 5\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: five\r\n",
            "Content-Length: -1\r\n",
            "Content-Length:\r\n",
            "Transfer-Encoding: identity\r\n",
            &many,
        ] {
            assert_eq!(
                body_of(format!("HTTP/1.1 200 OK\r\n{head}\r\nVALUE").as_bytes()),
                "VALUE",
                "{head}"
            );
            let unix = format!("HTTP/1.1 200 OK\n{}\nVALUE", head.replace("\r\n", "\n"));
            assert_eq!(body_of(unix.as_bytes()), "VALUE", "{head}");
        }
        assert_eq!(body_of(b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\nVALUE"), "VALUE");
    }

    #[test]
    fn targets_are_kept_octet_by_octet() {
        let answer =
            read_whole(b"HTTP/1.1 302 x\r\nLocation:  /\xfcber?x \r\nLocation: /\xc3\xbc\r\n\r\n");
        assert_eq!(answer.unwrap().locations, ["/%FCber?x", "/ü"]);
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 9\r\n\r\n\
                      HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nVALUE and more";
        assert_eq!(body_of(answer.as_bytes()), "VALUE");
        let switching = read_whole(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
        assert_eq!(switching.status, 101);
    }

    #[test]
    fn chunks_are_put_together() {
        for chunks in [
            "5\r\nVALUE\r\n0\r\n\r\n",
            "2;name=\"x\"\r\nVA\r\n3  \r\nLUE\r\n0\r\nTrailer: x\r\n\r\n",
            "0005\r\nVALUE\r\n000\r\n",
            "5\nVALUE\n0\n\n",
            "5\r\nVALUE\r\n0",
        ] {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n{chunks}"
            );
            let read = read_whole(answer.as_bytes()).unwrap();
            assert_eq!(
                (read.body.as_slice(), read.end),
                (&b"VALUE"[..], Ending::Whole),
                "{chunks}"
            );
        }
        for (chunks, broken) in [
            ("VALUE", Broken::NotChunked(shown("VALUE"))),
            ("5\r\nVAL", Broken::ChunksCutOff),
            ("5\r\nVALUE", Broken::ChunksCutOff),
            ("5\r\nVALUE\r\n", Broken::ChunksCutOff),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert_eq!(
                read_whole(answer.as_bytes()).unwrap().end,
                Ending::Broken(broken),
                "{chunks}"
            );
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_told() {
        let short = read_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nVALUE").unwrap();
        let broken = Broken::Short {
            came: 5,
            announced: 9,
        };
        assert_eq!(
            (short.body.as_slice(), short.end),
            (&b"VALUE"[..], Ending::Broken(broken))
        );
        let two =
            read_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 5\r\n\r\nVALUE")
                .unwrap();
        assert_eq!(two.end, Ending::Broken(Broken::TwoLengths(shown("5, 9"))));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (octets, what) in [
            (&b""[..], NotHttp::Closed),
            (b"\x15\x03\x01\x00\x02\x02\x46", NotHttp::Tls),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03", NotHttp::Http2),
            (
                b"SSH-2.0-OpenSSH_9.2\r\n",
                NotHttp::Other(shown("SSH-2.0-OpenSSH_9.2")),
            ),
            (b"VALUE", NotHttp::Other(shown("VALUE"))),
            (b"HTTP/1.1 200 OK\r\nX: y\r\n", NotHttp::HeadCutOff),
        ] {
            assert_eq!(read_whole(octets).unwrap_err(), what);
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_LIMIT));
        assert_eq!(
            read_whole(endless.as_bytes()).unwrap_err(),
            NotHttp::HeadTooLarge(HEAD_LIMIT)
        );
        let many = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(HEAD_LIMIT / 5));
        assert_eq!(
            read_whole(many.as_bytes()).unwrap_err(),
            NotHttp::HeadTooLarge(HEAD_LIMIT)
        );
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(HEAD_LIMIT / 20);
        assert_eq!(
            read_whole(interim.as_bytes()).unwrap_err(),
            NotHttp::HeadTooLarge(HEAD_LIMIT)
        );
    }

    proptest! {
        /// Whatever comes is read within the bounds, and never panics.
        #[test]
        fn any_octets_are_read_within_bounds(
            head in "(HTTP/1.1 200 OK\r\n)?(Transfer-Encoding: chunked\r\n|Content-Length: [0-9]{1,3}\r\n|[ -~]{0,20}\r?\n){0,4}(\r\n)?",
            rest in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let octets = [head.as_bytes(), &rest].concat();
            if let Ok(answer) = read_whole(&octets) {
                prop_assert!(answer.body.len() <= BODY_LIMIT);
                prop_assert!((100..=999).contains(&answer.status));
            }
        }

        /// Folding, line ends and other headers make no difference to the content.
        #[test]
        fn the_content_does_not_depend_on_the_headers(names in prop::collection::vec("[A-Z][a-z-]{0,8}x", 0..20), body in "[a-f0-9]{0,64}") {
            let fields: String = names.iter().map(|name| format!("{name}: a\r\n b\n")).collect();
            let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len());
            prop_assert_eq!(body_of(answer.as_bytes()), body);
        }
    }
}
