//! What is logged on this thread, for tests of what operators read. The tests of the library include this file too.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Dispatch, subscriber::DefaultGuard};

/// Catches every event of this thread at `info` and above, as JSON lines, until it is dropped.
pub(crate) struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _caught: DefaultGuard,
    /// With one subscriber in the process `tracing` asks only that of the thread that meets an event first, and where
    /// that thread has none the event is off for all threads. With two it asks both.
    _second: Dispatch,
}

impl Log {
    pub(crate) fn catch() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = || tracing_subscriber::fmt().json().flatten_event(true);
        let second = Dispatch::new(subscriber().with_writer(io::sink).finish());
        let caught = tracing::subscriber::set_default(subscriber().with_writer(move || writer.clone()).finish());
        Self { text, _caught: caught, _second: second }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
