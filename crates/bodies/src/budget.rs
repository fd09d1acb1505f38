//! A budget for all bodies together: however many clients send at once, so much is held in memory and no more; and of
//! that, so much by one client.
//!
//! Octets are taken from the budget as they arrive, not as they are announced: who promises much and sends little holds
//! little. They go back when the request is answered. Who finds the budget used up waits a moment for others.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};

/// How long a part of a body waits for room.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which part of the budget one client has.
const PART_OF_ONE: usize = 8;

/// What one client has at least, as far as there is so much: the largest body that is taken anywhere.
const LEAST_OF_ONE: usize = 1024 * 1024;

/// How much all bodies may take together.
#[derive(Clone)]
pub struct Budget(Arc<Rooms>);

struct Rooms {
    all: Arc<Semaphore>,
    octets: usize,
    of_one: usize,
    /// The rooms of clients that have bodies on their way.
    clients: Mutex<HashMap<u128, Arc<Semaphore>>>,
}

/// What one request has taken of it; goes back when all clones are gone.
#[derive(Clone)]
pub struct Share(Arc<Taken>);

struct Taken {
    held: Mutex<Option<[OwnedSemaphorePermit; 2]>>,
    client: Option<u128>,
    own: Arc<Semaphore>,
    rooms: Arc<Rooms>,
}

/// There was no room for a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRoom;

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("other bodies take all the room there is")
    }
}

impl std::error::Error for NoRoom {}

/// A body did not arrive within its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLate;

impl std::fmt::Display for TooLate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body did not arrive in time")
    }
}

impl std::error::Error for TooLate {}

impl Budget {
    /// So many octets.
    pub fn new(octets: usize) -> Self {
        let octets = octets.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Rooms {
            all: Arc::new(Semaphore::new(octets)),
            octets,
            of_one: (octets / PART_OF_ONE).max(LEAST_OF_ONE).min(octets),
            clients: Mutex::default(),
        }))
    }

    /// A body of a client that takes from it what it holds, and whoever has to keep that until the request is
    /// answered. Without a client it may be anybody's, and has no part of its own. Where a time is given, all of the
    /// body has to arrive within it.
    pub fn watch<B>(
        &self,
        client: Option<u128>,
        body: B,
        time: Option<Duration>,
    ) -> (Watched<B>, Share) {
        let share = self.share(client);
        let watched = Watched {
            body,
            share: share.clone(),
            waiting: None,
            deadline: time.map(|time| Box::pin(sleep(time))),
        };
        (watched, share)
    }

    fn share(&self, client: Option<u128>) -> Share {
        let mut clients = self.0.clients();
        let room = |octets| Arc::new(Semaphore::new(octets));
        let own = match client {
            Some(client) => {
                Arc::clone(clients.entry(client).or_insert_with(|| room(self.0.of_one)))
            }
            None => room(self.0.octets),
        };
        Share(Arc::new(Taken {
            held: Mutex::default(),
            client,
            own,
            rooms: Arc::clone(&self.0),
        }))
    }
}

impl Rooms {
    fn clients(&self) -> MutexGuard<'_, HashMap<u128, Arc<Semaphore>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes so many octets; first of what the client has, so that it waits for itself before it waits for others.
    async fn take(self, octets: u32) -> Result<(), NoRoom> {
        let Taken {
            held, own, rooms, ..
        } = &*self.0;
        let taking = async {
            let own = Arc::clone(own).acquire_many_owned(octets).await?;
            let all = Arc::clone(&rooms.all).acquire_many_owned(octets).await?;
            Ok::<_, tokio::sync::AcquireError>([own, all])
        };
        let taken = timeout(PATIENCE, taking).await.map_err(|_| NoRoom)?;
        let [own, all] = taken.map_err(|_| NoRoom)?;
        match &mut *held.lock().unwrap_or_else(PoisonError::into_inner) {
            Some([held_own, held_all]) => {
                held_own.merge(own);
                held_all.merge(all);
            }
            none => *none = Some([own, all]),
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // What it holds knows of the client's room, too.
        let held = self.held.get_mut();
        drop(held.unwrap_or_else(PoisonError::into_inner).take());
        let mut clients = self.rooms.clients();
        // Two that know of it: the table and this request.
        if let Some(client) = self.client
            && Arc::strong_count(&self.own) == 2
        {
            clients.remove(&client);
        }
    }
}

/// A body whose octets count.
pub struct Watched<B> {
    body: B,
    share: Share,
    waiting: Option<(Bytes, Room)>,
    deadline: Option<Pin<Box<Sleep>>>,
}

type Room = Pin<Box<dyn Future<Output = Result<(), NoRoom>> + Send>>;

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Watched<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(TooLate.into())));
        }
        loop {
            if let Some((data, mut room)) = this.waiting.take() {
                return match room.as_mut().poll(context) {
                    Poll::Pending => {
                        this.waiting = Some((data, room));
                        Poll::Pending
                    }
                    Poll::Ready(Ok(())) => Poll::Ready(Some(Ok(Frame::data(data)))),
                    Poll::Ready(Err(none)) => Poll::Ready(Some(Err(none.into()))),
                };
            }
            let frame = match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            match frame.into_data() {
                Ok(data) => {
                    let octets = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    this.waiting = Some((data, Box::pin(this.share.clone().take(octets))));
                }
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.waiting {
            None => self.body.size_hint(),
            // What waits has left the body already.
            Some(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::{BodyError, read};

    const TIME: Duration = Duration::from_secs(30);

    const MEBI: usize = 1024 * 1024;

    fn octets(count: usize) -> Body {
        Body::from(vec![b'x'; count])
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_share_the_room_until_their_requests_are_answered() {
        let budget = Budget::new(10);
        let (one, held) = budget.watch(Some(1), Body::from("12345678"), None);
        assert_eq!(read(Body::new(one), TIME, 20).await.unwrap(), "12345678");
        let (other, _) = budget.watch(Some(2), Body::from("123"), None);
        let refused = read(Body::new(other), TIME, 20).await;
        assert_eq!(refused, Err(BodyError::NoRoom));
        drop(held);
        let (third, _held) = budget.watch(Some(3), Body::from("1234567890"), None);
        assert_eq!(
            read(Body::new(third), TIME, 20).await.unwrap(),
            "1234567890"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_its_part_of_the_room_and_leaves_the_rest_to_others() {
        let budget = Budget::new(16 * MEBI);
        let send = async |client| {
            let (body, held) = budget.watch(Some(client), octets(MEBI), None);
            let read = read(Body::new(body), TIME, MEBI).await;
            read.map(|_| held)
        };
        let first = send(1).await.unwrap();
        let second = send(1).await.unwrap();
        assert_eq!(send(1).await.err(), Some(BodyError::NoRoom));
        let other = send(2).await.unwrap();
        drop(first);
        let third = send(1).await.unwrap();
        let (body, of_anybody) = budget.watch(None, octets(4 * MEBI), None);
        assert!(read(Body::new(body), TIME, 4 * MEBI).await.is_ok());
        drop((second, third, other, of_anybody));
        assert!(budget.0.clients().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_waited_for_room() {
        let budget = Budget::new(4);
        let (one, held) = budget.watch(Some(1), Body::from("1234"), None);
        read(Body::new(one), TIME, 20).await.unwrap();
        let (other, _held) = budget.watch(Some(2), Body::from("12"), None);
        let answered = async {
            sleep(PATIENCE / 2).await;
            drop(held);
        };
        let (body, ()) = tokio::join!(read(Body::new(other), TIME, 20), answered);
        assert_eq!(body.unwrap(), "12");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_little_time_is_cut_off_however_it_drips() {
        let budget = Budget::new(MEBI);
        let drops = futures_util::stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let body = Body::from_stream(drops);
        let (dripping, _held) = budget.watch(Some(1), body, Some(Duration::from_secs(5)));
        let began = tokio::time::Instant::now();
        let cut = read(Body::new(dripping), TIME, 20).await;
        assert_eq!(cut, Err(BodyError::TooSlow));
        assert_eq!(began.elapsed().as_secs(), 5);
    }

    #[tokio::test]
    async fn what_is_announced_and_not_sent_takes_no_room() {
        let budget = Budget::new(4);
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let (_announced, _held) = budget.watch(Some(1), Body::from_stream(never), None);
        let (sent, _held) = budget.watch(Some(1), Body::from("1234"), None);
        assert_eq!(read(Body::new(sent), TIME, 20).await.unwrap(), "1234");
    }
}
