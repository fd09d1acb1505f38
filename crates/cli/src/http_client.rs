//! A small HTTP client for the demo and the health of a server: one request a connection, JSON in and out.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// Talks to one server.
pub(crate) struct HttpClient {
    authority: String,
    pub(crate) token: Option<String>,
}

impl HttpClient {
    /// A client for `http://host:port`.
    pub(crate) fn new(url: &str) -> Result<Self> {
        let authority = url
            .strip_prefix("http://")
            .context("--url begins with http://")?;
        Ok(Self {
            authority: authority.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// Sends JSON and reads JSON; a status other than 2xx is an error that shows the answer.
    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let answer = self.send(method, path, "application/json", body).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Reads what is at a path, whatever the status.
    pub(crate) async fn get(&self, path: &str) -> Result<(StatusCode, Bytes)> {
        let exchange = self.answer(Method::GET, path, "application/json", Vec::new());
        let asked = format!("http://{}{path}", self.authority);
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(|| format!("{asked} did not answer in time"))?
            .with_context(|| asked)
    }

    /// Sends bytes and reads bytes.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Bytes> {
        let exchange = self.exchange(method, path, content_type, body);
        let asked = format!("http://{}{path}", self.authority);
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(|| format!("{asked} did not answer in time"))?
            .with_context(|| asked)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Bytes> {
        let (status, answer) = self.answer(method, path, content_type, body).await?;
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, content_type);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = sender
            .send_request(request.body(Full::new(Bytes::from(body)))?)
            .await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        Ok((status, answer))
    }
}
