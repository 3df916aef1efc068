//! What a client asks for by `attributes`.

use crate::{
    quirk::{Cx, Id, quirk},
    scim::{Path, Syntax},
};

quirk! {
    /// A filter inside the parameter `attributes`: `attributes=emails[type eq "work"]`.
    ///
    /// The parameter names attributes and sub-attributes (RFC 7644 3.9, 3.10); a value path belongs to PATCH and filters.
    /// Strict handlers answer 400.
    ///
    /// Each such name loses its filter, so that the attribute comes whole: more than was meant, and all that can be asked
    /// for. On in the Entra profile, whose test collection sends it. `excludedAttributes` stays: there the rewrite would take
    /// more away than was meant.
    ///
    /// ```scim
    /// # idp: entra
    /// GET /Users?attributes=userName,emails%5Btype+eq+%22work%22%5D.value
    /// ```
    /// ```scim
    /// GET /Users?attributes=userName,emails.value
    /// ```
    pub static ATTRIBUTES_VALUEPATH = {
        id: "attributes-valuepath",
        direction: Request,
        risk: Inferred,
        rfc: "RFC 7644 3.9, 3.10",
        seen_in: &[Entra],
        sources: "AzureAD/SCIMReferenceCode PostmanCollection.json",
    };
}

/// The value of `attributes` without filters, as it goes into the query; `None` where there are none, or where one of its
/// names is no path.
pub(super) fn fix(raw: &str, cx: &mut Cx<'_>) -> Option<String> {
    if !raw.contains('[') && !raw.contains("%5B") && !raw.contains("%5b") {
        return None;
    }
    let text = raw.replace('+', " ");
    let text = percent_encoding::percent_decode_str(&text).decode_utf8().ok()?;
    let mut found = false;
    let mut whole = Vec::new();
    for name in names(&text) {
        let path = Path::parse(name.trim(), Syntax::Lenient).ok()?;
        found |= path.filter.is_some();
        let urn = path.urn.as_deref().map(|urn| format!("{urn}:")).unwrap_or_default();
        let sub = path.sub.as_deref().map(|sub| format!(".{sub}")).unwrap_or_default();
        let name = format!("{urn}{}{sub}", path.attr);
        if !whole.contains(&name) {
            whole.push(name);
        }
    }
    // Names and URNs are made of what a query may hold as it is.
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:$".contains(&b));
    (found && whole.iter().all(plain) && cx.may(Id::AttributesValuepath, || "attributes".to_owned()))
        .then(|| whole.join(","))
}

/// The names of a list; a comma inside brackets or quotes ends none.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let (mut names, mut start, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                names.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names.push(&text[start..]);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirk::{Direction, Idp, Plan, PlanSettings};

    #[test]
    fn every_name_loses_its_filter_and_nothing_else() {
        let plan = Plan::new(&PlanSettings::default(), Idp::Entra);
        for (raw, expected) in [
            ("emails%5Btype+eq+%22work%22%5D", Some("emails")),
            ("emails[type%20eq%20%22a%2Cb%22].value,userName", Some("emails.value,userName")),
            ("emails[type eq \"a\\\"],b\"],id", Some("emails,id")),
            ("emails[type eq \"work\"],emails[type eq \"home\"]", Some("emails")),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:emails[primary eq true]",
                Some("urn:ietf:params:scim:schemas:core:2.0:User:emails"),
            ),
            ("userName,emails", None),
            ("emails[", None),
            ("emails[type eq \"work\"],", None),
            ("", None),
        ] {
            let mut cx = Cx::new(&plan, Direction::Request);
            assert_eq!(fix(raw, &mut cx).as_deref(), expected, "{raw}");
        }
    }
}
