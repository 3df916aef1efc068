//! The stream as nodes that know where they stand in the text.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, options};

use super::Fault;

/// Nodes of one stream: 32 MiB of brackets would take gigabytes.
const MOST_NODES: usize = 2_000_000;

/// A value of a [`Tree`]; good as long as the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Node(u32);

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `*name`, and what it stands for.
    Alias(Node),
    /// Keys and values.
    Map,
    /// `null`, `~`, or nothing at all.
    Null,
    /// A plain scalar that a reader may take for a number, a truth value or a time.
    Plain,
    /// A list.
    Seq,
    /// A string.
    Text,
}

/// How a node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// By indentation: a map, a list, or a `|` or `>` scalar.
    Block,
    /// In brackets.
    Flow,
    /// A scalar without quotes, or an alias.
    Plain,
    /// A scalar in quotes.
    Quoted,
}

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Node,
    pub(crate) value: Node,
}

#[derive(Debug)]
pub(super) struct Cell<'t> {
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// Where it begins, its anchor and tag before it.
    pub(super) head: usize,
    /// Where it begins without them.
    pub(super) start: usize,
    /// Behind its last byte; comments and blank lines that follow are not its own.
    pub(super) end: usize,
    /// Behind its anchor and tag; 0 without.
    pub(super) properties: usize,
    /// The column of a block map, as its first key knows it.
    pub(super) indent: Option<usize>,
    pub(super) parent: Option<Node>,
    /// The items of a list; the keys and values of a map in turn.
    pub(super) children: Vec<Node>,
    /// The characters of a scalar, the name of an alias.
    pub(super) text: Cow<'t, str>,
    pub(super) anchor: Option<Cow<'t, str>>,
    pub(super) tag: Option<Box<str>>,
    /// Something stands for this node elsewhere.
    pub(super) aliased: bool,
}

/// A stream of documents.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub(super) text: &'t str,
    cells: Vec<Cell<'t>>,
    roots: Vec<Node>,
    json: bool,
}

impl<'t> Tree<'t> {
    /// Reads a whole stream.
    ///
    /// # Errors
    /// What is no YAML 1.2, more than 255 levels, and line breaks of the last century: a carriage return alone.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Fault> {
        if let Some(at) = lone_return(text) {
            return Err(Fault::new(at, "a carriage return that no line feed follows; save the file with LF or CRLF"));
        }
        let mut builder = Builder {
            tree: Self { text, cells: Vec::new(), roots: Vec::new(), json: is_json(text) },
            open: Vec::new(),
            anchors: HashMap::new(),
        };
        let options = options! { emit_anchor_events: true, emit_comments: false };
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) =
                next.map_err(|error| Fault::new(error.marker().byte_offset().unwrap_or(text.len()), error.info()))?;
            builder.take(event, span)?;
        }
        Ok(builder.tree)
    }

    /// Whether readers of JSON take it too.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The outermost node of each document.
    pub(crate) fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// What a node is.
    pub(crate) fn kind(&self, node: Node) -> Kind {
        self.cell(node).kind
    }

    /// Where a node begins.
    pub(crate) fn start(&self, node: Node) -> usize {
        self.cell(node).head
    }

    /// The items of a list; nothing for another kind.
    pub(crate) fn items(&self, node: Node) -> &[Node] {
        if self.kind(node) == Kind::Seq { &self.cell(node).children } else { &[] }
    }

    /// The entries of a map; nothing for another kind.
    pub(crate) fn entries(&self, node: Node) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        let children: &[Node] = if self.kind(node) == Kind::Map { &self.cell(node).children } else { &[] };
        children.chunks_exact(2).map(|pair| Entry { key: pair[0], value: pair[1] })
    }

    /// The characters of a scalar.
    pub(crate) fn scalar(&self, node: Node) -> Option<&str> {
        let node = self.target(node);
        matches!(self.kind(node), Kind::Plain | Kind::Text).then(|| &*self.cell(node).text)
    }

    /// Whether there is nothing in it: null, or a map or list without members.
    pub(crate) fn is_hollow(&self, node: Node) -> bool {
        match self.kind(node) {
            Kind::Null => true,
            Kind::Map | Kind::Seq => self.cell(node).children.is_empty(),
            Kind::Alias(_) | Kind::Plain | Kind::Text => false,
        }
    }

    /// What an alias stands for; other nodes stand for themselves.
    pub(crate) fn target(&self, node: Node) -> Node {
        // The target of an alias is a node with an anchor, which is no alias.
        if let Kind::Alias(target) = self.kind(node) { target } else { node }
    }

    /// The entry that is written in this very map.
    pub(crate) fn entry(&self, map: Node, key: &str) -> Option<Entry> {
        self.entries(map).find(|entry| self.scalar(entry.key) == Some(key))
    }

    /// What a reader finds under a key: through aliases and merge keys, and never an alias.
    pub(crate) fn read(&self, map: Node, key: &str) -> Option<Node> {
        let (mut seen, mut maps) = (HashSet::new(), vec![map]);
        while let Some(map) = maps.pop().map(|map| self.target(map)) {
            if !seen.insert(map) {
                continue;
            }
            if let Some(entry) = self.entry(map, key) {
                return Some(self.target(entry.value));
            }
            if let Some(merge) = self.entry(map, MERGE) {
                let merged = self.target(merge.value);
                // The first of several wins, so it is looked at first.
                maps.extend(self.items(merged).iter().rev());
                maps.push(merged);
            }
        }
        None
    }

    /// The entry of a map that is going to be edited.
    ///
    /// # Errors
    /// Where the key or its value comes from elsewhere, so that no edit here could change it alone.
    pub(crate) fn own(&self, map: Node, key: &str) -> Result<Option<Entry>, Fault> {
        let found = self.entry(map, key);
        match found {
            None => match self.entry(map, MERGE) {
                Some(merge) => {
                    Err(self.fault(merge.key, format!("`{key}` may come from this merge key; write it out")))
                }
                None => Ok(None),
            },
            Some(Entry { value, .. }) if matches!(self.kind(value), Kind::Alias(_)) => {
                Err(self.fault(value, format!("`{key}` is an alias; write it out")))
            }
            Some(_) => Ok(found),
        }
    }

    /// What stands behind the colon of a key, to the end of its value.
    pub(crate) fn raw(&self, entry: Entry) -> Result<&str, Fault> {
        let colon = self.colon(entry.key).ok_or_else(|| self.fault(entry.key, "a key without a colon; write one"))?;
        Ok(&self.text[colon..self.entry_end(entry).max(colon)])
    }

    /// The node around a node.
    pub(crate) fn parent(&self, node: Node) -> Option<Node> {
        self.cell(node).parent
    }

    /// The first node below `node` that `found` is true of, itself included.
    pub(crate) fn find(&self, node: Node, found: impl Fn(Node) -> bool) -> Option<Node> {
        let mut rest = vec![node];
        while let Some(node) = rest.pop() {
            if found(node) {
                return Some(node);
            }
            rest.extend(self.cell(node).children.iter().rev());
        }
        None
    }

    /// The second of two equal keys below a node.
    pub(crate) fn doubled(&self, node: Node) -> Option<Node> {
        let mut rest = vec![node];
        while let Some(node) = rest.pop() {
            let mut keys = HashSet::new();
            let mut names = self.entries(node).map(|entry| entry.key);
            if let Some(key) = names.find(|&key| self.scalar(key).is_some_and(|name| !keys.insert(name))) {
                return Some(key);
            }
            rest.extend(self.cell(node).children.iter().rev());
        }
        None
    }

    /// Line and column in characters, from 1.
    pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        (before.matches('\n').count() + 1, before[line..].trim_start_matches('\u{feff}').chars().count() + 1)
    }

    pub(crate) fn fault(&self, node: Node, what: impl Into<String>) -> Fault {
        Fault::new(self.start(node), what)
    }

    pub(super) fn cell(&self, node: Node) -> &Cell<'t> {
        &self.cells[node.0 as usize]
    }

    /// Behind the colon of a key.
    pub(super) fn colon(&self, key: Node) -> Option<usize> {
        let from = self.cell(key).end;
        let rest = &self.text[from..];
        let blanks = rest.len() - rest.trim_start().len();
        rest[blanks..].starts_with(':').then_some(from + blanks + 1)
    }

    /// Behind the last byte of an entry, whose value may be nothing at all.
    pub(super) fn entry_end(&self, entry: Entry) -> usize {
        let value = self.cell(entry.value);
        let end = self.cell(entry.key).end.max(value.properties);
        if value.kind == Kind::Null && value.start == value.end {
            return end.max(self.colon(entry.key).unwrap_or(0));
        }
        end.max(value.end)
    }
}

/// YAML 1.1, as the readers of Kubernetes know it.
const MERGE: &str = "<<";

struct Builder<'t> {
    tree: Tree<'t>,
    open: Vec<Node>,
    /// Of the document that is being read.
    anchors: HashMap<usize, Node>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), Fault> {
        let range = span.byte_range().expect("a text has byte offsets");
        let tag = |tag: Option<Cow<'_, granit_parser::Tag>>| tag.map(|tag| tag.to_string().into_boxed_str());
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Alias(anchor) => {
                let target = *self.anchors.get(&anchor).expect("the parser refuses an alias without its anchor");
                self.tree.cells[target.0 as usize].aliased = true;
                let name = Cow::Borrowed(&self.tree.text[range]);
                self.add(Kind::Alias(target), Form::Plain, name, None, span)?;
            }
            Event::Anchor(id, name) => {
                let node = Node(self.tree.cells.len() as u32 - 1);
                self.anchors.insert(id, node);
                let cell = &mut self.tree.cells[node.0 as usize];
                cell.anchor = Some(name);
                cell.head = cell.head.min(range.start);
                cell.properties = cell.properties.max(range.end);
            }
            Event::Scalar(text, style, _, mark) => self.scalar(text, style, tag(mark), span)?,
            Event::SequenceStart(style, _, mark) => self.enter(Kind::Seq, style, tag(mark), span)?,
            Event::MappingStart(style, _, mark) => self.enter(Kind::Map, style, tag(mark), span)?,
            Event::SequenceEnd | Event::MappingEnd => self.leave(range.end),
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<Box<str>>,
        span: Span,
    ) -> Result<(), Fault> {
        let nothing = span.is_empty();
        let (kind, form) = match style {
            ScalarStyle::Plain if nothing || is_null(&text) => (Kind::Null, Form::Plain),
            ScalarStyle::Plain if super::value::is_string(&text) => (Kind::Text, Form::Plain),
            ScalarStyle::Plain => (Kind::Plain, Form::Plain),
            ScalarStyle::Literal | ScalarStyle::Folded => (Kind::Text, Form::Block),
            _ => (Kind::Text, Form::Quoted),
        };
        let node = self.add(kind, form, text, tag, span)?;
        let cell = &mut self.tree.cells[node.0 as usize];
        if form == Form::Block {
            // The last line has no line break where the file ends with it (YAML 1.2 8.1.1.2); this parser adds one.
            let open = cell.end == self.tree.text.len() && !self.tree.text.trim_end_matches(' ').ends_with('\n');
            if let (true, Some(text)) = (open, cell.text.strip_suffix('\n')) {
                cell.text = text.to_owned().into();
            }
            cell.end = block_end(self.tree.text, cell.start, cell.end, &cell.text);
        }
        Ok(())
    }

    fn enter(&mut self, kind: Kind, style: StructureStyle, tag: Option<Box<str>>, span: Span) -> Result<(), Fault> {
        let form = if style == StructureStyle::Flow { Form::Flow } else { Form::Block };
        let node = self.add(kind, form, Cow::Borrowed(""), tag, span)?;
        self.open.push(node);
        Ok(())
    }

    fn leave(&mut self, end: usize) {
        let node = self.open.pop().expect("the parser closes what it opened");
        let cell = self.tree.cell(node);
        let end = match (cell.form, cell.kind) {
            (Form::Flow, _) => end,
            (_, Kind::Map) => self.tree.entries(node).last().map_or(cell.start, |entry| self.tree.entry_end(entry)),
            _ => cell
                .children
                .last()
                .map_or(cell.start, |&item| self.tree.cell(item).end.max(self.tree.cell(item).properties)),
        };
        self.tree.cells[node.0 as usize].end = end;
    }

    fn add(
        &mut self,
        kind: Kind,
        form: Form,
        text: Cow<'t, str>,
        tag: Option<Box<str>>,
        span: Span,
    ) -> Result<Node, Fault> {
        let range = span.byte_range().expect("a text has byte offsets");
        if self.tree.cells.len() >= MOST_NODES {
            return Err(Fault::new(range.start, format!("more than {MOST_NODES} values; split the stream")));
        }
        let node = Node(self.tree.cells.len() as u32);
        let tagged = span.tag_span().and_then(|span| span.byte_range());
        let parent = self.open.last().copied();
        match parent {
            None => self.tree.roots.push(node),
            Some(parent) => {
                let parent = &mut self.tree.cells[parent.0 as usize];
                if parent.children.is_empty() {
                    parent.indent = span.indent;
                }
                parent.children.push(node);
            }
        }
        self.tree.cells.push(Cell {
            kind,
            form,
            head: tagged.as_ref().map_or(range.start, |tag| tag.start.min(range.start)),
            start: range.start,
            end: range.end,
            properties: tagged.map_or(0, |tag| tag.end),
            indent: None,
            parent,
            children: Vec::new(),
            text,
            anchor: None,
            tag,
            aliased: false,
        });
        Ok(node)
    }
}

/// Where the content of a `|` or `>` scalar ends: the parser hands out all up to the next token.
fn block_end(text: &str, start: usize, end: usize, value: &str) -> usize {
    let lines = match text[start..end].rfind('\n') {
        // At the end of a text without a last line break.
        _ if end == text.len() && !text.ends_with('\n') => end,
        Some(last) => start + last + 1,
        None => start,
    };
    if value.ends_with("\n\n") || value.trim_matches('\n').is_empty() && !value.is_empty() {
        // Its blank lines are content (`|+`).
        return text[..lines].strip_suffix('\n').map_or(lines, str::len);
    }
    text[..lines].trim_end().len()
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn lone_return(text: &str) -> Option<usize> {
    text.match_indices('\r').map(|(at, _)| at).find(|at| !text[at + 1..].starts_with('\n'))
}
