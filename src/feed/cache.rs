//! Last good copies on disk, so that a restart needs no network and no caller is refused because of one.
//!
//! One JSON file for each feed, written beside and renamed, so that a reader sees the old or the new one. What is read is
//! not trusted further than a document would be: bounded, of this version, of this feed, without forbidden ranges.
//! URLs are kept as hashes only: some hold a secret in their query.
//!
//! Old and new pods of a rollout may share a folder and name different parts. So a file keeps the parts that its writer
//! does not name, each with the time at which it was last known to be good.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    Spec,
    clock::Clock,
    guard,
    reading::wanted,
    state::{Held, Kept, Validators},
};

/// Raised when the form changes; files of another version are not read.
const VERSION: u32 = 2;
/// The parts of others that a file keeps at most, and for how long after anybody confirmed them.
const MOST_OTHERS: usize = 64;
const OTHERS: Duration = Duration::from_secs(30 * 86_400);
/// What is written beside a file is renamed at once; what is older than this was left by a crash.
const LEFT_BEHIND: Duration = Duration::from_secs(60);
/// The largest public document as our text is a sixth of it.
const LARGEST: u64 = 32 << 20;

/// Where copies are kept.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
    writes: bool,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("{0} is of another version or not ours")]
    Foreign(&'static str),
    #[error("it is of another kind of feed or of another `pointer`")]
    Other,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not a copy of a feed: {0}")]
    Json(#[from] serde_json::Error),
}

impl Cache {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, writes: true }
    }

    /// For commands that only look.
    pub(super) fn read_only(folder: Option<PathBuf>) -> Self {
        Self { folder, writes: false }
    }

    fn path(&self, spec: &Spec) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("feed-{}.json", spec.name)))
    }

    /// The last good copy of this very feed; `None` where there is none.
    ///
    /// # Errors
    /// There is a file that is not one.
    pub(super) fn load(&self, spec: &Spec, clock: &Clock) -> Result<Option<Held>, CacheError> {
        let Some(path) = self.path(spec) else { return Ok(None) };
        Copy::read(&path, spec)?.map(|copy| copy.into_held(&wanted(spec), clock)).transpose()
    }

    /// Removes what a crash left beside the copy of this feed.
    pub(super) fn sweep(&self, spec: &Spec) {
        let Some(folder) = self.folder.as_ref().filter(|_| self.writes) else { return };
        let (head, now) = (format!(".feed-{}.", spec.name), SystemTime::now());
        let is_ours = |name: &str| {
            let random = name.strip_prefix(&head).and_then(|rest| rest.strip_suffix(".tmp"));
            random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        // What cannot be read or removed is no worse than before.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let written = entry.metadata().and_then(|about| about.modified()).ok();
            let is_old = written.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > LEFT_BEHIND);
            if is_old && entry.file_name().to_str().is_some_and(is_ours) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Writes a copy; nothing where no folder is configured.
    ///
    /// # Errors
    /// The disk is full, read-only or broken.
    pub(super) fn save(&self, spec: &Spec, held: &Held, clock: &Clock) -> io::Result<()> {
        let Some(path) = self.path(spec).filter(|_| self.writes) else { return Ok(()) };
        let Some(folder) = path.parent() else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let mut copy = Copy::of(spec, held, clock);
        let own = serde_json::to_vec(&copy)?;
        // One that cannot be read has nothing to be kept.
        copy.keep_others(Copy::read(&path, spec).ok().flatten());
        let all = serde_json::to_vec(&copy)?;
        let text = if all.len() as u64 > LARGEST { own } else { all };
        // Replicas may share a folder, and in its own namespace each of them is process 1.
        let random = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
        let beside = folder.join(format!(".feed-{}.{random:016x}.tmp", spec.name));
        let written = write(&beside, &text).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            // It may not even have been made.
            let _ = fs::remove_file(&beside);
        }
        written?;
        // So that the new name survives a crash of the machine; some file systems have no such thing.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any copy"));
    }
    Ok(text)
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// A file as it stands on disk. Times are seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Copy {
    version: u32,
    kind: String,
    identity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    fetched: u64,
    checked: u64,
    read: u64,
    /// Seconds.
    blind: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_number: Option<u64>,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    parts: BTreeMap<String, CopyPart>,
}

#[derive(Serialize, Deserialize)]
struct CopyPart {
    /// As that of the copy, or older where another configuration has written it.
    checked: u64,
    ranges: Vec<IpNet>,
    #[serde(default)]
    leaving: Vec<Leaving>,
}

#[derive(Serialize, Deserialize)]
struct Leaving {
    range: IpNet,
    until: u64,
}

impl Copy {
    fn read(path: &Path, spec: &Spec) -> Result<Option<Self>, CacheError> {
        let text = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let copy: Self = serde_json::from_slice(&text)?;
        if copy.version != VERSION {
            return Err(CacheError::Foreign("its content"));
        }
        if copy.identity != HEXLOWER.encode(&spec.identity()) {
            return Err(CacheError::Other);
        }
        Ok(Some(copy))
    }

    /// Takes over the parts that only another configuration names.
    fn keep_others(&mut self, there: Option<Self>) {
        let oldest = self.checked.saturating_sub(OTHERS.as_secs());
        let parts = there.into_iter().flat_map(|there| there.parts);
        let mut others: Vec<_> =
            parts.filter(|(name, part)| !self.parts.contains_key(name) && part.checked >= oldest).collect();
        others.sort_by_key(|(_, part)| std::cmp::Reverse(part.checked));
        for (name, part) in others.into_iter().take(MOST_OTHERS) {
            // Two writers may have come in one second; theirs are two documents all the same.
            let checked = part.checked - u64::from(part.checked == self.checked);
            self.parts.insert(name, CopyPart { checked, ..part });
        }
    }

    fn of(spec: &Spec, held: &Held, clock: &Clock) -> Self {
        let checked = clock.to_wall(held.checked);
        let part = |(name, kept): (&Arc<str>, &Kept)| {
            let leaving =
                kept.leaving.iter().map(|(range, until)| Leaving { range: *range, until: clock.to_wall(*until) });
            (name.to_string(), CopyPart { checked, ranges: kept.current.clone(), leaving: leaving.collect() })
        };
        Self {
            version: VERSION,
            kind: spec.kind.as_str().to_owned(),
            identity: HEXLOWER.encode(&spec.identity()),
            sha256: held.sha256.map(|hash| HEXLOWER.encode(&hash)),
            before: held.before.map(|hash| HEXLOWER.encode(&hash)),
            fetched: clock.to_wall(held.fetched),
            checked,
            read: clock.to_wall(held.read),
            blind: held.blind.as_secs(),
            dated: held.dated,
            change_number: held.change_number,
            url: HEXLOWER.encode(&held.validators.url),
            etag: held.validators.etag.clone(),
            last_modified: held.validators.last_modified.clone(),
            parts: held.parts.iter().map(part).collect(),
        }
    }

    fn into_held(mut self, wanted: &[Arc<str>], clock: &Clock) -> Result<Held, CacheError> {
        // A part that others have written is of another document, so together they are none that the source could confirm
        // and as old as the oldest. One that nobody wants is better fetched than old when somebody does.
        let is_wanted = |name: &str| wanted.iter().any(|wanted| **wanted == *name);
        let copy = self.checked;
        self.parts.retain(|name, part| part.checked == copy || is_wanted(name));
        let is_one = self.parts.values().all(|part| part.checked == copy);
        let own = self.parts.iter().filter(|(name, _)| is_wanted(name)).map(|(_, part)| part.checked);
        let checked = own.min().unwrap_or(copy);
        let validators = Validators { url: hash(&self.url)?, etag: self.etag, last_modified: self.last_modified };
        let parts = self.parts.into_iter().map(|(name, part)| Ok((name.into(), part.into_kept(clock)?)));
        Ok(Held {
            sha256: self.sha256.filter(|_| is_one).as_deref().map(hash).transpose()?,
            before: self.before.as_deref().map(hash).transpose()?,
            fetched: clock.past(self.fetched),
            checked: clock.past(checked),
            read: clock.past(if is_one { self.read } else { checked }),
            blind: Duration::from_secs(if is_one { self.blind } else { 0 }),
            validators: if is_one { validators.usable() } else { Validators::default() },
            dated: self.dated,
            change_number: self.change_number,
            parts: parts.collect::<Result<_, CacheError>>()?,
        })
    }
}

impl CopyPart {
    fn into_kept(self, clock: &Clock) -> Result<Kept, CacheError> {
        let nets = || self.ranges.iter().chain(self.leaving.iter().map(|leaving| &leaving.range));
        if self.ranges.is_empty() || nets().any(|net| net.trunc() != *net || guard::is_forbidden(net).is_some()) {
            return Err(CacheError::Foreign("a range in it"));
        }
        let leaving = self.leaving.iter().map(|leaving| (leaving.range, clock.deadline(leaving.until)));
        let leaving: Vec<_> = leaving.filter(|(_, until)| *until > clock.now()).collect();
        let mut current = self.ranges;
        current.sort_unstable();
        current.dedup();
        Ok(Kept { current, leaving })
    }
}

fn hash(hex: &str) -> Result<[u8; 32], CacheError> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(CacheError::Foreign("a hash in it"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::feed::tests::{Scratch, spec};

    fn held(clock: &Clock) -> Held {
        let now = clock.now();
        let kept = Kept {
            current: vec!["192.0.2.0/24".parse().unwrap()],
            leaving: vec![("198.51.100.0/24".parse().unwrap(), now.plus(Duration::from_secs(1000)))],
        };
        Held {
            sha256: Some([7; 32]),
            before: Some([6; 32]),
            read: now.minus(Duration::from_secs(50)),
            blind: Duration::from_secs(1000),
            fetched: now.minus(Duration::from_secs(500)),
            checked: now.minus(Duration::from_secs(100)),
            validators: Validators { url: [8; 32], etag: Some("\"a\"".into()), last_modified: None },
            dated: Some(5),
            change_number: Some(376),
            parts: BTreeMap::from([("us_cell_1".into(), kept)]),
        }
    }

    #[test]
    fn a_copy_comes_back_as_it_was() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().join("new")));
        assert_eq!(cache.load(&spec(), &clock).unwrap(), None);
        let before = held(&clock);
        cache.save(&spec(), &before, &clock).unwrap();
        let after = cache.load(&spec(), &clock).unwrap().unwrap();
        assert_eq!((after.before, after.blind), (before.before, before.blind));
        assert!(clock.now().since(after.read).abs_diff(Duration::from_secs(50)) < Duration::from_secs(5));
        assert_eq!((after.sha256, &after.validators, after.dated), (before.sha256, &before.validators, before.dated));
        assert_eq!(after.parts["us_cell_1"].current, before.parts["us_cell_1"].current);
        let left = |held: &Held| held.parts["us_cell_1"].leaving[0].1.since(clock.now());
        assert!(left(&after).abs_diff(left(&before)) < Duration::from_secs(5));
        assert!(clock.now().since(after.checked).abs_diff(Duration::from_secs(100)) < Duration::from_secs(5));
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_copy_of_another_kind_is_not_used_and_one_of_another_source_is() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        cache.save(&spec(), &held(&clock), &clock).unwrap();
        let moved = Spec { source: crate::feed::Source::Url("https://other.example/".into()), ..spec() };
        assert!(cache.load(&moved, &clock).unwrap().is_some());
        let other = Spec { kind: crate::feed::Kind::List, ..spec() };
        assert!(matches!(cache.load(&other, &clock), Err(CacheError::Other)));
    }

    #[test]
    fn two_configurations_keep_each_others_parts() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        let named = |parts: &[&str]| Spec { parts: parts.iter().map(|part| (*part).into()).collect(), ..spec() };
        let hold = |parts: &[&str], age| {
            let mut held = held(&clock);
            let kept = held.parts["us_cell_1"].clone();
            held.parts = parts.iter().map(|part| ((*part).into(), kept.clone())).collect();
            held.checked = clock.now().minus(Duration::from_secs(age));
            held
        };
        let save = |parts: &[&str], age| cache.save(&named(parts), &hold(parts, age), &clock).unwrap();
        let load = |parts: &[&str]| cache.load(&named(parts), &clock).unwrap().unwrap();
        let age = |held: &Held| clock.now().since(held.checked).as_secs() / 100;
        save(&["a", "b"], 900);
        save(&["a", "c"], 100);
        let old = load(&["a", "b"]);
        assert_eq!(old.parts.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((age(&old), old.sha256, old.validators.etag), (9, None, None), "of two documents");
        let new = load(&["a", "c"]);
        assert_eq!(new.parts.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!((age(&new), new.sha256), (1, Some([7; 32])));
        // What nobody confirms any more goes, and there is an end to how much is kept.
        save(&["d"], 40 * 86_400);
        save(&["a"], 0);
        assert!(!load(&["a", "d"]).parts.contains_key("d"));
        let many: Vec<_> = (0..100).map(|n| format!("p{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| &**name).collect();
        save(&many, 50);
        save(&["a"], 0);
        assert_eq!(load(&many).parts.len(), 1 + MOST_OTHERS);
    }

    #[test]
    fn what_a_crash_left_is_removed_and_nothing_else() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        cache.save(&spec(), &held(&clock), &clock).unwrap();
        let make = |name: &str, age| {
            let file = File::create_new(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        make(".feed-okta.0123456789abcdef.tmp", 100);
        for (name, age) in [
            (".feed-okta.1123456789abcdef.tmp", 10),
            (".feed-okta.new.0123456789abcdef.tmp", 100),
            (".feed-other.0123456789abcdef.tmp", 100),
            ("feed-okta.0123456789abcdef.tmp", 100),
        ] {
            make(name, age);
        }
        Cache::read_only(Some(folder.path().to_owned())).sweep(&spec());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
        cache.sweep(&spec());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        assert!(!folder.path().join(".feed-okta.0123456789abcdef.tmp").exists());
        Cache::new(None).sweep(&spec());
    }

    #[test]
    fn validators_that_no_header_can_hold_are_dropped() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        for etag in ["\"a\nb\"".to_owned(), "x".repeat(2 << 20)] {
            let validators = Validators { etag: Some(etag), ..held(&clock).validators };
            cache.save(&spec(), &Held { validators, ..held(&clock) }, &clock).unwrap();
            assert_eq!(cache.load(&spec(), &clock).unwrap().unwrap().validators.etag, None);
        }
    }

    #[test]
    fn what_is_not_ours_is_an_error_and_no_panic() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        let path = cache.path(&spec()).unwrap();
        cache.save(&spec(), &held(&clock), &clock).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for bad in [
            String::new(),
            "null".into(),
            good[..good.len() / 2].into(),
            good.replace("\"version\":2", "\"version\":3"),
            good.replace("192.0.2.0/24", "192.0.2.1/24"),
            good.replace("192.0.2.0/24", "0.0.0.0/0"),
            good.replace("192.0.2.0/24", "10.0.0.0/8"),
            good.replace("\"192.0.2.0/24\"", ""),
            good.replace("0707", "zz"),
        ] {
            assert_ne!(bad, good);
            fs::write(&path, &bad).unwrap();
            assert!(cache.load(&spec(), &clock).is_err(), "{bad}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(cache.load(&spec(), &clock).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        fs::write(folder.path().join("file"), "").unwrap();
        let cache = Cache::new(Some(folder.path().join("file")));
        assert!(cache.save(&spec(), &held(&clock), &clock).is_err());
        assert!(Cache::new(None).save(&spec(), &held(&clock), &clock).is_ok());
    }
}
