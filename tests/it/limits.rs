//! How fast a tenant may come: what is let in, what waits, what is refused, and that one tenant's flood is its own.

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    harness::{Answer, App, Client, Shim, ask, configured, eventually},
    redis::Server,
};

const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}"#;
const JSON: (&str, &str) = ("content-type", "application/scim+json");

/// A rate that comes back after the test.
const NEVER: &str = "per_second: 0.001";

fn limited(limits: &str) -> String {
    format!(
        "tenants: {{ resolve: [{{ path: '/{{tenant}}' }}], unknown: defaults, defaults: {{ rate_limit: {{ {limits} }} }} }}"
    )
}

async fn write(shim: &Shim, tenant: &str) -> Answer {
    ask(shim.data, "POST", &format!("/{tenant}/scim/v2/Users"), &[JSON], USER).await
}

async fn get(shim: &Shim, target: &str) -> Answer {
    ask(shim.data, "GET", &format!("/acme/scim/v2{target}"), &[], "").await
}

#[tokio::test]
async fn each_class_has_its_own_quota_and_says_how_it_stands() {
    let app = App::json("{}").await;
    let limits = format!(
        "reads: {{ {NEVER}, burst: 1 }}, writes: {{ {NEVER}, burst: 2 }}, lookups: {{ {NEVER}, burst: 1 }}, wait: 0s"
    );
    let shim = Shim::start(configured(app.addr, &limited(&limits))).await;

    let said = write(&shim, "acme").await;
    assert_eq!((said.status, said.header("ratelimit")), (200, r#""writes";r=1;t=1000"#));
    assert_eq!(said.header("ratelimit-policy"), r#""writes";q=2;w=2000"#);
    assert_eq!(write(&shim, "acme").await.status, 200);
    let said = write(&shim, "acme").await;
    shim.refused("rate", &said, 429).await;
    // A thousand seconds, but never over the ceiling; and both fields name one moment.
    assert_eq!(said.header("retry-after"), "600");
    assert!(said.header("ratelimit").starts_with(r#""writes";r=0;t="#), "{}", said.header("ratelimit"));
    assert_eq!(write(&shim, "globex").await.status, 200, "another tenant has its own");

    assert_eq!(get(&shim, "/Users/1").await.status, 200);
    assert_eq!(get(&shim, "/Users/1").await.status, 429);
    assert_eq!(get(&shim, "/Users?filter=userName%20eq%20%22a%22").await.status, 200, "a check is not a read");
    assert_eq!(app.seen().len(), 5, "what was refused did not reach the app");
    shim.counts("scimshim_refusals_total", &[("reason", "rate"), ("tenant", "acme")], 2.0).await;
    assert_eq!(shim.metric("scimshim_rate_limit_wait_seconds_count", &[]).await, 7.0);
}

#[tokio::test]
async fn who_is_refused_keeps_the_connection() {
    let app = App::json("{}").await;
    let shim = Shim::start(configured(app.addr, &limited(&format!("writes: {{ {NEVER}, burst: 1 }}, wait: 0s")))).await;
    let mut client = Client::connect(shim.data).await;
    for status in [200, 429, 429, 429] {
        client.request("POST", "/acme/scim/v2/Users", &[JSON], USER.as_bytes()).await;
        let said = client.answer().await;
        assert_eq!((said.status, said.header("connection")), (status, ""));
    }
    assert_eq!(shim.metric("scimshim_client_connections", &[]).await, 1.0);
}

#[tokio::test]
async fn a_request_waits_before_it_is_refused() {
    let app = App::json("{}").await;
    let limits = "writes: { per_second: 4, burst: 1 }, wait: 10s, max_waiting: 3";
    let shim = Arc::new(Shim::start(configured(app.addr, &limited(limits))).await);
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let shim = Arc::clone(&shim);
        tasks.spawn(async move { write(&shim, "acme").await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((4..12).contains(&served) && statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    assert_eq!(app.seen().len(), served);
    assert!(shim.metric("scimshim_rate_limit_wait_seconds_sum", &[]).await > 0.05);
    shim.counts("scimshim_rate_limit_waiting", &[("tenant", "acme")], 0.0).await;
}

#[tokio::test]
async fn a_tenant_has_so_many_in_flight_and_its_checks_come_first() {
    let app = App::slow(Duration::from_secs(2)).await;
    let shim = Arc::new(Shim::start(configured(app.addr, &limited("concurrency: 2, wait: 0s"))).await);
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let shim = Arc::clone(&shim);
        tasks.spawn(async move { write(&shim, "acme").await });
    }
    eventually("two are in flight", || async { shim.metric("scimshim_in_flight", &[("tenant", "acme")]).await == 2.0 })
        .await;
    // A lookup waits for room up to the deadline, whatever `wait` says.
    assert_eq!(get(&shim, "/Users?filter=userName%20eq%20%22a%22").await.status, 200);
    let answers = tasks.join_all().await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 4);
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "30");
    }
    shim.counts("scimshim_refusals_total", &[("reason", "concurrency")], 4.0).await;
    shim.counts("scimshim_in_flight", &[], 0.0).await;
}

#[tokio::test]
async fn one_tenants_flood_does_not_delay_another() {
    let app = App::json("{}").await;
    let limits = "writes: { per_second: 5, burst: 5 }, wait: 10s, max_waiting: 50, concurrency: 4";
    let shim = Arc::new(Shim::start(configured(app.addr, &limited(limits))).await);
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let shim = Arc::clone(&shim);
            tokio::spawn(async move { write(&shim, "flood").await })
        })
        .collect();
    eventually("the flood waits", || async {
        shim.metric("scimshim_rate_limit_waiting", &[("tenant", "flood")]).await >= 40.0
    })
    .await;
    let before = shim.metric("scimshim_rate_limit_wait_seconds_sum", &[]).await;
    for _ in 0..5 {
        assert_eq!(write(&shim, "calm").await.status, 200);
    }
    assert_eq!(shim.metric("scimshim_rate_limit_waiting", &[("tenant", "calm")]).await, 0.0);
    let seen = app.seen().iter().filter(|seen| seen.target == "/scim/v2/Users").count();
    assert!(seen < 60, "the flood was let in: {seen}");
    assert!(shim.metric("scimshim_rate_limit_wait_seconds_sum", &[]).await >= before);
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn those_who_wait_take_no_room_from_those_who_need_not() {
    let app = App::json("{}").await;
    let mut settings =
        configured(app.addr, &limited("writes: { per_second: 0.1, burst: 1 }, wait: 15s, max_waiting: 100"));
    settings.listen.limits.in_flight = 2;
    let shim = Arc::new(Shim::start(settings).await);
    // The first has its turn, the second waits ten seconds for it, and the others are told at once that they cannot.
    let flood: Vec<_> = (0..10)
        .map(|_| {
            let shim = Arc::clone(&shim);
            tokio::spawn(async move { write(&shim, "flood").await.status })
        })
        .collect();
    shim.counts("scimshim_rate_limit_waiting", &[("tenant", "flood")], 1.0).await;
    for _ in 0..5 {
        assert_eq!(ask(shim.data, "GET", "/calm/scim/v2/Users/1", &[], "").await.status, 200);
    }
    shim.counts("scimshim_refusals_total", &[("tenant", "calm")], 0.0).await;
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn who_leaves_while_waiting_makes_room() {
    let app = App::json("{}").await;
    let limits = format!("writes: {{ {NEVER}, burst: 1 }}, wait: 20s, max_waiting: 1000");
    let yaml = limited(&limits).replace("per_second: 0.001", "per_second: 0.1");
    let shim = Arc::new(Shim::start(configured(app.addr, &yaml)).await);
    assert_eq!(write(&shim, "acme").await.status, 200);
    let waiting = {
        let shim = Arc::clone(&shim);
        tokio::spawn(async move { write(&shim, "acme").await })
    };
    let gauge = [("tenant", "acme")];
    shim.counts("scimshim_rate_limit_waiting", &gauge, 1.0).await;
    waiting.abort();
    shim.counts("scimshim_rate_limit_waiting", &gauge, 0.0).await;
    shim.counts("scimshim_clients_left_total", &[("when", "waiting"), ("tenant", "acme")], 1.0).await;
    assert_eq!(app.seen().len(), 1);
}

/// Two shims before one app, with one quota in one Redis, which a third party kills and starts again meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn two_shims_share_a_quota_through_the_death_of_their_redis() {
    let Some(mut redis) = Server::start("two_shims_share_a_quota_through_the_death_of_their_redis", &[]) else {
        return;
    };
    let app = App::json("{}").await;
    let store = format!("rate_limit_store: {{ kind: redis, url: '{}' }}", redis.url());
    let exact = format!(
        "{store}\n{}",
        limited(&format!("writes: {{ {NEVER}, burst: 20 }}, reads: {{ per_second: 100000 }}, wait: 0s"))
    );
    let shims = [
        Arc::new(Shim::start(configured(app.addr, &exact)).await),
        Arc::new(Shim::start(configured(app.addr, &exact)).await),
    ];
    let available = async |value| {
        for shim in &shims {
            shim.counts("scimshim_rate_limit_store_available", &[], value).await;
        }
    };
    let admitted = async |tenant: &'static str| {
        let mut tasks = JoinSet::new();
        for i in 0..60 {
            let shim = Arc::clone(&shims[i % 2]);
            tasks.spawn(async move { write(&shim, tenant).await.status });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 200).count()
    };
    available(1.0).await;
    assert_eq!(admitted("before").await, 20);

    // Load goes on while Redis dies and comes back; not one request fails.
    let (stop, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut load = JoinSet::new();
    for shim in &shims {
        let (shim, stop, done) = (Arc::clone(shim), Arc::clone(&stop), Arc::clone(&done));
        load.spawn(async move {
            while stop.load(Ordering::Relaxed) == 0 {
                let said = get(&shim, "/Users/1").await;
                assert_eq!(said.status, 200, "{}", said.text());
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let goes_on = async || {
        let from = done.load(Ordering::Relaxed);
        eventually("load goes on", || async { done.load(Ordering::Relaxed) > from + 50 }).await;
    };
    goes_on().await;
    redis.kill();
    available(0.0).await;
    goes_on().await;
    // Each counts for itself meanwhile.
    assert_eq!(admitted("alone").await, 40);
    redis.restart();
    available(1.0).await;
    goes_on().await;
    stop.store(1, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert_eq!(admitted("after").await, 20);
    for shim in &shims {
        assert_eq!(shim.metric("scimshim_rate_limit_store_fallbacks_total", &[]).await, 1.0, "once, not per request");
        assert_eq!(shim.metric("scimshim_refusals_total", &[("tenant", "acme")]).await, 0.0);
    }
}
