//! Files that change while they are used: certificates, secrets, the configuration.
//!
//! Watched are folders, not files. A mounted ConfigMap or Secret is a symlink through `..data`, and an update exchanges
//! that link: a watch on the file itself sees nothing of it, nor of an editor that writes beside and renames. An event
//! is only a reason to look; whether something changed is decided by comparing what the names lead to. So a busy folder
//! costs a few `stat` calls, and where the system tells nothing (no inotify, a network file system) looking now and
//! then is enough.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::{Notify, mpsc},
    task,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Writers of several files take some time between them.
const QUIET: Duration = Duration::from_millis(200);

/// A folder in which something happens all the time is looked at all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the system does not tell. The kubelet itself brings an update after up to a minute.
const POLL: Duration = Duration::from_secs(30);

/// Tells of changes until it is dropped.
#[derive(Debug)]
pub struct Changes {
    told: mpsc::Receiver<()>,
    _task: AbortOnDropHandle<()>,
}

impl Changes {
    /// Waits until a file is another than when this was last told: written to, exchanged, removed, there again. Several
    /// changes that come together are one.
    pub async fn changed(&mut self) {
        if self.told.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// A file as it was at a moment: whoever takes it before reading misses no change after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    path: PathBuf,
    print: Option<Print>,
}

impl Seen {
    /// The file as it is now, be it there or not.
    pub fn of(path: PathBuf) -> Self {
        let print = Print::of(&path);
        Self { path, print }
    }

    /// The same file as it is now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::of(self.path.clone())
    }
}

/// Watches files, which need not be there (yet), from now on. It must be called inside a tokio runtime.
pub fn watch(files: impl IntoIterator<Item = PathBuf>) -> Changes {
    since(files.into_iter().map(Seen::of))
}

/// Watches files from the moment at which they were seen; what has changed since is told at once.
pub fn since(files: impl IntoIterator<Item = Seen>) -> Changes {
    watch_at(files, POLL, Tells::Yes)
}

/// Whether the system is asked to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Yes,
    #[cfg(test)]
    No,
}

fn watch_at(files: impl IntoIterator<Item = Seen>, poll: Duration, tells: Tells) -> Changes {
    let (tell, told) = mpsc::channel(1);
    let event = Arc::new(Notify::new());
    let watcher = match tells {
        Tells::Yes => watcher(&event),
        #[cfg(test)]
        Tells::No => None,
    };
    let (files, seen) = files.into_iter().map(|seen| (seen.path, seen.print)).unzip();
    let mut eye = Eye { files, seen, watcher, folders: BTreeSet::new() };
    if eye.looks_different() {
        let _ = tell.try_send(());
    }
    let task = task::spawn(async move {
        if eye.files.is_empty() {
            return;
        }
        loop {
            tokio::select! {
                () = event.notified() => settle(&event).await,
                () = sleep(poll) => {}
            }
            // A file system may hang, and with it whoever asks it.
            let look = task::spawn_blocking(move || {
                let different = eye.looks_different();
                (eye, different)
            });
            let Ok((back, different)) = look.await else { return };
            eye = back;
            if different {
                // If it is full, the last one has not been heard yet.
                let _ = tell.try_send(());
            }
        }
    });
    Changes { told, _task: AbortOnDropHandle::new(task) }
}

/// Waits until nothing has happened for a while.
async fn settle(event: &Notify) {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience && timeout(QUIET, event.notified()).await.is_ok() {}
}

fn watcher(event: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let event = Arc::clone(event);
    // An error may be a full queue, so it is a reason to look too.
    let made = notify::recommended_watcher(move |happened: notify::Result<Event>| {
        if happened.as_ref().map_or(true, is_reason) {
            event.notify_one();
        }
    });
    made.inspect_err(
        |error| tracing::warn!(%error, "the system does not tell of changed files; they are looked at every {POLL:?}"),
    )
    .ok()
}

/// Reading is none, our own above all.
fn is_reason(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

/// What looks.
#[derive(Debug)]
struct Eye {
    files: Vec<PathBuf>,
    seen: Vec<Option<Print>>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Print {
    real: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
    inode: Inode,
}

impl Eye {
    /// Looks, and says whether anything is different from the last time.
    fn looks_different(&mut self) -> bool {
        // First, so that what happens after the look is told.
        self.follow_folders();
        let now: Vec<_> = self.files.iter().map(|file| Print::of(file)).collect();
        let different = now != self.seen;
        self.seen = now;
        different
    }

    /// Watches the folders that matter now. One that was removed and made again has lost its watch without a word, so
    /// each is asked for anew; the system knows those that it has.
    fn follow_folders(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeSet<PathBuf> = self.files.iter().flat_map(|file| folders(file)).collect();
        for gone in self.folders.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        for folder in &wanted {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(%error, folder = %folder.display(), "folder cannot be watched");
            }
        }
        self.folders = wanted;
    }
}

impl Print {
    fn of(file: &Path) -> Option<Self> {
        let real = fs::canonicalize(file).ok()?;
        let about = fs::metadata(&real).ok()?;
        Some(Self { modified: about.modified().ok(), length: about.len(), inode: inode(&about), real })
    }
}

#[cfg(unix)]
type Inode = [i128; 4];

/// Device, number, and the time of the last change of any kind, which nobody can set back.
#[cfg(unix)]
fn inode(about: &fs::Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt as _;
    [about.dev().into(), about.ino().into(), about.ctime().into(), about.ctime_nsec().into()]
}

#[cfg(not(unix))]
type Inode = ();

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> Inode {}

/// The folders in which a file can become another: its own, that of each link on the way to it, and the one that it
/// really is in. For one that is not there, the nearest that is.
fn folders(file: &Path) -> Vec<PathBuf> {
    let links = file.ancestors().filter(|path| path.is_symlink());
    let real = fs::canonicalize(file).ok();
    let all = [file].into_iter().chain(links).chain(real.as_deref());
    all.filter_map(|path| path.parent()?.ancestors().map(here).find(|folder| folder.is_dir()))
        .map(Path::to_owned)
        .collect()
}

/// The parent of a bare name is the empty path.
fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than any change takes to be seen, far shorter than the poll.
    const SOON: Duration = Duration::from_secs(10);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("scimshim-watch-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn told(changes: &mut Changes, what: &str) {
        timeout(SOON, changes.changed()).await.unwrap_or_else(|_| panic!("not told of: {what}"));
    }

    async fn quiet(changes: &mut Changes, what: &str) {
        assert!(timeout(QUIET * 3, changes.changed()).await.is_err(), "told of: {what}");
    }

    #[tokio::test]
    async fn writes_renames_removals_and_returns_are_told() {
        let folder = Folder::new("files");
        let file = folder.write("a", "1");
        let other = folder.write("b", "1");
        let mut changes = watch([file.clone(), other]);
        fs::write(&file, "2").unwrap();
        told(&mut changes, "a write").await;
        let beside = folder.write("new", "3");
        fs::rename(beside, &file).unwrap();
        told(&mut changes, "a rename").await;
        fs::remove_file(&file).unwrap();
        told(&mut changes, "a removal").await;
        fs::write(&file, "4").unwrap();
        told(&mut changes, "a return").await;
        fs::remove_dir_all(&folder.0).unwrap();
        told(&mut changes, "the end of the folder").await;
        folder.write("a", "5");
        told(&mut changes, "a new folder").await;
        folder.write("a", "6");
        told(&mut changes, "a write in the new folder").await;
    }

    #[tokio::test]
    async fn what_is_only_read_or_is_beside_is_no_change() {
        let folder = Folder::new("quiet");
        let file = folder.write("a", "1");
        let mut changes = watch([file.clone()]);
        fs::read(&file).unwrap();
        folder.write("beside", "1");
        quiet(&mut changes, "a reading").await;
    }

    #[tokio::test]
    async fn changes_that_come_together_are_one() {
        let folder = Folder::new("together");
        let files: Vec<_> = ["a", "b", "c"].map(|name| folder.write(name, "1")).into();
        let mut changes = watch(files.clone());
        for file in &files {
            fs::write(file, "22").unwrap();
        }
        told(&mut changes, "the writes").await;
        quiet(&mut changes, "the writes again").await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_exchange_of_a_link_is_told() {
        use std::os::unix::fs::symlink;
        let folder = Folder::new("link");
        for version in ["..1", "..2"] {
            folder.write(&format!("{version}/tls.crt"), "the same text");
        }
        symlink("..1", folder.0.join("..data")).unwrap();
        symlink("..data/tls.crt", folder.0.join("tls.crt")).unwrap();
        let mut changes = watch([folder.0.join("tls.crt")]);
        symlink("..2", folder.0.join("..tmp")).unwrap();
        fs::rename(folder.0.join("..tmp"), folder.0.join("..data")).unwrap();
        fs::remove_dir_all(folder.0.join("..1")).unwrap();
        told(&mut changes, "the exchange").await;
        folder.write("..2/tls.crt", "another text");
        told(&mut changes, "a write behind the link").await;
    }

    #[tokio::test]
    async fn where_the_system_tells_nothing_it_is_looked_at() {
        let folder = Folder::new("poll");
        let file = folder.write("a", "1");
        let mut changes = watch_at([Seen::of(file.clone())], Duration::from_millis(20), Tells::No);
        fs::write(&file, "22").unwrap();
        told(&mut changes, "a write").await;
        fs::remove_file(&file).unwrap();
        told(&mut changes, "a removal").await;
        quiet(&mut changes, "nothing").await;
    }

    #[tokio::test]
    async fn without_files_nothing_is_told() {
        quiet(&mut watch([]), "nothing").await;
    }
}
