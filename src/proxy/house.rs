//! The proxy, as the admin port sees it.

use std::sync::Arc;

use http::Uri;

use super::Proxy;
use crate::{
    config::settings::{self, AllowMode, NotInForce, UnknownTenant},
    gate::{Tenant, tenants::DEFAULT},
    observe::house::{Access, Facts, House, NotReloaded, Reloading},
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

    fn absent(&self, id: &str, label: &str) -> Option<Facts> {
        let running = self.running.load();
        let tenants = &running.settings.tenants;
        let is_served = tenants.unknown == UnknownTenant::Defaults && id != DEFAULT;
        is_served.then(|| written(id, label, &tenants.defaults))
    }

    fn access(&self) -> Access {
        let admin = &self.running.load().settings.admin;
        Access { token: admin.token, loopback: admin.loopback }
    }

    fn notes(&self) -> Vec<String> {
        let note = |missing: &NotInForce| format!("{}: {}", missing.key, missing.what);
        self.running.load().settings.not_in_force.iter().map(note).collect()
    }

    fn drain(&self) {
        if self.life.leave() {
            tracing::info!("told to drain: not ready from now on, and each connection ends with its answer");
        }
    }

    fn reload(&self) -> Reloading {
        let asked = self.reloads.ask();
        Box::pin(async { asked.await.unwrap_or(Err(NotReloaded::Stopping)) })
    }
}

impl Proxy {
    fn facts(&self, tenant: &Arc<Tenant>) -> Facts {
        let running = self.running.load();
        let tenants = &running.settings.tenants;
        let listed = tenants.list.get(&tenant.id);
        Facts {
            listed: listed.is_some(),
            idp: tenant.idp().as_str(),
            unlisted: tenant.unlisted(),
            ..written(&tenant.id, &tenant.label, listed.unwrap_or(&tenants.defaults))
        }
    }
}

/// What the settings say of a tenant that nothing else is known of.
fn written(id: &str, label: &str, settings: &settings::Tenant) -> Facts {
    Facts {
        tenant: id.to_owned(),
        label: label.to_owned(),
        listed: false,
        idp: settings.idp.as_str(),
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
        unlisted: Vec::new(),
    }
}
