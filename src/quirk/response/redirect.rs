//! Redirects.

use crate::quirk::quirk;

quirk! {
    /// A redirect to another path or scheme.
    ///
    /// RFC 7644 3.12 knows 307 and 308. Whether an IdP follows one, and whether it sends body and token again, is not
    /// known; frameworks redirect `/Users` to `/Users/` with 301, and a POST becomes a GET.
    ///
    /// The proxy counts it. With `redirect` on `fix` it follows it towards the app itself: any redirect of a GET, 307
    /// and 308 of a write. One that is passed on gets the public address in its Location (`location-internal-host`).
    /// `explain`, which makes no requests, finds nothing here.
    ///
    /// ```scim
    /// 308 to GET /Users
    /// location: https://app.example.org/Users
    /// ```
    /// ```scim
    /// unchanged
    /// ```
    pub static REDIRECT = {
        id: "redirect",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7644 3.12",
        sources: "RFC 7644 3.12; no server is named",
    };
}
