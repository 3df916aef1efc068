//! Names of apps: looked up by the system, each by one thread at a time, and no longer than a connection may take.
//!
//! The system's look-up blocks a thread, and where the name server is silent it does so for ten seconds and more, whoever
//! has stopped waiting. Threads are few, and large bodies need them too. So whoever asks for a name that is being looked
//! up waits for the same answer, and all names together have half of the threads.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tokio::{
    sync::{Semaphore, watch},
    time,
};
use tower::Service;

use super::serve::BLOCKING;

/// What the system said, as text where it said no: an error cannot be given to many.
type Found = Option<Result<Vec<SocketAddr>, String>>;

/// Looks names up.
#[derive(Debug, Clone)]
pub(crate) struct Names(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    patience: Duration,
    under_way: Mutex<HashMap<Name, watch::Receiver<Found>>>,
    threads: Arc<Semaphore>,
}

impl Names {
    /// Whoever asks waits for `patience` at most.
    pub(crate) fn new(patience: Duration) -> Self {
        let threads = Arc::new(Semaphore::new(BLOCKING / 2));
        Self(Arc::new(Shared { patience, under_way: Mutex::default(), threads }))
    }
}

impl Shared {
    /// What is being found, or begins to be.
    fn find(self: &Arc<Self>, name: Name) -> watch::Receiver<Found> {
        match self.under_way().entry(name.clone()) {
            // One that nobody will tell is none.
            Entry::Occupied(other) if other.get().has_changed().is_ok() => other.get().clone(),
            place => {
                let (tell, found) = watch::channel(None);
                place.insert_entry(found.clone());
                tokio::spawn(Arc::clone(self).look_up(name, tell));
                found
            }
        }
    }

    async fn look_up(self: Arc<Self>, name: Name, tell: watch::Sender<Found>) {
        let turn = self.threads.acquire().await;
        let found = GaiResolver::new().call(name.clone()).await;
        drop(turn);
        // Whoever asks from here on asks anew.
        self.under_way().remove(&name);
        tell.send_replace(Some(found.map(Iterator::collect).map_err(|error| error.to_string())));
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Name, watch::Receiver<Found>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = Arc::clone(&self.0);
        Box::pin(async move {
            let mut found = names.find(name);
            let found = time::timeout(names.patience, found.wait_for(Option::is_some)).await;
            let found =
                found.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the name server did not answer in time"))?;
            let found = found.map_err(|_| io::Error::other("the look-up was given up"))?;
            match found.as_ref().expect("it was waited for") {
                Ok(addresses) => Ok(addresses.clone().into_iter()),
                Err(error) => Err(io::Error::other(error.clone())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_at_once_gets_one_answer() {
        let names = Names::new(Duration::from_secs(30));
        let name: Name = "localhost".parse().unwrap();
        let (first, second) = (names.0.find(name.clone()), names.0.find(name.clone()));
        assert!(first.same_channel(&second));
        let found = names.clone().call(name).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        assert!(names.0.under_way().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_told() {
        let mut names = Names::new(Duration::from_millis(10));
        // All threads are in use, as by a name server that is silent.
        let threads = Arc::clone(&names.0.threads);
        let all = threads.acquire_many((BLOCKING / 2) as u32).await.unwrap();
        let error = names.call("localhost".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(all);
    }
}
