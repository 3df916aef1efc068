//! What an answer is to the IdP: a success, a failure of one object, or one of the connection.
//!
//! Precedence matters more than the single rules: a check is judged apart, credentials before everything else, and what
//! reaches the wanted state is no failure whatever its status. Codes are Entra's, from its provisioning log.

use serde::Serialize;

use super::Kind;

/// How the IdP is taken to judge one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The credentials are not good.
    Auth,
    /// The endpoint does not answer as a SCIM endpoint does.
    Connection,
    /// The normal "not found" of a read by id.
    Neutral,
    /// This object failed.
    Object,
    /// Success.
    Ok,
    /// The update of a reference failed.
    Reference,
    /// This object was told to wait.
    Throttle,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 7] =
        [Self::Auth, Self::Connection, Self::Neutral, Self::Object, Self::Ok, Self::Reference, Self::Throttle];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Connection => "connection",
            Self::Neutral => "neutral",
            Self::Object => "object",
            Self::Ok => "ok",
            Self::Reference => "reference",
            Self::Throttle => "throttle",
        }
    }
}

/// What is asked about an answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// What was asked.
    pub kind: Kind,
    /// The method is DELETE.
    pub delete: bool,
    /// 0 is no answer.
    pub status: u16,
    /// The body can be read as SCIM.
    pub scim: bool,
    /// A lookup found more than one.
    pub several: bool,
    /// It touches only references.
    pub reference: bool,
    /// Something has succeeded in this cycle: then a 403 is about the object and not about credentials.
    pub trusted: bool,
}

/// Judges one answer.
pub fn classify(answer: &Answer) -> Class {
    let Answer { kind, delete, status, scim, several, reference, trusted } = *answer;
    let told = (200..300).contains(&status);
    if kind == Kind::Probe {
        return match status {
            401 | 403 => Class::Auth,
            _ if told && scim => Class::Ok,
            _ => Class::Connection,
        };
    }
    match (kind, status) {
        (_, 401) => Class::Auth,
        (_, 403) if !trusted => Class::Auth,
        (Kind::Filter, 404 | 501) => Class::Connection,
        (Kind::Get, 404) => Class::Neutral,
        (_, 404) if delete => Class::Ok,
        _ if told && scim && !several => Class::Ok,
        _ if reference => Class::Reference,
        (_, 429) => Class::Throttle,
        _ => Class::Object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(kind: Kind, status: u16, change: impl Fn(&mut Answer)) -> Class {
        let mut answer =
            Answer { kind, delete: false, status, scim: true, several: false, reference: false, trusted: true };
        change(&mut answer);
        classify(&answer)
    }

    fn plain(kind: Kind, status: u16) -> Class {
        class(kind, status, |_| ())
    }

    #[test]
    fn a_check_fails_by_everything_but_a_scim_answer() {
        assert_eq!(plain(Kind::Probe, 204), Class::Ok);
        assert_eq!(class(Kind::Probe, 200, |answer| answer.scim = false), Class::Connection);
        for status in [401, 403] {
            assert_eq!(plain(Kind::Probe, status), Class::Auth);
        }
        for status in [0, 302, 400, 404, 429, 500, 503] {
            assert_eq!(plain(Kind::Probe, status), Class::Connection, "{status}");
        }
        // Not one of many results, nor of a reference, nor of a DELETE.
        assert_eq!(class(Kind::Probe, 404, |answer| answer.delete = true), Class::Connection);
        assert_eq!(class(Kind::Probe, 200, |answer| answer.several = true), Class::Ok);
    }

    #[test]
    fn credentials_come_before_everything_else() {
        for kind in [Kind::Filter, Kind::Get, Kind::Write] {
            assert_eq!(class(kind, 401, |answer| answer.reference = true), Class::Auth);
            assert_eq!(class(kind, 403, |answer| answer.trusted = false), Class::Auth);
            assert_eq!(plain(kind, 403), Class::Object);
        }
        assert_eq!(class(Kind::Write, 403, |answer| answer.reference = true), Class::Reference);
        assert_eq!(class(Kind::Write, 401, |answer| answer.delete = true), Class::Auth);
    }

    #[test]
    fn not_found_means_what_was_asked() {
        assert_eq!(plain(Kind::Filter, 404), Class::Connection);
        assert_eq!(plain(Kind::Filter, 501), Class::Connection);
        assert_eq!(plain(Kind::Get, 404), Class::Neutral);
        assert_eq!(plain(Kind::Get, 501), Class::Object);
        assert_eq!(plain(Kind::Write, 404), Class::Object);
        assert_eq!(class(Kind::Write, 404, |answer| answer.delete = true), Class::Ok);
        assert_eq!(class(Kind::Write, 409, |answer| answer.delete = true), Class::Object);
    }

    #[test]
    fn success_is_one_result_that_can_be_read() {
        for status in [200, 201, 204, 299] {
            assert_eq!(plain(Kind::Write, status), Class::Ok);
        }
        assert_eq!(class(Kind::Filter, 200, |answer| answer.several = true), Class::Object);
        assert_eq!(class(Kind::Write, 200, |answer| answer.scim = false), Class::Object);
        for status in [0, 199, 300, 302, 400, 409, 412, 422, 500, 501, 503] {
            assert_eq!(plain(Kind::Write, status), Class::Object, "{status}");
            assert_eq!(class(Kind::Write, status, |answer| answer.reference = true), Class::Reference, "{status}");
        }
        assert_eq!(plain(Kind::Write, 429), Class::Throttle);
        assert_eq!(class(Kind::Write, 429, |answer| answer.reference = true), Class::Reference);
    }
}
