//! A server of documents, for feeds.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread::{self, sleep},
    time::Duration,
};

/// A server of documents: each request gets what it says at that time.
pub(crate) struct Source {
    address: SocketAddr,
    says: Arc<Mutex<Vec<u8>>>,
}

impl Source {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, says) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let words = Arc::clone(&says);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), words) = (stream, Arc::clone(&words)) else { continue };
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 4096]);
                    let words = words.lock().unwrap().clone();
                    if words.is_empty() {
                        // A server that has nothing to say keeps its caller waiting.
                        sleep(Duration::from_secs(5));
                    }
                    let _ = stream.write_all(&words);
                });
            }
        });
        Self { address, says }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn says(&self, words: Vec<u8>) {
        *self.says.lock().unwrap() = words;
    }
}

/// A whole answer.
pub(crate) fn document(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The caller's range and so many others.
pub(crate) fn list(others: usize) -> Vec<u8> {
    let mut text = "198.51.100.0/24\n".to_owned();
    for number in 0..others {
        text.push_str(&format!("100.{}.{}.0/24\n", 64 + number / 256, number % 256));
    }
    document("200 OK", "text/plain", &text)
}
