//! JSON text for people and for lines. Works on the text: no number, escape or order changes on the way.

use serde_json::value::RawValue;

/// Deeper than this, text is shown as it stands.
const DEPTH: usize = 64;

/// The text of a JSON value, without blanks around it; `None` when it is none.
pub(super) fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
}

/// Valid JSON on one line: what stands between the tokens goes.
pub(super) fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut string, mut escaped) = (false, false);
    for c in text.chars() {
        if string {
            string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            string = c == '"';
        }
        out.push(c);
    }
    out
}

/// Valid JSON laid out in lines: what fits into `width` columns stays on one.
pub(super) fn lines(text: &str, width: usize) -> Vec<String> {
    let compact = compact(text);
    let node = Reader { text: &compact, at: 0 }.node(0);
    let mut out = vec![String::new()];
    lay(&node, 0, width, &mut out);
    out
}

enum Node<'a> {
    Leaf(&'a str),
    List(Vec<Self>),
    Map(Vec<(&'a str, Self)>),
}

impl Node<'_> {
    fn inline(&self) -> String {
        match self {
            Self::Leaf(text) => (*text).to_owned(),
            Self::List(items) if items.is_empty() => "[]".to_owned(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::inline).collect::<Vec<_>>().join(", ")),
            Self::Map(members) if members.is_empty() => "{}".to_owned(),
            Self::Map(members) => {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{name}: {}", value.inline())).collect();
                format!("{{ {} }}", members.join(", "))
            }
        }
    }
}

/// Reads compact text that is known to be valid JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(b']')
    }

    fn node(&mut self, depth: usize) -> Node<'a> {
        match self.peek() {
            _ if depth == DEPTH => Node::Leaf(self.skip()),
            b'[' => {
                let mut items = Vec::new();
                self.at += 1;
                while !matches!(self.peek(), b']' | b'}') {
                    items.push(self.node(depth + 1));
                    self.comma();
                }
                self.at += 1;
                Node::List(items)
            }
            b'{' => {
                let mut members = Vec::new();
                self.at += 1;
                while !matches!(self.peek(), b']' | b'}') {
                    let name = self.skip();
                    self.at += 1; // the colon
                    members.push((name, self.node(depth + 1)));
                    self.comma();
                }
                self.at += 1;
                Node::Map(members)
            }
            _ => Node::Leaf(self.skip()),
        }
    }

    fn comma(&mut self) {
        self.at += usize::from(self.peek() == b',');
    }

    /// A whole value, unread.
    fn skip(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let (mut open, mut string, mut escaped) = (0usize, false, false);
        while let Some(&byte) = bytes.get(self.at) {
            if string {
                string = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
            } else {
                match byte {
                    b'"' => string = true,
                    b'[' | b'{' => open += 1,
                    b']' | b'}' | b',' | b':' if open == 0 => break,
                    b']' | b'}' => open -= 1,
                    _ => {}
                }
            }
            self.at += 1;
        }
        &self.text[start..self.at]
    }
}

fn lay(node: &Node<'_>, depth: usize, width: usize, out: &mut Vec<String>) {
    let line = out.last_mut().expect("there is always a line");
    let inline = node.inline();
    // A column is kept for the comma.
    if line.chars().count() + inline.chars().count() < width {
        line.push_str(&inline);
        return;
    }
    let (open, close) = match node {
        Node::Leaf(_) => return line.push_str(&inline),
        Node::List(_) => ('[', ']'),
        Node::Map(_) => ('{', '}'),
    };
    line.push(open);
    let indent = "  ".repeat(depth + 1);
    let mut put = |head: &str, value: &Node<'_>, last: bool| {
        out.push(format!("{indent}{head}"));
        lay(value, depth + 1, width, out);
        if let (false, Some(line)) = (last, out.last_mut()) {
            line.push(',');
        }
    };
    match node {
        Node::Leaf(_) => {}
        Node::List(items) => items.iter().enumerate().for_each(|(n, item)| put("", item, n + 1 == items.len())),
        Node::Map(members) => {
            members
                .iter()
                .enumerate()
                .for_each(|(n, (name, value))| put(&format!("{name}: "), value, n + 1 == members.len()));
        }
    }
    out.push(format!("{}{close}", "  ".repeat(depth)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_escapes_keep_their_spelling() {
        let given = "{ \"a\" : 9007199254740993.10,\n \"b\\\" {\": [ \"\\u00e9 ]\", 1e5 ] }";
        assert_eq!(compact(given), r#"{"a":9007199254740993.10,"b\" {":["\u00e9 ]",1e5]}"#);
        assert_eq!(lines(given, 100), [r#"{ "a": 9007199254740993.10, "b\" {": ["\u00e9 ]", 1e5] }"#]);
        assert_eq!(
            lines(given, 20),
            ["{", r#"  "a": 9007199254740993.10,"#, r#"  "b\" {": ["#, r#"    "\u00e9 ]","#, "    1e5", "  ]", "}"]
        );
    }

    #[test]
    fn deep_and_empty_values_end() {
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(compact(&lines(&deep, 40).concat()), deep);
        assert_eq!(lines("{}", 1), ["{", "}"]);
        assert_eq!(text(b" [1]\n"), Some("[1]"));
        assert_eq!(text(b"\xEF\xBB\xBF{}"), None);
    }
}
