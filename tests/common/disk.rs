//! A file system that is soon full.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system, until it is dropped.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Needs the right to mount; without it this is skipped, loudly.
    pub(crate) fn mount(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path).output();
        let why = match mount {
            Ok(output) if output.status.success() => return Some(Self(path.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("a small file system cannot be mounted: {why}; run it as root");
        assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "disk_full must run, but {message}");
        let _ = writeln!(io::stderr(), "SKIPPED disk_full: {message}");
        None
    }

    pub(crate) fn grow(&self) {
        let mount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status().unwrap();
        assert!(mount.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
