//! Filters: the grammar of RFC 7644 3.4.2.2, and what is sent in its place.
//!
//! The tree says what stands where: every name, operator and value comes with its place in the text, so that a fix
//! replaces these bytes and leaves the others alone. Nothing is printed from the tree; a filter that goes on is the one
//! that was sent, with the fixes in it. A filter is a string from a stranger: nesting is bounded, chains of `and` and
//! `or` are flat lists (a thousand terms nest no deeper than two), nothing is read twice. There is no evaluator; the
//! app has one.
//!
//! Blanks are read more freely than the grammar has them (runs count as one, and they may stand inside groups):
//! servers agree about what that means, and a filter goes on with its own blanks.

use std::{borrow::Cow, ops::Range};

use super::path::{AttrPath, SyntaxError, is_attr_name};
use crate::json::is_number;

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

/// Something that was read, and where it stands in the text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// What stands there.
    pub it: T,
    /// Where.
    pub at: Range<usize>,
}

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter<'a> {
    /// Two or more filters, all or one of which must hold. Only a group in it can be a chain of the same kind.
    Chain {
        /// All or one.
        join: Join,
        /// The filters.
        terms: Vec<Self>,
        /// Where the operators between them stand.
        words: Vec<Range<usize>>,
    },
    /// `(...)`
    Group(Box<Self>),
    /// `not (...)`
    Not {
        /// Where the operator stands.
        word: Range<usize>,
        /// What must not hold.
        filter: Box<Self>,
    },
    /// `userName eq "ada"`, `title pr`
    Test {
        /// The attribute.
        path: Part<AttrPath<'a>>,
        /// What must hold for it.
        check: Check<'a>,
    },
    /// `emails[type eq "work"]`: one element satisfies all of it.
    Element {
        /// The attribute whose elements are meant.
        path: Part<AttrPath<'a>>,
        /// What must hold for one of them; names are sub-attributes.
        selected: Enclosed<'a>,
    },
    /// `emails[type eq "work"].value eq "x"`, lenient only.
    ElementTest {
        /// The attribute whose elements are meant.
        path: Part<AttrPath<'a>>,
        /// Which of them.
        selected: Enclosed<'a>,
        /// The sub-attribute; `value` when it is left out.
        sub: Option<Part<AttrPath<'a>>>,
        /// What must hold for it.
        check: Check<'a>,
    },
}

/// A filter with what is around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosed<'a> {
    /// What stands inside.
    pub filter: Box<Filter<'a>>,
    /// Where it stands, without the blanks around it.
    pub inner: Range<usize>,
    /// Where the brackets stand, both of them included.
    pub outer: Range<usize>,
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
    /// `pr`, and where it stands.
    Present(Range<usize>),
    /// Operator and value.
    Compare {
        /// The operator.
        op: Op,
        /// Where the operator stands.
        word: Range<usize>,
        /// The value compared with.
        value: Part<Value<'a>>,
    },
}

impl Check<'_> {
    /// Where it ends.
    pub fn end(&self) -> usize {
        match self {
            Self::Present(word) => word.end,
            Self::Compare { value, .. } => value.at.end,
        }
    }
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
}

/// The value that an attribute is compared with, its text as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A word without quotes that is no JSON value, lenient only.
    Bare(&'a str),
    /// `false`
    False,
    /// `null`
    Null,
    /// A JSON number.
    Number(&'a str),
    /// A JSON string with its quotes and escapes.
    String(&'a str),
    /// `true`
    True,
}

impl<'a> Value<'a> {
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
            _ if is_number(word) => Self::Number(word),
            _ => Self::Bare(word),
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

    /// Reads the filter in the brackets that open at `bracket`; what is behind them is not looked at.
    pub(crate) fn parse_brackets(text: &'a str, bracket: usize, syntax: Syntax) -> Result<Enclosed<'a>, SyntaxError> {
        Parser::new(text, bracket, syntax).enclosed(b']', true)
    }

    /// Attribute and value of a filter that is one `eq` comparison: the lookup whose answer can be judged.
    pub fn single_eq(&self) -> Option<(&AttrPath<'a>, &Value<'a>)> {
        match self {
            Self::Group(filter) => filter.single_eq(),
            Self::Test { path, check: Check::Compare { op: Op::Eq, value, .. } } => Some((&path.it, &value.it)),
            _ => None,
        }
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
        let first = self.operand(join, group)?;
        let Some(word) = self.joined(join.as_str()) else { return Ok(first) };
        let mut terms = vec![first, self.operand(join, group)?];
        let mut words = vec![word];
        while let Some(word) = self.joined(join.as_str()) {
            words.push(word);
            terms.push(self.operand(join, group)?);
        }
        Ok(Filter::Chain { join, terms, words })
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
            return Ok(Filter::Group(self.enclosed(b')', group.element)?.filter));
        }
        if let Some(word) = self.negation() {
            let filter = self.enclosed(b')', group.element)?.filter;
            return Ok(Filter::Not { word, filter });
        }
        let path = self.path()?;
        if self.peek() != Some(b'[') {
            return Ok(Filter::Test { path, check: self.check(group)? });
        }
        if group.element {
            return self.fail("no value path inside another");
        }
        let selected = self.enclosed(b']', true)?;
        if self.syntax == Syntax::Strict {
            return Ok(Filter::Element { path, selected });
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let sub = Some(self.sub()?);
            return Ok(Filter::ElementTest { path, selected, sub, check: self.check(group)? });
        }
        if self.operator_ahead() {
            return Ok(Filter::ElementTest { path, selected, sub: None, check: self.check(group)? });
        }
        Ok(Filter::Element { path, selected })
    }

    /// What stands between the opener, which is next, and its closer.
    fn enclosed(&mut self, closer: u8, element: bool) -> Result<Enclosed<'a>, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return self.fail("no deeper nesting");
        }
        self.depth += 1;
        let opener = self.at;
        self.at += 1;
        self.blank();
        let start = self.at;
        let filter = Box::new(self.chain(Join::Or, Group { closer: Some(closer), element })?);
        let inner = start..self.at;
        self.blank();
        if self.peek() != Some(closer) {
            return self.fail(if closer == b')' { "and, or, or )" } else { "and, or, or ]" });
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Enclosed { filter, inner, outer: opener..self.at })
    }

    fn path(&mut self) -> Result<Part<AttrPath<'a>>, SyntaxError> {
        let start = self.at;
        let path = AttrPath::parse(self.until(|b| matches!(b, b' ' | b'"' | b'(' | b')' | b'[' | b']')));
        match path {
            Ok(it) => Ok(Part { it, at: start..self.at }),
            Err(e) => Err(SyntaxError { at: start + e.at, ..e }),
        }
    }

    fn sub(&mut self) -> Result<Part<AttrPath<'a>>, SyntaxError> {
        let start = self.at;
        let name = self.until(|b| matches!(b, b' ' | b')' | b']'));
        if !is_attr_name(name) {
            return Err(SyntaxError { at: start, expected: "a sub-attribute name" });
        }
        Ok(Part { it: AttrPath::name(name), at: start..self.at })
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
        let start = self.at;
        let it = self.value(group)?;
        Ok(Check::Compare { op, word, value: Part { it, at: start..self.at } })
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
        Ok(Value::String(&self.text[start..self.at]))
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
    fn joined(&mut self, word: &str) -> Option<Range<usize>> {
        let start = self.at;
        let word = if self.blank() { self.keyword(word) } else { None };
        if word.is_some() && self.blank() {
            return word;
        }
        self.at = start;
        None
    }

    /// `not` in front of a group; `not` in front of anything else is the name of an attribute.
    fn negation(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let word = self.keyword("not");
        self.blank();
        if word.is_some() && self.peek() == Some(b'(') {
            return word;
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
    fn keyword(&mut self, word: &str) -> Option<Range<usize>> {
        let at = self.at..self.at + word.len();
        self.text.get(at.clone()).filter(|sent| sent.eq_ignore_ascii_case(word))?;
        if !matches!(self.text.as_bytes().get(at.end), None | Some(b' ' | b'(' | b')' | b']')) {
            return None;
        }
        self.at = at.end;
        Some(at)
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
    fn examples_of_the_rfc_are_read_whole() {
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
            let filter = strict(text).unwrap();
            assert_eq!(named(text, &filter), words_of(text), "{text}");
            assert_eq!(lenient(text), Ok(filter));
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
    fn parentheses_blanks_and_letter_case_have_their_places() {
        for (text, parts) in [
            ("((a pr))", "a pr"),
            ("not(a pr)", "not a pr"),
            ("  ( a pr   AND  b pr ) ", "a pr AND b pr"),
            (r#"NOT ( a Eq "x" ) And b pR OR c.D  SW "y""#, r#"NOT a Eq "x" And b pR OR c.D SW "y""#),
            (r#"e[ a eq "(" ]  and (f pr)"#, r#"e a eq "(" and f pr"#),
            (r#"e[ a eq x ].B eq 1 or e[a pr] PR"#, "e a eq x B eq 1 or e a pr PR"),
        ] {
            assert_eq!(named(text, &lenient(text).unwrap()).join(" "), parts, "{text}");
        }
    }

    #[test]
    fn brackets_know_what_is_in_them() {
        let text = r#"d eq "é" or e[ (a pr or b pr)  ]"#;
        let Filter::Chain { terms, .. } = strict(text).unwrap() else { panic!("{text}") };
        let Filter::Element { selected, .. } = &terms[1] else { panic!("{text}") };
        assert_eq!(&text[selected.inner.clone()], "(a pr or b pr)");
        assert_eq!(&text[selected.outer.clone()], "[ (a pr or b pr)  ]");
        assert!(matches!(*selected.filter, Filter::Group(_)));
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
            assert!(lenient(text).is_ok(), "{text}");
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
        let Filter::Chain { terms, words, .. } = strict(&long).unwrap() else { panic!("no chain") };
        assert_eq!((terms.len(), words.len()), (50_000, 49_999));
    }

    #[test]
    fn one_eq_is_a_lookup() {
        let filter = strict(r#"userName Eq "a\u0062""#).unwrap();
        let (path, value) = filter.single_eq().unwrap();
        assert_eq!((path.to_string(), value.text()), ("userName".to_owned(), Some("ab".into())));
        assert!(strict(r#"( (a eq "x"))"#).unwrap().single_eq().is_some());
        for text in [r#"userName sw "a""#, r#"a eq "x" and b eq "y""#, r#"not (a eq "x")"#, r#"e[a eq "x"]"#] {
            assert!(strict(text).unwrap().single_eq().is_none());
        }
    }

    #[test]
    fn strings_are_decoded() {
        assert_eq!(Value::String(r#""\ud83d\ude00é""#).text().as_deref(), Some("😀é"));
        assert_eq!(Value::String(r#""\ud83d""#).text(), None);
        assert_eq!(Value::True.text(), None);
    }

    /// The words of a text that has one blank between them, brackets aside.
    fn words_of(text: &str) -> Vec<&str> {
        text.split([' ', '(', ')', '[', ']']).filter(|word| !word.is_empty()).collect()
    }

    /// What stands at the places of a filter, in their order.
    fn named<'t>(text: &'t str, filter: &Filter<'_>) -> Vec<&'t str> {
        let mut places = Vec::new();
        collect(filter, &mut places);
        assert!(places.windows(2).all(|pair| pair[0].end < pair[1].start), "{text}: {places:?}");
        places.into_iter().map(|at| &text[at]).collect()
    }

    fn collect(filter: &Filter<'_>, places: &mut Vec<Range<usize>>) {
        match filter {
            Filter::Chain { terms, words, .. } => {
                assert_eq!(terms.len(), words.len() + 1);
                for (i, term) in terms.iter().enumerate() {
                    places.extend(i.checked_sub(1).map(|i| words[i].clone()));
                    collect(term, places);
                }
            }
            Filter::Group(filter) => collect(filter, places),
            Filter::Not { word, filter } => {
                places.push(word.clone());
                collect(filter, places);
            }
            Filter::Test { path, check } => {
                places.push(path.at.clone());
                collect_check(check, places);
            }
            Filter::Element { path, selected } => {
                places.push(path.at.clone());
                collect(&selected.filter, places);
            }
            Filter::ElementTest { path, selected, sub, check } => {
                places.push(path.at.clone());
                collect(&selected.filter, places);
                places.extend(sub.as_ref().map(|sub| sub.at.clone()));
                collect_check(check, places);
            }
        }
    }

    fn collect_check(check: &Check<'_>, places: &mut Vec<Range<usize>>) {
        match check {
            Check::Present(word) => places.push(word.clone()),
            Check::Compare { word, value, .. } => places.extend([word.clone(), value.at.clone()]),
        }
        assert_eq!(places.last().map(|last| last.end), Some(check.end()));
    }

    /// A filter as text, the parts that have places, and whether the RFC has it.
    #[derive(Debug, Clone)]
    struct Sample {
        text: String,
        parts: Vec<String>,
        strict: bool,
    }

    impl Sample {
        fn part(text: String, strict: bool) -> Self {
            Self { parts: vec![text.clone()], text, strict }
        }

        fn then(mut self, between: &str, next: Self) -> Self {
            self.text.extend([between, &*next.text]);
            self.parts.extend(next.parts);
            Self { strict: self.strict && next.strict, ..self }
        }

        fn within(self, [open, close]: [&str; 2]) -> Self {
            Self { text: format!("{open}{}{close}", self.text), ..self }
        }
    }

    fn blank() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![" ", " ", "  "])
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-zA-Z][a-zA-Z0-9_$-]{0,5}", Just("$ref".to_owned()), Just("not".to_owned())]
    }

    fn path() -> impl Strategy<Value = Sample> {
        let urn = prop::sample::select(vec!["", "", "urn:a:2.0:User:", "urn:x:"]);
        (urn, name(), proptest::option::of(name())).prop_map(|(urn, attr, sub)| {
            let sub = sub.map(|sub| format!(".{sub}")).unwrap_or_default();
            Sample::part(format!("{urn}{attr}{sub}"), true)
        })
    }

    fn check() -> impl Strategy<Value = Sample> {
        let value = prop_oneof![
            prop::sample::select(vec!["true", "false", "null"]).prop_map(|word| (word.to_owned(), true)),
            any::<i64>().prop_map(|n| (n.to_string(), true)),
            any::<String>().prop_map(|s| (serde_json::Value::from(s).to_string(), true)),
            "[a-z@.:/+é'\"\\\\{]{1,6}x"
                .prop_filter("a quote opens a string", |s| !s.starts_with('"'))
                .prop_map(|s| (s, false)),
        ];
        let op = prop::sample::select(vec!["eq", "Eq", "sw", "GE", "nE"]);
        prop_oneof![
            prop::sample::select(vec!["pr", "PR", "pR"]).prop_map(|pr| Sample::part(pr.to_owned(), true)),
            (op, blank(), value).prop_map(|(op, blank, (value, strict))| {
                Sample::part(op.to_owned(), true).then(blank, Sample::part(value, strict))
            }),
        ]
    }

    fn combined(leaf: impl Strategy<Value = Sample> + 'static) -> impl Strategy<Value = Sample> {
        leaf.prop_recursive(4, 24, 4, |inner| {
            let parens = || prop::sample::select(vec![["(", ")"], ["( ", ")"], ["(", "  )"], ["( (", " ))"]]);
            let not = prop::sample::select(vec![("not", ""), ("not", " "), ("NOT", ""), ("Not", "  ")]);
            let join = prop::sample::select(vec!["and", "AND", "or", "Or"]);
            let joins = proptest::collection::vec((blank(), join, blank(), inner.clone()), 1..4);
            prop_oneof![
                (inner.clone(), parens()).prop_map(|(filter, parens)| filter.within(parens)),
                (not, inner.clone(), parens()).prop_map(|((not, blank), filter, parens)| {
                    Sample::part(not.to_owned(), true).then(blank, filter.within(parens))
                }),
                (inner, joins).prop_map(|(first, joins)| {
                    joins.into_iter().fold(first, |filter, (before, join, behind, next)| {
                        filter.then(before, Sample::part(join.to_owned(), true).then(behind, next))
                    })
                }),
            ]
        })
    }

    fn filter() -> impl Strategy<Value = Sample> {
        let test = || (path(), blank(), check()).prop_map(|(path, blank, check)| path.then(blank, check));
        let brackets = || prop::sample::select(vec![["[", "]"], ["[ ", "]"], ["[", "  ]"]]);
        let element = move || {
            (path(), combined(test()), brackets())
                .prop_map(|(path, filter, brackets)| path.then("", filter.within(brackets)))
        };
        combined(prop_oneof![
            test(),
            element(),
            (element(), proptest::option::of(name()), blank(), check()).prop_map(|(element, sub, blank, check)| {
                let element = match sub {
                    Some(sub) => element.then(".", Sample::part(sub, true)),
                    None => element,
                };
                Sample { strict: false, ..element.then(blank, check) }
            }),
        ])
    }

    proptest! {
        #[test]
        fn every_part_stands_at_its_place(sample in filter()) {
            let text = &*sample.text;
            prop_assert_eq!(strict(text).is_ok(), sample.strict, "{}", text);
            let filter = lenient(text);
            prop_assert!(filter.is_ok(), "{}: {:?}", text, filter);
            prop_assert_eq!(named(text, &filter.unwrap()), sample.parts, "{}", text);
        }

        #[test]
        fn no_text_panics(text in any::<String>(), sample in filter(), cut in any::<prop::sample::Index>()) {
            let _ = (strict(&text), lenient(&text));
            let mut text = sample.text;
            let at = (0..=text.len()).rev().find(|at| *at <= cut.index(text.len() + 1) && text.is_char_boundary(*at));
            text.truncate(at.unwrap_or_default());
            let _ = (strict(&text), lenient(&text));
        }

        #[test]
        fn near_filters_have_their_parts_in_order(text in r#"([ab(]|not|[()\[\].:" \\]| (eq|pr|and|or) |true|1|"x"){0,12}"#) {
            for syntax in [Syntax::Strict, Syntax::Lenient] {
                if let Ok(filter) = Filter::parse(&text, syntax) {
                    named(&text, &filter);
                }
            }
        }
    }
}
