//! Okta's `ip_ranges.json`: `{"us_cell_1": {"ip_ranges": ["192.0.2.1/32"]}, ...}`.
//!
//! All cells are read, also those nobody names: the whole document is 90 kB, and a fault in one cell is a reason to
//! doubt the others.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::{Document, Entries, ParseError, Wanted, malformed};
use crate::feed::Kind;

pub(super) fn read(text: &str, wanted: Wanted<'_>, entries: &mut Entries) -> Result<Document, ParseError> {
    let Cells(cells) = serde_json::from_str(text).map_err(malformed(Kind::Okta))?;
    let mut seen = BTreeSet::new();
    let mut document = Document::default();
    for (name, cell) in &cells {
        if !seen.insert(name.as_ref()) {
            return Err(ParseError::DuplicatePart(super::shorten(name)));
        }
        let read = |text: &Cow<'_, str>| entries.read(text, || format!("cell {}", super::shorten(name)));
        let nets = cell.ip_ranges.iter().map(|Text(text)| text).map(read).collect::<Result<Vec<_>, _>>()?;
        if wanted.has(name) {
            document.parts.insert(name.as_ref().into(), nets);
        }
        document.names.push(name.as_ref().into());
    }
    Ok(document)
}

/// The members in their order: a map would hide that a cell stands there twice.
struct Cells<'a>(Vec<(Cow<'a, str>, Cell<'a>)>);

/// Members beside `ip_ranges` have not been seen; new ones would be no reason to refuse.
#[derive(Deserialize)]
struct Cell<'a> {
    #[serde(borrow)]
    ip_ranges: Vec<Text<'a>>,
}

/// Text that is borrowed where it holds no escapes; `Cow` alone would always copy inside a list.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Cells<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Cells<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a member for each cell")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut cells = Vec::new();
                while let Some((Text(name), cell)) = map.next_entry()? {
                    cells.push((name, cell));
                }
                Ok(Cells(cells))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::all, *};

    fn okta(text: &str) -> Result<Document, ParseError> {
        all(Kind::Okta, text)
    }

    #[test]
    fn cells_are_read_by_name() {
        let text = r#"{"us_cell_1":{"ip_ranges":["192.0.2.0/31","198.51.100.7/32"]},"emea_cell_1":{"ip_ranges":["203.0.113.0/30"]}}"#;
        let document = okta(text).unwrap();
        assert_eq!(document.names.len(), 2);
        assert_eq!(document.parts["us_cell_1"], ["192.0.2.0/31".parse().unwrap(), "198.51.100.7/32".parse().unwrap()]);
        let one =
            super::super::document(Kind::Okta, None, Wanted::Named(&["emea_cell_1".into()]), text.as_bytes()).unwrap();
        assert_eq!((one.parts.len(), one.names.len()), (1, 2));
    }

    #[test]
    fn a_fault_anywhere_is_a_fault_of_the_document() {
        let error = |text| okta(text).unwrap_err();
        assert_eq!(
            error(r#"{"a":{"ip_ranges":["192.0.2.1/32"]},"b":{"ip_ranges":["192.0.2.300/32"]}}"#).to_string(),
            "cell b: `192.0.2.300/32` is no address and no CIDR range"
        );
        assert_eq!(
            error(r#"{"a":{"ip_ranges":["192.0.2.1/24","192.0.2.9/24"]}}"#).to_string(),
            "2 ranges have bits behind their prefix, first cell a: 192.0.2.1/24; expected 192.0.2.0/24"
        );
        assert_eq!(error(r#"{"a":{"ip_ranges":[]},"a":{"ip_ranges":[]}}"#), ParseError::DuplicatePart("a".into()));
        assert_eq!(error(r#"{"a":{"ip_ranges":[]},"\u0061":{"ip_ranges":[]}}"#).reason(), "duplicate_part");
        assert_eq!(error(r#"{"a":{"ip_ranges":[],"ip_ranges":[]}}"#).reason(), "malformed");
        assert_eq!(error(r#"{"a":["192.0.2.1/32"]}"#).reason(), "malformed");
        assert_eq!(error(r#"{"error":"AccessDenied"}"#).reason(), "malformed");
        assert_eq!(error("[]").reason(), "malformed");
        assert_eq!(error("{}").reason(), "empty");
        assert_eq!(error(r#"{"a":{"ip_ranges":[]}} trailing"#).reason(), "malformed");
    }
}
