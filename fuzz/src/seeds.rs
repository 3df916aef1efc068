//! What fuzzing begins with: the cases of `tests/`, in the form that the targets read.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Files below a folder of the repository whose names end so, in order.
pub fn files(folder: &str, ends: &str) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.retain(|path| path.to_string_lossy().ends_with(ends));
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// Published feeds, where `SCIMSHIM_FEED_CORPUS` says where they are, as for the tests.
pub fn feeds(longest: usize) -> Vec<Vec<u8>> {
    let Some(folder) = env::var_os("SCIMSHIM_FEED_CORPUS") else { return Vec::new() };
    let mut paths = Vec::new();
    walk(Path::new(&folder), &mut paths);
    paths.sort();
    let read = paths.iter().filter_map(|path| fs::read(path).ok());
    read.filter(|bytes| bytes.len() <= longest).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, paths) } else { paths.push(path) }
    }
}

/// The cases of requests.
pub fn requests() -> Vec<Value> {
    files("tests/corpus/requests", ".json").iter().filter_map(|text| serde_json::from_slice(text).ok()).collect()
}

/// The cases of answers.
pub fn answers() -> Vec<Value> {
    files("tests/corpus/responses", ".json").iter().filter_map(|text| serde_json::from_slice(text).ok()).collect()
}

/// A request as the targets read it.
pub fn request(case: &Value) -> Option<Vec<u8>> {
    let request = &case["request"];
    let plus = if case["enable"].as_array().is_some_and(|names| !names.is_empty()) { "+" } else { "" };
    let idp = case["idp"].as_str().unwrap_or("generic");
    let head = format!("{idp}{plus} {} {}", request["method"].as_str()?, request["target"].as_str()?);
    Some([head.as_bytes(), b"\n", &body(request)].concat())
}

/// An answer as the targets read it.
pub fn answer(case: &Value) -> Option<Vec<u8>> {
    let (request, response) = (&case["request"], &case["response"]);
    let plus = if case["enable"].as_array().is_some_and(|names| !names.is_empty()) { "+" } else { "" };
    let idp = case["idp"].as_str().unwrap_or("generic");
    let mut head =
        format!("{idp}{plus} {} {} {}", request["method"].as_str()?, request["target"].as_str()?, response["status"]);
    let headers = response["headers"].as_object();
    let field = |name: &str| headers?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str();
    head.push_str(&format!(" {}", field("content-type").unwrap_or("-").replace(' ', "")));
    for (name, value) in headers.into_iter().flatten().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")) {
        head.push_str(&format!(" {name}:{}", value.as_str().unwrap_or_default().replace(' ', "_")));
    }
    Some([head.as_bytes(), b"\n", &body(response)].concat())
}

fn body(message: &Value) -> Vec<u8> {
    let text = |name: &str| message[name].as_str().map(|text| text.as_bytes().to_vec());
    let json = message.get("body").filter(|body| !body.is_null()).map(|body| body.to_string().into_bytes());
    text("body_raw").or_else(|| text("body_text")).or(json).unwrap_or_default()
}

/// Every target of the cases, with its query.
pub fn targets() -> Vec<String> {
    let all = requests().into_iter().chain(answers());
    let mut targets: Vec<String> =
        all.filter_map(|case| Some(case["request"]["target"].as_str()?.to_owned())).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// Every filter in them, decoded; and every path of a PATCH operation.
pub fn filters_and_paths() -> (Vec<String>, Vec<String>) {
    let decoded = |text: &str| text.replace('+', " ").replace("%20", " ").replace("%22", "\"");
    let filters = targets()
        .iter()
        .filter_map(|target| target.split(['?', '&']).find_map(|pair| pair.strip_prefix("filter=")).map(decoded))
        .collect();
    let paths = requests()
        .iter()
        .flat_map(|case| case["request"]["body"]["Operations"].as_array().cloned().unwrap_or_default())
        .filter_map(|operation| operation["path"].as_str().map(str::to_owned))
        .collect();
    (filters, paths)
}

/// Text as bytes.
pub fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
