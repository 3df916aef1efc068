//! `scimshim inject` as a user calls it. Each manifest in `tests/inject` has its flags beside it (`.args`), what comes of
//! it (`.injected`) and what is said (`.said`); `UPDATE=1 cargo test` writes the last two.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Output,
};

use crate::cli::{command, scimshim, stderr};

/// A manifest, and how it is injected.
struct Case {
    path: PathBuf,
    input: String,
    args: Vec<String>,
}

impl Case {
    fn run(&self, more: &[&str], input: &str) -> Output {
        let args = self.args.iter().map(String::as_str);
        scimshim(&["inject"].into_iter().chain(args).chain(more.iter().copied()).collect::<Vec<_>>(), input)
    }

    fn beside(&self, kind: &str) -> PathBuf {
        let name = self.path.file_stem().expect("a name").to_string_lossy();
        self.path.with_file_name(format!("{name}.{kind}"))
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "json"));
    let read = |path: PathBuf| {
        let args = fs::read_to_string(path.with_extension("args")).expect("its flags");
        let args = args.split_whitespace().map(str::to_owned).collect();
        Case { input: fs::read_to_string(&path).expect("text"), path, args }
    };
    paths.into_iter().map(read).collect()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

const UPSTREAM: [&str; 2] = ["--upstream", "http://127.0.0.1:8080/scim/v2"];

fn inject(args: &[&str], input: &str) -> Output {
    scimshim(&[&["inject"], args].concat(), input)
}

#[test]
fn every_manifest_becomes_what_stands_beside_it() {
    let cases = cases();
    assert!(cases.len() >= 12);
    for case in cases {
        let output = case.run(&[], &case.input);
        assert_eq!(output.status.code(), Some(0), "{}: {}", case.path.display(), stderr(&output));
        for (kind, now) in [("injected", text(&output)), ("said", stderr(&output))] {
            let path = case.beside(kind);
            if env::var_os("UPDATE").is_some() {
                fs::write(&path, &now).expect("a file of ours");
            }
            let written = fs::read_to_string(&path).unwrap_or_default();
            assert!(written == now, "{} is stale; run UPDATE=1 cargo test:\n{now}", path.display());
        }
    }
}

#[test]
fn every_manifest_comes_back_to_the_byte() {
    for case in cases() {
        let injected = text(&case.run(&[], &case.input));
        assert_ne!(injected, case.input, "{}", case.path.display());
        let back = inject(&["--uninject"], &injected);
        assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
        assert_eq!(text(&back), case.input, "{}", case.path.display());
        assert!(stderr(&back).contains("sidecar taken out"), "{}", stderr(&back));
    }
}

#[test]
fn a_second_run_changes_nothing_and_one_with_other_flags_is_as_the_first_with_them() {
    for case in cases() {
        let injected = text(&case.run(&[], &case.input));
        assert_eq!(text(&case.run(&[], &injected)), injected, "{}", case.path.display());
        let regular = case.args.iter().any(|arg| arg == "--no-native");
        let more = &["--memory-limit", "1Gi", "--no-native"][..if regular { 2 } else { 3 }];
        let other = text(&case.run(more, &case.input));
        assert_ne!(other, injected);
        assert_eq!(text(&case.run(more, &injected)), other, "{}", case.path.display());
    }
}

/// The least that can be injected, with a line put into the pod's spec.
fn pod(line: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: app\n  labels: {{app: app}}\nspec:\n  containers:\n  - name: app\n    image: app:1\n{line}"
    )
}

fn service(spec: &str) -> String {
    format!("{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: app}}\nspec: {spec}\n", pod(""))
}

#[test]
fn what_cannot_be_done_leaves_the_output_as_the_input_and_says_where_and_why() {
    let turned = |spec: &str| (service(spec), &["--service", "app"][..]);
    let plain = |text: &str| (text.to_owned(), &[][..]);
    for ((input, args), at, why) in [
        // What is no manifest.
        (plain(""), "1:1", "no workload in it, but nothing"),
        (plain("# nothing\n---\n"), "1:1", "no workload in it"),
        (plain("hello\n"), "1:1", "no workload in it"),
        (
            plain("kind: ConfigMap\nmetadata: {name: a}\n"),
            "1:1",
            "no workload in it, but configmap/a; give a Deployment",
        ),
        (plain("a: b: c\n"), "1:5", "mend the YAML"),
        (plain("kind: Pod\n\tspec: {}\n"), "1:7", "tab"),
        (plain("kind: Pod\rspec: {}\n"), "1:10", "carriage return"),
        (plain("{{- if .Values.on }}\nkind: Pod\n{{- end }}\n"), "1:3", "render it first: helm template CHART"),
        (plain(&pod("  nodeName: {{ .Values.node }}\n")), "10:13", "render it first"),
        (plain(&pod("  containers: []\n")), "10:3", "`containers` for the second time"),
        (plain(&"[".repeat(1000)), "1:256", "mend the YAML"),
        // Workloads without a pod in them.
        (plain("apiVersion: v1\nkind: Pod\nmetadata: {name: app}\n"), "1:1", "pod/app has no `spec`"),
        (plain("apiVersion: v1\nkind: Pod\nspec: {}\n"), "3:7", "pod/?: `spec` is no map"),
        (plain("apiVersion: v1\nkind: Pod\nspec: {containers: []}\n"), "3:7", "the pod has no containers"),
        (plain("apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 1\n"), "4:3", "has no `template`"),
        // Pods that it does not fit into.
        (plain(&pod("  - name: scimshim\n    image: a\n")), "10:5", "a second sidecar: refused"),
        (plain(&pod("  - {name: shim, image: \"r/scimshim:1@sha256:0\"}\n")), "10:5", "a second sidecar: refused"),
        (plain(&pod("    ports: [{containerPort: 7644}]\n")), "10:13", "port 7644 is the sidecar's"),
        (plain(&pod("  hostNetwork: true\n")), "7:3", "hostNetwork is on"),
        (plain(&pod("  os: {name: windows}\n")), "7:3", "Windows"),
        (plain(&pod("  volumes:\n  - name: scimshim-state\n")), "11:5", "a volume `scimshim-state`"),
        (plain(&pod("  volumes: {}\n")), "10:12", "`volumes` is no list"),
        (plain(&pod("  terminationGracePeriodSeconds: soon\n")), "10:34", "no whole number"),
        ((pod("  restartPolicy: Never\n"), &["--no-native"]), "7:3", "leave out --no-native"),
        (
            plain(&pod("").replace("labels: {app: app}", "annotations: {scimshim.io/inject: no}")),
            "1:1",
            "write `disabled` or",
        ),
        // YAML that says one thing in two places.
        (plain(&pod("  initContainers: &a [{name: i}]\n  x: *a\n")), "10:19", "`*a` stands for this elsewhere"),
        (plain(&pod("  x: &a []\n  initContainers: *a\n")), "11:19", "`initContainers` is an alias"),
        (plain(&pod("  <<: {hostIPC: true}\n")), "10:3", "may come from this merge key"),
        (plain(&pod("  initContainers: &a []\n")), "10:19", "an anchor, a tag"),
        (plain(&pod("  initContainers: [ # why\n    ]\n")), "10:19", "a comment in it"),
        // Names that are not there.
        ((pod(""), &["--workload", "ap"]), "1:1", "no workload \"ap\" in it; there is pod/app"),
        ((pod(""), &["--service", "app"]), "1:1", "no Service \"app\" in it; there is nothing"),
        // Services of which it cannot be told what they mean.
        (turned("{type: ExternalName, externalName: a}"), "14:7", "it selects no pods"),
        (
            turned("{selector: {app: app}, ports: [{port: 80, targetPort: web}]}"),
            "14:7",
            "none of its ports is known to lead to 8080",
        ),
        (
            turned("{selector: {app: app}, ports: [{port: 80, targetPort: 8080}, {name: b, port: 8080}]}"),
            "14:7",
            "cannot be told which",
        ),
        (
            (
                service("{selector: {app: app}}")
                    .replace("name: app\n  labels", "name: a\n  annotations: {scimshim.io/inject: disabled}\n  labels"),
                &["--service", "app"],
            ),
            "15:7",
            "it leads to pod/a, which gets no sidecar",
        ),
        (turned("{selector: {app: app}}"), "14:7", "(its ports: none)"),
        (
            (
                service("{selector: {app: app}, ports: [{name: a, port: 80}]}"),
                &["--service", "app", "--service-port", "b"],
            ),
            "14:7",
            "it has no TCP port \"b\"; say --service-port NAME or NUMBER (its ports: a 80)",
        ),
    ] {
        // At the flags of a volume, where the pod has to take one.
        let output = inject(&[&UPSTREAM[..], &["--config-map", "scimshim"], args].concat(), &input);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{input}\n{said}");
        assert!(output.stdout == input.as_bytes(), "{input}");
        assert!(said.starts_with(&format!("error: standard input:{at}: ")) && said.contains(why), "{input}\n{said}");
        assert!(said.ends_with("note: the output is the input, unchanged\n"), "{said}");
    }
}

#[test]
fn all_that_stands_in_the_way_is_told_at_once() {
    let input = format!("{}---\n{}", pod("  hostNetwork: true\n"), pod("    ports: [{containerPort: 7643}]\n"));
    let output = inject(&UPSTREAM, &input);
    let said = stderr(&output);
    assert_eq!(said.matches("error: ").count(), 2, "{said}");
    assert!(said.contains("input:7:3: ") && said.contains("input:21:13: "), "{said}");
}

#[test]
fn what_is_no_text_or_too_much_of_it_goes_through() {
    let path = env::temp_dir().join(format!("scimshim-inject-{}.yaml", std::process::id()));
    let name = path.to_str().expect("a plain path");
    for (bytes, why) in [
        (b"kind: \xff\n".to_vec(), ":1:7: this is not UTF-8"),
        (vec![b'#'; (32 << 20) + 5], ":1:1: over 33554432 bytes"),
    ] {
        fs::write(&path, &bytes).expect("a temporary file");
        let output = inject(&[&UPSTREAM[..], &[name]].concat(), "");
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout == bytes, "{why}");
        assert!(stderr(&output).starts_with(&format!("error: {name}{why}")), "{}", stderr(&output));
    }
    fs::remove_file(&path).expect("our file");
    let output = inject(&[&UPSTREAM[..], &[name]].concat(), "");
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1));
    assert!(output.stdout.is_empty() && stderr(&output).contains("name a file"), "{}", stderr(&output));
}

#[test]
fn a_wrong_command_line_is_told_in_one_line() {
    for args in [
        &[][..],
        &["--upstream", "nonsense"],
        &["--upstream", "http://user:hunter2@127.0.0.1/"],
        &["--config-map", "No_Name"],
        &["--upstream", "http://127.0.0.1/", "--secret", "a"],
        &["--config-map", "a", "--secret", "a/"],
        &["--config-map", "a", "--state", "disk"],
        &["--config-map", "a", "--state", "pvc:"],
        &["--config-map", "a", "--image", "a b"],
        &["--config-map", "a", "--image-pull-policy", "Sometimes"],
        &["--config-map", "a", "--memory-limit", "much"],
        &["--config-map", "a", "one.yaml", "two.yaml"],
    ] {
        let output = inject(args, &pod(""));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1 && !said.contains("hunter2"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn flags_are_variables_too_and_an_empty_one_is_none() {
    let flags =
        inject(&["--config-map", "a", "--no-native", "--secret", "s/x,t", "tests/inject/kubectl-create.yaml"], "");
    let mut by_name = command(&["inject", "tests/inject/kubectl-create.yaml"]);
    by_name.env("SCIMSHIM_CONFIG_MAP", "a").env("SCIMSHIM_NO_NATIVE", "true").env("SCIMSHIM_SECRET", "s/x,t");
    by_name.env("SCIMSHIM_UPSTREAM", "").env("SCIMSHIM_STATE", "").env("SCIMSHIM_SERVICE", "");
    let by_name = by_name.output().expect("it ends");
    assert_eq!(by_name.status.code(), Some(0), "{}", stderr(&by_name));
    assert_eq!(text(&by_name), text(&flags));
}

#[test]
fn a_number_that_was_changed_since_is_kept() {
    let injected = text(&inject(&UPSTREAM, &pod("  terminationGracePeriodSeconds: 10\n")));
    let changed = injected.replace("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 300");
    let back = text(&inject(&["--uninject"], &changed));
    assert_eq!(back, pod("  terminationGracePeriodSeconds: 300\n"));
    // So is what was put beside the sidecar.
    let more = injected.replace("  initContainers:\n", "  initContainers:\n  - name: since\n");
    let back = text(&inject(&["--uninject"], &more));
    assert_eq!(back, pod("  terminationGracePeriodSeconds: 10\n  initContainers:\n  - name: since\n"));
}

#[test]
fn what_another_tool_wrote_anew_is_still_known() {
    let flags = [&UPSTREAM[..], &["--config-map", "a", "--service", "app", "--service-port", "80"]].concat();
    let ports = "{selector: {app: app}, ports: [{port: 80, targetPort: http}]}";
    for more in ["  volumes: []\n", "  volumes:\n", "  initContainers: ~\n  terminationGracePeriodSeconds: 9 # s\n"] {
        let input = service(ports).replace("---\n", &format!("{more}---\n"));
        let injected = text(&inject(&flags, &input));
        let as_list = |text: &str| {
            let items = serde_saphyr::from_multiple::<serde_json::Value>(text).expect("YAML");
            serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items})
        };
        let back = inject(&["--uninject"], &format!("{:#}\n", as_list(&injected)));
        assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
        let back: serde_json::Value = serde_json::from_str(&text(&back)).expect("still JSON");
        assert_eq!(back, as_list(&input));
    }
}

#[test]
fn what_others_made_and_hooks_are_injected_only_by_name() {
    let owned = pod("").replace("  labels:", "  ownerReferences: [{kind: ReplicaSet, name: app-1}]\n  labels:");
    let hook = pod("").replace("  labels:", "  annotations: {helm.sh/hook: test}\n  labels:");
    for (input, why) in [(owned, "made by another object"), (hook, "a hook of Helm")] {
        let output = inject(&UPSTREAM, &input);
        assert_eq!((output.status.code(), text(&output)), (Some(0), input.clone()));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(
            text(&inject(&[&UPSTREAM[..], &["--workload", "Pod/app"]].concat(), &input)).contains("name: scimshim\n")
        );
    }
}

#[test]
fn what_was_never_injected_is_left_alone() {
    let output = inject(&["--uninject"], &pod(""));
    assert_eq!((output.status.code(), text(&output)), (Some(0), pod("")));
    assert!(stderr(&output).contains("pod/app: left alone"), "{}", stderr(&output));
}

#[test]
fn a_service_alone_is_turned_and_the_workload_is_asked_for() {
    let only = "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {selector: {app: app}, ports: [{port: 80, targetPort: 8080}]}\n";
    let output = inject(&[&UPSTREAM[..], &["--service", "app"]].concat(), only);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(text(&output).contains("{port: 80, targetPort: 7643}"), "{}", text(&output));
    assert!(stderr(&output).contains("leads to no pod that was given here"), "{}", stderr(&output));
    assert_eq!(text(&inject(&["--uninject"], &text(&output))), only);
}
