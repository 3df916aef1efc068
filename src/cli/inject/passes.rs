//! What is taken out of a stream and put into it, object by object.

use super::{
    marks::is_marked,
    objects::{Object, Role, UNRENDERED, objects},
    options::Wish,
    service::{Pods, Service},
    sidecar::Sidecar,
    workload::{Done, Pod},
    yaml::{Edit, Edited, Fault, Tree, apply},
};

/// Objects that are named on one line.
const MOST_NAMES: usize = 12;

/// What is written, and what is said about it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) lines: Vec<String>,
}

/// The text with the wish in it.
///
/// # Errors
/// All that stands in the way.
pub(super) fn transform(wish: &Wish, text: &str) -> Result<Report, Vec<Fault>> {
    let tree = parse(text).map_err(|fault| vec![fault])?;
    let objects = objects(&tree).map_err(|fault| vec![fault])?;
    let missing = missing(wish, &objects);
    if !missing.is_empty() {
        return Err(missing);
    }
    let cleared = clear(wish, &tree, &objects)?;
    let bare = cleared.edited.text.as_str();
    let (text, lines) = match &wish.sidecar {
        None => (bare.to_owned(), cleared.lines(wish, &objects)),
        Some(sidecar) => inject(wish, sidecar, bare, &cleared).map_err(|faults| {
            faults.into_iter().map(|fault| Fault { at: cleared.edited.origin(fault.at), ..fault }).collect::<Vec<_>>()
        })?,
    };
    Ok(Report { text, lines })
}

fn parse(text: &str) -> Result<Tree<'_>, Fault> {
    Tree::parse(text).map_err(|fault| match text.contains("{{") {
        true => Fault { what: format!("{}; {UNRENDERED}", fault.what), ..fault },
        false => Fault { what: format!("{}; mend the YAML", fault.what), ..fault },
    })
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
    fn lines(&self, wish: &Wish, objects: &[Object]) -> Vec<String> {
        let line = |(i, object): (usize, &Object)| {
            let taken_out = self.taken_out.contains(&i);
            match object.role {
                Role::Other => None,
                Role::Service if taken_out => Some(format!("{object}: leads to the app again")),
                Role::Service => None,
                _ if taken_out => Some(format!("{object}: sidecar taken out")),
                _ if !wish.takes_out(object) => Some(format!("{object}: left alone, not chosen")),
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
    let is_marked = object.around(tree).is_some_and(|around| is_marked(tree, around));
    if !is_marked || !wish.takes_out(object) {
        return Ok(None);
    }
    if is_service(object) {
        return Service::of(tree, object)?.restore();
    }
    let pod = Pod::of(tree, object)?;
    // What is left alone stays as it is, unless it is to be taken out.
    if wish.sidecar.is_some() && left_alone(wish, pod)?.is_some() { Ok(None) } else { pod.uninject() }
}

fn inject(wish: &Wish, sidecar: &Sidecar, bare: &str, cleared: &Cleared) -> Result<(String, Vec<String>), Vec<Fault>> {
    let tree = parse(bare).map_err(|fault| vec![fault])?;
    let objects = objects(&tree).map_err(|fault| vec![fault])?;
    let (mut work, mut pods) = (Work::default(), Pods::default());
    for (i, object) in objects.iter().enumerate().filter(|(_, object)| object.is_workload()) {
        let turn = workload(wish, sidecar, &tree, object);
        pods.add(matches!(turn, Ok(Turn::Done(_))), &tree, object);
        match turn {
            Ok(Turn::Done(done)) => work.take(i, object, done, cleared.taken_out.contains(&i)),
            Ok(Turn::Left(why)) => work.lines.push((i, format!("{object}: left alone, {why}"))),
            Err(fault) => work.faults.push(fault),
        }
    }
    for (i, object) in objects.iter().enumerate().filter(|(_, object)| is_service(object)) {
        if !wish.wants(object) {
            work.hints.extend(Service::of(&tree, object).ok().and_then(|service| service.past_the_sidecar(&pods)));
            continue;
        }
        match Service::of(&tree, object).and_then(|service| service.redirect(&wish.leads, &pods)) {
            Ok(done) => work.take(i, object, done, false),
            Err(fault) => work.faults.push(fault),
        }
    }
    work.finish(&tree, &objects, wish)
}

/// What became of a workload.
enum Turn {
    Done(Done),
    Left(&'static str),
}

fn workload(wish: &Wish, sidecar: &Sidecar, tree: &Tree<'_>, object: &Object) -> Result<Turn, Fault> {
    if !wish.wants(object) {
        return Ok(Turn::Left("not chosen"));
    }
    let pod = Pod::of(tree, object)?;
    match left_alone(wish, pod)? {
        Some(why) => Ok(Turn::Left(why)),
        None => pod.inject(sidecar).map(Turn::Done),
    }
}

/// Why a workload that is wanted is not injected.
fn left_alone(wish: &Wish, pod: Pod<'_>) -> Result<Option<&'static str>, Fault> {
    if pod.is_disabled()? {
        return Ok(Some("for it says scimshim.io/inject: disabled"));
    }
    if !wish.workloads.is_empty() {
        return Ok(None);
    }
    if pod.is_hook() {
        // It runs beside the app, and ends.
        return Ok(Some("a hook of Helm that --workload does not name"));
    }
    // Its owner would undo it, or make another.
    Ok(pod.is_owned().then_some("made by another object, and --workload does not name it"))
}

/// What is gathered object by object.
#[derive(Default)]
struct Work {
    edits: Vec<Edit>,
    lines: Vec<(usize, String)>,
    hints: Vec<String>,
    unhooked: Vec<String>,
    faults: Vec<Fault>,
}

impl Work {
    fn take(&mut self, place: usize, object: &Object, done: Done, again: bool) {
        self.edits.extend(done.edits);
        let again = if again { "renewed: " } else { "" };
        self.lines.push((place, format!("{object}: {again}{}", done.said.join(", "))));
        self.hints.extend(done.hints);
        self.unhooked.extend(done.unhooked);
    }

    fn finish(mut self, tree: &Tree<'_>, objects: &[Object], wish: &Wish) -> Result<(String, Vec<String>), Vec<Fault>> {
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
        if !self.unhooked.is_empty() {
            let what = "without a preStop hook: let each sleep 5 s, so that requests on their way still find the app";
            self.hints.push(format!("{} {what}", some_of(&self.unhooked)));
        }
        if !self.edits.is_empty() {
            self.hints.extend(wish.hints());
        }
        lines.extend(self.hints.iter().map(|hint| format!("hint: {hint}")));
        Ok((edited.text, lines))
    }
}

fn listed<'a>(objects: impl Iterator<Item = &'a Object>) -> String {
    some_of(&objects.map(ToString::to_string).collect::<Vec<_>>())
}

fn some_of(names: &[String]) -> String {
    match names.len() {
        0 => "nothing".to_owned(),
        all if all > MOST_NAMES => format!("{} and {} more", names[..MOST_NAMES].join(", "), all - MOST_NAMES),
        _ => names.join(", "),
    }
}
