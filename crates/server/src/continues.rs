//! Keeping `100 Continue` from clients that would take it for the answer.
//!
//! There are LogicBoxes clients that take the raw text apart themselves, at the first empty line. hyper sends the
//! interim answer by itself, once a body is read whose client said that it waits for it; so it is taken out again on
//! its way, for requests of that dialect. Who waited goes on after a moment, as RFC 9110 §10.1.1 asks of clients.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Whether the interim answer to the request of the moment is to be kept back. One for each connection.
#[derive(Clone, Default)]
pub(crate) struct Quiet(Arc<AtomicBool>);

impl Quiet {
    /// Says so for the request that is answered next.
    pub(crate) fn set(&self, is_quiet: bool) {
        self.0.store(is_quiet, Ordering::Relaxed);
    }

    /// How much of what is written is to be left out.
    fn left_out(&self, octets: &[u8]) -> Option<usize> {
        let is_it = octets.starts_with(CONTINUE) && self.0.swap(false, Ordering::Relaxed);
        is_it.then_some(CONTINUE.len())
    }
}

/// A stream that leaves out an interim answer where that was asked for.
pub(crate) struct WithoutContinue<S> {
    stream: S,
    quiet: Quiet,
}

impl<S> WithoutContinue<S> {
    pub(crate) fn new(stream: S, quiet: Quiet) -> Self {
        Self { stream, quiet }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutContinue<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithoutContinue<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.quiet.left_out(octets) {
            Some(length) => Poll::Ready(Ok(length)),
            None => Pin::new(&mut self.stream).poll_write(context, octets),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty());
        match first.and_then(|first| self.quiet.left_out(first)) {
            Some(length) => Poll::Ready(Ok(length)),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn it_is_left_out_once_and_only_where_that_was_asked_for() {
        let written = [CONTINUE, b"HTTP/1.1 200 OK\r\n\r\n", CONTINUE].concat();
        for (is_quiet, from) in [(false, 0), (true, CONTINUE.len())] {
            let (ours, mut theirs) = duplex(1024);
            let quiet = Quiet::default();
            quiet.set(is_quiet);
            let mut ours = WithoutContinue::new(ours, quiet);
            ours.write_all(&written).await.unwrap();
            ours.shutdown().await.unwrap();
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, written[from..]);
        }
    }
}
