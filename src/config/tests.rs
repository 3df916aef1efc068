//! What operators write, and what they are told.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;

use super::*;
use crate::quirk::{Idp, Mode, TenantMode};

fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("hunter2hunter2".to_owned()),
        "HOST" => Some("app".to_owned()),
        _ => None,
    }
}

fn world() -> World<'static> {
    // 2026-01-01
    World { env: &env, now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) }
}

fn contract(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

fn read(text: &str, purpose: Purpose, overrides: &Overrides) -> (Option<Settings>, Vec<Problem>) {
    let mut problems = Problems::new(Path::new("c.yaml"), purpose);
    let settings = document::parse(text, &env, &mut problems).and_then(|mut doc| {
        overrides.apply(&mut doc);
        settings_of(&doc, &contract(""), &world(), &mut problems)
    });
    (settings, problems.into_list())
}

fn serve(text: &str) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Problems::new(Path::new("c.yaml"), Purpose::Serve);
    let settings = document::parse(text, &env, &mut problems)
        .and_then(|doc| settings_of(&doc, &contract(""), &world(), &mut problems));
    loaded(settings, problems)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{p}\n")).collect()
}

/// What `check` says about `text` put below a working `upstream`, which takes line 1.
fn said(text: &str) -> String {
    let text = format!("upstream: {{ url: \"http://app:1/scim\" }}\n{text}");
    lines(&read(&text, Purpose::Check, &Overrides::default()).1)
}

#[test]
fn the_least_file_gives_the_defaults() {
    let loaded = load(&contract("minimal.yaml"), &Overrides::default(), &world()).expect("it loads");
    let settings = loaded.settings;
    assert!(loaded.warnings.is_empty() && settings.not_in_force.is_empty());
    assert_eq!(settings.listen.address.to_string(), "0.0.0.0:7643");
    assert_eq!(settings.admin.address.to_string(), "0.0.0.0:7644");
    assert_eq!(settings.listen.base_path, "/scim/v2");
    assert_eq!(settings.listen.base_url, None);
    assert_eq!(settings.upstream.url.as_str(), "http://127.0.0.1:8080/scim/v2");
    assert_eq!(settings.upstream.hold, Duration::from_secs(20));
    assert_eq!(settings.listen.limits.body, 10 << 20);
    assert_eq!(settings.listen.limits.deadline, Duration::from_secs(50));
    assert_eq!(settings.retry_after.ceiling, Duration::from_secs(600));
    assert_eq!((settings.threads, settings.log.level.as_str()), (1, "info"));
    assert_eq!(settings.tenants.defaults.idp, Idp::Auto);
}

#[test]
fn the_full_file_is_good_for_a_check() {
    let problems = inspect(&contract("full.yaml"), false, &world());
    assert!(problems.iter().all(|p| p.severity == Severity::Warning), "{}", lines(&problems));
    assert!(problems.iter().all(|p| !p.what.starts_with("not in force")), "{}", lines(&problems));
    // Strict: what is missing counts, what waits does not.
    let strict = inspect(&contract("full.yaml"), true, &world());
    let wrong: Vec<&str> = strict.iter().filter(|p| p.severity == Severity::Problem).map(|p| p.key.as_str()).collect();
    assert_eq!(
        wrong,
        [
            "listen.tls.certificate",
            "listen.tls.private_key",
            "tenants.list.acme.upstream_authorization",
            "feeds.office.file",
        ]
    );
    // A listener for TLS never comes up without its certificate.
    let refused = load(&contract("full.yaml"), &Overrides::default(), &world()).expect_err("TLS is not there");
    let missing = |p: &&Problem| p.key == "listen.tls.certificate" && p.severity == Severity::Problem;
    assert!(refused.iter().any(|p| missing(&p)), "{}", lines(&refused));
}

#[test]
fn the_defaults_that_the_full_file_names_are_ours() {
    let text = std::fs::read_to_string(contract("full.yaml")).expect("a copy of the contract");
    let mut problems = Problems::new(Path::new("full.yaml"), Purpose::Check);
    let doc = document::parse(&text, &env, &mut problems).expect("YAML");
    let full = File::read(&doc, "", &mut problems).expect("legal");
    let ours = File::default();
    assert_eq!(full.listen.limits, ours.listen.limits);
    assert_eq!(full.listen.client_address, ours.listen.client_address);
    assert_eq!(full.admin, ours.admin);
    assert_eq!(full.retry_after, ours.retry_after);
    assert_eq!(full.quarantine, ours.quarantine);
    assert_eq!(full.metrics, ours.metrics);
    assert_eq!(full.journal, ours.journal);
    assert_eq!(full.audit, ours.audit);
    assert_eq!(full.telemetry, ours.telemetry);
    assert_eq!(full.threads, ours.threads);
    assert_eq!(full.rate_limit_store.key_prefix, ours.rate_limit_store.key_prefix);
    assert_eq!(file::Upstream { url: None, ..full.upstream }, ours.upstream);
}

#[test]
fn problems_have_their_place_and_their_cure() {
    for (text, wanted) in [
        ("lisen: {}", "c.yaml:2:1: lisen: no such key; did you mean `listen`?"),
        (
            "listen:\n  limits:\n    deadline: 50",
            "c.yaml:4:15: listen.limits.deadline: `50` is not legal here: no unit; write a duration such as `500ms`, `20s`, `2m`, `1h` or `7d`",
        ),
        (
            "listen:\n  limits: { body: 10MB }",
            "c.yaml:3:19: listen.limits.body: `10MB` is not legal here: no such unit (KiB, MiB and GiB are); write a size such as `64KiB`, `10MiB`, or a number of bytes",
        ),
        (
            "listen: { address: localhost }",
            "c.yaml:2:20: listen.address: `localhost` is not legal here: names are not looked up here; write an address and a port such as `0.0.0.0:7643` or `[::1]:7643`",
        ),
        (
            "listen: { outside: ignore }",
            "c.yaml:2:20: listen.outside: `ignore` is not legal here; write one of refuse, pass",
        ),
        (
            "listen: { base_path: scim }",
            "c.yaml:2:22: listen.base_path: `scim` is not legal here: it does not begin with `/`; write a path such as `/scim/v2`, or `/`",
        ),
        (
            "log: { level: inof }",
            "c.yaml:2:15: log.level: `inof` is not legal here: no such level (did you mean `info`?); write one of error,",
        ),
        (
            "listen: { limits: { body_timeout: 60s } }",
            "c.yaml:2:35: warning: listen.limits.body_timeout: a body that is slow to come is answered by the deadline (50s)",
        ),
        ("listen: [a]", "c.yaml:2:9: listen: a list where a mapping belongs; write `key: value` lines below it"),
        (
            "listen: { client_address: { trusted_proxies: [10.1.2.3/8] } }",
            "c.yaml:2:47: listen.client_address.trusted_proxies[0]: `10.1.2.3/8` is not legal here: it has bits behind the prefix; the range is `10.0.0.0/8`; write a CIDR such as `192.0.2.0/24`",
        ),
        ("admin: { loopback: yes }", "c.yaml:2:20: admin.loopback: `yes` is not legal here; write `true` or `false`"),
        ("threads: 1\nthreads: 2", "c.yaml:3:1: threads: the key stands here twice; keep one of the two"),
        ("threads: 0", "c.yaml:2:10: threads: `0` is not legal here; write a whole number, 1 or more"),
        (
            "normalize:\n  quirks:\n    patch-op-cas: fix",
            "c.yaml:4:5: normalize.quirks.patch-op-cas: no such quirk; did you mean `patch-op-case`?",
        ),
        (
            "normalize: { quirks: { patch-op-case: of } }",
            "c.yaml:2:39: normalize.quirks.patch-op-case: `of` is not legal here; write one of fix, observe, off (did you mean `off`?)",
        ),
        (
            "normalize: { quirks: { auth-status: fix } }",
            "c.yaml:2:37: warning: normalize.quirks.auth-status: this quirk cannot be mended from one message, so it is only counted; write `observe` or `off`",
        ),
        (
            "normalize: { schemas: { attributes: [{ path: a }] } }",
            "c.yaml:2:38: normalize.schemas.attributes[0].type: it is required; write `type: boolean`, or another type of RFC 7643 2.3",
        ),
        ("normalize: { schemas: { files: [none.json] } }", "c.yaml:2:33: warning: normalize.schemas.files[0]: "),
        (
            "tenants: { list: { Acme: {} } }",
            "c.yaml:2:20: tenants.list.Acme: the name is not legal; write 1 to 63 of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit",
        ),
        (
            "tenants: { list: { acme: { idp: entra } } }",
            "c.yaml:2:26: tenants.list.acme: nothing can resolve this tenant; write `tenants.resolve`, such as `resolve: [{ path: \"/tenants/{tenant}\" }]`",
        ),
        (
            "tenants: { resolve: [token], list: { acme: { idp: entra } } }",
            "c.yaml:2:44: tenants.list.acme: nothing in `tenants.resolve` can resolve this tenant; give it `tokens`, or add a way to `tenants.resolve`",
        ),
        (
            "tenants: { resolve: [{ path: /t }] }",
            "c.yaml:2:30: tenants.resolve[0].path: the path has not exactly one segment `{tenant}`; write `path: /tenants/{tenant}`, `host: \"{tenant}.scim.example.com\"`, `header: NAME` or `token`",
        ),
        (
            "tenants: { defaults: { idp: azure } }",
            "c.yaml:2:29: tenants.defaults.idp: `azure` is not legal here; write one of auto, entra, okta, onelogin, google, jumpcloud, ping, authentik, generic",
        ),
        (
            "tenants: { defaults: { allow: { feeds: [ofice] } } }\nfeeds: { office: { kind: list, url: \"https://a/b\" } }",
            "c.yaml:2:41: tenants.defaults.allow.feeds[0]: there is no feed `ofice`; did you mean `office`?",
        ),
        (
            "tenants: { defaults: { allow: { mode: enforce } } }",
            "c.yaml:2:31: tenants.defaults.allow: `enforce` without feeds and CIDRs refuses everyone; name feeds or CIDRs, or write `mode: observe`",
        ),
        (
            "tenants: { list: { default: { tokens: [{ sha256: hunter2 }] } } }",
            "c.yaml:2:50: tenants.list.default.tokens[0].sha256: not legal: 7 characters; write 64 hex digits, as `scimshim token hash` prints them",
        ),
        (
            "tenants: { list: { default: { tokens: [{ name: a }] } } }",
            "c.yaml:2:40: tenants.list.default.tokens[0].sha256: it is required; write the hash that `scimshim token new` prints",
        ),
        (
            "tenants: { defaults: { rate_limit: { writes: { burst: 5 } } } }",
            "c.yaml:2:46: tenants.defaults.rate_limit.writes.per_second: it is required; write a rate: `per_second: 25`",
        ),
        (
            "retry_after: { floor: 700s }",
            "c.yaml:2:23: retry_after.floor: over the ceiling of 600s; write less, or raise `ceiling`",
        ),
        (
            "retry_after: { floor: 1500ms }",
            "c.yaml:2:23: retry_after.floor: Retry-After is a whole number of seconds, 1 or more; write `30s`",
        ),
        (
            "admin: { address: \"0.0.0.0:7643\" }",
            "c.yaml:2:19: admin.address: port 7643 is the data port too; write another port, such as `0.0.0.0:7644`",
        ),
        (
            "admin: { token: { env: NO_SUCH } }",
            "c.yaml:2:17: warning: admin.token: the environment variable NO_SUCH is not set; set NO_SUCH where scimshim runs",
        ),
        ("admin: { token: { evn: A } }", "c.yaml:2:19: admin.token.evn: no such key; did you mean `env`?"),
        (
            "log: { level: \"${NO_SUCH}\" }",
            "c.yaml:2:15: warning: log.level: the environment variable NO_SUCH is not set; set NO_SUCH where scimshim runs",
        ),
        (
            "log: { level: \"${no such}\" }",
            "c.yaml:2:15: log.level: `${` without a name and a `}` after it; write `${NAME}`, or `$${` for the two characters",
        ),
        (
            "log: { level: \"a=b=c\" }",
            "c.yaml:2:15: log.level: `a=b=c` is not legal here; write one of error, warn, info, debug, trace, off, or directives such as `info,scimshim::proxy=debug`",
        ),
        ("feeds: { a: { kind: list } }", "c.yaml:2:13: feeds.a: the list is nowhere; write `url:` or `file:`"),
        (
            "feeds: { a: { url: \"https://a/\" } }",
            "c.yaml:2:13: feeds.a.kind: it is required; write okta, azure-service-tags or list",
        ),
        (
            "rate_limit_store: { kind: redis }",
            "c.yaml:2:19: rate_limit_store.url: it is required; write `url: redis://127.0.0.1:6379/0`",
        ),
        (
            "listen: { limits: { header: 1KiB } }",
            "c.yaml:2:29: warning: listen.limits.header: heads are read 8KiB at a time, so 8KiB is what applies; write `8KiB` or more",
        ),
        ("listen: { address: \"0.0.0.0:7643\" \n", "c.yaml:"),
    ] {
        let said = said(text);
        assert!(said.lines().any(|line| line.starts_with(wanted)), "{text}\nwanted {wanted}\nsaid   {said}");
    }
}

#[test]
fn an_upstream_is_needed_and_has_a_form() {
    for (text, wanted) in [
        ("", "c.yaml: upstream.url: it is required; write where"),
        ("listen: {}\n", "c.yaml:1:1: upstream.url: it is required; write where"),
        (
            "upstream:\n  url: app:8080\n",
            "c.yaml:2:8: upstream.url: `app:8080` is not legal here: no scheme; write a URL",
        ),
        (
            "upstream: { url: \"http://app/{tenant}/scim\" }",
            "c.yaml:1:18: listen.base_path: it is required, since the path of upstream.url holds `{tenant}`",
        ),
        (
            "upstream: { url: \"http://127.0.0.1:7643/scim\" }",
            "c.yaml:1:18: upstream.url: this is a port of scimshim itself",
        ),
        ("upstream: { url: \"http://app/scim?x=1\" }", "c.yaml:1:18: upstream.url: it has a query"),
        ("upstream: { url: \"${NO_SUCH}\" }", "c.yaml:1:18: upstream.url: the environment variable NO_SUCH is not set"),
    ] {
        let problems = serve(text).expect_err(text);
        let said = lines(&problems);
        assert!(said.lines().any(|line| line.starts_with(wanted)), "{text}\nwanted {wanted}\nsaid   {said}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let said = said(
        "listen:\n  addres: x\n  limits:\n    deadline: soon\n    body: big\n    body: 1MiB\nadmin: 5\nnormalize:\n  quirks: { nonsense: fix }\n",
    );
    let places: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        ["c.yaml:3:3", "c.yaml:5:15", "c.yaml:6:11", "c.yaml:7:5", "c.yaml:8:8", "c.yaml:10:13"],
        "{said}"
    );
}

#[test]
fn a_missing_variable_stops_serve_and_not_check() {
    let text = "upstream: { url: \"http://${NO_SUCH}/scim\" }";
    let (_, problems) = read(text, Purpose::Check, &Overrides::default());
    assert!(problems.iter().all(|p| p.severity == Severity::Warning), "{}", lines(&problems));
    assert!(serve(text).is_err());
    let settings = serve("upstream: { url: \"http://${HOST}/scim\" }").expect("HOST is set").settings;
    assert_eq!(settings.upstream.url.as_str(), "http://app/scim");
}

#[test]
fn secrets_are_printed_nowhere() {
    let text = "upstream: { url: \"http://a:${SECRET}/\" }
admin: { token: \"${SECRET}\", readiness: \"${SECRET}\" }
listen: { address: \"${SECRET}\", limits: { body: \"${SECRET}\" } }
log: { level: \"${SECRET}=${SECRET}=\" }
rate_limit_store: { kind: redis, url: \"redis://:hunter2hunter2@localhost/0\" }
tenants:
  defaults: { upstream_authorization: \"Bearer ${SECRET}\" }
  list: { default: { tokens: [{ sha256: hunter2hunter2, expires: \"${SECRET}\" }] } }
";
    let mut problems = Problems::new(Path::new("c.yaml"), Purpose::Serve);
    let doc = document::parse(text, &env, &mut problems).expect("YAML");
    let file = File::read(&doc, "", &mut problems).expect("a mapping");
    let settings = build::build(&file, &doc, Path::new(""), &world(), &mut problems);
    let json = serde_json::to_string(&file).expect("serializable");
    let problems = problems.into_list();
    let seen = format!("{file:?} {settings:?} {json} {problems:?} {}", lines(&problems));
    assert!(!seen.contains("hunter2"), "{seen}");
    let Some(file::TenantDefaults { upstream_authorization: Some(secret), .. }) = Some(file.tenants.defaults) else {
        panic!("it was read");
    };
    assert_eq!(secret.read(Path::new(""), &env).expect("it is set").expose(), "Bearer hunter2hunter2");
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    for url in [
        "http://user:hunter2@app",
        "http://user:hunter2@app:8080/scim#x",
        "https://:hunter2@app/scim",
        "ftp://user:hunter2@app",
        "//user:hunter2@app",
        "user:hunter2@app:8080",
        "http://user:hunter2@",
        "http://user:hunt@hunter2@app",
    ] {
        for text in [
            format!("upstream: {{ url: \"{url}\" }}"),
            format!("upstream: {{ url: \"http://a\" }}\ntelemetry: {{ otlp_endpoint: \"{url}\" }}"),
            format!("upstream: {{ url: \"http://a\" }}\nlisten: {{ address: \"{url}\", outside: \"{url}\" }}"),
            "upstream: { url: \"http://a\", \"http://u:hunter2@a\": x }".to_owned(),
        ] {
            let said = lines(&serve(&text).expect_err(&text));
            assert!(!said.contains("hunter2"), "{text}\n{said}");
        }
        let flag = Overrides { upstream: Some(url.into()), ..Overrides::default() };
        let said = lines(&without_file(&flag, &world()).expect_err(url));
        assert!(!said.contains("hunter2") && said.contains("--upstream: upstream.url"), "{said}");
    }
    let said = lines(&serve("upstream: { url: \"http://user:hunter2@app\" }").expect_err("a user name"));
    assert!(said.contains("it has a user name in it"), "{said}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let flags = Overrides { listen: Some("127.0.0.1:1".into()), ..Overrides::default() };
    let variables = Overrides::from_env(&|name| match name {
        "SCIMSHIM_LISTEN" => Some("127.0.0.1:2".into()),
        "SCIMSHIM_ADMIN" => Some("127.0.0.1:3".into()),
        "SCIMSHIM_THREADS" => Some(String::new()),
        _ => None,
    });
    let text = "upstream: { url: \"http://a/\" }\nlisten: { address: \"127.0.0.1:4\", base_path: /x }\nadmin: { address: \"127.0.0.1:5\" }\nthreads: 6\n";
    let (settings, problems) = read(text, Purpose::Serve, &flags.over(variables));
    let settings = settings.expect("good");
    assert!(problems.is_empty(), "{}", lines(&problems));
    assert_eq!(settings.listen.address.port(), 1);
    assert_eq!(settings.listen.base_path, "/x");
    assert_eq!(settings.admin.address.port(), 3);
    assert_eq!(settings.threads, 6);
}

#[test]
fn a_wrong_flag_is_named_as_a_flag() {
    let overrides = Overrides { upstream: Some("app".into()), threads: Some("many".into()), ..Overrides::default() };
    let said = lines(&without_file(&overrides, &world()).expect_err("both are wrong"));
    assert!(said.contains("--upstream: upstream.url: `app` is not legal here"), "{said}");
    assert!(said.contains("--threads: threads: `many` is not legal here"), "{said}");
    assert_eq!(from_upstream("http://127.0.0.1:9/").expect("good").settings.listen.base_path, "");
}

#[test]
fn settings_are_laid_over_each_other_key_by_key() {
    let text = "upstream: { url: \"http://a/s\" }
listen: { base_url: \"https://x.example/{tenant}/\" }
normalize: { mode: observe, quirks: { attr-case: off, bool-string: off } }
tenants:
  defaults: { idp: okta, normalize: { mode: rewrite, quirks: { attr-case: observe } } }
  list: { default: { idp: entra, normalize: { quirks: { body-bom: off } } } }
";
    let loaded = serve(text).expect("good");
    let tenant = &loaded.settings.tenants.list["default"];
    assert_eq!((tenant.idp, tenant.plan.mode), (Idp::Entra, TenantMode::Rewrite));
    assert_eq!(tenant.plan.quirks["attr-case"], Mode::Observe);
    assert_eq!(tenant.plan.quirks["bool-string"], Mode::Off);
    assert_eq!(tenant.plan.quirks["body-bom"], Mode::Off);
    assert_eq!(loaded.settings.listen.base_url.map(|url| url.for_tenant("a")), Some("https://x.example/a".to_owned()));
}

#[test]
fn what_this_build_lacks_is_named_and_does_not_stop_serve() {
    let text = "upstream: { url: \"http://a/s\" }
journal: { entries: 5 }
audit: { target: stdout }
telemetry: { otlp_endpoint: \"http://collector:4318\" }
";
    let loaded = serve(text).expect("it starts");
    let keys: Vec<&str> = loaded.settings.not_in_force.iter().map(|n| n.key.as_str()).collect();
    assert_eq!(keys, if cfg!(feature = "otlp") { &[][..] } else { &["telemetry.otlp_endpoint"] });
    assert!(loaded.warnings.is_empty(), "{}", lines(&loaded.warnings));
}

#[test]
fn revealing_a_tenant_that_is_never_served_is_noted() {
    let with = |unknown: &str, revealed: &str| {
        let text = format!(
            "upstream: {{ url: \"http://a/s\" }}
journal: {{ reveal: [{revealed}] }}
tenants: {{ resolve: [{{ path: \"/t/{{tenant}}\" }}], unknown: {unknown}, list: {{ acme: {{}} }} }}
"
        );
        lines(&serve(&text).expect("it starts").warnings)
    };
    let said = with("reject", "acme, acmee, default");
    assert_eq!(said.matches("journal.reveal").count(), 1, "{said}");
    assert!(said.contains("c.yaml:2:") && said.contains("no tenant `acmee` is listed"), "{said}");
    assert!(!with("reject", "acme").contains("journal.reveal"));
    assert!(!with("defaults", "acmee").contains("journal.reveal"));
}

#[test]
fn an_admin_token_that_can_be_found_by_trying_is_noted() {
    let said = |secret: &str| {
        let folder = std::env::temp_dir().join(format!("scimshim-token-{}-{}", std::process::id(), secret.len()));
        std::fs::write(&folder, secret).unwrap();
        let text =
            format!("upstream: {{ url: \"http://a/s\" }}\nadmin: {{ token: {{ file: '{}' }} }}\n", folder.display());
        let loaded = serve(&text).expect("it starts");
        std::fs::remove_file(&folder).unwrap();
        lines(&loaded.warnings)
    };
    let short = said("hunter2");
    assert!(short.contains("admin.token") && short.contains("shorter than 16"), "{short}");
    assert!(!short.contains("hunter2"));
    assert_eq!(said(&"7f".repeat(32)), "");
}

#[test]
fn the_port_of_the_other_otlp_is_noted() {
    let with = |url: &str| format!("upstream: {{ url: \"http://a/s\" }}\ntelemetry: {{ otlp_endpoint: \"{url}\" }}\n");
    let said = |url: &str| lines(&serve(&with(url)).expect("it starts").warnings);
    assert!(said("http://collector:4317").contains("4317 is where collectors take OTLP over gRPC"));
    for good in ["http://collector:4318", "https://collector", "http://collector:4317/v1/traces"] {
        assert_eq!(said(good), "", "{good}");
    }
    let problems = lines(&serve(&with("http://{tenant}:4318")).expect_err("one collector"));
    assert!(problems.contains("telemetry.otlp_endpoint"), "{problems}");
}

#[test]
fn a_tenant_has_its_own_over_the_defaults() {
    let hash = "ab".repeat(32);
    let text = format!(
        "upstream: {{ url: \"http://a/{{tenant}}/s\" }}
listen: {{ base_path: /s, client_address: {{ trusted_proxies: [\"::ffff:10.0.0.0/104\"] }} }}
feeds:
  okta: {{ kind: okta }}
  azure: {{ kind: azure-service-tags, refresh: 12h }}
  office: {{ kind: list, file: office.txt }}
tenants:
  resolve: [{{ path: \"/t/{{tenant}}\" }}]
  defaults:
    idp: okta
    upstream_authorization: \"Bearer ${{SECRET}}\"
    rate_limit: {{ reads: {{ per_second: 5, burst: 9 }}, writes: {{ per_second: 2.5 }}, wait: 3s }}
    allow: {{ mode: enforce, feeds: [\"okta:us_cell_1\", office], cidrs: [192.0.2.0/24] }}
  list:
    a:
      tokens: [{{ sha256: {hash} }}]
      rate_limit: {{ reads: {{ burst: 7 }}, writes: {{ per_second: 1 }}, concurrency: 4 }}
      allow: {{ feeds: [\"azure:Tag\", \"okta:us_cell_2\"] }}
    b: {{ allow: {{ mode: off }}, bare_token: true }}
"
    );
    let settings = serve(&text).expect("good").settings;
    assert_eq!(settings.listen.client_address.trusted_proxies, ["10.0.0.0/8".parse().expect("a range")]);
    let (a, b) = (&settings.tenants.list["a"], &settings.tenants.list["b"]);
    let quota = |per_second, burst| {
        let burst = std::num::NonZeroU32::new(burst).expect("not zero");
        Some(crate::gate::rate::Quota { per_second, burst })
    };
    let limits = a.limits.expect("given");
    assert_eq!((limits.reads, limits.writes, limits.lookups), (quota(5.0, 7), quota(1.0, 1), None));
    assert_eq!((limits.wait, limits.max_waiting), (Duration::from_secs(3), 100));
    assert_eq!(limits.concurrency.map(std::num::NonZeroU32::get), Some(4));
    assert_eq!(b.limits.expect("inherited").writes, quota(2.5, 3));
    assert_eq!(&*a.tokens[0].name, "abababab");
    assert_eq!((a.bare_token, b.bare_token), (false, true));
    assert_eq!(a.upstream_authorization.as_ref().map(|value| value.as_bytes()), Some(&b"Bearer hunter2hunter2"[..]));
    assert_eq!((a.allow.mode, a.allow.feeds.len(), a.allow.cidrs.len()), (settings::AllowMode::Enforce, 2, 1));
    assert_eq!(b.allow.mode, settings::AllowMode::Off);
    let parts: Vec<(&str, Vec<&str>)> = settings
        .feeds
        .specs
        .iter()
        .map(|spec| (&*spec.name, spec.parts.iter().map(|part| &**part).collect()))
        .collect();
    let cells = vec!["us_cell_1", "us_cell_2"];
    assert_eq!(parts, [("azure", vec!["Tag"]), ("office", vec![]), ("okta", cells)]);
    assert!(std::sync::Arc::ptr_eq(&a.plan, &b.plan), "tenants that say nothing share their plan");
}

#[test]
fn what_would_widen_access_is_a_problem() {
    for (text, wanted) in [
        (
            "upstream: { url: \"http://{tenant}.internal/s\" }\nlisten: { base_path: /s }\ntenants: { resolve: [{ path: \"/t/{tenant}\" }], unknown: defaults }",
            "c.yaml:1:18: upstream.url: with `tenants.unknown: defaults` whoever calls would choose the host",
        ),
        (
            "upstream: { url: \"http://a/s\" }\ntenants: { list: { default: { upstream_authorization: \"Bearer ${SECRET}\" } } }",
            "c.yaml:2:55: warning: tenants.list.default.upstream_authorization: it is not used for a tenant without `tokens`",
        ),
        (
            "upstream: { url: \"http://a/s\" }\ntenants: { defaults: { upstream_authorization: \"Bearer ${SECRET}\" } }",
            "c.yaml:2:48: warning: tenants.defaults.upstream_authorization: it is not used for a tenant without `tokens`",
        ),
        (
            "upstream: { url: \"http://a/s\" }\nlisten: { client_address: { trusted_proxies: [\"::ffff:0.0.0.0/96\"] } }",
            "c.yaml:2:47: warning: listen.client_address.trusted_proxies[0]: ::ffff:0.0.0.0/96 is every address",
        ),
    ] {
        let said = lines(&read(text, Purpose::Check, &Overrides::default()).1);
        assert!(said.lines().any(|line| line.starts_with(wanted)), "{text}\nwanted {wanted}\nsaid   {said}");
    }
}

#[test]
fn spellings_of_numbers_stay_what_they_are() {
    let hash = "1".repeat(64);
    let text = format!("tenants: {{ resolve: [token], list: {{ 007: {{ tokens: [{{ sha256: {hash} }}] }} }} }}");
    assert!(said(&text).lines().all(|line| line.contains(": warning: ")), "{}", said(&text));
    assert!(!said("listen: { tls: { certificate: a, private_key: b, min_version: 1.2 } }").contains("min_version"));
}

#[test]
fn hostile_files_end_soon() {
    let start = std::time::Instant::now();
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..30 {
        let row = vec![format!("*a{}", i - 1); 9].join(",");
        bomb.push_str(&format!("a{i}: &a{i} [{row}]\n"));
    }
    let deep = "[".repeat(500_000);
    let deep_block: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i % 400))).collect();
    let quirks: String = (0..60_000).map(|i| format!(" patch-op-{i}: 1\n")).collect();
    let quirks = format!("normalize:\n quirks:\n{}", quirks.replace(" patch", "  patch"));
    let wide: String = (0..90_000).map(|i| format!("k{i}: 1\n")).collect();
    for text in [
        bomb,
        deep,
        deep_block,
        wide,
        quirks,
        "&a [*a]".into(),
        "a: *none".into(),
        "--- a\n--- b".into(),
        "? [a, b]\n: c".into(),
    ] {
        assert!(serve(&text).is_err());
    }
    // Some seconds on an idle machine; what is not bounded takes hours.
    assert!(start.elapsed() < Duration::from_secs(300), "{:?}", start.elapsed());
}

#[test]
fn a_secret_in_a_file_ends_before_its_line_break() {
    let folder = std::env::temp_dir().join(format!("scimshim-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    std::fs::write(folder.join("token"), "Bearer x\n").expect("a file for the test");
    std::fs::write(folder.join("lines"), "a\nb\n").expect("a file for the test");
    let secret = types::Secret::File("token".into());
    assert_eq!(secret.read(&folder, &env).expect("it is there").expose(), "Bearer x");
    let text = "upstream: { url: \"http://a/\" }\ntenants: { defaults: { upstream_authorization: { file: lines } } }\n";
    let mut problems = Problems::new(Path::new("c.yaml"), Purpose::Serve);
    let doc = document::parse(text, &env, &mut problems).expect("YAML");
    settings_of(&doc, &folder, &world(), &mut problems);
    let said = lines(&problems.into_list());
    std::fs::remove_dir_all(&folder).expect("the test's own folder");
    assert!(said.contains("the secret has characters that no header can hold"), "{said}");
}

proptest! {
    #[test]
    fn no_slip_in_a_full_file_panics(line in 0..145usize, at in 0..60usize, cut in 0..8usize, put in "\\PC{0,8}") {
        let text = std::fs::read_to_string(contract("full.yaml")).expect("a copy of the contract");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = line % lines.len();
        let mut chars: Vec<char> = lines[line].chars().collect();
        let at = at.min(chars.len());
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, put.chars());
        lines[line] = chars.into_iter().collect();
        let (_, problems) = read(&lines.join("\n"), Purpose::Check, &Overrides::default());
        prop_assert!(problems.iter().all(|p| p.line > 0 || p.key == "upstream.url"));
        prop_assert!(problems.iter().all(|p| !p.to_string().contains('\n')));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = serve(&text);
    }

    #[test]
    fn no_value_panics(value in "[-a-z0-9:/{}$.\\[\\] \"']{0,24}", key in 0..12usize) {
        let key = [
            "upstream: { url: ", "listen: { address: ", "listen: { base_path: ", "threads: ", "retry_after: { floor: ",
            "listen: { limits: { body: ", "tenants: { resolve: ", "feeds: { x: ", "normalize: { quirks: ",
            "tenants: { list: { a: { tokens: [{ expires: ", "log: { level: ", "admin: { token: ",
        ][key];
        let open = key.matches(['{', '[']).count();
        let close: String = key.chars().rev().filter_map(|c| match c { '{' => Some('}'), '[' => Some(']'), _ => None }).collect();
        prop_assert_eq!(open, close.len());
        let _ = serve(&format!("{key}{value}{close}"));
        let _ = serve(&format!("{key}\"{}\"{close}", value.replace('"', "")));
    }
}

/// A folder with a certificate (`tls.crt`, `tls.key`), a key that is not its (`other.key`), and what is no PEM
/// (`empty.pem`, `broken.pem`).
struct Pems(PathBuf);

impl Pems {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("scimshim-config-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = rcgen::generate_simple_self_signed(["scim.example.com".to_owned()]).expect("a certificate");
        let other = rcgen::KeyPair::generate().expect("a key");
        for (file, text) in [
            ("tls.crt", made.cert.pem()),
            ("tls.key", made.signing_key.serialize_pem()),
            ("other.key", other.serialize_pem()),
            ("empty.pem", String::new()),
            ("broken.pem", "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n".to_owned()),
        ] {
            std::fs::write(folder.join(file), text).expect("a file");
        }
        Self(folder)
    }

    /// What is said of `text`, in which `@` is the folder.
    fn said(&self, text: &str) -> String {
        said(&text.replace('@', &self.0.display().to_string())).replace(&*self.0.display().to_string(), "@")
    }
}

impl Drop for Pems {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn certificates_and_keys_are_looked_into() {
    let pems = Pems::new("looked-into");
    for (text, wanted) in [
        ("listen: { tls: { certificate: @/tls.crt, private_key: @/tls.key, client_ca: @/tls.crt } }", ""),
        (
            "listen: { tls: { certificate: @/tls.crt, private_key: @/other.key } }",
            "listen.tls.private_key: @/other.key is not the key of @/tls.crt; write the certificate and the key that were made together",
        ),
        (
            "listen: { tls: { certificate: @/tls.key, private_key: @/tls.key } }",
            "listen.tls.certificate: @/tls.key: it holds no certificate; write the chain in PEM",
        ),
        (
            "listen: { tls: { certificate: @/broken.pem, private_key: @/tls.key } }",
            "listen.tls.certificate: @/broken.pem: what stands in a PEM section is not base64; ",
        ),
        (
            "listen: { tls: { certificate: @/tls.crt, private_key: @/tls.crt } }",
            "listen.tls.private_key: @/tls.crt: it holds no key that can be read; write an RSA, ECDSA or Ed25519 key in PEM",
        ),
        (
            "listen: { tls: { certificate: @/tls.crt, private_key: @/tls.key, client_ca: @/empty.pem } }",
            "listen.tls.client_ca: @/empty.pem: it holds no certificate; write the CA's certificates in PEM",
        ),
        (
            "listen: { tls: { certificate: @/none.pem, private_key: @/other.key } }",
            "warning: listen.tls.certificate: @/none.pem cannot be read: no such file; put the file there",
        ),
    ] {
        let said = pems.said(text);
        assert_eq!(said.is_empty(), wanted.is_empty(), "{text}: {said}");
        assert!(said.contains(wanted) && said.lines().count() <= 1, "{text}\nwanted {wanted}\nsaid   {said}");
        assert!(wanted.is_empty() || said.starts_with("c.yaml:2:"), "{said}");
    }
}

#[test]
fn what_is_shown_to_the_app_is_looked_into() {
    let pems = Pems::new("upstream");
    for (text, wanted) in [
        ("{ ca: @/tls.crt, client_certificate: @/tls.crt, client_private_key: @/tls.key }", ""),
        ("{ ca: @/empty.pem }", "upstream.tls.ca: @/empty.pem: it holds no certificate; "),
        (
            "{ client_certificate: @/tls.crt, client_private_key: @/other.key }",
            "upstream.tls.client_private_key: @/other.key is not the key of @/tls.crt; ",
        ),
    ] {
        let whole = |text: &str| lines(&read(text, Purpose::Check, &Overrides::default()).1);
        let yaml = |scheme| format!("upstream: {{ url: \"{scheme}://app/scim\", tls: {text} }}");
        let path = pems.0.display().to_string();
        let secure = whole(&yaml("https").replace('@', &path)).replace(&path, "@");
        assert_eq!(secure.is_empty(), wanted.is_empty(), "{text}: {secure}");
        assert!(secure.contains(wanted), "{text}\nwanted {wanted}\nsaid   {secure}");
        let plain = whole(&yaml("http").replace('@', &path));
        assert!(plain.contains("warning: upstream.tls: it has no effect"), "{plain}");
    }
}
