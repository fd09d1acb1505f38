//! A budget for all bodies together: however many clients send at once, so much is held in memory and no more.
//!
//! Octets are taken from the budget as they arrive, not as they are announced: who promises much and sends little holds
//! little. They go back when the request is answered. Who finds the budget used up waits a moment for others.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a part of a body waits for room.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much all bodies may take together.
#[derive(Clone)]
pub struct Budget(Arc<Semaphore>);

/// What one request has taken of it; goes back when all clones are gone.
#[derive(Clone, Default)]
pub struct Share(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

/// There was no room for a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRoom;

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("other bodies take all the room there is")
    }
}

impl std::error::Error for NoRoom {}

impl Budget {
    /// So many octets.
    pub fn new(octets: usize) -> Self {
        Self(Arc::new(Semaphore::new(octets.min(Semaphore::MAX_PERMITS))))
    }

    /// A body that takes from it what it holds, and whoever has to keep that until the request is answered.
    pub fn watch<B>(&self, body: B) -> (Watched<B>, Share) {
        let share = Share::default();
        let watched = Watched {
            body,
            budget: self.clone(),
            share: share.clone(),
            waiting: None,
        };
        (watched, share)
    }

    async fn room_for(self, octets: u32) -> Result<OwnedSemaphorePermit, NoRoom> {
        let room = timeout(PATIENCE, self.0.acquire_many_owned(octets)).await;
        room.map_err(|_| NoRoom)?.map_err(|_| NoRoom)
    }
}

impl Share {
    fn add(&self, room: OwnedSemaphorePermit) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.merge(room),
            None => *held = Some(room),
        }
    }
}

/// A body whose octets count.
pub struct Watched<B> {
    body: B,
    budget: Budget,
    share: Share,
    waiting: Option<(Bytes, Room)>,
}

type Room = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, NoRoom>> + Send>>;

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Watched<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some((data, mut room)) = this.waiting.take() {
                return match room.as_mut().poll(context) {
                    Poll::Pending => {
                        this.waiting = Some((data, room));
                        Poll::Pending
                    }
                    Poll::Ready(Ok(room)) => {
                        this.share.add(room);
                        Poll::Ready(Some(Ok(Frame::data(data))))
                    }
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
                    let room = this.budget.clone().room_for(octets);
                    this.waiting = Some((data, Box::pin(room)));
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

    #[tokio::test(start_paused = true)]
    async fn bodies_share_the_room_until_their_requests_are_answered() {
        let budget = Budget::new(10);
        let (one, held) = budget.watch(Body::from("12345678"));
        assert_eq!(read(Body::new(one), TIME, 20).await.unwrap(), "12345678");
        let (other, _) = budget.watch(Body::from("123"));
        let refused = read(Body::new(other), TIME, 20).await;
        assert_eq!(refused, Err(BodyError::NoRoom));
        drop(held);
        let (third, _held) = budget.watch(Body::from("1234567890"));
        assert_eq!(
            read(Body::new(third), TIME, 20).await.unwrap(),
            "1234567890"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_waited_for_room() {
        let budget = Budget::new(4);
        let (one, held) = budget.watch(Body::from("1234"));
        read(Body::new(one), TIME, 20).await.unwrap();
        let (other, _held) = budget.watch(Body::from("12"));
        let answered = async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(held);
        };
        let (body, ()) = tokio::join!(read(Body::new(other), TIME, 20), answered);
        assert_eq!(body.unwrap(), "12");
    }

    #[tokio::test]
    async fn what_is_announced_and_not_sent_takes_no_room() {
        let budget = Budget::new(4);
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let (_announced, _held) = budget.watch(Body::from_stream(never));
        let (sent, _held) = budget.watch(Body::from("1234"));
        assert_eq!(read(Body::new(sent), TIME, 20).await.unwrap(), "1234");
    }
}
