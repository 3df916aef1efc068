//! Lists of no vendor in particular. Text: a CIDR range or an address on each line, `#` begins a comment. JSON: an array
//! at the root, at the pointer, or under the names that Google and AWS use; of strings or of objects that hold one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Document, Entries, ParseError, WHOLE, expected, malformed};
use crate::feed::Kind;

/// Where Google's goog.json and cloud.json and AWS's ip-ranges.json keep their ranges.
const ARRAYS: [&str; 2] = ["prefixes", "ipv6_prefixes"];

/// What their entries call the range.
const MEMBERS: [&str; 4] = ["ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix"];

pub(super) fn read(text: &str, pointer: Option<&str>, entries: &mut Entries) -> Result<Document, ParseError> {
    let nets = if pointer.is_some() || text.trim_start().starts_with(['{', '[']) {
        let root: Value = serde_json::from_str(text).map_err(malformed(Kind::List))?;
        let mut nets = Vec::new();
        for (place, array) in arrays(&root, pointer)? {
            for (index, item) in array.iter().enumerate() {
                let at = || format!("{place}/{index}");
                for range in ranges(item).ok_or_else(|| no_range(&at(), item))? {
                    nets.push(entries.read(range, at)?);
                }
            }
        }
        nets
    } else {
        lines(text, entries)?
    };
    Ok(Document { parts: BTreeMap::from([(WHOLE.into(), nets)]), names: vec![WHOLE.into()], change_number: None })
}

fn lines(text: &str, entries: &mut Entries) -> Result<Vec<ipnet::IpNet>, ParseError> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split('#').next().unwrap_or_default().trim()))
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| entries.read(line, || format!("line {number}")))
        .collect()
}

/// The arrays that hold ranges, with their places.
fn arrays<'a>(root: &'a Value, pointer: Option<&str>) -> Result<Vec<(String, &'a Vec<Value>)>, ParseError> {
    let wrong = |why: String| ParseError::Malformed { expected: expected(Kind::List), why };
    if let Some(pointer) = pointer {
        return match root.pointer(pointer) {
            Some(Value::Array(array)) => Ok(vec![(pointer.to_owned(), array)]),
            Some(_) => Err(wrong(format!("what stands at `{pointer}` is no array"))),
            None => Err(wrong(format!("nothing stands at `{pointer}`"))),
        };
    }
    let members = match root {
        Value::Array(array) => return Ok(vec![(String::new(), array)]),
        Value::Object(members) => members,
        _ => return Err(wrong("the JSON is neither an array nor an object".into())),
    };
    let known = |name: &&str| members.get(*name).and_then(Value::as_array).map(|array| (format!("/{name}"), array));
    let found: Vec<_> = ARRAYS.iter().filter_map(known).collect();
    if found.is_empty() {
        let names = members.iter().filter(|(_, value)| value.is_array()).map(|(name, _)| format!("`/{name}`"));
        let names = super::shorten(&names.collect::<Vec<_>>().join(", "));
        return Err(wrong(format!("it is not said where the array is; set `pointer` (arrays in it: {names})")));
    }
    Ok(found)
}

/// The ranges of one entry; `None` where it holds none.
fn ranges(item: &Value) -> Option<Vec<&str>> {
    match item {
        Value::String(text) => Some(vec![text]),
        Value::Object(members) => {
            let found: Vec<_> = MEMBERS.iter().filter_map(|name| members.get(*name)?.as_str()).collect();
            (!found.is_empty()).then_some(found)
        }
        _ => None,
    }
}

fn no_range(at: &str, item: &Value) -> ParseError {
    ParseError::Entry { at: at.to_owned(), text: super::shorten(&item.to_string()) }
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
        assert_eq!(list(r#"{"prefixes":[{"cidr":"192.0.2.0/24"}]}"#).unwrap_err().reason(), "entry");
        assert_eq!(all(Kind::List, "{\"error\":\"denied\"}").unwrap_err().reason(), "malformed");
    }
}
