//! A suite that is not ours against a server that is not ours: scim2-tester and scim2-server from PyPI, directly and
//! through the shim. The server is compliant, so the shim must not be noticed: same verdict on every check.
//!
//! Needs the packages of `tests/outside/requirements.txt` in the Python that `SCIMSHIM_PYTHON` names (else `python3`).
//! Without them the test is skipped and says so; `SCIMSHIM_REQUIRE=all` makes the skip a failure.

use std::{
    collections::BTreeMap,
    env,
    io::{self, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{corpus::wire::Shim, harness::free_port};

const TOKEN: &str = "outside-test";
/// Below it the suite has not run as a whole; version 0.5.2 has 135 checks against this server.
const CHECKS: usize = 100;

#[test]
fn a_public_suite_does_not_notice_the_shim() {
    let Some(python) = python() else { return };
    let direct = {
        let server = Server::start(&python);
        verdicts(&python, &format!("http://127.0.0.1:{}/v2", server.port))
    };
    let through = {
        let server = Server::start(&python);
        let shim = Shim::start(&format!("http://127.0.0.1:{}/v2", server.port), "");
        verdicts(&python, &format!("{}/v2", shim.origin()))
    };
    assert!(direct.len() >= CHECKS, "only {} checks ran", direct.len());
    let differ: Vec<_> = direct
        .keys()
        .chain(through.keys())
        .filter(|check| direct.get(*check) != through.get(*check))
        .map(|check| format!("{check}: directly {:?}, through the shim {:?}", direct.get(check), through.get(check)))
        .collect();
    assert!(differ.is_empty(), "{} of {} checks differ:\n{}", differ.len(), direct.len(), differ.join("\n"));
}

/// A Python that has the packages.
fn python() -> Option<String> {
    let python = env::var("SCIMSHIM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import scim2_tester, scim2_server, httpx2"]).output();
    let why = match probe {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("no reason given").to_owned(),
        Err(error) => error.to_string(),
    };
    let message =
        format!("{python}: {why}; pip install -r tests/outside/requirements.txt, and name it in SCIMSHIM_PYTHON");
    assert!(env::var("SCIMSHIM_REQUIRE").as_deref() != Ok("all"), "the outside suite must run, but {message}");
    // Not eprintln, which the test harness swallows when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED a_public_suite_does_not_notice_the_shim: {message}");
    None
}

fn verdicts(python: &str, base: &str) -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/check.py");
    let output = Command::new(python).arg(script).args([base, TOKEN]).output().expect("python starts");
    assert!(output.status.success(), "the suite broke off at {base}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("verdicts as JSON")
}

/// A fresh scim2-server; killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(python: &str) -> Self {
        let port = free_port();
        let mut child = Command::new(python)
            .args(["-c", "from scim2_server.testserver.cli import main; main()"])
            .args(["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", TOKEN])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python starts");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().expect("a child of ours");
            assert!(ended.is_none() && started.elapsed() < Duration::from_secs(30), "scim2-server does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
