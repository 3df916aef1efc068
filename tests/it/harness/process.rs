//! The shim as it ships: a child process whose log and standard output are kept. What is global to a process, such as
//! the log and the exporter of traces, can be tested only so.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::free_port;

const PATIENCE: Duration = Duration::from_secs(30);

/// `scimshim serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Kept,
    out: Kept,
}

impl Process {
    /// Starts it with a configuration and variables, and waits until it listens.
    pub(crate) fn start(config: &Path, variables: &[(&str, &str)]) -> Self {
        let [data, admin] = [free_port(), free_port()].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self::start_at(data, admin, config, variables)
    }

    /// The same on ports that are known, as after a restart.
    pub(crate) fn start_at(data: SocketAddr, admin: SocketAddr, config: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_below(&[], data, admin, config, variables)
    }

    /// The same below a program that hands over to it in the same process, such as `prlimit`.
    pub(crate) fn start_below(
        above: &[&str],
        data: SocketAddr,
        admin: SocketAddr,
        config: &Path,
        variables: &[(&str, &str)],
    ) -> Self {
        let binary = binary();
        let mut command = above.iter().map(OsStr::new).chain([binary.as_os_str()]);
        let mut child = Command::new(command.next().expect("a program"))
            .args(command)
            .arg("serve")
            .arg(config)
            .args(["--listen", &data.to_string(), "--admin", &admin.to_string()])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (log, out) = (Kept::of(child.stderr.take().unwrap()), Kept::of(child.stdout.take().unwrap()));
        let mut process = Self { child, data, admin, log, out };
        let began = Instant::now();
        // Each port on its own: the second is bound a moment after the first.
        while [data, admin].iter().any(|port| TcpStream::connect(port).is_err()) {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "it does not listen: {}", process.log());
            thread::sleep(Duration::from_millis(20));
        }
        process
    }

    /// Its process.
    #[allow(dead_code, reason = "only the tests that are programs of their own look at it from outside")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Sends it a signal, such as `TERM`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM and waits; everything that it has logged, and has written to standard output.
    #[cfg(unix)]
    pub(crate) fn stopped(mut self) -> (String, String) {
        self.signal("TERM");
        self.ended();
        for kept in [&mut self.log, &mut self.out] {
            kept.reader.take().unwrap().join().unwrap();
        }
        (self.log.text(), self.out.text())
    }
}

/// The program: the one that was built with the test, or another build of it that `SHIM_BINARY` names.
fn binary() -> OsString {
    env::var_os("SHIM_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_scimshim").into())
}

/// Sends a child a signal.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes out of a pipe; a pipe that nobody reads would stop its writer.
struct Kept {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Kept {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut piece = [0; 1 << 16];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                into.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}
