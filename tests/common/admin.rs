//! What the admin port says, and what the system says of a process.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Asks the admin port; head and body of the answer.
pub(crate) fn ask(admin: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The sum of a metric over its labels.
pub(crate) fn metric(admin: SocketAddr, name: &str) -> f64 {
    Page::read(admin).sum(name, |_| true)
}

/// `/metrics` at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn read(admin: SocketAddr) -> Self {
        Self(ask(admin, "GET", "/metrics"))
    }

    /// Label sets of a metric with their values; the labels as they are written.
    pub(crate) fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            let (labels, value) = rest.rsplit_once(' ')?;
            Some((labels, value.parse().unwrap()))
        })
    }

    /// The sum over the series whose labels `pick` takes.
    pub(crate) fn sum(&self, name: &str, pick: impl Fn(&str) -> bool) -> f64 {
        self.series(name).filter(|(labels, _)| pick(labels)).map(|(_, value)| value).sum()
    }

    /// The median of what a histogram has taken since `before`, in its unit; linear within a bucket, as Prometheus does it.
    pub(crate) fn median_since(&self, before: &Self, name: &str) -> f64 {
        let bucket = format!("{name}_bucket");
        let bound = |labels: &str| labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        let buckets = self.series(&bucket).zip(before.series(&bucket));
        let counts: Vec<(f64, f64)> =
            buckets.map(|((labels, now), (_, then))| (bound(labels).unwrap_or(f64::INFINITY), now - then)).collect();
        let half = counts.last().map_or(0.0, |(_, all)| all / 2.0);
        let (mut low, mut below) = (0.0, 0.0);
        for (high, count) in counts {
            if count >= half && count > below {
                return if high.is_finite() { low + (high - low) * (half - below) / (count - below) } else { low };
            }
            (low, below) = (high, count);
        }
        0.0
    }

    /// The mean of what a histogram has taken since `before`, in its unit.
    pub(crate) fn mean_since(&self, before: &Self, name: &str) -> f64 {
        let since = |what: &str| {
            let name = format!("{name}_{what}");
            self.sum(&name, |_| true) - before.sum(&name, |_| true)
        };
        let count = since("count");
        if count > 0.0 { since("sum") / count } else { 0.0 }
    }
}

/// Open files of a process.
pub(crate) fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// What a process holds in memory, in KiB: `VmRSS` now, `VmHWM` at most so far.
pub(crate) fn memory(process: u32, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The machine, for tables that somebody reads elsewhere.
pub(crate) fn machine() -> String {
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|rest| rest.trim_start_matches([':', ' ', '\t']).to_owned())
    };
    let cpu = first("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 =
        first("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let tested = std::env::var("SHIM_BINARY").map_or_else(
        |_| format!("{build} build"),
        |path| format!("{} build", if path.contains("release") { "release" } else { "another" }),
    );
    format!("{cpu}, {cores} cores, {} GiB, Linux {}; {tested} of scimshim", memory >> 20, kernel.trim())
}
