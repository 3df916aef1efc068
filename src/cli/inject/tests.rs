//! Laws of `inject`, over manifests of many looks and over what is no manifest at all.

use clap::{Args as _, FromArgMatches};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::{
    options::{Args, Wish},
    passes::transform,
    sidecar,
};

/// The flags of a command line; what the environment says is not asked.
fn wish(flags: &[&str]) -> Wish {
    let mut command = Args::augment_args(clap::Command::new("inject"));
    for arg in command.clone().get_arguments() {
        command = command.mut_arg(arg.get_id().clone(), |arg| arg.env(None));
    }
    let matches = command.try_get_matches_from([&["inject"], flags].concat()).expect("flags that are known");
    Args::from_arg_matches(&matches).expect("all flags").wish().expect("flags that fit")
}

const FLAGS: [&[&str]; 3] = [
    &["--upstream", "http://127.0.0.1:8080/scim/v2"],
    &["--config-map", "scimshim", "--secret", "s/token", "--service", "app", "--service-port", "80"],
    &["--config-map", "scimshim", "--upstream", "http://127.0.0.1:8080/", "--no-native", "--state", "pvc:c"],
];

/// All that `inject` promises of a text that it takes; whether it takes it.
fn holds(text: &str, flags: &[&str]) -> Result<bool, TestCaseError> {
    let Ok(injected) = transform(&wish(flags), text) else { return Ok(false) };
    let injected = injected.text;
    // Every other way to call it gives what it would have given at first; a Service that is no longer named stays turned.
    let names = |flags: &[&str]| flags.contains(&"--service");
    for other in FLAGS.into_iter().filter(|other| names(other) || !names(flags)) {
        if let Ok(again) = transform(&wish(other), &injected) {
            let at_first = transform(&wish(other), text).map(|report| report.text);
            prop_assert!(Ok(&again.text) == at_first.as_ref(), "{other:?}");
        }
    }
    let again = transform(&wish(flags), &injected).expect("what it made itself");
    prop_assert!(again.text == injected, "{injected}");
    let back = transform(&wish(&["--uninject"]), &injected).expect("what it made itself");
    prop_assert!(back.text == text, "{injected}");
    // Text is added; of the old lines only those of the values that it sets change, and no comment.
    let is_text = |before: &str| before.contains(['"', '\'']);
    let comments = text.lines().filter_map(|line| line.split_at_checked(line.find('#')?));
    for (_, comment) in comments.filter(|(before, _)| !is_text(before)) {
        prop_assert!(injected.contains(comment), "{comment}");
    }
    let set = ["terminationGrace", "targetPort", "volumes:", "initContainers:", "annotations:", "metadata:"];
    let is_kept =
        |line: &str| !line.contains(['~', '[', ']', '{', '}', '#']) && !set.iter().any(|key| line.contains(key));
    for line in text.lines().filter(|line| !line.contains("null") && is_kept(line)) {
        prop_assert!(injected.contains(line), "{line}");
    }
    Ok(true)
}

/// One key of a pod in one of the forms in which people write it; `D` stands for the indentation of a dash.
fn one_of(forms: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(forms)
}

const METADATA: &[&str] = &[
    "",
    "metadata:\n",
    "metadata: {}\n",
    "metadata: {labels: {app: app}}\n",
    "metadata: # none\n",
    "metadata:\n  labels:\n    app: app\n",
    "metadata:\n  labels: {app: app}\n  annotations: {}\n",
    "metadata:\n  annotations:\n    {}\n  labels: {app: app}\n",
    "metadata:\n  annotations: # none\n  labels: {app: app}\n",
    "metadata:\n  annotations:\n    a: \"1\"\n    # about b\n    b: |\n      text\n\n  labels: {app: app}\n",
    "metadata:\n  annotations: {a: \"1\",}\n",
    "metadata:\n  creationTimestamp: null\n",
];

const CONTAINERS: &[&str] = &[
    "containers:\nD- name: app\nD  image: a\n",
    "containers: # all\nD-\nD  # one\nD  name: app\nD  command:\nD  - |+\nD    x\n\n",
    "containers: [{name: app, image: a}]\n",
    "containers: [\n  {name: app, image: a}, # one\n  ]\n",
    "containers:\nD# first\nD- {name: app, ports: [{name: scim, containerPort: 8080}]}\n\nD  # of it\nD# of the list\n",
    "\"containers\":\nD- name: app\nD  args: [a,\nD    b]\nD- name: b # last\n",
    "containers:\nD- name: app\nD  env:\nD  - name: E\nD    value: >-\nD      folded\nD      text\n",
];

const INIT: &[&str] = &[
    "",
    "initContainers: []\n",
    "initContainers:   [ ]  # none\n",
    "initContainers:\n",
    "initContainers: null\n",
    "initContainers:\n  []\n",
    "initContainers: # why\n  []\n",
    "initContainers:\nD- name: migrate\nD  image: a\n",
    "initContainers: [{name: migrate, image: a},]\n",
];

const VOLUMES: &[&str] = &[
    "",
    "volumes: ~\n",
    "volumes: []\n",
    "volumes:\nD- name: v\nD  emptyDir: {}\n",
    "volumes:\n# nothing\n",
    "volumes: [\n  ]\n",
];

const GRACE: &[&str] = &[
    "",
    "terminationGracePeriodSeconds: 30\n",
    "terminationGracePeriodSeconds: 60\n",
    "terminationGracePeriodSeconds:   5   # soon\n",
    "terminationGracePeriodSeconds:\n",
    "terminationGracePeriodSeconds: null # default\n",
    "terminationGracePeriodSeconds: 120\n",
];

const TARGETS: &[&str] =
    &["", "targetPort: 8080\n", "targetPort: http # app\n", "targetPort:\n", "targetPort: \"http\"\n"];

/// Text in lines, each further to the right; what stands in a block scalar goes with it.
fn shifted(text: &str, columns: usize) -> String {
    let pad = " ".repeat(columns);
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") }).collect()
}

fn manifest() -> impl Strategy<Value = String> {
    let keys =
        (one_of(CONTAINERS), one_of(INIT), one_of(VOLUMES), one_of(GRACE)).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let looks = (one_of(METADATA), one_of(TARGETS), 0..2_usize, any::<[bool; 6]>());
    (keys.prop_shuffle(), looks).prop_map(|(keys, (metadata, target, dash, [crlf, last, bom, service_first, metadata_last, list]))| {
        let spec = keys.concat().replace('D', &" ".repeat(dash * 2));
        let spec = format!("spec:\n{}", shifted(&spec, 2));
        let template = if metadata_last { format!("{spec}{metadata}") } else { format!("{metadata}{spec}") };
        let app = format!(
            "# the app\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n{}",
            shifted(&template, 4)
        );
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\nspec:\n  selector:\n    app: app\n  ports:\n  - port: 80\n{}",
            shifted(target, 4)
        );
        let mut both = [app, service];
        if service_first {
            both.reverse();
        }
        let mut text = if list {
            let items: String = both.iter().map(|item| format!("-\n{}", shifted(item, 2))).collect();
            format!("apiVersion: v1\nkind: List\nitems:\n{items}")
        } else {
            both.join("---\n")
        };
        if !last {
            text.truncate(text.trim_end_matches('\n').len());
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom { format!("\u{feff}{text}") } else { text }
    })
}

fn fixtures() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inject");
    let files = std::fs::read_dir(folder).expect("the fixtures").map(|file| file.expect("a file").path());
    let manifests = files.filter(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "json"));
    manifests.map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

/// What gets into manifests by accident, or by malice.
const SCRAPS: [&str; 24] = [
    "\t",
    "\r",
    "\n",
    "- ",
    ": ",
    "# ",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "| \n",
    "{",
    "}",
    "[",
    "]",
    "---\n",
    "...\n",
    "\"",
    "'",
    "? ",
    "{{ .Values.x }}",
    "\u{feff}",
    "null",
    "  ",
];

fn mutated() -> impl Strategy<Value = String> {
    let texts = prop_oneof![proptest::sample::select(fixtures()), manifest()];
    let cut = (any::<proptest::sample::Index>(), 0..12_usize, proptest::sample::select(&SCRAPS[..]));
    (texts, proptest::collection::vec(cut, 1..4)).prop_map(|(mut text, cuts)| {
        for (place, len, scrap) in cuts {
            let begin = place.index(text.len().max(1)).min(text.len());
            let edge = |at: usize| (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
            let (begin, end) = (edge(begin), edge((begin + len).min(text.len())));
            text.replace_range(begin..end.max(begin), scrap);
        }
        text
    })
}

/// Takes out of a value what `inject` put in, by another way than its own.
fn without(mut value: Json) -> Json {
    let Json::Object(map) = &mut value else {
        return match value {
            Json::Array(items) => items.into_iter().filter(|item| !is_ours(item)).map(without).collect(),
            other => other,
        };
    };
    map.retain(|key, _| {
        !key.starts_with("scimshim.io/") && key != "terminationGracePeriodSeconds" && key != "targetPort"
    });
    *map = std::mem::take(map).into_iter().map(|(key, value)| (key, without(value))).collect();
    map.retain(|_, value| {
        !matches!(value, Json::Null) && *value != Json::Array(vec![]) && *value != Json::Object(<_>::default())
    });
    value
}

fn is_ours(item: &Json) -> bool {
    item["name"].as_str().is_some_and(|name| name == sidecar::NAME || sidecar::VOLUMES.contains(&name))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out_again(text in manifest(), flags in proptest::sample::select(&FLAGS[..])) {
        prop_assume!(!flags.contains(&"--service") || text.contains("labels"));
        let taken = holds(&text, flags)?;
        // The forms above are all taken, but for a comment in an empty list and the end of a `|+`.
        if !taken {
            let faults = transform(&wish(flags), &text).expect_err("it was not taken");
            prop_assert!(text.contains("|+") || faults.iter().any(|fault| fault.what.contains("selects")), "{faults:?}");
        }
    }

    #[test]
    fn nothing_panics_and_what_is_taken_keeps_the_laws(text in mutated(), flags in proptest::sample::select(&FLAGS[..])) {
        holds(&text, flags)?;
    }

    #[test]
    fn only_the_sidecar_is_added(text in manifest()) {
        let Ok(report) = transform(&wish(FLAGS[0]), &text) else { return Ok(()) };
        let read = |text: &str| serde_saphyr::from_multiple::<Json>(text.trim_start_matches('\u{feff}')).expect("YAML");
        let all = |text: &str| read(text).into_iter().map(without).collect::<Vec<_>>();
        prop_assert_eq!(all(&report.text), all(&text));
        prop_assert_eq!(report.text.matches("ghcr.io/scimshim/scimshim:").count(), 1);
    }
}

#[test]
fn deep_and_wide_texts_are_refused_and_not_followed() {
    let wish = wish(FLAGS[0]);
    for text in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(100_000),
        (0..1000).map(|column| format!("{}a:\n", " ".repeat(column))).collect(),
        // A billion laughs: aliases are never followed for their values.
        (1..40).fold("a0: &a0 x\n".to_owned(), |text, i| format!("{text}a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1)),
        (1..40).fold("kind: Pod\napiVersion: v1\nm0: &m0 {}\n".to_owned(), |text, i| {
            format!("{text}m{i}: &m{i} {{<<: [*m{}, *m{}]}}\n", i - 1, i - 1)
        }) + "spec: {<<: *m39}\n",
    ] {
        let began = std::time::Instant::now();
        assert!(transform(&wish, &text).is_err());
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{text:.40}");
    }
}

#[test]
fn a_text_as_deep_as_the_reader_goes_is_edited() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n";
    let block: String = (0..250).map(|column| format!("{}a:\n", " ".repeat(column))).collect();
    for deep in [format!("x: {}{}\n", "[".repeat(250), "]".repeat(250)), block] {
        let text = format!("{pod}{deep}");
        let injected = transform(&wish(FLAGS[0]), &text).unwrap().text;
        assert_eq!(transform(&wish(&["--uninject"]), &injected).unwrap().text, text);
    }
}

/// With a line break behind it, the last line of a `|` scalar has one too.
#[test]
fn a_block_scalar_that_ends_with_the_file_is_not_given_a_line_break() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    args:\n";
    for (end, taken) in [
        ("    - |\n      x", false),
        ("    - >\n      x", false),
        ("    - |-\n      x", true),
        ("    - |\n      x\n", true),
    ] {
        let done = transform(&wish(FLAGS[0]), &format!("{pod}{end}"));
        assert_eq!(done.is_ok(), taken, "{end}");
        assert!(taken || done.unwrap_err()[0].what.contains("end the file with a line break"), "{end}");
    }
}

#[test]
fn a_fault_is_told_where_it_stands_in_the_input() {
    let ours = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n";
    let injected = transform(&wish(FLAGS[0]), ours).unwrap().text;
    let input = format!("{injected}---\n{}", ours.replace("spec:", "spec:\n  hostNetwork: true"));
    let faults = transform(&wish(FLAGS[0]), &input).unwrap_err();
    assert!(faults[0].what.contains("hostNetwork"), "{faults:?}");
    assert_eq!(input[faults[0].at..].lines().next(), Some("hostNetwork: true"));
}

#[test]
fn an_annotation_cannot_smuggle_anything_in() {
    let ours = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  terminationGracePeriodSeconds: 30\n  containers:\n  - name: a\n";
    let injected = transform(&wish(FLAGS[0]), ours).unwrap().text;
    assert!(injected.contains(r#"":" 30"}'"#), "{injected}");
    for text in [r" 30\\n  hostNetwork: true", r" {a: b}", r" *x", r" 30\\n---\\na: b", r" |\\n   x", r": 3"] {
        let input = injected.replace(r#"":" 30"}'"#, &format!(r#"":"{}"}}'"#, text.replace("\\\\", "\\")));
        assert!(transform(&wish(&["--uninject"]), &input).is_err(), "{text}");
    }
}
