//! A JSON body under another media type.

use crate::quirk::{Cx, Id, quirk};

quirk! {
    /// `application/json` instead of `application/scim+json`.
    ///
    /// Google, PingFederate and authentik send it; many handlers answer with it. Strict apps answer 415 or 406; the Microsoft SCIM
    /// Validator stops its whole run at the first answer that carries it.
    ///
    /// The media type becomes `application/scim+json`, with or without `charset=utf-8`, if the body is JSON, and on a GET that
    /// carries the header. Another parameter or charset stays: it may be true. In the OneLogin profile answers keep
    /// `application/json`, which OneLogin asks for. RFC 7644 8.1.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/json; charset=utf-8
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    pub static CONTENT_TYPE_JSON = {
        id: "content-type-json",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Google, Ping, Authentik, Entra],
        not_for: &[Onelogin],
        sources: "harness/harness-core#39517, imulab/go-scim#53, MicrosoftDocs/azure-docs#104859, AzureAD/SCIMReferenceCode#108",
    };

    /// JSON under a media type that is not JSON's: `text/plain`, `text/json`, in answers also `text/html`.
    ///
    /// Clients built on `fetch` send `text/plain;charset=UTF-8` for a string body; vendors' own samples answer JSON as `text/html`.
    ///
    /// The body decides: if it is JSON the media type becomes `application/scim+json`. In requests only `text/json` and
    /// `text/plain` are taken for a slip; a body labelled XML or a form that is none of these stays labelled, and is refused with
    /// 415 if it is no JSON. RFC 7644 8.1.
    ///
    /// ```scim
    /// POST /Groups
    /// Content-Type: text/plain;charset=UTF-8
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    pub static CONTENT_TYPE_WRONG = {
        id: "content-type-wrong",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Entra],
        sources: "ssoready/dummyidp src/lib/app.ts, FusionAuth/fusionauth-issues#1769",
    };

    /// A JSON body without a Content-Type.
    ///
    /// Handlers that dispatch on it answer 415 or 500; clients do not parse the answer.
    ///
    /// `application/scim+json` is put in if the body is JSON. A message without a body gets none. RFC 7644 8.1.
    ///
    /// ```scim
    /// POST /Groups
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    /// ```scim
    /// POST /Groups
    /// Content-Type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"A"}
    /// ```
    pub static CONTENT_TYPE_MISSING = {
        id: "content-type-missing",
        direction: Both,
        risk: Safe,
        rfc: "RFC 7644 3.1, 8.1",
        seen_in: &[Entra],
        sources: "keycloak/keycloak#49973",
    };
}

/// What a request's Content-Type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// `application/scim+json` and nothing else.
    Right,
    /// A slip that the body can mend.
    Slip(Id),
    /// XML or a form: if the body is no JSON, it is what it says.
    Other,
    /// Anything else: left, it may be true.
    Kept,
}

/// Reads the header of a request; `None` is a header that is not there.
pub(crate) fn label(content_type: Option<&str>) -> Label {
    let Some(text) = content_type else { return Label::Slip(Id::ContentTypeMissing) };
    if text == "application/scim+json" {
        return Label::Right;
    }
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let utf8 = |parameter: &&str| {
        parameter.split_once('=').is_some_and(|(key, value)| {
            key.trim().eq_ignore_ascii_case("charset") && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    let plain = parameters.iter().all(utf8);
    match &*media {
        "application/scim+json" if text.eq_ignore_ascii_case("application/scim+json") => Label::Right,
        "application/scim+json" if plain => Label::Slip(Id::ContentTypeCharset),
        "application/json" if plain => Label::Slip(Id::ContentTypeJson),
        "text/json" | "text/plain" if plain => Label::Slip(Id::ContentTypeWrong),
        "" if parameters.is_empty() => Label::Slip(Id::ContentTypeMissing),
        "application/xml" | "text/xml" | "application/x-www-form-urlencoded" | "multipart/form-data" => Label::Other,
        media if media.ends_with("+xml") => Label::Other,
        _ => Label::Kept,
    }
}

/// Whether a slip is to be mended; notes it.
pub(crate) fn mends(cx: &mut Cx<'_>, label: Label) -> bool {
    matches!(label, Label::Slip(quirk) if cx.may(quirk, || "content-type".to_owned()))
}
