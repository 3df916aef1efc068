//! Comparisons behind a value path.

use std::borrow::Cow;

use super::filter::Place;
use crate::{
    quirk::{Cx, Id, quirk},
    scim::{
        AttrPath, Filter,
        filter::{Case, Join},
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
    /// done for every operator; a condition with `or` in the brackets is put in parentheses.
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

/// The filter with the comparison in the brackets, and whether it may take its place.
pub(crate) fn fix<'a>(filter: &Filter<'a>, cx: &mut Cx<'_>, at: Place<'_>) -> (bool, Filter<'a>) {
    let Filter::ElementTest { path, filter: selected, sub, check } = filter else {
        return (false, filter.clone());
    };
    let name = sub.clone().unwrap_or(Cow::Borrowed("value"));
    let test = Filter::Test { path: AttrPath::name(name), check: check.clone() };
    let both = selected.as_ref().clone().join(Join::And, Case::default(), test);
    (cx.may(Id::FilterNonstdValuepath, at), Filter::Element { path: path.clone(), filter: Box::new(both) })
}
