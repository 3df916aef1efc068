//! "No match" said in another way.

use crate::{quirk::quirk, scim::urn};

quirk! {
    /// 404 for a filter that nothing matches.
    ///
    /// Entra names it as a reason for quarantine: a query without match is 200 with an empty list (RFC 7644 3.4.2).
    /// Okta and OneLogin read a 404 as "no match".
    ///
    /// With the switch on, a 404 to a filtered GET on a collection becomes the empty list, if its body is a JSON
    /// object: then the handler has spoken. HTML, text and an empty body come from routers and gateways and stay 404.
    /// So does a 404 for a single resource, for an unfiltered list and for a later page. The proxy waits until something
    /// of the collection was there: a list, a resource, one that was created. Where that never comes first (a connection
    /// test asks for a user that nobody has, before anything else), the switch `list-404-unseen` says that the operator has
    /// tried the path, and the proxy does not wait.
    ///
    /// Off by default, because it is dangerous: behind a mistyped base path that answers JSON, the directory would read
    /// as empty, and the IdP would create everybody again.
    ///
    /// ```scim
    /// # enable: list-404-empty
    /// 404 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
    ///  "detail":"no such user"}
    /// ```
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    ///
    /// ```scim
    /// # enable: list-404-empty
    /// 404 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404",
    ///  "detail":"no such user"}
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static LIST_404_EMPTY = {
        id: "list-404-empty",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra],
        sources: "jelhub/scimgateway#18, grokability/snipe-it#11913, \
                  https://learn.microsoft.com/en-us/entra/identity/app-provisioning/application-provisioning-quarantine-status",
    };

    /// 204 for a filter that nothing matches.
    ///
    /// Entra and Okta expect 200 with an empty list (RFC 7644 3.4.2) and cannot read an answer without a body.
    ///
    /// 204 to a filtered GET on a collection becomes the empty list. 200 without a byte is ambiguous, a handler may
    /// have died on the way; it becomes the empty list only with the switch `list-200-no-body`. Where a later page, a
    /// cursor or `count=0` was asked for, an empty answer says nothing about matches, and it is left.
    ///
    /// ```scim
    /// 204 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// ```
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    ///
    /// ```scim
    /// # enable: list-200-no-body
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// ```
    /// ```scim
    /// 200 to GET /Users?filter=userName%20eq%20%22ada%40example.com%22
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,
    ///  "startIndex":1,"itemsPerPage":0,"Resources":[]}
    /// ```
    pub static LIST_204_EMPTY = {
        id: "list-204-empty",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7644 3.4.2",
        seen_in: &[Entra, Okta],
        sources: "https://learn.microsoft.com/en-us/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups",
    };
}

/// The answer of a query that nothing matches.
pub(crate) fn body() -> Vec<u8> {
    format!(
        r#"{{"schemas":["{}"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}}"#,
        urn::LIST_RESPONSE
    )
    .into_bytes()
}
