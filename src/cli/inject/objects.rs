//! The objects of a stream: which of them have pods, which are Services, and what they are called.

use std::fmt;

use super::yaml::{Fault, Kind, Node, Tree};

/// Lists in lists; `kubectl` makes none.
const DEEPEST: usize = 8;

/// What `inject` does with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Goes through as it is.
    Other,
    /// A Pod.
    Pod,
    Service,
    /// Makes pods after a template.
    Template,
}

/// A Kubernetes object of a stream.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) node: Node,
    pub(super) role: Role,
    /// In small letters, as `kubectl` writes it.
    pub(super) kind: String,
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name.as_deref().unwrap_or("?"))
    }
}

impl Object {
    /// Whether it has a pod in it that a sidecar can be put into.
    pub(super) fn is_workload(&self) -> bool {
        matches!(self.role, Role::Pod | Role::Template)
    }

    /// What has the metadata that is marked: of a workload, the pod's. `None` for what is not injected.
    pub(super) fn around(&self, tree: &Tree<'_>) -> Option<Node> {
        match self.role {
            Role::Other => None,
            Role::Pod | Role::Service => Some(self.node),
            Role::Template => tree.read(tree.read(self.node, "spec")?, "template"),
        }
    }

    /// Whether `name` or `kind/name` is this object.
    pub(super) fn is_called(&self, name: &str) -> bool {
        match name.split_once('/') {
            Some((kind, name)) => self.kind.eq_ignore_ascii_case(kind) && self.name.as_deref() == Some(name),
            None => self.name.as_deref() == Some(name),
        }
    }

    fn of(tree: &Tree<'_>, node: Node) -> Self {
        let text = |map, key| tree.read(map, key).and_then(|value| tree.scalar(value)).map(str::to_owned);
        let metadata = tree.read(node, "metadata");
        let kind = text(node, "kind").unwrap_or_default();
        Self {
            node,
            role: role(&text(node, "apiVersion").unwrap_or_default(), &kind),
            kind: if kind.is_empty() { "object without kind".to_owned() } else { kind.to_lowercase() },
            name: metadata.and_then(|metadata| text(metadata, "name").or_else(|| text(metadata, "generateName"))),
            namespace: metadata.and_then(|metadata| text(metadata, "namespace")),
        }
    }
}

/// By group and kind: others have Services too (`serving.knative.dev`). A Job ends, so no identity provider calls it.
fn role(version: &str, kind: &str) -> Role {
    match (version.rsplit_once('/').map_or("", |(group, _)| group), kind) {
        ("apps" | "extensions", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet") => Role::Template,
        ("", "ReplicationController") => Role::Template,
        ("", "Pod") => Role::Pod,
        ("", "Service") => Role::Service,
        _ => Role::Other,
    }
}

/// All objects in their order; those of a `List` stand for it.
///
/// # Errors
/// In an object that may be edited: a key twice, or Helm's braces.
pub(super) fn objects(tree: &Tree<'_>) -> Result<Vec<Object>, Fault> {
    let mut objects = Vec::new();
    for &root in tree.roots() {
        gather(tree, root, DEEPEST, &mut objects);
    }
    for object in objects.iter().filter(|object| object.role != Role::Other) {
        if let Some(key) = tree.doubled(object.node) {
            let key_name = tree.scalar(key).unwrap_or_default();
            return Err(tree.fault(key, format!("{object}: `{key_name}` for the second time in one map; keep one")));
        }
        if let Some(braces) = tree.find(object.node, |node| is_template(tree, node)) {
            return Err(tree.fault(braces, format!("{object}: {UNRENDERED}")));
        }
    }
    Ok(objects)
}

/// What to do with a chart.
pub(super) const UNRENDERED: &str =
    "this looks like the template of a chart; render it first: helm template CHART | scimshim inject";

fn gather(tree: &Tree<'_>, node: Node, depth: usize, objects: &mut Vec<Object>) {
    if tree.kind(node) != Kind::Map {
        return;
    }
    let object = Object::of(tree, node);
    let is_list = object.role == Role::Other && object.kind == "list";
    match tree.read(node, "items") {
        Some(items) if is_list && depth > 0 => {
            tree.items(items).iter().for_each(|&item| gather(tree, item, depth - 1, objects));
        }
        _ => objects.push(object),
    }
}

/// `{{ .Values.x }}` without quotes is a map whose key is a map, which no manifest has.
fn is_template(tree: &Tree<'_>, node: Node) -> bool {
    tree.entries(node).any(|entry| tree.kind(entry.key) == Kind::Map)
}
