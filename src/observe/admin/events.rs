//! Server-sent events: how everything stands, whenever that changes.
//!
//! One task looks once a second while somebody listens, however many do. Listeners get the newest and skip what they
//! were too slow for, so none of them can make memory grow.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task, time,
};

use super::{Answer, Desk, api, body::Stream, later, query, typed};

/// Open streams: more than there are screens to look at one sidecar.
pub(super) const STREAMS: usize = 16;

/// A stream ends after so long, and `EventSource` opens the next of its own accord: nobody keeps a place for ever, and
/// who may no longer see this is asked again.
pub(super) const LIFE: Duration = Duration::from_secs(300);

/// A person sees no more.
const PACE: Duration = Duration::from_secs(1);

/// The page takes a stream for dead that says nothing for 12 s (`page.js`): one of these may be lost or late. They are
/// events and no comments, since `EventSource` does not tell a page of comments.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Who listens, and what they are told.
pub(super) struct Events {
    rooms: Arc<Semaphore>,
    latest: watch::Sender<Bytes>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { rooms: Arc::new(Semaphore::new(STREAMS)), latest: watch::Sender::new(Bytes::new()) }
    }

    /// Room for one more answer that lasts.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.rooms).try_acquire_owned().ok()
    }
}

/// Looks whether something has changed, until it is dropped.
pub(super) async fn tick(desk: Arc<Desk>) {
    let mut pace = time::interval(PACE);
    pace.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut before = String::new();
    loop {
        pace.tick().await;
        if desk.events.latest.receiver_count() == 0 {
            // Who comes next must not be told what was true when the last one left.
            before.clear();
            desk.events.latest.send_replace(Bytes::new());
            continue;
        }
        let looking = Arc::clone(&desk);
        let known = std::mem::take(&mut before);
        let look = move || {
            let status = looking.status();
            let now = looking.fingerprint(&status);
            let json = (now != known).then(|| serde_json::to_string(&status));
            (now, json)
        };
        if let Ok((now, json)) = task::spawn_blocking(look).await {
            before = now;
            if let Some(Ok(json)) = json {
                desk.events.latest.send_replace(Bytes::from(json));
            }
        }
    }
}

impl Desk {
    /// A stream of events. With `data=none` they say only that something has changed, for who fetches it otherwise. The
    /// last one tells that it stops.
    pub(super) fn api_events(self: &Arc<Self>, query: &str, head_only: bool) -> Answer {
        let bare = match query::parse(query, ["data"]) {
            Ok([None]) => false,
            Ok([Some(data)]) if data == "none" => true,
            Ok([Some(data)]) => {
                return api::bad(&format!("there is no data {data:?}; write `data=none`, or leave it out"));
            }
            Err(error) => return api::bad(&error),
        };
        let mut answer = typed(StatusCode::OK, "text/event-stream", "");
        if head_only {
            return answer;
        }
        let mut draining = self.admin.draining.clone();
        if *draining.borrow() {
            return later(StatusCode::SERVICE_UNAVAILABLE, "10", "stopping; there will be no more events here\n");
        }
        let Some(room) = self.events.room() else {
            return later(StatusCode::TOO_MANY_REQUESTS, "10", "too many streams and exports are open; close one\n");
        };
        let desk = Arc::clone(self);
        let mut latest = self.events.latest.subscribe();
        // What others have been told already is news to this one.
        latest.mark_changed();
        *answer.body_mut() = Stream::of(room, move |pieces| async move {
            let said = |json: &[u8]| {
                let data = if bare { "{}" } else { std::str::from_utf8(json).unwrap_or("{}") };
                Bytes::from(format!("event: status\ndata: {data}\n\n"))
            };
            if pieces.send(Bytes::from_static(b"retry: 3000\n\n")).await.is_err() {
                return;
            }
            let mut heartbeat = time::interval_at(time::Instant::now() + HEARTBEAT, HEARTBEAT);
            let end = time::sleep(LIFE);
            tokio::pin!(end);
            loop {
                let piece = tokio::select! {
                    changed = latest.changed() => match changed {
                        Ok(()) => {
                            let json = latest.borrow_and_update().clone();
                            // Nobody has looked yet; the next look comes within a second.
                            if json.is_empty() { continue }
                            said(&json)
                        }
                        Err(_) => return,
                    },
                    _ = heartbeat.tick() => Bytes::from_static(b"event: heartbeat\ndata: {}\n\n"),
                    () = stopping(&mut draining) => {
                        let last = if bare { last_bare() } else { said(&desk.last_words().await) };
                        let _ = pieces.send(last).await;
                        return;
                    }
                    () = &mut end => return,
                };
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
        });
        answer
    }

    /// How everything stands, once more, at the end.
    async fn last_words(self: Arc<Self>) -> Vec<u8> {
        let status = task::spawn_blocking(move || serde_json::to_vec(&self.status())).await;
        status.ok().and_then(Result::ok).unwrap_or_else(|| br#"{"draining":true}"#.to_vec())
    }
}

/// Ends when no more will come.
async fn stopping(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

/// That it stops, for who fetches the rest otherwise: it may be gone before it can be asked.
fn last_bare() -> Bytes {
    Bytes::from_static(b"event: status\ndata: {\"draining\":true}\n\n")
}
