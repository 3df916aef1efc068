//! Spans on their way to a collector, by OTLP over HTTP with protobuf.
//!
//! A span that ends is put into a bounded queue, and a thread with a runtime of its own sends what is there once a
//! second. Neither a collector that is away nor one that is slow costs an exchange more than that; what has no room is
//! counted, and told once for each outage. The SDK's own batch processor is not used: it drops without a word to our
//! log, and drives an async client on a thread without a runtime.
//!
//! Whoever began a trace says whether it is recorded; one that begins here is. `OTEL_EXPORTER_OTLP_HEADERS` and
//! `OTEL_RESOURCE_ATTRIBUTES` are read as the SDKs do, for a collector that wants a token and for names of pods.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as sync,
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use opentelemetry::{
    Context as Cx, KeyValue,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, Span as SdkSpan, SpanData, SpanExporter, SpanProcessor},
};
use tokio::{
    runtime, select,
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

use super::{Parent, TARGET};
use crate::{config::types::HttpUrl, tls};

/// Spans that may wait: some kilobytes each, and a thousand exchanges.
const ROOM: usize = 8192;
/// What goes out in one request, as the specification of the batch processor has it.
const BATCH: usize = 512;
/// The oldest span of a batch waits so long: who looks for a trace has just made the request.
const DELAY: Duration = Duration::from_secs(1);
/// Between looks into the queue meanwhile. To be woken by each span would cost the exchange that ends it more.
const TICK: Duration = Duration::from_millis(100);
/// For one request to the collector; the specification's ten seconds would let the queue run over first.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the end of the process waits for the last spans, within what orchestrators give after a drain.
const GRACE: Duration = Duration::from_secs(2);

/// Makes `span` continue the trace of `parent`. The caller's `tracestate` stays between it and the app: it is opaque,
/// and the collector is somebody else.
pub(super) fn adopt(span: &Span, parent: Option<Parent>) {
    if let Some(parent) = parent.filter(|_| !span.is_disabled()) {
        let context = SpanContext::new(
            TraceId::from(parent.trace),
            SpanId::from(parent.span),
            TraceFlags::new(parent.flags & KNOWN_FLAGS),
            true,
            TraceState::default(),
        );
        // It fails where no layer listens.
        let _ = span.set_parent(Cx::new().with_remote_span_context(context));
    }
}

/// `sampled` and `random`; a flag that is not known is not passed on (W3C Trace Context 3.2.2.5).
const KNOWN_FLAGS: u8 = 3;

/// `span` as the parent of what it causes elsewhere, if it is kept.
pub(super) fn recorded(span: &Span) -> Option<Parent> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let here = context.span().span_context().clone();
    (here.is_valid() && here.is_sampled()).then(|| Parent {
        trace: u128::from_be_bytes(here.trace_id().to_bytes()),
        span: u64::from_be_bytes(here.span_id().to_bytes()),
        flags: here.trace_flags().to_u8(),
    })
}

/// The thread that sends; dropping this sends what is left, for two seconds at most.
#[derive(Debug)]
pub struct Sending {
    stop: CancellationToken,
    /// Nothing is ever sent: its other end goes with the thread.
    ended: sync::Receiver<()>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.ended.recv_timeout(GRACE);
    }
}

/// Starts the thread for a collector; the layer that feeds it.
///
/// # Errors
/// No client can be made for `endpoint`, or there are no threads.
pub fn start<S>(endpoint: &HttpUrl) -> anyhow::Result<(impl Layer<S> + Send + Sync + 'static, Sending)>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let (queue, spans) = mpsc::channel(ROOM);
    let lost = Arc::<AtomicU64>::default();
    let resource = Resource::builder()
        .with_service_name("scimshim")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sending = spawn(endpoint, &resource, spans, Arc::clone(&lost))?;
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Queue { queue, lost })
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource)
        .build();
    let ours = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == TARGET;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("scimshim"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(FilterFn::new(ours).with_max_level_hint(Level::DEBUG));
    Ok((layer, sending))
}

fn spawn(
    endpoint: &HttpUrl,
    resource: &Resource,
    spans: Receiver<SpanData>,
    lost: Arc<AtomicU64>,
) -> anyhow::Result<Sending> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    let mut exporter = {
        let _inside = runtime.enter();
        exporter(endpoint)?
    };
    exporter.set_resource(resource);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let (alive, ended) = sync::channel();
    let collector = endpoint.as_str().split('?').next().unwrap_or_default().to_owned();
    thread::Builder::new().name("otlp".to_owned()).spawn(move || {
        let courier = Courier { exporter, collector, spans, overflow: lost, outage: None, stop: stopped };
        runtime.block_on(courier.run());
        // A name lookup that hangs does not keep the process.
        runtime.shutdown_background();
        drop(alive);
    })?;
    Ok(Sending { stop, ended })
}

fn exporter(endpoint: &HttpUrl) -> anyhow::Result<Otlp> {
    let trust = tls::Client { ca: None, identity: None };
    let config = if endpoint.is_tls() { trust.load(false)? } else { trust.load_without_roots()? };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .user_agent(concat!("scimshim/", env!("CARGO_PKG_VERSION")))
        // They would carry the collector's token elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()?;
    let exporter = Otlp::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces_url(endpoint))
        .with_timeout(PATIENCE)
        .build()?;
    Ok(exporter)
}

/// Where traces go at a collector that is named by its base (OTLP 1.0, "Endpoint URLs for OTLP/HTTP").
fn traces_url(endpoint: &HttpUrl) -> String {
    let (base, query) = endpoint.as_str().split_once('?').map_or((endpoint.as_str(), None), |(b, q)| (b, Some(q)));
    let base = base.trim_end_matches('/');
    let path = if base.ends_with("/v1/traces") { "" } else { "/v1/traces" };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{base}{path}{query}")
}

/// What ends is put here. Nothing is logged on this side: it runs while a subscriber is at work.
#[derive(Debug)]
struct Queue {
    queue: Sender<SpanData>,
    lost: Arc<AtomicU64>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut SdkSpan, _: &Cx) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.queue.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The thread.
struct Courier<E> {
    exporter: E,
    /// Without its query, which may hold a key.
    collector: String,
    spans: Receiver<SpanData>,
    /// For want of room, since it was last asked.
    overflow: Arc<AtomicU64>,
    /// While spans are lost: how many since that was said.
    outage: Option<u64>,
    stop: CancellationToken,
}

impl<E: SpanExporter> Courier<E> {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            let batch = self.collect().await;
            self.send(batch).await;
        }
        loop {
            let batch = self.at_hand(Vec::new());
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    /// Waits for a span, and for what comes within [`DELAY`] of it.
    async fn collect(&mut self) -> Vec<SpanData> {
        let mut batch = Vec::new();
        select! {
            _ = self.spans.recv_many(&mut batch, BATCH) => {}
            () = self.stop.cancelled() => {}
        }
        let due = Instant::now() + DELAY;
        while batch.len() < BATCH && Instant::now() < due && !self.stop.is_cancelled() {
            select! {
                () = sleep(TICK) => {}
                () = self.stop.cancelled() => {}
            }
            batch = self.at_hand(batch);
        }
        batch
    }

    fn at_hand(&mut self, mut batch: Vec<SpanData>) -> Vec<SpanData> {
        while batch.len() < BATCH
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
        batch
    }

    /// One request to the collector; when the process ends, not for long.
    async fn send(&mut self, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let spans = batch.len() as u64;
        let leaving = async {
            self.stop.cancelled().await;
            sleep(GRACE).await;
        };
        let sent = select! {
            sent = self.exporter.export(batch) => sent.map_err(|error| error.to_string()),
            () = leaving => Err("the process ends".to_owned()),
        };
        self.tell(spans, sent);
    }

    /// Says the beginning and the end of an outage.
    fn tell(&mut self, spans: u64, sent: Result<(), String>) {
        let overflow = self.overflow.swap(0, Ordering::Relaxed);
        let (lost, error) = match sent {
            Ok(()) => (overflow, "more spans came than could be sent".to_owned()),
            Err(error) => (overflow + spans, error),
        };
        let collector = &*self.collector;
        match (lost, self.outage.as_mut()) {
            (0, None) => {}
            (0, Some(&mut lost)) => {
                tracing::info!(collector, lost, "spans are sent again");
                self.outage = None;
            }
            (lost, Some(sum)) => *sum += lost,
            (lost, None) => {
                tracing::warn!(collector, error, "spans are lost until `telemetry.otlp_endpoint` takes them");
                self.outage = Some(lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::trace::Tracer;
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;
    use crate::observe::log::caught::Log;

    #[test]
    fn a_collector_is_named_by_its_base_or_its_path() {
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://otel.example/tenant/v1/traces", "https://otel.example/tenant/v1/traces"),
            ("https://otel.example/otlp?key=1", "https://otel.example/otlp/v1/traces?key=1"),
        ] {
            assert_eq!(traces_url(&HttpUrl::parse(endpoint).unwrap()), url);
        }
    }

    /// Says what it is told to; what came.
    #[derive(Debug, Default, Clone)]
    struct Fake(Arc<Mutex<(bool, Vec<usize>)>>);

    impl SpanExporter for Fake {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let mut fake = self.0.lock().unwrap();
            fake.1.push(batch.len());
            if fake.0 { Ok(()) } else { Err(OTelSdkError::InternalFailure("away".to_owned())) }
        }
    }

    fn queue(room: usize) -> (SdkTracerProvider, Courier<Fake>) {
        let (queue, spans) = mpsc::channel(room);
        let overflow = Arc::<AtomicU64>::default();
        let queue = Queue { queue, lost: Arc::clone(&overflow) };
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let (exporter, collector) = (Fake::default(), "http://collector".to_owned());
        let stop = CancellationToken::new();
        (provider, Courier { exporter, collector, spans, overflow, outage: None, stop })
    }

    fn ends(provider: &SdkTracerProvider, count: usize) {
        let tracer = provider.tracer("test");
        (0..count).for_each(|_| drop(tracer.start("span")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once_and_its_end_with_what_was_lost() {
        let log = Log::catch();
        let (provider, mut courier) = queue(600);
        for _ in 0..3 {
            ends(&provider, 2);
            let batch = courier.collect().await;
            courier.send(batch).await;
        }
        courier.exporter.0.lock().unwrap().0 = true;
        ends(&provider, 1);
        let batch = courier.collect().await;
        courier.send(batch).await;
        let said = log.text();
        assert_eq!(said.matches("spans are lost").count(), 1, "{said}");
        assert!(said.contains("\"lost\":6"), "{said}");
        assert_eq!(courier.exporter.0.lock().unwrap().1, [2, 2, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_room_is_counted_and_batches_are_bounded() {
        let log = Log::catch();
        let (provider, mut courier) = queue(600);
        courier.exporter.0.lock().unwrap().0 = true;
        ends(&provider, 700);
        courier.stop.cancel();
        let fake = courier.exporter.clone();
        let batch = courier.collect().await;
        courier.send(batch).await;
        courier.run().await;
        assert_eq!(fake.0.lock().unwrap().1, [512, 88]);
        let said = log.text();
        assert!(said.contains("more spans came") && said.contains("\"lost\":100"), "{said}");
    }
}
