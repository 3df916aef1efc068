//! Last good copies on disk, so that a restart needs no network and no caller is refused because of one.
//!
//! One JSON file for each feed, written beside and renamed, so that a reader sees the old or the new one. What is read is
//! not trusted further than a document would be: bounded, of this version, of this source, without forbidden ranges.
//! URLs are kept as hashes only: some hold a secret in their query.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    Spec,
    clock::Clock,
    guard,
    state::{Held, Kept, Validators},
};

/// Raised when the form changes; files of another version are not read.
const VERSION: u32 = 1;
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

    /// The last good copy of this very source; `None` where there is none.
    ///
    /// # Errors
    /// There is a file that is not one.
    pub(super) fn load(&self, spec: &Spec, clock: &Clock) -> Result<Option<Held>, CacheError> {
        let Some(path) = self.path(spec) else { return Ok(None) };
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let copy: Copy = serde_json::from_slice(&text)?;
        if copy.version != VERSION {
            return Err(CacheError::Foreign("its content"));
        }
        // Another URL below the same name: not a fault, and not a copy of it.
        if copy.source != HEXLOWER.encode(&spec.identity()) {
            return Ok(None);
        }
        copy.into_held(clock).map(Some)
    }

    /// Writes a copy; nothing where no folder is configured.
    ///
    /// # Errors
    /// The disk is full, read-only or broken.
    pub(super) fn save(&self, spec: &Spec, held: &Held, clock: &Clock) -> io::Result<()> {
        let Some(path) = self.path(spec).filter(|_| self.writes) else { return Ok(()) };
        let Some(folder) = path.parent() else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let text = serde_json::to_vec(&Copy::of(spec, held, clock))?;
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
    source: String,
    sha256: String,
    fetched: u64,
    checked: u64,
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
    fn of(spec: &Spec, held: &Held, clock: &Clock) -> Self {
        let part = |(name, kept): (&Arc<str>, &Kept)| {
            let leaving =
                kept.leaving.iter().map(|(range, until)| Leaving { range: *range, until: clock.to_wall(*until) });
            (name.to_string(), CopyPart { ranges: kept.current.clone(), leaving: leaving.collect() })
        };
        Self {
            version: VERSION,
            kind: spec.kind.as_str().to_owned(),
            source: HEXLOWER.encode(&spec.identity()),
            sha256: HEXLOWER.encode(&held.sha256),
            fetched: clock.to_wall(held.fetched),
            checked: clock.to_wall(held.checked),
            dated: held.dated,
            change_number: held.change_number,
            url: HEXLOWER.encode(&held.validators.url),
            etag: held.validators.etag.clone(),
            last_modified: held.validators.last_modified.clone(),
            parts: held.parts.iter().map(part).collect(),
        }
    }

    fn into_held(self, clock: &Clock) -> Result<Held, CacheError> {
        let parts = self.parts.into_iter().map(|(name, part)| Ok((name.into(), part.into_kept(clock)?)));
        Ok(Held {
            sha256: hash(&self.sha256)?,
            fetched: clock.past(self.fetched),
            checked: clock.past(self.checked),
            validators: Validators { url: hash(&self.url)?, etag: self.etag, last_modified: self.last_modified },
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
            sha256: [7; 32],
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
        assert_eq!((after.sha256, &after.validators, after.dated), (before.sha256, &before.validators, before.dated));
        assert_eq!(after.parts["us_cell_1"].current, before.parts["us_cell_1"].current);
        let left = |held: &Held| held.parts["us_cell_1"].leaving[0].1.since(clock.now());
        assert!(left(&after).abs_diff(left(&before)) < Duration::from_secs(5));
        assert!(clock.now().since(after.checked).abs_diff(Duration::from_secs(100)) < Duration::from_secs(5));
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_copy_of_another_source_is_not_used() {
        let (folder, clock) = (Scratch::new(), Clock::new());
        let cache = Cache::new(Some(folder.path().to_owned()));
        cache.save(&spec(), &held(&clock), &clock).unwrap();
        let other = Spec { source: crate::feed::Source::Url("https://other.example/".into()), ..spec() };
        assert_eq!(cache.load(&other, &clock).unwrap(), None);
        let other = Spec { kind: crate::feed::Kind::List, ..spec() };
        assert_eq!(cache.load(&other, &clock).unwrap(), None);
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
            good.replace("\"version\":1", "\"version\":2"),
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
