//! The thread that writes audit lines: whole, in order, and as durable as a disk makes them.
//!
//! What is at hand goes out in one write, and a file is synced a tenth of a second later at the latest: syncing each
//! line would cap the stream at what one disk can sync, some hundred lines a second. A target that takes nothing is
//! tried again for as long as it lasts, with the same bytes from where they broke off, so that a line is whole in the
//! end; meanwhile the queue fills, and what finds no room is counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{config::settings::AuditTarget, observe::Metrics};

/// Lines that may wait: at some 400 bytes each a few megabytes, and minutes of what one IdP sends.
const ROOM: usize = 8192;
/// What one write takes at most, but for its last line.
const BATCH: usize = 64 << 10;
/// How long a written line may be only in the page cache.
const SYNC: Duration = Duration::from_millis(100);
/// Between looks whether the file is still the one at its path.
const LOOK: Duration = Duration::from_secs(1);
/// Between tries while the target takes nothing.
const AGAIN: Duration = Duration::from_millis(250);
/// Between tries of a pipe that is full and says so instead of blocking.
const FULL: Duration = Duration::from_millis(10);

/// The door of the thread. Dropping it lets the thread write what is waiting, and end.
#[derive(Debug)]
pub(super) struct Writer {
    target: AuditTarget,
    queue: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
    /// Nothing is ever sent: its other end goes with the thread.
    ended: Mutex<Option<Receiver<()>>>,
}

#[derive(Debug)]
struct Shared {
    room: usize,
    /// Waiting, or in the hands of the thread.
    queued: AtomicUsize,
    /// Lost since it was last said that lines are lost.
    lost: AtomicU64,
    overflows: AtomicBool,
    closing: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// Opens `target` and starts the thread.
    pub(super) fn start(target: &AuditTarget, metrics: &Arc<Metrics>) -> io::Result<Self> {
        Self::on(Out::open(target)?, target, ROOM, metrics)
    }

    fn on(out: Out, target: &AuditTarget, room: usize, metrics: &Arc<Metrics>) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(room);
        let (alive, ended) = mpsc::channel();
        let shared = Arc::new(Shared {
            room,
            queued: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            overflows: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            metrics: Arc::clone(metrics),
        });
        let scribe = Scribe {
            out,
            lines,
            shared: Arc::clone(&shared),
            batch: Vec::new(),
            unsynced: None,
            looked: Instant::now(),
            trouble: false,
        };
        thread::Builder::new().name("audit".to_owned()).spawn(move || {
            scribe.run();
            drop(alive);
        })?;
        Ok(Self { target: target.clone(), queue, shared, ended: Mutex::new(Some(ended)) })
    }

    pub(super) fn target(&self) -> &AuditTarget {
        &self.target
    }

    /// Hands a line over, if there is room. Lines about callers who did not come in take half of it at most: a flood
    /// of refusals must not cost the record of a write.
    pub(super) fn push(&self, line: Vec<u8>, guest: bool) {
        let shared = &self.shared;
        let room = if guest { shared.room / 2 } else { shared.room };
        let before = shared.queued.fetch_add(1, Ordering::Relaxed);
        if before < room && self.queue.try_send(line).is_ok() {
            return;
        }
        shared.queued.fetch_sub(1, Ordering::Relaxed);
        shared.lose(1);
        if !shared.overflows.swap(true, Ordering::Relaxed) {
            shared.metrics.audit_writable.set(0);
            tracing::error!(to = %name(&self.target), "`audit.target` is too slow or takes nothing; audit lines are lost");
        }
    }

    /// Waits for the end of the thread, for a while.
    pub(super) fn finish(writer: Arc<Self>, patience: Duration) {
        let ended = writer.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (shared, target) = (Arc::clone(&writer.shared), name(&writer.target));
        drop(writer);
        let Some(ended) = ended else { return };
        if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            shared.lose(shared.queued.swap(0, Ordering::Relaxed) as u64);
            shared.tell_end(&target);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        self.metrics.audit_lost.inc_by(lines);
    }

    /// The target took these.
    fn wrote(&self, lines: u64) {
        self.metrics.audit_lines.inc_by(lines);
        self.take(lines);
    }

    /// They wait no more. The end may have counted them as lost already.
    fn take(&self, lines: u64) {
        let less = |queued: usize| Some(queued.saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX)));
        let _ = self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Says what was lost and never said; nobody will read the counter of a process that has ended.
    fn tell_end(&self, target: &str) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(to = %target, lost, "`audit.target` did not take all; audit lines are lost");
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

fn name(target: &AuditTarget) -> String {
    match target {
        AuditTarget::File(path) => path.display().to_string(),
        AuditTarget::Stdout => "stdout".to_owned(),
    }
}

/// The thread.
struct Scribe {
    out: Out,
    lines: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    batch: Vec<u8>,
    /// When the oldest line that is not synced was written.
    unsynced: Option<Instant>,
    looked: Instant,
    /// It has been said that the target takes nothing.
    trouble: bool,
}

impl Scribe {
    fn run(mut self) {
        loop {
            let line = match self.unsynced {
                None => self.lines.recv().map_err(RecvTimeoutError::from),
                Some(since) => self.lines.recv_timeout(SYNC.saturating_sub(since.elapsed())),
            };
            match line {
                Ok(line) => {
                    self.gather(&line);
                    self.deliver();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
        if self.unsynced.is_some() {
            self.sync();
        }
        self.shared.tell_end(&self.out.name());
    }

    /// `first`, and what is waiting behind it.
    fn gather(&mut self, first: &[u8]) {
        self.batch.clear();
        self.batch.extend_from_slice(first);
        while self.batch.len() < BATCH
            && let Ok(line) = self.lines.try_recv()
        {
            self.batch.extend_from_slice(&line);
        }
    }

    /// Writes the batch to its end, however long the target takes nothing; at shutdown only as far as it goes.
    fn deliver(&mut self) {
        let mut done = 0;
        while done < self.batch.len() {
            let wait = match self.follow().and_then(|fresh| self.put(done, fresh)) {
                Ok(now) => {
                    done = now;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => FULL,
                Err(error) => {
                    self.fails(&error);
                    AGAIN
                }
            };
            if self.shared.is_closing() {
                break;
            }
            thread::sleep(wait);
        }
        let lost = lines_in(&self.batch[done..]);
        if lost > 0 {
            self.shared.take(lost);
            self.shared.lose(lost);
        } else {
            self.unsynced.get_or_insert_with(Instant::now);
            self.goes_on();
        }
    }

    /// Writes from `done` on, in a fresh file from the beginning of that line; how far it came.
    fn put(&mut self, done: usize, fresh: bool) -> io::Result<usize> {
        let from = if fresh { start_of_line(&self.batch, done) } else { done };
        match self.out.file().write(&self.batch[from..])? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => {
                // Between the beginning of a line and where it broke off no other ends.
                self.shared.wrote(lines_in(&self.batch[from..from + count]));
                Ok(from + count)
            }
        }
    }

    /// Opens the file again if it is no longer the one at its path, as after `logrotate`; whether it did.
    fn follow(&mut self) -> io::Result<bool> {
        if !self.trouble && self.looked.elapsed() < LOOK {
            return Ok(false);
        }
        self.looked = Instant::now();
        let Out::File { path, file } = &self.out else { return Ok(false) };
        if is_at(path, file) {
            return Ok(false);
        }
        let fresh = open(path)?;
        // What was written to the old one has not been lost by being moved.
        self.sync();
        self.out = Out::File { path: path_of(&self.out), file: fresh };
        Ok(true)
    }

    fn sync(&mut self) {
        self.unsynced = None;
        if let Err(error) = self.out.sync() {
            self.fails(&error);
        }
    }

    fn fails(&mut self, error: &io::Error) {
        // A target that is left says nothing of the one that is in force.
        if !self.shared.is_closing() {
            self.shared.metrics.audit_writable.set(0);
        }
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::error!(
                to = %self.out.name(),
                %error,
                "audit lines cannot be written; they wait, as far as there is room, and it is tried again"
            );
        }
    }

    /// Lines are taken. An overflow is over when most of the queue is free again, so that it is not told with every batch.
    fn goes_on(&mut self) {
        if !self.shared.is_closing() {
            self.shared.metrics.audit_writable.set(1);
        }
        let drained = self.shared.queued.load(Ordering::Relaxed) <= self.shared.room / 4;
        let overflowed = drained && self.shared.overflows.swap(false, Ordering::Relaxed);
        if std::mem::take(&mut self.trouble) || overflowed {
            let lost = self.shared.lost.swap(0, Ordering::Relaxed);
            tracing::info!(to = %self.out.name(), lost, "audit lines are written again");
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn start_of_line(batch: &[u8], at: usize) -> usize {
    batch[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

/// Where bytes go.
#[derive(Debug)]
enum Out {
    File { path: PathBuf, file: File },
    Stdout(File),
}

impl Out {
    fn open(target: &AuditTarget) -> io::Result<Self> {
        match target {
            AuditTarget::File(path) => Ok(Self::File { path: path.clone(), file: open(path)? }),
            AuditTarget::Stdout => stdout().map(Self::Stdout),
        }
    }

    fn file(&mut self) -> &mut File {
        match self {
            Self::File { file, .. } | Self::Stdout(file) => file,
        }
    }

    /// Only a regular file has something to sync.
    fn sync(&self) -> io::Result<()> {
        match self {
            Self::File { file, .. } if file.metadata()?.is_file() => file.sync_data(),
            Self::File { .. } | Self::Stdout(_) => Ok(()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Stdout(_) => "stdout".to_owned(),
        }
    }
}

fn path_of(out: &Out) -> PathBuf {
    match out {
        Out::File { path, .. } => path.clone(),
        Out::Stdout(_) => PathBuf::new(),
    }
}

/// Opens for appending; a new file is for its owner alone. Opening a named pipe would wait for a reader.
fn open(path: &Path) -> io::Result<File> {
    let unfit = |what: &str| io::Error::other(format!("{} is {what}; name a file, or write `stdout`", path.display()));
    match path.metadata() {
        Ok(found) if found.is_dir() => return Err(unfit("a folder")),
        #[cfg(unix)]
        Ok(found) if std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type()) => return Err(unfit("a named pipe")),
        _ => {}
    }
    append(path).map_err(|error| told(path, &error))
}

/// What went wrong with which file, and what to do; of the same kind as `error`.
fn told(path: &Path, error: &io::Error) -> io::Error {
    let file = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).display();
    let text = match error.kind() {
        io::ErrorKind::NotFound => format!("{file} cannot be made, since there is no folder {folder}; make it"),
        io::ErrorKind::NotADirectory => {
            format!("{file} cannot be made, since {folder} is no folder; name another file")
        }
        io::ErrorKind::PermissionDenied => format!(
            "{file} cannot be opened for writing: permission denied; let the user that scimshim runs as write the file \
             and the folder {folder}"
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{file} is on a file system that is read-only; name a file on a volume that can be written")
        }
        _ => format!("{file} cannot be opened for writing: {error}; name another file, or write `stdout`"),
    };
    io::Error::new(error.kind(), text)
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if is_torn(path) {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Whether the last line has no end, as after a loss of power: what follows must not become a part of it.
fn is_torn(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
        file.seek(SeekFrom::End(-1)).ok()?;
        let mut last = [0];
        file.read_exact(&mut last).ok()?;
        Some(last[0])
    };
    last().is_some_and(|byte| byte != b'\n')
}

/// Standard output without the buffer of `std`, which would write again what a failed write had taken.
#[cfg(unix)]
fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdout().as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(unix)]
fn is_at(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = || Ok::<_, io::Error>((path.metadata()?, file.metadata()?));
    same().is_ok_and(|(there, here)| (there.dev(), there.ino()) == (here.dev(), here.ino()))
}

/// A file that is open cannot be moved away here.
#[cfg(not(unix))]
fn is_at(_: &Path, _: &File) -> bool {
    true
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("scimshim-audit-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new().unwrap())
    }

    fn start(path: &Path, metrics: &Arc<Metrics>) -> io::Result<Arc<Writer>> {
        Writer::start(&AuditTarget::File(path.to_owned()), metrics).map(Arc::new)
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..2000 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("never came true: {what}");
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn every_line_is_there_at_the_end_whole_and_in_order() {
        let (folder, metrics) = (Folder::new("order"), metrics());
        let path = folder.0.join("audit.jsonl");
        fs::write(&path, "before\n").unwrap();
        let writer = start(&path, &metrics).unwrap();
        let lines: Vec<String> = (0..5000).map(|n| format!("line {n} {}\n", "x".repeat(n % 300))).collect();
        for line in &lines {
            writer.push(line.clone().into_bytes(), false);
        }
        Writer::finish(writer, LONG);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("before\n{}", lines.concat()));
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lost.get()), (5000, 0));
    }

    #[test]
    fn a_new_file_is_for_its_owner_and_a_folder_must_be_there() {
        let (folder, metrics) = (Folder::new("mode"), metrics());
        let path = folder.0.join("audit.jsonl");
        Writer::finish(start(&path, &metrics).unwrap(), LONG);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_opened_is_named_with_the_cure() {
        let (folder, metrics) = (Folder::new("unfit"), metrics());
        let said = |path: &Path| start(path, &metrics).unwrap_err().to_string();
        let shown = folder.0.display();
        assert_eq!(said(&folder.0), format!("{shown} is a folder; name a file, or write `stdout`"));
        assert_eq!(
            said(&folder.0.join("none/audit.jsonl")),
            format!("{shown}/none/audit.jsonl cannot be made, since there is no folder {shown}/none; make it")
        );
        fs::write(folder.0.join("file"), "").unwrap();
        let under_a_file = said(&folder.0.join("file/audit.jsonl"));
        assert!(under_a_file.ends_with("/file is no folder; name another file"), "{under_a_file}");
        let fifo = folder.0.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(said(&fifo), format!("{shown}/fifo is a named pipe; name a file, or write `stdout`"));
        // Root may write everywhere, so the error is made here.
        let denied = told(&folder.0.join("audit.jsonl"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        assert!(
            denied
                .to_string()
                .contains(&format!("let the user that scimshim runs as write the file and the folder {shown}"))
        );
    }

    #[test]
    fn a_pipe_whose_reader_has_gone_is_not_writable_and_what_it_cost_is_told_at_the_end() {
        let metrics = metrics();
        let log = crate::observe::log::caught::Log::catch();
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        let out = Out::Stdout(File::from(std::os::fd::OwnedFd::from(pipe)));
        // On this thread, where its log is caught.
        let (queue, lines) = mpsc::sync_channel(32);
        let scribe = scribe(out, lines, 32, &metrics);
        let shared = Arc::clone(&scribe.shared);
        assert_eq!(metrics.audit_writable.get(), 1);
        (0..20).for_each(|n| queue.send(format!("line {n}\n").into_bytes()).unwrap());
        shared.queued.store(20, Ordering::Relaxed);
        drop(queue);
        let closer = {
            let metrics = Arc::clone(&metrics);
            thread::spawn(move || {
                until("it is not writable", || metrics.audit_writable.get() == 0);
                shared.closing.store(true, Ordering::Relaxed);
                shared
            })
        };
        scribe.run();
        let shared = closer.join().unwrap();
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lost.get()), (0, 20));
        assert_eq!(shared.queued.load(Ordering::Relaxed), 0);
        let said = log.text();
        assert!(said.contains("WARN") && said.contains("\"lost\":20,"), "{said}");
    }

    #[test]
    fn a_line_that_lost_its_end_in_a_crash_gets_one() {
        let (folder, metrics) = (Folder::new("torn"), metrics());
        let path = folder.0.join("audit.jsonl");
        fs::write(&path, "whole\ntor").unwrap();
        let writer = start(&path, &metrics).unwrap();
        writer.push(b"next\n".to_vec(), false);
        Writer::finish(writer, LONG);
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\ntor\nnext\n");
    }

    #[test]
    fn a_file_that_was_moved_away_or_removed_is_made_again() {
        let (folder, metrics) = (Folder::new("rotate"), metrics());
        let (path, moved) = (folder.0.join("audit.jsonl"), folder.0.join("audit.jsonl.1"));
        let writer = start(&path, &metrics).unwrap();
        writer.push(b"one\n".to_vec(), false);
        until("the first line", || metrics.audit_lines.get() == 1);
        fs::rename(&path, &moved).unwrap();
        until("a line in the new file", || {
            writer.push(b"two\n".to_vec(), false);
            fs::read_to_string(&path).is_ok_and(|text| text.starts_with("two\n"))
        });
        assert!(fs::read_to_string(&moved).unwrap().starts_with("one\n"));
        fs::remove_file(&path).unwrap();
        until("a line in the third", || {
            writer.push(b"three\n".to_vec(), false);
            fs::read_to_string(&path).is_ok_and(|text| text.starts_with("three\n"))
        });
        assert_eq!(metrics.audit_lost.get(), 0);
    }

    #[test]
    fn lines_wait_for_a_folder_that_has_gone_and_the_outage_is_told_once() {
        let (folder, metrics) = (Folder::new("outage"), metrics());
        let path = folder.0.join("audit.jsonl");
        let log = crate::observe::log::caught::Log::catch();
        // On this thread, where its log is caught.
        let (queue, lines) = mpsc::sync_channel(8);
        let mut scribe = scribe(Out::open(&AuditTarget::File(path.clone())).unwrap(), lines, 8, &metrics);
        fs::remove_dir_all(&folder.0).unwrap();
        scribe.looked -= 2 * LOOK;
        let back = path.clone();
        let mender = thread::spawn(move || {
            thread::sleep(3 * AGAIN);
            fs::create_dir(back.parent().unwrap()).unwrap();
        });
        queue.send(b"one\n".to_vec()).unwrap();
        queue.send(b"two\n".to_vec()).unwrap();
        scribe.shared.queued.store(2, Ordering::Relaxed);
        drop(queue);
        scribe.run();
        mender.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lost.get()), (2, 0));
        assert_eq!(metrics.audit_writable.get(), 1);
        let said = log.text();
        assert!(!said.contains("did not take all"), "{said}");
        assert_eq!(said.matches("audit lines cannot be written").count(), 1, "{said}");
        assert_eq!(said.matches("audit lines are written again").count(), 1, "{said}");
    }

    fn scribe(out: Out, lines: Receiver<Vec<u8>>, room: usize, metrics: &Arc<Metrics>) -> Scribe {
        let shared = Arc::new(Shared {
            room,
            queued: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            overflows: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            metrics: Arc::clone(metrics),
        });
        let (batch, looked) = (Vec::new(), Instant::now());
        Scribe { out, lines, shared, batch, unsynced: None, looked, trouble: false }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn on_a_full_disk_lines_wait_then_are_lost_and_the_end_does_not_hang() {
        let metrics = metrics();
        let target = AuditTarget::File("/dev/full".into());
        let writer = Writer::on(Out::open(&target).unwrap(), &target, 4, &metrics).unwrap();
        until("lines are lost", || {
            writer.push(b"line\n".to_vec(), false);
            metrics.audit_lost.get() > 0
        });
        let began = Instant::now();
        Writer::finish(Arc::new(writer), LONG);
        assert!(began.elapsed() < LONG);
        assert_eq!(metrics.audit_lines.get(), 0);
        assert!(metrics.audit_lost.get() >= 5, "{}", metrics.audit_lost.get());
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_neither_a_request_nor_the_end() {
        let metrics = metrics();
        let (reader, pipe) = io::pipe().unwrap();
        let out = Out::Stdout(File::from(std::os::fd::OwnedFd::from(pipe)));
        let writer = Writer::on(out, &AuditTarget::Stdout, 4, &metrics).unwrap();
        let line = || [vec![b'x'; 4 * BATCH], b"\n".to_vec()].concat();
        let mut pushed = 0;
        until("lines are lost", || {
            pushed += 1;
            writer.push(line(), false);
            metrics.audit_lost.get() > 0
        });
        assert_eq!(metrics.audit_writable.get(), 0);
        let began = Instant::now();
        Writer::finish(Arc::new(writer), Duration::from_millis(50));
        assert!(began.elapsed() < LONG);
        // Of none it is known that the pipe took it whole, also not of the one in the thread's hands.
        assert_eq!((metrics.audit_lines.get(), metrics.audit_lost.get()), (0, pushed));
        drop(reader);
    }

    #[test]
    fn those_who_did_not_come_in_leave_room_for_those_who_did() {
        let metrics = metrics();
        let (_reader, pipe) = io::pipe().unwrap();
        let out = Out::Stdout(File::from(std::os::fd::OwnedFd::from(pipe)));
        let writer = Writer::on(out, &AuditTarget::Stdout, 8, &metrics).unwrap();
        let big = [vec![b'x'; 4 * BATCH], b"\n".to_vec()].concat();
        until("the thread is stuck and guests fill their half", || {
            writer.push(big.clone(), true);
            writer.shared.queued.load(Ordering::Relaxed) == 4 && metrics.audit_lost.get() > 0
        });
        let lost = metrics.audit_lost.get();
        (0..4).for_each(|_| writer.push(b"write\n".to_vec(), false));
        assert_eq!(metrics.audit_lost.get(), lost);
        Writer::finish(Arc::new(writer), Duration::from_millis(50));
    }

    #[test]
    fn a_line_that_broke_off_begins_again_in_a_new_file() {
        assert_eq!(start_of_line(b"one\ntwo\nthree\n", 10), 8);
        assert_eq!(start_of_line(b"one\n", 2), 0);
        assert_eq!(lines_in(b"one\ntwo"), 1);
    }
}
