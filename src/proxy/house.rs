//! The proxy, as the admin port sees it.

use std::sync::Arc;

use http::Uri;

use super::Proxy;
use crate::{
    config::settings::{AllowMode, NotInForce},
    gate::{Tenant, tenants::DEFAULT},
    observe::house::{Access, Facts, House},
    quirk::TenantMode,
};

/// Unlisted tenants that are shown.
const SHOWN: usize = 200;

impl House for Proxy {
    fn app(&self) -> Uri {
        self.running.load().gate.anywhere().clone()
    }

    fn tenants(&self) -> Vec<Facts> {
        let running = self.running.load();
        let tenants = &running.settings.tenants;
        // Where others are named and it is not, no connection is its.
        let shown = |id: &str| id != DEFAULT || tenants.resolve.is_empty() || tenants.list.contains_key(DEFAULT);
        let mut all: Vec<_> = running.gate.tenants().map(|tenant| self.facts(tenant)).collect();
        all.extend(running.gate.remembered(SHOWN).iter().map(|tenant| self.facts(tenant)));
        all.retain(|facts| shown(&facts.tenant));
        all.sort_by(|one, two| one.tenant.cmp(&two.tenant));
        all.dedup_by(|one, two| one.tenant == two.tenant);
        all
    }

    fn tenant(&self, id: &str) -> Option<Facts> {
        let gate = &self.running.load().gate;
        let tenant = gate.tenants().find(|tenant| *tenant.id == *id).cloned().or_else(|| gate.recall(id))?;
        Some(self.facts(&tenant))
    }

    fn access(&self) -> Access {
        let admin = &self.running.load().settings.admin;
        Access { token: admin.token, loopback: admin.loopback }
    }

    fn notes(&self) -> Vec<String> {
        let note = |missing: &NotInForce| format!("{}: {}", missing.key, missing.what);
        self.running.load().settings.not_in_force.iter().map(note).collect()
    }
}

impl Proxy {
    fn facts(&self, tenant: &Arc<Tenant>) -> Facts {
        let running = self.running.load();
        let tenants = &running.settings.tenants;
        let settings = tenants.list.get(&tenant.id);
        let listed = settings.is_some();
        let settings = settings.unwrap_or(&tenants.defaults);
        Facts {
            tenant: tenant.id.to_string(),
            label: tenant.label.to_string(),
            listed,
            idp: tenant.idp().as_str(),
            mode: match settings.plan.mode {
                TenantMode::Observe => "observe",
                TenantMode::Off => "off",
                TenantMode::Reject => "reject",
                TenantMode::Rewrite => "rewrite",
            },
            allow: match settings.allow.mode {
                AllowMode::Enforce => "enforce",
                AllowMode::Observe => "observe",
                AllowMode::Off => "off",
            },
            limited: settings.limits.is_some(),
            unlisted: tenant.unlisted(),
        }
    }
}
