//! Filters: the grammar of RFC 7644 3.4.2.2, and what is sent in its place.
//!
//! The tree keeps names, values and the letter case of operators as sent, so that a fix of one part leaves the others
//! alone. A filter is a string from a stranger: nesting is bounded, chains of `and` and `or` are flat lists (a
//! thousand terms nest no deeper than two), nothing is read twice. There is no evaluator; the app has one.
//!
//! Blanks are read more freely than the grammar has them (runs count as one, and they may stand inside groups):
//! servers agree about what that means, and a filter in which nothing else was found goes on with its own blanks.

use std::{borrow::Cow, fmt, ops::Range};

use super::path::{AttrPath, SyntaxError, is_attr_name};

/// How deep groups may nest. Filters of identity providers use two levels; this leaves room and bounds the stack.
pub const MAX_DEPTH: u32 = 64;

/// Which texts are filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// The grammar of RFC 7644.
    Strict,
    /// Also words without quotes, and comparisons behind a value path (`emails[type eq "work"].value eq "x"`).
    /// A word ends at a blank, at the end, or at the `)` or `]` that closes the group it stands in.
    Lenient,
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter<'a> {
    /// Two or more filters, all or one of which must hold. A chain holds no chain of its own kind.
    Chain {
        /// All or one.
        join: Join,
        /// The filters.
        terms: Vec<Self>,
        /// The operators between them as spelled; one that is missing is printed in lower case.
        words: Vec<Case>,
    },
    /// `not (...)`
    Not {
        /// The operator as spelled.
        word: Case,
        /// What must not hold.
        filter: Box<Self>,
    },
    /// `userName eq "ada"`, `title pr`
    Test {
        /// The attribute.
        path: AttrPath<'a>,
        /// What must hold for it.
        check: Check<'a>,
    },
    /// `emails[type eq "work"]`: one element satisfies all of it.
    Element {
        /// The attribute whose elements are meant.
        path: AttrPath<'a>,
        /// What must hold for one of them; names are sub-attributes.
        filter: Box<Self>,
    },
    /// `emails[type eq "work"].value eq "x"`, lenient only.
    ElementTest {
        /// The attribute whose elements are meant.
        path: AttrPath<'a>,
        /// Which of them.
        filter: Box<Self>,
        /// The sub-attribute; `value` when it is left out.
        sub: Option<Cow<'a, str>>,
        /// What must hold for it.
        check: Check<'a>,
    },
}

/// How the terms of a chain are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// All hold.
    And,
    /// One holds.
    Or,
}

impl Join {
    /// The operator in the RFC's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

/// What is asked of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check<'a> {
    /// `pr`, as spelled.
    Present(Case),
    /// Operator and value.
    Compare {
        /// The operator.
        op: Op,
        /// The operator as spelled.
        word: Case,
        /// The value compared with.
        value: Value<'a>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl Op {
    /// Every operator with its name in the RFC's spelling.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Eq, "eq"),
        (Self::Ne, "ne"),
        (Self::Co, "co"),
        (Self::Sw, "sw"),
        (Self::Ew, "ew"),
        (Self::Gt, "gt"),
        (Self::Ge, "ge"),
        (Self::Lt, "lt"),
        (Self::Le, "le"),
    ];

    /// The operator in the RFC's spelling.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The letter case in which an operator was sent; the default is the RFC's spelling, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Case(u8);

impl Case {
    /// The case of a keyword of up to eight letters.
    fn of(sent: &str) -> Self {
        Self(sent.bytes().rev().fold(0, |bits, b| bits << 1 | u8::from(b.is_ascii_uppercase())))
    }

    /// Whether the operator was sent as the RFC spells it.
    pub fn is_lower(self) -> bool {
        self.0 == 0
    }

    fn write(self, word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        word.chars().enumerate().try_for_each(|(i, c)| {
            fmt::Write::write_char(f, if self.0 >> i & 1 == 1 { c.to_ascii_uppercase() } else { c })
        })
    }
}

/// The value that an attribute is compared with, its text as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A word without quotes that is no JSON value, lenient only.
    Bare(Cow<'a, str>),
    /// `false`
    False,
    /// `null`
    Null,
    /// A JSON number.
    Number(Cow<'a, str>),
    /// A JSON string with its quotes and escapes.
    String(Cow<'a, str>),
    /// `true`
    True,
}

impl<'a> Value<'a> {
    /// The JSON string that stands for `text`.
    pub fn string(text: &str) -> Self {
        Self::String(Cow::Owned(serde_json::Value::from(text).to_string()))
    }

    /// The boolean literal.
    pub fn boolean(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    /// The text that a string or bare word stands for; `None` for other values and for strings that no text can
    /// equal (half a surrogate pair).
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Bare(word) => Some(Cow::Borrowed(word)),
            Self::String(json) if json.contains('\\') => serde_json::from_str(json).ok().map(Cow::Owned),
            Self::String(json) => json.get(1..json.len().saturating_sub(1)).map(Cow::Borrowed),
            _ => None,
        }
    }

    /// The value that a word without quotes is: a JSON literal, a number, or bare.
    fn of(word: &'a str) -> Self {
        match word {
            "false" => Self::False,
            "null" => Self::Null,
            "true" => Self::True,
            _ if is_json_number(word) => Self::Number(Cow::Borrowed(word)),
            _ => Self::Bare(Cow::Borrowed(word)),
        }
    }
}

impl<'a> Filter<'a> {
    /// Reads a filter.
    ///
    /// # Errors
    /// When the text is no filter, or nests deeper than [`MAX_DEPTH`].
    pub fn parse(text: &'a str, syntax: Syntax) -> Result<Self, SyntaxError> {
        Self::parse_marking(text, syntax).map(|(filter, _)| filter)
    }

    /// Reads a filter and says which parts of the text are quoted strings: a blank outside them separates.
    pub(crate) fn parse_marking(text: &'a str, syntax: Syntax) -> Result<(Self, Vec<Range<usize>>), SyntaxError> {
        let mut parser = Parser::new(text, 0, syntax);
        let filter = parser.chain(Join::Or, Group { closer: None, element: false })?;
        parser.blank();
        match parser.peek() {
            None => Ok((filter, parser.strings)),
            Some(_) => parser.fail("and, or, or the end"),
        }
    }

    /// Reads the filter in the brackets that open at `bracket`, and says where they end.
    pub(super) fn parse_brackets(text: &'a str, bracket: usize, syntax: Syntax) -> Result<(Self, usize), SyntaxError> {
        let mut parser = Parser::new(text, bracket, syntax);
        let filter = parser.enclosed(b']', true)?;
        Ok((filter, parser.at))
    }

    /// Attribute and value of a filter that is one `eq` comparison: the lookup whose answer can be judged.
    pub fn single_eq(&self) -> Option<(&AttrPath<'a>, &Value<'a>)> {
        match self {
            Self::Test { path, check: Check::Compare { op: Op::Eq, value, .. } } => Some((path, value)),
            _ => None,
        }
    }

    /// Whether it prints as the RFC's grammar has it.
    pub fn is_strict(&self) -> bool {
        match self {
            Self::Chain { terms, .. } => terms.iter().all(Self::is_strict),
            Self::Not { filter, .. } | Self::Element { filter, .. } => filter.is_strict(),
            Self::Test { check, .. } => !matches!(check, Check::Compare { value: Value::Bare(_), .. }),
            Self::ElementTest { .. } => false,
        }
    }

    /// Both filters in one chain; terms of chains of the same kind are taken over.
    #[must_use]
    pub fn join(self, join: Join, word: Case, next: Self) -> Self {
        let (mut terms, mut words) = self.into_terms(join);
        let (more, between) = next.into_terms(join);
        words.resize(terms.len() - 1, Case::default());
        words.push(word);
        terms.extend(more);
        words.extend(between);
        Self::Chain { join, terms, words }
    }

    fn into_terms(self, wanted: Join) -> (Vec<Self>, Vec<Case>) {
        match self {
            Self::Chain { join, terms, words } if join == wanted && !terms.is_empty() => (terms, words),
            other => (vec![other], Vec::new()),
        }
    }
}

impl fmt::Display for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain { join, terms, words } => {
                for (i, term) in terms.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                        words.get(i - 1).copied().unwrap_or_default().write(join.as_str(), f)?;
                        f.write_str(" ")?;
                    }
                    match term {
                        Self::Chain { join: Join::Or, .. } if *join == Join::And => write!(f, "({term})")?,
                        _ => write!(f, "{term}")?,
                    }
                }
                Ok(())
            }
            Self::Not { word, filter } => {
                word.write("not", f)?;
                write!(f, " ({filter})")
            }
            Self::Test { path, check } => write!(f, "{path} {check}"),
            Self::Element { path, filter } => write!(f, "{path}[{filter}]"),
            Self::ElementTest { path, filter, sub: Some(sub), check } => write!(f, "{path}[{filter}].{sub} {check}"),
            Self::ElementTest { path, filter, sub: None, check } => write!(f, "{path}[{filter}] {check}"),
        }
    }
}

impl fmt::Display for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(word) => word.write("pr", f),
            Self::Compare { op, word, value } => {
                word.write(op.as_str(), f)?;
                write!(f, " {value}")
            }
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare(text) | Self::Number(text) | Self::String(text) => text,
            Self::False => "false",
            Self::Null => "null",
            Self::True => "true",
        })
    }
}

/// Where the parser is: what would close the innermost group, and whether names are sub-attributes.
#[derive(Clone, Copy)]
struct Group {
    closer: Option<u8>,
    element: bool,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    syntax: Syntax,
    depth: u32,
    strings: Vec<Range<usize>>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, at: usize, syntax: Syntax) -> Self {
        Self { text, at, syntax, depth: 0, strings: Vec::new() }
    }

    /// Terms of one precedence, joined or alone.
    fn chain(&mut self, join: Join, group: Group) -> Result<Filter<'a>, SyntaxError> {
        let mut filter = self.operand(join, group)?;
        while let Some(word) = self.joined(join.as_str()) {
            let next = self.operand(join, group)?;
            filter = filter.join(join, word, next);
        }
        Ok(filter)
    }

    fn operand(&mut self, join: Join, group: Group) -> Result<Filter<'a>, SyntaxError> {
        match join {
            Join::Or => self.chain(Join::And, group),
            Join::And => self.term(group),
        }
    }

    fn term(&mut self, group: Group) -> Result<Filter<'a>, SyntaxError> {
        self.blank();
        if self.peek() == Some(b'(') {
            return self.enclosed(b')', group.element);
        }
        if let Some(word) = self.negation() {
            let filter = Box::new(self.enclosed(b')', group.element)?);
            return Ok(Filter::Not { word, filter });
        }
        let path = self.path()?;
        if self.peek() != Some(b'[') {
            return Ok(Filter::Test { path, check: self.check(group)? });
        }
        if group.element {
            return self.fail("no value path inside another");
        }
        let filter = Box::new(self.enclosed(b']', true)?);
        if self.syntax == Syntax::Strict {
            return Ok(Filter::Element { path, filter });
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let sub = Some(Cow::Borrowed(self.sub()?));
            return Ok(Filter::ElementTest { path, filter, sub, check: self.check(group)? });
        }
        if self.operator_ahead() {
            return Ok(Filter::ElementTest { path, filter, sub: None, check: self.check(group)? });
        }
        Ok(Filter::Element { path, filter })
    }

    /// What stands between the opener, which is next, and its closer.
    fn enclosed(&mut self, closer: u8, element: bool) -> Result<Filter<'a>, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return self.fail("no deeper nesting");
        }
        self.depth += 1;
        self.at += 1;
        let filter = self.chain(Join::Or, Group { closer: Some(closer), element })?;
        self.blank();
        if self.peek() != Some(closer) {
            return self.fail(if closer == b')' { "and, or, or )" } else { "and, or, or ]" });
        }
        self.at += 1;
        self.depth -= 1;
        Ok(filter)
    }

    fn path(&mut self) -> Result<AttrPath<'a>, SyntaxError> {
        let start = self.at;
        let path = AttrPath::parse(self.until(|b| matches!(b, b' ' | b'"' | b'(' | b')' | b'[' | b']')));
        path.map_err(|e| SyntaxError { at: start + e.at, ..e })
    }

    fn sub(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        let name = self.until(|b| matches!(b, b' ' | b')' | b']'));
        if is_attr_name(name) { Ok(name) } else { Err(SyntaxError { at: start, expected: "a sub-attribute name" }) }
    }

    /// Blank, operator, and what it compares with.
    fn check(&mut self, group: Group) -> Result<Check<'a>, SyntaxError> {
        if !self.blank() {
            return self.fail("a blank and an operator");
        }
        if let Some(word) = self.keyword("pr") {
            return Ok(Check::Present(word));
        }
        let Some((op, word)) = Op::ALL.iter().find_map(|(op, name)| self.keyword(name).map(|word| (*op, word))) else {
            return self.fail("an operator");
        };
        if !self.blank() {
            return self.fail("a blank and a value");
        }
        Ok(Check::Compare { op, word, value: self.value(group)? })
    }

    fn value(&mut self, group: Group) -> Result<Value<'a>, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let word = match (self.syntax, group.closer) {
            (Syntax::Strict, _) => self.until(|b| matches!(b, b' ' | b')' | b']')),
            (Syntax::Lenient, Some(closer)) => self.until(|b| b == b' ' || b == closer),
            (Syntax::Lenient, None) => self.until(|b| b == b' '),
        };
        match Value::of(word) {
            // Quotes of another kind are not the sender's data, but are no JSON either.
            Value::Bare(word)
                if self.syntax == Syntax::Strict
                    || word.is_empty()
                    || word.starts_with('\'') && word.ends_with('\'') =>
            {
                Err(SyntaxError { at: start, expected: "a JSON string, number, true, false or null" })
            }
            value => Ok(value),
        }
    }

    fn string(&mut self) -> Result<Value<'a>, SyntaxError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.fail("a closing quote"),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(..0x20) => return self.fail("an escape in place of a control character"),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        if !matches!(self.peek(), None | Some(b' ' | b')' | b']')) {
            return self.fail("a blank behind the string");
        }
        self.strings.push(start..self.at);
        Ok(Value::String(Cow::Borrowed(&self.text[start..self.at])))
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
            [b'u', hex @ ..] if hex.len() >= 4 && hex[..4].iter().all(u8::is_ascii_hexdigit) => 5,
            _ => return self.fail("a JSON escape"),
        };
        self.at += length;
        Ok(())
    }

    /// The operator that joins what was read to what follows, with its blanks; nothing is consumed without it.
    fn joined(&mut self, word: &str) -> Option<Case> {
        let start = self.at;
        let case = if self.blank() { self.keyword(word) } else { None };
        if case.is_some() && self.blank() {
            return case;
        }
        self.at = start;
        None
    }

    /// `not` in front of a group; `not` in front of anything else is the name of an attribute.
    fn negation(&mut self) -> Option<Case> {
        let start = self.at;
        let case = self.keyword("not");
        self.blank();
        if case.is_some() && self.peek() == Some(b'(') {
            return case;
        }
        self.at = start;
        None
    }

    fn operator_ahead(&mut self) -> bool {
        let start = self.at;
        let found = self.blank()
            && (self.keyword("pr").is_some() || Op::ALL.iter().any(|(_, name)| self.keyword(name).is_some()));
        self.at = start;
        found
    }

    /// Consumes `word` in any letter case if it stands here as a whole word.
    fn keyword(&mut self, word: &str) -> Option<Case> {
        let end = self.at + word.len();
        let sent = self.text.get(self.at..end).filter(|sent| sent.eq_ignore_ascii_case(word))?;
        if !matches!(self.text.as_bytes().get(end), None | Some(b' ' | b'(' | b')' | b']')) {
            return None;
        }
        self.at = end;
        Some(Case::of(sent))
    }

    /// Consumes a run of blanks; whether there was one.
    fn blank(&mut self) -> bool {
        !self.until(|b| b != b' ').is_empty()
    }

    /// Consumes up to an ASCII byte that `stop` names, or to the end.
    fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(stop).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, expected })
    }
}

/// Whether `text` is a number as RFC 8259 section 6 writes it.
pub fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict(text: &str) -> Result<Filter<'_>, SyntaxError> {
        Filter::parse(text, Syntax::Strict)
    }

    fn lenient(text: &str) -> Result<Filter<'_>, SyntaxError> {
        Filter::parse(text, Syntax::Lenient)
    }

    #[test]
    fn examples_of_the_rfc_print_as_they_were_read() {
        for text in [
            r#"userName eq "bjensen""#,
            r#"name.familyName co "O'Malley""#,
            r#"userName sw "J""#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
            "title pr",
            r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
            r#"title pr and userType eq "Employee""#,
            r#"title pr or userType eq "Intern""#,
            r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
            r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
            r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#,
            r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
            r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
            r#"x eq 1.10 and y eq -0e+5 and z eq "a\u00e9\"b" and a eq true and b ne null and c eq false"#,
        ] {
            assert_eq!(strict(text).unwrap().to_string(), text);
            assert_eq!(lenient(text), strict(text));
        }
    }

    #[test]
    fn not_binds_before_and_before_or() {
        let filter = strict("a pr or not (b pr) and c pr").unwrap();
        let Filter::Chain { join: Join::Or, terms, .. } = &filter else { panic!("{filter:?}") };
        let Filter::Chain { join: Join::And, terms, .. } = &terms[1] else { panic!("{filter:?}") };
        assert!(matches!(terms[0], Filter::Not { .. }));
    }

    #[test]
    fn only_needed_parentheses_are_printed() {
        for (text, printed) in [
            ("((a pr))", "a pr"),
            ("(a pr and b pr) or c pr", "a pr and b pr or c pr"),
            ("(a pr or b pr) and c pr", "(a pr or b pr) and c pr"),
            ("a pr and (b pr and (c pr))", "a pr and b pr and c pr"),
            ("not(a pr)", "not (a pr)"),
            ("  ( a pr   AND  b pr ) ", "a pr AND b pr"),
        ] {
            assert_eq!(strict(text).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn operators_are_read_in_any_case_and_printed_as_sent() {
        let text = r#"NOT (a Eq "x") And b pR OR c SW "y""#;
        assert_eq!(strict(text).unwrap().to_string(), text);
    }

    #[test]
    fn bare_words_end_at_a_blank_or_the_end_of_their_group() {
        for (text, value) in [
            ("displayName eq foo(bar)", "foo(bar)"),
            ("displayName eq [eng]", "[eng]"),
            ("(displayName eq joe)", "joe"),
            ("(displayName eq a]b)", "a]b"),
            ("emails[value eq joe]", "joe"),
            ("emails[value eq a)b]", "a)b"),
            ("emails[(value eq joe)]", "joe"),
            ("a eq jo\"e", "jo\"e"),
            ("a eq 007", "007"),
            ("a eq True", "True"),
        ] {
            let filter = lenient(text).unwrap();
            assert!(format!("{filter:?}").contains(&format!("Bare({value:?})")), "{filter:?}");
            assert!(strict(text).is_err(), "{text}");
            assert!(!filter.is_strict(), "{text}");
        }
        assert!(lenient("displayName eq Joe Smith").is_err());
        assert!(lenient("displayName eq 'joe'").is_err());
    }

    #[test]
    fn comparisons_behind_a_value_path_are_lenient() {
        for text in [
            r#"emails[type eq "work"].value eq "x""#,
            r#"emails[type eq "work"] eq "x""#,
            r#"emails[type eq "work"].value pr and a pr"#,
            r#"emails[type eq "work"] Ne x or a pr"#,
        ] {
            assert!(strict(text).is_err(), "{text}");
            let filter = lenient(text).unwrap();
            assert!(!filter.is_strict());
            assert_eq!(filter.to_string(), text);
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, at) in [
            ("", 0),
            ("userName", 8),
            ("userName eq", 11),
            ("userName eq ", 12),
            ("userName is x", 9),
            (r#"userName eq "x"#, 14),
            (r#"userName eq "x"y"#, 15),
            (r#"userName eq "\x""#, 14),
            ("userName eq \"a\tb\"", 14),
            ("a pr and", 5),
            ("a pr xor b pr", 5),
            ("(a pr", 5),
            ("a pr)", 4),
            ("not a pr", 4),
            ("1a pr", 0),
            ("a pr and b.1 pr", 11),
            ("a[b[c pr]]", 3),
            ("a[b pr].c", 7),
        ] {
            assert_eq!(strict(text).map_err(|e| e.at), Err(at), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_and_chains_are_not() {
        let nested = |depth: usize| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
        assert!(strict(&nested(64)).is_ok());
        assert!(strict(&nested(65)).is_err());
        assert!(strict(&nested(100_000)).is_err());
        assert!(strict(&"not (".repeat(100_000)).is_err());
        let long = vec!["a pr"; 50_000].join(" and ");
        assert_eq!(strict(&long).unwrap().to_string(), long);
    }

    #[test]
    fn one_eq_is_a_lookup() {
        let filter = strict(r#"userName Eq "a\u0062""#).unwrap();
        let (path, value) = filter.single_eq().unwrap();
        assert_eq!((path.to_string(), value.text()), ("userName".to_owned(), Some("ab".into())));
        for text in [r#"userName sw "a""#, r#"a eq "x" and b eq "y""#, r#"not (a eq "x")"#, r#"e[a eq "x"]"#] {
            assert!(strict(text).unwrap().single_eq().is_none());
        }
    }

    #[test]
    fn strings_are_decoded_and_made() {
        assert_eq!(Value::String(r#""\ud83d\ude00é""#.into()).text().as_deref(), Some("😀é"));
        assert_eq!(Value::String(r#""\ud83d""#.into()).text(), None);
        assert_eq!(Value::string("a\"\\\n").to_string(), r#""a\"\\\n""#);
        assert_eq!(Value::True.text(), None);
    }

    #[test]
    fn numbers_are_those_of_json() {
        for number in ["0", "-0", "10045", "1.10", "1e5", "1E-5", "-1.5e+10"] {
            assert!(is_json_number(number), "{number}");
        }
        for word in ["", "-", "007", "1.", ".5", "1e", "+1", "0x1", "1_000", "NaN", "1.5.2", "1e5e5"] {
            assert!(!is_json_number(word), "{word}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-zA-Z][a-zA-Z0-9_-]{0,5}", Just("$ref".to_owned()), Just("not".to_owned())]
    }

    fn path() -> impl Strategy<Value = AttrPath<'static>> {
        let urn = proptest::option::of(prop_oneof![Just("urn:a:2.0:User"), Just("urn:x")]);
        (urn, name(), proptest::option::of(name())).prop_map(|(urn, attr, sub)| AttrPath {
            urn: urn.map(Cow::Borrowed),
            attr: attr.into(),
            sub: sub.map(Cow::Owned),
        })
    }

    fn check() -> impl Strategy<Value = Check<'static>> {
        let value = prop_oneof![
            Just(Value::True),
            Just(Value::False),
            Just(Value::Null),
            any::<i64>().prop_map(|n| Value::Number(n.to_string().into())),
            any::<String>().prop_map(|s| Value::string(&s)),
            "[a-z@.:/+é'\"\\\\{]{1,6}x"
                .prop_filter("a quote opens a string", |s| !s.starts_with('"'))
                .prop_map(|s| Value::Bare(s.into())),
        ];
        let case = |bits| move |n: u8| Case(n & bits);
        prop_oneof![
            any::<u8>().prop_map(case(3)).prop_map(Check::Present),
            (0..Op::ALL.len(), any::<u8>().prop_map(case(3)), value).prop_map(|(op, word, value)| Check::Compare {
                op: Op::ALL[op].0,
                word,
                value
            }),
        ]
    }

    fn combined(leaf: impl Strategy<Value = Filter<'static>> + 'static) -> impl Strategy<Value = Filter<'static>> {
        leaf.prop_recursive(4, 24, 4, |inner| {
            let joins = proptest::collection::vec((any::<bool>(), any::<u8>(), inner.clone()), 1..4);
            prop_oneof![
                (any::<u8>(), inner.clone()).prop_map(|(n, f)| Filter::Not { word: Case(n & 7), filter: Box::new(f) }),
                (inner, joins).prop_map(|(first, joins)| joins.into_iter().fold(first, |filter, (and, n, next)| {
                    let (join, bits) = if and { (Join::And, 7) } else { (Join::Or, 3) };
                    filter.join(join, Case(n & bits), next)
                })),
            ]
        })
    }

    fn filter() -> impl Strategy<Value = Filter<'static>> {
        let test = || (path(), check()).prop_map(|(path, check)| Filter::Test { path, check });
        let element = || combined(test()).prop_map(Box::new);
        combined(prop_oneof![
            test(),
            (path(), element()).prop_map(|(path, filter)| Filter::Element { path, filter }),
            (path(), element(), proptest::option::of(name()), check()).prop_map(|(path, filter, sub, check)| {
                Filter::ElementTest { path, filter, sub: sub.map(Cow::Owned), check }
            }),
        ])
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same_filter(filter in filter()) {
            let text = filter.to_string();
            prop_assert_eq!(strict(&text).is_ok(), filter.is_strict(), "{}", text);
            prop_assert_eq!(lenient(&text), Ok(filter), "{}", text);
        }

        #[test]
        fn no_text_panics(text in any::<String>(), filter in filter(), cut in any::<prop::sample::Index>()) {
            let _ = (strict(&text), lenient(&text));
            let mut text = filter.to_string();
            let at = (0..=text.len()).rev().find(|at| *at <= cut.index(text.len() + 1) && text.is_char_boundary(*at));
            text.truncate(at.unwrap_or_default());
            let _ = (strict(&text), lenient(&text));
        }

        #[test]
        fn near_filters_print_what_they_say(text in r#"([ab(]|not|[()\[\].:" \\]| (eq|pr|and|or) |true|1|"x"){0,12}"#) {
            for syntax in [Syntax::Strict, Syntax::Lenient] {
                if let Ok(filter) = Filter::parse(&text, syntax) {
                    let printed = filter.to_string();
                    prop_assert_eq!(Filter::parse(&printed, syntax), Ok(filter));
                }
            }
        }
    }
}
