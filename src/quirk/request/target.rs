//! The target of a request: path and query, each through its quirks.

use std::borrow::Cow;

use super::{
    attributes_valuepath,
    filter::{self, Scope},
    filter_plus::{self, Plus},
    path, query,
};
use crate::{
    quirk::{Cx, Id},
    scim::{Filter, ResourceType, Syntax},
};

/// Makes a target compliant; `None` when nothing is to be changed. What is no path (it has no slash in front) is left.
pub(crate) fn normalize(target: &str, cx: &mut Cx<'_>) -> Option<String> {
    if !target.starts_with('/') {
        return None;
    }
    let (sent, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = path::fix(sent, cx);
    let fixed = query.and_then(|query| self::query(query, path::endpoint(sent), cx));
    if matches!(path, Cow::Borrowed(_)) && fixed.is_none() {
        return None;
    }
    let mut result = path.into_owned();
    if let Some(query) = fixed.as_deref().or(query).filter(|query| fixed.is_none() || !query.is_empty()) {
        result.push('?');
        result.push_str(query);
    }
    Some(result)
}

/// The query as it goes on; empty when it goes with its question mark.
fn query(sent: &str, endpoint: Option<&str>, cx: &mut Cx<'_>) -> Option<String> {
    let trimmed = query::dangling(sent, cx);
    let mut changed = trimmed.is_some();
    let pairs = || trimmed.unwrap_or(sent).split('&').map(|pair| (pair, pair.split_once('=').unwrap_or((pair, ""))));
    // Which of several filters a server takes is its own affair.
    let one_filter = pairs().filter(|(_, (name, _))| *name == "filter").count() == 1;
    let kind = endpoint.and_then(|endpoint| cx.plan.registry().resource_type(endpoint));
    let mut fixed = String::new();
    for (i, (pair, (name, value))) in pairs().enumerate() {
        let value: Option<Cow<'_, str>> = match name {
            "filter" if one_filter => filter(value, kind, cx).map(Cow::Owned),
            "attributes" => attributes_valuepath::fix(value, cx).map(Cow::Owned),
            "startIndex" => query::start_index(value, cx).map(Cow::Borrowed),
            "count" => query::count(value, cx).map(Cow::Borrowed),
            _ => None,
        };
        if i > 0 {
            fixed.push('&');
        }
        match value {
            Some(value) => {
                changed = true;
                fixed.extend([name, "=", &*value]);
            }
            None => fixed.push_str(pair),
        }
    }
    changed.then_some(fixed)
}

/// The value of the `filter` parameter as it goes on.
fn filter(raw: &str, kind: Option<&ResourceType>, cx: &mut Cx<'_>) -> Option<String> {
    let (text, plus) = filter_plus::read(raw)?;
    let filter = Filter::parse(&text, Syntax::Lenient).ok()?;
    let at = || "filter".to_owned();
    let mut trial = Cx::new(cx.plan, cx.way);
    let plus_fixed = filter_plus::fix(plus, &mut trial, &at);
    let edits = filter::find(&text, &filter, Scope::Resource(kind), Id::FilterAttrCase, &mut trial, &at);
    let mended = edits.apply(&text, 0..text.len());
    // A decoded filter no longer tells apart the pluses that were sent as such and the escaped ones.
    let blurred = mended.is_some() && plus == Plus::Sign && !plus_fixed && raw.to_ascii_uppercase().contains("%2B");
    let stands = !blurred && Filter::parse(mended.as_deref().unwrap_or(&text), Syntax::Strict).is_ok();
    filter::keep(trial.findings, stands, cx, &at);
    match (mended, plus) {
        _ if !stands => None,
        (Some(mended), _) => Some(encode(&mended, plus, plus_fixed)),
        (None, Plus::Blank) if plus_fixed => Some(raw.replace('+', "%20")),
        (None, Plus::Sign) if plus_fixed => Some(raw.replace('+', "%2B")),
        _ => None,
    }
}

/// Percent-encodes a filter. Where its `+` may not be mended, blanks or pluses are written as they were sent.
fn encode(filter: &str, plus: Plus, plus_fixed: bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let kept = match plus {
        Plus::Blank if !plus_fixed => Some(b' '),
        Plus::Sign if !plus_fixed => Some(b'+'),
        _ => None,
    };
    let mut encoded = String::with_capacity(filter.len() * 2);
    for byte in filter.bytes() {
        if Some(byte) == kept {
            encoded.push('+');
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        quirk::{ALL, Direction, Idp, Mode, Plan, PlanSettings, TenantMode},
        scim::{Attr, Path, Registry, Type},
    };

    fn plan(modes: &[(&str, Mode)]) -> Plan {
        let mut registry = Registry::rfc();
        registry.declare("vip", Type::Boolean, false).unwrap();
        let settings = PlanSettings {
            mode: TenantMode::Rewrite,
            quirks: modes.iter().map(|(id, mode)| ((*id).to_owned(), *mode)).collect::<BTreeMap<_, _>>(),
            registry: Arc::new(registry),
        };
        Plan::new(&settings, Idp::Generic)
    }

    /// The target as it goes on, what was fixed and where, what was observed.
    fn run(plan: &Plan, target: &str) -> (Option<String>, Vec<String>, Vec<String>) {
        let mut cx = Cx::new(plan, Direction::Request);
        let result = normalize(target, &mut cx);
        let name = |fix: crate::quirk::Fix<'_>| format!("{} {}", ALL[fix.quirk as usize].id, fix.at);
        (result, cx.findings.fixes().map(name).collect(), cx.findings.observed().map(name).collect())
    }

    /// Writes a filter into a target, blanks as `%20`.
    fn users(filter: &str) -> String {
        format!("/Users?filter={}", encode(filter, Plus::Absent, false))
    }

    #[track_caller]
    fn rewritten(target: &str, expected: &str, fixes: &[&str]) {
        let plan = plan(&[]);
        let (result, fixed, observed) = run(&plan, target);
        assert_eq!(result.as_deref(), Some(expected), "{target}");
        assert_eq!(fixed, fixes, "{target}");
        assert!(observed.is_empty());
        assert_eq!(run(&plan, expected), (None, vec![], vec![]), "settled: {expected}");
    }

    #[track_caller]
    fn left(target: &str) {
        assert_eq!(run(&plan(&[]), target), (None, vec![], vec![]), "{target}");
    }

    #[track_caller]
    fn filtered(filter: &str, expected: &str, quirks: &[&str]) {
        let fixes: Vec<String> = quirks.iter().map(|quirk| format!("{quirk} filter")).collect();
        rewritten(&users(filter), &users(expected), &fixes.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn examples_of_the_pages_hold() {
        for quirk in ALL.iter().filter(|quirk| {
            ["filter-", "path-", "paging-", "query-"].iter().any(|start| quirk.id.starts_with(start))
                && quirk.direction == Direction::Request
        }) {
            if quirk.docs.contains("PAGE") || quirk.id == "path-missing-urn" {
                continue;
            }
            let examples = quirk.examples();
            assert!(!examples.is_empty(), "{}", quirk.id);
            for example in examples.iter().filter(|example| example.before.method != "PATCH") {
                let (result, fixed, _) = run(&plan(&[]), &example.before.target);
                assert_eq!(result.as_deref(), example.after.as_ref().map(|after| &*after.target), "{}", quirk.id);
                assert_eq!(fixed.iter().any(|fix| fix.starts_with(quirk.id)), example.after.is_some(), "{fixed:?}");
            }
        }
    }

    #[test]
    fn paths_become_canonical() {
        rewritten("/users", "/Users", &["path-case path"]);
        rewritten("/GROUPS/Ab%2Fc/", "/Groups/Ab%2Fc", &["path-trailing-slash path", "path-case path"]);
        rewritten("//Users///26//", "/Users/26", &["path-double-slash path", "path-trailing-slash path"]);
        rewritten("//", "/", &["path-double-slash path"]);
        rewritten("/users/.Search", "/Users/.search", &["path-case path", "path-case path"]);
        rewritten(
            "/serviceproviderconfig?",
            "/ServiceProviderConfig",
            &["path-case path", "query-dangling-separator query"],
        );
        left("/");
        left("/Users/users");
        left("/Userss");
        left("/Custom/USERS");
        left("Users/");
        left("");
        left("/Users/a?x=//&y=/");
    }

    #[test]
    fn slashes_that_may_not_be_joined_keep_the_names_in_their_places() {
        let plan = plan(&[("path-double-slash", Mode::Observe)]);
        let (result, fixed, observed) = run(&plan, "//users//1//");
        assert_eq!(result.as_deref(), Some("//Users//1"));
        assert_eq!(fixed, ["path-trailing-slash path", "path-case path"]);
        assert_eq!(observed, ["path-double-slash path"]);
    }

    #[test]
    fn queries_lose_empty_ends_and_impossible_pages() {
        rewritten("/Users/1?", "/Users/1", &["query-dangling-separator query"]);
        rewritten("/Users?&&", "/Users", &["query-dangling-separator query"]);
        rewritten("/Users?a=b&", "/Users?a=b", &["query-dangling-separator query"]);
        rewritten(
            "/Users?startIndex=-99999999999999999999",
            "/Users?startIndex=1",
            &["paging-startindex-zero startIndex"],
        );
        rewritten("/Users?count=-01&a=%2f+b", "/Users?count=0&a=%2f+b", &["paging-count-negative count"]);
        for target in [
            "/Users?startIndex=1&count=0",
            "/Users?startIndex=&count=",
            "/Users?startIndex=zero&count=-x",
            "/Users?startindex=0&Count=-1",
            "/Users?count=-0",
            "/Users?&&a=b",
            "/Users?aadOptscim062020",
            "/Users?aadOptscim062020=&a=?",
        ] {
            left(target);
        }
    }

    #[test]
    fn stray_parameters_keep_their_bytes_beside_a_fix() {
        rewritten(
            "/Users?aadOptscim062020&filter=DisplayName+eq+%22Bob%40Example%22&attributes=a+b%2c",
            "/Users?aadOptscim062020&filter=displayName%20eq%20%22Bob@Example%22&attributes=a+b%2c",
            &["filter-plus-encoding filter", "filter-attr-case filter"],
        );
    }

    #[test]
    fn only_the_pluses_of_a_filter_that_is_right_otherwise_are_touched() {
        rewritten(
            "/Users?filter=userName+eq+\"a%40b.c+%2B\"",
            "/Users?filter=userName%20eq%20\"a%40b.c%20%2B\"",
            &["filter-plus-encoding filter"],
        );
        rewritten(
            "/Users?filter=a%20eq%20%22b+c%2Bd%22",
            "/Users?filter=a%20eq%20%22b%2Bc%2Bd%22",
            &["filter-raw-plus filter"],
        );
        rewritten(
            "/Users?filter=userName%20eq%20a+b@c.d",
            "/Users?filter=userName%20eq%20%22a%2Bb@c.d%22",
            &["filter-raw-plus filter", "filter-unquoted filter"],
        );
    }

    #[test]
    fn names_are_spelled_as_the_schema_of_the_endpoint_has_them() {
        filtered(r#"USERNAME eq "Ada""#, r#"userName eq "Ada""#, &["filter-attr-case"]);
        filtered(r#"Emails[Type eq "Work"]"#, r#"emails[type eq "Work"]"#, &["filter-attr-case"; 2]);
        filtered(r#"Name.Shoe eq "9""#, r#"name.Shoe eq "9""#, &["filter-attr-case"]);
        filtered("Meta.LastModified pr", "meta.lastModified pr", &["filter-attr-case"]);
        filtered(
            r#"urn:ietf:params:scim:schemas:core:2.0:user:userName eq "x""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x""#,
            &["filter-attr-case"],
        );
        filtered(
            r#"URN:ietf:params:scim:schemas:extension:enterprise:2.0:User:Manager.Value eq 26"#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "26""#,
            &["filter-attr-case", "filter-unquoted"],
        );
        for filter in
            [r#"Department eq "x""#, r#"Members eq "x""#, r#"urn:x:Y:Active eq "true""#, r#"emails[UserName eq "x"]"#]
        {
            left(&users(filter));
        }
        left("/Devices?filter=UserName%20eq%20%22x%22");
        left("/?filter=UserName%20eq%20%22x%22");
        rewritten(
            "/Groups/?filter=Members.VALUE%20eq%20%221%22",
            "/Groups?filter=members.value%20eq%20%221%22",
            &["path-trailing-slash path", "filter-attr-case filter"],
        );
    }

    #[test]
    fn what_no_quirk_touches_keeps_its_bytes() {
        filtered(
            r#"userName eq "a" or (Title pr and active eq "False")"#,
            r#"userName eq "a" or (title pr and active eq false)"#,
            &["filter-attr-case", "filter-bool-string"],
        );
        filtered(
            r#"  NOT( Title pr )  and  ((id eq "\u0061")) "#,
            r#"  not( title pr )  and  ((id eq "\u0061")) "#,
            &["filter-op-case", "filter-attr-case"],
        );
        rewritten(
            "/Users?filter=(userName++eq+joe)",
            "/Users?filter=%28userName%20%20eq%20%22joe%22%29",
            &["filter-plus-encoding filter", "filter-unquoted filter"],
        );
        for filter in ["  (  title  pr ) ", "not(title pr)", "((id pr))", r#"emails[ ( type eq "a") ]"#] {
            left(&users(filter));
        }
    }

    #[test]
    fn names_may_have_a_dollar() {
        filtered(r#"cost$center eq x$"#, r#"cost$center eq "x$""#, &["filter-unquoted"]);
    }

    #[test]
    fn operators_are_lower_case() {
        filtered(
            r#"userName Eq "A" AND Not (title PR Or title SW "B")"#,
            r#"userName eq "A" and not (title pr or title sw "B")"#,
            &["filter-op-case"; 6],
        );
    }

    #[test]
    fn values_get_quotes_unless_they_are_json_for_their_attribute() {
        for (filter, expected) in [
            ("userName eq joe", r#"userName eq "joe""#),
            ("userName eq 10045", r#"userName eq "10045""#),
            ("emails eq 7", r#"emails eq "7""#),
            ("meta.created gt 2015-10-10T14:38:21Z", r#"meta.created gt "2015-10-10T14:38:21Z""#),
            (r#"unknown eq a\b"c"#, r#"unknown eq "a\\b\"c""#),
            ("unknown eq True", r#"unknown eq "True""#),
            ("unknown eq 007", r#"unknown eq "007""#),
            ("(userName eq joe) and title pr", r#"(userName eq "joe") and title pr"#),
            ("(userName eq joe)", r#"(userName eq "joe")"#),
            ("userName  eq joe", r#"userName  eq "joe""#),
            (" ( (userName eq joe ))  ", r#" ( (userName eq "joe" ))  "#),
            (r#"title eq "é" or userName eq jöe"#, r#"title eq "é" or userName eq "jöe""#),
            ("emails[value eq joe]", r#"emails[value eq "joe"]"#),
            ("displayName eq a)b]", r#"displayName eq "a)b]""#),
        ] {
            filtered(filter, expected, &["filter-unquoted"]);
        }
        for filter in [
            "unknown eq 7",
            "active eq true",
            "title eq null",
            "userName eq true",
            r#"userName eq "true""#,
            "displayName eq Joe Smith",
            "displayName eq 'joe'",
            r#"userName eq "joe"#,
            "(displayName eq foo(bar))",
            "userName eq",
            "userName",
            "",
        ] {
            left(&users(filter));
        }
    }

    #[test]
    fn booleans_become_literals_where_the_attribute_is_one() {
        for (filter, expected) in [
            ("active eq True", "active eq true"),
            (r#"active eq "FALSE""#, "active eq false"),
            (r#"active ne "true""#, "active ne true"),
            (r#"vip eq "True""#, "vip eq true"),
            (r#"emails[primary eq "True"]"#, "emails[primary eq true]"),
            (r#"emails.primary eq "true""#, "emails.primary eq true"),
            (r#"not(active eq "True")"#, "not(active eq true)"),
            (r#"(userName eq "a") and (active eq "True")"#, r#"(userName eq "a") and (active eq true)"#),
            (r#"emails[ ( primary eq "True" ) ] or id pr"#, "emails[ ( primary eq true ) ] or id pr"),
        ] {
            filtered(filter, expected, &["filter-bool-string"]);
        }
        for filter in [r#"active eq "yes""#, r#"active eq " true""#, r#"unknown eq "True""#, "active eq 1"] {
            left(&users(filter));
        }
        filtered("active eq yes", r#"active eq "yes""#, &["filter-unquoted"]);
    }

    #[test]
    fn comparisons_behind_a_value_path_go_into_it() {
        filtered(
            r#"emails[type eq "work"].Value eq "x" or title pr"#,
            r#"emails[type eq "work" and value eq "x"] or title pr"#,
            &["filter-nonstd-valuepath", "filter-attr-case"],
        );
        filtered(
            r#"emails[type eq "work"] pr"#,
            r#"emails[type eq "work" and value pr]"#,
            &["filter-nonstd-valuepath"],
        );
        filtered(
            r#"emails[type eq "work" or type eq "home"].primary eq "True""#,
            r#"emails[(type eq "work" or type eq "home") and primary eq true]"#,
            &["filter-nonstd-valuepath", "filter-bool-string"],
        );
        for (filter, expected) in [
            (
                r#"emails[(type eq "a" or type eq "b")].value pr"#,
                r#"emails[(type eq "a" or type eq "b") and value pr]"#,
            ),
            (
                r#"emails[(type eq "a") or (type eq "b")].value pr"#,
                r#"emails[((type eq "a") or (type eq "b")) and value pr]"#,
            ),
            (r#"emails[not(type pr or value pr)].value pr"#, r#"emails[not(type pr or value pr) and value pr]"#),
            (
                r#"emails[(type pr or value pr) and id pr] pr"#,
                r#"emails[(type pr or value pr) and id pr and value pr]"#,
            ),
            (r#"(emails[ type  eq "a" ].value  eq "x" )"#, r#"(emails[ type  eq "a" and value  eq "x" ] )"#),
            (r#"emails[ type pr or value pr  ]  eq 1"#, r#"emails[ (type pr or value pr) and value  eq "1"  ]"#),
        ] {
            let quoted = if filter.ends_with('1') { &["filter-nonstd-valuepath", "filter-unquoted"][..] } else { &[] };
            let quirks = if quoted.is_empty() { &["filter-nonstd-valuepath"] } else { quoted };
            filtered(filter, expected, quirks);
        }
        filtered(
            r#"emails[type eq work] co 1"#,
            r#"emails[type eq "work" and value co "1"]"#,
            &["filter-nonstd-valuepath", "filter-unquoted", "filter-unquoted"],
        );
    }

    #[test]
    fn a_filter_that_would_nest_too_deep_stays() {
        let nested = |depth: usize, or: &str| {
            format!("emails[{}type pr{} {or} value pr].type pr", "(".repeat(depth), ")".repeat(depth))
        };
        let valuepath = &["filter-nonstd-valuepath"];
        filtered(&nested(63, "and"), &nested(63, "and").replace("].type pr", " and type pr]"), valuepath);
        filtered(
            &nested(62, "or"),
            &nested(62, "or").replace("[", "[(").replace("].type pr", ") and type pr]"),
            valuepath,
        );
        left(&users(&nested(63, "or")));
    }

    #[test]
    fn long_filters_take_linear_time() {
        let long = format!("{}id pr", r#"(Emails[Type eq a  or primary eq "True"].Value eq b)  AND  "#.repeat(5_000));
        let (result, ..) = run(&plan(&[]), &users(&long));
        let mended = r#"(emails[(type eq "a"  or primary eq true) and value eq "b"])  and  "#.repeat(5_000) + "id pr";
        assert!(result == Some(users(&mended)));
        let blanks = " ".repeat(200_000);
        left(&users(&format!("({blanks}title{blanks}pr{blanks}){blanks}or id pr")));
    }

    #[test]
    fn filters_that_cannot_be_read_one_way_are_left() {
        left("/Users?filter=DisplayName+eq%20%22a%22");
        left("/Users?filter=DisplayName%20eq%20%22a%ff%22");
        left("/Users?filter=DisplayName%20eq%20%22a%2%22");
        left("/Users?filter=DisplayName%20eq%20%22a%22&filter=Title%20pr");
        left("/Users?filter");
        left("/Users?filter=");
        left("/Users?Filter=DisplayName+eq+%22a%22");
    }

    #[test]
    fn a_filter_that_would_still_be_none_stays_and_claims_nothing() {
        let (result, fixed, observed) =
            run(&plan(&[("filter-unquoted", Mode::Observe)]), "/Users?filter=DisplayName+eq+joe");
        assert_eq!((result, fixed.len()), (None, 0));
        assert_eq!(observed, ["filter-unquoted filter"]);
        let (result, fixed, observed) =
            run(&plan(&[("filter-nonstd-valuepath", Mode::Off)]), &users(r#"Emails[type eq "a"].value eq "b""#));
        assert_eq!((result, fixed.len(), observed.len()), (None, 0, 0));
    }

    #[test]
    fn what_is_only_observed_stays_beside_what_is_fixed() {
        let (result, fixed, observed) =
            run(&plan(&[("filter-op-case", Mode::Observe)]), &users(r#"UserName Eq "a" AND title pr"#));
        assert_eq!(result, Some(users(r#"userName Eq "a" AND title pr"#)));
        assert_eq!((fixed.len(), observed.len()), (1, 2));
        let (result, ..) = run(&plan(&[("filter-plus-encoding", Mode::Off)]), "/Users?filter=UserName+eq+%22a%2Bb%22");
        assert_eq!(result.as_deref(), Some("/Users?filter=userName+eq+%22a%2Bb%22"));
        let raw = plan(&[("filter-raw-plus", Mode::Observe)]);
        let (result, ..) = run(&raw, "/Users?filter=UserName%20eq%20%22a+b%22");
        assert_eq!(result.as_deref(), Some("/Users?filter=userName%20eq%20%22a+b%22"));
        let (result, fixed, _) = run(&raw, "/Users?filter=UserName%20eq%20%22a+b%2B%22");
        assert_eq!((result, fixed.len()), (None, 0));
    }

    fn filters() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "userName",
            "UserName",
            "emails",
            "Emails[",
            "type",
            "]",
            "].value",
            "active",
            "(",
            ")",
            "not",
            " eq ",
            " Eq ",
            "+eq+",
            "%20eq%20",
            "%20",
            "+",
            " and ",
            "+OR+",
            "%20and%20",
            "%22a%22",
            "%22True%22",
            "\"b+c\"",
            "joe",
            "True",
            "7",
            "%2B",
            "%",
            "&",
            "=",
            "filter=",
            "pr",
            " ",
            "é",
        ]);
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    /// What is wrong in a filter has another spelling beside it; what is not wrong stands for itself.
    fn fixable() -> impl Strategy<Value = (String, String)> {
        let same = |text: &'static str| (text, text);
        let tests = vec![
            same("title pr"),
            same(r#"userName  eq "( a  b )""#),
            same(r#"emails[ (type eq "work") and  value pr ]"#),
            same("not( ( active eq true ) )"),
            same(r#"Shoe$Size eq "UserName eq joe""#),
            ("Title PR", "title pr"),
            ("userName  eq  jöe+x", r#"userName  eq  "jöe+x""#),
            (r#"not(  active Eq "True")"#, "not(  active eq true)"),
            (r#"Emails[ ( Primary eq True ) ]"#, "emails[ ( primary eq true ) ]"),
            (r#"emails[ type pr OR id pr ].Value  sw x"#, r#"emails[ (type pr or id pr) and value  sw "x" ]"#),
        ];
        let join = prop::sample::select(vec![same(" and "), same("  or "), (" OR  ", " or  ")]);
        let parens = prop::sample::select(vec![["", ""], ["(", ")"], ["( (", " ) )"], ["not (", "  )"]]);
        let test = (prop::sample::select(tests), parens, join);
        prop::collection::vec(test, 1..6).prop_map(|tests| {
            let (mut sent, mut mended) = (" ".to_owned(), " ".to_owned());
            for ((wrong, right), [open, close], (or, lower)) in tests {
                sent.extend([open, wrong, close, or]);
                mended.extend([open, right, close, lower]);
            }
            (sent + "id pr", mended + "id pr")
        })
    }

    fn wrong() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "userName",
            "Active",
            "EMAILS",
            "other",
            "Emails[type eq \"work\"].Value",
            "emails[primary eq True]",
        ]);
        let op = prop::sample::select(vec!["eq", "Sw", "NE"]);
        let value = prop::sample::select(vec!["joe", "\"a b\"", "True", "\"false\"", "7", "null", "a+b", "\"a+b\""]);
        let join = prop::sample::select(vec![" and ", " OR ", " and not (title pr) or "]);
        let test = (name, op, value).prop_map(|(name, op, value)| format!("{name} {op} {value}"));
        let plus = prop::sample::select(vec!["+", "%20"]);
        (prop::collection::vec((test, join), 1..4), plus).prop_map(|(tests, blank)| {
            let mut filter: String = tests.iter().flat_map(|(test, join)| [test.as_str(), *join]).collect();
            filter.push_str("id pr");
            filter.replace('"', "%22").replace('+', if blank == "+" { "%2B" } else { "+" }).replace(' ', blank)
        })
    }

    proptest! {
        #[test]
        fn a_fixed_target_is_settled(filter in prop_oneof![filters(), wrong()], path in "/{0,2}(users|Groups|x)?/{0,2}", end in "&{0,2}") {
            let plan = plan(&[]);
            let target = format!("{path}?filter={filter}{end}");
            let (result, fixed, observed) = run(&plan, &target);
            prop_assert!(observed.is_empty());
            prop_assert_eq!(result.is_some(), !fixed.is_empty());
            if let Some(result) = result {
                prop_assert_eq!(run(&plan, &result), (None, vec![], vec![]), "{}", result);
            }
        }

        #[test]
        fn with_any_modes_a_change_is_a_claim_and_is_settled(
            target in prop_oneof![filters(), wrong()].prop_map(|filter| format!("//users/?filter={filter}&startIndex=0&")),
            modes in prop::collection::vec(prop::sample::select(vec![Mode::Fix, Mode::Observe, Mode::Off]), ALL.len()),
        ) {
            let modes: Vec<_> = ALL.iter().map(|quirk| quirk.id).zip(modes).collect();
            let plan = plan(&modes);
            let (result, fixed, _) = run(&plan, &target);
            prop_assert_eq!(result.is_some(), !fixed.is_empty());
            if let Some(result) = result {
                let (again, fixed, _) = run(&plan, &result);
                prop_assert_eq!((again, fixed), (None, vec![]), "{}", result);
            }
        }

        #[test]
        fn a_filter_is_mended_in_its_place((sent, mended) in fixable(), form in any::<bool>()) {
            let plan = plan(&[]);
            let target = if form {
                format!("/Users?filter={}", encode(&sent, Plus::Blank, false))
            } else {
                users(&sent)
            };
            let (result, fixed, _) = run(&plan, &target);
            if sent == mended {
                prop_assert_eq!(fixed, if form { vec!["filter-plus-encoding filter"] } else { vec![] });
            }
            prop_assert_eq!(result.unwrap_or(target), users(&mended));
            prop_assert_eq!(run(&plan, &users(&mended)), (None, vec![], vec![]));
        }

        #[test]
        fn the_filter_of_a_path_is_mended_alike((sent, mended) in fixable(), modes in prop::collection::vec(
            prop::sample::select(vec![Mode::Fix, Mode::Observe, Mode::Off]),
            ALL.len(),
        )) {
            prop_assume!(!sent.contains('['));
            let plan = plan(&[]);
            let at = || String::new();
            let run = |plan: &Plan, text: &str| {
                let path = Path::parse(text, Syntax::Lenient).unwrap();
                let mut cx = Cx::new(plan, Direction::Request);
                let kind = plan.registry().resource_type("Users");
                // As if a user stood in the list: the names of both then mean the same.
                let users = Attr { sub: kind.unwrap().attrs.clone(), ..kind.unwrap().attrs.find("emails").unwrap().clone() };
                let mended = filter::fix_path_filter(text, &path, Some(&users), &mut cx, &at);
                (mended, cx.findings.fixes().count())
            };
            let text = format!("x[{sent}].y");
            let (result, fixed) = run(&plan, &text);
            prop_assert_eq!(result.is_some(), fixed > 0);
            prop_assert_eq!(result.unwrap_or(format!("[{sent}]")), format!("[{mended}]"));
            let modes = ALL.iter().map(|quirk| quirk.id).zip(modes).collect::<Vec<_>>();
            let (result, fixed) = run(&self::plan(&modes), &text);
            prop_assert_eq!(result.is_some(), fixed > 0);
        }

        #[test]
        fn every_filter_goes_on_as_one_that_the_rfc_has(filter in wrong()) {
            let target = format!("/Users?filter={filter}");
            let result = run(&plan(&[]), &target).0.unwrap_or(target);
            let (text, _) = filter_plus::read(&result["/Users?filter=".len()..]).unwrap();
            prop_assert!(Filter::parse(&text, Syntax::Strict).is_ok(), "{}", result);
        }

        #[test]
        fn no_target_panics(target in any::<String>(), query in "[ -~é]{0,40}") {
            let plan = plan(&[]);
            run(&plan, &target);
            run(&plan, &format!("/Users?filter={query}"));
            run(&plan, &format!("/{target}?{query}"));
        }
    }
}
