//! The shim in this process on port 0, before a scripted app, with a client that can say anything.
//!
//! Nothing here waits for a fixed time: what takes effect a little later is polled until it does.

mod app;
mod client;
mod log;
mod port;
mod process;
mod shim;
mod tls;

pub(crate) use app::{Act, App, Frame, Raw, RawH2, Seen};
pub(crate) use client::{Answer, Client, ask, greedy, http2};
pub(crate) use log::Log;
pub(crate) use port::{closed_port, free_port};
pub(crate) use process::Process;
pub(crate) use shim::{Shim, configured, defaults, plan, read, settings};
pub(crate) use tls::{Authority, Folder, Identity, Kept, NAME, SecureApp, secure, upgrade};

use std::{future::Future, time::Duration};

/// Polls until `check` holds; a test that waits longer than this has failed.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    for _ in 0..500 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came true: {what}");
}
