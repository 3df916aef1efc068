//! An answer on its way out: status, head and body, repaired by the tenant's plan.

use std::{borrow::Cow, time::SystemTime};

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    Cx, Direction, Findings, HeaderEdit, Id, Mode, Plan, Switch, TenantMode,
    response::{
        attr_case, bulk_status_number, conflict, content_type, delete_200_body, discovery_schemas, endpoint_absolute,
        error_200, error_detail_missing,
        error_foreign::{self, Told},
        error_schemas::{self, is_error, is_error_without_schemas},
        error_status, list, list_empty,
        list_schemas_missing::names,
        location::{self, Bases},
        password_echo,
        query::{Ask, Place},
        retry_after, scim11_translate, spc_bulk_limits,
        walk::{self, Env},
    },
};
use crate::{
    json::{Doc, Duplicates, Kind, Node},
    scim::{ResourceType, name, urn},
};

/// What the IdP asked, as far as the answer is judged by it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// The normalized target, relative to the SCIM base.
    pub target: &'a str,
    /// What the IdP calls this tenant's base, without a slash at the end: `https://app.example.com/scim/v2`.
    pub base_url: &'a str,
    /// The app's own idea of its base: `http://127.0.0.1:8080/scim/v2`.
    pub upstream_url: &'a str,
    /// Wall clock, for a Retry-After date without a Date beside it.
    pub now: SystemTime,
    /// Whether something of this collection was there before for this tenant (`list-404-empty` waits for that).
    pub collection_seen: bool,
}

/// An answer as the app gave it; the body decoded from any content coding.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: StatusCode,
    /// The header block.
    pub headers: &'a HeaderMap,
    /// The body; empty when there is none.
    pub body: &'a [u8],
}

/// The body that the IdP gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// The app's bytes.
    #[default]
    AsSent,
    /// None, and no body headers.
    Empty,
    /// These bytes.
    New(Vec<u8>),
}

/// What becomes of an answer.
#[derive(Debug, Default)]
pub struct Repaired {
    /// The new status.
    pub status: Option<StatusCode>,
    /// Headers to change; Content-Length is the caller's.
    pub headers: Vec<HeaderEdit>,
    /// The body.
    pub body: Body,
    /// What was found.
    pub findings: Findings,
    /// Why the body could not be read; it goes on as sent and is counted.
    pub unread: Option<String>,
}

/// Repairs an answer. Never fails: what cannot be read goes on as sent.
pub fn repair(plan: &Plan, asked: &Asked<'_>, answer: &Answer<'_>) -> Repaired {
    repair_seen(plan, asked, answer, &mut |_| ())
}

/// The same; `look` is shown a body that could be read and goes on, with its edits, so that nobody has to read it again.
pub fn repair_seen(plan: &Plan, asked: &Asked<'_>, answer: &Answer<'_>, look: &mut dyn FnMut(&Doc<'_>)) -> Repaired {
    if plan.tenant_mode() == TenantMode::Off {
        return Repaired::default();
    }
    let mut work = Work {
        cx: Cx::new(plan, Direction::Response),
        asked,
        answer,
        ask: Ask::of(asked.target, plan.registry()),
        bases: Bases::new(asked.base_url, asked.upstream_url),
        status: answer.status,
        location: None,
        is_json: false,
        is_object: false,
        is_own: false,
        headers: Vec::new(),
        body: Body::AsSent,
        unread: None,
    };
    work.run(look);
    work.finish()
}

/// The collection (`/Users`, `/Groups`) that a target asks a list of; `None` for single resources and anything else.
/// The proxy remembers which of them are there ([`shown`]; `list-404-empty`).
pub fn collection(target: &str) -> Option<&'static str> {
    let path = target.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    ["/Users", "/Groups"].into_iter().find(|collection| collection[1..].eq_ignore_ascii_case(path))
}

/// The collection that an answer shows to be there: a list of it, something created in it, a resource of it that was read
/// or changed. `None` where the answer shows nothing.
pub fn shown(method: &Method, target: &str, status: StatusCode) -> Option<&'static str> {
    let path = target.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let (first, id) = path.split_once('/').unwrap_or((path, ""));
    let shows = match (method, id) {
        (&Method::GET, "") => status == StatusCode::OK,
        (&Method::POST, "") => status == StatusCode::CREATED,
        (&Method::GET | &Method::PUT | &Method::PATCH | &Method::DELETE, id) if !id.is_empty() && !id.contains('/') => {
            status == StatusCode::OK || status == StatusCode::NO_CONTENT
        }
        _ => false,
    };
    if shows { collection(first) } else { None }
}

/// One answer on its way through the steps.
struct Work<'w> {
    cx: Cx<'w>,
    asked: &'w Asked<'w>,
    answer: &'w Answer<'w>,
    ask: Ask<'w>,
    bases: Bases<'w>,
    /// As it stands by now.
    status: StatusCode,
    /// The new Location.
    location: Option<String>,
    /// The app's body is a JSON object or array, so its label is judged.
    is_json: bool,
    /// It is an object.
    is_object: bool,
    /// The body was written here.
    is_own: bool,
    headers: Vec<HeaderEdit>,
    body: Body,
    unread: Option<String>,
}

/// What a body is as JSON.
enum Read<'b> {
    Json(Doc<'b>),
    /// Another parser would read it, perhaps differently.
    Ambiguous(String),
    Not(String),
}

impl Work<'_> {
    fn run(&mut self, look: &mut dyn FnMut(&Doc<'_>)) {
        if let Some(seconds) = retry_after::fix(&mut self.cx, self.answer.headers, self.asked.now) {
            self.headers.push((RETRY_AFTER, Some(seconds)));
        }
        self.location_header();
        self.reports();
        let bodyless = self.status.is_informational()
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        if *self.asked.method == Method::HEAD {
            return;
        }
        if bodyless || self.answer.body.is_empty() {
            return self.without_body();
        }
        if let Some(coding) = unknown_coding(self.answer.headers) {
            self.unread = Some(format!("content coding {coding}"));
            return;
        }
        let answer = self.answer;
        let body = answer.body.strip_prefix(BOM).unwrap_or(answer.body);
        match read(body, &self.cx) {
            Read::Json(doc) => self.json(doc, look),
            Read::Ambiguous(why) => self.unread = Some(why),
            Read::Not(_) if self.is_error() => self.text_error(body),
            Read::Not(_)
                if self.status == StatusCode::OK
                    && *self.asked.method == Method::DELETE
                    && !content_type::is_json(answer.headers) =>
            {
                self.done(Id::Delete200Body);
            }
            Read::Not(why) if self.status.is_success() => self.unread = Some(why),
            Read::Not(_) => {}
        }
    }

    fn finish(mut self) -> Repaired {
        let headers = self.answer.headers;
        let mut label = if self.is_json { content_type::fix(&mut self.cx, headers) } else { None };
        if self.is_own {
            label = label.or_else(|| content_type::own(&self.cx, headers));
        }
        if let Some(label) = label {
            self.headers.push((CONTENT_TYPE, Some(label)));
        }
        if self.body == Body::Empty && headers.contains_key(CONTENT_TYPE) {
            self.headers.push((CONTENT_TYPE, None));
        }
        if let Some(location) = self.location.and_then(|uri| HeaderValue::from_str(&uri).ok()) {
            self.headers.push((LOCATION, Some(location)));
        }
        Repaired {
            status: (self.status != self.answer.status).then_some(self.status),
            headers: self.headers,
            body: self.body,
            findings: self.cx.findings,
            unread: self.unread,
        }
    }

    fn location_header(&mut self) {
        let Some(text) = self.answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return };
        let redirect = self.status.is_redirection();
        self.location = location::fix_header(&mut self.cx, text, self.bases, redirect);
    }

    /// What is counted and never mended, by status alone.
    fn reports(&mut self) {
        let place = || "status".to_owned();
        let method = self.asked.method;
        match self.status.as_u16() {
            204 if *method == Method::PATCH => self.cx.report(Id::Patch204Empty, place),
            403 | 500 if self.answer.headers.contains_key(WWW_AUTHENTICATE) => self.cx.report(Id::AuthStatus, place),
            _ => {}
        }
    }

    fn is_error(&self) -> bool {
        self.status.is_client_error() || self.status.is_server_error()
    }

    fn is_filter_query(&self) -> bool {
        *self.asked.method == Method::GET && self.ask.filter.is_some() && matches!(self.ask.place, Place::Collection(_))
    }

    fn is_filter_404(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_filter_query()
    }

    fn is_create(&self) -> bool {
        *self.asked.method == Method::POST && matches!(self.ask.place, Place::Collection(_))
    }

    fn without_body(&mut self) {
        let place = || "status".to_owned();
        let method = self.asked.method;
        match self.status {
            _ if self.is_error() => self.foreign_error(&Told::NOTHING),
            StatusCode::NO_CONTENT if self.is_filter_query() => {
                if !self.ask.is_from_the_start() {
                    self.cx.report(Id::List204Empty, place);
                } else if self.cx.may(Id::List204Empty, place) {
                    self.empty_list();
                }
            }
            StatusCode::OK if self.is_filter_query() => {
                let switch = self.cx.plan.switch(Switch::List200NoBody);
                if switch == Mode::Fix && self.ask.is_from_the_start() {
                    self.cx.findings.note(Id::List204Empty, true, place);
                    self.empty_list();
                } else if switch != Mode::Off {
                    self.cx.report(Id::List204Empty, place);
                }
            }
            StatusCode::OK if *method == Method::PATCH => self.done(Id::Patch200EmptyBody),
            StatusCode::OK if *method == Method::DELETE => self.done(Id::Delete200Body),
            _ => {}
        }
    }

    /// Says by 204 what 200 was to say.
    fn done(&mut self, quirk: Id) {
        if self.cx.may(quirk, || "status".to_owned()) {
            self.no_content();
        }
    }

    fn no_content(&mut self) {
        self.status = StatusCode::NO_CONTENT;
        self.body = Body::Empty;
        self.is_json = false;
    }

    fn empty_list(&mut self) {
        self.status = StatusCode::OK;
        self.body = Body::New(list_empty::body());
        self.is_own = true;
    }

    fn json(&mut self, mut doc: Doc<'_>, look: &mut dyn FnMut(&Doc<'_>)) {
        let root = doc.root();
        self.is_json = doc.kind(root).is_container();
        self.is_object = doc.kind(root) == Kind::Object;
        let mut is_failure = false;
        if self.status.is_success() && is_error(&doc, root) {
            is_failure = true;
            if let Some(status) = error_200::status(&doc, root)
                && self.cx.may(Id::Error200, || "status".to_owned())
            {
                self.status = status;
            }
        }
        if self.is_error() {
            self.json_error(&mut doc);
        } else if self.status.is_success() && !is_failure {
            self.success(&mut doc);
        } else if self.status == StatusCode::OK && *self.asked.method == Method::DELETE {
            self.cx.report(Id::Delete200Body, || "status".to_owned());
        }
        if self.body == Body::AsSent {
            look(&doc);
            if doc.is_changed() {
                self.body = Body::New(doc.write());
            }
        }
    }

    fn success(&mut self, doc: &mut Doc<'_>) {
        let root = doc.root();
        let method = self.asked.method.clone();
        if method == Method::DELETE {
            if self.status == StatusCode::OK && delete_200_body::tells_of_failure(doc, root) {
                self.cx.report(Id::Delete200Body, || "status".to_owned());
            } else if self.status == StatusCode::OK {
                self.done(Id::Delete200Body);
            }
            if self.status != StatusCode::NO_CONTENT {
                self.passwords(doc);
            }
            return;
        }
        self.passwords(doc);
        let is_query = match self.ask.place {
            Place::Search(_) => method == Method::POST,
            Place::Root | Place::Collection(_) | Place::Schemas | Place::ResourceTypes | Place::OtherCollection => {
                method == Method::GET
            }
            _ => false,
        };
        let is_object = doc.kind(root) == Kind::Object;
        let is_list = is_query && is_object && list::is_list(doc, root, self.ask.place);
        self.old_resource(doc, is_list);
        let env =
            Env { ask: &self.ask, bases: self.bases, created: false, old_list: false, nulls: self.has_nulls(doc) };
        if is_list {
            return list::enveloped(&mut self.cx, doc, root, env);
        }
        match self.ask.place {
            Place::Collection(_) | Place::Search(_) | Place::Root | Place::Schemas | Place::ResourceTypes
                if is_query && doc.kind(root) == Kind::Array =>
            {
                list::bare_array(&mut self.cx, doc, root, env);
            }
            Place::Collection(kind) if is_object && is_resource(doc, root, kind) => {
                if is_query && self.ask.filter.is_some() {
                    list::bare_object(&mut self.cx, doc, root, env);
                } else {
                    self.resource(doc, kind);
                }
            }
            Place::Resource(kind) if is_object && is_resource(doc, root, kind) => self.resource(doc, kind),
            Place::Schema if is_object => discovery_schemas::fix(&mut self.cx, doc, root, self.bases),
            Place::ResourceType if is_object => {
                endpoint_absolute::fix(&mut self.cx, doc, root, self.bases);
                discovery_schemas::meta_location(&mut self.cx, doc, root, self.bases);
            }
            Place::ServiceProviderConfig if is_object => {
                spc_bulk_limits::fix(&mut self.cx, doc, root);
                discovery_schemas::meta_location(&mut self.cx, doc, root, self.bases);
            }
            Place::Bulk if is_object && method == Method::POST => bulk_status_number::fix(&mut self.cx, doc, root),
            _ => {}
        }
    }

    /// Whether there is a null to be looked for in the app's body: most have none.
    fn has_nulls(&self, doc: &Doc<'_>) -> bool {
        doc.had_null() && self.cx.plan.mode(Direction::Response, Id::ResourceNull) != Mode::Off
    }

    /// Before all else is looked at: it holds for resources that nothing else is done to.
    fn passwords(&mut self, doc: &mut Doc<'_>) {
        if !self.ask.place.is_discovery() && password_echo::may_be_in(doc, self.answer.body) {
            let root = doc.root();
            password_echo::fix(&mut self.cx, doc, root);
        }
    }

    /// Translates a resource of SCIM 1.1 that is known as one by its schema alone.
    fn old_resource(&mut self, doc: &mut Doc<'_>, is_list: bool) {
        let root = doc.root();
        let (Place::Collection(kind) | Place::Resource(kind)) = self.ask.place else { return };
        if !is_list
            && doc.kind(root) == Kind::Object
            && !is_resource(doc, root, kind)
            && scim11_translate::is_old(doc, root)
            && scim11_translate::tells_its_kind(doc, root, kind)
            && self.cx.plan.mode(Direction::Response, Id::Scim11Translate) != Mode::Off
        {
            scim11_translate::resource(&mut self.cx, doc, root, kind);
        }
    }

    fn resource(&mut self, doc: &mut Doc<'_>, kind: &ResourceType) {
        let root = doc.root();
        let ok = self.status == StatusCode::OK;
        // With `attributes` the answer to a PATCH must be the resource (RFC 7644 3.5.2).
        if ok && *self.asked.method == Method::PATCH && self.ask.attributes.is_empty() {
            let quirk = match &*kind.urn {
                urn::GROUP => Some(Id::GroupPatch200To204),
                urn::USER => Some(Id::UserPatch200To204),
                _ => None,
            };
            if quirk.is_some_and(|quirk| self.cx.may(quirk, || "status".to_owned())) {
                return self.no_content();
            }
        }
        if ok && self.is_create() && self.cx.may(Id::Create200, || "status".to_owned()) {
            self.status = StatusCode::CREATED;
        }
        let created = self.status == StatusCode::CREATED;
        let sent = self.answer.headers.get(LOCATION).map(HeaderValue::to_str);
        // A header that is no text is neither filled nor compared.
        let created = created && !matches!(sent, Some(Err(_)));
        let env = Env { ask: &self.ask, bases: self.bases, created, old_list: false, nulls: self.has_nulls(doc) };
        let header = self.location.as_deref().or(sent.and_then(Result::ok));
        let new = walk::alone(&mut self.cx, doc, root, kind, env, header.filter(|text| !text.is_empty()));
        if new.is_some() {
            self.location = new;
        }
    }

    fn json_error(&mut self, doc: &mut Doc<'_>) {
        let root = doc.root();
        let is_object = doc.kind(root) == Kind::Object;
        if is_object && self.is_filter_404() && !told_by_a_gateway(self.answer.body) {
            let place = || "status".to_owned();
            let trusted = self.asked.collection_seen || self.cx.plan.switch(Switch::List404Unseen) == Mode::Fix;
            if !trusted || !self.ask.is_from_the_start() {
                self.cx.report(Id::List404Empty, place);
            } else if self.cx.may(Id::List404Empty, place) {
                return self.empty_list();
            }
        }
        if is_error(doc, root) || is_object && is_error_without_schemas(doc, root) {
            return self.scim_error(doc);
        }
        let nested = if is_object { error_foreign::nested(doc, root) } else { None };
        if let Some(nested) = nested {
            if self.cx.may(Id::ErrorNested, || doc.pointer(nested)) {
                doc.unwrap_to(root, nested);
                self.scim_error(doc);
            }
            return;
        }
        let is_text = content_type::essence(self.answer.headers).as_deref() == Some("text/plain");
        let told = match doc.kind(root) {
            // A number alone is text that happens to be JSON.
            kind if is_text && !kind.is_container() && kind != Kind::String => {
                Told::of_text(doc.raw(root), false, self.status)
            }
            _ => Told::of_json(doc, root),
        };
        self.foreign_error(&told);
    }

    fn scim_error(&mut self, doc: &mut Doc<'_>) {
        let error = doc.root();
        let attrs = &self.cx.plan.registry().messages().error;
        attr_case::fix_all(&mut self.cx, doc, error, attrs, Id::AttrCase);
        error_schemas::fix(&mut self.cx, doc, error);
        let sent = self.status;
        if self.is_create() {
            self.status = conflict::status(&mut self.cx, doc, error, sent);
        }
        error_status::fix(&mut self.cx, doc, error, sent, self.status);
        if self.is_create() {
            conflict::fix(&mut self.cx, doc, error, sent, self.status);
        }
        error_detail_missing::fix(&mut self.cx, doc, error, self.status);
    }

    fn text_error(&mut self, body: &[u8]) {
        let label = content_type::essence(self.answer.headers);
        let is_html = matches!(label.as_deref(), Some("text/html" | "application/xhtml+xml"));
        let text = match std::str::from_utf8(body) {
            Ok(text) => Cow::Borrowed(text),
            // Compressed or worse; text in an old charset reads well enough as Latin-1.
            Err(_) if body.iter().any(|byte| *byte < b'\t') => {
                self.unread = Some("not text".to_owned());
                return;
            }
            Err(_) => body.iter().copied().map(char::from).collect::<String>().into(),
        };
        // JSON in an old charset tells more than its text.
        if let Cow::Owned(text) = &text {
            match read(text.as_bytes(), &self.cx) {
                Read::Json(mut doc) => {
                    self.is_json = doc.kind(doc.root()).is_container();
                    self.is_object = doc.kind(doc.root()) == Kind::Object;
                    self.json_error(&mut doc);
                    // An Error that is right but for its charset is written anew all the same.
                    let is_right = is_error(&doc, doc.root());
                    if self.body == Body::AsSent
                        && (doc.is_changed() || is_right && self.cx.may(Id::ErrorPlainText, String::new))
                    {
                        self.body = Body::New(doc.write());
                    }
                    return;
                }
                Read::Ambiguous(why) => {
                    self.unread = Some(why);
                    return;
                }
                Read::Not(_) => {}
            }
        }
        let told = Told::of_text(&text, is_html, self.status);
        self.foreign_error(&told);
    }

    /// Writes an Error in place of what the app said in another form.
    fn foreign_error(&mut self, told: &Told) {
        let is_duplicate = self.is_create()
            && told.message.as_deref().is_some_and(|message| conflict::is_duplicate(self.status, message));
        let mut scim_type = told.scim_type.as_deref();
        if is_duplicate && self.cx.may(Id::ConflictStatus, || "status".to_owned()) {
            self.status = StatusCode::CONFLICT;
            scim_type = Some("uniqueness");
        } else if !self.cx.may(told.quirk, String::new) {
            return;
        } else if self.status == StatusCode::CONFLICT
            && scim_type.is_none()
            && self.is_create()
            && self.cx.may(Id::ConflictScimtypeMissing, || "/scimType".to_owned())
        {
            scim_type = Some("uniqueness");
        }
        let mut body = told.write(self.status, scim_type);
        if !self.is_object && self.is_filter_404() {
            mark_gateway(&mut body);
        }
        self.body = Body::New(body);
        self.is_own = true;
    }
}

/// Marks an Error made of a 404 that no SCIM handler wrote.
///
/// As an Error it looks as if one had, and another shim on the way (or this one, asked again) would take it for "no
/// match" by `list-404-empty`. JSON has no comments, so the mark is a blank that no serializer writes there.
fn mark_gateway(error: &mut Vec<u8>) {
    error.pop();
    error.extend_from_slice(GATEWAY);
}

/// Whether an Error bears the mark.
fn told_by_a_gateway(body: &[u8]) -> bool {
    body.ends_with(GATEWAY)
        && body.starts_with(b"{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":")
}

const GATEWAY: &[u8] = b" }";
const BOM: &[u8] = "\u{feff}".as_bytes();

/// A content coding that the body may still have.
fn unknown_coding(headers: &HeaderMap) -> Option<String> {
    let coding = String::from_utf8_lossy(headers.get(CONTENT_ENCODING)?.as_bytes()).trim().to_ascii_lowercase();
    (!matches!(coding.as_str(), "" | "identity" | "gzip" | "x-gzip")).then_some(coding)
}

fn read<'b>(body: &'b [u8], cx: &Cx<'_>) -> Read<'b> {
    let Ok(text) = std::str::from_utf8(body) else { return Read::Not("not UTF-8".to_owned()) };
    match Doc::parse(text, cx.plan.registry().names(), Duplicates::CaseKept) {
        Ok(doc) => Read::Json(doc),
        Err(error) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Read::Ambiguous(error.to_string()),
        Err(error) => Read::Not(error.to_string()),
    }
}

/// Whether an object on the endpoint of `kind` is a resource: it has an `id`, or names the core schema.
fn is_resource(doc: &Doc<'_>, object: Node, kind: &ResourceType) -> bool {
    let has_id = doc.get(object, name::ID).is_some_and(|id| match doc.kind(id) {
        Kind::String => doc.raw(id) != "\"\"",
        kind => kind == Kind::Number,
    });
    has_id || names(doc, object, name::SCHEMAS, &kind.urn)
}
