//! The sidecar into a pod, and out of it again.

use super::{
    marks::{Change, Marked, WANTED, annotation, is_marked},
    objects::{Object, Role},
    sidecar::{ADMIN_PORT, DATA_PORT, GRACE_SECONDS, NAME, Sidecar, VOLUMES},
    yaml::{Edit, Fault, Kind, Node, Tree},
};

const GRACE: &str = "terminationGracePeriodSeconds";

/// The lists of a pod that containers are in.
const LISTS: [&str; 2] = ["initContainers", "containers"];

/// Edits, and what they do, for people.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) edits: Vec<Edit>,
    pub(super) said: Vec<String>,
    pub(super) hints: Vec<String>,
    /// Containers that stop at once when they are told to.
    pub(super) unhooked: Vec<String>,
}

/// A pod, or the template of pods.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pod<'a> {
    tree: &'a Tree<'a>,
    /// Has the pod's metadata.
    pub(super) around: Node,
    spec: Node,
    object: &'a Object,
}

impl<'a> Pod<'a> {
    /// The pod of a workload.
    ///
    /// # Errors
    /// Where it has none that could be edited.
    pub(super) fn of(tree: &'a Tree<'a>, object: &'a Object) -> Result<Self, Fault> {
        let own = |map, key: &str| match tree.own(map, key)? {
            Some(entry) if tree.kind(entry.value) == Kind::Map && !tree.is_hollow(entry.value) => Ok(entry.value),
            Some(entry) => {
                Err(tree.fault(entry.value, format!("{object}: `{key}` is no map with something in it; write one")))
            }
            None => Err(tree.fault(map, format!("{object} has no `{key}`, so no containers; give a whole manifest"))),
        };
        let around = match object.role {
            Role::Template => own(own(object.node, "spec")?, "template")?,
            _ => object.node,
        };
        Ok(Self { tree, around, spec: own(around, "spec")?, object })
    }

    /// Whether somebody asked to leave it alone: on the pod, or on what makes it.
    ///
    /// # Errors
    /// Where the annotation says neither.
    pub(super) fn is_disabled(self) -> Result<bool, Fault> {
        let mut said =
            [self.around, self.object.node].into_iter().filter_map(|around| annotation(self.tree, around, WANTED));
        said.try_fold(false, |disabled, word| match word {
            "disabled" => Ok(true),
            "enabled" => Ok(disabled),
            _ => Err(self.fault(self.around, format!("{WANTED} is {word:?}; write `disabled` or `enabled`"))),
        })
    }

    /// Whether Helm runs it as a hook, such as a test.
    pub(super) fn is_hook(self) -> bool {
        annotation(self.tree, self.object.node, "helm.sh/hook").is_some()
    }

    /// Whether another object made it and watches over it.
    pub(super) fn is_owned(self) -> bool {
        let owners =
            self.tree.read(self.object.node, "metadata").and_then(|meta| self.tree.read(meta, "ownerReferences"));
        owners.is_some_and(|owners| !self.tree.is_hollow(owners))
    }

    /// Whether a sidecar of ours is in it.
    pub(super) fn is_injected(self) -> bool {
        is_marked(self.tree, self.around)
    }

    /// Whether a selector selects it.
    pub(super) fn has_labels(self, selector: Node) -> bool {
        let labels = self.tree.read(self.around, "metadata").and_then(|metadata| self.tree.read(metadata, "labels"));
        let mut wanted = self.tree.entries(selector).peekable();
        wanted.peek().is_some()
            && wanted.all(|entry| {
                let label =
                    labels.zip(self.tree.scalar(entry.key)).and_then(|(labels, key)| self.tree.read(labels, key));
                label.is_some_and(|label| self.tree.scalar(label) == self.tree.scalar(entry.value))
            })
    }

    /// The port behind a name, which is how Services may call it.
    pub(super) fn named_port(self, name: &str) -> Option<u64> {
        let ports = self.containers("containers").flat_map(|container| self.ports(container));
        ports.into_iter().find(|port| port.name == Some(name)).map(|port| port.number)
    }

    /// The object it is in.
    pub(super) fn object(self) -> &'a Object {
        self.object
    }

    /// Edits that put the sidecar in.
    ///
    /// # Errors
    /// Where there is a sidecar already, its ports are taken, or the pod is none that it can work in.
    pub(super) fn inject(self, sidecar: &Sidecar) -> Result<Done, Fault> {
        self.has_room(sidecar)?;
        let mut change = Change::new(self.tree);
        let names: Vec<_> =
            self.all().flat_map(|container| self.ports(container)).filter_map(|port| port.name).collect();
        change.push(self.spec, sidecar.list(), vec![sidecar.container(|name| names.contains(&name))])?;
        let (volumes, items): (Vec<_>, Vec<_>) = sidecar.volumes().into_iter().unzip();
        if !items.is_empty() {
            change.push(self.spec, "volumes", items)?;
        }
        let grace = self.raise_grace(&mut change)?;
        change.mark(self.around)?;
        let kind = if sidecar.native { "native" } else { "as a regular container" };
        let mut said = vec![format!("sidecar added ({kind})")];
        if !volumes.is_empty() {
            said.push(format!("volumes {}", volumes.join(", ")));
        }
        said.extend(grace);
        Ok(Done { edits: change.edits, said, hints: self.hints(sidecar), unhooked: self.unhooked() })
    }

    /// Edits that take it out again; `None` where `inject` never was.
    ///
    /// # Errors
    /// Where the annotations are broken.
    pub(super) fn uninject(self) -> Result<Option<Vec<Edit>>, Fault> {
        let tree = self.tree;
        let Some(mut marked) = Marked::find(tree, self.around)? else { return Ok(None) };
        let is_called = |item, ours: &[&str]| self.text(item, "name").is_some_and(|name| ours.contains(&name));
        for list in LISTS {
            marked.pull(self.spec, list, |item| is_called(item, &[NAME]))?;
        }
        marked.pull(self.spec, "volumes", |item| is_called(item, &VOLUMES))?;
        // Another number than ours was chosen since.
        let grace = tree.own(self.spec, GRACE)?.filter(|entry| self.number(entry.value) == Some(GRACE_SECONDS));
        if let (Some(entry), Some(_)) = (grace, marked.original(GRACE)) {
            marked.give_back(entry.key, GRACE);
        }
        Ok(Some(marked.unmark()))
    }

    /// Nothing in the pod stands in the sidecar's way.
    fn has_room(self, sidecar: &Sidecar) -> Result<(), Fault> {
        if self.containers("containers").next().is_none() {
            return Err(self.fault(self.spec, "the pod has no containers; give a whole manifest"));
        }
        if self.text(self.spec, "hostNetwork").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            let what = "hostNetwork is on, so every process of the node could call the app and the admin port past the \
                        sidecar; put scimshim in front as a Deployment of its own";
            return Err(self.fault(self.spec, what));
        }
        let os = self.tree.read(self.spec, "os").and_then(|os| self.text(os, "name"));
        if os.is_some_and(|os| os.eq_ignore_ascii_case("windows")) {
            return Err(self.fault(self.spec, "the pod is for Windows, where the image does not run"));
        }
        for container in self.all() {
            self.is_another(container)?;
        }
        let volumes = self.tree.read(self.spec, "volumes");
        for &volume in volumes.map(|volumes| self.tree.items(volumes)).unwrap_or_default() {
            if let Some(name) = self.text(volume, "name").filter(|name| VOLUMES.contains(name)) {
                return Err(self.fault(volume, format!("a volume `{name}` that inject did not put there; rename it")));
            }
        }
        if !sidecar.native && self.text(self.spec, "restartPolicy").is_some_and(|policy| policy != "Always") {
            let what =
                "as a regular container the sidecar would keep a pod that ends from ending; leave out --no-native";
            return Err(self.fault(self.spec, what));
        }
        Ok(())
    }

    /// A container beside which the sidecar can stand.
    fn is_another(self, container: Node) -> Result<(), Fault> {
        let image = self.text(container, "image").unwrap_or_default();
        if self.text(container, "name") == Some(NAME) || repository(image) == NAME {
            let what = "a second sidecar: refused, for this container is scimshim and inject did not put it there; take it \
                        out first, or annotate the pod with scimshim.io/inject: disabled";
            return Err(self.fault(container, what));
        }
        let taken =
            self.ports(container).into_iter().find(|port| port.number == DATA_PORT || port.number == ADMIN_PORT);
        match taken {
            Some(port) => {
                let what =
                    format!("port {} is the sidecar's, and this container has it; move the container's", port.number);
                Err(self.fault(port.node, what))
            }
            None => Ok(()),
        }
    }

    fn raise_grace(self, change: &mut Change<'_>) -> Result<Option<String>, Fault> {
        let entry = self.tree.own(self.spec, GRACE)?.filter(|entry| self.tree.kind(entry.value) != Kind::Null);
        let before = match entry {
            // The default of Kubernetes.
            None => "30 (by default)".to_owned(),
            Some(entry) => match self.number(entry.value) {
                Some(enough) if enough >= GRACE_SECONDS => return Ok(None),
                Some(seconds) => seconds.to_string(),
                None => return Err(self.fault(entry.value, format!("{GRACE} is no whole number; write one"))),
            },
        };
        change.put(self.spec, GRACE, GRACE_SECONDS.into())?;
        Ok(Some(format!("{GRACE} {before} -> {GRACE_SECONDS}")))
    }

    fn hints(self, sidecar: &Sidecar) -> Vec<String> {
        let mut hints = Vec::new();
        if self.object.role == Role::Pod {
            hints.push(format!("{}: a pod that runs takes no new container; delete and create it", self.object));
        }
        if let Some(super::sidecar::State::Claim(claim)) = &sidecar.state {
            let group =
                self.tree.read(self.spec, "securityContext").and_then(|context| self.tree.read(context, "fsGroup"));
            if group.is_none() {
                let what = "user 65532 must be able to write to it; set spec.securityContext.fsGroup";
                hints.push(format!("{}: claim `{claim}`: {what}", self.object));
            }
            let replicas = self.tree.read(self.object.node, "spec").and_then(|spec| self.tree.read(spec, "replicas"));
            if replicas.and_then(|node| self.number(node)).is_some_and(|count| count > 1) {
                hints.push(format!("{}: its replicas would share claim `{claim}`; give each its own", self.object));
            }
        }
        hints
    }

    fn unhooked(self) -> Vec<String> {
        let has_hook = |container| {
            self.tree.read(container, "lifecycle").and_then(|lifecycle| self.tree.read(lifecycle, "preStop")).is_some()
        };
        let unhooked = self.containers("containers").filter(|&container| !has_hook(container));
        unhooked.map(|container| format!("{} {}", self.object, self.text(container, "name").unwrap_or("?"))).collect()
    }

    fn all(self) -> impl Iterator<Item = Node> + 'a {
        // An init container that ends has left its ports and its name counts all the same.
        LISTS.into_iter().flat_map(move |list| self.containers(list))
    }

    fn containers(self, list: &str) -> impl Iterator<Item = Node> + 'a {
        let list = self.tree.read(self.spec, list);
        list.map(|list| self.tree.items(list)).unwrap_or_default().iter().map(move |&item| self.tree.target(item))
    }

    fn ports(self, container: Node) -> Vec<Port<'a>> {
        let list = self.tree.read(container, "ports");
        let items = list.map(|list| self.tree.items(list)).unwrap_or_default().iter();
        let tcp = items.filter(|&&port| self.text(port, "protocol").is_none_or(|protocol| protocol == "TCP"));
        let port = |&node: &Node| {
            let number = self.tree.read(node, "containerPort").and_then(|number| self.number(number))?;
            Some(Port { node, number, name: self.text(node, "name") })
        };
        tcp.filter_map(port).collect()
    }

    fn text(self, map: Node, key: &str) -> Option<&'a str> {
        self.tree.scalar(self.tree.read(map, key)?)
    }

    fn number(self, node: Node) -> Option<u64> {
        number(self.tree, node)
    }

    fn fault(self, node: Node, what: impl std::fmt::Display) -> Fault {
        self.tree.fault(node, format!("{}: {what}", self.object))
    }
}

struct Port<'a> {
    node: Node,
    number: u64,
    name: Option<&'a str>,
}

/// A whole number as Kubernetes reads it.
pub(super) fn number(tree: &Tree<'_>, node: Node) -> Option<u64> {
    let text = tree.scalar(node).filter(|_| tree.kind(node) == Kind::Plain)?;
    // `010` is eight to some readers.
    (text == "0" || !text.starts_with('0')).then(|| text.parse().ok())?
}

/// `scimshim` of `ghcr.io/scimshim/scimshim:0.1.0@sha256:...`.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}
