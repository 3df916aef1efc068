//! Okta's `ip_ranges.json`: `{"us_cell_1": {"ip_ranges": ["192.0.2.1/32"]}, ...}`.
//!
//! All cells are read, also those nobody names: the whole document is 90 kB, and a fault in one cell is a reason to
//! doubt the others.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Document, Entries, ParseError, Wanted, malformed, members, shorten};
use crate::feed::Kind;

const KIND: Kind = Kind::Okta;

pub(super) fn read(text: &str, wanted: Wanted<'_>, entries: &mut Entries) -> Result<Document, ParseError> {
    let mut document = Document::default();
    members(KIND, text, |name, cell| {
        let name = entries.part(KIND, &name)?;
        let cell: Cell<'_> = serde_json::from_str(cell.get()).map_err(malformed(KIND))?;
        let nets = entries.array(KIND, cell.ip_ranges, || format!("cell {}", shorten(&name)))?;
        document.names.push(name.clone());
        if wanted.has(&name) {
            document.parts.insert(name, nets);
        }
        Ok(())
    })?;
    Ok(document)
}

/// Members beside `ip_ranges` have not been seen; new ones would be no reason to refuse.
#[derive(Deserialize)]
struct Cell<'a> {
    #[serde(borrow)]
    ip_ranges: &'a RawValue,
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
