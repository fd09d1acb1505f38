//! The DNS server of the OTE world, over UDP and TCP (RFC 1035 §4.2, RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::errors::OteError;
use crate::listening::{self, Listening, Stopping};
use crate::zones::{UDP_LIMIT, Zones};

/// How long a TCP connection may stay idle.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// The least a message can be: its header.
const HEADER_LENGTH: usize = 12;

/// Answers for `zones` at `listen`, on the same port for both transports.
pub async fn start(listen: SocketAddr, zones: Arc<Zones>) -> Result<Listening, OteError> {
    let (udp, tcp) = bind(listen).await.map_err(OteError::io(format!(
        "the OTE DNS server cannot listen on {listen}"
    )))?;
    let local_addr = tcp.local_addr().map_err(OteError::io(
        "the OTE DNS server cannot learn its own address",
    ))?;
    let (stop, stopping) = listening::channel();
    let serve_udp = serve_udp(udp, Arc::clone(&zones), stopping.clone());
    let serve_tcp = listening::serve_connections(tcp, stopping, move |stream, _| {
        serve_connection(stream, Arc::clone(&zones))
    });
    let tasks = vec![tokio::spawn(serve_udp), tokio::spawn(serve_tcp)];
    Ok(Listening::new(local_addr, stop, tasks))
}

/// Both sockets on one port. Where the port is left open, the one TCP gets may be taken for UDP, so a few are tried.
async fn bind(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if listen.port() == 0 { 16 } else { 1 };
    loop {
        let tcp = TcpListener::bind(listen).await?;
        tries -= 1;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

async fn serve_udp(socket: UdpSocket, zones: Arc<Zones>, mut stopping: Stopping) {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let received = tokio::select! {
            () = stopping.asked() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // An error here is about an earlier answer that nobody wanted; the socket itself is fine.
        let Ok((length, peer)) = received else {
            continue;
        };
        if let Some(answer) = answer_bytes(&zones, &buffer[..length], Transport::Udp) {
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

async fn serve_connection(mut stream: TcpStream, zones: Arc<Zones>) -> io::Result<()> {
    let mut request = Vec::new();
    loop {
        tokio::time::timeout(IDLE_LIMIT, read_message(&mut stream, &mut request)).await??;
        if let Some(answer) = answer_bytes(&zones, &request, Transport::Tcp) {
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let mut framed = length.to_be_bytes().to_vec();
            framed.extend_from_slice(&answer);
            tokio::time::timeout(IDLE_LIMIT, stream.write_all(&framed)).await??;
        }
    }
}

async fn read_message(stream: &mut TcpStream, message: &mut Vec<u8>) -> io::Result<()> {
    let length = stream.read_u16().await?;
    message.resize(usize::from(length), 0);
    stream.read_exact(message).await.map(|_| ())
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Transport {
    Udp,
    Tcp,
}

fn answer_bytes(zones: &Zones, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let Ok(request) = Message::from_vec(request) else {
        return malformed(request);
    };
    let answer = zones.answer(&request)?;
    let bytes = answer.to_vec().ok()?;
    let room = match transport {
        Transport::Udp => usize::from(request.max_payload().min(UDP_LIMIT)),
        Transport::Tcp => usize::from(u16::MAX),
    };
    if bytes.len() <= room {
        Some(bytes)
    } else {
        answer.truncate().to_vec().ok()
    }
}

/// What was no message but has a header gets an error, so that the asker need not wait.
fn malformed(request: &[u8]) -> Option<Vec<u8>> {
    const RESPONSE_BIT: u8 = 0x80;
    if request.len() < HEADER_LENGTH || request[2] & RESPONSE_BIT != 0 {
        return None;
    }
    let id = u16::from_be_bytes([request[0], request[1]]);
    Message::error_msg(id, OpCode::Query, ResponseCode::FormErr)
        .to_vec()
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever bytes arrive, the server answers or stays silent; it never panics.
        #[test]
        fn no_bytes_break_the_server(request in prop::collection::vec(any::<u8>(), 0..200)) {
            let zones = Zones::in_memory();
            let _ = answer_bytes(&zones, &request, Transport::Udp);
        }
    }
}
