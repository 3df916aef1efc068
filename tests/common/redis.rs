//! A Redis of our own.

use std::{
    env,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::process::signal;

/// A `redis-server`, until it is dropped.
pub(crate) struct Redis {
    address: SocketAddr,
    folder: PathBuf,
    child: Option<Child>,
}

impl Redis {
    /// None where there is no `redis-server`, which is said.
    pub(crate) fn new(address: SocketAddr, folder: &Path) -> Option<Self> {
        if Command::new("redis-server").arg("--version").output().is_err() {
            let message = "there is no redis-server; apt-get install redis-server";
            assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "Redis must be there, but {message}");
            let _ = writeln!(io::stderr(), "SKIPPED Redis: {message}");
            return None;
        }
        let mut redis = Self { address, folder: folder.to_owned(), child: None };
        redis.run();
        Some(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    pub(crate) fn run(&mut self) {
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.address.port().to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs"), name);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
