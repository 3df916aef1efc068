//! Bodies on the wire: whole where they were read, streamed where they were not.

use std::{
    collections::VecDeque,
    io::{self, Read},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::{exchange::Exchange, refusal::Refusal, wire::Open};

/// What the app gets as body. A clone is the same body once more, for an attempt of which no byte has gone out.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// Read before; can be given again.
    Whole(Option<Bytes>),
    /// Not read; can be given once.
    Stream(Arc<Mutex<Upload>>),
}

/// A request body on its way through.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Incoming,
    room: usize,
    limit: usize,
    patience: Duration,
    /// Runs from the first byte that the app was ready to take; a hold is not the client's fault.
    timer: Option<Pin<Box<Sleep>>>,
    refusal: Option<Refusal>,
}

impl Payload {
    /// A body that was read.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    /// A body that goes through, of at most `limit` bytes, within `patience`.
    pub(crate) fn stream(body: Incoming, limit: usize, patience: Duration) -> Self {
        if body.is_end_stream() {
            return Self::Whole(None);
        }
        Self::Stream(Arc::new(Mutex::new(Upload { body, room: limit, limit, patience, timer: None, refusal: None })))
    }

    /// Whether there is anything in it.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    /// Whether another attempt would carry the same bytes.
    pub(crate) fn is_untouched(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(upload) => lock(upload).timer.is_none(),
        }
    }

    /// Why the client's body broke the request, if it did.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Whole(_) => None,
            Self::Stream(upload) => lock(upload).refusal.clone(),
        }
    }
}

impl Upload {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Refusal>>> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(broken_off()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                ready!(timer.as_mut().poll(cx));
                return Poll::Ready(Some(Err(Refusal::Slow("body"))));
            }
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) if data.len() > self.room => Some(Err(Refusal::TooLarge { limit: self.limit })),
            Ok(data) => {
                self.room -= data.len();
                Some(Ok(data))
            }
            Err(frame) => trailers(&frame).map(Err),
        })
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(upload) => {
                let mut upload = lock(upload);
                let data = ready!(upload.poll(cx));
                if let Some(Err(refusal)) = &data {
                    upload.refusal = Some(refusal.clone());
                }
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(upload) => lock(upload).body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(upload) => lock(upload).body.size_hint(),
        }
    }
}

fn lock(upload: &Mutex<Upload>) -> MutexGuard<'_, Upload> {
    upload.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body that ends where its framing does not.
pub(crate) fn broken_off() -> Refusal {
    Refusal::Malformed("the request body broke off, or is not framed as its headers say".to_owned())
}

/// Trailers that carry data are refused: what they would add to the request is not looked at by anyone here.
pub(crate) fn trailers<D>(frame: &Frame<D>) -> Option<Refusal> {
    frame
        .trailers_ref()
        .is_some_and(|fields| !fields.is_empty())
        .then_some(Refusal::Unsupported("request trailers are"))
}

/// What the IdP gets as body.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Read, or made here.
    Whole(Bytes),
    /// The app's, not read; `first` is what had been read before that was given up.
    App {
        /// Goes out first.
        first: VecDeque<Bytes>,
        /// The rest.
        rest: Incoming,
    },
}

/// An answer's body, which ends its exchange.
#[derive(Debug)]
pub(crate) struct Reply {
    flow: Flow,
    exchange: Exchange,
    _open: Open,
}

impl Reply {
    /// The body of an answer; `bodiless` when the protocol sends none, whatever `flow` holds.
    pub(crate) fn new(flow: Flow, bodiless: bool, exchange: Exchange, open: Open) -> Self {
        let mut reply = Self { flow, exchange, _open: open };
        if bodiless || reply.is_end_stream() {
            reply.exchange.complete();
        }
        reply
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let data = match &mut this.flow {
            Flow::Whole(bytes) if bytes.is_empty() => None,
            Flow::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Flow::App { first, rest } => match first.pop_front() {
                Some(bytes) => Some(Ok(bytes)),
                // The app's trailers end here, as they would at any hop that was not told of them.
                None => match ready!(Pin::new(rest).poll_frame(cx)) {
                    Some(Ok(frame)) => frame.into_data().ok().map(Ok),
                    Some(Err(error)) => Some(Err(error)),
                    None => None,
                },
            },
        };
        match &data {
            Some(Err(_)) => this.exchange.broke(),
            None => this.exchange.complete(),
            Some(Ok(_)) if this.is_end_stream() => this.exchange.complete(),
            Some(Ok(_)) => {}
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)))
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

/// A body without its content coding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// The coding is unknown, the names say which.
    Foreign(String),
    /// The coding is broken.
    Garbled,
    /// There was no coding.
    Plain,
    /// More than the limit.
    TooLarge,
    /// What was inside.
    Whole(Vec<u8>),
}

/// Takes a body out of gzip or deflate, at most `limit` bytes of it.
pub(crate) fn decode(headers: &HeaderMap, body: &[u8], limit: usize) -> Decoded {
    let values = headers.get_all(header::CONTENT_ENCODING);
    let codings: Vec<String> = values
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if body.is_empty() || codings.is_empty() {
        return Decoded::Plain;
    }
    let read = match codings.as_slice() {
        [one] if one == "gzip" || one == "x-gzip" => bounded(MultiGzDecoder::new(body), limit),
        // RFC 9110 8.4.1.2 means zlib; some senders leave its wrapper out.
        [one] if one == "deflate" => {
            bounded(ZlibDecoder::new(body), limit).or_else(|_| bounded(DeflateDecoder::new(body), limit))
        }
        _ => return Decoded::Foreign(codings.join(", ")),
    };
    match read {
        Ok(whole) if whole.len() > limit => Decoded::TooLarge,
        Ok(whole) => Decoded::Whole(whole),
        Err(_) => Decoded::Garbled,
    }
}

fn bounded(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    use super::*;

    fn coded(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_undone_within_the_limit() {
        assert_eq!(decode(&coded("gzip"), &gzip(b"{}"), 2), Decoded::Whole(b"{}".to_vec()));
        assert_eq!(decode(&coded("X-GZIP"), &gzip(b"{}"), 2), Decoded::Whole(b"{}".to_vec()));
        assert_eq!(decode(&coded("gzip"), &gzip(&[b' '; 1 << 20]), 1000), Decoded::TooLarge);
        assert_eq!(decode(&coded("gzip"), b"{}", 1000), Decoded::Garbled);
        assert_eq!(decode(&coded("br"), b"{}", 1000), Decoded::Foreign("br".into()));
        assert_eq!(decode(&coded("gzip, gzip"), b"{}", 1000), Decoded::Foreign("gzip, gzip".into()));
        assert_eq!(decode(&coded("identity"), b"{}", 1000), Decoded::Plain);
    }

    #[test]
    fn deflate_is_read_with_and_without_its_wrapper() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"{}").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(b"{}").unwrap();
        for body in [zlib.finish().unwrap(), raw.finish().unwrap()] {
            assert_eq!(decode(&coded("deflate"), &body, 9), Decoded::Whole(b"{}".to_vec()));
        }
    }

    #[test]
    fn half_a_gzip_is_no_body() {
        let body = gzip(b"{\"userName\":\"a\"}");
        assert_eq!(decode(&coded("gzip"), &body[..body.len() - 4], 99), Decoded::Garbled);
    }
}
