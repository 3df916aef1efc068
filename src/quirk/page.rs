//! The page of a quirk: its doc comment, with the two messages in it read as a test and as an example.
//!
//! A page holds pairs of fenced `scim` blocks. The first of a pair is the message as it arrives, the second as it
//! goes on (or the one word `unchanged`). A block reads like a message: a start line, headers, a blank line, a body.
//! A request starts with `METHOD TARGET`, an answer with `STATUS to METHOD TARGET`. A pair may begin with comment
//! lines: `# idp: entra`, `# enable: null-attr`, `# hint: PATH TYPE`.

use super::Quirk;

/// One message of an example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Present in answers.
    pub status: Option<u16>,
    /// The request's method.
    pub method: String,
    /// The request's target.
    pub target: String,
    /// Header lines, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body as written.
    pub body: String,
}

/// A pair of messages of a quirk's page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Example {
    /// `# idp:`
    pub idp: Option<String>,
    /// `# enable:`
    pub enable: Vec<String>,
    /// `# hint: PATH TYPE`
    pub hints: Vec<(String, String)>,
    /// As it arrives.
    pub before: Message,
    /// As it goes on; `None` when it is left as it is.
    pub after: Option<Message>,
}

impl Quirk {
    /// The examples of the page, in order.
    pub fn examples(&self) -> Vec<Example> {
        let mut blocks = Vec::new();
        let mut open: Option<String> = None;
        for line in self.docs.lines() {
            let line = line.strip_prefix(' ').unwrap_or(line);
            match (&mut open, line.trim_end()) {
                (None, "```scim") => open = Some(String::new()),
                (Some(_), "```") => blocks.extend(open.take()),
                (Some(block), line) => {
                    block.push_str(line);
                    block.push('\n');
                }
                (None, _) => {}
            }
        }
        blocks.chunks(2).map(|pair| example(&pair[0], pair.get(1).map(String::as_str).unwrap_or_default())).collect()
    }
}

fn example(before: &str, after: &str) -> Example {
    let mut example = Example::default();
    let mut text = before;
    while let Some((line, rest)) = text.split_once('\n') {
        let Some(comment) = line.strip_prefix('#') else { break };
        let (key, value) = comment.split_once(':').unwrap_or((comment, ""));
        let value = value.trim();
        match key.trim() {
            "idp" => example.idp = Some(value.to_owned()),
            "enable" => example.enable = value.split(',').map(|name| name.trim().to_owned()).collect(),
            "hint" => {
                let (path, kind) = value.rsplit_once(' ').unwrap_or((value, "string"));
                example.hints.push((path.trim().to_owned(), kind.to_owned()));
            }
            _ => {}
        }
        text = rest;
    }
    example.before = message(text);
    example.after = (after.trim() != "unchanged").then(|| message(after));
    example
}

fn message(text: &str) -> Message {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let start: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let (status, method, target) = match start[..] {
        [status, "to", method, target] => (status.parse().ok(), method, target),
        [method, target] => (None, method, target),
        _ => (None, "", ""),
    };
    Message {
        status,
        method: method.to_owned(),
        target: target.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned())))
            .collect(),
        body: body.trim_end_matches('\n').to_owned(),
    }
}
