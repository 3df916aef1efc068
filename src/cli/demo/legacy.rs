//! The app of the demo: an endpoint in memory that was written years ago for one identity provider. Its bad manners are
//! those of real handlers; [`MANNERS`] lists them.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// Where SCIM begins.
pub(super) const BASE: &str = "/scim/v2";

/// What it does wrong.
pub(super) const MANNERS: &[&str] = &[
    "reads no body that is not labelled application/json",
    "knows the operations add, replace and remove in lower case only",
    "wants real booleans, and a manager as an object",
    "stores attributes it does not know, and refuses a PATCH that holds an id",
    "empties the group on a remove of members, whatever the value says",
    "gives integers as ids and strings as counts, and no schemas or meta",
    "answers application/json, 200 for a create, 200 and a body for a delete",
    "answers errors with HTML pages, and a duplicate with 500",
    "sends the password back",
];

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// A demo on an open port should not hold what strangers pour in.
const BODY: usize = 1 << 20;
const RESOURCES: usize = 1000;

/// A request and its answer, as the app saw them.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) request_type: Option<String>,
    pub(super) request: Vec<u8>,
    pub(super) status: u16,
    pub(super) response_type: Option<String>,
    pub(super) response: Vec<u8>,
}

/// What is true in the app.
#[derive(Debug, Default)]
pub(super) struct Store {
    users: Vec<Map<String, Value>>,
    groups: Vec<Map<String, Value>>,
    next: u64,
    last: Option<Exchange>,
}

impl Store {
    fn kind(&mut self, kind: &str) -> &mut Vec<Map<String, Value>> {
        if kind == "Groups" { &mut self.groups } else { &mut self.users }
    }

    /// A user, as it is stored.
    pub(super) fn user(&self, id: &str) -> Option<&Map<String, Value>> {
        self.users.iter().find(|user| id_of(user) == id)
    }

    /// How many users there are.
    pub(super) fn count(&self) -> u64 {
        self.users.len() as u64
    }

    /// The ids of a group's members.
    pub(super) fn members(&self, id: &str) -> Option<Vec<String>> {
        let group = self.groups.iter().find(|group| id_of(group) == id)?;
        Some(members(group).iter().map(|member| plain(&member["value"])).collect())
    }

    /// A group's name.
    pub(super) fn group_name(&self, id: &str) -> Option<&str> {
        self.groups.iter().find(|group| id_of(group) == id)?.get("displayName")?.as_str()
    }
}

/// A running app.
#[derive(Debug, Clone)]
pub(super) struct Legacy {
    store: Arc<Mutex<Store>>,
    /// The first manner, switched off: without it nothing at all gets through to the others.
    any_type: bool,
}

/// Why it does not do what it was asked, as a page.
struct Page(u16, &'static str);

impl Legacy {
    /// An app that knows Bob and Carol already.
    pub(super) fn new(any_type: bool) -> Self {
        let mut store = Store { next: 1, ..Store::default() };
        for (name, given) in [("bob@example.com", "Robert"), ("carol@example.com", "Carol")] {
            let user = json!({"id": store.next, "userName": name, "name": {"givenName": given}, "active": true});
            store.users.extend(user.as_object().cloned());
            store.next += 1;
        }
        Self { store: Arc::new(Mutex::new(store)), any_type }
    }

    /// Serves until the process ends; the address is where.
    pub(super) async fn listen(&self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let app = app.clone();
                let service = service_fn(move |request| {
                    let app = app.clone();
                    async move { Ok::<_, Infallible>(app.serve(request).await) }
                });
                // A caller that breaks the connection off is nothing to report here.
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(address)
    }

    /// What is true in the app now.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last exchange; a second call gives none.
    pub(super) fn last(&self) -> Option<Exchange> {
        self.store().last.take()
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let label = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, kind, answer, body) = match Limited::new(body, BODY).collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                let (status, kind, answer) = self.answer(head.method.as_str(), target, label.as_deref(), &body);
                (status, kind, answer, body)
            }
            Err(_) => (413, "text/html", page(413, "Request Entity Too Large"), Bytes::new()),
        };
        self.store().last = Some(Exchange {
            method: head.method.to_string(),
            target: target.strip_prefix(BASE).unwrap_or(target).to_owned(),
            request_type: label,
            request: body.to_vec(),
            status,
            response_type: Some(kind.to_owned()),
            response: answer.clone(),
        });
        let mut response = Response::new(Full::from(answer));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
        response
    }

    fn answer(&self, method: &str, target: &str, label: Option<&str>, body: &[u8]) -> (u16, &'static str, Vec<u8>) {
        match self.route(method, target, label, body) {
            Ok((status, value)) => (status, "application/json; charset=utf-8", value.to_string().into_bytes()),
            Err(Page(status, text)) => (status, "text/html", page(status, text)),
        }
    }

    fn route(&self, method: &str, target: &str, label: Option<&str>, body: &[u8]) -> Result<(u16, Value), Page> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut parts = path.strip_prefix(BASE).ok_or(Page(404, "Not Found"))?.split('/').skip(1);
        let (kind, id) = (parts.next().unwrap_or_default(), parts.next());
        if !matches!(kind, "Users" | "Groups") || parts.next().is_some() {
            return Err(Page(404, "Not Found"));
        }
        let mut store = self.store();
        match (method, id) {
            ("GET", None) => Ok((200, list(store.kind(kind), query)?)),
            ("POST", None) => create(&mut store, kind, self.read(label, body)?),
            (_, None) => Err(Page(405, "Method Not Allowed")),
            (_, Some(id)) => {
                let resources = store.kind(kind);
                let at = resources.iter().position(|r| id_of(r) == id).ok_or(Page(404, "Not Found"))?;
                match method {
                    "GET" => {}
                    "DELETE" => {
                        resources.remove(at);
                        return Ok((200, json!({"deleted": true})));
                    }
                    "PATCH" => {
                        let mut changed = resources[at].clone();
                        let message = self.read(label, body)?;
                        let operations = message.get("Operations").and_then(Value::as_array);
                        for operation in operations.ok_or(Page(400, "Operations expected"))? {
                            patch(&mut changed, operation)?;
                        }
                        resources[at] = changed;
                    }
                    "PUT" => {
                        let mut new = self.read(label, body)?;
                        check(&new)?;
                        new.remove("schemas");
                        new.insert("id".to_owned(), resources[at]["id"].clone());
                        resources[at] = new;
                    }
                    _ => return Err(Page(405, "Method Not Allowed")),
                }
                Ok((200, shown(&resources[at])))
            }
        }
    }

    fn read(&self, label: Option<&str>, body: &[u8]) -> Result<Map<String, Value>, Page> {
        let kind = label.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !self.any_type && kind != "application/json" {
            return Err(Page(415, "Unsupported Media Type"));
        }
        serde_json::from_slice(body).map_err(|_| Page(400, "a JSON object expected"))
    }
}

fn create(store: &mut Store, kind: &str, mut new: Map<String, Value>) -> Result<(u16, Value), Page> {
    check(&new)?;
    let name = if kind == "Groups" { "displayName" } else { "userName" };
    let Some(wanted) = new.get(name).and_then(Value::as_str).map(str::to_lowercase) else {
        return Err(Page(400, "a name expected"));
    };
    let taken = |known: &Map<String, Value>| known.get(name).map(|n| plain(n).to_lowercase()) == Some(wanted.clone());
    if store.kind(kind).iter().any(taken) {
        return Err(Page(500, "Internal Server Error"));
    }
    if store.kind(kind).len() >= RESOURCES {
        return Err(Page(507, "Insufficient Storage"));
    }
    new.remove("schemas");
    new.insert("id".to_owned(), store.next.into());
    new.entry("active").or_insert(Value::Bool(true));
    if kind == "Groups" {
        new.remove("active");
        new.entry("members").or_insert(json!([]));
    }
    store.next += 1;
    store.kind(kind).push(new.clone());
    Ok((200, shown(&new)))
}

fn list(resources: &[Map<String, Value>], query: &str) -> Result<Value, Page> {
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str, default: usize| parameter(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let hits: Vec<_> = match parameter("filter").map(decoded) {
        None => resources.iter().collect(),
        Some(filter) => {
            let (name, wanted) = filter
                .split_once(" eq \"")
                .and_then(|(name, rest)| Some((name, rest.strip_suffix('"')?)))
                .ok_or(Page(500, "Internal Server Error"))?;
            resources.iter().filter(|r| r.get(name).is_some_and(|v| plain(v).eq_ignore_ascii_case(wanted))).collect()
        }
    };
    let start = number("startIndex", 1).max(1);
    let page: Vec<_> = hits.iter().skip(start - 1).take(number("count", 100)).map(|r| shown(r)).collect();
    Ok(json!({
        "totalResults": hits.len().to_string(), "startIndex": start.to_string(),
        "itemsPerPage": page.len().to_string(), "Resources": page,
    }))
}

fn patch(resource: &mut Map<String, Value>, operation: &Value) -> Result<(), Page> {
    let (op, path, value) = (&operation["op"], operation["path"].as_str(), operation["value"].clone());
    let remove = match op.as_str() {
        Some("add" | "replace") => false,
        Some("remove") => true,
        _ => return Err(Page(400, "unknown operation")),
    };
    let Some(path) = path else {
        let Value::Object(values) = value else { return Err(Page(400, "an object expected")) };
        if values.contains_key("id") {
            return Err(Page(400, "id is read-only"));
        }
        check(&values)?;
        merge(resource, values);
        return Ok(());
    };
    if path == "members" {
        let mut all = if op == "add" { members(resource) } else { Vec::new() };
        if !remove {
            all.extend(value.as_array().cloned().unwrap_or_default());
        }
        resource.insert("members".to_owned(), all.into());
    } else if let Some(id) = path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]")) {
        let left: Vec<_> = members(resource).into_iter().filter(|member| plain(&member["value"]) != id).collect();
        resource.insert("members".to_owned(), left.into());
    } else if path.contains(['[', ']']) {
        return Err(Page(500, "Internal Server Error"));
    } else {
        let (parent, name) = match path.strip_prefix(ENTERPRISE).and_then(|rest| rest.strip_prefix(':')) {
            Some(name) => (Some(ENTERPRISE), name),
            None => path.split_once('.').map_or((None, path), |(parent, name)| (Some(parent), name)),
        };
        let mut change = Map::from_iter([(name.to_owned(), value)]);
        if let Some(parent) = parent {
            change = Map::from_iter([(parent.to_owned(), change.into())]);
        }
        if remove {
            let target = match parent {
                Some(parent) => resource.get_mut(parent).and_then(Value::as_object_mut),
                None => Some(resource),
            };
            target.and_then(|object| object.shift_remove(name));
        } else {
            check(&change)?;
            merge(resource, change);
        }
    }
    Ok(())
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(value)) => merge(known, value),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

fn check(values: &Map<String, Value>) -> Result<(), Page> {
    if values.get("active").is_some_and(|active| !active.is_boolean()) {
        return Err(Page(400, "active must be a boolean"));
    }
    let extension = values.get(ENTERPRISE).and_then(Value::as_object);
    let manager = extension.and_then(|extension| extension.get("manager")).or_else(|| values.get("manager"));
    match manager {
        Some(Value::String(_)) => Err(Page(400, "manager must be an object")),
        _ => Ok(()),
    }
}

/// As it answers: member ids are integers like all others.
fn shown(resource: &Map<String, Value>) -> Value {
    let mut resource = resource.clone();
    if let Some(Value::Array(members)) = resource.get_mut("members") {
        for member in members {
            if let Ok(id) = plain(&member["value"]).parse::<u64>() {
                member["value"] = id.into();
            }
        }
    }
    resource.into()
}

fn members(group: &Map<String, Value>) -> Vec<Value> {
    group.get("members").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn id_of(resource: &Map<String, Value>) -> String {
    resource.get("id").map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn page(status: u16, text: &str) -> Vec<u8> {
    format!("<!doctype html><html><head><title>{status} {text}</title></head><body><h1>{text}</h1></body></html>")
        .into()
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let text = text.replace('+', " ");
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, left) = match (first, hex) {
            (b'%', Some(byte)) => (byte, &tail[2..]),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&out).into_owned()
}
