//! The app: SCIM in memory, and every write in a file before it is answered. It understands RFC 7644 and nothing else, so
//! that what is not made compliant on its way is refused; and it knows each tenant by its path and by its token.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time;

/// Long enough that a signal meets requests in the middle.
const WORK: Duration = Duration::from_millis(2);

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A write that was done: what a resource is after it, or that it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) tenant: String,
    /// `x-request-id`, which the sender gives and the shim keeps.
    pub(crate) mark: String,
    /// `Users` or `Groups`.
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) now: Option<Value>,
}

/// What one tenant has: kind and id, and the resource.
pub(crate) type Resources = BTreeMap<(String, String), Value>;

/// Everything that was done, in order, and what is there after it.
pub(crate) fn read(path: &Path) -> (Vec<Done>, BTreeMap<String, Resources>) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let done: Vec<Done> = text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect();
    let mut there = BTreeMap::<String, Resources>::new();
    for Done { tenant, kind, id, now, .. } in &done {
        let resources = there.entry(tenant.clone()).or_default();
        let key = (kind.clone(), id.clone());
        match now {
            Some(now) => resources.insert(key, now.clone()),
            None => resources.remove(&key),
        };
    }
    (done, there)
}

/// The header in which the shim shows the app a tenant's token.
pub(crate) fn token(tenant: &str) -> String {
    format!("Bearer app-{tenant}")
}

struct Store {
    path: PathBuf,
    file: File,
    /// Where the file ends.
    end: u64,
    there: BTreeMap<String, Resources>,
    count: usize,
}

/// What a start would find out from the file up to `end`: an app that has worked for long should not be away for long.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Snapshot {
    end: u64,
    count: usize,
    there: Vec<(String, String, String, Value)>,
}

/// Writes between two snapshots.
const SNAPSHOT: usize = 2000;

/// The role of the process: `app ADDRESS FILE`.
pub(crate) fn main(args: &[String]) {
    let [address, file] = args else { panic!("app ADDRESS FILE") };
    let store = Arc::new(Mutex::new(Store::open(Path::new(file))));
    super::process_app::serve(address.parse().unwrap(), move |request| answer(request, Arc::clone(&store)));
}

async fn answer(request: Request<Incoming>, store: Arc<Mutex<Store>>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // Its sender has gone; nobody reads this.
        return Response::new(Full::default());
    };
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let field =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let path: Vec<String> = head.uri.path().split('/').skip(1).map(decoded).collect();
    let asked = Asked {
        method: head.method,
        tenant: path.first().cloned().unwrap_or_default(),
        mark: field("x-request-id"),
        kind: path.get(3).cloned().unwrap_or_default(),
        id: path.get(4).cloned(),
        query: head
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(pair)
            .collect(),
        body,
    };
    // A token that is not this tenant's is what must never come.
    let done = if field(header::AUTHORIZATION.as_str()) == token(&asked.tenant) {
        store.lock().unwrap().handle(&asked)
    } else {
        Err((500, "the token is another tenant's"))
    };
    time::sleep(WORK).await;
    let (status, body) = done.unwrap_or_else(|(status, detail)| {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"];
        (status, json!({"schemas": schemas, "status": status.to_string(), "detail": detail}))
    });
    let body = if status == 204 { String::new() } else { body.to_string() };
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/scim+json");
    answer.body(Full::new(Bytes::from(body))).unwrap()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (decoded(name), decoded(value))
}

struct Asked {
    method: Method,
    tenant: String,
    mark: String,
    kind: String,
    id: Option<String>,
    query: BTreeMap<String, String>,
    body: Value,
}

type Answered = Result<(u16, Value), (u16, &'static str)>;

impl Store {
    fn open(path: &Path) -> Self {
        let kept = fs::read_to_string(path.with_extension("snapshot")).unwrap_or_default();
        let Snapshot { end, count, there } = serde_json::from_str(&kept).unwrap_or_default();
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).unwrap();
        file.seek(SeekFrom::Start(end)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let end = end + text.len() as u64;
        let mut store = Self { path: path.to_owned(), file, end, there: BTreeMap::new(), count };
        for (tenant, kind, id, now) in there {
            store.there.entry(tenant).or_default().insert((kind, id), now);
        }
        for line in text.lines() {
            store.apply(serde_json::from_str(line).expect("whole lines"));
        }
        store
    }

    fn handle(&mut self, asked: &Asked) -> Answered {
        let (schema, name) = match &*asked.kind {
            "Users" => (USER, "userName"),
            "Groups" => (GROUP, "displayName"),
            _ => return Err((404, "no such resource type")),
        };
        let there = self.there.entry(asked.tenant.clone()).or_default();
        let Some(id) = &asked.id else {
            return match asked.method {
                Method::GET => list(there, asked, name),
                Method::POST => {
                    let new = &asked.body[name];
                    if !new.is_string() || asked.body["schemas"][0] != schema || !is_plain(&asked.body) {
                        return Err((400, "no resource"));
                    }
                    if there.iter().any(|((kind, _), old)| *kind == asked.kind && old[name] == *new) {
                        return Err((409, "it is there already"));
                    }
                    let id = format!("{}{}", &asked.kind[..1].to_lowercase(), self.count);
                    let mut resource = asked.body.clone();
                    resource["id"] = json!(id);
                    resource["meta"] = json!({"resourceType": asked.kind.trim_end_matches('s')});
                    self.keep(asked, &id, Some(resource.clone()));
                    Ok((201, resource))
                }
                _ => Err((405, "no such method")),
            };
        };
        let key = (asked.kind.clone(), id.clone());
        let Some(old) = there.get(&key).cloned() else { return Err((404, "no such resource")) };
        match asked.method {
            Method::GET => Ok((200, old)),
            Method::DELETE => {
                self.keep(asked, id, None);
                Ok((204, Value::Null))
            }
            Method::PUT => {
                if asked.body["schemas"][0] != schema || !is_plain(&asked.body) {
                    return Err((400, "no resource"));
                }
                let mut new = asked.body.clone();
                new["id"] = json!(id);
                new["meta"] = old["meta"].clone();
                self.keep(asked, id, Some(new.clone()));
                Ok((200, new))
            }
            Method::PATCH => {
                let mut new = old;
                let operations = asked.body["Operations"].as_array().ok_or((400, "no Operations"))?;
                for operation in operations {
                    patch(&mut new, operation).ok_or((400, "an operation that RFC 7644 does not know"))?;
                }
                self.keep(asked, id, Some(new.clone()));
                Ok((200, new))
            }
            _ => Err((405, "no such method")),
        }
    }

    /// One write, so that a kill leaves whole lines.
    fn keep(&mut self, asked: &Asked, id: &str, now: Option<Value>) {
        let Asked { tenant, mark, kind, .. } = asked;
        let done = Done { tenant: tenant.clone(), mark: mark.clone(), kind: kind.clone(), id: id.to_owned(), now };
        let line = serde_json::to_string(&done).unwrap() + "\n";
        self.file.write_all(line.as_bytes()).unwrap();
        self.end += line.len() as u64;
        self.apply(done);
        if self.count.is_multiple_of(SNAPSHOT) {
            self.snapshot();
        }
    }

    fn apply(&mut self, done: Done) {
        let Done { tenant, kind, id, now, .. } = done;
        self.count += 1;
        let there = self.there.entry(tenant).or_default();
        match now {
            Some(now) => there.insert((kind, id), now),
            None => there.remove(&(kind, id)),
        };
    }

    fn snapshot(&self) {
        let there = self.there.iter().flat_map(|(tenant, resources)| {
            resources.iter().map(|((kind, id), now)| (tenant.clone(), kind.clone(), id.clone(), now.clone()))
        });
        let snapshot = Snapshot { end: self.end, count: self.count, there: there.collect() };
        // Whole, or as it was.
        let next = self.path.with_extension("next");
        fs::write(&next, serde_json::to_string(&snapshot).unwrap()).unwrap();
        fs::rename(next, self.path.with_extension("snapshot")).unwrap();
    }
}

/// Whether what is typed in RFC 7643 has its type.
fn is_plain(resource: &Value) -> bool {
    resource["active"].is_boolean() || resource["active"].is_null()
}

fn list(there: &Resources, asked: &Asked, name: &str) -> Answered {
    let mut all: Vec<&Value> =
        there.iter().filter(|((kind, _), _)| *kind == asked.kind).map(|(_, value)| value).collect();
    if let Some(filter) = asked.query.get("filter") {
        let wanted = filter.strip_prefix(name).and_then(|rest| rest.strip_prefix(" eq "));
        let wanted: Value = serde_json::from_str(wanted.ok_or((400, "a filter that RFC 7644 does not know"))?)
            .map_err(|_| (400, "a filter whose value is no JSON"))?;
        all.retain(|resource| resource[name] == wanted);
    }
    let number = |name: &str, usual: usize| asked.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (start, count) = (number("startIndex", 1).max(1), number("count", 100));
    let page: Vec<&Value> = all.iter().skip(start - 1).take(count).copied().collect();
    Ok((
        200,
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": all.len(),
               "startIndex": start, "itemsPerPage": page.len(), "Resources": page}),
    ))
}

/// The operations that are sent here, as RFC 7644 3.5.2 has them.
fn patch(resource: &mut Value, operation: &Value) -> Option<()> {
    let (op, path, value) = (operation["op"].as_str()?, operation["path"].as_str(), &operation["value"]);
    match (op, path) {
        ("replace", Some("active")) => resource["active"] = json!(value.as_bool()?),
        ("replace", Some(path @ ("displayName" | "nickName"))) => resource[path] = json!(value.as_str()?),
        ("replace", Some("name.familyName")) => resource["name"]["familyName"] = json!(value.as_str()?),
        ("replace", None) => {
            for (key, value) in value.as_object()? {
                let typed = if key == "active" { value.is_boolean() } else { value.is_string() };
                resource[key] = typed.then(|| value.clone())?;
            }
        }
        ("add", Some("members")) => {
            for member in value.as_array()? {
                let id = member["value"].as_str()?;
                let members = members(resource);
                if members.iter().all(|old| old["value"] != id) {
                    members.push(json!({"value": id}));
                }
            }
        }
        ("remove", Some(path)) => {
            let id = path.strip_prefix("members[value eq \"")?.strip_suffix("\"]")?;
            members(resource).retain(|old| old["value"] != id);
        }
        _ => return None,
    }
    Some(())
}

fn members(group: &mut Value) -> &mut Vec<Value> {
    if !group["members"].is_array() {
        group["members"] = json!([]);
    }
    group["members"].as_array_mut().expect("it is one now")
}
