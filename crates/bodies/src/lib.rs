//! Bodies of requests, read within bounds, whatever dialect they are in.
//!
//! How long a body may be and how long it may take is the caller's to say; so is how a refusal is told.

mod budget;
pub mod forms;

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use zeroize::Zeroizing;

pub use budget::{Budget, NoRoom, Share, TooLate, Watched};

/// Why a body was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyError {
    /// It is longer than is taken.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke, or its framing.
    Broken,
    /// Other bodies take all the room there is.
    NoRoom,
}

/// Reads a body, within so much time and so many octets.
pub async fn read(body: Body, time: Duration, limit: usize) -> Result<Bytes, BodyError> {
    read_by(body, time, limit, async |body| {
        Ok(body.collect().await?.to_bytes())
    })
    .await
}

/// Reads a body that may hold secrets, likewise; the buffer clears itself, and nothing is copied out of it.
pub async fn read_secret(
    body: Body,
    time: Duration,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    read_by(body, time, limit, async |mut body| {
        let mut octets = Zeroizing::new(Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                append(&mut octets, &data);
            }
        }
        Ok(octets)
    })
    .await
}

/// Appends to a buffer that clears itself, and leaves no copy behind where it has to move. It grows by what has come,
/// not by what was announced.
fn append(octets: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    let needed = octets.len() + data.len();
    if needed > octets.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * octets.capacity())));
        larger.extend_from_slice(octets);
        *octets = larger;
    }
    octets.extend_from_slice(data);
}

async fn read_by<T>(
    body: Body,
    time: Duration,
    limit: usize,
    collect: impl AsyncFnOnce(Limited<Body>) -> Result<T, axum::BoxError>,
) -> Result<T, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(time, collect(Limited::new(body, limit))).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(error)) if is_by::<NoRoom>(&*error) => Err(BodyError::NoRoom),
        Ok(Err(error)) if is_by::<TooLate>(&*error) => Err(BodyError::TooSlow),
        Ok(Err(_)) => Err(BodyError::Broken),
        Ok(Ok(collected)) => Ok(collected),
    }
}

/// Whether an error, however wrapped, is of this kind.
fn is_by<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_parts(parts: &'static [&'static str]) -> Body {
        let parts = parts.iter().map(|part| Ok::<_, std::io::Error>(*part));
        Body::from_stream(futures_util::stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_too_long_or_too_slow_is_refused() {
        let time = Duration::from_secs(30);
        for body in [Body::from("12345"), in_parts(&["123", "45"])] {
            assert_eq!(read(body, time, 4).await, Err(BodyError::TooLarge));
        }
        for body in [Body::from("12345"), in_parts(&["123", "45"])] {
            assert_eq!(read_secret(body, time, 4).await, Err(BodyError::TooLarge));
        }
        for body in [Body::from("1234"), in_parts(&["12", "34"])] {
            assert_eq!(read(body, time, 4).await.unwrap(), "1234");
        }
        let secret = read_secret(in_parts(&["12", "34"]), time, 4).await.unwrap();
        assert_eq!(*secret, b"1234");
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let read = read(Body::from_stream(never), Duration::ZERO, 4).await;
        assert_eq!(read, Err(BodyError::TooSlow));
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
        let read = super::read(Body::from_stream(broken), time, 4).await;
        assert_eq!(read, Err(BodyError::Broken));
    }
}
