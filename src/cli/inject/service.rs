//! A Service towards the sidecar, and back to the app.
//!
//! Only a Service that was named is touched: the sidecar answers for SCIM paths alone, so a Service that serves other
//! pages on the same port would lose them.

use super::{
    marks::{Change, Marked, is_marked},
    objects::Object,
    sidecar::DATA_PORT,
    workload::{Done, Pod, number},
    yaml::{Edit, Entry, Fault, Kind, Node, Tree},
};

/// Which port of the Service was turned, among what is remembered.
const PORT: &str = "port";
const TARGET: &str = "targetPort";

/// What tells the port of a Service that leads to the app's SCIM endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Leads {
    /// Its name or number, from the operator.
    pub(super) chosen: Option<String>,
    /// Where the app listens in the pod, if the sidecar's upstream says so.
    pub(super) app: Option<u64>,
}

/// The pods of the stream.
#[derive(Debug, Default)]
pub(super) struct Pods<'a> {
    /// With a sidecar, of this run or of an earlier one.
    with: Vec<Pod<'a>>,
    without: Vec<Pod<'a>>,
}

impl<'a> Pods<'a> {
    /// Adds the pod of a workload, if it has one.
    pub(super) fn add(&mut self, injected: bool, tree: &'a Tree<'a>, object: &'a Object) {
        if let Ok(pod) = Pod::of(tree, object) {
            if injected || pod.is_injected() { self.with.push(pod) } else { self.without.push(pod) }
        }
    }
}

/// A Service and its ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service<'a> {
    tree: &'a Tree<'a>,
    spec: Node,
    object: &'a Object,
}

impl<'a> Service<'a> {
    /// # Errors
    /// Where it has no spec that could be edited.
    pub(super) fn of(tree: &'a Tree<'a>, object: &'a Object) -> Result<Self, Fault> {
        match tree.own(object.node, "spec")?.map(|entry| entry.value).filter(|&spec| tree.kind(spec) == Kind::Map) {
            Some(spec) => Ok(Self { tree, spec, object }),
            None => Err(tree.fault(object.node, format!("{object} has no `spec`; give a whole manifest"))),
        }
    }

    /// Whether it selects a pod.
    pub(super) fn selects(self, pod: Pod<'_>) -> bool {
        let selector = self.tree.read(self.spec, "selector");
        // `kubectl apply -n` may give one to what has none.
        let apart = self.object.namespace.as_ref().zip(pod.object().namespace.as_ref()).is_some_and(|(a, b)| a != b);
        !apart && selector.is_some_and(|selector| pod.has_labels(selector))
    }

    /// Edits that turn its port to the sidecar; `pods` are those that have one.
    ///
    /// # Errors
    /// Where it leads to none of them, or it cannot be told which port is meant.
    pub(super) fn redirect(self, leads: &Leads, pods: &Pods<'_>) -> Result<Done, Fault> {
        let tree = self.tree;
        if tree.read(self.spec, "selector").is_none_or(|selector| tree.is_hollow(selector)) {
            return Err(
                self.fault(self.spec, "it selects no pods (ExternalName, or endpoints by hand); name another Service")
            );
        }
        if let Some(bare) = pods.without.iter().find(|&&pod| self.selects(pod)) {
            let what = "gets no sidecar, and nothing answers there on its port; choose both or neither";
            return Err(self.fault(self.spec, format!("it leads to {}, which {what}", bare.object())));
        }
        let pods: Vec<_> = pods.with.iter().copied().filter(|&pod| self.selects(pod)).collect();
        let port = self.choose(leads, &pods)?;
        let number = self.port_number(port).unwrap_or_default();
        let target = tree.own(port, TARGET)?;
        if self.target(port, &pods) == Some(DATA_PORT) {
            return Ok(Done { said: vec![format!("port {number} leads to the sidecar already")], ..Done::default() });
        }
        let was = target.and_then(|target| tree.scalar(target.value)).unwrap_or("the same number");
        let said = format!("port {number} -> {DATA_PORT} (was {was})");
        let mut change = Change::new(tree);
        change.remember(PORT, number.into());
        change.put(port, TARGET, DATA_PORT.into())?;
        change.mark(self.object.node)?;
        Ok(Done { edits: change.edits, said: vec![said], hints: self.hints(port, pods.is_empty()), ..Done::default() })
    }

    /// Edits that turn it back; `None` where `inject` never was.
    ///
    /// # Errors
    /// Where the annotations are broken.
    pub(super) fn restore(self) -> Result<Option<Vec<Edit>>, Fault> {
        let Some(mut marked) = Marked::find(self.tree, self.object.node)? else { return Ok(None) };
        let turned = marked.number(PORT);
        let port = self.ports()?.into_iter().find(|&port| turned.is_some() && self.port_number(port) == turned);
        if let Some(Entry { key, value }) = port.map(|port| self.tree.own(port, TARGET)).transpose()?.flatten()
            && number(self.tree, value) == Some(DATA_PORT)
            && marked.original(TARGET).is_some()
        {
            marked.give_back(key, TARGET);
        }
        Ok(Some(marked.unmark()))
    }

    /// Said of a Service that was not chosen and leads to the app itself.
    pub(super) fn past_the_sidecar(self, pods: &Pods<'_>) -> Option<String> {
        let name = self.object.name.as_deref()?;
        // One that an earlier run turned has its mark.
        let past = !is_marked(self.tree, self.object.node) && pods.with.iter().any(|&pod| self.selects(pod));
        past.then(|| {
            format!(
                "{}: leads to the app past the sidecar; --service {name} turns it, with all that is on its port (the sidecar \
                 answers for SCIM paths only), or give the sidecar a Service of its own with targetPort {DATA_PORT}",
                self.object
            )
        })
    }

    fn choose(self, leads: &Leads, pods: &[Pod<'_>]) -> Result<Node, Fault> {
        let ports = self.ports()?;
        let name = |port| self.text(port, "name");
        let told: Vec<_> = match leads {
            Leads { chosen: Some(chosen), .. } => {
                let is_chosen = |port| name(port) == Some(chosen) || self.text(port, PORT) == Some(chosen);
                ports.iter().copied().filter(|&port| is_chosen(port)).collect()
            }
            Leads { app: Some(app), .. } => {
                let leads = |port| self.target(port, pods).is_some_and(|target| target == *app || target == DATA_PORT);
                ports.iter().copied().filter(|&port| leads(port)).collect()
            }
            _ if ports.len() == 1 => ports.clone(),
            _ => ports.iter().copied().filter(|&port| name(port) == Some("scim")).collect(),
        };
        if let [port] = told[..] {
            return Ok(port);
        }
        let all: Vec<_> = ports.iter().map(|&port| self.describe(port)).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let which = match leads {
            Leads { chosen: Some(chosen), .. } => format!("it has no TCP port {chosen:?}"),
            Leads { app: Some(app), .. } if told.is_empty() => format!("none of its ports is known to lead to {app}"),
            _ => "it cannot be told which of its ports leads to the app's SCIM endpoint".to_owned(),
        };
        Err(self.fault(self.spec, format!("{which}; say --service-port NAME or NUMBER (its ports: {all})")))
    }

    fn hints(self, port: Node, unknown: bool) -> Vec<String> {
        let mut hints = vec![
            format!(
                "{}: the sidecar answers 404 outside SCIM; where this port carries more (pages, health checks of a load \
                 balancer), give SCIM a Service of its own, or set `listen: {{ outside: pass }}`",
                self.object
            ),
            format!(
                "{}: pods that have no sidecar yet have nothing on {DATA_PORT}; for no gap apply without --service first, \
                 wait for the rollout, then with it",
                self.object
            ),
        ];
        if self.text(port, "appProtocol") == Some("https") {
            let what = "says appProtocol https, and the sidecar speaks TLS only with `listen.tls`";
            hints.push(format!("{}: {what}", self.object));
        }
        if unknown {
            let what = "leads to no pod that was given here; give the workload a sidecar too, before this is applied";
            hints.push(format!("{}: {what}", self.object));
        }
        if self.text(self.spec, "clusterIP") == Some("None") {
            let what =
                format!("is headless, so who resolves its name goes to the pod's own ports; let them call {DATA_PORT}");
            hints.push(format!("{}: {what}", self.object));
        }
        hints.push(format!("{}: a NetworkPolicy that lets callers in has to name port {DATA_PORT}", self.object));
        hints
    }

    /// Its ports for TCP, which is what HTTP runs on.
    fn ports(self) -> Result<Vec<Node>, Fault> {
        let list = self.tree.own(self.spec, "ports")?;
        let items = list.map(|list| self.tree.items(list.value)).unwrap_or_default().iter().copied();
        Ok(items.filter(|&port| self.text(port, "protocol").is_none_or(|protocol| protocol == "TCP")).collect())
    }

    /// The port of the pod that a port leads to.
    fn target(self, port: Node, pods: &[Pod<'_>]) -> Option<u64> {
        match self.tree.read(port, TARGET).filter(|&target| self.tree.kind(target) != Kind::Null) {
            None => self.port_number(port),
            Some(target) => number(self.tree, target).or_else(|| {
                let name = self.tree.scalar(target)?;
                pods.iter().find_map(|pod| pod.named_port(name))
            }),
        }
    }

    fn describe(self, port: Node) -> String {
        let target = self.text(port, TARGET).map(|target| format!(" -> {target}")).unwrap_or_default();
        let name = self.text(port, "name").map(|name| format!("{name} ")).unwrap_or_default();
        format!("{name}{}{target}", self.text(port, PORT).unwrap_or("?"))
    }

    fn port_number(self, port: Node) -> Option<u64> {
        number(self.tree, self.tree.read(port, PORT)?)
    }

    fn text(self, map: Node, key: &str) -> Option<&'a str> {
        self.tree.scalar(self.tree.read(map, key)?)
    }

    fn fault(self, node: Node, what: impl std::fmt::Display) -> Fault {
        self.tree.fault(node, format!("{}: {what}", self.object))
    }
}
