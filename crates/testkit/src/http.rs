//! An HTTP client that does as it is told, odd things included.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::contract;
use crate::wire::Wire;

/// A client of one server, with the headers it always sends. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Http {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An error in the WebNIC dialect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// `error.subCode`
    pub sub_code: String,
    /// `error.message`
    pub message: String,
    /// `validationErrors` and `fieldErrors`: field and text, in order.
    pub fields: Vec<(String, String)>,
}

impl Http {
    /// A client of the server at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
        }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.push((name.to_owned(), value.to_owned()));
        more
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends a request; fails the test where no answer comes.
    pub async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Reply {
        let body = body.into();
        match self.try_send(method, path, body).await {
            Ok(reply) => reply,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Sends a request to a server that may be gone.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(path)
            .header(HOST, self.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = sender
            .send_request(request.body(Full::new(body.into()))?)
            .await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        let reply = Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        };
        contract::hold(method, path, &reply);
        Ok(reply)
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "").await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, "").await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.json("POST", path, body).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.json("PUT", path, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        let client = self.with_header(CONTENT_TYPE.as_str(), "application/json");
        client.send(method, path, body.to_string()).await
    }

    /// Sends these very bytes and reads until the server closes or has sent a whole answer.
    pub async fn send_raw(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        self.read_raw(stream).await
    }

    /// Opens a connection and sends these bytes, to go on by hand.
    pub async fn open_raw(&self, begin: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        stream
    }

    /// Reads one answer.
    pub async fn read_raw(&self, mut stream: TcpStream) -> Reply {
        let mut received = Vec::new();
        loop {
            if let Some(reply) = parse_reply(&received) {
                return reply;
            }
            let mut part = [0; 4096];
            let length = stream.read(&mut part).await.unwrap();
            let so_far = String::from_utf8_lossy(&received);
            assert_ne!(
                length, 0,
                "the server closed the connection after: {so_far}"
            );
            received.extend_from_slice(&part[..length]);
        }
    }
}

/// Reads an answer whose length is in its head; `None` until all of it is there.
fn parse_reply(received: &[u8]) -> Option<Reply> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name: hyper::header::HeaderName = name.parse().unwrap();
        headers.append(name, value.trim().parse().unwrap());
    }
    let length = headers
        .get("content-length")
        .map(|value| value.to_str().unwrap());
    let length: usize = length.unwrap_or("0").parse().unwrap();
    let body = received.get(end + 4..end + 4 + length)?;
    Some(Reply {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as JSON, in the order and the spelling of the wire.
    pub fn wire(&self) -> Wire {
        Wire::parse(&self.text())
    }

    /// A header, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The `data` of a success in the WebNIC dialect; null where there is none.
    pub fn data(&self) -> Value {
        let mut body = self.json();
        assert_eq!(self.status, 200, "{body}");
        assert_eq!(body["code"], "1000", "{body}");
        body["data"].take()
    }

    /// An error in the WebNIC dialect, its envelope checked.
    pub fn refusal(&self) -> Refusal {
        let body = self.json();
        assert_eq!(body["code"], "2400", "{} {body}", self.status);
        assert_eq!(body["message"], "System message", "{body}");
        assert!(body.get("data").is_none(), "{body}");
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("{body}"))
                .to_owned()
        };
        let mut fields = Vec::new();
        for entry in body["validationErrors"].as_array().into_iter().flatten() {
            fields.push((text(&entry["field"]), text(&entry["message"])));
        }
        for entry in body["fieldErrors"].as_array().into_iter().flatten() {
            for message in entry["messages"].as_array().unwrap() {
                fields.push((text(&entry["field"]), text(message)));
            }
        }
        Refusal {
            status: self.status,
            sub_code: text(&body["error"]["subCode"]),
            message: text(&body["error"]["message"]),
            fields,
        }
    }
}

impl Refusal {
    /// Compares status, sub code and message.
    pub fn is(&self, status: u16, sub_code: &str, message: &str) {
        let told = (self.status, &self.sub_code[..], &self.message[..]);
        assert_eq!(told, (status, sub_code, message), "{:?}", self.fields);
    }

    /// The texts about one field.
    pub fn about(&self, field: &str) -> Vec<&str> {
        let of_field = self.fields.iter().filter(|(name, _)| name == field);
        of_field.map(|(_, text)| &text[..]).collect()
    }
}
