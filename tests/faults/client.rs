//! A client that only wants to be served.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::line::{Line, request};

/// Where the bystander says that it calls from.
const CALLER: &str = "x-forwarded-for: 198.51.100.7\r\n";

/// Between two requests of the bystander.
const PAUSE: Duration = Duration::from_millis(10);

/// A tenant that sends one request after the other, whatever happens to the others.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Served>,
}

/// What the bystander got.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) sent: usize,
    /// What went wrong, in words.
    pub(crate) failed: Vec<String>,
    took: Vec<Duration>,
}

impl Served {
    /// A median, and the longest.
    pub(crate) fn times(&mut self) -> (Duration, Duration) {
        self.took.sort_unstable();
        let at = |index: usize| self.took.get(index).copied().unwrap_or_default();
        (at(self.took.len() / 2), at(self.took.len().saturating_sub(1)))
    }
}

impl Bystander {
    /// Reads and writes in turn at `base`.
    pub(crate) fn start(shim: SocketAddr, base: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (told, base) = (Arc::clone(&stop), base.to_owned());
        let sender = thread::spawn(move || {
            let mut served = Served::default();
            let mut line = Line::open(shim);
            while !told.load(Ordering::Relaxed) {
                let body = "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{\"op\":\"Replace\",\
                            \"path\":\"active\",\"value\":\"True\"}]}";
                let request = match served.sent % 3 {
                    0 => request("GET", &format!("{base}/Users/1"), CALLER, b""),
                    1 => request("GET", &format!("{base}/Users?filter=userName%20eq%20%22bystander%22"), CALLER, b""),
                    _ => request("PATCH", &format!("{base}/Users/1"), CALLER, body.as_bytes()),
                };
                let began = Instant::now();
                let said = line.say(request);
                let answer = line.answer();
                served.took.push(began.elapsed());
                served.sent += 1;
                match answer {
                    Some(answer) if answer.status == 200 && answer.text().contains("bystander") => {
                        if answer.header("connection").is_some_and(|what| what == "close") {
                            line = Line::try_open(shim).unwrap_or(line);
                        }
                    }
                    answer => {
                        served.failed.push(match answer {
                            Some(answer) => format!("{} {}", answer.status, answer.text()),
                            None => format!("no answer (sent: {said})"),
                        });
                        if let Ok(other) = Line::try_open(shim) {
                            line = other;
                        }
                    }
                }
                thread::sleep(PAUSE);
            }
            served
        });
        Self { stop, sender }
    }

    pub(crate) fn stop(self) -> Served {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().unwrap()
    }
}
