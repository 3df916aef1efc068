//! Published address ranges: where each is, and how old its copy may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    super::{
        file::{Feed, File},
        problem::Grade,
        settings,
        types::{FeedName, HttpUrl, Period, Sha256},
    },
    Build,
};
use crate::feed::{self, Kind as FeedKind};

/// The feeds, with the parts that tenants name.
pub(super) fn feeds_of(file: &File, base: &Path, tenants: &settings::Tenants) -> settings::Feeds {
    let named = tenants.list.values().chain([&tenants.defaults]).flat_map(|tenant| &tenant.allow.feeds);
    let mut parts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in named {
        parts.entry(&reference.feed).or_default().extend(reference.part.as_deref());
    }
    let spec = |(name, feed): (&FeedName, &Feed)| {
        let kind = feed.kind?;
        let url = |url: &HttpUrl| url.as_str().to_owned();
        let source = match (&feed.url, &feed.discover, &feed.file) {
            (_, _, Some(file)) => feed::Source::File(base.join(file)),
            (Some(at), ..) => feed::Source::Url(url(at)),
            (_, Some(page), _) => feed::Source::Discover(url(page)),
            (None, None, None) => match kind {
                FeedKind::Okta => feed::Source::Url(OKTA.to_owned()),
                FeedKind::AzureServiceTags => feed::Source::Discover(AZURE.to_owned()),
                FeedKind::List => return None,
            },
        };
        Some(feed::Spec {
            name: name.0.as_str().into(),
            kind,
            source,
            refresh: feed.refresh.unwrap_or(feed_refresh(kind)).0,
            removal_grace: feed.removal_grace.0,
            stale_after: feed.stale_after.unwrap_or(feed_stale_after(kind)).0,
            ca: feed.ca.as_ref().map(|ca| base.join(ca)),
            accept: feed.accept.map(|Sha256(hash)| hash),
            pointer: feed.pointer.clone(),
            parts: parts.get(name.0.as_str()).into_iter().flatten().map(|&part| part.into()).collect(),
        })
    };
    settings::Feeds {
        cache_dir: file.feeds.cache_dir.as_ref().map(|folder| base.join(folder)),
        specs: file.feeds.named.iter().filter_map(spec).collect(),
    }
}

/// Where Okta publishes its list (support article "List of IP addresses that should be allowlisted").
const OKTA: &str = "https://s3.amazonaws.com/okta-ip-ranges/ip_ranges.json";
/// The page that links the public cloud's weekly file.
const AZURE: &str = "https://www.microsoft.com/en-us/download/details.aspx?id=56519";

impl Build<'_> {
    pub(super) fn feeds(&mut self) {
        for (name, feed) in &self.file.feeds.named {
            self.feed(&["feeds", name.0.as_str()], feed);
        }
    }

    fn feed(&mut self, at: &[&str], feed: &Feed) {
        let path = |key| [at, &[key]].concat();
        self.need(feed.kind.is_some(), at, "kind", "write okta, azure-service-tags or list");
        let Some(kind) = feed.kind else { return };
        let sources =
            [("url", feed.url.is_some()), ("discover", feed.discover.is_some()), ("file", feed.file.is_some())];
        let given: Vec<&str> = sources.into_iter().filter(|&(_, given)| given).map(|(key, _)| key).collect();
        if given.len() > 1 {
            self.wrong(&path(given[1]), format!("`{}` says already where the feed is", given[0]), "keep one of them");
        }
        // The published places of the other kinds are their defaults.
        let written = sources.iter().any(|&(key, _)| self.doc.has(&path(key)));
        if kind == FeedKind::List && !written {
            self.wrong(at, "the list is nowhere", "write `url:` or `file:`");
        }
        if kind != FeedKind::AzureServiceTags && feed.discover.is_some() {
            self.wrong(&path("discover"), "only Azure's list is discovered from a page", "write `url:` or `file:`");
        }
        if let Some(pointer) = &feed.pointer {
            if kind != FeedKind::List {
                self.wrong(&path("pointer"), "the format of this kind is known", "remove it");
            } else if !pointer.is_empty() && !pointer.starts_with('/') {
                self.wrong(&path("pointer"), "a JSON pointer begins with `/`", "write `/prefixes`");
            }
        }
        for (key, url) in [("url", &feed.url), ("discover", &feed.discover)] {
            if url.as_ref().is_some_and(|url: &HttpUrl| !url.is_tls()) {
                self.note(&path(key), "without TLS, who sits on the way chooses who may call", "write `https://`");
            }
        }
        if let Some(file) = &feed.file {
            self.file_exists(Grade::Absent, &path("file"), file);
        }
        if let Some(ca) = &feed.ca {
            self.file_exists(Grade::Absent, &path("ca"), ca);
        }
        let refresh = feed.refresh.unwrap_or(feed_refresh(kind));
        if refresh < Period::secs(60) {
            self.wrong(
                &path("refresh"),
                "less than a minute is no courtesy to whoever publishes the list",
                "write `1h`",
            );
        }
        let stale = feed.stale_after.unwrap_or(feed_stale_after(kind));
        if stale <= refresh {
            let key = if feed.stale_after.is_some() { "stale_after" } else { "refresh" };
            self.wrong(
                &path(key),
                format!("each copy would be stale ({stale}) before the next is fetched ({refresh})"),
                "write a stale_after of several times refresh",
            );
        }
    }
}

/// How often a feed is fetched: Okta's list is rewritten hourly, the others change over weeks.
fn feed_refresh(kind: FeedKind) -> Period {
    match kind {
        FeedKind::Okta => Period::secs(3600),
        FeedKind::AzureServiceTags | FeedKind::List => Period::secs(86_400),
    }
}

/// When a feed's copy is too old to refuse anyone by: 10 % of Okta's addresses are new after a week, Azure announces
/// a week ahead.
fn feed_stale_after(kind: FeedKind) -> Period {
    match kind {
        FeedKind::Okta => Period::secs(3 * 86_400),
        FeedKind::AzureServiceTags => Period::secs(21 * 86_400),
        FeedKind::List => Period::secs(7 * 86_400),
    }
}
