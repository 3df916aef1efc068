//! `scimshim inject`: the sidecar into the manifests of an app, as text edits; and out of them again.
//!
//! ```text
//! yaml      a stream as nodes with their places, and edits of nodes back into the text
//! objects   what is in the stream: workloads, Services, what goes through
//! sidecar   the container and its volumes
//! workload  what is put where in a pod, and when it is refused
//! service   which port of a Service is turned to the sidecar
//! marks     the annotations from which everything can be taken out again, to the byte
//! ```
//!
//! What was injected before is taken out first and then put in anew. So a second run gives what the first gave, also
//! with other options or of another version, and there is no second way through the code for an update.
//! `docs/decisions/0013-yaml-by-spans.md` has what was not chosen.

mod marks;
mod objects;
mod options;
mod service;
mod sidecar;
mod workload;
mod yaml;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use anyhow::Context;
use serde::de::IgnoredAny;

pub(super) use options::Args;
use options::Wish;

use objects::{Object, Role, UNRENDERED, objects};
use service::Service;
use sidecar::Sidecar;
use workload::{Done, Pod};
use yaml::{Edit, Edited, Fault, Tree, apply};

/// More than the manifests of a whole cluster take; nothing of it is streamed.
const LARGEST: u64 = 32 << 20;

/// Objects that are named on one line.
const MOST_NAMES: usize = 12;

/// Puts the sidecar into manifests, or takes it out. What cannot be edited is written as it came.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let wish = args.wish()?;
    let is_stdin = args.file == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { args.file.display().to_string() };
    let open = || -> io::Result<Box<dyn Read>> {
        Ok(if is_stdin { Box::new(io::stdin().lock()) } else { Box::new(File::open(&args.file)?) })
    };
    let unreadable = || format!("{name} cannot be read; name a file, or - for standard input");
    let mut input = open().with_context(unreadable)?;
    let mut bytes = Vec::new();
    input.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    match edited(&wish, &bytes) {
        Ok(report) => {
            out.write_all(report.text.as_bytes())?;
            // Before a word about it: who reads may apply it meanwhile.
            out.flush()?;
            report.lines.iter().for_each(|line| say(line));
            Ok(0)
        }
        Err(faults) => {
            out.write_all(&bytes)?;
            io::copy(&mut input, out)?;
            out.flush()?;
            let text = String::from_utf8_lossy(&bytes);
            for fault in &faults {
                let (line, column) = Tree::place(&text, fault.at);
                say(&format!("error: {name}:{line}:{column}: {}", fault.what));
            }
            say("note: the output is the input, unchanged");
            Ok(1)
        }
    }
}

fn edited(wish: &Wish, bytes: &[u8]) -> Result<Report, Vec<Fault>> {
    if bytes.len() as u64 > LARGEST {
        return Err(vec![Fault::new(0, format!("over {LARGEST} bytes; split it"))]);
    }
    let text = str::from_utf8(bytes)
        .map_err(|error| vec![Fault::new(error.valid_up_to(), "this is not UTF-8; give YAML or JSON in UTF-8")])?;
    transform(wish, text)
}

/// What is written, and what is said about it.
#[derive(Debug)]
struct Report {
    text: String,
    lines: Vec<String>,
}

fn transform(wish: &Wish, text: &str) -> Result<Report, Vec<Fault>> {
    let tree = parse(text).map_err(|fault| vec![fault])?;
    let objects = objects(&tree).map_err(|fault| vec![fault])?;
    let missing = missing(wish, &objects);
    if !missing.is_empty() {
        return Err(missing);
    }
    let cleared = clear(wish, &tree, &objects)?;
    let bare = cleared.edited.text.as_str();
    let (text, lines) = match &wish.sidecar {
        None => (bare.to_owned(), cleared.lines(&objects)),
        Some(sidecar) => inject(wish, sidecar, bare, &cleared).map_err(|faults| {
            faults.into_iter().map(|fault| Fault { at: cleared.edited.origin(fault.at), ..fault }).collect::<Vec<_>>()
        })?,
    };
    if is_json(tree.text()) && !is_json(&text) {
        return Err(vec![Fault::new(0, "what would come of this JSON is none; give YAML")]);
    }
    Ok(Report { text, lines })
}

fn parse(text: &str) -> Result<Tree<'_>, Fault> {
    Tree::parse(text).map_err(|fault| match text.contains("{{") {
        true => Fault { what: format!("{}; {UNRENDERED}", fault.what), ..fault },
        false => Fault { what: format!("{}; mend the YAML", fault.what), ..fault },
    })
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// What was asked for and is not there.
fn missing(wish: &Wish, objects: &[Object]) -> Vec<Fault> {
    let fault = |what: String| Fault::new(0, what);
    let names = |role: &dyn Fn(&Object) -> bool| listed(objects.iter().filter(|object| role(object)));
    let mut missing = Vec::new();
    let has =
        |name: &str, role: fn(&Object) -> bool| objects.iter().any(|object| role(object) && object.is_called(name));
    for name in wish.workloads.iter().filter(|name| !has(name, Object::is_workload)) {
        missing.push(fault(format!("no workload {name:?} in it; there is {}", names(&Object::is_workload))));
    }
    for name in wish.services.iter().filter(|name| !has(name, is_service)) {
        missing.push(fault(format!("no Service {name:?} in it; there is {}", names(&is_service))));
    }
    let nothing = !objects.iter().any(Object::is_workload) && wish.services.is_empty();
    // Taking out is for Services too, which need not be named for that.
    if missing.is_empty() && nothing && !(wish.sidecar.is_none() && objects.iter().any(is_service)) {
        let kinds = "a Deployment, StatefulSet, DaemonSet, ReplicaSet or Pod";
        missing.push(fault(format!("no workload in it, but {}; give {kinds}", names(&|_| true))));
    }
    missing
}

fn is_service(object: &Object) -> bool {
    object.role == Role::Service
}

/// The text without what earlier runs put into what was chosen.
struct Cleared {
    edited: Edited,
    /// By their place among the objects.
    taken_out: Vec<usize>,
}

impl Cleared {
    fn lines(&self, objects: &[Object]) -> Vec<String> {
        let line = |(i, object): (usize, &Object)| {
            let taken_out = self.taken_out.contains(&i);
            match object.role {
                Role::Other => None,
                Role::Service if taken_out => Some(format!("{object}: leads to the app again")),
                Role::Service => None,
                _ if taken_out => Some(format!("{object}: sidecar taken out")),
                _ => Some(format!("{object}: left alone, nothing that inject put there")),
            }
        };
        objects.iter().enumerate().filter_map(line).collect()
    }
}

fn clear(wish: &Wish, tree: &Tree<'_>, objects: &[Object]) -> Result<Cleared, Vec<Fault>> {
    let (mut edits, mut taken_out, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (i, object) in objects.iter().enumerate() {
        match undo(wish, tree, object) {
            Ok(None) => {}
            Ok(Some(undone)) => {
                edits.extend(undone);
                taken_out.push(i);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let edited = apply(tree, &edits).map_err(|fault| vec![fault])?;
    Ok(Cleared { edited, taken_out })
}

fn undo(wish: &Wish, tree: &Tree<'_>, object: &Object) -> Result<Option<Vec<Edit>>, Fault> {
    if wish.takes_out(object) && is_service(object) {
        return Service::of(tree, object)?.restore();
    }
    if !wish.takes_out(object) || !object.is_workload() {
        return Ok(None);
    }
    let pod = Pod::of(tree, object)?;
    // What is left alone stays as it is, unless it is to be taken out.
    if wish.sidecar.is_some() && left_alone(wish, pod)?.is_some() { Ok(None) } else { pod.uninject() }
}

fn inject(wish: &Wish, sidecar: &Sidecar, bare: &str, cleared: &Cleared) -> Result<(String, Vec<String>), Vec<Fault>> {
    let tree = parse(bare).map_err(|fault| vec![fault])?;
    let objects = objects(&tree).map_err(|fault| vec![fault])?;
    let mut work = Work::default();
    let mut pods = Vec::new();
    for (i, object) in objects.iter().enumerate().filter(|(_, object)| object.is_workload()) {
        if !wish.wants(object) {
            work.lines.push((i, format!("{object}: left alone, not chosen")));
            continue;
        }
        let done = Pod::of(&tree, object).and_then(|pod| match left_alone(wish, pod)? {
            Some(why) => Ok(Err(why)),
            None => pod.inject(sidecar).map(|done| Ok((pod, done))),
        });
        match done {
            Ok(Err(why)) => work.lines.push((i, format!("{object}: left alone, {why}"))),
            Ok(Ok((pod, done))) => {
                pods.push(pod);
                work.take(i, object, done, cleared.taken_out.contains(&i));
            }
            Err(fault) => work.faults.push(fault),
        }
    }
    for (i, object) in objects.iter().enumerate().filter(|(_, object)| is_service(object)) {
        if wish.wants(object) {
            match Service::of(&tree, object).and_then(|service| service.redirect(&wish.leads, &pods)) {
                Ok(done) => work.take(i, object, done, false),
                Err(fault) => work.faults.push(fault),
            }
        } else if Service::of(&tree, object).is_ok_and(|service| pods.iter().any(|&pod| service.selects(pod))) {
            work.hints.extend(past_the_sidecar(&tree, object));
        }
    }
    work.finish(&tree, &objects, wish, !pods.is_empty())
}

/// Why a workload that could be injected is not.
fn left_alone(wish: &Wish, pod: Pod<'_>) -> Result<Option<&'static str>, Fault> {
    if pod.is_disabled()? {
        return Ok(Some("for it says scimshim.io/inject: disabled"));
    }
    // A hook runs beside the app and ends.
    let unasked = pod.is_hook() && wish.workloads.is_empty();
    Ok(unasked.then_some("a hook of Helm that --workload does not name"))
}

/// Of a Service that was not chosen and leads to the app itself.
fn past_the_sidecar(tree: &Tree<'_>, object: &Object) -> Option<String> {
    // One that an earlier run turned has its mark.
    if marks::Marked::find(tree, object.node).ok()?.is_some() {
        return None;
    }
    let name = object.name.as_deref()?;
    Some(format!(
        "{object}: leads to the app past the sidecar; --service {name} turns it, with all that is on its port (the sidecar \
         answers for SCIM paths only), or give the sidecar a Service of its own with targetPort {}",
        sidecar::DATA_PORT
    ))
}

/// What is gathered object by object.
#[derive(Default)]
struct Work {
    edits: Vec<Edit>,
    lines: Vec<(usize, String)>,
    hints: Vec<String>,
    faults: Vec<Fault>,
}

impl Work {
    fn take(&mut self, place: usize, object: &Object, done: Done, again: bool) {
        self.edits.extend(done.edits);
        let again = if again { "renewed: " } else { "" };
        self.lines.push((place, format!("{object}: {again}{}", done.said.join(", "))));
        self.hints.extend(done.hints);
    }

    fn finish(
        mut self,
        tree: &Tree<'_>,
        objects: &[Object],
        wish: &Wish,
        injected: bool,
    ) -> Result<(String, Vec<String>), Vec<Fault>> {
        if !self.faults.is_empty() {
            self.faults.sort_by_key(|fault| fault.at);
            return Err(self.faults);
        }
        let edited = apply(tree, &self.edits).map_err(|fault| vec![fault])?;
        self.lines.sort();
        let mut lines: Vec<_> = self.lines.into_iter().map(|(_, line)| line).collect();
        let through = |object: &&Object| object.role == Role::Other || is_service(object) && !wish.wants(object);
        if objects.iter().any(|object| through(&object)) {
            lines.push(format!("passed through: {}", listed(objects.iter().filter(through))));
        }
        if injected {
            self.hints.extend(wish.hints());
        }
        lines.extend(self.hints.iter().map(|hint| format!("hint: {hint}")));
        Ok((edited.text, lines))
    }
}

fn listed<'a>(objects: impl Iterator<Item = &'a Object>) -> String {
    let names: Vec<_> = objects.map(ToString::to_string).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        all if all > MOST_NAMES => format!("{} and {} more", names[..MOST_NAMES].join(", "), all - MOST_NAMES),
        _ => names.join(", "),
    }
}

fn say(line: &str) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests;
