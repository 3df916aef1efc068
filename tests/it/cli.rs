//! The binary as a user calls it: exit codes, one-line errors, output that a closed pipe does not upset.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{corpus::cases, harness::closed_port};

/// Without the flags that the environment may hold.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimshim"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SCIMSHIM_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// What comes of the binary with `input` on its standard input.
pub(crate) fn scimshim(args: &[&str], input: &str) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    // A command that does not read its input closes it early.
    let _ = writer.join();
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn version_names_commit_and_target() {
    let version = stdout(&scimshim(&["--version"], ""));
    let (name, rest) = version.trim().split_once(" (").expect("a parenthesis");
    assert_eq!(name, concat!("scimshim ", env!("CARGO_PKG_VERSION")));
    let (commit, target) = rest.trim_end_matches(')').split_once(", ").expect("two parts");
    assert!(commit == "unknown" || commit.len() >= 7, "{version}");
    assert!(target.matches('-').count() >= 2, "{version}");
}

#[test]
fn usage_errors_are_one_line_and_exit_2() {
    for args in [
        &["--no-such-flag"][..],
        &["serve"],
        &["serve", "--upstraem", "x"],
        &["quirk", "--format", "xml"],
        &["explain", "--enable", "no-such-quirk"],
        &["explain", "--jsonl", "--method", "PUT"],
        &["check"],
        &["serve", "--upstream", "http://127.0.0.1:1/scim", "--listen", "7643"],
    ] {
        let output = scimshim(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn other_errors_exit_1() {
    for args in [
        &["quirk", "no-such-quirk"][..],
        &["explain", "/no/such/file"],
        &["explain"],
        &["serve", "--upstream", "nonsense"],
    ] {
        let output = scimshim(args, "");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    for command in ["serve", "demo", "check", "explain", "quirk", "risk", "inject", "schema", "completions", "man"] {
        let output = scimshim(&[command, "--help"], "");
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(stdout(&output).contains(&format!("scimshim {command}")), "{command}");
        assert!(stdout(&output).contains("Example"), "{command}");
    }
}

#[test]
fn explain_answers_line_by_line_in_order() {
    let cases: Vec<_> = cases("requests").into_iter().chain(cases("responses")).collect();
    let mut input: String = cases.iter().map(|case| format!("{case}\n")).collect();
    input.insert_str(0, "{\"id\": \"half\n");
    let output = scimshim(&["explain", "--jsonl"], &input);
    assert_eq!(output.status.code(), Some(1), "one line is broken");
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), cases.len() + 1);
    assert!(lines[0]["error"].is_string());
    for (line, case) in lines[1..].iter().zip(&cases) {
        assert_eq!(line["id"], case["id"]);
        for key in ["unchanged", "fixes", "observed", "refused"] {
            assert!(line.get(key).is_some(), "{}: no {key}", case["id"]);
        }
        let part = if case.get("response").is_some() { "response" } else { "request" };
        assert!(line.get(part).is_some(), "{}: no {part}", case["id"]);
    }
}

#[test]
fn a_case_in_a_file_is_explained_to_a_person() {
    let file = env::temp_dir().join(format!("scimshim-case-{}.json", std::process::id()));
    let case =
        cases("responses").into_iter().find(|case| case["quirks"] == serde_json::json!([])).expect("a quiet case");
    std::fs::write(&file, format!("{case:#}")).expect("a temporary file");
    let output = scimshim(&["explain", file.to_str().expect("a plain path")], "");
    std::fs::remove_file(&file).expect("our file");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("unchanged: goes on as sent"), "{}", stdout(&output));
}

#[test]
fn the_schema_is_json() {
    let schema: Value = serde_json::from_str(&stdout(&scimshim(&["schema"], ""))).expect("JSON");
    assert!(schema["$schema"].is_string());
}

#[test]
fn numbers_pass_through_explain_digit_by_digit() {
    let case = r#"{"id":"n","request":{"method":"PUT","target":"/Users/1","headers":{"content-type":"application/scim+json"},"body":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","urn:x:y":{"big":12345678901234567890123,"money":1.10,"e":1E400}}}}"#;
    let output = scimshim(&["explain", "--jsonl"], case);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains(r#"{"big":12345678901234567890123,"money":1.10,"e":1E400}"#),
        "{}",
        stdout(&output)
    );
}

#[test]
fn explain_tells_a_person_what_a_body_was_taken_for() {
    let output = scimshim(
        &["explain", "--idp", "entra"],
        r#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#,
    );
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("taken as PATCH /Users/1, profile entra\n"), "{}", stdout(&output));
    assert!(!stdout(&output).contains('\x1b'), "no colour into a pipe");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    for args in [&["quirk"][..], &["quirk", "--format", "json"], &["man"], &["completions", "bash"], &["--help"]] {
        let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        assert!(output.stderr.is_empty(), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn the_catalogue_speaks_json() {
    let all: Value = serde_json::from_str(&stdout(&scimshim(&["quirk", "--format", "json"], ""))).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(scimshim::quirk::ALL.len()));
    let one: Value =
        serde_json::from_str(&stdout(&scimshim(&["quirk", "bool-string", "--format", "json"], ""))).expect("JSON");
    assert_eq!(
        (&one["id"], &one["direction"], &one["default"]),
        (&"bool-string".into(), &"both".into(), &"fix".into())
    );
}

#[test]
fn completions_and_manual_name_every_command() {
    let man = stdout(&scimshim(&["man"], ""));
    let bash = stdout(&scimshim(&["completions", "bash"], ""));
    for command in ["serve", "demo", "check", "explain", "quirk", "risk", "inject", "schema", "completions", "man"] {
        assert!(man.contains(&format!(".SH {}", command.to_uppercase())), "{command}");
        assert!(bash.contains(command), "{command}");
    }
}

/// The demo judges each step as the identity provider would, and fails if one does not pass through the shim.
#[test]
fn the_demo_passes() {
    let output = scimshim(&["demo", "--once"], "");
    assert_eq!(output.status.code(), Some(0), "{}\n{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "no line is wider than 100 columns");
    assert!(text.contains("Entra") && text.contains("Okta"));
}

/// Whoever reads the log may go away, and a disk may be full: that is no reason to stop answering.
#[cfg(unix)]
mod a_log_that_nobody_takes {
    use std::{
        fs::File,
        io::{BufRead, BufReader, Read},
        net::{SocketAddr, TcpStream},
        process::Child,
        time::{Duration, Instant},
    };

    use super::*;

    /// Ends with its test, also when that fails.
    struct Served(Child);

    impl Drop for Served {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Serves before nobody, at the address that is returned.
    fn serve(stderr: Stdio) -> (Served, SocketAddr) {
        let (data, admin) = (closed_port(), closed_port());
        let (listen, admin) = (data.to_string(), admin.to_string());
        let upstream = format!("http://{}/scim/v2", closed_port());
        let child = command(&["serve", "--upstream", &upstream, "--listen", &listen, "--admin", &admin])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        (Served(child), data)
    }

    fn ask(at: SocketAddr, text: &str) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        let mut stream = loop {
            match TcpStream::connect(at) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream.write_all(text.as_bytes()).expect("it listens");
        let mut said = String::new();
        // A reset after the answer is its own business.
        let _ = stream.read_to_string(&mut said);
        said
    }

    fn serves_and_stops(mut served: Served, at: SocketAddr) {
        for (text, status) in [
            ("GET /elsewhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 404"),
            ("GET /elsewhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 404"),
            ("GET /scim/v2/Users\r\n\r\n", "HTTP/1.1 400"),
        ] {
            let said = ask(at, text);
            assert!(said.starts_with(status), "{text:?}: {said:?}");
        }
        let kill = Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().expect("kill");
        assert!(kill.success());
        assert_eq!(served.0.wait().expect("it ends").code(), Some(0));
    }

    #[test]
    fn behind_a_pipe_that_was_closed() {
        let (mut child, at) = serve(Stdio::piped());
        let mut stderr = BufReader::new(child.0.stderr.take().expect("a pipe"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("it says that it serves");
        assert!(line.contains("serving"), "{line}");
        drop(stderr);
        serves_and_stops(child, at);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn on_a_disk_that_is_full() {
        let full = File::options().write(true).open("/dev/full").expect("the device");
        let (child, at) = serve(full.into());
        serves_and_stops(child, at);
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    const URL: &str = "http://user:hunter2@app/scim";
    for args in [&["serve", "--upstream", URL][..], &["serve", URL]] {
        let output = scimshim(args, "");
        assert_ne!(output.status.code(), Some(0));
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
    }
    for (args, name) in [
        (&["serve", "--help"][..], "SCIMSHIM_UPSTREAM"),
        (&["serve"], "SCIMSHIM_UPSTREAM"),
        (&["serve", "--help"], "SCIMSHIM_CONFIG"),
        (&["serve"], "SCIMSHIM_CONFIG"),
    ] {
        let output = command(args).env(name, URL).output().expect("it ends");
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.contains("hunter2"), "{name}: {said}");
    }
}

#[test]
fn only_problems_are_counted_as_problems() {
    let file = env::temp_dir().join(format!("scimshim-config-{}.yaml", std::process::id()));
    let warned = "listen: { limits: { body_timeout: 60s } }\n";
    for (text, last) in [
        (
            format!("upstream: {{ url: nonsense, hold: soon }}\n{warned}"),
            "mend the 2 problems above (warnings stop nothing)",
        ),
        (format!("upstream: {{ url: nonsense }}\n{warned}"), "write a URL such as `http://127.0.0.1:8080/scim/v2`"),
    ] {
        std::fs::write(&file, text).expect("a temporary file");
        let output = scimshim(&["serve", file.to_str().expect("a plain path")], "");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.trim_end().ends_with(last), "{said}");
        assert!(said.contains(": warning: listen.limits.body_timeout"), "{said}");
    }
    std::fs::remove_file(&file).expect("our file");
}

/// A process that has as many connections as files answers no probe.
#[cfg(unix)]
#[test]
fn idle_connections_leave_files_for_the_probes() {
    let (data, admin) = (closed_port(), closed_port());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 300 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_scimshim"), "serve"]);
    shell.args(["--upstream", "http://127.0.0.1:9/scim/v2"]);
    shell.args(["--listen", &data.to_string(), "--admin", &admin.to_string()]);
    let mut child = shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let alive = || {
        let mut probe = TcpStream::connect(admin)?;
        probe.set_read_timeout(Some(Duration::from_secs(2)))?;
        probe.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")?;
        let mut answer = String::new();
        probe.read_to_string(&mut answer).map(|_| answer.starts_with("HTTP/1.1 200"))
    };
    let started = (0..250).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        alive().is_ok_and(|alive| alive)
    });
    // At its limit the shim leaves them to the system, whose queue ends too.
    let idle: Vec<_> =
        (0..320).map_while(|_| TcpStream::connect_timeout(&data, Duration::from_millis(200)).ok()).collect();
    let still = alive();
    drop(idle);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(started);
    assert!(still.expect("an answer"));
}
