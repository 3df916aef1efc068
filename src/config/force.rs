//! What is read and checked but not done yet. One table for the log, `check` and the reference page: a feature that
//! lands takes its line away here, and is in force everywhere at once.

use super::{
    file::{Allow, Feeds, File, Journal, Metrics, Quarantine, StoreKind, Tenant, Tenants},
    settings::{AddressFrom, AllowMode},
};

/// A key that waits for its feature.
pub(crate) struct Waiting {
    /// Dotted; `*` stands for any name. What is below it waits too.
    key: &'static str,
    /// What is not done, in one sentence.
    pub(crate) what: &'static str,
}

const WAITING: &[Waiting] = &[
    Waiting { key: "admin.loopback", what: "there is no page and no API yet that the token would protect" },
    Waiting { key: "admin.token", what: "there is no page and no API yet that the token would protect" },
    Waiting { key: "audit", what: "no audit lines are written" },
    Waiting { key: "feeds", what: "feeds are not fetched, and nothing is kept in the cache folder" },
    Waiting { key: "journal", what: "no exchanges are kept" },
    Waiting {
        key: "listen.base_url.{tenant}",
        what: "`{tenant}` becomes `default`, since every request is of that tenant",
    },
    Waiting {
        key: "listen.client_address",
        what: "headers are not read; the other end of the connection is the caller",
    },
    Waiting { key: "metrics.max_tenants", what: "there is one tenant label, `default`" },
    Waiting { key: "quarantine", what: "quarantine risk is not modelled" },
    Waiting { key: "rate_limit_store", what: "nothing is limited, so nothing is counted anywhere" },
    Waiting { key: "telemetry", what: "no traces are sent" },
    Waiting { key: "tenants.defaults.allow", what: "no address is looked at; every address may call" },
    Waiting { key: "tenants.defaults.bare_token", what: "no token is looked at" },
    Waiting { key: "tenants.defaults.rate_limit", what: "nothing is limited" },
    Waiting { key: "tenants.defaults.upstream_authorization", what: "the IdP's Authorization header goes to the app" },
    Waiting {
        key: "tenants.list",
        what: "every request is of the tenant `default`, with the settings of `tenants.defaults`",
    },
    Waiting { key: "tenants.list.*.allow", what: "no address is looked at; every address may call" },
    Waiting { key: "tenants.list.*.bare_token", what: "no token is looked at" },
    Waiting { key: "tenants.list.*.rate_limit", what: "nothing is limited" },
    Waiting {
        key: "tenants.list.*.tokens",
        what: "no token is checked; the Authorization header goes to the app, which decides",
    },
    Waiting { key: "tenants.list.*.upstream_authorization", what: "the IdP's Authorization header goes to the app" },
    Waiting { key: "tenants.max_dynamic", what: "there is one tenant, `default`" },
    Waiting { key: "tenants.resolve", what: "every request is of the tenant `default`; a prefix is not taken off" },
    Waiting { key: "tenants.unknown", what: "there is one tenant, `default`" },
    Waiting {
        key: "upstream.url.{tenant}",
        what: "`{tenant}` becomes `default`, since every request is of that tenant",
    },
];

/// The line for `key`, or for what it is below of.
pub(crate) fn waiting(key: &[&str]) -> Option<&'static Waiting> {
    let matches = |pattern: &&Waiting| {
        let mut parts = key.iter();
        pattern.key.split('.').all(|part| parts.next().is_some_and(|have| part == "*" || part == *have))
    };
    WAITING.iter().filter(matches).max_by_key(|pattern| pattern.key.len())
}

/// A key that was written, means something, and is not done.
pub(crate) struct Unmet {
    /// Its path.
    pub(crate) path: Vec<String>,
    /// What is not done.
    pub(crate) what: String,
}

/// Everything that `file` asks for and that is not done. A key at its default, or one that has no effect, is not named.
pub(crate) fn unmet(file: &File) -> Vec<Unmet> {
    let mut list = List(Vec::new());
    let (listen, upstream, tenants) = (&file.listen, &file.upstream, &file.tenants);

    list.when(upstream.url.as_ref().is_some_and(|u| u.has_tenant()), &["upstream", "url"], &["{tenant}"]);
    list.when(listen.base_url.as_ref().is_some_and(|u| u.has_tenant()), &["listen", "base_url"], &["{tenant}"]);
    list.when(listen.client_address.from != AddressFrom::Peer, &["listen", "client_address", "from"], &[]);
    list.when(file.admin.token.is_some(), &["admin", "token"], &[]);
    list.when(!file.admin.loopback, &["admin", "loopback"], &[]);
    of_tenants(tenants, &mut list);
    list.when(file.feeds != Feeds::default(), &["feeds"], &[]);
    list.when(file.rate_limit_store.kind != StoreKind::Local, &["rate_limit_store", "kind"], &[]);
    list.when(file.quarantine != Quarantine::default(), &["quarantine"], &[]);
    list.when(file.metrics != Metrics::default(), &["metrics", "max_tenants"], &[]);
    list.when(file.journal != Journal::default(), &["journal"], &[]);
    list.when(file.audit.target.is_some(), &["audit", "target"], &[]);
    list.when(file.telemetry.otlp_endpoint.is_some(), &["telemetry", "otlp_endpoint"], &[]);
    list.0
}

fn of_tenants(tenants: &Tenants, list: &mut List) {
    let plain = Tenants::default();
    list.when(!tenants.resolve.is_empty(), &["tenants", "resolve"], &[]);
    list.when(tenants.unknown != plain.unknown && !tenants.resolve.is_empty(), &["tenants", "unknown"], &[]);
    list.when(tenants.max_dynamic != plain.max_dynamic, &["tenants", "max_dynamic"], &[]);
    let defaults = &tenants.defaults;
    list.when(defaults.bare_token, &["tenants", "defaults", "bare_token"], &[]);
    list.when(defaults.rate_limit.is_some(), &["tenants", "defaults", "rate_limit"], &[]);
    list.when(does(&defaults.allow), &["tenants", "defaults", "allow"], &[]);
    list.when(defaults.upstream_authorization.is_some(), &["tenants", "defaults", "upstream_authorization"], &[]);

    // The tenant `default` is in force without a way to resolve others.
    let listed = tenants.list.keys().any(|id| !is_in_force(tenants, &id.0));
    list.when(listed, &["tenants", "list"], &[]);
    type Ask = fn(&Tenant) -> bool;
    let asks: [(&str, Ask); 5] = [
        ("allow", |t| does(&t.allow)),
        ("bare_token", |t| t.bare_token == Some(true)),
        ("rate_limit", |t| t.rate_limit.is_some()),
        ("tokens", |t| !t.tokens.is_empty()),
        ("upstream_authorization", |t| t.upstream_authorization.is_some()),
    ];
    for (key, ask) in asks {
        // With thousands of tenants one line is enough: the first, and how many more.
        let mut asking = tenants.list.iter().filter(|(_, tenant)| ask(tenant)).map(|(id, _)| id);
        let Some(first) = asking.next() else { continue };
        let more = asking.count();
        let before = list.0.len();
        list.when(true, &["tenants", "list", &first.0, key], &[]);
        if more > 0 {
            list.0[before..].iter_mut().for_each(|last| last.what = format!("{} (so for {more} more)", last.what));
        }
    }
}

/// Whether a listed tenant is the one that runs.
pub(crate) fn is_in_force(tenants: &Tenants, id: &str) -> bool {
    id == super::build::DEFAULT_TENANT && tenants.resolve.is_empty()
}

/// Whether an allowlist would look at anything.
fn does(allow: &Allow) -> bool {
    let named =
        allow.feeds.as_ref().is_some_and(|f| !f.is_empty()) || allow.cidrs.as_ref().is_some_and(|c| !c.is_empty());
    match allow.mode {
        Some(AllowMode::Off) => false,
        Some(AllowMode::Enforce) => true,
        Some(AllowMode::Observe) | None => named,
    }
}

struct List(Vec<Unmet>);

impl List {
    fn when(&mut self, asked: bool, path: &[&str], aspect: &[&str]) {
        if let (true, Some(waiting)) = (asked, waiting(&[path, aspect].concat())) {
            let path = path.iter().map(|&part| part.to_owned()).collect();
            self.0.push(Unmet { path, what: waiting.what.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_asks_for_nothing_that_waits() {
        assert!(unmet(&File::default()).is_empty());
    }

    #[test]
    fn what_is_below_a_waiting_key_waits() {
        assert!(waiting(&["listen", "client_address", "from"]).is_some());
        assert!(waiting(&["tenants", "list", "acme", "tokens"]).is_some_and(|w| w.what.contains("token")));
        assert!(waiting(&["listen", "base_url"]).is_none());
        assert!(waiting(&["tenants", "defaults", "idp"]).is_none());
    }
}
