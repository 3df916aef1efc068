//! What was made of files and follows them.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use tokio::task;
use tokio_util::task::AbortOnDropHandle;

use super::Unusable;
use crate::watch;

/// The newest good reading of some files. Who took one keeps it; who asks again gets the newest.
#[derive(Debug)]
pub(crate) struct Live<T> {
    current: Arc<ArcSwap<T>>,
    _follow: AbortOnDropHandle<()>,
}

impl<T: Send + Sync + 'static> Live<T> {
    /// Reads now, and again at every change of `files` until this is dropped. What cannot be used later is said once
    /// for each change, and the last good reading stays; `good` is 1, or 0 while it does.
    ///
    /// # Errors
    /// The first reading cannot be used.
    pub(crate) fn new(
        what: &'static str,
        files: Vec<PathBuf>,
        good: IntGauge,
        load: impl Fn() -> Result<T, Unusable> + Send + Sync + 'static,
    ) -> Result<Self, Unusable> {
        // Before the reading, so that no change falls between the two.
        let mut changes = watch::watch(files);
        let current = Arc::new(ArcSwap::from_pointee(load()?));
        good.set(1);
        let load = Arc::new(load);
        let follow = task::spawn({
            let current = Arc::clone(&current);
            async move {
                loop {
                    changes.changed().await;
                    let load = Arc::clone(&load);
                    let Ok(read) = task::spawn_blocking(move || load()).await else { continue };
                    good.set(read.is_ok().into());
                    match read {
                        Ok(read) => {
                            current.store(Arc::new(read));
                            tracing::info!(what, "read again; new connections use it");
                        }
                        Err(error) => {
                            tracing::error!(what, %error, "the new files cannot be used; the old stay in force");
                        }
                    }
                }
            }
        });
        Ok(Self { current, _follow: AbortOnDropHandle::new(follow) })
    }

    /// What is in force now.
    pub(crate) fn get(&self) -> Arc<T> {
        self.current.load_full()
    }
}
