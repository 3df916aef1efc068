//! Azure Service Tags, public, government and China alike: `values[].name`, `.properties.addressPrefixes`.
//!
//! The public file has 4 MB and 3,041 tags of which a few are wanted. Names are borrowed and properties stay text until
//! their tag is asked for: a quarter of the time and a fortieth of the memory of a tree of values. Tags are
//! selected by `name` and never by `systemService`, which says "AzureAD" in one cloud and "AzureIdentity" in another.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Document, Entries, ParseError, Wanted, elements, malformed, shorten};
use crate::feed::Kind;

const KIND: Kind = Kind::AzureServiceTags;

pub(super) fn read(text: &str, wanted: Wanted<'_>, entries: &mut Entries) -> Result<Document, ParseError> {
    let file: File<'_> = serde_json::from_str(text).map_err(malformed(KIND))?;
    let change_number = file.change_number.and_then(number);
    let mut document = Document { change_number, ..Document::default() };
    elements(KIND, file.values.get(), |_, tag: Tag<'_>| {
        let name = entries.part(KIND, &tag.name)?;
        document.names.push(name.clone());
        if wanted.has(&name) {
            let properties: Properties<'_> = serde_json::from_str(tag.properties.get()).map_err(malformed(KIND))?;
            let nets = entries.array(KIND, properties.address_prefixes, || format!("tag {}", shorten(&name)))?;
            document.parts.insert(name, nets);
        }
        Ok(())
    })?;
    Ok(document)
}

#[derive(Deserialize)]
struct File<'a> {
    /// A number in the file, text in the answer of the management API.
    #[serde(borrow, rename = "changeNumber")]
    change_number: Option<&'a RawValue>,
    #[serde(borrow)]
    values: &'a RawValue,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    properties: &'a RawValue,
}

/// What else stands there (region, networkFeatures, which may be null) does not matter here.
#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow, rename = "addressPrefixes")]
    address_prefixes: &'a RawValue,
}

fn number(value: &RawValue) -> Option<u64> {
    value.get().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::all, *};

    fn azure(text: &str) -> Result<Document, ParseError> {
        all(Kind::AzureServiceTags, text)
    }

    fn file(tags: &str) -> String {
        format!("{{\r\n  \"changeNumber\": 376,\r\n  \"cloud\": \"Public\",\r\n  \"values\": [{tags}]\r\n}}")
    }

    fn tag(name: &str, system: &str, prefixes: &str) -> String {
        format!(
            r#"{{"name":"{name}","id":"{name}","properties":{{"changeNumber":26,"region":"","regionId":0,"platform":"Azure",
            "systemService":"{system}","addressPrefixes":[{prefixes}],"networkFeatures":null}}}}"#
        )
    }

    #[test]
    fn tags_are_selected_by_their_exact_name() {
        let text = file(
            &[
                tag("AzureActiveDirectory", "AzureAD", r#""192.0.2.0/24","2001:db8::/48""#),
                tag("AzureActiveDirectory.ServiceEndpoint", "AzureAD", r#""192.0.2.0/27""#),
            ]
            .join(","),
        );
        let names: [_; 3] =
            ["AzureActiveDirectory".into(), "azureactivedirectory.serviceendpoint".into(), "AzureAD".into()];
        let document =
            super::super::document(Kind::AzureServiceTags, None, Wanted::Named(&names), text.as_bytes()).unwrap();
        assert_eq!(document.parts.keys().map(|name| &**name).collect::<Vec<_>>(), ["AzureActiveDirectory"]);
        assert_eq!(document.parts["AzureActiveDirectory"].len(), 2);
        assert_eq!((document.names.len(), document.change_number), (2, Some(376)));
    }

    #[test]
    fn the_oldest_schema_and_the_management_api_are_read_too() {
        let old = r#"{"changeNumber":82,"cloud":"Public","values":[{"name":"A","id":"A","properties":{"changeNumber":1,"region":"","platform":"Azure","systemService":"","addressPrefixes":["192.0.2.0/24"]}}]}"#;
        assert_eq!(azure(old).unwrap().parts["A"].len(), 1);
        let api = old.replace("82", "\"82\"");
        assert_eq!(azure(&api).unwrap().change_number, Some(82));
    }

    #[test]
    fn faults_are_named() {
        let error = |tags: &str| azure(&file(tags)).unwrap_err();
        assert_eq!(error(&tag("A", "", r#""192.0.2.1/24""#)).reason(), "host_bits");
        assert_eq!(
            error(&tag("A", "", r#""AzureCloud""#)).to_string(),
            "tag A: `AzureCloud` is no address and no CIDR range"
        );
        assert_eq!(error(&[tag("A", "", ""), tag("A", "", "")].join(",")).reason(), "duplicate_part");
        assert_eq!(error(r#"{"name":"A"}"#).reason(), "malformed");
        assert_eq!(error(r#"{"name":"A","properties":null}"#).reason(), "malformed");
        assert_eq!(error("").reason(), "empty");
        assert_eq!(azure(r#"{"error":{"code":"NotFound"}}"#).unwrap_err().reason(), "malformed");
    }
}
