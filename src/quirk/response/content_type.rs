//! The answer half of `content-type-*`: the label of a body that is JSON.

use http::{
    HeaderValue,
    header::{CONTENT_TYPE, HeaderMap},
};

use crate::quirk::{Cx, Id, Idp};

/// The media type of SCIM (RFC 7644 8.1).
pub(crate) const SCIM: &str = "application/scim+json";
const JSON: &str = "application/json";

/// The media type that this IdP takes.
pub(crate) fn wanted(cx: &Cx<'_>) -> &'static str {
    if cx.fixes(Id::ContentTypePerIdp) { JSON } else { SCIM }
}

/// The media type without parameters, lower case; `None` without the header.
pub(crate) fn essence(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes()).into_owned();
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a body is labelled as JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|label| label == JSON || label.ends_with("+json") || label.ends_with("/json"))
}

/// The new label of an app's JSON object or array, if it is to have one.
pub(crate) fn fix(cx: &mut Cx<'_>, headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = wanted(cx);
    let quirk = match essence(headers).as_deref() {
        None => Id::ContentTypeMissing,
        Some(label) if label == wanted => {
            if label == SCIM && cx.plan.idp() == Idp::Onelogin {
                cx.report(Id::ContentTypePerIdp, || CONTENT_TYPE.to_string());
            }
            return None;
        }
        Some(SCIM) => Id::ContentTypePerIdp,
        Some(JSON) => Id::ContentTypeJson,
        Some(_) => Id::ContentTypeWrong,
    };
    cx.may(quirk, || CONTENT_TYPE.to_string()).then(|| HeaderValue::from_static(wanted))
}

/// The label of a body that was written here, unless it has it already.
pub(crate) fn own(cx: &Cx<'_>, headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = wanted(cx);
    let text = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    let fits = essence(headers).as_deref() == Some(wanted)
        && (!text.windows(8).any(|part| part == b"charset=") || text.windows(5).any(|part| part == b"utf-8"));
    (!fits).then(|| HeaderValue::from_static(wanted))
}
