//! What stands before pods: connections go to those that say that they are ready, in turn. Who became unready gets no new
//! ones from the next look on; those that it has stay.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime, time,
};

/// Between two looks at `/readyz`: endpoints follow readiness with a delay.
const LOOK: Duration = Duration::from_millis(200);

/// A pod, by its two ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pod {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// Runs for the rest of the process.
pub(crate) fn balance(pods: Vec<Pod>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { run(TcpListener::from_std(listener).unwrap(), pods).await });
    });
    address
}

async fn run(listener: TcpListener, pods: Vec<Pod>) {
    let ready: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let seen = Arc::clone(&ready);
    tokio::spawn(async move {
        loop {
            let mut now = Vec::new();
            for pod in &pods {
                let was = seen.lock().unwrap().contains(&pod.data);
                if is_ready(pod.admin).await.unwrap_or(was) {
                    now.push(pod.data);
                }
            }
            *seen.lock().unwrap() = now;
            time::sleep(LOOK).await;
        }
    });
    for turn in 0_usize.. {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let pods = loop {
            let pods = ready.lock().unwrap().clone();
            if !pods.is_empty() {
                break pods;
            }
            time::sleep(LOOK).await;
        };
        tokio::spawn(async move {
            for step in 0..pods.len() {
                if let Ok(mut pod) = TcpStream::connect(pods[(turn + step) % pods.len()]).await {
                    let _ = (client.set_nodelay(true), pod.set_nodelay(true));
                    let _ = copy_bidirectional(&mut client, &mut pod).await;
                    return;
                }
            }
        });
    }
}

/// `None` where it took too long to say.
async fn is_ready(admin: SocketAddr) -> Option<bool> {
    let ask = async {
        let mut stream = TcpStream::connect(admin).await.ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(answer.starts_with(b"HTTP/1.1 200"))
    };
    time::timeout(Duration::from_secs(1), ask).await.ok().map(|said| said == Some(true))
}
