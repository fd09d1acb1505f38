//! A stretch of network that fails on command: it stands between the store and PostgreSQL, understands
//! where one message ends, and breaks the connection around `commit`.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What happens to a connection when its next `commit` comes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Accident {
    /// Nothing.
    None,
    /// The connection breaks before `commit` is passed on.
    CutBefore,
    /// `commit` is passed on, the connection breaks, no answer comes back.
    CutAfter,
    /// The same, but the server sees the break at once as well, perhaps before it has read everything.
    CutBoth,
    /// `commit` is not passed on and the client hears nothing more; the server is left waiting.
    Swallow,
    /// `commit` is passed on, and then both sides wait for each other.
    Stall,
    /// As `CutAfter`, and from then on nobody gets through.
    CutAfterAndStayAway,
}

pub struct Proxy {
    pub port: u16,
    plan: Arc<Mutex<Plan>>,
    listener: AbortHandle,
}

#[derive(Default)]
struct Plan {
    accidents: VecDeque<Accident>,
    away: bool,
    silent: bool,
    /// Connections nobody closes, so that the server does not hear of their end.
    kept: Vec<(Option<OwnedReadHalf>, OwnedWriteHalf)>,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `server`, until an accident is planned.
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = Arc::clone(&plan);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if shared.lock().silent {
                    let (from, to) = client.into_split();
                    shared.lock().kept.push((Some(from), to));
                } else if !shared.lock().away {
                    let server = TcpStream::connect(&server).await.unwrap();
                    tokio::spawn(relay(client, server, Arc::clone(&shared)));
                }
            }
        });
        Self {
            port,
            plan,
            listener: task.abort_handle(),
        }
    }

    /// Plans what happens to the next commits, one each.
    pub fn plan(&self, accidents: impl IntoIterator<Item = Accident>) {
        self.plan.lock().accidents.extend(accidents);
    }

    /// From now on nothing is passed on, and no connection ends.
    pub fn fall_silent(&self) {
        self.plan.lock().silent = true;
    }

    /// Lets everyone through again who connects anew.
    pub fn come_back(&self) {
        let mut plan = self.plan.lock();
        plan.away = false;
        plan.silent = false;
    }

    /// How many planned accidents have not happened.
    pub fn left(&self) -> usize {
        self.plan.lock().accidents.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// What becomes of the server's answers.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Answers {
    PassedOn,
    /// Read and thrown away; the client waits.
    Lost,
    /// Read and thrown away; the client sees the connection end.
    Cut,
}

async fn relay(client: TcpStream, server: TcpStream, plan: Arc<Mutex<Plan>>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let (answers, listening) = watch::channel(Answers::PassedOn);
    let answering = tokio::spawn(pass_on(from_server, to_client, listening)).abort_handle();
    let mut first = true;
    while let Some(message) = next_message(&mut from_client, first).await {
        first = false;
        if plan.lock().silent {
            answers.send_replace(Answers::Lost);
            return plan.lock().kept.push((Some(from_client), to_server));
        }
        let accident = if message == b"Q\0\0\0\x0bcommit\0" {
            plan.lock().accidents.pop_front().unwrap_or(Accident::None)
        } else {
            Accident::None
        };
        match accident {
            Accident::None => {}
            Accident::CutBefore => return answering.abort(),
            Accident::CutBoth => {
                let _ = to_server.write_all(&message).await;
                return answering.abort();
            }
            Accident::CutAfter | Accident::CutAfterAndStayAway => {
                plan.lock().away |= accident == Accident::CutAfterAndStayAway;
                answers.send_replace(Answers::Cut);
                let _ = to_server.write_all(&message).await;
                return;
            }
            Accident::Swallow => {
                answers.send_replace(Answers::Cut);
                return plan.lock().kept.push((None, to_server));
            }
            Accident::Stall => {
                answers.send_replace(Answers::Lost);
                let _ = to_server.write_all(&message).await;
                return plan.lock().kept.push((Some(from_client), to_server));
            }
        }
        if to_server.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// Reads one whole message: the first has no type, all have their length.
async fn next_message(from: &mut OwnedReadHalf, first: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; if first { 4 } else { 5 }];
    from.read_exact(&mut message).await.ok()?;
    let length = message[message.len() - 4..]
        .try_into()
        .map(u32::from_be_bytes)
        .unwrap();
    let start = message.len();
    message.resize(start + length as usize - 4, 0);
    from.read_exact(&mut message[start..]).await.ok()?;
    Some(message)
}

async fn pass_on(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut listening: watch::Receiver<Answers>,
) {
    let mut to = Some(to);
    let mut buffer = vec![0; 65_536];
    loop {
        tokio::select! {
            biased;
            Ok(()) = listening.changed() => {
                if *listening.borrow_and_update() == Answers::Cut {
                    to = None;
                }
            }
            read = from.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return };
                if *listening.borrow() == Answers::PassedOn
                    && let Some(to) = to.as_mut()
                    && to.write_all(&buffer[..length]).await.is_err()
                {
                    return;
                }
            }
        }
    }
}
