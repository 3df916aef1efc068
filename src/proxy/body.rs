//! Bodies that come in: whole where they are read, streamed where they are not, and out of their codings.

use std::{
    io::{self, Read},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    task,
    time::{self, Sleep, sleep},
};

use super::{
    budget::{Budget, FREE, Share},
    normalize::{LARGE, elsewhere},
    refusal::Refusal,
    wire::Open,
};
use crate::config::settings::Limits;

/// How long a client that is still sending is listened to after it has been refused, so that it reads the answer
/// before it meets a reset.
const LINGER: Duration = Duration::from_secs(2);

/// What a request's body may cost.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) budget: &'a Budget,
    pub(crate) tenant: &'a Arc<str>,
    /// How long it may wait for memory.
    pub(crate) until: Instant,
}

impl Bounds<'_> {
    /// Memory for a body of so many bytes, if it is a large one.
    async fn share(&self, bytes: usize) -> Result<Option<Share>, Refusal> {
        if bytes <= FREE {
            return Ok(None);
        }
        let share = self.budget.share(self.tenant, bytes, self.until).await;
        share.map(Some).ok_or(Refusal::Memory)
    }
}

/// A request's body, until somebody takes it.
#[derive(Debug)]
pub(crate) struct Inbound {
    body: Option<Incoming>,
    /// The client sends nothing before it is told to go on.
    waits: bool,
    /// It went on as a stream; nobody here knows how far it got.
    streamed: bool,
}

impl Inbound {
    pub(crate) fn new(body: Incoming, headers: &HeaderMap) -> Self {
        let body = (!body.is_end_stream()).then_some(body);
        Self { body, waits: headers.contains_key(header::EXPECT), streamed: false }
    }

    /// There is none.
    pub(crate) fn is_none(&self) -> bool {
        self.body.is_none()
    }

    /// Reads the whole of it, at most `limits.body` bytes in at most `limits.body_timeout`; with the memory that it has, if
    /// it is large. One that says its length has its memory before it is invited.
    pub(crate) async fn read(
        &mut self,
        bounds: &Bounds<'_>,
        headers: &HeaderMap,
    ) -> Result<(Bytes, Option<Share>), Refusal> {
        let limits = bounds.limits;
        self.announces_at_most(limits.body)?;
        let Some(body) = &mut self.body else { return Ok((Bytes::new(), None)) };
        // What is inside a coding may be of any size.
        let coded = headers.contains_key(header::CONTENT_ENCODING).then_some(limits.body);
        let mut share = match coded.or(body.size_hint().exact().map(|length| length as usize)) {
            Some(length) => bounds.share(length).await?,
            None => None,
        };
        // From here on the client has been told to go on, if it waited for that.
        self.waits = false;
        let mut gathered = Gathered::default();
        let mut left = limits.body_timeout;
        if share.is_none() {
            let began = Instant::now();
            let read = time::timeout(left, gathered.fill(body, FREE, limits.body)).await;
            let whole = read.unwrap_or(Err(Refusal::Slow("body")))?;
            left = left.saturating_sub(began.elapsed());
            if !whole {
                // It goes on, nobody knows how far.
                share = bounds.share(limits.body).await?;
            }
        }
        let read = time::timeout(left, gathered.fill(body, usize::MAX, limits.body)).await;
        read.unwrap_or(Err(Refusal::Slow("body")))?;
        self.body = None;
        Ok((gathered.whole(), share))
    }

    /// Lets it through, at most `limit` bytes within `patience`. What says that it is longer is refused before the app
    /// gets any of it.
    pub(crate) fn stream(&mut self, limit: usize, patience: Duration) -> Result<Payload, Refusal> {
        self.announces_at_most(limit)?;
        self.streamed = self.body.is_some();
        Ok(self.body.take().map_or(Payload::Whole(None), |body| Payload::stream(body, limit, patience)))
    }

    /// The request was refused: whether the connection ends with the answer, because some of the body may still come. A
    /// small one has come with its head, as a rule; it is thrown away and the connection stays, since an IdP that is
    /// refused for its rate comes again. Beside it what was thrown away, if that was all of it.
    pub(crate) async fn give_up(self, open: &Open) -> (bool, Option<Bytes>) {
        let Some(mut body) = self.body else { return (self.streamed, None) };
        let small = body.size_hint().upper().is_some_and(|length| length <= SMALL);
        if small && !self.waits {
            let thrown = time::timeout(HERE, collect(&mut body, SMALL as usize)).await;
            if let Ok(Ok(thrown)) = thrown
                && body.is_end_stream()
            {
                return (false, Some(thrown));
            }
        }
        // Who waits for "100 Continue" sends nothing after a refusal.
        if !self.waits {
            let open = open.clone();
            task::spawn(async move {
                let _ = time::timeout(LINGER, async { while let Some(Ok(_)) = body.frame().await {} }).await;
                drop(open);
            });
        }
        (true, None)
    }

    fn announces_at_most(&self, limit: usize) -> Result<(), Refusal> {
        match &self.body {
            Some(body) if body.size_hint().lower() > limit as u64 => Err(Refusal::TooLarge { limit }),
            _ => Ok(()),
        }
    }
}

/// What is thrown away of a refused request, so that its connection stays.
const SMALL: u64 = 64 << 10;
/// In that time it is here or it is not.
const HERE: Duration = Duration::from_millis(50);

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let mut gathered = Gathered::default();
    gathered.fill(body, usize::MAX, limit).await?;
    Ok(gathered.whole())
}

/// A body as far as it has come.
#[derive(Debug, Default)]
struct Gathered {
    first: Option<Bytes>,
    more: BytesMut,
}

impl Gathered {
    /// Takes what comes until there are more than `enough` bytes, at most `limit`; whether that was all.
    async fn fill(&mut self, body: &mut Incoming, enough: usize, limit: usize) -> Result<bool, Refusal> {
        while self.len() <= enough {
            let Some(frame) = body.frame().await else { return Ok(true) };
            let frame = frame.map_err(|_| broken_off())?;
            if let Some(refusal) = trailers(&frame) {
                return Err(refusal);
            }
            let Ok(data) = frame.into_data() else { continue };
            if self.len() + data.len() > limit {
                return Err(Refusal::TooLarge { limit });
            }
            match &self.first {
                None => self.first = Some(data),
                Some(one) => {
                    if self.more.is_empty() {
                        self.more.reserve(one.len() + body.size_hint().lower() as usize + data.len());
                        self.more.extend_from_slice(one);
                    }
                    self.more.extend_from_slice(&data);
                }
            }
        }
        Ok(false)
    }

    fn len(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len).max(self.more.len())
    }

    fn whole(self) -> Bytes {
        if self.more.is_empty() { self.first.unwrap_or_default() } else { self.more.freeze() }
    }
}

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
    fn stream(body: Incoming, limit: usize, patience: Duration) -> Self {
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

/// Takes a body out of gzip or deflate, at most `limit` bytes of it; what is large on another thread.
pub(crate) async fn decoded(headers: &HeaderMap, body: &Bytes, limit: usize) -> Decoded {
    let small = limit.min(LARGE);
    match decode(headers, body, small) {
        // A few bytes can hold many, so only decoding tells; what was decoded for that is at most `LARGE`.
        Decoded::TooLarge if small < limit => {
            let (headers, body) = (headers.clone(), body.clone());
            elsewhere(move || decode(&headers, &body, limit)).await
        }
        done => done,
    }
}

pub(super) fn decode(headers: &HeaderMap, body: &[u8], limit: usize) -> Decoded {
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
