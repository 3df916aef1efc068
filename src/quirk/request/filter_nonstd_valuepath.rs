//! Comparisons behind a value path.

use super::filter::Edit;
use crate::{
    quirk::quirk,
    scim::{
        Filter,
        filter::{Enclosed, Join},
    },
};

quirk! {
    /// A comparison stands behind a value path: `emails[type eq "work"].value eq "ada@example.com"`.
    ///
    /// This is how a lookup by work address is sent. The grammar has no such form: servers answer 400, or read only
    /// the part in brackets and return everybody who has a work address.
    ///
    /// The comparison is taken into the brackets, where both parts hold for one element, which is what is meant:
    /// `emails[type eq "work" and value eq "ada@example.com"]`. Where no sub-attribute is named it is `value`. It is
    /// done for every operator; a condition with `or` in the brackets is put in parentheses where it has none around it.
    ///
    /// RFC 7644 section 3.4.2.2: `valuePath = attrPath "[" valFilter "]"`, and nothing behind it.
    ///
    /// ```scim
    /// GET /Users?filter=emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22ada@example.com%22
    /// ```
    /// ```scim
    /// GET /Users?filter=emails%5Btype%20eq%20%22work%22%20and%20value%20eq%20%22ada@example.com%22%5D
    /// ```
    /// ```scim
    /// GET /Users?filter=emails%5Btype%20eq%20%22work%22%20or%20primary%20eq%20true%5D%20sw%20%22ada%22
    /// ```
    /// ```scim
    /// GET /Users?filter=emails%5B%28type%20eq%20%22work%22%20or%20primary%20eq%20true%29%20and%20value%20sw%20%22ada%22%5D
    /// ```
    pub static FILTER_NONSTD_VALUEPATH = {
        id: "filter-nonstd-valuepath",
        direction: Request,
        risk: Safe,
        rfc: "RFC 7644 3.4.2.2",
        seen_in: &[Entra],
        sources: "learn.microsoft.com use-scim-to-provision-users-and-groups, pond/scimitar#115, MicrosoftDocs/azure-docs#83855",
    };
}

/// Where the brackets are opened, joined to the comparison and closed, when it is taken into them.
pub(crate) struct Moved {
    /// In front of the condition.
    pub(crate) open: Option<Edit>,
    /// From the condition's end to the comparison.
    pub(crate) join: Edit,
    /// Behind the comparison.
    pub(crate) close: Edit,
}

/// How a comparison behind `text[selected]` is taken in: with `sub` in front of it where it names none, up to `end`.
/// The condition keeps its place and its blanks; what closes it comes behind the comparison.
pub(crate) fn fix(text: &str, selected: &Enclosed<'_>, sub: Option<&str>, end: usize) -> Moved {
    let Enclosed { filter, inner, outer } = selected;
    let (opens, closes) = match **filter {
        Filter::Chain { join: Join::Or, .. } => (true, ")"),
        _ => (false, ""),
    };
    let comparison = match sub {
        Some(_) => outer.end,
        // Its name follows the dot.
        None => outer.end + 1,
    };
    Moved {
        open: opens.then(|| (inner.start..inner.start, "(".to_owned())),
        join: (inner.end..comparison, format!("{closes} and {}", sub.unwrap_or_default())),
        close: (end..end, text[inner.end..outer.end].to_owned()),
    }
}
