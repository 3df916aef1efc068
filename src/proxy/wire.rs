//! The socket as hyper sees it: it knows whether a request is being answered, and speaks where hyper would not.
//!
//! hyper has one timer for a head, which also runs while a kept connection is idle, and closes without a word; and it
//! answers heads that it cannot read with an empty body. Here idle and slow are two things, and each answer is a SCIM
//! Error like any other. Nothing is parsed but the framing: bytes count only as "a head is coming" or "an answer is
//! going".

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, Sleep, sleep_until},
};

use super::{Proxy, exchange::Exchange, framing::Framing, life::Phase, refusal::Refusal};
use crate::tls::Stream;

/// After an answer to a head that was not read to its end: how long, and for how many bytes, the client is listened to
/// so that it reads the answer before it meets a reset (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// At the end of a drain: how long a connection on which nothing happens is looked at before it is closed. A request
/// that is under way, or that the system has and this process has not seen, arrives in that time.
const LAST_CALL: Duration = Duration::from_millis(200);

/// How long a connection may be idle while another waits for a slot. An IdP that works through a list sends the next
/// request in milliseconds; one that has lost its connection makes another.
const CROWDED: Duration = Duration::from_millis(500);

/// What happens on a connection.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    open: AtomicU64,
    ever: AtomicU64,
    http2: AtomicBool,
    stuck: Notify,
}

impl Traffic {
    /// Whether exchanges are open.
    pub(crate) fn is_busy(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Whether there has been an exchange.
    pub(crate) fn has_asked(&self) -> bool {
        self.ever.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// The client does not take an answer.
    pub(crate) fn stuck(&self) {
        self.stuck.notify_one();
    }

    /// Waits for [`Traffic::stuck`].
    pub(crate) async fn until_stuck(&self) {
        self.stuck.notified().await;
    }
}

/// An exchange that is open on its connection, until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Traffic>);

impl Open {
    pub(crate) fn new(traffic: &Arc<Traffic>) -> Self {
        traffic.open.fetch_add(1, Ordering::Relaxed);
        traffic.ever.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(traffic))
    }

    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.0
    }
}

impl Clone for Open {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    proxy: Arc<Proxy>,
    traffic: Arc<Traffic>,
    /// `Traffic::ever` when the state was last looked at: an exchange may come and go between two reads.
    ever: u64,
    state: State,
    /// When the state has lasted too long.
    until: Instant,
    /// Set for no later than that: a state that follows as a rule lasts longer, and what is set is not set anew for it.
    timer: Pin<Box<Sleep>>,
    version: Version,
    framing: Framing,
    /// Runs while the client takes nothing of what is written.
    stall: Option<Pin<Box<Sleep>>>,
    /// Our own answer, as far as it has not gone out.
    last_words: Bytes,
    closing: Closing,
    /// The end of the drain has been seen.
    last_call: bool,
    /// Somebody waits for a slot.
    crowded: bool,
    /// When it came into its state.
    since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Accepted, and no byte yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// Some of a head has come.
    Head,
    /// A request is being answered.
    Busy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// So much of the preface of HTTP/2 has come, and nothing else.
    Unknown(usize),
    Http1,
    Http2,
}

/// RFC 9113 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// Read no more.
    Deaf,
    /// Nor wait for the client to close.
    Mute,
    /// The answer is out; this many bytes are still thrown away.
    Lingering(usize),
}

impl Wire {
    pub(crate) fn new(stream: Stream, proxy: Arc<Proxy>, traffic: Arc<Traffic>) -> Self {
        let until = Instant::now() + proxy.running.load().settings.listen.limits.header_timeout;
        let timer = Box::pin(sleep_until(until));
        Self {
            stream,
            proxy,
            traffic,
            ever: 0,
            state: State::Fresh,
            until,
            timer,
            version: Version::Unknown(0),
            framing: Framing::default(),
            stall: None,
            last_words: Bytes::new(),
            closing: Closing::No,
            last_call: false,
            crowded: false,
            since: Instant::now(),
        }
    }

    /// Whether something is being answered, or has been and is not out yet.
    fn is_busy(&self) -> bool {
        self.traffic.is_busy() || self.stall.is_some()
    }

    fn enter(&mut self, state: State) {
        let limits = &self.proxy.running.load().settings.listen.limits;
        let now = Instant::now();
        if self.state != state {
            self.since = now;
        }
        // An HTTP/2 connection is told, and ends by itself.
        let told = self.version == Version::Http2;
        let until = match state {
            State::Fresh | State::Idle if self.last_call && !told => now + LAST_CALL,
            State::Fresh | State::Head => now + limits.header_timeout,
            State::Idle if self.crowded && !told => self.since + limits.idle_timeout.min(CROWDED),
            State::Busy | State::Idle => now + limits.idle_timeout,
        };
        self.state = state;
        self.until = until;
        if until < self.timer.deadline() {
            self.timer.as_mut().reset(until);
        }
    }

    /// Waits until the state has lasted too long.
    fn poll_until(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.timer.as_mut().poll(cx));
        while self.timer.deadline() < self.until {
            self.timer.as_mut().reset(self.until);
            ready!(self.timer.as_mut().poll(cx));
        }
        Poll::Ready(())
    }

    /// Begins to wait anew, for so long.
    fn wait(&mut self, time: Duration) {
        self.until = Instant::now() + time;
        self.timer.as_mut().reset(self.until);
    }

    /// Brings the state up to what has happened on the connection.
    fn settle(&mut self) {
        let ever = self.traffic.ever.load(Ordering::Relaxed);
        if self.is_busy() {
            if self.state != State::Busy {
                self.enter(State::Busy);
            }
        } else if self.state == State::Busy || self.ever != ever {
            self.enter(State::Idle);
        }
        self.ever = ever;
        let crowded = self.proxy.life.is_crowded();
        if self.crowded != crowded {
            self.crowded = crowded;
            if self.state == State::Idle {
                self.enter(State::Idle);
            }
        }
        if !self.last_call && self.proxy.life.phase() >= Phase::Ending {
            self.last_call = true;
            if self.state == State::Fresh || self.state == State::Idle {
                self.enter(self.state);
            }
        }
    }

    /// Whether it is idle only because somebody waits for its slot.
    fn gives_way(&self) -> bool {
        self.state == State::Idle && self.crowded && !self.last_call && self.version != Version::Http2
    }

    /// Takes note of what has come; false if it must not be read.
    fn arrived(&mut self, bytes: &[u8]) -> bool {
        let before = self.version;
        self.version = before.after(bytes);
        // In HTTP/2 bytes come for many reasons; a head that never ends leaves the connection idle.
        match (self.state, self.version) {
            (State::Fresh | State::Head, Version::Http2) => self.enter(State::Idle),
            (State::Fresh | State::Idle, Version::Unknown(_) | Version::Http1) => self.enter(State::Head),
            _ => {}
        }
        if self.version == Version::Http2 {
            self.traffic.http2.store(true, Ordering::Relaxed);
        }
        if self.version != Version::Http1 {
            return true;
        }
        let held_back = if let Version::Unknown(matched) = before { &PREFACE[..matched] } else { &[] };
        let Err(why) = [held_back, bytes].into_iter().try_for_each(|bytes| self.framing.follow(bytes)) else {
            return true;
        };
        // While another request is being answered there is no place for words.
        if self.state != State::Busy {
            self.refuse(&why.into());
        }
        self.closing = Closing::Deaf;
        false
    }

    /// Says why the connection ends, as an exchange like any other.
    fn refuse(&mut self, refusal: &Refusal) {
        let id = self.proxy.ids.make();
        let Proxy { recorder, life, .. } = &*self.proxy;
        let mut exchange = Exchange::new(recorder, life, id.clone(), &Method::TRACE, &HeaderMap::new());
        exchange.refused(refusal);
        let answer = refusal.answer(self.proxy.running.load().settings.retry_after);
        exchange.answered(answer.status());
        exchange.complete();
        let mut text = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status());
        text.push_str(&format!("content-length: {}\r\n", answer.body().len()));
        text.push_str(&format!("x-request-id: {}\r\n", id.to_str().unwrap_or_default()));
        for (name, value) in answer.headers() {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
        }
        text.push_str("\r\n");
        self.last_words = [text.as_bytes(), answer.body()].concat().into();
    }

    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.last_words.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.last_words))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.last_words.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Says the last words, and that they are the last: hyper drops a connection whose head breaks off, and with it what
    /// TLS has to say at the end. Both fit into an empty socket buffer; a client that reads nothing either gets nothing.
    fn part(&mut self, cx: &mut Context<'_>) {
        if !self.last_words.is_empty() && self.poll_last_words(cx).is_ready() {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
    }

    /// Lets a write wait no longer than an idle connection may: who reads nothing would keep an answer in memory.
    fn progress<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let patience = self.proxy.running.load().settings.listen.limits.idle_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Takes the place of an answer that hyper made; true if `text` was one.
    fn replaces(&mut self, text: &[u8]) -> bool {
        if self.version == Version::Http2 || self.is_busy() || self.closing != Closing::No {
            return false;
        }
        let Some(status) = bare_refusal(text) else { return false };
        self.refuse(&match status {
            StatusCode::BAD_REQUEST => Refusal::Malformed("the request head is not HTTP as RFC 9112 has it".to_owned()),
            _ => Refusal::Header { limit: self.proxy.running.load().settings.listen.limits.header },
        });
        self.closing = Closing::Deaf;
        true
    }
}

impl Version {
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(matched) = self else { return self };
        let more = bytes.iter().zip(&PREFACE[matched..]).take_while(|(byte, want)| byte == want).count();
        match matched + more {
            matched if matched == PREFACE.len() => Self::Http2,
            matched if more == bytes.len() => Self::Unknown(matched),
            _ => Self::Http1,
        }
    }
}

/// The status of an answer that hyper made by itself: a 4xx head without a body and without the request id that all of
/// ours have.
fn bare_refusal(text: &[u8]) -> Option<StatusCode> {
    if text.len() > 256 || !text.starts_with(b"HTTP/1.1 4") || !text.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if !text.contains("\r\ncontent-length: 0\r\n") || text.contains("\r\nx-request-id: ") {
        return None;
    }
    text.get(9..12)?.parse().ok()
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing != Closing::No {
            return Poll::Ready(Ok(()));
        }
        this.settle();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if buf.filled().len() > before && !this.arrived(&buf.filled()[before..]) {
                buf.set_filled(before);
                this.part(cx);
            }
            return Poll::Ready(read);
        }
        loop {
            ready!(this.poll_until(cx));
            if this.state == State::Busy {
                // Only a look whether it still is: hyper does not read again when an answer is done. So a connection
                // that has been idle is closed after once to twice the idle time.
                this.enter(State::Busy);
            } else if this.gives_way() && !this.proxy.life.leaves() {
                // Another one goes.
                this.wait(CROWDED);
            } else {
                break;
            }
        }
        if this.state == State::Head {
            this.refuse(&Refusal::Slow("head"));
            this.part(cx);
        }
        // Its slot is waited for, so the client is not.
        let mute = this.state != State::Head && (this.last_call || this.gives_way());
        this.closing = if mute { Closing::Mute } else { Closing::Deaf };
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.replaces(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_last_words(cx))?;
        // TLS has taken what the socket has not.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_last_words(cx))?;
        if this.closing == Closing::Deaf {
            this.closing = Closing::Lingering(LINGER_BYTES);
            this.wait(LINGER);
        }
        // The end of TLS is a message too, and has to wait for room like any other.
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        ready!(this.progress(cx, shut))?;
        while let Closing::Lingering(room) = this.closing {
            let mut scrap = [0; 4096];
            let mut buf = ReadBuf::new(&mut scrap);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && room > buf.filled().len() => {
                    this.closing = Closing::Lingering(room - buf.filled().len());
                }
                Poll::Pending if this.poll_until(cx).is_pending() => return Poll::Pending,
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress(cx, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_is_http2() {
        assert_eq!(Version::Unknown(0).after(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"), Version::Http2);
        assert_eq!(Version::Unknown(0).after(b"PRI").after(b" * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Version::Http2);
        assert_eq!(Version::Unknown(0).after(b"P").after(b"RI /x HTTP/1.1\r\n"), Version::Http1);
        assert_eq!(Version::Unknown(0).after(b"POST"), Version::Http1);
        assert_eq!(Version::Unknown(0).after(b"PR"), Version::Unknown(2));
    }

    #[test]
    fn only_what_hyper_says_by_itself_is_replaced() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(bare), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        for other in [
            &b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            assert_eq!(bare_refusal(other), None);
        }
    }
}
