//! Compare values without quotes.

use super::filter::Place;
use crate::{
    quirk::{Cx, Id, quirk},
    scim::{Type, filter::Value},
};

quirk! {
    /// The value of a filter stands without quotes.
    ///
    /// `userName eq ada` is no filter: what is compared with must be a JSON value. Strict parsers answer 400, and the
    /// identity provider takes the account for missing or the connection for broken.
    ///
    /// The word is put in quotes as a JSON string, escapes included. It ends at a blank, at the end, or at the `)` or
    /// `]` that closes the group it stands in. `true`, `false` and `null` stay, and so do numbers, except on an
    /// attribute that is known to hold text (strings, dates, references, binaries). Left as sent: a value of two
    /// words, a word in single quotes, a string whose closing quote is missing, and any filter that is none even with
    /// the quotes.
    ///
    /// RFC 7644 section 3.4.2.2: `compValue = false / null / true / number / string`, as in JSON.
    ///
    /// ```scim
    /// GET /Users?filter=userName%20eq%20ada@example.com
    /// ```
    /// ```scim
    /// GET /Users?filter=userName%20eq%20%22ada@example.com%22
    /// ```
    /// ```scim
    /// GET /Users?filter=externalId%20eq%2010045
    /// ```
    /// ```scim
    /// GET /Users?filter=externalId%20eq%20%2210045%22
    /// ```
    /// ```scim
    /// GET /Users?filter=displayName%20eq%20Ada%20Lovelace
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static FILTER_UNQUOTED = {
        id: "filter-unquoted",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        seen_in: &[Ping, Authentik],
        sources: "goauthentik/authentik#16455, goauthentik/authentik#16677, Infisical/infisical#6552, wso2/product-is#21904, PingFederate SCIM connector settings reference",
    };
}

/// The string to put in the place of a bare word, or of a number that is compared with text.
pub(crate) fn fix(value: &Value<'_>, kind: Option<Type>, cx: &mut Cx<'_>, at: Place<'_>) -> Option<String> {
    let text = match *value {
        // `True` is a boolean to a boolean attribute, and the matter of filter-bool-string.
        Value::Bare(word)
            if kind == Some(Type::Boolean) && ["true", "false"].iter().any(|b| word.eq_ignore_ascii_case(b)) =>
        {
            return None;
        }
        Value::Bare(word) => word,
        Value::Number(number) if kind.is_some_and(Type::is_text) => number,
        _ => return None,
    };
    cx.may(Id::FilterUnquoted, at).then(|| serde_json::Value::from(text).to_string())
}
