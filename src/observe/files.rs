//! Open files: how many there may be, what fits into them, and how to say that they have run out.
//!
//! Each client connection and each connection to the app is one. A process that has none left accepts nobody, not even
//! the probe that would tell; so the limits on connections are kept below it.

use std::{
    io,
    time::{Duration, Instant},
};

/// Neither clients' nor the app's: the admin port, listeners, the runtime, certificates and feeds while they are read.
const OWN: u64 = 128;

/// Between two lines of the log about the same shortage.
const AGAIN: Duration = Duration::from_secs(60);

/// EMFILE and ENFILE, the same on every Unix.
const OUT_OF_FILES: [i32; 2] = [24, 23];

/// Raises the limit on open files as far as the system lets this process, and returns it; `None` where there is none.
pub fn raise_limit() -> Option<u64> {
    rlimit::increase_nofile_limit(u64::MAX).ok()
}

/// What of `connections` and `in_flight` fits into `files`. Half of the files go to clients at least, and what is left
/// to requests in flight, each of which may need a connection to the app.
pub fn fit(files: u64, connections: usize, in_flight: usize) -> (usize, usize) {
    let room = usize::try_from(files.saturating_sub(OWN)).unwrap_or(usize::MAX).max(2);
    let connections = connections.min((room / 2).max(room.saturating_sub(in_flight))).max(1);
    (connections, in_flight.min(room - connections.min(room - 1)))
}

/// Says that files have run out, now and then.
#[derive(Debug, Default)]
pub struct Shortage {
    told: Option<Instant>,
}

impl Shortage {
    /// Notes that `accept` failed on a port.
    pub fn tell(&mut self, error: &io::Error, port: &'static str) {
        if !error.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code)) {
            tracing::debug!(%error, port, "accept failed");
        } else if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.told = Some(Instant::now());
            tracing::error!(
                %error,
                port,
                "no connection can be accepted: this process is out of open files; raise its limit (ulimit -n, \
                 LimitNOFILE) or lower `listen.limits.connections`"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_app_and_for_us() {
        assert_eq!(fit(1 << 20, 10_000, 4096), (10_000, 4096));
        assert_eq!(fit(1024, 10_000, 4096), (448, 448));
        assert_eq!(fit(1024, 10_000, 20), (876, 20));
        assert_eq!(fit(1024, 100, 4096), (100, 796));
        for files in 0..2000 {
            let (connections, in_flight) = fit(files, 10_000, 4096);
            assert!(connections > 0 && in_flight > 0);
            assert!(files < OWN + 2 || (connections + in_flight) as u64 + OWN <= files, "{files}");
        }
    }
}
