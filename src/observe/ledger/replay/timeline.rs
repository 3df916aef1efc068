//! Scenarios in the form `scimshim-quarantine-timeline/1`: events, generators of events, and what is expected when.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    DELETE, DEPROVISION, Event, LATEST, MOST_EVENTS, MOST_TENANTS, NOT_SCIM, OBJECT, REFERENCE, SEVERAL, Said, book,
    flag, hashed, kind_named, kind_of, millis, short,
};
use crate::observe::ledger::{Kind, Moment, State, book::Book};

/// Why a file of scenarios cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is another document.
    #[error("no scenarios in it; write {{\"scenarios\": [...]}} or one object with `events` and `expect`")]
    Empty,
    /// A scenario does not have the form.
    #[error("scenario {0}: {1}")]
    Form(String, String),
    /// More than anybody needs.
    #[error("scenario {0} asks for more than {MOST_EVENTS} events or {MOST_TENANTS} tenants; lower `count` or `n`")]
    TooMany(String),
}

/// The scenarios of a document.
///
/// # Errors
/// It is none of ours, or one of them is broken.
pub fn scenarios(document: Value) -> Result<Vec<Scenario>, Unusable> {
    let Value::Object(mut members) = document else { return Err(Unusable::Empty) };
    let list = match members.remove("scenarios") {
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Unusable::Empty),
        None if members.contains_key("events") => vec![Value::Object(members)],
        None => return Err(Unusable::Empty),
    };
    list.into_iter().enumerate().map(|(at, value)| Scenario::read(at, value)).collect()
}

/// A timeline and what is expected of the model.
#[derive(Debug, Deserialize)]
pub struct Scenario {
    #[serde(default)]
    id: String,
    #[serde(default)]
    idp: String,
    events: Vec<Item>,
    #[serde(default)]
    overrides: Vec<Window>,
    #[serde(default)]
    expect: Vec<Expectation>,
}

/// One event, or a generator of many.
#[derive(Debug, Deserialize)]
struct Item {
    #[serde(rename = "gen")]
    generator: Option<String>,
    tenant: Option<String>,
    // Of a generator.
    start_s: Option<f64>,
    period_s: Option<f64>,
    count: Option<u64>,
    at_s: Option<Vec<f64>>,
    probe: Option<Probe>,
    rate_per_s: Option<f64>,
    #[serde(default)]
    steps: Vec<Step>,
    // Of an event.
    t_s: Option<f64>,
    method: Option<String>,
    resource: Option<String>,
    object_id: Option<String>,
    status: Option<u16>,
    kind: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<bool>,
    deprov: Option<bool>,
    body_scim: Option<bool>,
    matches: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Probe {
    #[serde(default = "ok")]
    status: u16,
    body_scim: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(rename = "do")]
    what: Do,
    #[serde(default)]
    prefix: String,
    n: u64,
    #[serde(default)]
    first: i64,
    #[serde(default)]
    stride: i64,
    method: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default = "ok")]
    find_status: u16,
    resource: Option<String>,
    kind: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<bool>,
    deprov: Option<bool>,
    fail: Option<Fail>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Do {
    Provision,
    Read,
    Write,
}

#[derive(Debug, Deserialize)]
struct Fail {
    num: u64,
    den: u64,
    status: u16,
}

#[derive(Debug, Deserialize)]
struct Window {
    from_s: f64,
    to_s: f64,
    status: u16,
    methods: Option<Vec<String>>,
    kinds: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Expectation {
    at_s: f64,
    state: Option<String>,
    #[serde(default)]
    also_ok: Vec<String>,
    risk_min: Option<f64>,
    risk_max: Option<f64>,
    ttq_s_min: Option<f64>,
    ttq_s_max: Option<f64>,
    tenant: Option<String>,
}

/// What the model says where something is expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The scenario.
    pub id: String,
    /// The tenant.
    pub tenant: String,
    /// Seconds since the start of the timeline.
    #[serde(serialize_with = "short")]
    pub at_s: f64,
    /// What the model says then.
    #[serde(flatten)]
    pub said: Said,
    /// What is not as expected.
    #[serde(skip)]
    pub wrong: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Scenario {
    fn read(at: usize, value: Value) -> Result<Self, Unusable> {
        let name = value.get("id").and_then(Value::as_str).map_or_else(|| (at + 1).to_string(), str::to_owned);
        let scenario: Self =
            serde_json::from_value(value).map_err(|error| Unusable::Form(name.clone(), error.to_string()))?;
        scenario.check().map_err(|wrong| Unusable::Form(name.clone(), wrong))?;
        let events: u128 = scenario.events.iter().map(Item::most_events).sum();
        let expected = scenario.expect.len() as u128;
        if events + expected > MOST_EVENTS.into() {
            return Err(Unusable::TooMany(name));
        }
        Ok(scenario)
    }

    /// What its types do not say.
    fn check(&self) -> Result<(), String> {
        self.events.iter().try_for_each(Item::check)?;
        for window in &self.overrides {
            if !window.from_s.is_finite() || !window.to_s.is_finite() {
                return Err("an override needs `from_s` and `to_s` in seconds".into());
            }
        }
        for expected in &self.expect {
            if millis(expected.at_s).is_none() {
                return Err(format!("`at_s` {} is no time from 0 to {LATEST:e} seconds", expected.at_s));
            }
            let states = expected.state.iter().chain(&expected.also_ok);
            if let Some(unknown) = states.into_iter().find(|state| State::from_name(state).is_none()) {
                let all = State::ALL.map(State::as_str).join(", ");
                return Err(format!("{unknown:?} is no state; write one of {all}"));
            }
        }
        Ok(())
    }

    /// Runs it, and says what the model thinks at each time of an expectation, in their order.
    ///
    /// # Errors
    /// It has more tenants than anybody needs.
    pub fn run(&self) -> Result<Vec<Judged>, Unusable> {
        let mut tenants = Tenants::default();
        let mut events = Vec::new();
        for item in &self.events {
            let tenant = tenants.place(item.tenant.as_deref()).ok_or_else(|| Unusable::TooMany(self.id.clone()))?;
            item.make(tenant, &self.overrides, &mut events);
        }
        events.sort_by_key(|event| event.at);
        let mut books: Vec<Book> = tenants.names.iter().map(|_| book(&self.idp)).collect();
        let mut order: Vec<usize> = (0..self.expect.len()).collect();
        order.sort_by(|a, b| self.expect[*a].at_s.total_cmp(&self.expect[*b].at_s));
        let mut judged: Vec<Option<Judged>> = vec![None; self.expect.len()];
        let mut events = events.into_iter().peekable();
        for at in order {
            let expected = &self.expect[at];
            let now = Moment(millis(expected.at_s).unwrap_or_default());
            while let Some(event) = events.next_if(|event| event.at <= now) {
                books[usize::from(event.tenant)].observe_as_told(event.at, &event.observation());
            }
            let name = expected.tenant.as_deref().unwrap_or(DEFAULT);
            let mut none = book(&self.idp);
            let book = tenants.places.get(name).map_or(&mut none, |place| &mut books[usize::from(*place)]);
            book.advance(now);
            judged[at] = Some(expected.judge(&self.id, name, book, now));
        }
        Ok(judged.into_iter().flatten().collect())
    }
}

/// The tenant of an event that names none.
const DEFAULT: &str = "t1";

#[derive(Default)]
struct Tenants<'a> {
    names: Vec<&'a str>,
    places: HashMap<&'a str, u16>,
}

impl<'a> Tenants<'a> {
    fn place(&mut self, name: Option<&'a str>) -> Option<u16> {
        let name = name.unwrap_or(DEFAULT);
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        let place = u16::try_from(self.names.len()).ok().filter(|place| usize::from(*place) < MOST_TENANTS)?;
        self.names.push(name);
        self.places.insert(name, place);
        Some(place)
    }
}

impl Item {
    /// Requests that it can make at most, and cycles, which cost time also where they are empty.
    fn most_events(&self) -> u128 {
        let requests = |step: &Step| u128::from(step.n) * if step.what == Do::Provision { 2 } else { 1 };
        let cycle = 1 + self.steps.iter().map(requests).sum::<u128>();
        self.cycles() * cycle
    }

    fn cycles(&self) -> u128 {
        match (&self.generator, &self.at_s) {
            (None, _) => 1,
            (Some(_), Some(starts)) => starts.len() as u128,
            (Some(_), None) => u128::from(self.count.unwrap_or(1)),
        }
    }

    fn check(&self) -> Result<(), String> {
        match self.generator.as_deref() {
            None => self.check_event(),
            Some("cycles") => self.check_generator(),
            Some(other) => Err(format!("{other:?} is no generator; write \"cycles\"")),
        }
    }

    fn check_event(&self) -> Result<(), String> {
        let at = self.t_s.ok_or("an event needs `t_s`, or `gen` to be a generator")?;
        millis(at).ok_or_else(|| format!("`t_s` {at} is no time from 0 to {LATEST:e} seconds"))?;
        self.method.as_deref().ok_or("an event needs `method`")?;
        self.status.filter(|status| *status < 1000).ok_or("an event needs `status`, 0 to 999")?;
        known_kind(self.kind.as_deref())
    }

    fn check_generator(&self) -> Result<(), String> {
        let last = match &self.at_s {
            Some(starts) if starts.iter().all(|start| millis(*start).is_some()) => 0.0,
            Some(_) => return Err("`at_s` has what is no time".into()),
            None => {
                let period = self.period_s.unwrap_or_default();
                if !(0.0..=LATEST).contains(&period) {
                    return Err("`period_s` is no time".into());
                }
                self.start_s.unwrap_or_default() + period * self.count.unwrap_or(1).saturating_sub(1) as f64
            }
        };
        millis(last).ok_or("`start_s`, `period_s` and `count` lead out of time")?;
        let rate = self.rate_per_s.unwrap_or(1.0);
        if !(1e-3..=1e6).contains(&rate) {
            return Err("`rate_per_s` must be between 0.001 and 1000000".into());
        }
        if self.rate_per_s.is_none() && !self.steps.is_empty() {
            return Err("`steps` need `rate_per_s`".into());
        }
        for step in &self.steps {
            known_kind(step.kind.as_deref())?;
            if step.fail.as_ref().is_some_and(|fail| fail.den == 0) {
                return Err("`fail` needs a `den` above 0".into());
            }
        }
        Ok(())
    }

    fn make(&self, tenant: u16, overrides: &[Window], events: &mut Vec<Event>) {
        if self.generator.is_none() {
            events.extend(self.event(tenant, overrides));
            return;
        }
        let count = usize::try_from(self.cycles()).unwrap_or(usize::MAX);
        for cycle in 0..count {
            let start = match &self.at_s {
                Some(starts) => starts[cycle],
                None => self.start_s.unwrap_or_default() + self.period_s.unwrap_or_default() * cycle as f64,
            };
            let start = millis(start).unwrap_or_default();
            let mut making = Making { tenant, start, made: 0, rate: self.rate_per_s.unwrap_or(1.0), overrides, events };
            making.cycle(self, cycle);
        }
    }

    fn event(&self, tenant: u16, overrides: &[Window]) -> Option<Event> {
        let at = millis(self.t_s?)?;
        let method = self.method.as_deref()?;
        let kind = self.kind.as_deref().and_then(kind_named);
        let kind = kind.unwrap_or_else(|| kind_of(method, self.object_id.is_some()));
        let resource = self.resource.as_deref().unwrap_or(RESOURCE);
        let object = self.object_id.as_deref().map(|object| hashed(resource, object));
        let flags = flag(object.is_some(), OBJECT)
            | flag(method == "DELETE", DELETE)
            | flag(self.reference == Some(true), REFERENCE)
            | flag(self.deprov == Some(true), DEPROVISION)
            | flag(self.body_scim == Some(false), NOT_SCIM)
            | flag(self.matches.is_some_and(|matches| matches > 1), SEVERAL);
        let status = replaced(overrides, at, method, kind, self.status?);
        Some(Event { at: Moment(at), object: object.unwrap_or_default(), tenant, status, kind, flags })
    }
}

/// The resource of an event that names none.
const RESOURCE: &str = "Users";

fn known_kind(kind: Option<&str>) -> Result<(), String> {
    match kind {
        Some(kind) if kind_named(kind).is_none() => {
            Err(format!("{kind:?} is no kind; write one of probe, filter, get, write"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The status that the first window in force gives.
fn replaced(overrides: &[Window], at: u64, method: &str, kind: Kind, status: u16) -> u16 {
    let at = at as f64 / 1000.0;
    let has = |list: &Option<Vec<String>>, is: &dyn Fn(&str) -> bool| {
        list.as_ref().is_none_or(|list| list.iter().any(|word| is(word)))
    };
    let holds = |window: &&Window| {
        window.from_s <= at
            && at < window.to_s
            && has(&window.methods, &|word| word == method)
            && has(&window.kinds, &|word| kind_named(word) == Some(kind))
    };
    overrides.iter().find(holds).map_or(status, |window| window.status)
}

/// One cycle of a generator.
struct Making<'a> {
    tenant: u16,
    start: u64,
    made: u64,
    rate: f64,
    overrides: &'a [Window],
    events: &'a mut Vec<Event>,
}

impl Making<'_> {
    fn cycle(&mut self, item: &Item, cycle: usize) {
        if let Some(probe) = &item.probe {
            let status = replaced(self.overrides, self.start, "GET", Kind::Probe, probe.status);
            let flags = flag(probe.body_scim == Some(false), NOT_SCIM);
            let (at, tenant) = (Moment(self.start), self.tenant);
            self.events.push(Event { at, object: 0, tenant, status, kind: Kind::Probe, flags });
        }
        for step in &item.steps {
            for i in 0..step.n {
                self.object(step, i, cycle);
            }
        }
    }

    fn object(&mut self, step: &Step, i: u64, cycle: usize) {
        let number = i128::from(step.first) + i128::from(i) + i128::from(step.stride) * cycle as i128;
        let resource = step.resource.as_deref().unwrap_or(RESOURCE);
        let object = hashed(resource, &format!("{}{number}", step.prefix));
        if step.what != Do::Write {
            let kind = step.kind.as_deref().and_then(kind_named).unwrap_or(Kind::Filter);
            let found = self.push("GET", kind, step.find_status, object, OBJECT);
            if step.what == Do::Read || !(1..300).contains(&found) {
                return;
            }
        }
        let method = step.method.as_deref().unwrap_or("PATCH");
        let flags = OBJECT
            | flag(method == "DELETE", DELETE)
            | flag(step.reference == Some(true), REFERENCE)
            | flag(step.deprov == Some(true), DEPROVISION);
        let status = step.fail.as_ref().filter(|fail| fail.takes(i)).map_or(step.status, |fail| fail.status);
        self.push(method, Kind::Write, status, object, flags);
    }

    /// Returns the status that counts.
    fn push(&mut self, method: &str, kind: Kind, status: u16, object: u64, flags: u8) -> u16 {
        self.made += 1;
        let at = self.start + (1000.0 * self.made as f64 / self.rate).floor() as u64;
        let status = replaced(self.overrides, at, method, kind, status);
        self.events.push(Event { at: Moment(at), object, tenant: self.tenant, status, kind, flags });
        status
    }
}

impl Fail {
    fn takes(&self, i: u64) -> bool {
        let (num, den) = (u128::from(self.num), u128::from(self.den));
        (u128::from(i) + 1) * num / den > u128::from(i) * num / den
    }
}

impl Expectation {
    fn judge(&self, id: &str, tenant: &str, book: &Book, now: Moment) -> Judged {
        let said = Said::new(book.state, book.risk(), book.eta(now));
        let wrong = self.wrong(&said);
        Judged { id: id.to_owned(), tenant: tenant.to_owned(), at_s: self.at_s, said, wrong }
    }

    fn wrong(&self, said: &Said) -> Option<String> {
        let state = said.state.as_str();
        if let Some(wanted) = &self.state
            && wanted != state
            && !self.also_ok.iter().any(|also| also == state)
        {
            return Some(format!("{state} where {wanted} is expected"));
        }
        let ttq = said.ttq_s.unwrap_or(f64::INFINITY);
        let bounds =
            [("risk", said.risk, self.risk_min, self.risk_max), ("ttq_s", ttq, self.ttq_s_min, self.ttq_s_max)];
        bounds.into_iter().find_map(|(name, value, min, max)| {
            let below =
                min.filter(|min| value < *min).map(|min| format!("{name} {value} where at least {min} is expected"));
            below.or_else(|| {
                max.filter(|max| value > *max).map(|max| format!("{name} {value} where at most {max} is expected"))
            })
        })
    }
}
