//! `scimshim feed`: what is in the published lists, and why an address is (not) let in. The code is the proxy's.

use std::{
    io::{self, IsTerminal, Write},
    net::IpAddr,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use ipnet::IpNet;
use serde::Serialize;
use serde_json::json;
use tokio::{runtime, time};

use super::{Format, Usage, paint::Paint, serve};
use crate::{
    config::{
        self, Overrides, Settings, World,
        settings::{self, Allow, AllowMode},
        types::FeedRef,
    },
    feed::{Feeds, Kind, Outcome, PartStatus, Ranges, Readiness, Source, Spec, State, Status},
    observe::Metrics,
};

/// What `scimshim feed` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  scimshim feed show config.yaml               the parts that are named, with their counts
  scimshim feed fetch config.yaml              fetch now: what is accepted or refused, and why
  scimshim feed why 20.190.137.45 config.yaml  who lets this address in, and by which range

Exit codes: 0 done; 1 a feed could not be fetched, was refused, or has not what is named; 2 the
command line is wrong.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What is in the feeds, by part
    #[command(after_help = "Examples:
  scimshim feed show config.yaml
  scimshim feed show --okta https://s3.amazonaws.com/okta-ip-ranges/ip_ranges.json
  scimshim feed show --azure ServiceTags_Public_20260720.json
  scimshim feed show config.yaml --all | grep -i directory    also the parts that no tenant names
  scimshim feed show config.yaml --cached                     the last good copies, without a network")]
    Show {
        #[command(flatten)]
        which: Which,
        /// Read the last good copies in feeds.cache_dir, and fetch nothing
        #[arg(long, env = "SCIMSHIM_CACHED")]
        cached: bool,
        /// List also the parts that no tenant names
        #[arg(long, env = "SCIMSHIM_ALL", conflicts_with = "cached")]
        all: bool,
        #[command(flatten)]
        document: Document,
    },
    /// Fetch now; say what is accepted, refused, added, removed; write the last good copies
    #[command(after_help = "Examples:
  scimshim feed fetch config.yaml
  scimshim feed fetch config.yaml --format json | jq '.[] | select(.outcome == \"rejected\")'")]
    Fetch {
        #[command(flatten)]
        which: Which,
    },
    /// Why an address is (not) allowed, and for which tenants
    #[command(after_help = "\
An address is looked for in ranges, not in text: 20.190.137.45 is in 20.190.128.0/18.
Feeds without a last good copy, and files, are read from their source.

Examples:
  scimshim feed why 20.190.137.45 config.yaml
  scimshim feed why 2001:db8::1 --config config.yaml --cached --format json")]
    Why {
        /// The address of a caller
        address: String,
        #[command(flatten)]
        which: Which,
        /// Read the last good copies in feeds.cache_dir, and fetch nothing
        #[arg(long, env = "SCIMSHIM_CACHED")]
        cached: bool,
    },
}

/// The configuration, and the form of the output.
#[derive(Debug, clap::Args)]
struct Which {
    /// The configuration, YAML
    #[arg(value_name = "CONFIG")]
    file: Option<PathBuf>,
    /// The same as a flag or a variable
    #[arg(long, env = "SCIMSHIM_CONFIG", value_name = "CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text, env = "SCIMSHIM_FORMAT")]
    format: Format,
}

/// A document that no configuration names.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Document {
    /// Look at this document in the form of Okta's ip_ranges.json instead
    #[arg(long, env = "SCIMSHIM_OKTA", value_name = "FILE_OR_URL", conflicts_with = "cached")]
    okta: Option<String>,
    /// Look at this document in the form of Azure Service Tags instead
    #[arg(long, env = "SCIMSHIM_AZURE", value_name = "FILE_OR_URL", conflicts_with = "cached")]
    azure: Option<String>,
    /// Look at this list, text or JSON, instead
    #[arg(long, env = "SCIMSHIM_LIST", value_name = "FILE_OR_URL", conflicts_with = "cached")]
    list: Option<String>,
}

/// Runs one of the three.
pub(super) fn run(args: &Args, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    for fault in crate::feed::proxy_faults() {
        // Who cannot be told is not kept from going on.
        let _ = writeln!(io::stderr(), "warning: {fault}");
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    match &args.command {
        Command::Fetch { which } => runtime.block_on(fetch(&which.settings()?.feeds, which.format, paint, out)),
        Command::Show { which, cached: true, .. } => cached(&which.settings()?.feeds, which.format, paint, out),
        Command::Show { which, all, document, .. } => {
            let (feeds, all) = match document.feeds() {
                Some(feeds) => (feeds, true),
                None => (which.settings()?.feeds, *all),
            };
            runtime.block_on(show(&feeds, all, which.format, paint, out))
        }
        Command::Why { address, which, cached } => {
            let address = parse(address)?;
            runtime.block_on(why(address, &which.settings()?, *cached, which.format, paint, out))
        }
    }
}

impl Document {
    fn feeds(&self) -> Option<settings::Feeds> {
        let given = [(Kind::Okta, &self.okta), (Kind::AzureServiceTags, &self.azure), (Kind::List, &self.list)];
        let (kind, at) = given.into_iter().find_map(|(kind, at)| Some((kind, at.as_deref()?)))?;
        let is_url = at.starts_with("https://") || at.starts_with("http://");
        let spec = Spec {
            name: kind.as_str().into(),
            kind,
            source: if is_url { Source::Url(at.to_owned()) } else { Source::File(at.into()) },
            refresh: Duration::MAX,
            removal_grace: Duration::ZERO,
            stale_after: Duration::MAX,
            ca: None,
            accept: None,
            pointer: None,
            parts: Vec::new(),
        };
        Some(settings::Feeds { cache_dir: None, specs: vec![spec] })
    }
}

impl Which {
    fn settings(&self) -> anyhow::Result<Settings> {
        // An empty variable is how manifests unset one.
        let given = self.file.as_deref().or(self.config.as_deref()).filter(|path| !path.as_os_str().is_empty());
        let path = given.ok_or_else(|| Usage("name the configuration: scimshim feed ... config.yaml".into()))?;
        let world = World::real();
        let loaded = config::peek(path, &Overrides::from_env(world.env), &world);
        Ok(loaded.map_err(|problems| serve::unusable(&problems))?.settings)
    }
}

fn parse(address: &str) -> anyhow::Result<IpAddr> {
    let wrong = || Usage(format!("{address:?} is no address; write one such as 192.0.2.1 or 2001:db8::1"));
    Ok(address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical())
}

fn feeds(settings: &settings::Feeds, writes: bool) -> anyhow::Result<Arc<Feeds>> {
    let (specs, folder) = (settings.specs.clone(), settings.cache_dir.clone());
    // Nobody reads them here; the feeds count all the same.
    let metrics = Arc::new(Metrics::new()?);
    Ok(if writes { Feeds::new(specs, folder, metrics) } else { Feeds::read_only(specs, folder, metrics) })
}

/// People who see nothing for a while think that nothing happens; programs need not be told.
async fn patiently<T>(feed: &str, fetch: impl Future<Output = T>) -> T {
    let mut stderr = io::stderr();
    let people = stderr.is_terminal().then_some(&mut stderr as &mut dyn Write);
    telling(feed, fetch, people).await
}

async fn telling<T>(feed: &str, fetch: impl Future<Output = T>, people: Option<&mut dyn Write>) -> T {
    const LONG: Duration = Duration::from_secs(2);
    let mut fetch = pin!(fetch);
    if let Some(people) = people {
        tokio::select! {
            done = &mut fetch => return done,
            () = time::sleep(LONG) => {
                let _ = writeln!(people, "{feed}: waiting for its source ...");
            }
        }
    }
    fetch.await
}

/// A part of a document as people look at it.
#[derive(Serialize)]
struct Seen {
    name: String,
    entries: usize,
    addresses: u64,
    /// A tenant names it.
    named: bool,
    present: bool,
}

async fn show(
    settings: &settings::Feeds,
    all: bool,
    format: Format,
    paint: Paint,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let feeds = feeds(settings, false)?;
    let (mut shown, mut failed) = (Vec::new(), false);
    for spec in &settings.specs {
        let named = |name: &str| spec.parts.iter().any(|part| **part == *name);
        let (parts, error) = match patiently(&spec.name, feeds.look(&spec.name)).await {
            Ok(parts) => (parts, None),
            Err(error) => (Default::default(), Some(error)),
        };
        let total = parts.len();
        let mut seen: Vec<_> =
            parts.iter().map(|(name, nets)| see(name, nets, named(name) || name.is_empty())).collect();
        seen.retain(|part| all || part.named);
        let absent = spec.parts.iter().filter(|part| !parts.contains_key(*part));
        seen.extend(absent.map(|part| Seen { present: false, ..see(part, &[], true) }));
        failed |= error.is_some() || seen.iter().any(|part| part.named && part.entries == 0);
        if format == Format::Text {
            let what =
                error.as_ref().map_or_else(|| counted(total, "part"), |error| paint.red(format!("not read: {error}")));
            writeln!(out, "{} ({}, {}): {what}", paint.bold(&spec.name), spec.kind.as_str(), spec.source.shown())?;
            for part in seen.iter().filter(|_| error.is_none()) {
                writeln!(out, "  {}", line(part, paint))?;
            }
            let more = total - seen.iter().filter(|part| part.present).count();
            if more > 0 {
                writeln!(out, "  {}", paint.dim(format!("{more} more that no tenant names; --all lists them")))?;
            }
        }
        let (kind, source) = (spec.kind.as_str(), spec.source.shown());
        shown.push(json!({ "name": &*spec.name, "kind": kind, "source": source, "parts": seen, "error": error }));
    }
    finish(settings, shown, format, out)?;
    Ok(u8::from(failed))
}

fn see(name: &str, nets: &[IpNet], named: bool) -> Seen {
    Seen { name: name.to_owned(), entries: nets.len(), addresses: Ranges::of(nets).count(), named, present: true }
}

fn line(part: &Seen, paint: Paint) -> String {
    if !part.present {
        return format!("{}  {}", label(&part.name), paint.red("not in the document"));
    }
    let counts = format!("{}  {}, {}", label(&part.name), counted(part.entries, "entry"), addresses(part.addresses));
    if part.named { counts } else { paint.dim(counts) }
}

fn cached(settings: &settings::Feeds, format: Format, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    if settings.cache_dir.is_none() {
        anyhow::bail!("no copies are kept: set feeds.cache_dir, or leave out --cached");
    }
    let status = feeds(settings, false)?.status();
    if format == Format::Text {
        for feed in &status {
            write_status(feed, paint, out)?;
        }
    }
    let all = status.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    finish(settings, all, format, out)?;
    Ok(u8::from(status.iter().any(|feed| feed.state == State::NeverLoaded)))
}

fn write_status(feed: &Status, paint: Paint, out: &mut dyn Write) -> anyhow::Result<()> {
    let age = feed.age_seconds.map(|age| format!(", last confirmed {} ago", ago(age))).unwrap_or_default();
    writeln!(out, "{} ({}, {}): {}{age}", paint.bold(&feed.name), feed.kind, feed.source, state(feed.state, paint))?;
    match &feed.cache_error {
        Some(error) => writeln!(out, "  {}", paint.yellow(error))?,
        None if feed.last_success.is_none() => writeln!(out, "  {}", paint.yellow("there is no copy on disk"))?,
        None => {}
    }
    for PartStatus { name, state: stands, entries, addresses: count, kept } in &feed.parts {
        let (entries, count) = (counted(*entries, "entry"), addresses(*count));
        writeln!(
            out,
            "  {}  {}, {entries}, {count}, {kept} of them kept by grace",
            label(name),
            state(*stands, paint)
        )?;
    }
    Ok(())
}

async fn fetch(settings: &settings::Feeds, format: Format, paint: Paint, out: &mut dyn Write) -> anyhow::Result<u8> {
    let feeds = feeds(settings, true)?;
    let (mut shown, mut failed) = (Vec::new(), false);
    for spec in &settings.specs {
        let Some(outcome) = patiently(&spec.name, feeds.refresh(&spec.name)).await else { continue };
        let status = feeds.status().into_iter().find(|status| status.name == *spec.name);
        let absent: Vec<_> = status
            .iter()
            .flat_map(|status| &status.parts)
            .filter(|part| part.state == State::NeverLoaded)
            .map(|part| part.name.clone())
            .collect();
        let unwritten = status.as_ref().and_then(|status| status.cache_error.clone());
        failed |= !outcome.is_success() || !absent.is_empty() || unwritten.is_some();
        if format == Format::Text {
            write_outcome(&spec.name, &outcome, paint, out)?;
            for part in absent.iter().filter(|_| outcome.is_success()) {
                writeln!(out, "  {}  {}", label(part), paint.red("not in the document, or empty there"))?;
            }
            if let Some(error) = &unwritten {
                writeln!(out, "  {}", paint.red(error))?;
            }
        }
        let mut entry = match &outcome {
            Outcome::Accepted(changes) => json!({ "outcome": "accepted", "changes": changes }),
            Outcome::Failed(error) => json!({ "outcome": "failed", "error": error }),
            Outcome::Rejected { rejection, sha256 } => json!({
                "outcome": "rejected", "reason": rejection.reason(), "error": rejection.to_string(), "sha256": sha256,
            }),
            Outcome::Unchanged => json!({ "outcome": "unchanged" }),
        };
        entry["name"] = (*spec.name).into();
        entry["never_loaded"] = absent.into();
        entry["status"] = serde_json::to_value(status)?;
        shown.push(entry);
    }
    if format == Format::Text && settings.cache_dir.is_none() && !settings.specs.is_empty() {
        writeln!(out, "{}", paint.dim("nothing was written: feeds.cache_dir is not set"))?;
    }
    finish(settings, shown, format, out)?;
    Ok(u8::from(failed))
}

fn write_outcome(name: &str, outcome: &Outcome, paint: Paint, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = paint.bold(name);
    match outcome {
        Outcome::Accepted(changes) => {
            writeln!(out, "{name}: {}", paint.green("accepted"))?;
            for change in changes {
                let (part, total) = (label(&change.part), addresses(change.total));
                let (added, removed, kept) = (change.added, change.removed, change.kept);
                writeln!(out, "  {part}  {added} added, {removed} removed, {kept} kept by grace, {total} allowed")?;
            }
        }
        Outcome::Failed(error) => writeln!(out, "{name}: {}: {error}", paint.red("failed"))?,
        Outcome::Rejected { rejection, sha256 } => {
            writeln!(out, "{name}: {} ({}): {rejection}", paint.red("rejected"), rejection.reason())?;
            if let Some(hash) = sha256.as_ref().filter(|_| rejection.is_acceptable()) {
                writeln!(out, "  if a person has read it and it is right: accept: {hash}")?;
            }
        }
        Outcome::Unchanged => writeln!(out, "{name}: {}", paint.green("unchanged"))?,
    }
    Ok(())
}

/// What the gate thinks of an address, for one tenant.
#[derive(Debug, Serialize)]
struct Verdict {
    tenant: String,
    mode: &'static str,
    listed: bool,
    matches: Vec<Match>,
    /// Feeds that cannot refuse anyone: never loaded, or too old.
    not_ready: Vec<String>,
    /// What the gate does: `pass`, 403 or 503.
    answer: &'static str,
}

/// A range that holds the address.
#[derive(Debug, Serialize)]
struct Match {
    /// `cidrs`, or the feed with its part.
    from: String,
    range: IpNet,
    /// Not published any more; allowed until then, Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<u64>,
}

async fn why(
    address: IpAddr,
    settings: &Settings,
    cached: bool,
    format: Format,
    paint: Paint,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let feeds = feeds(&settings.feeds, false)?;
    let mut errors = Vec::new();
    if !cached {
        let usable = |name: &str| feeds.status().iter().any(|feed| feed.name == name && feed.state == State::Fresh);
        for spec in &settings.feeds.specs {
            if matches!(spec.source, Source::File(_)) || !usable(&spec.name) {
                patiently(&spec.name, feeds.refresh(&spec.name)).await;
            }
        }
        errors = feeds.status().into_iter().filter_map(|feed| Some((feed.name, feed.last_error?))).collect();
    }
    let tenants = &settings.tenants;
    let default = (!tenants.list.contains_key("default")).then_some(("default", &tenants.defaults));
    let listed = tenants.list.iter().map(|(name, tenant)| (&**name, tenant));
    let verdicts: Vec<_> =
        default.into_iter().chain(listed).map(|(name, tenant)| judge(address, name, &tenant.allow, &feeds)).collect();
    match format {
        Format::Json => {
            let errors: Vec<_> = errors.iter().map(|(feed, error)| json!({ "feed": feed, "error": error })).collect();
            let all = json!({ "address": address, "tenants": verdicts, "errors": errors });
            writeln!(out, "{all:#}")?;
        }
        Format::Text => {
            writeln!(out, "{}", paint.bold(address))?;
            for verdict in &verdicts {
                explain(verdict, paint, out)?;
            }
            for (feed, error) in &errors {
                writeln!(out, "{}: {error}", paint.yellow(feed))?;
            }
        }
    }
    Ok(u8::from(!errors.is_empty()))
}

fn judge(address: IpAddr, tenant: &str, allow: &Allow, feeds: &Feeds) -> Verdict {
    let inline = allow.cidrs.iter().filter(|range| range.contains(&address));
    let mut matches: Vec<_> =
        inline.map(|range| Match { from: "cidrs".into(), range: *range, kept_until: None }).collect();
    let mut not_ready = Vec::new();
    for reference @ FeedRef { feed, part } in &allow.feeds {
        if let Some((range, kept_until)) = feeds.find(feed, part.as_deref(), address) {
            matches.push(Match { from: reference.to_string(), range, kept_until });
        }
        let ready = feeds.part(feed, part.as_deref()).map(|part| part.readiness(feeds.now()));
        if ready != Some(Readiness::Ready) {
            not_ready.push(reference.to_string());
        }
    }
    let listed = !matches.is_empty();
    let (mode, answer) = match allow.mode {
        AllowMode::Enforce if listed => ("enforce", "pass"),
        AllowMode::Enforce if not_ready.is_empty() => ("enforce", "403"),
        AllowMode::Enforce => ("enforce", "503"),
        AllowMode::Observe => ("observe", "pass"),
        AllowMode::Off => ("off", "pass"),
    };
    Verdict { tenant: tenant.to_owned(), mode, listed, matches, not_ready, answer }
}

fn explain(verdict: &Verdict, paint: Paint, out: &mut dyn Write) -> anyhow::Result<()> {
    let missing = verdict.not_ready.join(", ");
    let what = match (verdict.mode, verdict.listed, verdict.answer) {
        ("off", ..) => "passes: addresses are not looked at".to_owned(),
        (_, true, _) => paint.green("passes: it is listed"),
        ("observe", ..) if !missing.is_empty() => paint.yellow(format!(
            "passes, and is counted as feed_not_ready: it is not listed, and {missing} is not loaded or too old"
        )),
        ("observe", ..) => paint.yellow("passes, and is counted as would_refuse: it is not listed"),
        (.., "503") => paint.red(format!("503: it is not listed, and {missing} is not loaded or too old")),
        _ => paint.red("403: it is not listed"),
    };
    writeln!(out, "  {} ({}) {what}", verdict.tenant, verdict.mode)?;
    for Match { from, range, kept_until } in &verdict.matches {
        let until =
            kept_until.map(|at| format!(", not published any more, kept until {}", date(at))).unwrap_or_default();
        writeln!(out, "    {range} in {from}{until}")?;
    }
    Ok(())
}

fn finish(
    settings: &settings::Feeds,
    all: Vec<serde_json::Value>,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match format {
        Format::Json => writeln!(out, "{:#}", serde_json::Value::from(all))?,
        Format::Text if settings.specs.is_empty() => writeln!(out, "the configuration has no feeds")?,
        Format::Text => {}
    }
    Ok(())
}

/// A part's name as people may see it; those in a document are the publisher's.
fn label(part: &str) -> String {
    if part.is_empty() { "(list)".to_owned() } else { part.escape_debug().to_string() }
}

fn state(state: State, paint: Paint) -> String {
    match state {
        State::Fresh => paint.green(state.as_str()),
        State::Rejected | State::Stale => paint.yellow(state.as_str()),
        State::NeverLoaded => paint.red(state.as_str()),
    }
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

fn addresses(count: u64) -> String {
    format!("{count} address{}", if count == 1 { "" } else { "es" })
}

fn ago(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        7200..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

fn date(secs: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(secs.min(253_402_300_799)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_gate_reads_it() {
        assert_eq!(parse("::ffff:192.0.2.1").unwrap(), IpAddr::from([192, 0, 2, 1]));
        for wrong in ["192.0.2", "192.0.2.0/24", "fe80::1%eth0", "", "okta"] {
            assert!(parse(wrong).unwrap_err().is::<Usage>(), "{wrong}");
        }
    }

    #[test]
    fn counts_read_like_words() {
        assert_eq!((counted(1, "entry"), counted(2, "entry")), ("1 entry".into(), "2 entries".into()));
        assert_eq!((counted(0, "part"), addresses(1)), ("0 parts".into(), "1 address".into()));
        assert_eq!((ago(60), ago(3600), ago(90_000)), ("60 s".into(), "60 min".into(), "25 h".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_long_is_told_once() {
        for (secs, said) in [(1, ""), (60, "okta: waiting for its source ...\n")] {
            let mut heard = Vec::new();
            let fetch = async {
                time::sleep(Duration::from_secs(secs)).await;
                7
            };
            assert_eq!(telling("okta", fetch, Some(&mut heard)).await, 7);
            assert_eq!(String::from_utf8(heard).unwrap(), said);
        }
        assert_eq!(telling("okta", async { 7 }, None).await, 7);
    }

    #[test]
    fn in_observe_what_is_not_loaded_is_not_called_unlisted() {
        let said = |not_ready: &[&str]| {
            let not_ready = not_ready.iter().map(|feed| (*feed).to_owned()).collect();
            let (tenant, mode) = ("acme".to_owned(), "observe");
            let verdict = Verdict { tenant, mode, listed: false, matches: Vec::new(), not_ready, answer: "pass" };
            let mut out = Vec::new();
            explain(&verdict, Paint::never(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(
            said(&["okta:us_cell_1"]).contains("counted as feed_not_ready") && said(&["a"]).contains("a is not loaded")
        );
        assert!(said(&[]).contains("counted as would_refuse"));
    }
}
