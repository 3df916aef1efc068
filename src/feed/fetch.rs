//! Getting a document: from a file, a URL, or behind a download page. Bounded in time, size and redirects.
//!
//! A client is built for each fetch: that happens once an hour, and so a renewed CA file, new proxy variables and
//! changed name records count without a restart.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use http::{
    StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use reqwest::{Client, Response, Url, redirect};
use rustls::ClientConfig;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, task};

use super::{
    Kind, Source, Spec,
    clock::unix,
    discover::{self, DiscoverError},
    guard::limits,
    state::Validators,
};
use crate::tls;

/// S3 is one hop, a mirror behind a login two; more is a loop.
const REDIRECTS: usize = 5;
/// Azure's download page has 0.2 MB.
const PAGE: usize = 4 << 20;

/// How long a source may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For one answer, its body included.
    pub total: Duration,
}

impl Default for Patience {
    /// The 4 MB of Azure's file pass in two minutes at 35 kB/s; a source that is silent for 20 s is away.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(20), total: Duration::from_secs(120) }
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum Answer {
    Document(Fetched),
    /// The server says that the last good copy is the newest.
    Unchanged,
}

/// A document.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) validators: Validators,
    /// Its own date, Unix time.
    pub(super) dated: Option<u64>,
}

/// Why no document came.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the body is encoded as {0}, which was not asked for")]
    Encoding(String),
    #[error("{0}")]
    Discover(#[from] DiscoverError),
    #[error("cannot read {0}: {1}")]
    File(String, String),
    #[error("{0}")]
    Http(String),
    #[error("the source answered {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("{0}")]
    Tls(#[from] tls::Unusable),
    #[error("more than {0} bytes came")]
    TooLarge(usize),
}

impl FetchError {
    /// How long the source asks us to stay away.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    /// The whole chain, which says what went wrong, without the URL, which may hold a secret.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Http(if error.is_connect() { "no connection in time" } else { "no answer in time" }.into());
        }
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::Http(text)
    }
}

/// Gets the document of `spec`, or hears that `known` is the newest.
pub(super) async fn fetch(spec: &Spec, known: Option<&Validators>, patience: Patience) -> Result<Answer, FetchError> {
    let url = match &spec.source {
        Source::Discover(url) | Source::Url(url) => url,
        Source::File(_) => "file:",
    };
    attempt(spec, known, patience).await.map_err(|error| match (error, socks(url, variable)) {
        (FetchError::Http(why), Some(name)) => FetchError::Http(format!(
            "{why}; {name} names a SOCKS proxy, which is not supported: name one that speaks HTTP (http://host:port), or \
             the host of the source in NO_PROXY"
        )),
        (error, _) => error,
    })
}

/// Proxy variables, by what they are for; of two names the first that is set counts.
const PROXIES: [(&str, [&str; 2]); 3] = [
    ("https:", ["HTTPS_PROXY", "https_proxy"]),
    ("http:", ["HTTP_PROXY", "http_proxy"]),
    ("", ["ALL_PROXY", "all_proxy"]),
];

/// The variables that are set, with their values.
fn set(
    of: impl IntoIterator<Item = (&'static str, [&'static str; 2])>,
    env: impl Fn(&str) -> Option<String>,
) -> impl Iterator<Item = (&'static str, String)> {
    let set = move |name: &'static str| env(name).filter(|value| !value.is_empty()).map(|value| (name, value));
    of.into_iter().filter_map(move |(_, names)| names.into_iter().find_map(&set))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variable that names a SOCKS proxy for this URL.
fn socks(url: &str, env: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let counts = PROXIES.into_iter().filter(|(scheme, _)| url.starts_with(scheme));
    set(counts, env).next().filter(|(_, value)| value.starts_with("socks")).map(|(name, _)| name)
}

/// What the client makes no proxy of and passes over, so that fetches go out directly; without the value, which may hold
/// a password.
pub fn proxy_faults() -> Vec<String> {
    faults(variable)
}

fn faults(env: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is_proxy = |value: &str| {
        let Ok(uri) = value.parse::<http::Uri>() else { return false };
        let scheme = uri.scheme_str().unwrap_or("http");
        uri.authority().is_some() && ["http", "https", "socks4", "socks4a", "socks5", "socks5h"].contains(&scheme)
    };
    let said = |name| format!("{name} is not the URL of a proxy and is ignored; write http://host:port");
    set(PROXIES, env).filter(|(_, value)| !is_proxy(value)).map(|(name, _)| said(name)).collect()
}

async fn attempt(spec: &Spec, known: Option<&Validators>, patience: Patience) -> Result<Answer, FetchError> {
    let cap = limits(spec.kind).body;
    let (at, page) = match &spec.source {
        Source::File(path) => return file(path, cap).await.map(Answer::Document),
        Source::Url(at) => (at, None),
        Source::Discover(at) => (at, Some(url(at)?)),
    };
    let client = client(spec.ca.clone(), at.starts_with("https:"), page.clone(), patience).await?;
    let at = match page {
        None => url(at)?,
        Some(page) => {
            let mut answer = client.get(page.clone()).send().await?;
            ok(&answer)?;
            let text = body(&mut answer, PAGE).await.map_err(page_error)?;
            let at = answer.url().clone();
            let find = move || discover::link(&String::from_utf8_lossy(&text), &page, &at);
            task::spawn_blocking(find)
                .await
                .map_err(|error| FetchError::Http(format!("the task that reads the page ended: {error}")))??
        }
    };
    get(&client, at, known, cap).await
}

/// A page is no document: that it is too large says nothing of the list.
fn page_error(error: FetchError) -> FetchError {
    match error {
        FetchError::TooLarge(cap) => FetchError::Http(format!("the download page has more than {cap} bytes")),
        other => other,
    }
}

async fn get(client: &Client, at: Url, known: Option<&Validators>, cap: usize) -> Result<Answer, FetchError> {
    let id: [u8; 32] = Sha256::digest(at.as_str()).into();
    let conditions = known.filter(|known| known.url == id).map(|known| conditions(known, SystemTime::now()));
    let conditions = conditions.unwrap_or_default();
    let asked = !conditions.is_empty();
    let mut answer = client.get(at).headers(conditions).send().await?;
    if asked && answer.status() == StatusCode::NOT_MODIFIED {
        return Ok(Answer::Unchanged);
    }
    ok(&answer)?;
    let text = |name| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    let validators = Validators { url: id, etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) };
    let dated = validators.last_modified.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
    // A document from the future: until then the server would call every one unchanged.
    let said = text(header::DATE).and_then(|date| httpdate::parse_http_date(&date).ok());
    let validators = match (dated, said) {
        (Some(dated), Some(said)) if dated > said => Validators { last_modified: None, ..validators },
        _ => validators,
    };
    let bytes = body(&mut answer, cap).await?;
    Ok(Answer::Document(Fetched {
        bytes,
        validators: validators.usable(),
        dated: dated.map(|date| unix(date).as_secs()),
    }))
}

/// What is sent so that only a newer document comes, RFC 9110 13.1. Nobody may ask for what is newer than a date that
/// lies ahead: RFC 9110 13.1.3 ignores it, and servers that do not say "unchanged" for ever.
fn conditions(known: &Validators, now: SystemTime) -> HeaderMap {
    let is_past = |date: &&str| httpdate::parse_http_date(date).is_ok_and(|at| at <= now);
    let etag = known.etag.as_deref().map(|etag| (header::IF_NONE_MATCH, etag));
    let date = known.last_modified.as_deref().filter(is_past).map(|date| (header::IF_MODIFIED_SINCE, date));
    let value = |(name, text): (_, &str)| Some((name, HeaderValue::from_str(text).ok()?));
    etag.into_iter().chain(date).filter_map(value).collect()
}

/// 200 and nothing else: 206 is a piece, 204 no document.
fn ok(answer: &Response) -> Result<(), FetchError> {
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status { status: answer.status(), retry_after: retry_after(answer.headers()) });
    }
    match answer.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(FetchError::Encoding(encoding.to_str().unwrap_or("something").chars().take(40).collect()))
        }
        _ => Ok(()),
    }
}

/// Seconds or a date, RFC 9110 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let date =
        || httpdate::parse_http_date(text).ok().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    text.parse().ok().map(Duration::from_secs).or_else(date)
}

async fn body(answer: &mut Response, cap: usize) -> Result<Vec<u8>, FetchError> {
    let said = answer.content_length().and_then(|length| usize::try_from(length).ok());
    if said.is_some_and(|length| length > cap) {
        return Err(FetchError::TooLarge(cap));
    }
    let mut bytes = Vec::with_capacity(said.unwrap_or_default());
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > cap {
            return Err(FetchError::TooLarge(cap));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn file(path: &Path, cap: usize) -> Result<Fetched, FetchError> {
    let wrong = |error: io::Error| FetchError::File(path.display().to_string(), error.to_string());
    let about = tokio::fs::metadata(path).await.map_err(wrong)?;
    // Opening a pipe waits until somebody writes into it.
    if !about.is_file() {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidInput, "not a file")));
    }
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    file.take(cap as u64 + 1).read_to_end(&mut bytes).await.map_err(wrong)?;
    if bytes.len() > cap {
        return Err(FetchError::TooLarge(cap));
    }
    let dated = about.modified().ok().map(|at| unix(at).as_secs());
    Ok(Fetched { bytes, validators: Validators::default(), dated })
}

fn url(text: &str) -> Result<Url, FetchError> {
    text.parse().map_err(|error| FetchError::Http(format!("not a URL: {error}")))
}

async fn client(
    ca: Option<PathBuf>,
    needs_roots: bool,
    page: Option<Url>,
    patience: Patience,
) -> Result<Client, FetchError> {
    // Reading roots and keys of the machine is file work.
    let tls = task::spawn_blocking(move || client_config(ca, needs_roots)).await;
    let tls = tls.map_err(|error| FetchError::Http(format!("the task that reads certificates ended: {error}")))??;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("scimshim/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects(page))
        // It would carry the query, which may be a secret, to wherever a redirect leads.
        .referer(false)
        .connect_timeout(patience.connect)
        .read_timeout(patience.idle)
        .timeout(patience.total)
        .build()?;
    Ok(client)
}

/// A few, never from https to http, and from a download page not further than its links may lead.
fn redirects(page: Option<Url>) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        let was_tls = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > REDIRECTS {
            return attempt.error("too many redirects");
        }
        if was_tls && attempt.url().scheme() != "https" {
            return attempt.error("a redirect from https to http");
        }
        match page.as_ref().map(|page| discover::may_lead(page, attempt.url())) {
            Some(Err(error)) => attempt.error(error.to_string()),
            _ => attempt.follow(),
        }
    })
}

/// TLS towards a source: the roots of this machine, or those of `ca` alone. A source without TLS needs none.
fn client_config(ca: Option<PathBuf>, needs_roots: bool) -> Result<ClientConfig, tls::Unusable> {
    let rootless = ca.is_none() && !needs_roots;
    let tls = tls::Client { ca, identity: None };
    tls.load(false).or_else(|error| if rootless { tls.load_without_roots() } else { Err(error) })
}

impl Kind {
    /// As it is written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AzureServiceTags => "azure-service-tags",
            Self::List => "list",
            Self::Okta => "okta",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())])
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(&headers("120")), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(&headers("soon")), None);
        assert_eq!(retry_after(&headers("-1")), None);
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(retry_after(&headers(&soon)).unwrap() > Duration::from_secs(90));
        assert_eq!(retry_after(&headers("Mon, 01 Jan 2024 00:00:00 GMT")), Some(Duration::ZERO));
    }

    #[test]
    fn a_ca_file_without_certificates_is_said() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let error = client_config(Some(path), true).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml") && error.contains("no certificate"), "{error}");
    }

    #[test]
    fn a_date_that_lies_ahead_is_not_asked_for() {
        let now = SystemTime::now();
        let asked = |etag: Option<&str>, at: SystemTime| {
            let date = Some(httpdate::fmt_http_date(at));
            let known = Validators { url: [0; 32], etag: etag.map(str::to_owned), last_modified: date };
            conditions(&known, now).keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        let (day, etag) = (Duration::from_secs(86_400), Some("\"a\""));
        assert_eq!(asked(etag, now - day), ["if-none-match", "if-modified-since"]);
        assert_eq!(asked(etag, now + day), ["if-none-match"]);
        assert_eq!(asked(None, now + day), [""; 0]);
    }

    #[test]
    fn a_proxy_that_is_none_is_said_without_its_value() {
        let env =
            |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
        for good in ["http://proxy:3128", "proxy:3128", "https://user:pass@proxy", "socks5://proxy:1080", ""] {
            assert_eq!(faults(env("HTTPS_PROXY", good)), [""; 0], "{good}");
        }
        for bad in ["http://pro xy:3128/secret", "ftp://secret:21", "http://", "/secret"] {
            let said = faults(env("https_proxy", bad));
            assert_eq!(said, ["https_proxy is not the URL of a proxy and is ignored; write http://host:port"], "{bad}");
        }
        let socks = |name, value| socks("https://feeds.example/", env(name, value));
        assert_eq!(socks("ALL_PROXY", "socks5://proxy:1080"), Some("ALL_PROXY"));
        assert_eq!(socks("https_proxy", "socks5://proxy:1080"), Some("https_proxy"));
        assert_eq!((socks("HTTP_PROXY", "socks5://proxy:1080"), socks("ALL_PROXY", "http://proxy:1080")), (None, None));
    }
}
