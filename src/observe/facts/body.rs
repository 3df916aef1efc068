//! What a body says about its exchange.
//!
//! A body that the engine has read is looked at in its document, which costs a look at a few members; one that it has
//! not (tenant mode `observe` lets through what cannot be read) is skimmed. Both are told in the same words, see [`Json`].
//!
//! Names are compared without case and the last of two equal ones counts, since in tenant mode `observe` bodies go
//! through that the engine would have mended or refused. Whatever has another type than it should is passed over.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::words;
use crate::{
    json::{Doc, Kind, Names as _, Node},
    scim::name,
};

/// What a request says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    user_name: Option<String>,
    external_id: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    /// The `filter` of a search (RFC 7644 3.4.3).
    pub(super) filter: Option<String>,
    /// It sets `active` to false.
    pub(super) deactivates: bool,
    operations: u32,
    /// An operation touches something else than `members` or `manager`.
    other: bool,
    touched: Touched,
}

/// What the operations of a PATCH touch.
#[derive(Debug, Clone, Default)]
enum Touched {
    #[default]
    Nothing,
    /// One attribute; the path of the first operation, and whether all have the same.
    One(String, bool),
    Several,
}

impl Request {
    /// Of what the engine has read, with its edits.
    pub(crate) fn of(doc: &Doc<'_>) -> Self {
        let mut request = Self::default();
        At { doc, node: doc.root() }.members(&mut |key, value| request.member(key, value));
        request
    }

    /// Of bytes that the engine has not read. What comes before an error stands: the IdP meant it all the same.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut request = Self::default();
        let _ = skim(bytes, Members(&mut |key, value| request.member(key, value)));
        request
    }

    /// The value by which the IdP will look for what it creates: what it matches by comes first.
    pub(super) fn matched(&self, resource: &str) -> Option<&str> {
        let user_name = self.user_name.as_deref();
        let display_name = self.display_name.as_deref();
        let (first, then) = match resource {
            "Groups" => (display_name, user_name),
            _ => (user_name, display_name.filter(|_| resource != "Users")),
        };
        let told = [first, self.external_id.as_deref(), then].into_iter().flatten().find(|text| !text.is_empty());
        told.or(self.email.as_deref())
    }

    /// A PATCH that touches only `members` or `manager`.
    pub(super) fn is_reference(&self) -> bool {
        self.operations > 0 && !self.other && !matches!(self.touched, Touched::Nothing)
    }

    /// The path that every operation has in common, sub-attribute and all where that is common too.
    pub(super) fn touched(&self) -> Option<(&str, &str)> {
        match &self.touched {
            Touched::One(path, true) => Some(words::split(path)),
            Touched::One(path, false) => Some((words::split(path).0, "")),
            Touched::Nothing | Touched::Several => None,
        }
    }

    /// A member of the outermost object; names of the core schema may be written in full.
    fn member<J: Json>(&mut self, key: Key<'_>, value: J) {
        match key.number {
            0 => match words::split(key.text) {
                (attr, "") if number(attr) != 0 => self.attribute(number(attr), value),
                ("", "") if words::is_schema(key.text) => self.schema(value),
                _ => {}
            },
            name::CORE_USER | name::CORE_GROUP | name::ENTERPRISE_USER => self.schema(value),
            known => self.attribute(known, value),
        }
    }

    fn attribute<J: Json>(&mut self, name: u16, value: J) {
        let told = |value: J| value.value().map(Cow::into_owned);
        match name {
            name::OPERATIONS => value.elements(&mut |operation| self.operation(operation)),
            name::USER_NAME => self.user_name = told(value),
            name::EXTERNAL_ID => self.external_id = told(value),
            name::DISPLAY_NAME => self.display_name = told(value),
            name::EMAILS => self.email = email(value),
            name::FILTER => self.filter = value.text().map(Cow::into_owned),
            name::ACTIVE => self.deactivates = is_false(value),
            _ => {}
        }
    }

    /// An object under a schema's URN: of the core schema, where a sender took it for an extension.
    fn schema<J: Json>(&mut self, object: J) {
        object.members(&mut |key, value| {
            if key.number == name::ACTIVE {
                self.deactivates = is_false(value);
            }
        });
    }

    fn operation<J: Json>(&mut self, operation: J) {
        if operation.kind() != Kind::Object {
            return;
        }
        self.operations = self.operations.saturating_add(1);
        let (mut op, mut path, mut value) = (None, None, None);
        operation.members(&mut |key, member| match key.number {
            name::OP => op = Some(member),
            name::PATH => path = Some(member),
            name::VALUE => value = Some(member),
            _ => {}
        });
        let removes = op.is_some_and(|op: J| op.text().is_some_and(|op| op.eq_ignore_ascii_case("remove")));
        let path = path.as_ref().and_then(J::text).filter(|path| !path.is_empty());
        match path {
            Some(path) if !words::is_schema(&path) => self.touch(&path, value, removes),
            _ => value.into_iter().for_each(|value| self.object(value, removes, NESTED)),
        }
    }

    /// The members of a value without a path, each of which is as good as one; `depth` for those of an extension. Of a
    /// list, which no standard knows there, those of each element.
    fn object<J: Json>(&mut self, value: J, removes: bool, depth: u8) {
        if value.kind() == Kind::Array {
            return value.elements(&mut |element| {
                if element.kind() == Kind::Object {
                    self.object(element, removes, depth);
                }
            });
        }
        value.members(&mut |key, value| {
            if words::is_schema(key.text) && depth > 0 {
                self.object(value, removes, depth - 1);
            } else if !matches!(key.number, name::SCHEMAS | name::ID | name::META) {
                self.touch(key.text, Some(value), removes);
            }
        });
    }

    fn touch<J: Json>(&mut self, path: &str, value: Option<J>, removes: bool) {
        let (attr, sub) = words::split(path);
        let name = number(attr);
        self.deactivates |= !removes && name == name::ACTIVE && value.is_some_and(is_false);
        self.other |= !matches!(name, name::MEMBERS | name::MANAGER | name::MANAGER_ID);
        match &mut self.touched {
            Touched::Nothing => self.touched = Touched::One(path.to_owned(), true),
            Touched::One(first, all) => {
                let (first_attr, first_sub) = words::split(first);
                if first_attr.eq_ignore_ascii_case(attr) {
                    *all = *all && first_sub.eq_ignore_ascii_case(sub);
                } else {
                    self.touched = Touched::Several;
                }
            }
            Touched::Several => {}
        }
    }
}

/// Objects under a schema's URN hold attributes; what is in those holds none.
const NESTED: u8 = 1;

/// What an answer says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// It is a JSON object.
    pub(super) object: bool,
    total: Option<u32>,
    found: Option<u32>,
    /// The id of the resource.
    pub(super) id: Option<String>,
    /// The id of the first resource of a list.
    pub(super) first_id: Option<String>,
    pub(super) scim_type: Option<String>,
    pub(super) detail: Option<String>,
}

impl Answer {
    /// Of what the engine has read, with its edits.
    pub(crate) fn of(doc: &Doc<'_>) -> Self {
        let root = At { doc, node: doc.root() };
        let mut answer = Self { object: root.kind() == Kind::Object, ..Self::default() };
        root.members(&mut |key, value| answer.member(key, value));
        answer
    }

    /// Of bytes that the engine has not read.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut answer = Self::default();
        let whole = skim(bytes, Members(&mut |key, value| answer.member(key, value))).is_ok();
        answer.object = whole && without_mark(bytes).trim_ascii_start().starts_with(b"{");
        answer
    }

    /// How many resources a lookup found: what IdPs look at differs, so the larger of both counts.
    pub(super) fn matches(&self) -> Option<u32> {
        self.total.max(self.found)
    }

    fn member<J: Json>(&mut self, key: Key<'_>, value: J) {
        match key.number {
            name::ID => self.id = value.value().map(Cow::into_owned),
            name::RESOURCES => self.resources(value),
            name::TOTAL_RESULTS => self.total = value.value().and_then(|number| number.parse().ok()),
            name::DETAIL => self.detail = value.text().map(Cow::into_owned),
            name::SCIM_TYPE => self.scim_type = value.text().map(Cow::into_owned),
            _ => {}
        }
    }

    fn resources<J: Json>(&mut self, list: J) {
        if list.kind() != Kind::Array {
            return;
        }
        let mut found = 0_u32;
        list.elements(&mut |resource| {
            if found == 0 {
                resource.members(&mut |key, value| {
                    if key.number == name::ID {
                        self.first_id = value.value().map(Cow::into_owned);
                    }
                });
            }
            found = found.saturating_add(1);
        });
        self.found = Some(found);
    }
}

/// A member's name.
#[derive(Clone, Copy)]
struct Key<'k> {
    /// That of the standard's names, in any letter case; 0 of any other.
    number: u16,
    text: &'k str,
}

impl<'k> Key<'k> {
    fn of(text: &'k str) -> Self {
        Self { number: number(text), text }
    }
}

fn number(name: &str) -> u16 {
    words::registry().names().find(name).0
}

/// The `value` of the first address, of a list of objects or strings, or of one object.
fn email<J: Json>(emails: J) -> Option<String> {
    let mut first = Some(emails);
    if emails.kind() == Kind::Array {
        first = None;
        emails.elements(&mut |element| first = first.or(Some(element)));
    }
    let mut found = first.filter(|first| first.kind() != Kind::Object && emails.kind() == Kind::Array);
    if let Some(object) = first.filter(|first| first.kind() == Kind::Object) {
        object.members(&mut |key, value| {
            if key.number == name::VALUE {
                found = Some(value);
            }
        });
    }
    found.and_then(|found| found.value().map(Cow::into_owned))
}

/// `false` and the forms in which it is sent: as a string in any case, as 0, in a list, under `value`.
fn is_false<J: Json>(value: J) -> bool {
    let mut found = false;
    match value.kind() {
        Kind::False => return true,
        Kind::Number => return value.value().as_deref() == Some("0"),
        Kind::String => {
            let text = value.text().unwrap_or_default();
            return ["false", "0"].iter().any(|no| text.trim().eq_ignore_ascii_case(no));
        }
        Kind::Array if value.is_short() => value.elements(&mut |element| found |= is_false(element)),
        Kind::Object if value.is_short() => {
            value.members(&mut |key, value| found |= key.number == name::VALUE && is_false(value));
        }
        Kind::Array | Kind::Object | Kind::Null | Kind::True => {}
    }
    found
}

/// A JSON value, wherever it stands.
trait Json: Copy {
    fn kind(&self) -> Kind;
    /// The characters of a string.
    fn text(&self) -> Option<Cow<'_, str>>;
    /// The characters of a string, or a number as it stands: ids are sent as either.
    fn value(&self) -> Option<Cow<'_, str>>;
    /// Short enough to be another form of one word.
    fn is_short(&self) -> bool;
    /// Each member of an object, none of anything else.
    fn members(self, each: &mut dyn FnMut(Key<'_>, Self));
    /// Each element of an array, none of anything else.
    fn elements(self, each: &mut dyn FnMut(Self));
}

/// A longer one is no other form of `false`.
const SHORT: usize = 256;

/// A value in a document.
#[derive(Clone, Copy)]
struct At<'d, 'a> {
    doc: &'d Doc<'a>,
    node: Node,
}

impl Json for At<'_, '_> {
    fn kind(&self) -> Kind {
        self.doc.kind(self.node)
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        self.doc.string(self.node)
    }

    fn value(&self) -> Option<Cow<'_, str>> {
        match self.kind() {
            Kind::Number => Some(self.doc.raw(self.node).into()),
            _ => self.text(),
        }
    }

    fn is_short(&self) -> bool {
        self.doc.raw(self.node).len() <= SHORT
    }

    fn members(self, each: &mut dyn FnMut(Key<'_>, Self)) {
        if self.kind() == Kind::Object {
            let doc = self.doc;
            doc.children(self.node).for_each(|node| {
                // The document's table is the tenant's: the standard's names, and behind them those of the operator.
                let number = doc.name(node);
                match words::registry().names().text(number) {
                    "" => each(Key::of(&doc.key(node)), At { doc, node }),
                    text => each(Key { number, text }, At { doc, node }),
                }
            });
        }
    }

    fn elements(self, each: &mut dyn FnMut(Self)) {
        if self.kind() == Kind::Array {
            let doc = self.doc;
            doc.children(self.node).for_each(|node| each(At { doc, node }));
        }
    }
}

/// The text of a value.
impl Json for &RawValue {
    fn kind(&self) -> Kind {
        match self.get().as_bytes().first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        let inner = self.get().strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { serde_json::from_str(self.get()).ok().map(Cow::Owned) } else { Some(inner.into()) }
    }

    fn value(&self) -> Option<Cow<'_, str>> {
        if self.kind() == Kind::Number { Some(self.get().into()) } else { self.text() }
    }

    fn is_short(&self) -> bool {
        self.get().len() <= SHORT
    }

    fn members(self, each: &mut dyn FnMut(Key<'_>, Self)) {
        let _ = skim(self.get().as_bytes(), Members(each));
    }

    fn elements(self, each: &mut dyn FnMut(Self)) {
        let _ = skim(self.get().as_bytes(), Elements(each));
    }
}

fn skim<'b, V: Visitor<'b, Value = ()>>(bytes: &'b [u8], visitor: V) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(without_mark(bytes));
    reader.deserialize_any(visitor)?;
    reader.end()
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// A member's name, borrowed where it has no escapes.
struct Name<'b>(Cow<'b, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// What each visitor does with scalars: nothing.
macro_rules! passes_over {
    (scalars) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    };
    (lists) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(())
        }
    };
    (objects) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(())
        }
    };
}

/// Every member, by its name and text.
struct Members<'f, 'b>(&'f mut dyn FnMut(Key<'_>, &'b RawValue));

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            (self.0)(Key::of(&name), value);
        }
        Ok(())
    }
}

/// Every element of a list, by its text.
struct Elements<'f, 'b>(&'f mut dyn FnMut(&'b RawValue));

impl<'de> Visitor<'de> for Elements<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(objects);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&'de RawValue>()? {
            (self.0)(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_switched_off_by_zeros_and_in_lists_too() {
        let patch = |operation: &str| {
            let body = format!(r#"{{"Operations":[{operation}]}}"#);
            Request::read(body.as_bytes()).deactivates
        };
        for value in ["0", r#""0""#, r#"" 0 ""#, "false", r#"[0]"#, r#"[{"value":"0"}]"#] {
            assert!(patch(&format!(r#"{{"op":"replace","path":"active","value":{value}}}"#)), "{value}");
            assert!(patch(&format!(r#"{{"op":"replace","value":[{{"Active":{value}}}]}}"#)), "{value}");
            assert!(
                patch(&format!(r#"{{"op":"replace","value":[7,{{"title":"x"}},{{"active":{value}}}]}}"#)),
                "{value}"
            );
            assert!(Request::read(format!(r#"{{"active":{value}}}"#).as_bytes()).deactivates, "{value}");
        }
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
        assert!(patch(&format!(r#"{{"op":"replace","value":[{{"{urn}":{{"active":false}}}}]}}"#)));
        for value in ["1", r#""1""#, "0.5", "true", r#""no""#, r#""off""#, "null", r#""""#, "00"] {
            assert!(!patch(&format!(r#"{{"op":"replace","path":"active","value":{value}}}"#)), "{value}");
            assert!(!patch(&format!(r#"{{"op":"replace","value":[{{"active":{value}}}]}}"#)), "{value}");
        }
        assert!(!patch(r#"{"op":"remove","path":"active","value":0}"#));
        assert!(!patch(r#"{"op":"remove","value":[{"active":false}]}"#));
        assert!(!patch(r#"{"op":"replace","value":[[{"active":false}]]}"#), "a list in a list says nothing");
    }
}
