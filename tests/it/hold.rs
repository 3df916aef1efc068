//! Who waits for an app that is away: in what order they go in, how many, and whose place is whose.

use std::time::Duration;

use scimshim::config::{Settings, settings::Outside};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::harness::{Act, Answer, App, Client, Raw, Shim, ask, closed_port, eventually, read, settings};

const JSON: (&str, &str) = ("content-type", "application/scim+json");
const CHECK: &str = "/scim/v2/Users?filter=userName%20eq%20%22nobody%22";

async fn write(data: std::net::SocketAddr, id: usize) -> Answer {
    ask(data, "PUT", &format!("/scim/v2/Users/{id}"), &[JSON], "{}").await
}

/// Writes that wait, the lower ids first.
async fn writes(shim: &Shim, ids: std::ops::Range<usize>) -> Vec<JoinHandle<Answer>> {
    let data = shim.data;
    let mut held = Vec::new();
    for id in ids {
        let before = shim.metric("scimshim_held", &[]).await;
        held.push(tokio::spawn(write(data, id)));
        shim.counts("scimshim_held", &[], before + 1.0).await;
    }
    held
}

fn place(app: &App, target: &str) -> usize {
    app.seen().iter().position(|seen| seen.target == target).unwrap_or_else(|| panic!("{target} did not come"))
}

/// With time for many to come, on a busy machine too.
fn slowly(addr: std::net::SocketAddr) -> Settings {
    let mut settings = settings(addr);
    settings.upstream.hold = Duration::from_secs(60);
    settings.listen.limits.deadline = Duration::from_secs(70);
    settings
}

#[tokio::test]
async fn a_check_goes_before_the_writes_that_came_before_it() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let data = shim.data;
    let held = writes(&shim, 0..30).await;
    let check = tokio::spawn(async move { ask(data, "GET", CHECK, &[], "").await });
    shim.counts("scimshim_held", &[], 31.0).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::from_millis(300), empty()));
    assert_eq!(check.await.unwrap().status, 200);
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    // One write tries the app for all, and three go with the check.
    assert!(place(&app, CHECK) < 4, "{:?}", app.seen().iter().map(|seen| &seen.target).collect::<Vec<_>>());
    assert_eq!(app.seen().len(), 31);
    shim.counts("scimshim_held", &[], 0.0).await;
}

#[tokio::test]
async fn a_flood_of_checks_does_not_keep_the_writes_out() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let data = shim.data;
    let held = writes(&shim, 0..2).await;
    let checks: Vec<_> = (0..60).map(|_| tokio::spawn(async move { ask(data, "GET", CHECK, &[], "").await })).collect();
    shim.counts("scimshim_held", &[], 62.0).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::from_millis(300), empty()));
    for request in held.into_iter().chain(checks) {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert!(place(&app, "/scim/v2/Users/1") < 20, "the second write came last");
}

#[tokio::test]
async fn where_there_is_no_room_a_check_takes_the_place_of_the_youngest_write() {
    let addr = closed_port();
    let mut settings = slowly(addr);
    settings.upstream.max_held = 3;
    let shim = Shim::start(settings).await;
    let data = shim.data;
    // It has called with success before.
    let idp = ("authorization", "Bearer of-the-idp");
    let listener = TcpListener::bind(addr).await.unwrap();
    let before = tokio::spawn(async move { ask(data, "GET", CHECK, &[idp, ("connection", "close")], "").await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let whole = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    tokio::io::AsyncWriteExt::write_all(&mut stream, whole.as_bytes()).await.unwrap();
    assert_eq!(before.await.unwrap().status, 200);
    drop((stream, listener));
    shim.counts("scimshim_requests_total", &[("code", "200")], 1.0).await;
    let mut held = writes(&shim, 0..3).await;
    let check = tokio::spawn(async move { ask(data, "GET", CHECK, &[idp], "").await });
    let youngest = held.pop().unwrap().await.unwrap();
    shim.refused("hold", &youngest, 503).await;
    assert!(!youngest.header("retry-after").is_empty());
    // A write takes nobody's place.
    assert_eq!(write(data, 7).await.status, 503);
    shim.counts("scimshim_held", &[], 3.0).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    assert_eq!(check.await.unwrap().status, 200);
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 3);
}

#[tokio::test]
async fn one_that_waits_tries_the_app_for_all() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let held = writes(&shim, 0..40).await;
    // Takes connections and closes them: an app that is starting, or a proxy before it.
    let listener = TcpListener::bind(addr).await.unwrap();
    let until = tokio::time::Instant::now() + Duration::from_secs(1);
    let mut knocks = 0;
    while let Ok(accepted) = tokio::time::timeout_at(until, listener.accept()).await {
        drop(accepted.unwrap());
        knocks += 1;
    }
    // Each time it opens four are let in; a pause is a quarter of a second at the end.
    assert!((1..60).contains(&knocks), "{knocks} connections in a second");
    let app = App::on(listener, |_| (Duration::ZERO, empty()));
    let mut told = Vec::new();
    for write in held {
        told.push(write.await.unwrap().status);
    }
    // What was written to a connection that closed may have been read.
    assert!(told.iter().all(|status| matches!(status, 200 | 502)), "{told:?}");
    assert_eq!(told.iter().filter(|status| **status == 200).count(), app.seen().len(), "{told:?}");
}

#[tokio::test]
async fn an_app_that_takes_and_never_answers_is_not_given_all() {
    let addr = closed_port();
    let mut settings = settings(addr);
    settings.upstream.hold = Duration::from_secs(6);
    settings.listen.limits.deadline = Duration::from_secs(12);
    let shim = Shim::start(settings).await;
    let data = shim.data;
    let held: Vec<_> = (0..60).map(|id| tokio::spawn(write(data, id))).collect();
    shim.counts("scimshim_held", &[], 60.0).await;
    let app = Raw::at(TcpListener::bind(addr).await.unwrap(), &[Act::Hang]);
    let mut told = Vec::new();
    for write in held {
        told.push(write.await.unwrap().status);
    }
    // Four, and four for each second of the hold.
    let given = app.heads().len();
    assert!((4..=32).contains(&given), "{given} were given to it");
    let count = |status| told.iter().filter(|told| **told == status).count();
    assert_eq!((count(504), count(503)), (given, 60 - given), "{told:?}");
}

#[tokio::test]
async fn what_is_in_the_app_for_long_keeps_nobody_out() {
    let addr = closed_port();
    let mut settings = slowly(addr);
    settings.upstream.hold = Duration::from_secs(8);
    let shim = Shim::start(settings).await;
    let data = shim.data;
    let slow = |seen: &crate::harness::Seen| {
        let id: usize = seen.target.rsplit('/').next().unwrap().parse().unwrap_or(99);
        (if id < 6 { Duration::from_secs(15) } else { Duration::ZERO }, empty())
    };
    let held = writes(&shim, 0..6).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), slow);
    eventually("they are in", || async { app.seen().len() >= 4 }).await;
    let check = tokio::spawn(async move { ask(data, "GET", CHECK, &[], "").await });
    assert_eq!((check.await.unwrap().status, write(data, 7).await.status), (200, 200));
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn one_that_was_in_the_app_before_it_went_stops_no_line() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let slow = writes(&shim, 0..1).await;
    let first = Raw::at(TcpListener::bind(addr).await.unwrap(), &[Act::Hang]);
    eventually("it is in", || async { !first.heads().is_empty() }).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Gone, but for the connection that it has.
    first.close();
    let held = writes(&shim, 1..4).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 3);
    slow.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn who_comes_while_others_wait_goes_behind_them() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let data = shim.data;
    let held = writes(&shim, 0..12).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::from_millis(900), empty()));
    eventually("the first are in", || async { !app.seen().is_empty() }).await;
    let late = tokio::spawn(write(data, 99));
    assert_eq!(late.await.unwrap().status, 200);
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert!(
        place(&app, "/scim/v2/Users/99") >= 9,
        "{:?}",
        app.seen().iter().map(|seen| &seen.target).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_stranger_outside_scim_takes_nobodys_place() {
    let addr = closed_port();
    let mut settings = slowly(addr);
    settings.upstream.max_held = 3;
    settings.listen.outside = Outside::Pass;
    let shim = Shim::start(settings).await;
    let data = shim.data;
    let held = writes(&shim, 0..3).await;
    // Looks like a lookup, and is none.
    let strangers: Vec<_> =
        (0..4).map(|_| tokio::spawn(async move { ask(data, "GET", "/login?count=1", &[], "").await })).collect();
    shim.counts("scimshim_held", &[], 7.0).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    for request in held.into_iter().chain(strangers) {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 7);
}

#[tokio::test]
async fn who_has_never_called_with_success_displaces_nobody() {
    let addr = closed_port();
    let mut settings = slowly(addr);
    settings.upstream.max_held = 2;
    let shim = Shim::start(settings).await;
    let held = writes(&shim, 0..2).await;
    let check = ask(shim.data, "GET", CHECK, &[("authorization", "Bearer of-nobody")], "").await;
    assert_eq!(check.status, 503);
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_lets_the_next_one_in() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    // It tries for all, and goes.
    let mut first = Client::connect(shim.data).await;
    first.request("PUT", "/scim/v2/Users/1", &[JSON], b"{}").await;
    shim.counts("scimshim_held", &[], 1.0).await;
    let held = writes(&shim, 2..4).await;
    drop(first);
    shim.counts("scimshim_held", &[], 2.0).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 2);
}

#[tokio::test]
async fn one_tenants_app_is_not_anothers() {
    let app = App::json("{}").await;
    // One port at two addresses: at the second nobody listens.
    let url = format!("http://{{tenant}}:{}/scim/v2", app.addr.port());
    let tenants = "{ resolve: [{ path: '/{tenant}' }], list: { 127.0.0.1: {}, 127.0.0.2: {} } }";
    let mut settings = read(&format!("upstream: {{ url: '{url}' }}\ntenants: {tenants}\n")).unwrap();
    settings.upstream.hold = Duration::from_secs(3);
    let shim = Shim::start(settings).await;
    let data = shim.data;
    let held = tokio::spawn(async move { ask(data, "PUT", "/127.0.0.2/scim/v2/Users/1", &[JSON], "{}").await });
    shim.counts("scimshim_held", &[], 1.0).await;
    assert_eq!(ask(data, "PUT", "/127.0.0.1/scim/v2/Users/1", &[JSON], "{}").await.status, 200);
    assert_eq!(held.await.unwrap().status, 503);
}

#[tokio::test]
async fn an_app_in_the_pod_is_not_waited_for_when_the_pod_ends() {
    let shim = Shim::start(slowly(closed_port())).await;
    let held = writes(&shim, 0..3).await;
    assert_eq!(shim.order("/drain").await.status, 200);
    for write in held {
        let said = write.await.unwrap();
        assert_eq!((said.status, said.header("connection")), (503, "close"));
        assert!(!said.header("retry-after").is_empty());
    }
    // Nor by who comes later.
    assert_eq!(write(shim.data, 9).await.status, 503);
    shim.counts("scimshim_held", &[], 0.0).await;
}

#[tokio::test]
async fn an_app_that_is_back_when_the_pod_ends_still_gets_what_waited() {
    let addr = closed_port();
    let shim = Shim::start(slowly(addr)).await;
    let held = writes(&shim, 0..30).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::from_millis(200), empty()));
    eventually("it is back", || async { !app.seen().is_empty() }).await;
    assert_eq!(shim.order("/drain").await.status, 200);
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 30);
}

#[tokio::test]
async fn an_app_elsewhere_is_waited_for_to_the_end_of_the_drain() {
    // This machine, by an address that is not known to be it.
    let addr = std::net::SocketAddr::from(([0, 0, 0, 0], closed_port().port()));
    let mut shim = Shim::start(slowly(addr)).await;
    let held = writes(&shim, 0..3).await;
    shim.stop();
    eventually("it leaves", || async { ask(shim.admin, "GET", "/readyz", &[], "").await.status == 503 }).await;
    let app = App::on(TcpListener::bind(addr).await.unwrap(), |_| (Duration::ZERO, empty()));
    for write in held {
        assert_eq!(write.await.unwrap().status, 200);
    }
    assert_eq!(app.seen().len(), 3);
    shim.stopped().await;
}

fn empty() -> http::Response<bytes::Bytes> {
    let answer = http::Response::builder().status(200).header("content-type", "application/scim+json");
    answer.body(bytes::Bytes::from_static(b"{}")).unwrap()
}
