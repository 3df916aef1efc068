//! What `scimshim inject` takes on the command line, and what is made of it.

use std::path::PathBuf;

use super::{
    objects::Object,
    service::Leads,
    sidecar::{ADMIN_PORT, DATA_PORT, Resources, Secret, Sidecar, State},
};
use crate::{cli::Usage, config};

const IMAGE: &str = concat!("ghcr.io/scimshim/scimshim:", env!("CARGO_PKG_VERSION"));

/// What `scimshim inject` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Adds the sidecar to Deployments, StatefulSets, DaemonSets, ReplicaSets and Pods, also in a List; all
else goes through. Comments, order and quoting stay. What it did is said on standard error. A second
run replaces what the first put in; --uninject gives back the bytes that were there before.

Examples:
  scimshim inject app.yaml --upstream http://127.0.0.1:8080/scim/v2 | kubectl apply -f -
  scimshim inject app.yaml --upstream http://127.0.0.1:8080/scim/v2 --service app
  helm template chart | scimshim inject --config-map scimshim --workload app
  kubectl get deploy app -o yaml | scimshim inject --config-map scimshim --secret app-scim/token
  scimshim inject --uninject app.yaml

Of a Service that is named, the port that leads to the app leads to the sidecar, which answers for
SCIM paths only. A workload annotated scimshim.io/inject: disabled is left alone.

Exit codes: 0 done; 1 it cannot be done: the output is the input, and standard error says why, so in
a script set -o pipefail; 2 the command line is wrong.")]
pub(in crate::cli) struct Args {
    /// Manifests, YAML or JSON; `-` is standard input
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,
    /// The app's SCIM base, as the sidecar calls it in the pod
    #[arg(long, env = "SCIMSHIM_UPSTREAM", value_name = "URL", hide_env_values = true)]
    upstream: Option<String>,
    /// A ConfigMap whose config.yaml is the configuration; kept as a folder at /etc/scimshim
    #[arg(long, env = "SCIMSHIM_CONFIG_MAP", value_name = "NAME")]
    config_map: Option<String>,
    /// Secrets beside it: NAME for all its keys as /etc/scimshim/KEY, NAME/KEY for
    /// /etc/scimshim/secrets/KEY (tls.crt, tls.key and ca.crt: /etc/scimshim/tls/)
    #[arg(long, env = "SCIMSHIM_SECRET", value_name = "NAME[/KEY]", value_delimiter = ',')]
    secret: Vec<String>,
    /// Where feeds and the ledger are kept, /var/lib/scimshim: `emptydir` or `pvc:NAME`
    /// [default: emptydir with --config-map, else nothing is written]
    #[arg(long, env = "SCIMSHIM_STATE", value_name = "WHERE")]
    state: Option<String>,
    /// The image
    #[arg(long, env = "SCIMSHIM_IMAGE", value_name = "IMAGE", default_value = IMAGE)]
    image: String,
    /// Always, IfNotPresent or Never [default: that of Kubernetes]
    #[arg(long, env = "SCIMSHIM_IMAGE_PULL_POLICY", value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// CPU the sidecar asks for
    #[arg(long, env = "SCIMSHIM_CPU_REQUEST", value_name = "QUANTITY", default_value = "50m")]
    cpu_request: String,
    /// Memory the sidecar asks for
    #[arg(long, env = "SCIMSHIM_MEMORY_REQUEST", value_name = "QUANTITY", default_value = "32Mi")]
    memory_request: String,
    /// Memory the sidecar may take
    #[arg(long, env = "SCIMSHIM_MEMORY_LIMIT", value_name = "QUANTITY", default_value = "256Mi")]
    memory_limit: String,
    /// Only these workloads: NAME or KIND/NAME [default: all]
    #[arg(long, env = "SCIMSHIM_WORKLOAD", value_name = "[KIND/]NAME", value_delimiter = ',')]
    workload: Vec<String>,
    /// Services that shall lead to the sidecar
    #[arg(long, env = "SCIMSHIM_SERVICE", value_name = "NAME", value_delimiter = ',')]
    service: Vec<String>,
    /// The port of the Service, where it cannot be told which of them leads to the app
    #[arg(long, env = "SCIMSHIM_SERVICE_PORT", value_name = "NAME|NUMBER")]
    service_port: Option<String>,
    /// As a regular container, for Kubernetes before 1.29
    #[arg(long, env = "SCIMSHIM_NO_NATIVE")]
    no_native: bool,
    /// Take out what inject put in
    #[arg(long, env = "SCIMSHIM_UNINJECT")]
    uninject: bool,
}

/// What is wanted.
#[derive(Debug)]
pub(super) struct Wish {
    /// `None` to take out.
    pub(super) sidecar: Option<Sidecar>,
    pub(super) workloads: Vec<String>,
    pub(super) services: Vec<String>,
    pub(super) leads: Leads,
}

impl Args {
    /// # Errors
    /// What is wrong with the command line.
    pub(super) fn wish(&self) -> anyhow::Result<Wish> {
        let sidecar = if self.uninject { None } else { Some(self.sidecar()?) };
        let app = sidecar.as_ref().and_then(|sidecar| loopback_port(sidecar.upstream.as_deref()?));
        Ok(Wish {
            sidecar,
            workloads: said_all(&self.workload),
            services: said_all(&self.service),
            leads: Leads { chosen: said(self.service_port.as_ref()), app },
        })
    }

    fn sidecar(&self) -> Result<Sidecar, Usage> {
        let upstream = said(self.upstream.as_ref());
        let config_map = said(self.config_map.as_ref());
        if upstream.is_none() && config_map.is_none() {
            return Err(Usage("where is the app? give --upstream URL, or --config-map NAME".into()));
        }
        if let Some(Err(problems)) = upstream.as_deref().map(config::from_upstream) {
            let what = problems.first().map(ToString::to_string).unwrap_or_default();
            return Err(Usage(format!("--upstream cannot be used: {what}")));
        }
        if let Some(name) = &config_map {
            object_name("--config-map", name)?;
        }
        let secrets = secrets(&said_all(&self.secret))?;
        if config_map.is_none() && !secrets.is_empty() {
            return Err(Usage("--secret is for what a configuration names; give --config-map NAME too".into()));
        }
        let state = match said(self.state.as_ref()) {
            Some(text) => Some(state(&text)?),
            None => config_map.is_some().then_some(State::EmptyDir),
        };
        let pull_policy = said(self.image_pull_policy.as_ref());
        if pull_policy.as_deref().is_some_and(|policy| !matches!(policy, "Always" | "IfNotPresent" | "Never")) {
            return Err(Usage("--image-pull-policy is none; write Always, IfNotPresent or Never".into()));
        }
        let image = said(Some(&self.image)).unwrap_or_else(|| IMAGE.to_owned());
        if image.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Usage(format!("--image {image:?} is none; write one such as {IMAGE}")));
        }
        let resources = Resources {
            cpu_request: quantity("--cpu-request", &self.cpu_request)?,
            memory_request: quantity("--memory-request", &self.memory_request)?,
            memory_limit: quantity("--memory-limit", &self.memory_limit)?,
        };
        Ok(Sidecar { image, pull_policy, native: !self.no_native, upstream, config_map, secrets, state, resources })
    }
}

impl Wish {
    /// Whether an object gets a sidecar, or leads to one.
    pub(super) fn wants(&self, object: &Object) -> bool {
        let named = |names: &[String]| names.iter().any(|name| object.is_called(name));
        if object.is_workload() { self.workloads.is_empty() || named(&self.workloads) } else { named(&self.services) }
    }

    /// Whether what is in an object is taken out: of all Services, where none is named for it.
    pub(super) fn takes_out(&self, object: &Object) -> bool {
        self.wants(object) || self.sidecar.is_none() && !object.is_workload() && self.services.is_empty()
    }

    /// What an operator should know who has just injected.
    pub(super) fn hints(&self) -> Vec<String> {
        let upstream = self.sidecar.as_ref().and_then(|sidecar| sidecar.upstream.as_deref());
        let app = match upstream {
            Some(url) if loopback_port(url).is_none() => {
                "the upstream is not in the pod; --upstream http://127.0.0.1:PORT/ is"
            }
            _ => {
                "let the app listen on 127.0.0.1 only, so that nobody walks around the sidecar; the kubelet calls the pod's \
                 address, so httpGet and tcpSocket probes of the app then have to become exec probes"
            }
        };
        let config = self.sidecar.as_ref().and_then(|sidecar| sidecar.config_map.as_ref()).map(|name| {
            format!(
                "config.yaml of ConfigMap {name} has to leave `listen` and `admin` at ports {DATA_PORT} and {ADMIN_PORT}, \
                 and to say `feeds: {{ cache_dir: /var/lib/scimshim }}` for anything to be kept there"
            )
        });
        let usual = [
            app.to_owned(),
            "the app's probes go to the app as before; the pod is ready when the sidecar is, too".to_owned(),
            format!(
                "metrics are at :{ADMIN_PORT}/metrics; no prometheus.io annotations are added, so scrape it by a PodMonitor"
            ),
            "scimshim inject --uninject takes all of it out again".to_owned(),
        ];
        config.into_iter().chain(usual).collect()
    }
}

/// An empty variable is how manifests unset one.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn said_all(texts: &[String]) -> Vec<String> {
    texts.iter().filter(|text| !text.is_empty()).cloned().collect()
}

/// The port of a URL that leads into the pod.
fn loopback_port(url: &str) -> Option<u64> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let (host, port) = match port {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 }),
    };
    (host == "localhost" || host == "[::1]" || host.starts_with("127.")).then_some(port)
}

fn state(text: &str) -> Result<State, Usage> {
    match text.split_once(':') {
        None if text.eq_ignore_ascii_case("emptydir") => Ok(State::EmptyDir),
        Some(("pvc", name)) => object_name("--state pvc:", name).map(|()| State::Claim(name.to_owned())),
        _ => Err(Usage(format!("--state {text:?} is no place; write emptydir, or pvc:NAME"))),
    }
}

/// Keys of one Secret together, in the order in which they were named.
fn secrets(texts: &[String]) -> Result<Vec<Secret>, Usage> {
    let mut secrets: Vec<Secret> = Vec::new();
    for text in texts {
        let (name, key) = text.split_once('/').map_or((&**text, None), |(name, key)| (name, Some(key)));
        object_name("--secret", name)?;
        let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if key.is_some_and(|key| !is_key(key)) {
            return Err(Usage(format!("--secret {text:?} names no key; write NAME or NAME/KEY")));
        }
        let keys = key.map(str::to_owned);
        match secrets.iter_mut().find(|secret| secret.name == name) {
            Some(secret) if secret.keys.is_empty() || keys.is_none() => {
                return Err(Usage(format!("--secret {name:?} is named with and without keys, or twice; say which")));
            }
            Some(secret) => secret.keys.extend(keys),
            None => secrets.push(Secret { name: name.to_owned(), keys: keys.into_iter().collect() }),
        }
    }
    Ok(secrets)
}

/// RFC 1123, as Kubernetes has it for most names.
fn object_name(flag: &str, name: &str) -> Result<(), Usage> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() <= 253 && name.chars().all(inner) && name.starts_with(ends) && name.ends_with(ends) {
        return Ok(());
    }
    Err(Usage(format!("{flag} {name:?} is no name of an object; write small letters, digits, `-` and `.`")))
}

/// `50m`, `0.5`, `256Mi`.
fn quantity(flag: &str, text: &str) -> Result<String, Usage> {
    const SUFFIXES: [&str; 13] = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.parse::<f64>().is_ok();
    if number && SUFFIXES.contains(&&text[digits.len()..]) {
        return Ok(text.to_owned());
    }
    Err(Usage(format!("{flag} {text:?} is no quantity; write one such as 50m or 256Mi")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_the_pod_is_told_from_the_upstream() {
        for (url, port) in [
            ("http://127.0.0.1:8080/scim/v2", Some(8080)),
            ("http://localhost/scim", Some(80)),
            ("https://[::1]/", Some(443)),
            ("https://[::1]:8443", Some(8443)),
            ("http://app.ns.svc:8080/scim", None),
            ("http://127.0.0.1:port/", None),
            ("nonsense", None),
        ] {
            assert_eq!(loopback_port(url), port, "{url}");
        }
    }

    #[test]
    fn keys_of_a_secret_come_together() {
        let parse = |texts: &[&str]| secrets(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()).ok();
        let found = parse(&["b/tls.crt", "a", "b/tls.key"]).unwrap();
        let told: Vec<_> = found.iter().map(|secret| (&*secret.name, secret.keys.len())).collect();
        assert_eq!(told, [("b", 2), ("a", 0)]);
        for wrong in [&["A"][..], &["a/"], &["a/b/c"], &["a", "a"], &["a", "a/b"], &["a/b", "a"]] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for (text, right) in [("50m", true), ("0.5", true), ("256Mi", true), ("", false), ("50x", false), ("-1", false)]
        {
            assert_eq!(quantity("--cpu-request", text).is_ok(), right, "{text}");
        }
    }
}
