//! The bearer token: what a caller presents, and whether it is one of the tenant's.
//!
//! Tokens are random and long, so one SHA-256 is enough (a slow hash protects what people choose). A presented token is
//! hashed and compared with each of the tenant's in constant time. Where the token itself names the tenant, its hash is
//! looked up in a map: what a stranger could learn from the time of that is about a hash that he cannot steer.

use std::{
    cell::OnceCell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use http::{HeaderMap, header};
use prometheus::IntGauge;
use sha2::{Digest, Sha256};
use subtle::{ConstantTimeEq, ConstantTimeLess as _};

use crate::config::{settings, types::Timestamp};

/// The hash of what a caller presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented(pub [u8; 32]);

/// What a caller presents, hashed once for all who ask.
#[derive(Debug)]
pub struct Authorization<'h> {
    headers: &'h HeaderMap,
    with_scheme: OnceCell<Option<Presented>>,
}

impl<'h> Authorization<'h> {
    /// Of a request with these headers.
    pub fn of(headers: &'h HeaderMap) -> Self {
        Self { headers, with_scheme: OnceCell::new() }
    }

    /// The token, without a scheme only where `bare` allows it; see [`Presented::of`].
    pub fn presented(&self, bare: bool) -> Option<Presented> {
        let with_scheme = *self.with_scheme.get_or_init(|| Presented::of(self.headers, false));
        with_scheme.or_else(|| if bare { Presented::of(self.headers, true) } else { None })
    }
}

/// Why a token does not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was one of the tenant's. Said only to who holds it.
    #[error(
        "the token expired at {0}; create a new one for this connection and enter it in the identity provider's \
         provisioning settings"
    )]
    Expired(Timestamp),
    /// No Authorization header with a bearer token.
    #[error(
        "no bearer token was sent: enter this connection's token in the identity provider's provisioning settings \
         (sent as `Authorization: Bearer ...`)"
    )]
    Missing,
    /// None of the tenant's.
    #[error(
        "the token is not one of this connection's: check that it was copied whole, and that this URL is the one it \
         was made for"
    )]
    Unknown,
}

/// A tenant's token, and when it was last accepted.
#[derive(Debug)]
pub struct Token {
    sha256: [u8; 32],
    expires: Option<Timestamp>,
    /// Its name.
    pub name: Arc<str>,
    last_used: Arc<AtomicI64>,
    /// Shows it, once the settings that name it are in force.
    gauge: OnceLock<IntGauge>,
}

impl Presented {
    /// What stands in the Authorization header; a value without a scheme only where `bare` allows it.
    ///
    /// As the field writes it: the scheme in any case, blanks around, and the scheme twice, since some admin consoles
    /// put it before a token that was pasted with it. Two headers are two callers.
    pub fn of(headers: &HeaderMap, bare: bool) -> Option<Self> {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let mut words = line.as_bytes().split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        let is_scheme = |word: &[u8]| word.eq_ignore_ascii_case(b"bearer");
        let token = match (words.next()?, words.next(), words.next(), words.next()) {
            (token, None, ..) if bare && !is_scheme(token) => token,
            (scheme, Some(token), None, _) if is_scheme(scheme) && !is_scheme(token) => token,
            (one, Some(two), Some(token), None) if is_scheme(one) && is_scheme(two) => token,
            _ => return None,
        };
        Some(Self::hash(token))
    }

    /// The hash of a token.
    pub fn hash(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl Token {
    /// A token as configured; `before` is the same token of the settings before.
    pub fn new(settings: &settings::Token, before: Option<&Self>) -> Self {
        Self {
            sha256: settings.sha256,
            expires: settings.expires,
            name: Arc::clone(&settings.name),
            last_used: before.map_or_else(Arc::default, |before| Arc::clone(&before.last_used)),
            gauge: OnceLock::new(),
        }
    }

    /// When it stops being valid.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Shows from now on when it was last used.
    pub fn show(&self, gauge: IntGauge) {
        gauge.set(self.last_used());
        let _ = self.gauge.set(gauge);
    }

    /// Its hash, to find it again.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// When it was last accepted, in seconds since 1970; 0 for never.
    pub fn last_used(&self) -> i64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Notes that it let a request in.
    pub fn used(&self, now: SystemTime) {
        let now = unix(now);
        if self.last_used.swap(now, Ordering::Relaxed) != now
            && let Some(gauge) = self.gauge.get()
        {
            gauge.set(now);
        }
    }
}

/// The token of `tokens` that was presented and is valid at `now`.
///
/// # Errors
/// Which of missing, unknown and expired it is.
pub fn check(tokens: &[Token], presented: Option<Presented>, now: SystemTime) -> Result<&Token, Refused> {
    let presented = presented.ok_or(Refused::Missing)?;
    // Every token is compared, whichever it is.
    let mut found = u32::MAX;
    for (at, token) in (0u32..).zip(tokens) {
        let same = token.sha256.ct_eq(&presented.0) & at.ct_lt(&found);
        found = <u32 as subtle::ConditionallySelectable>::conditional_select(&found, &at, same);
    }
    let token = tokens.get(found as usize).ok_or(Refused::Unknown)?;
    match token.expires {
        Some(at) if at.is_past(now) => Err(Refused::Expired(at)),
        _ => Ok(token),
    }
}

fn unix(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn presented(lines: &[&str], bare: bool) -> Option<Presented> {
        Presented::of(&lines.iter().map(|line| (header::AUTHORIZATION, line.parse().unwrap())).collect(), bare)
    }

    #[test]
    fn the_shapes_of_the_field_are_read() {
        let token = Some(Presented::hash(b"t0k=en"));
        for line in [
            "Bearer t0k=en",
            "bearer t0k=en",
            "BEARER  t0k=en ",
            " Bearer\tt0k=en",
            "Bearer Bearer t0k=en",
            "Bearer bearer  t0k=en",
        ] {
            assert_eq!(presented(&[line], false), token, "{line:?}");
            assert_eq!(presented(&[line], true), token, "{line:?}");
        }
        assert_eq!(presented(&["t0k=en"], true), token);
        assert_eq!(presented(&["t0k=en"], false), None);
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for line in [
            "",
            "Bearer",
            "Bearer Bearer",
            "Bearer Bearer Bearer t",
            "Basic dTpw",
            "Bearer a b",
            "Bearer a, Bearer b",
            "Token t",
        ] {
            assert_eq!(presented(&[line], false), None, "{line:?}");
            assert_eq!(presented(&[line], true), None, "{line:?}");
        }
        assert_eq!(presented(&["Bearer t", "Bearer t"], false), None);
        assert_eq!(presented(&[], true), None);
    }

    fn token(text: &str, expires: Option<i64>) -> Token {
        let settings = settings::Token {
            sha256: Presented::hash(text.as_bytes()).0,
            name: text.into(),
            expires: expires.map(|unix| Timestamp { unix }),
        };
        Token::new(&settings, None)
    }

    #[test]
    fn each_live_token_lets_in_and_others_are_told_apart() {
        let tokens = [token("old", Some(100)), token("new", Some(200)), token("ever", None)];
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        let ask = |text: &str, secs| check(&tokens, Some(Presented::hash(text.as_bytes())), at(secs)).map(|t| &*t.name);
        assert_eq!(ask("old", 99), Ok("old"));
        assert_eq!(ask("old", 100), Err(Refused::Expired(Timestamp { unix: 100 })));
        assert_eq!(ask("new", 100), Ok("new"));
        assert_eq!(ask("ever", 1 << 40), Ok("ever"));
        assert_eq!(ask("other", 0), Err(Refused::Unknown));
        assert_eq!(check(&tokens, None, at(0)).map(|_| ()), Err(Refused::Missing));
        assert_eq!(check(&[], Some(Presented::hash(b"x")), at(0)).map(|_| ()), Err(Refused::Unknown));
    }

    #[test]
    fn the_last_use_is_kept_through_a_reload() {
        let before = token("a", None);
        before.used(SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        let settings = settings::Token { sha256: before.sha256, name: "a".into(), expires: None };
        assert_eq!(Token::new(&settings, Some(&before)).last_used(), 7);
    }
}
