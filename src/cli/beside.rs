//! What runs beside the shim in its pod, such as a hook of the kubelet: where the admin port is, and how it is asked.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime, task, time};

use crate::config::{
    self, Overrides, World,
    types::{Period, SecretText},
};

/// Which shim is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The configuration that the shim runs with: it says where the admin port is, and the token for it
    #[arg(env = "SCIMSHIM_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// The admin port of the shim, which wins over the configuration [default: 127.0.0.1:7644]
    #[arg(long, env = "SCIMSHIM_ADMIN", value_name = "ADDR", value_parser = super::serve::address)]
    admin: Option<String>,
}

/// A shim on this machine.
pub(super) struct Beside {
    /// Tried in turn.
    addresses: Vec<SocketAddr>,
    token: Option<SecretText>,
}

/// What it said.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7644);

/// The shim is on this machine, and its admin port does nothing that takes long.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any page that is asked for here.
const LONGEST: usize = 1 << 20;

impl Which {
    /// Where it is. A configuration that cannot be read is told of, and then the flag or the usual port is taken: a pod
    /// that ends has to drain all the same.
    pub(super) fn find(&self) -> Beside {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let overrides = Overrides { admin: said(&self.admin), ..Overrides::default() };
        let flag = overrides.admin.as_ref().and_then(|text| text.parse().ok());
        let path = self.config.as_deref().filter(|path| !path.as_os_str().is_empty());
        let found = path.map(|path| config::operators(path, &overrides, &World::real()));
        let (address, token) = match found {
            None => (flag.unwrap_or(USUAL), None),
            Some(Ok(found)) => {
                found.problems.iter().for_each(|problem| say(problem));
                (flag.unwrap_or(found.address), found.token)
            }
            Some(Err(problems)) => {
                problems.iter().for_each(|problem| say(&problem.to_string()));
                let address = flag.unwrap_or(USUAL);
                say(&format!("warning: the admin port is not known from the configuration; asking {address}"));
                (address, None)
            }
        };
        Beside { addresses: reachable(address), token }
    }
}

impl Beside {
    /// Asks once, and waits for the answer no longer than that, nor than is sensible.
    ///
    /// # Errors
    /// Nobody answers there.
    pub(super) async fn ask(&self, method: Method, path: &str, patience: Duration) -> anyhow::Result<Said> {
        let asked = time::timeout(patience.min(PATIENCE), self.exchange(method, path)).await;
        asked.map_err(anyhow::Error::from).flatten().with_context(|| {
            let address = self.addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" or ");
            format!("no scimshim answers at {address}; name its admin port with --admin, or its configuration")
        })
    }

    async fn exchange(&self, method: Method, path: &str) -> anyhow::Result<Said> {
        let stream = TcpStream::connect(&self.addresses[..]).await?;
        // A loopback name: that is how the admin port knows that nobody was led there.
        let host = stream.peer_addr()?.to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = task::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, host);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(anyhow::Error::from_boxed)?;
        connection.abort();
        Ok(Said { status, text: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
    }
}

/// A runtime for one question after the other.
pub(super) fn runtime() -> anyhow::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")
}

/// One line on stderr.
pub(super) fn say(text: &str) {
    // stderr may be closed; there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A duration as the configuration writes it.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    text.parse::<Period>().map(|period| period.0)
}

/// Where a port is called that listens on every address. `[::]` is every address of IPv4 too, and on many nodes that is the
/// only loopback there is.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![at(Ipv4Addr::LOCALHOST.into())],
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![at(Ipv6Addr::LOCALHOST.into()), at(Ipv4Addr::LOCALHOST.into())]
        }
        ip => vec![at(ip)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_every_address_is_called_on_loopback() {
        for (listens, called) in [
            ("0.0.0.0:7644", &["127.0.0.1:7644"][..]),
            ("[::]:7644", &["[::1]:7644", "127.0.0.1:7644"]),
            ("127.0.0.1:1", &["127.0.0.1:1"]),
            ("10.0.0.7:7644", &["10.0.0.7:7644"]),
        ] {
            let called: Vec<SocketAddr> = called.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(reachable(listens.parse().unwrap()), called);
        }
    }
}
