//! What an operator asks of the journal.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use super::entry::Entry;
use crate::{
    near::nearest,
    observe::facts::{ENDPOINTS, decoded, head},
    quirk::Id,
};

/// Which exchanges are wanted; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// In which this quirk was found, fixed or not.
    pub quirk: Option<Id>,
    /// That the IdP was told this.
    pub status: Option<Status>,
    /// With this method.
    pub method: Option<String>,
    /// Of this resource.
    pub resource: Option<String>,
    /// That failed, or that did not.
    pub failed: Option<bool>,
    /// With this request id.
    pub id: Option<String>,
    /// Older than this number.
    pub before: Option<u64>,
    /// No more than so many; of a page 50 where nothing is said.
    pub limit: Option<usize>,
}

/// A status or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `4xx`
    Class(u16),
    /// `409`; 0 is no answer.
    Exact(u16),
}

/// Exchanges, latest first.
#[derive(Debug)]
pub struct Page {
    /// The exchanges.
    pub entries: Vec<Arc<Entry>>,
    /// What to put in `before` for the next page; `None` on the last.
    pub next: Option<u64>,
}

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<&RawValue> = self.entries.iter().map(|entry| &*entry.json).collect();
        let mut page = serializer.serialize_struct("Page", 2)?;
        page.serialize_field("entries", &entries)?;
        page.serialize_field("next", &self.next)?;
        page.end()
    }
}

/// Of a page.
pub(super) const DEFAULT_LIMIT: usize = 50;

/// A page of more is slow to show; `next` leads on.
pub(super) const MAX_LIMIT: usize = 500;

const NAMES: [&str; 9] = ["tenant", "quirk", "status", "method", "resource", "failed", "id", "before", "limit"];

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];

impl Query {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// A parameter that is unknown, given twice or has an impossible value, with what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(&name.replace('+', " ")).into_owned();
            let value = decoded(&value.replace('+', " ")).into_owned();
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else { return Err(unknown(&name)) };
            if seen.contains(&known) {
                return Err(format!("`{known}` is given twice; give it once"));
            }
            seen.push(known);
            // A field that was left empty in a form.
            if !value.is_empty() {
                query.set(known, &value)?;
            }
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("`{name}` is {:?}: {what}", head(value, 64)));
        match name {
            "tenant" => self.tenant = Some(value.to_owned()),
            "id" => self.id = Some(value.to_owned()),
            "quirk" => match Id::from_name(value) {
                Some(id) => self.quirk = Some(id),
                None => return wrong(&meant(value, Id::ALL.iter().map(|id| id.as_str()), "see `scimshim quirk`")),
            },
            "status" => match status(value) {
                Some(status) => self.status = Some(status),
                None => return wrong("write a status such as 409, a class such as 4xx, or 0 for no answer"),
            },
            "method" => match METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(value)) {
                Some(known) => self.method = Some(known.to_owned()),
                None => return wrong(&format!("write one of {}", METHODS.join(", "))),
            },
            "resource" => match resources().find(|known| known.eq_ignore_ascii_case(value)) {
                Some(known) => self.resource = Some(known.to_owned()),
                None => return wrong(&format!("write one of {}", resources().collect::<Vec<_>>().join(", "))),
            },
            "failed" => match value {
                "true" => self.failed = Some(true),
                "false" => self.failed = Some(false),
                _ => return wrong("write true or false"),
            },
            "before" => match value.parse() {
                Ok(seq) => self.before = Some(seq),
                Err(_) => return wrong("write the number in `next` of the page before"),
            },
            _ => match value.parse() {
                Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => self.limit = Some(limit),
                _ => return wrong(&format!("write a number from 1 to {MAX_LIMIT}")),
            },
        }
        Ok(())
    }

    pub(super) fn wants(&self, entry: &Entry) -> bool {
        let status = match self.status {
            Some(Status::Class(class)) => entry.status / 100 == class && entry.status != 0,
            Some(Status::Exact(status)) => entry.status == status,
            None => true,
        };
        status
            && self.failed.is_none_or(|failed| entry.failed == failed)
            && self.tenant.as_deref().is_none_or(|tenant| *entry.tenant == *tenant)
            && self.method.as_deref().is_none_or(|method| entry.method == method)
            && self.resource.as_deref().is_none_or(|resource| entry.resource == resource)
            && self.quirk.is_none_or(|quirk| entry.quirks.contains(&quirk))
            && self.id.as_deref().is_none_or(|id| *entry.id == *id)
            && self.before.is_none_or(|before| entry.seq < before)
    }
}

fn resources() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.into_iter().chain(["search", "other"])
}

fn status(text: &str) -> Option<Status> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Status::Class);
    }
    text.parse().ok().filter(|status| matches!(status, 0 | 100..=999)).map(Status::Exact)
}

fn unknown(name: &str) -> String {
    let cure = meant(name, NAMES, &format!("there are {}", NAMES.join(", ")));
    format!("no parameter {:?}: {cure}", head(name, 64))
}

fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    nearest(name, known).map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole() {
        let query = Query::parse(
            "tenant=a%2Bb&quirk=bool-string&status=4xx&method=patch&resource=users&failed=true&id=x&before=7&limit=500",
        );
        assert_eq!(
            query,
            Ok(Query {
                tenant: Some("a+b".into()),
                quirk: Id::from_name("bool-string"),
                status: Some(Status::Class(4)),
                method: Some("PATCH".into()),
                resource: Some("Users".into()),
                failed: Some(true),
                id: Some("x".into()),
                before: Some(7),
                limit: Some(500),
            })
        );
        assert_eq!(Query::parse("").unwrap(), Query::default());
        assert_eq!(Query::parse("tenant=&status=0&").unwrap().status, Some(Status::Exact(0)));
    }

    #[test]
    fn errors_name_the_cure() {
        for (text, cure) in [
            ("tenat=a", "did you mean `tenant`?"),
            ("colour=a", "there are tenant, quirk"),
            ("quirk=bool-strin", "did you mean `bool-string`?"),
            ("status=6xx", "a class such as 4xx"),
            ("status=abc", "a class such as 4xx"),
            ("method=BREW", "write one of GET"),
            ("resource=x", "write one of Users"),
            ("failed=yes", "true or false"),
            ("before=-1", "`next`"),
            ("limit=0", "1 to 500"),
            ("limit=501", "1 to 500"),
            ("tenant=a&tenant=b", "give it once"),
        ] {
            let error = Query::parse(text).expect_err(text);
            assert!(error.contains(cure), "{text}: {error}");
        }
        assert!(Query::parse(&format!("{}=1", "x".repeat(100_000))).expect_err("long").len() < 300);
    }
}
