//! The answer's body on its way to the IdP: in pieces, and the end of its exchange.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    task,
    time::{Sleep, sleep},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    exchange::Exchange,
    wire::{Open, Traffic},
};

/// What the IdP gets as body.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Read, or made here.
    Whole(Bytes),
    /// The app's, not read; `first` is what has been read and not gone out.
    App {
        /// Goes out first.
        first: VecDeque<Bytes>,
        /// The rest.
        rest: Incoming,
    },
}

/// So much of an answer is handed over at once. What has been handed over and not taken is all that a client can keep
/// here of an answer whose exchange is over; HTTP/2 lets it do so without blocking the socket.
const PIECE: usize = 64 << 10;

/// An answer's body, which ends its exchange: with the last piece, not when the client has taken it.
#[derive(Debug)]
pub(crate) struct Reply {
    flow: Flow,
    /// Until everything has been handed over.
    exchange: Option<Box<Exchange>>,
    open: Option<Open>,
    times: Times,
    /// The client speaks HTTP/2.
    http2: bool,
    /// Runs while the app owes us something.
    pause: Option<Pin<Box<Sleep>>>,
    /// Runs from the first piece on to the last.
    watch: Option<Watch>,
}

/// How long an answer may stand still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Because the app sends nothing more.
    pub(crate) app: Duration,
    /// Because the client takes nothing more.
    pub(crate) client: Duration,
}

/// Why an answer ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the application broke off its answer")]
    App(#[from] hyper::Error),
    #[error("the application stopped in the middle of its answer")]
    Silent,
}

impl Reply {
    /// The body of an answer; `bodiless` when the protocol sends none, whatever `flow` holds.
    pub(crate) fn new(
        flow: Flow,
        bodiless: bool,
        version: Version,
        times: Times,
        exchange: Box<Exchange>,
        open: Open,
    ) -> Self {
        let http2 = version >= Version::HTTP_2;
        let mut reply =
            Self { flow, exchange: Some(exchange), open: Some(open), times, http2, pause: None, watch: None };
        if bodiless || reply.is_end_stream() {
            reply.over(Exchange::complete);
        }
        reply
    }

    fn over(&mut self, how: impl FnOnce(&mut Exchange)) {
        if let Some(mut exchange) = self.exchange.take() {
            how(&mut exchange);
        }
        (self.open, self.watch) = (None, None);
    }

    fn poll_app(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let (first, rest) = match &mut self.flow {
            Flow::Whole(bytes) => return Poll::Ready(piece(bytes).map(Ok)),
            Flow::App { first, rest } => (first, rest),
        };
        loop {
            if let Some(bytes) = first.front_mut() {
                let piece = piece(bytes);
                if bytes.is_empty() {
                    first.pop_front();
                }
                if piece.is_some() {
                    return Poll::Ready(piece.map(Ok));
                }
                continue;
            }
            let Poll::Ready(frame) = Pin::new(&mut *rest).poll_frame(cx) else {
                let patience = self.times.app;
                ready!(self.pause.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
                return Poll::Ready(Some(Err(Broken::Silent)));
            };
            self.pause = None;
            match frame.transpose()? {
                Some(frame) => match frame.into_data() {
                    Ok(data) => first.push_back(data),
                    // The app's trailers end here, as they would at any hop that was not told of them.
                    Err(_) => return Poll::Ready(None),
                },
                None => return Poll::Ready(None),
            }
        }
    }

    /// The client owes us a look at this piece, or no longer does.
    fn owed(&mut self, owed: bool) {
        if let (true, None, Some(open), true) = (self.http2, &self.watch, &self.open, owed) {
            self.watch = Some(Watch::new(self.times.client, Arc::clone(open.traffic())));
        }
        if let Some(watch) = &self.watch {
            watch.taken.asked.fetch_add(1, Ordering::Relaxed);
            watch.taken.owed.store(owed, Ordering::Relaxed);
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let data = self.poll_app(cx);
        match &data {
            Poll::Ready(Some(Err(_))) => self.over(Exchange::broke),
            Poll::Ready(None) => self.over(Exchange::complete),
            Poll::Ready(Some(Ok(_))) if self.is_end_stream() => self.over(Exchange::complete),
            Poll::Ready(Some(Ok(_))) => self.owed(true),
            Poll::Pending => self.owed(false),
        }
        data.map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.flow {
            Flow::Whole(bytes) => bytes.is_empty(),
            Flow::App { first, rest } => first.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.flow {
            Flow::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Flow::App { first, rest } => {
                let held: u64 = first.iter().map(|bytes| bytes.len() as u64).sum();
                let hint = rest.size_hint();
                let mut sum = SizeHint::new();
                sum.set_lower(hint.lower() + held);
                if let Some(upper) = hint.upper() {
                    sum.set_upper(upper + held);
                }
                sum
            }
        }
    }
}

/// Takes the next piece. The last of several is a copy: it outlives the exchange, and must not keep the whole.
fn piece(bytes: &mut Bytes) -> Option<Bytes> {
    match bytes.len() {
        0 => None,
        length if length > PIECE => {
            let piece = bytes.split_to(PIECE);
            if bytes.len() <= PIECE {
                *bytes = Bytes::copy_from_slice(bytes);
            }
            Some(piece)
        }
        _ => Some(std::mem::take(bytes)),
    }
}

/// Ends an HTTP/2 connection whose client does not take its answer. It stands outside, because a stream without a window is
/// neither polled nor blocks the socket, as HTTP/1.1 does (see [`super::wire`]).
#[derive(Debug)]
struct Watch {
    taken: Arc<Taken>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct Taken {
    asked: AtomicU64,
    owed: AtomicBool,
}

impl Watch {
    /// Fires after once to twice `patience`.
    fn new(patience: Duration, traffic: Arc<Traffic>) -> Self {
        let taken = Arc::<Taken>::default();
        let watched = Arc::clone(&taken);
        let task = task::spawn(async move {
            let mut last = None;
            loop {
                let asked = watched.asked.load(Ordering::Relaxed);
                if last == Some(asked) && watched.owed.load(Ordering::Relaxed) {
                    traffic.stuck();
                    return;
                }
                last = Some(asked);
                sleep(patience).await;
            }
        });
        Self { taken, _task: AbortOnDropHandle::new(task) }
    }
}
