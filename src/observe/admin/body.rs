//! What an answer carries: bytes, or pieces that come one after the other.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task,
};
use tokio_util::task::AbortOnDropHandle;

pub(super) type Content = Either<Full<Bytes>, Stream>;

pub(super) fn whole(bytes: Bytes) -> Content {
    Either::Left(Full::new(bytes))
}

/// Pieces from a task, which ends with the answer. One waits at most: who does not read holds no memory.
pub(super) struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    _task: AbortOnDropHandle<()>,
    _room: OwnedSemaphorePermit,
}

impl Stream {
    /// Runs `make` for as long as somebody reads.
    pub(super) fn of<F>(room: OwnedSemaphorePermit, make: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Content
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, pieces) = mpsc::channel(1);
        let task = AbortOnDropHandle::new(task::spawn(make(sender)));
        Either::Right(Self { pieces, _task: task, _room: room })
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
