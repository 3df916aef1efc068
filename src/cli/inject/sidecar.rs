//! The sidecar as it stands in a pod.

use serde_json::{Map, Value as Json, json};

/// The container, the mark of an injected pod, and where identity providers and the kubelet call.
pub(super) const NAME: &str = "scimshim";
pub(super) const DATA_PORT: u64 = 7643;
pub(super) const ADMIN_PORT: u64 = 7644;

/// How long a pod may take to stop: draining takes up to 50 s.
pub(super) const GRACE_SECONDS: u64 = 60;

const CONFIG_VOLUME: &str = "scimshim-config";
const STATE_VOLUME: &str = "scimshim-state";
/// The volumes that are ours.
pub(super) const VOLUMES: [&str; 2] = [CONFIG_VOLUME, STATE_VOLUME];

/// The admin port, as the pod calls it.
const ADMIN: &str = "127.0.0.1:7644";
const BINARY: &str = "/usr/local/bin/scimshim";
const CONFIG_FOLDER: &str = "/etc/scimshim";
const CONFIG_FILE: &str = "/etc/scimshim/config.yaml";
const STATE_FOLDER: &str = "/var/lib/scimshim";
/// `nonroot` of the image.
const USER: u64 = 65532;
/// Endpoints lead to a pod for some seconds after its end has begun. A regular container is told to stop as soon as its hook
/// returns, and a native sidecar as soon as the app has ended too, which may take milliseconds.
const LINGER: &str = "5s";

/// Where what it writes is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Gone with the pod.
    EmptyDir,
    /// A PersistentVolumeClaim by this name.
    Claim(String),
}

/// A Secret whose keys become files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) name: String,
    /// The keys; none for all, beside `config.yaml`.
    pub(super) keys: Vec<String>,
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub(super) struct Sidecar {
    pub(super) image: String,
    pub(super) pull_policy: Option<String>,
    pub(super) native: bool,
    pub(super) upstream: Option<String>,
    pub(super) config_map: Option<String>,
    pub(super) secrets: Vec<Secret>,
    pub(super) state: Option<State>,
    pub(super) resources: Resources,
}

/// What the container asks for. No CPU limit: it would be slow when it matters.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub(super) cpu_request: String,
    pub(super) memory_request: String,
    pub(super) memory_limit: String,
}

impl Sidecar {
    /// The list of the pod that it goes into, always as the last: init containers that end run before it, and the first
    /// container stays the one that `kubectl exec` and `kubectl logs` take.
    pub(super) fn list(&self) -> &'static str {
        if self.native { "initContainers" } else { "containers" }
    }

    /// The container; `taken` says which names of ports the pod has already.
    pub(super) fn container(&self, taken: impl Fn(&str) -> bool) -> Json {
        let mut container = Map::new();
        let mut add = |key: &str, value: Json| container.insert(key.to_owned(), value);
        add("name", NAME.into());
        add("image", self.image.clone().into());
        if let Some(policy) = &self.pull_policy {
            add("imagePullPolicy", policy.clone().into());
        }
        if self.native {
            add("restartPolicy", "Always".into());
        }
        add("args", self.command(&["serve"], &[]));
        if let Some(upstream) = &self.upstream {
            // Kubernetes expands `$(NAME)`.
            add("env", json!([{"name": "SCIMSHIM_UPSTREAM", "value": upstream.replace("$(", "$$(")}]));
        }
        let name = |name: &'static str, other: &'static str| if taken(name) { other } else { name };
        add(
            "ports",
            json!([
                {"name": name("scim", NAME), "containerPort": DATA_PORT},
                {"name": name("admin", "scimshim-admin"), "containerPort": ADMIN_PORT},
            ]),
        );
        // Not `/readyz`: it may wait for the app, which starts only when a native sidecar has started.
        add("startupProbe", probe("/livez", &[("periodSeconds", 1), ("failureThreshold", 30)]));
        add("livenessProbe", probe("/livez", &[("periodSeconds", 10), ("timeoutSeconds", 3), ("failureThreshold", 3)]));
        add(
            "readinessProbe",
            probe("/readyz", &[("periodSeconds", 2), ("timeoutSeconds", 2), ("failureThreshold", 2)]),
        );
        let mut hook = Vec::new();
        if self.config_map.is_some() {
            // The port of this pod: the file may come to name another, which is in force only after a restart.
            hook.extend(["--admin", ADMIN]);
        }
        hook.extend(["--linger", LINGER]);
        add("lifecycle", json!({"preStop": {"exec": {"command": self.command(&[BINARY, "drain"], &hook)}}}));
        add(
            "resources",
            json!({
                "requests": {"cpu": self.resources.cpu_request, "memory": self.resources.memory_request},
                "limits": {"memory": self.resources.memory_limit},
            }),
        );
        add(
            "securityContext",
            json!({
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "readOnlyRootFilesystem": true,
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }),
        );
        let mounts = self.mounts();
        if !mounts.is_empty() {
            add("volumeMounts", mounts.into());
        }
        container.into()
    }

    /// The volumes, each with its name.
    pub(super) fn volumes(&self) -> Vec<(&'static str, Json)> {
        let config = self.config_map.as_ref().map(|name| (CONFIG_VOLUME, self.config_volume(name)));
        let state = self.state.as_ref().map(|state| {
            let volume = match state {
                // The ledger and the copies of feeds take a few MiB.
                State::EmptyDir => json!({"name": STATE_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}}),
                State::Claim(name) => json!({"name": STATE_VOLUME, "persistentVolumeClaim": {"claimName": name}}),
            };
            (STATE_VOLUME, volume)
        });
        config.into_iter().chain(state).collect()
    }

    fn config_volume(&self, config_map: &str) -> Json {
        if self.secrets.is_empty() {
            return json!({"name": CONFIG_VOLUME, "configMap": {"name": config_map}});
        }
        let secrets = self.secrets.iter().map(|Secret { name, keys }| {
            if keys.is_empty() {
                return json!({"secret": {"name": name}});
            }
            let items: Vec<_> = keys.iter().map(|key| json!({"key": key, "path": path(key)})).collect();
            json!({"secret": {"name": name, "items": items}})
        });
        let config = json!({"configMap": {"name": config_map}});
        let sources: Vec<_> = std::iter::once(config).chain(secrets).collect();
        json!({"name": CONFIG_VOLUME, "projected": {"sources": sources}})
    }

    /// Folders, not single files (`subPath`): those would never change.
    fn mounts(&self) -> Vec<Json> {
        let config = json!({"name": CONFIG_VOLUME, "mountPath": CONFIG_FOLDER, "readOnly": true});
        let state = json!({"name": STATE_VOLUME, "mountPath": STATE_FOLDER});
        let config = self.config_map.is_some().then_some(config);
        config.into_iter().chain(self.state.is_some().then_some(state)).collect()
    }

    fn command(&self, before: &[&str], after: &[&str]) -> Json {
        let file = self.config_map.as_ref().map(|_| CONFIG_FILE);
        before.iter().copied().chain(file).chain(after.iter().copied()).collect()
    }
}

/// Where a key of a Secret is put: certificates together, the rest as `secrets/KEY`.
fn path(key: &str) -> String {
    let folder = if matches!(key, "tls.crt" | "tls.key" | "ca.crt") { "tls" } else { "secrets" };
    format!("{folder}/{key}")
}

fn probe(path: &str, numbers: &[(&str, u64)]) -> Json {
    let mut probe = json!({"httpGet": {"path": path, "port": ADMIN_PORT}});
    if let Some(probe) = probe.as_object_mut() {
        probe.extend(numbers.iter().map(|&(key, number)| (key.to_owned(), number.into())));
    }
    probe
}
