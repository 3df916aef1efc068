//! Kubernetes manifests: to inject again changes nothing, and what was put in can be taken out to the byte.

use std::sync::OnceLock;

use scimshim::fuzzing::Injector;

use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "inject",
    about: "manifests: injected once is injected twice, and taken out again is what it was",
    run,
    seeds: || {
        let yaml = seeds::files("tests/inject", ".yaml").into_iter();
        let all = yaml.chain(seeds::files("tests/inject", ".json")).chain(seeds::files("tests/inject", ".injected"));
        all.filter(|text| text.len() <= TARGET.longest).collect()
    },
    words: &[
        "kind: Deployment",
        "apiVersion: apps/v1",
        "spec:",
        "template:",
        "metadata:",
        "containers:",
        "- name: app",
        "initContainers:",
        "volumes:",
        "annotations:",
        "---\n",
        "...\n",
        "&a",
        "*a",
        "<<: *a",
        "# ",
        "|\n",
        ">-\n",
        "{}",
        "[]",
        "~",
        "!!map ",
        "\r\n",
        "\t",
        "terminationGracePeriodSeconds: 30",
        "scimshim",
        "kind: Service",
        "kind: List",
        "items:",
    ],
    shape: Shape::Bytes,
    longest: 6000,
    cost: Cost { steps: 50_000_000, steps_per_byte: 200_000, room: 50_000_000, room_per_byte: 200_000 },
};

const FLAGS: [&[&str]; 3] = [
    &["--upstream", "http://127.0.0.1:8080/scim/v2"],
    &["--config-map", "scimshim", "--secret", "s/token", "--service", "app", "--service-port", "80"],
    &["--config-map", "scimshim", "--upstream", "http://127.0.0.1:8080/", "--no-native", "--state", "pvc:c"],
];

fn run(data: &[u8]) {
    static ALL: OnceLock<(Vec<Injector>, Injector)> = OnceLock::new();
    let (injectors, out) = ALL.get_or_init(|| {
        let injectors = FLAGS.iter().map(|flags| Injector::new(flags).expect("flags that fit")).collect();
        (injectors, Injector::new(&["--uninject"]).expect("flags that fit"))
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (injector, flags) in injectors.iter().zip(FLAGS) {
        let Some(injected) = injector.transform(text) else { continue };
        let again = injector.transform(&injected).expect("what it made itself");
        assert!(again == injected, "a second run changes something");
        let back = out.transform(&injected).expect("what it made itself");
        // What was there before from an earlier run is taken out too.
        let bare = out.transform(text).unwrap_or_else(|| text.to_owned());
        assert!(back == bare, "what was put in does not come out with {flags:?}");
    }
}
