//! Lists of no vendor in particular. Text: a CIDR range or an address on each line, `#` begins a comment. JSON: an array
//! at the root, at the pointer, or under the names that Google and AWS use; of strings or of objects that hold one.

use std::{borrow::Cow, collections::BTreeMap};

use ipnet::IpNet;
use serde_json::value::RawValue;

use super::{Document, Entries, ParseError, Text, WHOLE, elements, expected, members, shorten};
use crate::feed::Kind;

const KIND: Kind = Kind::List;

/// Where Google's goog.json and cloud.json and AWS's ip-ranges.json keep their ranges.
const ARRAYS: [&str; 2] = ["prefixes", "ipv6_prefixes"];

/// What their entries call the range.
const MEMBERS: [&str; 4] = ["ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix"];

/// Arrays that a message names; a document may have any number.
const NAMED: usize = 8;

pub(super) fn read(text: &str, pointer: Option<&str>, entries: &mut Entries) -> Result<Document, ParseError> {
    let mut nets = Vec::new();
    if pointer.is_some() || text.trim_start().starts_with(['{', '[']) {
        for (place, array) in arrays(text.trim(), pointer)? {
            elements(KIND, array, |index, item: &RawValue| {
                ranges_of(item, || format!("{place}/{index}"), entries, &mut nets)
            })?;
        }
    } else {
        lines(text, entries, &mut nets)?;
    }
    Ok(Document { parts: BTreeMap::from([(WHOLE.into(), nets)]), names: vec![WHOLE.into()], change_number: None })
}

fn lines(text: &str, entries: &mut Entries, nets: &mut Vec<IpNet>) -> Result<(), ParseError> {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            nets.push(entries.read(KIND, line, || format!("line {}", index + 1))?);
        }
    }
    Ok(())
}

/// The arrays that hold ranges, with their places.
fn arrays<'a>(root: &'a str, pointer: Option<&str>) -> Result<Vec<(String, &'a str)>, ParseError> {
    if let Some(pointer) = pointer {
        let array = follow(root, pointer)?.ok_or_else(|| wrong(format!("nothing stands at `{pointer}`")))?;
        if !array.starts_with('[') {
            return Err(wrong(format!("what stands at `{pointer}` is no array")));
        }
        return Ok(vec![(pointer.to_owned(), array)]);
    }
    if root.starts_with('[') {
        return Ok(vec![(String::new(), root)]);
    }
    let (mut found, mut others) = (Vec::new(), Vec::new());
    members(KIND, root, |name, value| {
        let place = || format!("/{}", shorten(&name));
        if ARRAYS.contains(&&*name) {
            once(found.iter().all(|(other, _)| *other != place()), &name)?;
            found.push((place(), value.get()));
        } else if others.len() < NAMED && value.get().starts_with('[') {
            others.push(format!("`{}`", place()));
        }
        Ok(())
    })?;
    if found.is_empty() {
        let names = others.join(", ");
        return Err(wrong(format!("it is not said where the array is; set `pointer` (arrays in it: {names})")));
    }
    Ok(found)
}

/// What stands at a JSON pointer, RFC 6901.
fn follow<'a>(root: &'a str, pointer: &str) -> Result<Option<&'a str>, ParseError> {
    let mut at = root;
    // What stands before the first slash is empty; the configuration sees to that.
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let mut found = None;
        if at.starts_with('[') {
            let wanted = step.parse().ok().filter(|index: &usize| index.to_string() == step);
            elements(KIND, at, |index, value: &RawValue| {
                if Some(index) == wanted {
                    found = Some(value.get());
                }
                Ok(())
            })?;
        } else if at.starts_with('{') {
            members(KIND, at, |name, value| {
                if name == step {
                    once(found.is_none(), &name)?;
                    found = Some(value.get());
                }
                Ok(())
            })?;
        }
        match found {
            Some(value) => at = value,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The ranges of one entry: text, or an object with known members, each of which has to be text. To leave out what it
/// calls a range and what is none would lose addresses without a word.
fn ranges_of(
    item: &RawValue,
    at: impl Fn() -> String,
    entries: &mut Entries,
    nets: &mut Vec<IpNet>,
) -> Result<(), ParseError> {
    let no_range = |value: &RawValue| ParseError::Entry { at: at(), text: shorten(value.get()) };
    if !item.get().starts_with('{') {
        let text = string(item).ok_or_else(|| no_range(item))?;
        nets.push(entries.read(KIND, &text, &at)?);
        return Ok(());
    }
    let mut seen = [false; MEMBERS.len()];
    members(KIND, item.get(), |name, value| {
        let Some(index) = MEMBERS.iter().position(|member| *member == name) else { return Ok(()) };
        once(!std::mem::replace(&mut seen[index], true), &name)?;
        let text = string(value).ok_or_else(|| no_range(value))?;
        nets.push(entries.read(KIND, &text, &at)?);
        Ok(())
    })?;
    if seen.contains(&true) { Ok(()) } else { Err(no_range(item)) }
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Text(text)| text)
}

/// Of two members of one name, two readers may take different ones.
fn once(is_first: bool, name: &str) -> Result<(), ParseError> {
    if is_first { Ok(()) } else { Err(wrong(format!("`{name}` stands in one object twice"))) }
}

fn wrong(why: String) -> ParseError {
    ParseError::Malformed { expected: expected(KIND), why }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::all, *};
    use crate::feed::parse::Wanted;

    fn list(text: &str) -> Result<Vec<String>, ParseError> {
        at(None, text)
    }

    fn at(pointer: Option<&str>, text: &str) -> Result<Vec<String>, ParseError> {
        super::super::document(Kind::List, pointer, Wanted::All, text.as_bytes())
            .map(|document| document.parts[WHOLE].iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lines_may_have_comments_crlf_a_mark_and_no_end() {
        let text = "\u{feff}# offices\r\n192.0.2.0/24\r\n\r\n  198.51.100.7   # the annex\r\n2001:db8::/32";
        assert_eq!(list(text).unwrap(), ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32"]);
    }

    #[test]
    fn a_bad_line_is_named_and_not_left_out() {
        assert_eq!(
            list("192.0.2.0/24\n\n131.0.72.0/222400:cb00::/32\n").unwrap_err().to_string(),
            "line 3: `131.0.72.0/222400:cb00::/32` is no address and no CIDR range"
        );
        for line in ["192.0.2.0/33", "10/8", "192.0.2", "010.0.0.1", "fe80::1%eth0/64", "192.0.2.1 192.0.2.2", "ok"] {
            assert_eq!(list(line).unwrap_err().reason(), "entry", "{line}");
        }
        assert_eq!(list("192.0.2.0/24\n192.0.2.9/24").unwrap_err().reason(), "host_bits");
    }

    #[test]
    fn a_list_of_comments_has_no_entries() {
        assert_eq!(list("# nothing yet\n").unwrap(), [""; 0]);
    }

    #[test]
    fn json_is_read_at_the_root_at_the_pointer_and_under_known_names() {
        assert_eq!(list(r#"["192.0.2.0/24","198.51.100.7"]"#).unwrap(), ["192.0.2.0/24", "198.51.100.7/32"]);
        assert_eq!(at(Some("/a/b"), r#"{"a":{"b":["192.0.2.0/24"]}}"#).unwrap(), ["192.0.2.0/24"]);
        assert_eq!(at(Some(""), r#"["192.0.2.0/24"]"#).unwrap(), ["192.0.2.0/24"]);
        let google = r#"{"syncToken":"1","prefixes":[{"ipv4Prefix":"192.0.2.0/24"},{"ipv6Prefix":"2001:db8::/32"}]}"#;
        assert_eq!(list(google).unwrap(), ["192.0.2.0/24", "2001:db8::/32"]);
        let aws = r#"{"prefixes":[{"ip_prefix":"192.0.2.0/24","region":"x"}],"ipv6_prefixes":[{"ipv6_prefix":"2001:db8::/32"}]}"#;
        assert_eq!(list(aws).unwrap(), ["192.0.2.0/24", "2001:db8::/32"]);
    }

    #[test]
    fn json_of_another_shape_is_refused_with_the_way_out() {
        let why = |text| list(text).unwrap_err().to_string();
        assert!(why(r#"{"ranges":["192.0.2.0/24"]}"#).contains("set `pointer` (arrays in it: `/ranges`)"));
        assert!(at(Some("/x"), r#"{"y":[]}"#).unwrap_err().to_string().contains("nothing stands at `/x`"));
        assert!(at(Some("/y"), r#"{"y":1}"#).unwrap_err().to_string().contains("no array"));
        assert_eq!(list(r#"["192.0.2.0/24",7]"#).unwrap_err().to_string(), "/1: `7` is no address and no CIDR range");
        assert_eq!(at(Some("/0/a~1b/1"), r#"[{"a/b":[1,["192.0.2.0/24"]]}]"#).unwrap(), ["192.0.2.0/24"]);
        assert!(at(Some("/00"), r#"[["192.0.2.0/24"]]"#).is_err());
        assert_eq!(list(r#"["192.0.2.0/24"] and more"#).unwrap_err().reason(), "malformed");
        assert_eq!(list(r#"{"prefixes":[{"cidr":"192.0.2.0/24"}]}"#).unwrap_err().reason(), "entry");
        assert_eq!(all(Kind::List, "{\"error\":\"denied\"}").unwrap_err().reason(), "malformed");
    }

    #[test]
    fn nothing_that_calls_itself_a_range_is_left_out() {
        for text in [
            r#"{"prefixes":["192.0.2.0/24"],"prefixes":["198.51.100.0/24"]}"#,
            r#"{"prefixes":["192.0.2.0/24"],"ipv6_prefixes":null}"#,
            r#"{"prefixes":[{"ipv4Prefix":5,"ipv6Prefix":"2001:db8::/32"}]}"#,
            r#"{"prefixes":[{"ipv4Prefix":null,"ipv6Prefix":"2001:db8::/32"}]}"#,
            r#"{"prefixes":[{"ipv4Prefix":"192.0.2.0/24","ipv4Prefix":"198.51.100.0/24"}]}"#,
        ] {
            let error = list(text).unwrap_err();
            assert!(["malformed", "entry"].contains(&error.reason()), "{text}: {error}");
        }
        let twice = r#"{"a":{"b":["192.0.2.0/24"]},"a":{"b":[]}}"#;
        assert!(at(Some("/a/b"), twice).unwrap_err().to_string().contains("`a` stands in one object twice"));
    }
}
