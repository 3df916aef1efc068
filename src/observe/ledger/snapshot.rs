//! The ledger on disk, so that a restart forgets nothing that the model needs.
//!
//! Bytes of fixed width and not JSON: a full tenant has 130,000 entries of 16 bytes, written every minute. What is read
//! is not trusted further than its form: it is bounded before it is read, has a checksum, and every count is compared
//! with what is left. Causes of failing objects and history are not kept; they come again. Why a connection is refused or
//! dead is kept as statuses and counts: its next attempt may be a day away.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use super::{
    Moment, State,
    book::Book,
    causes::others,
    cycle::{CHECKPOINT, Cycle, Runs, Share},
    distinct::{Distinct, EXACT, Sketch},
    faults::{self, Fault, Faults},
    forecast::Point,
    live::Ledger,
    names::Names,
    objects::{Failing, MOST},
    rhythm::Rhythm,
    score::Profile,
};
use crate::observe::key::Key;

const MAGIC: &[u8; 16] = b"scimshim ledger\n";
/// Raised when the form changes; files of another version are not read.
const VERSION: u32 = 2;
/// Some thirty tenants of the largest kind, and thousands of the usual one.
const LARGEST: usize = 64 << 20;
const CHECKSUM: usize = 32;
const LONGEST_NAME: usize = 1024;
const MOST_POINTS: usize = 256;
/// Files that could not be read are kept for whoever looks into it, but not every one.
const KEPT_ASIDE: usize = 3;
/// What is written beside the file is renamed at once; what is older was left by a crash.
const LEFT_BEHIND: Duration = Duration::from_secs(60);
const NONE: u64 = u64::MAX;

/// Why bytes are no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// Its checksum is of other bytes, or it ends too early.
    #[error("it is broken")]
    Broken,
    /// Something else lies there.
    #[error("it is no snapshot of the ledger")]
    Foreign,
    /// No snapshot is that large.
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    /// Another version of scimshim wrote it.
    #[error("it is of version {0}, and this is {VERSION}")]
    Version(u32),
}

/// Why a file was not taken up.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is no snapshot; it has been set aside where that was possible.
    #[error("{path} is not used: {why}; {}", set_aside(.aside.as_deref()))]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Corrupt,
        /// Where it is now.
        aside: Option<PathBuf>,
    },
    /// The disk does not give it.
    #[error("{path} cannot be read: {error}; check feeds.cache_dir and who owns it")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn set_aside(aside: Option<&Path>) -> String {
    match aside {
        Some(path) => format!("it was moved to {}, and the ledger begins anew", path.display()),
        None => "the ledger begins anew; remove the file".into(),
    }
}

impl Ledger {
    /// Writes everything to `path` in one piece: a reader sees the old or the new file. Only its owner may read it, for
    /// it holds the key.
    ///
    /// # Errors
    /// The disk is full, read-only or broken.
    pub fn save(&self, path: &Path, key: &Key, now: Moment) -> io::Result<()> {
        let written = write(path, |file| self.write(file, key, now));
        self.wrote(written.is_ok(), now);
        written
    }

    /// Takes up what was written to `path`; `None` where there is nothing. Returns the key of its names.
    ///
    /// # Errors
    /// It cannot be read, or is none; then it was set aside and the ledger is as it was.
    pub fn load(&self, path: &Path, now: Moment) -> Result<Option<Key>, Unread> {
        sweep(path);
        let bytes = match read_file(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Unread::Io { path: path.to_owned(), error }),
        };
        let taken = if bytes.len() > LARGEST { Err(Corrupt::TooLarge) } else { self.restore(&bytes, now) };
        taken.map(Some).map_err(|why| Unread::Corrupt { path: path.to_owned(), why, aside: put_aside(path, now) })
    }
}

fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Replicas may share a folder, and in its own namespace each of them is process 1.
    let random = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
    let beside = folder.join(format!("{}{random:016x}.tmp", head(path)));
    let written = write_new(&beside, fill).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // So that the new name survives a crash of the machine; some file systems have no such thing.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_new(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(path)?);
    fill(&mut file)?;
    file.into_inner()?.sync_all()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn head(path: &Path) -> String {
    format!(".{}.", name(path))
}

/// What lies beside `path` and has such a name. What cannot be listed is as if it were not there.
fn beside(path: &Path, is: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(&is)).map(|entry| entry.path()).collect()
}

/// Removes what a crash left.
fn sweep(path: &Path) {
    let (head, now) = (head(path), SystemTime::now());
    let is_ours = |name: &str| {
        let random = name.strip_prefix(&head).and_then(|rest| rest.strip_suffix(".tmp"));
        random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    for left in beside(path, is_ours) {
        let written = fs::metadata(&left).and_then(|about| about.modified()).ok();
        if written.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > LEFT_BEHIND) {
            // What cannot be removed is no worse than before.
            let _ = fs::remove_file(&left);
        }
    }
}

/// Keeps a file that cannot be read, and the latest few of those before it.
fn put_aside(path: &Path, now: Moment) -> Option<PathBuf> {
    let head = format!("{}.corrupt-", name(path));
    let aside = path.with_file_name(format!("{head}{}", now.0 / 1000));
    fs::rename(path, &aside).ok()?;
    let number = |path: &Path| name(path).strip_prefix(&head).and_then(|number| number.parse::<u64>().ok());
    let mut all = beside(path, |name| name.strip_prefix(&head).is_some_and(|rest| rest.parse::<u64>().is_ok()));
    all.retain(|path| *path != aside);
    all.sort_by_key(|path| std::cmp::Reverse(number(path)));
    for old in all.iter().skip(KEPT_ASIDE - 1) {
        // What cannot be removed is no worse than before.
        let _ = fs::remove_file(old);
    }
    Some(aside)
}

/// Writes books, as many as there is room for. It holds one of them at a time: all together would be memory that the
/// process needs for nothing else, once for each thread that ever wrote.
pub(super) struct Writer<W> {
    out: W,
    sum: Sha256,
    /// Bytes that are written.
    length: usize,
    record: Record,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, key: &Key, now: Moment) -> io::Result<Self> {
        let mut writer = Self { out, sum: Sha256::new(), length: 0, record: Record::default() };
        writer.record.0.extend_from_slice(MAGIC);
        writer.record.u32(VERSION);
        writer.record.0.extend_from_slice(key.expose());
        writer.record.u64(now.0);
        writer.put()?;
        Ok(writer)
    }

    /// Takes a book, so that [`Writer::put`] can write it when nobody waits for the book any more.
    pub(super) fn take(&mut self, tenant: &str, labelled: bool, book: &Book) {
        self.record.book(tenant, labelled, book);
    }

    /// Writes what was taken. A book that does not fit is left out.
    pub(super) fn put(&mut self) -> io::Result<()> {
        let Record(bytes) = &mut self.record;
        if self.length + bytes.len() + CHECKSUM <= LARGEST {
            self.out.write_all(bytes)?;
            self.sum.update(&*bytes);
            self.length += bytes.len();
        }
        bytes.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.sum.finalize())
    }
}

/// One book in bytes.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn book(&mut self, tenant: &str, labelled: bool, book: &Book) {
        self.u32(tenant.len() as u32);
        self.0.extend_from_slice(tenant.as_bytes());
        self.u8(u8::from(labelled));
        self.u8(match book.profile {
            Profile::Cycles => 0,
            Profile::Events => 1,
        });
        self.u8(State::ALL.iter().position(|state| *state == book.state).unwrap_or_default() as u8);
        for moment in [book.since, book.now] {
            self.u64(moment.0);
        }
        for moment in [book.first_failure, book.last_request, book.last_success, book.rhythm.start] {
            self.u64(moment.map_or(NONE, |moment| moment.0));
        }
        for set in [&book.failing, &book.references] {
            self.pairs(set.iter().len(), set.iter());
        }
        self.distinct(&book.seen);
        self.pairs(book.names.iter().count(), book.names.iter());
        self.u8(book.rhythm.long);
        self.u32(book.rhythm.intervals.len() as u32);
        book.rhythm.intervals.iter().for_each(|interval| self.u64(*interval));
        self.runs(&book.runs);
        self.u32(book.refusals);
        self.u8(u8::from(book.refused));
        self.u64(book.deprovisioned);
        self.u8(book.good);
        self.faults(&book.faults);
        self.u32(book.growth.0.len() as u32);
        for point in &book.growth.0 {
            self.u64(point.at.0);
            [point.failing, point.references, point.succeeded].into_iter().for_each(|count| self.u32(count));
        }
        self.u8(u8::from(book.cycle.is_some()));
        if let Some(cycle) = &book.cycle {
            self.cycle(cycle);
        }
    }

    fn faults(&mut self, faults: &Faults) {
        self.u32(faults.iter().len() as u32);
        for (fault, count) in faults.iter() {
            self.u8(u8::from(fault.check));
            self.u8(u8::from(fault.refused));
            self.u32(fault.cause.as_ref().map_or(u32::MAX, |cause| cause.status.into()));
            self.u32(*count);
        }
    }

    fn runs(&mut self, runs: &Runs) {
        self.u32(runs.dead);
        self.u32(runs.over);
        let Share { failing, total } = runs.carried.unwrap_or(Share { failing: 0, total: NONE });
        self.u64(failing);
        self.u64(total);
    }

    fn cycle(&mut self, cycle: &Cycle) {
        for number in [cycle.start.0, cycle.last.0, cycle.interval.unwrap_or(NONE), cycle.requests, cycle.checks] {
            self.u64(number);
        }
        let check = match cycle.check {
            None => 0,
            Some(passed) => 1 + u8::from(passed),
        };
        for flag in
            [u8::from(cycle.succeeded), u8::from(cycle.lives), check, u8::from(cycle.gone), u8::from(cycle.refused)]
        {
            self.u8(flag);
        }
        self.distinct(&cycle.seen);
        self.distinct(&cycle.deprovisioned);
    }

    fn distinct(&mut self, set: &Distinct) {
        match set {
            Distinct::Exact(set) => {
                self.u8(0);
                self.u32(set.len() as u32);
                set.iter().for_each(|key| self.u64(*key));
            }
            Distinct::Estimated(sketch) => {
                self.u8(1);
                self.u64(sketch.offset.to_bits());
                self.0.extend_from_slice(&sketch.registers);
            }
        }
    }

    fn pairs(&mut self, count: usize, pairs: impl Iterator<Item = (u64, u64)>) {
        self.u32(count as u32);
        for (key, value) in pairs {
            self.u64(key);
            self.u64(value);
        }
    }

    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}

/// What was read.
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) books: Vec<Taken>,
}

/// One tenant of it.
pub(super) struct Taken {
    pub(super) tenant: String,
    /// Its metric label is its name.
    pub(super) labelled: bool,
    pub(super) book: Book,
}

/// Reads what a [`Writer`] wrote; times that lie ahead of `now` are moved back together, since the clock was.
pub(super) fn read(bytes: &[u8], now: Moment) -> Result<Kept, Corrupt> {
    if bytes.len() > LARGEST {
        return Err(Corrupt::TooLarge);
    }
    if !bytes.starts_with(MAGIC) {
        return Err(Corrupt::Foreign);
    }
    let (body, sum) = bytes.split_at_checked(bytes.len().saturating_sub(CHECKSUM)).ok_or(Corrupt::Broken)?;
    let mut reader = Reader { rest: body.get(MAGIC.len()..).ok_or(Corrupt::Broken)?, back: 0, now };
    let version = reader.u32()?;
    if version != VERSION {
        return Err(Corrupt::Version(version));
    }
    if *Sha256::digest(body) != *sum {
        return Err(Corrupt::Broken);
    }
    let key = Key::from_bytes(reader.array()?);
    reader.back = reader.u64()?.saturating_sub(now.0);
    let mut books = Vec::new();
    while !reader.rest.is_empty() {
        books.push(reader.book()?);
    }
    Ok(Kept { key, books })
}

struct Reader<'a> {
    rest: &'a [u8],
    back: u64,
    now: Moment,
}

impl<'a> Reader<'a> {
    fn book(&mut self) -> Result<Taken, Corrupt> {
        let length = self.count(1, LONGEST_NAME)?;
        let tenant = std::str::from_utf8(self.take(length)?).map_err(|_| Corrupt::Broken)?.to_owned();
        let labelled = self.u8()? != 0;
        let profile = if self.u8()? == 0 { Profile::Cycles } else { Profile::Events };
        let mut book = Book::new(profile, 0, self.now);
        book.state = *State::ALL.get(usize::from(self.u8()?)).ok_or(Corrupt::Broken)?;
        book.since = self.moment()?.unwrap_or(self.now);
        book.now = self.moment()?.unwrap_or(self.now);
        book.first_failure = self.moment()?;
        book.last_request = self.moment()?;
        book.last_success = self.moment()?;
        let start = self.moment()?;
        self.failing(&mut book.failing)?;
        self.failing(&mut book.references)?;
        book.seen = self.distinct()?;
        for _ in 0..self.count(16, Names::BOUND)? {
            book.names.link(self.u64()?, self.u64()?);
        }
        let long = self.u8()?;
        let count = self.count(8, MOST_POINTS)?;
        let intervals = (0..count).map(|_| self.u64()).collect::<Result<VecDeque<_>, _>>()?;
        book.rhythm = Rhythm::from_parts(start, intervals, long);
        book.runs = self.runs()?;
        book.refusals = self.u32()?;
        book.refused = self.u8()? != 0;
        book.deprovisioned = self.u64()?;
        book.good = self.u8()?.min(1);
        book.faults = self.faults()?;
        for _ in 0..self.count(20, MOST_POINTS)? {
            let at = self.moment()?.unwrap_or(self.now);
            let (failing, references, succeeded) = (self.u32()?, self.u32()?, self.u32()?);
            book.growth.0.push_back(Point { at, failing, references, succeeded });
        }
        if self.u8()? != 0 {
            book.cycle = Some(self.cycle(book.now)?);
        } else {
            // Nothing runs, so nothing fails in what runs.
            book.failing.close();
            book.references.close();
        }
        Ok(Taken { tenant, labelled, book })
    }

    fn faults(&mut self) -> Result<Faults, Corrupt> {
        let mut faults = Faults::default();
        for _ in 0..self.count(10, faults::BOUND)? {
            let (check, refused) = (self.u8()? != 0, self.u8()? != 0);
            let cause = u16::try_from(self.u32()?).ok().map(others);
            let count = self.u32()?.max(1);
            faults.add(Fault { check, refused, cause }, count);
        }
        Ok(faults)
    }

    fn runs(&mut self) -> Result<Runs, Corrupt> {
        let (dead, over) = (self.u32()?, self.u32()?);
        let (failing, total) = (self.u64()?, self.u64()?);
        let sound = total < 1 << 40 && failing <= total;
        Ok(Runs { dead, over, carried: sound.then_some(Share { failing, total }) })
    }

    fn cycle(&mut self, now: Moment) -> Result<Cycle, Corrupt> {
        let start = self.moment()?.unwrap_or(now);
        let last = self.moment()?.unwrap_or(now).max(start);
        let interval = Some(self.u64()?).filter(|interval| *interval != NONE);
        let (requests, checks) = (self.u64()?, self.u64()?);
        let [succeeded, lives, check, gone, refused] = self.array()?;
        // Those that were due have run. A book is never behind its cycle; in a file where it is, none is caught up on.
        let checkpoints = now.max(last).0.saturating_sub(start.0) / CHECKPOINT + 1;
        Ok(Cycle {
            start,
            last,
            checkpoint: Moment(start.0.saturating_add(checkpoints.saturating_mul(CHECKPOINT))),
            interval,
            requests: requests.min(1 << 40),
            checks: checks.min(1 << 40),
            succeeded: succeeded != 0,
            lives: lives != 0,
            check: [None, Some(false), Some(true)].get(usize::from(check)).copied().flatten(),
            gone: gone != 0,
            refused: refused != 0,
            seen: self.distinct()?,
            deprovisioned: self.distinct()?,
        })
    }

    fn failing(&mut self, set: &mut Failing) -> Result<(), Corrupt> {
        for _ in 0..self.count(16, MOST)? {
            let (key, bits) = (self.u64()?, self.u64()?);
            set.restore(key, bits, self.back, self.now);
        }
        Ok(())
    }

    fn distinct(&mut self) -> Result<Distinct, Corrupt> {
        if self.u8()? != 0 {
            let offset = Some(f64::from_bits(self.u64()?)).filter(|offset| offset.abs() <= 1e12);
            let sketch = Sketch::from_parts(self.array()?, offset.ok_or(Corrupt::Broken)?);
            return Ok(Distinct::Estimated(Box::new(sketch)));
        }
        let count = self.count(8, EXACT)?;
        Ok(Distinct::Exact((0..count).map(|_| self.u64()).collect::<Result<_, _>>()?))
    }

    /// A number of things of `size` bytes, all of which are there.
    fn count(&mut self, size: usize, most: usize) -> Result<usize, Corrupt> {
        let count = self.u32()? as usize;
        if count > most || count.saturating_mul(size) > self.rest.len() {
            return Err(Corrupt::Broken);
        }
        Ok(count)
    }

    fn moment(&mut self) -> Result<Option<Moment>, Corrupt> {
        let at = self.u64()?;
        Ok((at != NONE).then(|| Moment(at.saturating_sub(self.back)).min(self.now)))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Corrupt::Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        self.take(N)?.try_into().map_err(|_| Corrupt::Broken)
    }

    fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, Corrupt> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_that_does_not_fit_is_left_out_and_the_next_one_is_not() {
        let now = Moment(1_800_000_000_000);
        let book = Book::new(Profile::Cycles, 0, now);
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &Key::from_bytes([7; 32]), now).unwrap();
        let before = writer.length;
        writer.take("a", false, &book);
        let size = writer.record.0.len();
        writer.put().unwrap();
        assert_eq!(writer.length, before + size);
        // As if others had left room for exactly one more with a name of one letter.
        let filled = LARGEST - CHECKSUM - size - writer.length;
        writer.length += filled;
        writer.take("bb", false, &book);
        writer.put().unwrap();
        writer.take("c", false, &book);
        writer.put().unwrap();
        assert_eq!(writer.length + CHECKSUM, LARGEST);
        writer.finish().unwrap();
        let kept = read(&bytes, now).unwrap();
        let tenants: Vec<&str> = kept.books.iter().map(|book| &*book.tenant).collect();
        assert_eq!(tenants, ["a", "c"]);
    }
}
