//! Ports for programs that must be told theirs before they bind it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below what Linux gives to sockets that ask for any port (32768 and up): what listens on port 0 in another test, and
/// what connects from there, takes none of these between our look and the program's bind.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A port that nobody listens on, and that no other call in this process gets.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes at a time begin in different places.
    let begin = std::process::id().wrapping_mul(499);
    let ports = RANGE.end - RANGE.start;
    for _ in 0..ports {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = RANGE.start + (begin.wrapping_add(step.into()) % u32::from(ports)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {RANGE:?} is free");
}

/// An address at which nobody listens, until the test does.
pub(crate) fn closed_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}
