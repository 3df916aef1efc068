//! An identity provider: Entra or Okta, one tenant each, that keeps book of what it was told.
//!
//! What it does when it is not told success is what each does. Okta waits after 429 and sends the same again; everything
//! else waits for a person, who tries again. Entra comes again in its next cycle, whatever the failure was. Both look
//! first at what is there, for a write of unknown outcome may have been done. Their waits (`Retry-After`, 40 minutes,
//! a person) are a second or two here.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::line::{Answer, Line, request};

/// Users that a tenant has at most; the oldest is deleted for the next.
const USERS: usize = 12;

/// Until the next cycle of Entra, or until somebody looks at Okta's tasks.
const CYCLE: Duration = Duration::from_secs(2);

/// What is wrong before a tenant gives up.
const MOST_WRONG: usize = 20;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entra,
    Okta,
}

/// What one write was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Success,
    /// That nothing was done.
    Refused,
    /// That nobody knows, or nothing at all.
    Unknown,
}

/// The book of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Every write, by its mark.
    pub(crate) writes: BTreeMap<String, Told>,
    /// Answers by status; 0 is none.
    pub(crate) answers: BTreeMap<u16, usize>,
    /// Requests by what they were for.
    pub(crate) sent: BTreeMap<&'static str, usize>,
    /// What cannot be: answers that are not true, or that nobody understands.
    pub(crate) wrong: Vec<String>,
    /// What the tenant should have: kind and id, and what was sent.
    pub(crate) there: BTreeMap<(String, String), Value>,
    pub(crate) longest: Duration,
}

/// A tenant's connector.
pub(crate) struct Idp {
    shim: SocketAddr,
    tenant: String,
    kind: Kind,
    line: Option<Line>,
    count: usize,
    /// Ids of users, oldest first, with what they should be.
    users: VecDeque<(String, Value)>,
    group: Option<(String, Vec<String>)>,
    book: Book,
    stop: Arc<AtomicBool>,
    pace: Duration,
    next: Instant,
}

impl Idp {
    pub(crate) fn new(shim: SocketAddr, tenant: String, kind: Kind, pace: Duration, stop: Arc<AtomicBool>) -> Self {
        Self {
            shim,
            tenant,
            kind,
            line: None,
            count: 0,
            users: VecDeque::new(),
            group: None,
            book: Book::default(),
            stop,
            pace,
            next: Instant::now(),
        }
    }

    /// Works until it is told to stop, and finishes what it has begun.
    pub(crate) fn run(mut self) -> Book {
        self.probe();
        self.create_group();
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            match turn % 8 {
                0 | 4 => self.create_user(),
                1 => self.rename(),
                2 => self.join(),
                3 => self.read_pages(),
                5 => self.switch_off(),
                6 => self.look_up(),
                _ => self.leave(),
            }
        }
        let mut there = BTreeMap::new();
        for (id, user) in self.users {
            there.insert(("Users".to_owned(), id), user);
        }
        if let Some((id, members)) = self.group {
            let group = json!({"displayName": "Engineers", "members": members});
            there.insert(("Groups".to_owned(), id), group);
        }
        self.book.there = there;
        self.book
    }

    /// What a person sees who presses "test connection".
    fn probe(&mut self) {
        let target = match self.kind {
            Kind::Entra => "/Users?filter=userName+eq+%22no-such-user%22",
            Kind::Okta => "/Users?startIndex=1&count=2",
        };
        let answer = self.insist("probe", target);
        self.expect(answer["totalResults"] == 0, || format!("a probe of an empty tenant: {answer}"));
    }

    fn create_user(&mut self) {
        if self.users.len() >= USERS {
            self.remove();
        }
        self.count += 1;
        let name = format!("{}-{}@example.com", self.tenant, self.count);
        let user = json!({
            "schemas": [USER], "userName": name, "displayName": format!("Zoë Ångström {}", self.count),
            "name": {"familyName": "Ångström", "givenName": "Zoë"},
        });
        // Entra asks first whether it is there, and writes booleans as text.
        let mut sent = user.clone();
        sent["active"] = if self.kind == Kind::Entra { json!("True") } else { json!(true) };
        let mut user = user;
        user["active"] = json!(true);
        let find = self.filter("Users", "userName", &name);
        loop {
            let found = self.insist("look-up", &find);
            if let Some(there) = found["Resources"].get(0) {
                self.agrees(there, &user);
                let id = there["id"].as_str().unwrap_or_default().to_owned();
                self.users.push_back((id, user));
                return;
            }
            if let Some(there) = self.write("create", "POST", "/Users", &sent) {
                self.agrees(&there, &user);
                let id = there["id"].as_str().unwrap_or_default().to_owned();
                self.users.push_back((id, user));
                return;
            }
        }
    }

    fn create_group(&mut self) {
        let find = self.filter("Groups", "displayName", "Engineers");
        while self.group.is_none() {
            let found = self.insist("look-up", &find);
            let there = match found["Resources"].get(0) {
                Some(there) => Some(there.clone()),
                None => self.write(
                    "create group",
                    "POST",
                    "/Groups",
                    &json!({"schemas": [GROUP], "displayName": "Engineers"}),
                ),
            };
            self.group = there.map(|there| (there["id"].as_str().unwrap_or_default().to_owned(), Vec::new()));
        }
    }

    /// Changes a name: Entra by PATCH, Okta by PUT.
    fn rename(&mut self) {
        let Some(index) = self.pick() else { return };
        let (id, old) = self.users[index].clone();
        self.count += 1;
        let (display, family) = (format!("Žofia Größe {} — 漢字", self.count), format!("Größe-{}", self.count));
        let mut new = old;
        new["displayName"] = json!(display);
        new["name"]["familyName"] = json!(family);
        let (method, body) = match self.kind {
            Kind::Entra => {
                let replace = |path: &str, value: &str| json!({"op": "Replace", "path": path, "value": value});
                let operations = [replace("displayName", &display), replace("name.familyName", &family)];
                ("PATCH", json!({"schemas": [PATCH], "Operations": operations}))
            }
            Kind::Okta => ("PUT", new.clone()),
        };
        self.change("change", method, &id, &body, &new);
        self.users[index].1 = new;
    }

    /// Switches a user off or on, as each spells it.
    fn switch_off(&mut self) {
        let Some(index) = self.pick() else { return };
        let (id, old) = self.users[index].clone();
        let active = old["active"] != true;
        let mut new = old;
        new["active"] = json!(active);
        let operation = match self.kind {
            Kind::Entra => {
                json!({"op": "Replace", "path": "active", "value": if active { "True" } else { "False" }})
            }
            Kind::Okta => json!({"op": "replace", "value": {"active": active}}),
        };
        let body = json!({"schemas": [PATCH], "Operations": [operation]});
        self.change("switch on or off", "PATCH", &id, &body, &new);
        self.users[index].1 = new;
    }

    /// A change of a user, until it is as it should be. Each of these may be sent again.
    fn change(&mut self, what: &'static str, method: &str, id: &str, body: &Value, new: &Value) {
        let target = format!("/Users/{id}");
        loop {
            if let Some(there) = self.write(what, method, &target, body) {
                self.agrees(&there, new);
                return;
            }
            let there = self.insist("look-up", &target);
            if there["displayName"] == new["displayName"] && there["active"] == new["active"] {
                self.agrees(&there, new);
                return;
            }
        }
    }

    fn remove(&mut self) {
        let Some((id, _)) = self.users.pop_front() else { return };
        let target = format!("/Users/{id}");
        // As a directory does: out of the group first.
        self.take_out(&id);
        while self.write("delete", "DELETE", &target, &Value::Null).is_none() {
            if self.read("look-up", &target).0 == 404 {
                return;
            }
        }
    }

    fn join(&mut self) {
        let Some(index) = self.pick() else { return };
        let id = self.users[index].0.clone();
        let (op, member) = match self.kind {
            Kind::Entra => ("Add", json!({"$ref": null, "value": id})),
            Kind::Okta => ("add", json!({"value": id, "display": "Zoë"})),
        };
        let body = json!({"schemas": [PATCH], "Operations": [{"op": op, "path": "members", "value": [member]}]});
        self.change_group("add a member", &body, |members| {
            if !members.contains(&id) {
                members.push(id.clone());
            }
        });
    }

    fn leave(&mut self) {
        let member = self.group.as_ref().and_then(|(_, members)| members.first().cloned());
        if let Some(id) = member {
            self.take_out(&id);
        }
    }

    /// Taken literally, what Entra sends would empty the group.
    fn take_out(&mut self, id: &str) {
        if !self.group.as_ref().is_some_and(|(_, members)| members.iter().any(|member| member == id)) {
            return;
        }
        let operation = match self.kind {
            Kind::Entra => json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": id}]}),
            Kind::Okta => json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}),
        };
        let body = json!({"schemas": [PATCH], "Operations": [operation]});
        self.change_group("remove a member", &body, |members| members.retain(|member| member != id));
    }

    fn change_group(&mut self, what: &'static str, body: &Value, change: impl FnOnce(&mut Vec<String>)) {
        let Some((group, mut members)) = self.group.clone() else { return };
        change(&mut members);
        let target = format!("/Groups/{group}");
        members.sort();
        loop {
            let done = self.write(what, "PATCH", &target, body);
            let told = done.is_some();
            // Entra wants 204 for a group, which says nothing of what is there.
            let there = match done.filter(Value::is_object) {
                Some(there) => there,
                None => self.insist("look-up", &target),
            };
            let mut now: Vec<String> = there["members"].as_array().into_iter().flatten().map(id_of).collect();
            now.sort();
            let is_so = now == members;
            self.expect(is_so || !told, || {
                format!("{what}: told success, and the group has {now:?}, expected {members:?}")
            });
            if is_so || told {
                self.group = Some((group, members));
                return;
            }
        }
    }

    /// Everything there is, page by page.
    fn read_pages(&mut self) {
        let mut seen = Vec::new();
        for start in (1..).step_by(5) {
            let page = self.insist("page", &format!("/Users?startIndex={start}&count=5"));
            let users = page["Resources"].as_array().cloned().unwrap_or_default();
            seen.extend(users.iter().map(|user| user["id"].as_str().unwrap_or_default().to_owned()));
            if page["totalResults"].as_u64().is_none_or(|all| seen.len() as u64 >= all) || users.is_empty() {
                break;
            }
        }
        let mut known: Vec<String> = self.users.iter().map(|(id, _)| id.clone()).collect();
        seen.sort();
        known.sort();
        self.expect(seen == known, || format!("pages: {seen:?}, expected {known:?}"));
    }

    fn look_up(&mut self) {
        let Some(index) = self.pick() else { return };
        let (_, user) = self.users[index].clone();
        let target = self.filter("Users", "userName", user["userName"].as_str().unwrap_or_default());
        let found = self.insist("look-up", &target);
        let one = found["Resources"].get(0).cloned().unwrap_or_default();
        self.agrees(&one, &user);
    }

    fn pick(&self) -> Option<usize> {
        (!self.users.is_empty()).then(|| self.count.wrapping_mul(7) % self.users.len())
    }

    /// As each writes a filter: Entra with `+` for a blank.
    fn filter(&self, kind: &str, name: &str, value: &str) -> String {
        let blank = if self.kind == Kind::Entra { "+" } else { "%20" };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        format!("/{kind}?filter={name}{blank}eq{blank}%22{value}%22")
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.book.wrong.push(what());
            // It would try for ever.
            assert!(self.book.wrong.len() < MOST_WRONG, "{:#?}", self.book.wrong);
        }
    }

    /// What came back is what was sent.
    fn agrees(&mut self, there: &Value, sent: &Value) {
        for name in ["userName", "displayName", "name", "active"] {
            self.expect(there[name] == sent[name], || format!("{name} of {there}, expected {sent}"));
        }
    }

    /// A write: what is there after it, or none where it was not told that it is done.
    fn write(&mut self, what: &'static str, method: &str, target: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut pause = Duration::ZERO;
        loop {
            let mark = self.mark();
            let answer = self.send(what, method, target, &body, &mark);
            let (status, after) =
                answer.as_ref().map_or((0, None), |answer| (answer.status, answer.header("retry-after")));
            let told = match status {
                200..300 => Told::Success,
                429 | 503 => Told::Refused,
                0 | 502 | 504 => Told::Unknown,
                _ => {
                    self.expect(false, || {
                        format!("{method} {what}: {status} {}", answer.as_ref().map_or_else(String::new, Answer::text))
                    });
                    Told::Refused
                }
            };
            self.book.writes.insert(mark, told);
            self.expect(told != Told::Refused || after.is_some(), || format!("{status} without Retry-After"));
            if told == Told::Success {
                let text = answer.map(|answer| answer.text()).unwrap_or_default();
                return Some(serde_json::from_str(&text).unwrap_or_default());
            }
            // Okta sends the same again after 429, each time later.
            let again = self.kind == Kind::Okta && status == 429;
            pause = if again { (pause * 2).max(Duration::from_secs(1)).min(CYCLE * 4) } else { CYCLE };
            thread::sleep(pause);
            if !again {
                return None;
            }
        }
    }

    /// A read, as often as it takes.
    fn insist(&mut self, what: &'static str, target: &str) -> Value {
        loop {
            let (status, body) = self.read(what, target);
            if status == 200 {
                return body;
            }
            let known = matches!(status, 0 | 429 | 502..=504);
            self.expect(known, || format!("GET {what}: {status} {body}"));
            thread::sleep(CYCLE / 4);
        }
    }

    fn read(&mut self, what: &'static str, target: &str) -> (u16, Value) {
        let mark = self.mark();
        let answer = self.send(what, "GET", target, "", &mark);
        let text = answer.as_ref().map(Answer::text).unwrap_or_default();
        (answer.map_or(0, |answer| answer.status), serde_json::from_str(&text).unwrap_or_default())
    }

    fn mark(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.tenant, self.count)
    }

    /// One request at its time; none where no whole answer came.
    fn send(&mut self, what: &'static str, method: &str, target: &str, body: &str, mark: &str) -> Option<Answer> {
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next = (self.next + self.pace).max(Instant::now());
        *self.book.sent.entry(what).or_default() += 1;
        let mut fields = format!("authorization: Bearer idp-{}\r\nx-request-id: {mark}\r\n", self.tenant);
        // Somebody in the list that the feed publishes.
        fields.push_str("x-forwarded-for: 198.51.100.7\r\n");
        if self.kind == Kind::Okta {
            fields.push_str("user-agent: Okta SCIM Client 1.0.0\r\n");
        }
        let request = request(method, &format!("/scim/v2{target}"), &fields, body.as_bytes());
        let began = Instant::now();
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::try_open(self.shim).ok()?,
        };
        let answer = line.say(&request).then(|| line.answer()).flatten().filter(|answer| answer.whole);
        self.book.longest = self.book.longest.max(began.elapsed());
        *self.book.answers.entry(answer.as_ref().map_or(0, |answer| answer.status)).or_default() += 1;
        if answer.as_ref().is_some_and(|answer| answer.header("connection") != Some("close")) {
            self.line = Some(line);
        }
        answer
    }
}

fn id_of(member: &Value) -> String {
    member["value"].as_str().unwrap_or_default().to_owned()
}
