//! `scimshim demo`: everything on one machine. A legacy endpoint in memory, the shim before it, and what three identity
//! providers send; then the same sessions without the shim. Nothing leaves the process but what it listens on.

mod legacy;
mod report;
mod script;

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use self::{
    legacy::{BASE, Legacy},
    report::Report,
    script::{Ids, Reply, STEPS, Step, Verdict},
};
use super::{paint::Paint, serve};
use crate::config::{self, Loaded, Settings};

/// What `scimshim demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints each request as it is sent and as the app gets it, each answer as the app gives it and as the
identity provider gets it. Then it serves on, on 127.0.0.1:7643 if that is free, until Ctrl-C.

Examples:
  scimshim demo
  scimshim demo --once > demo.txt

Exit codes: 0 every step passed through the shim; 1 one did not, or the demo could not start.")]
pub struct Args {
    /// Exit after the sessions
    #[arg(long, env = "SCIMSHIM_ONCE")]
    once: bool,
}

/// Runs the sessions through the shim and without it, and serves on.
pub(super) fn run(args: &Args, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(demo(args.once, &mut Report::new(paint, out)))
}

async fn demo(once: bool, report: &mut Report<'_>) -> anyhow::Result<u8> {
    let app = Legacy::new(false);
    let app_address = app.listen().await.context("the demo's app cannot listen")?;
    let (data, admin) = shim(app_address, once).await?;

    report.opening()?;
    let through = session(data, &app, Some(report)).await?;
    let strict = direct(&Legacy::new(false)).await?;
    let lenient = direct(&Legacy::new(true)).await?;
    report.summary(&through, &lenient, &strict)?;

    let passed = through.iter().all(Result::is_ok);
    if !once {
        report.invitation(data, admin, app_address)?;
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    }
    Ok(u8::from(!passed))
}

/// Starts the shim before the app; where it listens.
async fn shim(app: SocketAddr, once: bool) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    // The usual ports are for those who want to try; a run that ends at once takes free ones.
    let usual = (!once).then(|| settings(app, 7643, 7644)).transpose()?;
    if let Some(usual) = usual
        && let Ok(addresses) = serve::spawn(usual).await
    {
        return Ok(addresses);
    }
    serve::spawn(settings(app, 0, 0)?).await.context("the shim cannot listen on 127.0.0.1")
}

async fn direct(app: &Legacy) -> anyhow::Result<Vec<Verdict>> {
    let address = app.listen().await.context("the demo's app cannot listen")?;
    session(address, app, None).await
}

/// Sends every step to `address` and judges each; what happens is told to `report`.
async fn session(
    address: SocketAddr,
    app: &Legacy,
    mut report: Option<&mut Report<'_>>,
) -> anyhow::Result<Vec<Verdict>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (mut ids, mut verdicts) = (Ids::new(), Vec::new());
    for (number, step) in STEPS.iter().enumerate() {
        let (target, body) = match step.filled(&ids) {
            Ok(filled) => filled,
            Err(name) => {
                verdicts.push(Err(format!("cannot be sent: {name} was never created")));
                continue;
            }
        };
        let reply = send(&client, address, step, &target, &body).await?;
        let seen = app.last().unwrap_or_default();
        if let (Some(name), Some(id)) = (step.learn, reply.id()) {
            ids.insert(name, id);
        }
        let verdict = (step.judge)(&reply, &app.store(), &ids);
        if let Some(report) = report.as_deref_mut() {
            report.step(number, step, (&target, &body), &seen, &reply, &verdict)?;
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    step: &Step,
    target: &str,
    body: &str,
) -> anyhow::Result<Reply> {
    let mut request = Request::builder().method(step.method).uri(format!("http://{address}{BASE}{target}"));
    if let Some(kind) = step.content_type {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    if let Some(agent) = step.user_agent() {
        request = request.header(header::USER_AGENT, agent);
    }
    let request = request.body(Full::from(body.to_owned())).context("the script holds a bad request")?;
    let answer = client.request(request).await.with_context(|| format!("no answer to {} {target}", step.method))?;
    let (head, body) = answer.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Reply {
        status: head.status.as_u16(),
        content_type: header("content-type"),
        fixes: header("scimshim-fixes"),
        body: body.collect().await.context("the answer broke off")?.to_bytes().to_vec(),
    })
}

/// The defaults of a configuration that names only the app, with two settings that the app's manners ask for.
fn settings(app: SocketAddr, data: u16, admin: u16) -> anyhow::Result<Settings> {
    let loaded = config::from_upstream(&format!("http://{app}{BASE}"));
    let Ok(Loaded { mut settings, .. }) = loaded else { anyhow::bail!("the app's address is no URL") };
    settings.listen.address = SocketAddr::from(([127, 0, 0, 1], data));
    settings.listen.limits.drain = Duration::from_secs(1);
    settings.admin.address = SocketAddr::from(([127, 0, 0, 1], admin));
    settings.upstream.content_type = Some(http::HeaderValue::from_static("application/json"));
    settings.debug_headers = true;
    Ok(settings)
}
