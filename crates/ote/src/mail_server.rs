//! The SMTP server in front of the mailbox: takes every message, relays none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailin::response::{INTERNAL_ERROR, NO_STORAGE, OK};
use mailin::{Action, Handler, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::errors::OteError;
use crate::listening::{self, Listening};
use crate::mailbox::Mailbox;

/// How long a client may be silent (RFC 5321 §4.5.3.2.7).
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// The longest line that is read, in bytes; the standard asks for 1000 (RFC 5321 §4.5.3.1.6).
const LINE_LIMIT: u64 = 64 * 1024;

/// The largest message that is kept, in bytes.
const SIZE_LIMIT: usize = 1024 * 1024;

/// Takes mail for `mailbox` at `listen`.
pub async fn start(listen: SocketAddr, mailbox: Arc<Mailbox>) -> Result<Listening, OteError> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(OteError::io(format!(
            "the OTE mail server cannot listen on {listen}"
        )))?;
    let local_addr = listener.local_addr().map_err(OteError::io(
        "the OTE mail server cannot learn its own address",
    ))?;
    let (stop, stopping) = listening::channel();
    let serve = move |stream, peer| {
        let taker = Taker {
            mailbox: Arc::clone(&mailbox),
            data: Vec::new(),
            is_too_large: false,
        };
        converse(stream, peer, taker)
    };
    let task = tokio::spawn(listening::serve_connections(listener, stopping, serve));
    Ok(Listening::new(local_addr, stop, vec![task]))
}

async fn converse(stream: TcpStream, peer: SocketAddr, taker: Taker) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut session = SessionBuilder::new("ote").build(peer.ip(), taker);
    stream.write_all(&session.greeting().buffer()?).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stream).take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut line);
        tokio::time::timeout(IDLE_LIMIT, read).await??;
        if !line.ends_with(b"\n") {
            // The client hung up, or sends a line that never ends.
            return Ok(());
        }
        let response = session.process(&line);
        match response.action {
            Action::NoReply => {}
            Action::Reply => stream.write_all(&response.buffer()?).await?,
            Action::Close | Action::UpgradeTls => {
                return stream.write_all(&response.buffer()?).await;
            }
        }
    }
}

/// Collects the message of one connection.
struct Taker {
    mailbox: Arc<Mailbox>,
    data: Vec<u8>,
    is_too_large: bool,
}

impl Handler for Taker {
    fn data_start(
        &mut self,
        _domain: &str,
        _from: &str,
        _is8bit: bool,
        _to: &[String],
    ) -> Response {
        self.data.clear();
        self.is_too_large = false;
        OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        if self.data.len() + line.len() > SIZE_LIMIT {
            self.is_too_large = true;
        } else {
            self.data.extend_from_slice(line);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if self.is_too_large {
            return closing(NO_STORAGE);
        }
        match self.mailbox.deliver(std::mem::take(&mut self.data)) {
            Ok(_) => OK,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a message was not kept"
                );
                closing(INTERNAL_ERROR)
            }
        }
    }
}

/// A refusal that ends the connection: after a refused message the session would take every command for data.
fn closing(mut refusal: Response) -> Response {
    refusal.action = Action::Close;
    refusal
}
