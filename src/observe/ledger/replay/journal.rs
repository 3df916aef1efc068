//! An exported journal: JSON lines of which the member `event` says what an exchange was.
//!
//! Lines may come in any order, newest first most likely, so they are read whole and sorted.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    DELETE, DEPROVISION, Event, MOST_EVENTS, MOST_TENANTS, NOT_SCIM, OBJECT, REFERENCE, SEVERAL, Said, book, flag,
    hashed, kind_named, kind_of, millis, profile, short,
};
use crate::{
    config::types::Timestamp,
    observe::ledger::{Component, Moment, Observation, book::Book, score::Profile},
};

/// What was read of one.
#[derive(Debug, Default)]
pub struct Journal {
    events: Vec<Noted>,
    names: Vec<String>,
    places: HashMap<String, u16>,
}

#[derive(Deserialize)]
struct Entry {
    event: Option<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    t_s: f64,
    tenant: String,
    #[serde(default)]
    idp: Option<String>,
    method: String,
    resource: Option<String>,
    object_id: Option<String>,
    also_id: Option<String>,
    status: Option<u16>,
    kind: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<bool>,
    deprov: Option<bool>,
    body_scim: Option<bool>,
    matches: Option<u32>,
}

/// An event, and what only a journal tells of one.
#[derive(Debug)]
struct Noted {
    event: Event,
    /// Another name of the object.
    also: Option<u64>,
    profile: Profile,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The tenant.
    pub tenant: String,
    /// RFC 3339.
    pub at: String,
    /// Unix seconds.
    #[serde(serialize_with = "short")]
    pub at_s: f64,
    /// What the model says then, the new state first.
    #[serde(flatten)]
    pub said: Said,
    /// The component that is the risk.
    pub reason: Option<Component>,
}

impl Journal {
    /// Whether `line` is one of a journal, to tell it from a piece of another document.
    pub fn is_line(line: &str) -> bool {
        serde_json::from_str::<serde_json::Value>(line)
            .is_ok_and(|value| value.get("event").is_some() || value.get("request").is_some())
    }

    /// Takes one line; `false` for one that holds no event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, line: &str) -> Result<bool, String> {
        let entry: Entry = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Some(exchange) = entry.event else { return Ok(false) };
        let at = millis(exchange.t_s).ok_or_else(|| format!("`t_s` {} is no Unix time in seconds", exchange.t_s))?;
        let kind = match exchange.kind.as_deref() {
            Some(name) => kind_named(name)
                .ok_or_else(|| format!("{name:?} is no kind; write one of probe, filter, get, write"))?,
            None => kind_of(&exchange.method, exchange.object_id.is_some()),
        };
        if self.events.len() as u64 >= MOST_EVENTS {
            return Err(format!("more than {MOST_EVENTS} events; export a shorter time"));
        }
        let resource = exchange.resource.as_deref().unwrap_or("Users");
        let object = exchange.object_id.as_deref().map(|object| hashed(resource, object));
        let flags = flag(object.is_some(), OBJECT)
            | flag(exchange.method == "DELETE", DELETE)
            | flag(exchange.reference == Some(true), REFERENCE)
            | flag(exchange.deprov == Some(true), DEPROVISION)
            | flag(exchange.body_scim == Some(false), NOT_SCIM)
            | flag(exchange.matches.is_some_and(|matches| matches > 1), SEVERAL);
        let event = Event {
            at: Moment(at),
            object: object.unwrap_or_default(),
            tenant: self.place(exchange.tenant)?,
            status: exchange.status.unwrap_or(0),
            kind,
            flags,
        };
        let also = exchange.also_id.as_deref().map(|also| hashed(resource, also));
        self.events.push(Noted { event, also, profile: profile(exchange.idp.as_deref().unwrap_or_default()) });
        Ok(true)
    }

    fn place(&mut self, tenant: String) -> Result<u16, String> {
        if let Some(place) = self.places.get(&tenant) {
            return Ok(*place);
        }
        let place = u16::try_from(self.names.len()).ok().filter(|place| usize::from(*place) < MOST_TENANTS);
        let place = place.ok_or_else(|| format!("more than {MOST_TENANTS} tenants; export those you look for"))?;
        self.names.push(tenant.clone());
        self.places.insert(tenant, place);
        Ok(place)
    }

    /// Every change of state, in order of time.
    pub fn run(mut self) -> Vec<Line> {
        self.events.sort_by_key(|noted| noted.event.at);
        let last = self.events.last().map_or(Moment(0), |noted| noted.event.at);
        let mut books: Vec<Book> = self.names.iter().map(|_| book("")).collect();
        for Noted { event, also, profile } in &self.events {
            let book = &mut books[usize::from(event.tenant)];
            book.set_profile(*profile);
            book.observe_again(event.at, &Observation { also: *also, ..event.observation() });
        }
        let mut lines = Vec::new();
        for (book, tenant) in books.iter_mut().zip(&self.names) {
            book.advance(last);
            for change in std::mem::take(&mut book.notes).changes {
                let at_s = change.at.0 as f64 / 1000.0;
                lines.push(Line {
                    tenant: tenant.clone(),
                    at: Timestamp { unix: at_s as i64 }.to_string(),
                    at_s,
                    said: Said::new(change.to, change.risk, change.eta),
                    reason: change.reason,
                });
            }
        }
        lines.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        lines
    }
}
