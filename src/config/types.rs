//! The words of the configuration: each is parsed once, here, and is valid from then on.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use http::Uri;
use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{
    document::{Kind, Node, is_variable, join},
    problem::{Grade, Problems},
    read::{Read, entries, unknown, word, words},
};
use crate::near::nearest;

/// Serializes by `Display` and puts a pattern and an explanation in the schema.
macro_rules! described {
    ($($type:ident: { $($json:tt)+ })+) => {
        $(
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ $($json)+ })
                }
            }
        )+
    };
}

described! {
    Address: { "type": "string", "format": "address" }
    BasePath: { "type": "string", "format": "path", "pattern": "^/" }
    Cidr: { "type": "string", "format": "CIDR" }
    FeedName: { "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$" }
    FeedRef: { "type": "string", "format": "feed", "pattern": "^[^:]+(:.+)?$" }
    HttpUrl: { "type": "string", "format": "URL", "pattern": "^https?://" }
    LogLevel: { "type": "string" }
    MediaType: { "type": "string", "format": "media type" }
    Period: { "type": "string", "format": "duration", "pattern": "^([0-9]+(ms|s|m|h|d)|0)$" }
    RedisUrl: { "type": "string", "format": "URL", "pattern": "^rediss?://" }
    Sha256: { "type": "string", "format": "64 hex digits", "pattern": "^[0-9a-fA-F]{64}$" }
    TenantId: { "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$" }
    Timestamp: { "type": "string", "format": "date-time" }
}

words! {
    Address, "an address and a port such as `0.0.0.0:7643` or `[::1]:7643`", Address::parse;
    BasePath, "a path such as `/scim/v2`, or `/`", BasePath::parse;
    Cidr, "a CIDR such as `192.0.2.0/24`", Cidr::parse;
    FeedName, "letters a-z, digits, `_` and `-`, 63 at most", |text| {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if named(text, legal) { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    };
    FeedRef, "the name of a feed, with its cell or tag after a colon: `okta:us_cell_1`", FeedRef::parse;
    HttpUrl, "a URL such as `http://127.0.0.1:8080/scim/v2`", HttpUrl::parse;
    LogLevel, "one of error, warn, info, debug, trace, off, or directives such as `info,scimshim::proxy=debug`",
        LogLevel::parse;
    MediaType, "a media type such as `application/json`", MediaType::parse;
    Period, "a duration such as `500ms`, `20s`, `2m`, `1h` or `7d`", Period::parse;
    PerSecond, "a number over 0", |text| {
        text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0 && *n <= 1e6).map(Self).ok_or_else(String::new)
    };
    Size, "a size such as `64KiB`, `10MiB`, or a number of bytes", Size::parse;
    TenantId, "1 to 63 of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit", |text| {
        if is_tenant_id(text) { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    };
    Timestamp, "a time as RFC 3339 has it, such as `2027-11-01T00:00:00Z`", Timestamp::parse;
}

/// 1 to 63 legal characters (a DNS label's length, since names become host labels), the first a letter or digit.
fn named(text: &str, legal: impl Fn(char) -> bool) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(legal)
}

/// Whether `text` may be the name of a tenant.
pub fn is_tenant_id(text: &str) -> bool {
    named(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Address {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| match text.parse::<IpAddr>() {
            Ok(_) => "no port".into(),
            Err(_) => "names are not looked up here".into(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A path that begins with `/`; kept without a slash at the end, so the root is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePath(pub String);

impl BasePath {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("it does not begin with `/`".into());
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(c);
        if let Some(c) = text.chars().find(|&c| !legal(c)) {
            return Err(format!("`{}` is not legal in it", c.escape_default()));
        }
        // Such a path would never match: requests that hold these are refused, not resolved.
        if text.contains("//") || text.split('/').any(|segment| segment == "." || segment == "..") {
            return Err("it holds an empty or a dot segment".into());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// An address range; a bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(pub IpNet);

impl Cidr {
    fn parse(text: &str) -> Result<Self, String> {
        let net: IpNet = match text.parse::<IpAddr>() {
            Ok(address) => address.into(),
            Err(_) => text.parse().map_err(|_| String::new())?,
        };
        // `10.1.2.3/8` is a slip: it could mean the host or the network.
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            Err(format!("it has bits behind the prefix; the range is `{}`", net.trunc()))
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedName(pub String);

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A feed, and the cell or tag of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRef {
    /// Its name below `feeds`.
    pub feed: String,
    /// Okta cell or Azure tag.
    pub part: Option<String>,
}

impl FeedRef {
    fn parse(text: &str) -> Result<Self, String> {
        let (feed, part) = match text.split_once(':') {
            Some((feed, part)) => (feed, Some(part)),
            None => (text, None),
        };
        if feed.is_empty() || part.is_some_and(|p| p.trim().is_empty()) {
            return Err(String::new());
        }
        Ok(Self { feed: feed.to_owned(), part: part.map(str::to_owned) })
    }
}

impl fmt::Display for FeedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.feed)?;
        self.part.as_ref().map_or(Ok(()), |part| write!(f, ":{part}"))
    }
}

/// An absolute `http` or `https` URL without a user and without a fragment; it may hold `{tenant}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("no scheme")?;
        if scheme != "http" && scheme != "https" {
            return Err("the scheme is neither http nor https".into());
        }
        if rest.contains('#') {
            return Err("it has a fragment".into());
        }
        let uri = Self::filled(text, "default").ok_or("not a URL")?;
        let authority = uri.authority().ok_or("no host")?;
        if authority.as_str().contains('@') {
            return Err("it has a user name in it".into());
        }
        if authority.host().is_empty() || (authority.as_str().ends_with(':')) {
            return Err("no host or an empty port".into());
        }
        if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("the port is none".into());
        }
        Ok(Self(text.to_owned()))
    }

    fn filled(text: &str, tenant: &str) -> Option<Uri> {
        text.replace(TENANT, tenant).parse().ok()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `https`.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether its host is this machine or pod itself, whatever the tenant.
    pub fn is_loopback(&self) -> bool {
        let uri = Self::filled(&self.0, "default");
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Whether it holds `{tenant}`.
    pub fn has_tenant(&self) -> bool {
        self.0.contains(TENANT)
    }

    /// The path as it was written, `{tenant}` included; empty for none.
    pub fn path(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        path.split('?').next().unwrap_or_default()
    }

    /// Whether it has a query.
    pub fn has_query(&self) -> bool {
        self.0.contains('?')
    }

    /// The URL of one tenant, without a slash at the end.
    pub fn for_tenant(&self, tenant: &str) -> String {
        self.0.replace(TENANT, tenant).trim_end_matches('/').to_owned()
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An env-filter directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(pub String);

impl LogLevel {
    const KNOWN: [&'static str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

    /// Env-filter takes a word that is no level for the name of a target, and says no more about anything else.
    fn parse(text: &str) -> Result<Self, String> {
        let directives: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let bare = |part: &&&str| !part.contains(['=', '[']);
        let is_level = |part: &str| part.parse::<LevelFilter>().is_ok();
        if let Some(word) = directives.iter().filter(bare).find(|part| !is_level(part)) {
            return Err(match nearest(word, Self::KNOWN) {
                Some(level) => format!("no such level (did you mean `{level}`?)"),
                None => "a target needs its level after a `=`".to_owned(),
            });
        }
        let text = directives.join(",");
        match EnvFilter::builder().parse(&text) {
            Ok(_) if !text.is_empty() => Ok(Self(text)),
            _ => Err(String::new()),
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands for a tenant's name in URLs and templates.
pub(crate) const TENANT: &str = "{tenant}";

/// A Content-Type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(pub http::HeaderValue);

impl MediaType {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, sub) = text.split(';').next().and_then(|t| t.trim().split_once('/')).ok_or("no `/` in it")?;
        let token = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c));
        match text.parse() {
            Ok(value) if token(kind) && token(sub) => Ok(Self(value)),
            _ => Err(String::new()),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0.as_bytes()))
    }
}

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerSecond(pub f64);

impl Serialize for PerSecond {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl JsonSchema for PerSecond {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PerSecond".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000 })
    }
}

/// A duration with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    /// So that adding a few to any instant cannot overflow; nothing here waits for ten years.
    const MAX: Duration = Duration::from_secs(3650 * 86_400);

    const UNITS: [(&'static str, u64); 5] =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// Whole seconds, for defaults.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| String::new())?;
        let millis = match Self::UNITS.iter().find(|&&(name, _)| name == unit) {
            Some(&(_, millis)) => millis,
            None if unit.is_empty() && number == 0 => 1,
            None if unit.is_empty() => return Err("no unit".into()),
            None => return Err("no such unit".into()),
        };
        let period = Duration::from_millis(number.checked_mul(millis).ok_or("too long")?);
        if period > Self::MAX { Err("over ten years".into()) } else { Ok(Self(period)) }
    }
}

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = <Self as super::read::Word>::WANTED;
        Self::parse(text).map_err(|why| {
            let why = if why.is_empty() { "not legal".to_owned() } else { why };
            format!("{why}; write {wanted}")
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        // Days only where hours are unusual: `24h` and `600s` are how people write these.
        let unit = match millis {
            0 => ("s", 1000),
            m if m % 86_400_000 == 0 => ("d", 86_400_000),
            m if m % 3_600_000 == 0 => ("h", 3_600_000),
            m if m % 1000 == 0 => ("s", 1000),
            _ => ("ms", 1),
        };
        write!(f, "{}{}", millis / unit.1, unit.0)
    }
}

/// The URL of a Redis or Valkey server. It may hold a password, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URL itself, for the client only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl super::read::Word for RedisUrl {
    const WANTED: &'static str = "a URL such as `redis://127.0.0.1:6379/0`";
    const PRIVATE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| String::new())?;
        match uri.scheme_str() {
            Some("redis" | "rediss") if uri.host().is_some_and(|h| !h.is_empty()) => Ok(Self(text.to_owned())),
            _ => Err("neither redis:// nor rediss:// with a host".into()),
        }
    }
}

impl Read for RedisUrl {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        word(node, key, problems)
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redis://…")
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The SHA-256 of a token or a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl super::read::Word for Sha256 {
    const WANTED: &'static str = "64 hex digits, as `scimshim token hash` prints them";
    // Somebody pastes the token instead of its hash, once.
    const PRIVATE: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let hash = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        hash.map(Self).ok_or_else(|| format!("{} characters", text.chars().count()))
    }
}

impl Read for Sha256 {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        word(node, key, problems)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl Size {
    const UNITS: [(&'static str, usize); 4] = [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: usize = number.parse().map_err(|_| String::new())?;
        let unit = unit.trim_start();
        match Self::UNITS.iter().find(|&&(name, _)| name == unit) {
            Some(&(_, bytes)) => number.checked_mul(bytes).map(Self).ok_or_else(|| "too large".into()),
            // 1000 or 1024: two readers, two answers.
            None => Err("no such unit (KiB, MiB and GiB are)".into()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = Self::UNITS
            .iter()
            .rev()
            .find(|&&(_, bytes)| self.0 >= bytes && self.0.is_multiple_of(bytes))
            .unwrap_or(&("", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "size",
            "pattern": "^[0-9]+ ?(KiB|MiB|GiB)?$",
            "minimum": 0,
        })
    }
}

/// The name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantId(pub String);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A moment, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix: i64,
}

impl Timestamp {
    /// RFC 3339 5.6; a fraction is dropped, a leap second counts as the next one.
    fn parse(text: &str) -> Result<Self, String> {
        let bad = || String::new();
        let number = |from: usize, to: usize| -> Result<i64, String> {
            let digits = text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit())).ok_or_else(bad)?;
            digits.parse().map_err(|_| bad())
        };
        let byte = |at: usize| text.as_bytes().get(at).copied().unwrap_or_default();
        if byte(4) != b'-' || byte(7) != b'-' {
            return Err(bad());
        }
        if text.len() == 10 {
            return Err("no time of day".into());
        }
        if !matches!(byte(10), b'T' | b't' | b' ') || byte(13) != b':' || byte(16) != b':' {
            return Err(bad());
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return Err("no such day".into());
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err("no such time of day".into());
        }
        let mut zone = 19;
        if byte(zone) == b'.' {
            zone += 1;
            while byte(zone).is_ascii_digit() {
                zone += 1;
            }
        }
        let offset = match byte(zone) {
            b'Z' | b'z' if text.len() == zone + 1 => 0,
            sign @ (b'+' | b'-') if text.len() == zone + 6 && byte(zone + 3) == b':' => {
                let (hours, minutes) = (number(zone + 1, zone + 3)?, number(zone + 4, zone + 6)?);
                if hours > 23 || minutes > 59 {
                    return Err("no such offset".into());
                }
                (hours * 3600 + minutes * 60) * if sign == b'-' { -1 } else { 1 }
            }
            0 => return Err("no time zone".into()),
            _ => return Err(bad()),
        };
        Ok(Self { unix: days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset })
    }

    /// Whether it lies before `now`.
    pub fn is_past(self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        i64::try_from(now).is_ok_and(|now| self.unix <= now)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = <Self as super::read::Word>::WANTED;
        Self::parse(text).map_err(|why| {
            let why = if why.is_empty() { "not legal".to_owned() } else { why };
            format!("{text:?} is no time: {why}; write {wanted}")
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.unix.div_euclid(86_400));
        let second = self.unix.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, by counting years from March (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day that is so many days after 1970-01-01; the inverse of [`days`], from the same paper.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// Where a secret is. The value itself is read when it is needed, so that a rotated file is seen.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; a line break at its end is not part of the secret.
    File(PathBuf),
    /// In the configuration, mostly through `${NAME}`.
    Text(SecretText),
}

impl Secret {
    /// A longer token fits in no header.
    const MAX_BYTES: u64 = 64 * 1024;

    /// The value now. `base` is the folder that relative files start from.
    pub fn read(&self, base: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<SecretText, SecretError> {
        let text = match self {
            Self::Env(name) => env(name).ok_or_else(|| SecretError::Unset(name.clone()))?,
            Self::File(path) => {
                let path = base.join(path);
                read_text(&path, Self::MAX_BYTES)
                    .map_err(|why| SecretError::Unreadable(path, why))?
                    .trim_end_matches(['\r', '\n'])
                    .to_owned()
            }
            Self::Text(text) => text.0.clone(),
        };
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(SecretText(text)) }
    }
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, String),
    /// The variable is away.
    #[error("the environment variable {0} is not set")]
    Unset(String),
}

/// A secret's value; printing it prints dots.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The value, for the header it belongs into.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{{env: {name}}}"),
            Self::File(path) => write!(f, "{{file: {}}}", path.display()),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

/// The schema of an object with one key, which is how a choice is written.
pub(super) fn one_key(key: &str, what: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "properties": { key: { "type": "string", "description": what } },
        "required": [key],
        "additionalProperties": false,
    })
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "format": "secret",
            "anyOf": [
                one_key("env", "The environment variable that holds it."),
                one_key("file", "The file that holds it."),
                { "type": "string", "description": "Text with `${NAME}` in it." },
            ],
        })
    }
}

impl Read for Secret {
    fn read(node: &Node, key: &str, problems: &mut Problems) -> Option<Self> {
        const CURE: &str = "write `{env: NAME}` or `{file: PATH}`";
        match &node.kind {
            Kind::Scalar(scalar) => {
                if !scalar.substituted() {
                    problems.note(node.place, key, "the secret stands in this file", CURE);
                }
                if scalar.text.is_empty() {
                    problems.wrong(node.place, key, "the secret is empty", CURE);
                    return None;
                }
                Some(Self::Text(SecretText(scalar.text.clone())))
            }
            Kind::Map(_) => {
                let mut found = Vec::new();
                for (name, place, value) in entries(node, key, problems)? {
                    let below = join(key, name);
                    match name {
                        "env" => {
                            let variable: String = Read::read(value, &below, problems)?;
                            if !is_variable(&variable) {
                                problems.wrong(place, &below, "not the name of a variable", "write `{env: NAME}`");
                                return None;
                            }
                            found.push(Self::Env(variable));
                        }
                        "file" => found.push(Self::File(Read::read(value, &below, problems)?)),
                        _ => unknown(name, key, place, &["env", "file"], problems),
                    }
                }
                if found.len() != 1 {
                    problems.wrong(node.place, key, "not one source for a secret", CURE);
                    return None;
                }
                found.pop()
            }
            Kind::Unset => None,
            Kind::List(_) | Kind::Null => {
                problems.add(Grade::Wrong, node.place, key, "no secret", CURE);
                None
            }
        }
    }
}

/// Reads a text file up to a bound; a device or a pipe does not hold us up for ever.
pub(crate) fn read_text(path: &Path, max: u64) -> Result<String, String> {
    use std::io::Read as _;
    let said = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    };
    let file = std::fs::File::open(path).map_err(said)?;
    if file.metadata().map_err(said)?.is_dir() {
        return Err("it is a folder".into());
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() as u64 > max {
        return Err(format!("over {}", Size(usize::try_from(max).unwrap_or(usize::MAX))));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        format!("not UTF-8 in line {}", before.split(|&b| b == b'\n').count())
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::{super::read::Word, *};

    #[test]
    fn periods_and_sizes_have_units() {
        for (text, millis) in
            [("20s", 20_000), ("500ms", 500), ("7d", 604_800_000), ("1h", 3_600_000), ("2m", 120_000), ("0", 0)]
        {
            assert_eq!(<Period as Word>::parse(text), Ok(Period(Duration::from_millis(millis))), "{text}");
        }
        for text in ["20", "s", "", "1.5s", "-1s", "20 sec", "99999999999999999999s", "4000d"] {
            assert!(<Period as Word>::parse(text).is_err(), "{text}");
        }
        assert_eq!(<Size as Word>::parse("10MiB"), Ok(Size(10 << 20)));
        assert_eq!(<Size as Word>::parse("64KiB"), Ok(Size(64 << 10)));
        assert_eq!(<Size as Word>::parse("512"), Ok(Size(512)));
        assert!(<Size as Word>::parse("10MB").is_err());
        assert_eq!(Size(10 << 20).to_string(), "10MiB");
        assert_eq!(Period::secs(50).to_string(), "50s");
    }

    #[test]
    fn timestamps_are_rfc_3339() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2027-11-01T00:00:00Z", 1_825_027_200),
            ("2024-02-29T12:00:00.5+02:00", 1_709_200_800),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(<Timestamp as Word>::parse(text), Ok(Timestamp { unix }), "{text}");
        }
        for unix in (0..80_000).map(|step| step * 86_399 * 3) {
            let timestamp = Timestamp { unix };
            assert_eq!(<Timestamp as Word>::parse(&timestamp.to_string()), Ok(timestamp), "{timestamp}");
        }
        for text in [
            "2027-11-01",
            "2027-02-29T00:00:00Z",
            "2027-11-01T00:00:00",
            "2027-13-01T00:00:00Z",
            "x",
            "2027-11-01T24:00:00Z",
        ] {
            assert!(<Timestamp as Word>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_in_the_log_level_is_a_level() {
        for (text, kept) in [
            ("info", "info"),
            ("WARN", "WARN"),
            ("off", "off"),
            ("info, scimshim::proxy=debug,", "info,scimshim::proxy=debug"),
            ("hyper=off", "hyper=off"),
        ] {
            assert_eq!(<LogLevel as Word>::parse(text), Ok(LogLevel(kept.into())), "{text}");
        }
        for text in ["", ",", "loud", "scimshim", "scimshim::proxy", "info,loud", "scimshim=inof"] {
            assert!(<LogLevel as Word>::parse(text).is_err(), "{text}");
        }
        assert!(<LogLevel as Word>::parse("inof").is_err_and(|why| why.contains("`info`")));
        assert!(<LogLevel as Word>::parse("wran").is_err_and(|why| why.contains("`warn`")));
    }

    #[test]
    fn urls_are_absolute_and_plain() {
        for text in
            ["http://127.0.0.1:8080/scim/v2", "https://app.example.com", "http://[::1]:8080/", "http://a/{tenant}/scim"]
        {
            assert!(HttpUrl::parse(text).is_ok(), "{text}");
        }
        for text in [
            "127.0.0.1:8080",
            "ftp://a/",
            "http://",
            "http://u:p@a/",
            "http://a/#x",
            "http://a:0/",
            "http://a b/",
            "http://a:99999/",
            "http:///x",
        ] {
            assert!(HttpUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(HttpUrl::parse("http://a/t/{tenant}?x").map(|u| u.path().to_owned()), Ok("/t/{tenant}".into()));
    }

    #[test]
    fn ranges_have_no_bits_behind_the_prefix() {
        assert!(<Cidr as Word>::parse("192.0.2.0/24").is_ok());
        assert!(<Cidr as Word>::parse("2001:db8::1").is_ok());
        assert!(<Cidr as Word>::parse("192.0.2.7/24").is_err_and(|why| why.contains("192.0.2.0/24")));
    }
}
