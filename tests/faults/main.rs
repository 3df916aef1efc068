//! Faults, one cell each: what the app, a client or the machine does wrong, what is then told, and what it costs others.
//! Prints a table; with `UPDATE=1` a whole run writes `docs/faults.md`.
//!
//! Every cell has the program as a process, an app that is as bad as the cell says, and a tenant beside the one that is
//! hit, who must not notice. What was sent and told is held against `/metrics`, memory and open files against those at
//! the start.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../common/admin.rs"]
mod admin;
mod app;
mod app_side;
mod cells;
mod client;
mod client_side;
#[path = "../common/disk.rs"]
mod disk;
mod h2;
#[path = "../common/line.rs"]
mod line;
#[allow(dead_code)]
#[path = "../it/harness/port.rs"]
mod port;
#[allow(dead_code)]
#[path = "../it/harness/process.rs"]
mod process;
#[path = "../common/redis.rs"]
mod redis;
mod report;
mod scene;
#[path = "../common/source.rs"]
mod source;
mod system;

use std::{
    collections::BTreeMap,
    env,
    io::{self, Write as _},
    sync::{Arc, Mutex},
};

use libtest_mimic::{Arguments, Failed, Trial};

use cells::CELLS;
use port::free_port;
use scene::{Outcome, Scene, Stage};

/// What a run of a fault may add to the memory of the shim when it has been before, in KiB.
const GROWTH: u64 = 4 << 10;

/// Runs after the first, one of which must add nothing.
const RUNS: usize = 5;

fn main() {
    let outcomes = Arc::<Mutex<BTreeMap<usize, Outcome>>>::default();
    let trials = CELLS.iter().enumerate().map(|(number, cell)| {
        let outcomes = Arc::clone(&outcomes);
        Trial::test(cell.name, move || {
            if let Some(outcome) = (cell.play)(cell.name) {
                outcomes.lock().unwrap().insert(number, outcome);
            }
            Ok::<_, Failed>(())
        })
    });
    // They wait more than they work, and each has a process of its own.
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let outcomes = outcomes.lock().unwrap();
    if !outcomes.is_empty() {
        println!("\n{}", report::figures(&outcomes));
    }
    if env::var_os("UPDATE").is_some() && outcomes.len() == CELLS.len() {
        report::write(&outcomes);
    }
    drop(outcomes);
    conclusion.exit();
}

/// Plays a cell again and again, so that what stays behind each time is seen.
fn twice(name: &str, stage: Stage, play: impl Fn(&mut Scene)) -> Option<Outcome> {
    run(Scene::open(name, stage), play)
}

/// The same on a scene that is there.
fn run(mut scene: Scene, play: impl Fn(&mut Scene)) -> Option<Outcome> {
    play(&mut scene);
    let first = scene.quiet();
    let mut before = first;
    // What a run leaves is the allocator's, which keeps pages for the next, and does so once or twice. A leak comes again
    // with each run.
    for _ in 0..RUNS {
        play(&mut scene);
        let now = scene.quiet();
        if now <= before + GROWTH {
            return Some(scene.close(first));
        }
        before = now;
    }
    panic!("memory grows with each run: {first} KiB after the first, {before} KiB after {RUNS} more");
}

/// Plays a cell that comes back to where it began by itself.
fn once(name: &str, stage: Stage, play: impl FnOnce(&mut Scene)) -> Option<Outcome> {
    let mut scene = Scene::open(name, stage);
    play(&mut scene);
    let first = scene.quiet();
    Some(scene.close(first))
}

/// What cannot be played here is said, and is a failure where everything must be.
fn skip(name: &str, why: &str) -> Option<Outcome> {
    assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "{name} must run, but {why}");
    let _ = writeln!(io::stderr(), "SKIPPED {name}: {why}");
    None
}
