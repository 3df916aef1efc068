//! What a body says about its exchange, in one pass that keeps nothing it does not need: a list of a thousand members is
//! skimmed and not built.
//!
//! Names are compared without case and the last of two equal ones counts, since in tenant mode `observe` bodies go
//! through that the engine would have mended or refused. Whatever has another type than it should is passed over.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::words;

/// What a request says.
#[derive(Debug, Default)]
pub(super) struct Request<'b> {
    user_name: Option<&'b RawValue>,
    external_id: Option<&'b RawValue>,
    display_name: Option<&'b RawValue>,
    emails: Option<&'b RawValue>,
    filter: Option<&'b RawValue>,
    /// It sets `active` to false.
    pub(super) deactivates: bool,
    operations: u32,
    /// An operation touches something else than `members` or `manager`.
    other: bool,
    touched: Touched<'b>,
}

/// What the operations of a PATCH touch.
#[derive(Debug, Default)]
enum Touched<'b> {
    #[default]
    Nothing,
    /// One attribute; the path of the first operation, and whether all have the same.
    One(Cow<'b, str>, bool),
    Several,
}

impl<'b> Request<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Self {
        let mut request = Self::default();
        // What was read before an error stands: the IdP meant it all the same.
        let _ = skim(bytes, Request_(&mut request));
        request
    }

    /// The `filter` of a search (RFC 7644 3.4.3).
    pub(super) fn filter(&self) -> Option<Cow<'b, str>> {
        text(self.filter?)
    }

    /// The value by which the IdP will look for what it creates: what it matches by comes first.
    pub(super) fn matched(&self, resource: &str) -> Option<Cow<'b, str>> {
        let (first, then) = match resource {
            "Groups" => (self.display_name, self.user_name),
            _ => (self.user_name, self.display_name.filter(|_| resource != "Users")),
        };
        let told = |raw: Option<&'b RawValue>| raw.and_then(value).filter(|text| !text.is_empty());
        told(first).or_else(|| told(self.external_id)).or_else(|| told(then)).or_else(|| self.email())
    }

    fn email(&self) -> Option<Cow<'b, str>> {
        let mut found = None;
        let _ = skim(self.emails?.get().as_bytes(), Email(&mut found));
        found.and_then(value)
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

    fn operation(&mut self, operation: &Operation<'b>) {
        self.operations = self.operations.saturating_add(1);
        let removes = operation.op.and_then(text).is_some_and(|op| op.eq_ignore_ascii_case("remove"));
        match operation.path.and_then(text).filter(|path| !path.is_empty()) {
            Some(path) if words::is_schema(&path) => self.object(operation.value, removes, NESTED),
            Some(path) => self.touch(path, operation.value, removes),
            None => self.object(operation.value, removes, NESTED),
        }
    }

    /// The members of a value without a path, each of which is as good as one; `depth` for those of an extension. Of a
    /// list, which no standard knows there, those of each element.
    fn object(&mut self, value: Option<&'b RawValue>, removes: bool, depth: u8) {
        let Some(value) = value else { return };
        if value.get().starts_with('[') {
            let element = |element: &'b RawValue| {
                if element.get().starts_with('{') {
                    self.object(Some(element), removes, depth);
                }
            };
            let _ = skim(value.get().as_bytes(), Elements(element));
            return;
        }
        let members = |key: Cow<'b, str>, value: &'b RawValue| {
            if words::is_schema(&key) && depth > 0 {
                self.object(Some(value), removes, depth - 1);
            } else if !["schemas", "id", "meta"].iter().any(|name| key.eq_ignore_ascii_case(name)) {
                self.touch(key, Some(value), removes);
            }
        };
        let _ = skim(value.get().as_bytes(), Members(members));
    }

    fn touch(&mut self, path: Cow<'b, str>, value: Option<&'b RawValue>, removes: bool) {
        let (attr, sub) = words::split(&path);
        self.deactivates |= !removes && attr.eq_ignore_ascii_case("active") && value.is_some_and(is_false);
        self.other |= !["members", "manager", "managerId"].iter().any(|name| attr.eq_ignore_ascii_case(name));
        let same = match &self.touched {
            Touched::Nothing => None,
            Touched::One(first, all) => {
                let (first_attr, first_sub) = words::split(first);
                Some((first_attr.eq_ignore_ascii_case(attr), *all && first_sub.eq_ignore_ascii_case(sub)))
            }
            Touched::Several => return,
        };
        match (same, &mut self.touched) {
            (Some((true, whole)), Touched::One(_, all)) => *all = whole,
            (None, touched) => *touched = Touched::One(path, true),
            (_, touched) => *touched = Touched::Several,
        }
    }
}

/// Objects under a schema's URN hold attributes; what is in those holds none.
const NESTED: u8 = 1;

/// What an answer says.
#[derive(Debug, Default)]
pub(super) struct Answer<'b> {
    /// It is a JSON object.
    pub(super) object: bool,
    total: Option<u32>,
    found: Option<u32>,
    id: Option<&'b RawValue>,
    first_id: Option<&'b RawValue>,
    scim_type: Option<&'b RawValue>,
    detail: Option<&'b RawValue>,
}

impl<'b> Answer<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Self {
        let mut answer = Self::default();
        let whole = skim(bytes, Answer_(&mut answer)).is_ok();
        answer.object = whole && without_mark(bytes).trim_ascii_start().starts_with(b"{");
        answer
    }

    /// How many resources a lookup found: what IdPs look at differs, so the larger of both counts.
    pub(super) fn matches(&self) -> Option<u32> {
        self.total.max(self.found)
    }

    /// The id of the resource.
    pub(super) fn id(&self) -> Option<Cow<'b, str>> {
        value(self.id?)
    }

    /// The id of the first resource of a list.
    pub(super) fn first_id(&self) -> Option<Cow<'b, str>> {
        value(self.first_id?)
    }

    pub(super) fn scim_type(&self) -> Option<Cow<'b, str>> {
        text(self.scim_type?)
    }

    pub(super) fn detail(&self) -> Option<Cow<'b, str>> {
        text(self.detail?)
    }
}

/// The characters of a string.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw.get()).ok().map(Cow::Owned) } else { Some(inner.into()) }
}

/// The characters of a string, or a number as it stands: ids are sent as either.
fn value(raw: &RawValue) -> Option<Cow<'_, str>> {
    text(raw).or_else(|| raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| raw.get().into()))
}

/// `false` and the forms in which it is sent: as a string in any case, as 0, in a list, under `value`.
fn is_false(raw: &RawValue) -> bool {
    // Longer is none of them.
    const LONGEST: usize = 256;
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'f') => true,
        Some(b'0') => json == "0",
        Some(b'"') => {
            text(raw).is_some_and(|text| ["false", "0"].iter().any(|no| text.trim().eq_ignore_ascii_case(no)))
        }
        Some(b'[') if json.len() <= LONGEST => {
            serde_json::from_str::<Vec<&RawValue>>(json).is_ok_and(|list| list.into_iter().any(is_false))
        }
        Some(b'{') if json.len() <= LONGEST => {
            let mut found = false;
            let _ = skim(
                json.as_bytes(),
                Members(|key: Cow<'_, str>, value: &RawValue| {
                    found |= key.eq_ignore_ascii_case("value") && is_false(value);
                }),
            );
            found
        }
        _ => false,
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

macro_rules! seed {
    ($name:ident) => {
        impl<'de> DeserializeSeed<'de> for $name<'_, 'de> {
            type Value = ();
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

/// Every member, by its name and text.
struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            self.0(name, value);
        }
        Ok(())
    }
}

/// Every element of a list, by its text.
struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(objects);

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&'de RawValue>()? {
            self.0(element);
        }
        Ok(())
    }
}

/// The outermost object of a request.
struct Request_<'s, 'b>(&'s mut Request<'b>);

impl<'de> Visitor<'de> for Request_<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let request = self.0;
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let (attr, sub) = words::split(&name);
            let is = |known: &str| sub.is_empty() && attr.eq_ignore_ascii_case(known);
            match attr.len() {
                _ if is("Operations") => map.next_value_seed(Operations(request))?,
                _ if is("userName") => request.user_name = Some(map.next_value()?),
                _ if is("externalId") => request.external_id = Some(map.next_value()?),
                _ if is("displayName") => request.display_name = Some(map.next_value()?),
                _ if is("emails") => request.emails = Some(map.next_value()?),
                _ if is("filter") => request.filter = Some(map.next_value()?),
                _ if is("active") => request.deactivates = is_false(map.next_value()?),
                _ if words::is_schema(&name) => map.next_value_seed(Schema(request))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// An object under a schema's URN: of the core schema, where a sender took it for an extension.
struct Schema<'s, 'b>(&'s mut Request<'b>);

seed!(Schema);

impl<'de> Visitor<'de> for Schema<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if name.eq_ignore_ascii_case("active") {
                self.0.deactivates = is_false(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Operations<'s, 'b>(&'s mut Request<'b>);

seed!(Operations);

impl<'de> Visitor<'de> for Operations<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(objects);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut operation = Operation::default();
        while list.next_element_seed(OneOf(&mut operation))?.is_some() {
            self.0.operation(&std::mem::take(&mut operation));
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Operation<'b> {
    op: Option<&'b RawValue>,
    path: Option<&'b RawValue>,
    value: Option<&'b RawValue>,
}

struct OneOf<'s, 'b>(&'s mut Operation<'b>);

seed!(OneOf);

impl<'de> Visitor<'de> for OneOf<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let place = match &*name {
                name if name.eq_ignore_ascii_case("op") => &mut self.0.op,
                name if name.eq_ignore_ascii_case("path") => &mut self.0.path,
                name if name.eq_ignore_ascii_case("value") => &mut self.0.value,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = Some(map.next_value()?);
        }
        Ok(())
    }
}

/// The `value` of the first address, of a list of objects or strings, or of one object.
struct Email<'s, 'b>(&'s mut Option<&'b RawValue>);

seed!(Email);

impl<'de> Visitor<'de> for Email<'_, 'de> {
    type Value = ();
    passes_over!(scalars);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let Some(first) = list.next_element::<&'de RawValue>()? {
            *self.0 = Some(first);
            let _ = skim(first.get().as_bytes(), Self(self.0));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.0 = None;
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if name.eq_ignore_ascii_case("value") {
                *self.0 = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The outermost object of an answer.
struct Answer_<'s, 'b>(&'s mut Answer<'b>);

impl<'de> Visitor<'de> for Answer_<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let answer = self.0;
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("id") {
                answer.id = Some(map.next_value()?);
            } else if is("Resources") {
                map.next_value_seed(Resources(answer))?;
            } else if is("totalResults") {
                answer.total = value(map.next_value()?).and_then(|number| number.parse().ok());
            } else if is("detail") {
                answer.detail = Some(map.next_value()?);
            } else if is("scimType") {
                answer.scim_type = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Resources<'s, 'b>(&'s mut Answer<'b>);

seed!(Resources);

impl<'de> Visitor<'de> for Resources<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(objects);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut found = u32::from(list.next_element_seed(First(&mut self.0.first_id))?.is_some());
        while list.next_element::<IgnoredAny>()?.is_some() {
            found = found.saturating_add(1);
        }
        self.0.found = Some(found);
        Ok(())
    }
}

/// The `id` of a resource.
struct First<'s, 'b>(&'s mut Option<&'b RawValue>);

seed!(First);

impl<'de> Visitor<'de> for First<'_, 'de> {
    type Value = ();
    passes_over!(scalars);
    passes_over!(lists);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if name.eq_ignore_ascii_case("id") {
                *self.0 = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
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
