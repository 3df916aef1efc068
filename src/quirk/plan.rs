//! Which quirks are fixed, observed or off for one tenant: settings in, a table of modes out.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use super::{Direction, Id, Risk, catalogue};
use crate::scim::Registry;

/// The identity provider whose dialect a tenant speaks: a profile of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Idp {
    /// Taken from the User-Agent where it tells, else `Generic`.
    Auto,
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// OneLogin.
    Onelogin,
    /// Google Workspace.
    Google,
    /// JumpCloud.
    Jumpcloud,
    /// PingFederate and PingOne.
    Ping,
    /// authentik.
    Authentik,
    /// No profile.
    Generic,
}

impl Idp {
    /// Every profile, as the configuration spells it.
    pub const ALL: [Self; 9] = [
        Self::Auto,
        Self::Entra,
        Self::Okta,
        Self::Onelogin,
        Self::Google,
        Self::Jumpcloud,
        Self::Ping,
        Self::Authentik,
        Self::Generic,
    ];

    /// The name in configuration and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Onelogin => "onelogin",
            Self::Google => "google",
            Self::Jumpcloud => "jumpcloud",
            Self::Ping => "ping",
            Self::Authentik => "authentik",
            Self::Generic => "generic",
        }
    }

    /// The profile that a User-Agent tells for certain (idp-requests catalogue, section 6): Okta, Google, authentik.
    pub fn from_user_agent(agent: &str) -> Option<Self> {
        let starts = |prefix: &str| agent.get(..prefix.len()).is_some_and(|a| a.eq_ignore_ascii_case(prefix));
        if starts("okta scim") {
            Some(Self::Okta)
        } else if starts("google-auto-provisioning") {
            Some(Self::Google)
        } else if starts("authentik@") {
            Some(Self::Authentik)
        } else {
            None
        }
    }
}

impl fmt::Display for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Idp {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|idp| idp.as_str() == name).ok_or(())
    }
}

/// What is done about one quirk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Rewritten and counted.
    Fix,
    /// Counted, forwarded untouched.
    Observe,
    /// Not looked for.
    #[default]
    Off,
}

/// What is done about a tenant's traffic as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TenantMode {
    /// Each quirk by its own mode.
    #[default]
    Rewrite,
    /// Everything is counted, nothing is changed.
    Observe,
    /// A request with a deviation is answered 400 and the quirks are named.
    Reject,
    /// Nothing is read.
    Off,
}

/// What the operator wrote about one tenant's quirks.
#[derive(Debug, Clone)]
pub struct PlanSettings {
    /// Mode of the whole tenant.
    pub mode: TenantMode,
    /// Mode by quirk id or switch, for both directions; unknown names have been refused before.
    pub quirks: BTreeMap<String, Mode>,
    /// RFC 7643 schemas and the operator's own.
    pub registry: Arc<Registry>,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self { mode: TenantMode::Rewrite, quirks: BTreeMap::new(), registry: Arc::new(Registry::rfc()) }
    }
}

/// Settings of quirks that have another name than their quirk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `date-no-zone-utc`: dates without a zone are UTC (quirk `date-no-zone`).
    DateNoZoneUtc,
    /// `list-200-no-body`: 200 without a byte is an empty list (quirk `list-204-empty`).
    List200NoBody,
    /// `list-404-unseen`: a filter's 404 is an empty list also before the collection has answered anything else (quirk
    /// `list-404-empty`).
    List404Unseen,
    /// `location-rebuild`: two foreign locations are rebuilt from the id (quirk `location-mismatch`).
    LocationRebuild,
}

impl Switch {
    /// Every switch with its name.
    pub const ALL: [(Self, &'static str, Id); 4] = [
        (Self::DateNoZoneUtc, "date-no-zone-utc", Id::DateNoZone),
        (Self::List200NoBody, "list-200-no-body", Id::List204Empty),
        (Self::List404Unseen, "list-404-unseen", Id::List404Empty),
        (Self::LocationRebuild, "location-rebuild", Id::LocationMismatch),
    ];
}

/// Modes of every quirk in both directions for one tenant and one profile. Cheap to ask, made once.
#[derive(Debug, Clone)]
pub struct Plan {
    mode: TenantMode,
    idp: Idp,
    request: Box<[Mode]>,
    response: Box<[Mode]>,
    switches: [Mode; 4],
    registry: Arc<Registry>,
}

impl Plan {
    /// The plan of `settings` for a tenant whose profile is `idp` (`Auto` counts as `Generic`).
    pub fn new(settings: &PlanSettings, idp: Idp) -> Self {
        let table = |direction| {
            catalogue::ALL
                .iter()
                .map(|quirk| {
                    if !quirk.direction.covers(direction) {
                        return Mode::Off;
                    }
                    let wanted =
                        settings.quirks.get(quirk.id).copied().unwrap_or_else(|| quirk.default_mode(idp, direction));
                    under(
                        settings.mode,
                        if quirk.risk == Risk::Report && wanted == Mode::Fix { Mode::Observe } else { wanted },
                    )
                })
                .collect()
        };
        let switches = Switch::ALL
            .map(|(_, name, _)| under(settings.mode, settings.quirks.get(name).copied().unwrap_or(Mode::Observe)));
        Self {
            mode: settings.mode,
            idp: if idp == Idp::Auto { Idp::Generic } else { idp },
            request: table(Direction::Request),
            response: table(Direction::Response),
            switches,
            registry: Arc::clone(&settings.registry),
        }
    }

    /// The tenant's mode.
    pub fn tenant_mode(&self) -> TenantMode {
        self.mode
    }

    /// The profile.
    pub fn idp(&self) -> Idp {
        self.idp
    }

    /// The schemas this tenant knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is done about `id` in `direction`.
    pub fn mode(&self, direction: Direction, id: Id) -> Mode {
        match direction {
            Direction::Response => self.response[id as usize],
            Direction::Request | Direction::Both => self.request[id as usize],
        }
    }

    /// What is done about a switch.
    pub fn switch(&self, switch: Switch) -> Mode {
        self.switches[switch as usize]
    }
}

/// A quirk's mode as the tenant's mode allows it.
fn under(tenant: TenantMode, mode: Mode) -> Mode {
    match (tenant, mode) {
        (TenantMode::Off, _) => Mode::Off,
        (TenantMode::Observe, Mode::Fix) => Mode::Observe,
        (_, mode) => mode,
    }
}
