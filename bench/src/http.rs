//! A small HTTP/1.1 client: connections stay open, requests are bytes made beforehand, answers are parsed no
//! further than needed. The load generator shares the processor with the server, so it has to be cheap.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer larger than this is not one of ours.
const ANSWER_LIMIT: usize = 1 << 20;

/// A connection that is kept open.
pub(crate) struct HttpConnection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// The body; with the frames of its chunks, if it came in chunks.
    pub(crate) body: &'a [u8],
}

/// The bytes of a request. `head` holds further header lines, each ended by CRLF.
pub(crate) fn request(method: &str, path: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{head}").into_bytes();
    if !body.is_empty() {
        let lines = format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        bytes.extend_from_slice(lines.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

impl HttpConnection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(8 * 1024),
        })
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.received.clear();
        self.stream.write_all(request).await?;
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            ensure!(
                self.received.len() <= ANSWER_LIMIT,
                "the answer is too long"
            );
            if head.is_none() {
                head = Head::parse(&self.received)?;
            }
            if let Some(head) = &head
                && head.is_complete(&self.received)
            {
                return Ok(Answer {
                    status: head.status,
                    body: &self.received[head.length..],
                });
            }
        }
    }

    /// Sends a request and reads JSON; a status other than 2xx is an error that shows the answer.
    pub(crate) async fn json(&mut self, request: &[u8]) -> Result<Value> {
        let answer = self.exchange(request).await?;
        answer.ensure_success()?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(answer.body).context("the answer is not JSON")
    }
}

impl Answer<'_> {
    /// Fails, showing the body, unless the status is 2xx.
    pub(crate) fn ensure_success(&self) -> Result<()> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        bail!("{}: {}", self.status, String::from_utf8_lossy(self.body));
    }
}

/// What the head of an answer says about its length.
struct Head {
    status: u16,
    length: usize,
    /// The length of the body; `None` if it comes in chunks.
    body: Option<usize>,
}

impl Head {
    /// Reads the head, once all of it is there.
    fn parse(received: &[u8]) -> Result<Option<Self>> {
        let Some(end) = find(received, b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&received[..end])?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12));
        let status = status.context("not HTTP")?.parse()?;
        let mut body = Some(0);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(value.trim().parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = None;
            }
        }
        Ok(Some(Self {
            status,
            length: end + 4,
            body,
        }))
    }

    fn is_complete(&self, received: &[u8]) -> bool {
        match self.body {
            Some(body) => received.len() >= self.length + body,
            None => received.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// Where `needle` begins.
pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_when_the_answer_is_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let head = Head::parse(answer).unwrap().unwrap();
        assert_eq!(head.status, 201);
        assert!(head.is_complete(answer));
        assert!(!head.is_complete(&answer[..answer.len() - 1]));
        assert!(Head::parse(&answer[..30]).unwrap().is_none());
    }

    #[test]
    fn chunks_end_with_an_empty_one() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        let head = Head::parse(answer).unwrap().unwrap();
        assert!(head.is_complete(answer));
        assert!(!head.is_complete(&answer[..answer.len() - 5]));
    }
}
