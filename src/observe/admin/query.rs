//! The query of a request to page and API.

use percent_encoding::percent_decode_str;

/// The parameters of `query` by their names, each one of `known`.
///
/// # Errors
/// One is not, or stands twice.
pub(super) fn parse<const N: usize>(query: &str, known: [&str; N]) -> Result<[Option<String>; N], String> {
    let mut found = [const { None }; N];
    for (name, value) in pairs(query) {
        let Some(at) = known.iter().position(|known| *known == name) else {
            let known =
                if N == 0 { "none is known here".to_owned() } else { format!("known here: {}", known.join(", ")) };
            return Err(format!("there is no parameter {name:?}; {known}"));
        };
        if found[at].replace(value).is_some() {
            return Err(format!("the parameter {name:?} stands twice; give it once"));
        }
    }
    Ok(found)
}

/// Whether a parameter has this value.
pub(super) fn has(query: &str, name: &str, value: &str) -> bool {
    pairs(query).any(|pair| pair.0 == name && pair.1 == value)
}

/// The query without one parameter, the others as they were.
pub(super) fn without(query: &str, name: &str) -> String {
    let stays = |pair: &&str| !pair.is_empty() && decoded(pair.split('=').next().unwrap_or_default()) != name;
    query.split('&').filter(stays).collect::<Vec<_>>().join("&")
}

/// Percent-decoded; what is no UTF-8 becomes a name that nobody has.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let plain = |text: &str| decoded(&text.replace('+', " "));
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    })
}

/// A form of one field, as a browser sends it.
pub(super) fn field(form: &str, name: &str) -> Option<String> {
    pairs(form).find(|pair| pair.0 == name).map(|pair| pair.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_others_named() {
        assert_eq!(parse("tenant=a%2Fb+c&", ["tenant", "state"]), Ok([Some("a/b c".to_owned()), None]));
        let error = |query| parse(query, ["tenant", "state"]).unwrap_err();
        assert_eq!(error("tenants=a"), "there is no parameter \"tenants\"; known here: tenant, state");
        assert_eq!(error("state=a&state=b"), "the parameter \"state\" stands twice; give it once");
        assert_eq!(parse("x", []).unwrap_err(), "there is no parameter \"x\"; none is known here");
    }

    #[test]
    fn one_parameter_is_taken_out_and_the_others_stay_as_sent() {
        assert_eq!(without("a=%20&format=jsonl&b", "format"), "a=%20&b");
        assert_eq!(without("f%6Frmat=jsonl", "format"), "");
        assert!(has("a=1&format=jsonl", "format", "jsonl") && !has("format=json", "format", "jsonl"));
    }
}
