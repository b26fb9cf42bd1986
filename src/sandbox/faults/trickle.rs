//! A body that comes a little at a time.

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Pieces that a body comes in.
const PIECES: u32 = 8;

/// A body in pieces, with a pause before each.
pub(super) struct Trickle {
    left: Bytes,
    piece: usize,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Trickle {
    /// These bytes, over so long a time.
    pub(super) fn new(bytes: Bytes, over: Duration) -> Self {
        let pause = over / PIECES;
        let pieces = usize::try_from(PIECES).unwrap_or(1);
        Self {
            piece: bytes.len().div_ceil(pieces).max(1),
            left: bytes,
            pause,
            sleep: Box::pin(sleep(pause)),
        }
    }
}

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let next = Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        let size = self.piece.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
