//! Edits of nodes, as insertions and deletions of text; and the proof that they did what they say.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_json::Value as Json;

use super::{
    Fault,
    tree::{Entry, Form, Kind, Node, Tree, is_json},
    value::{Style, Value, flow, flow_lines, member, scalar_text},
};

/// One change of a tree.
#[derive(Debug)]
pub(crate) enum Edit {
    /// Takes out an item of a list, or the entry of a map whose key this is.
    Drop(Node),
    /// A new last item of a list that has items.
    Push(Node, Json),
    /// A new last entry of a map that has entries.
    Put(Node, &'static str, Json),
    /// What once stood behind the colon of this key, in place of what stands there.
    Restore(Node, String),
    /// In place of the value of this key, which is a scalar or hollow.
    Set(Node, Json),
}

/// A text with its edits in it.
#[derive(Debug)]
pub(crate) struct Edited {
    /// The new text.
    pub(crate) text: String,
    /// What was replaced, and by how many bytes.
    moves: Vec<(Range<usize>, usize)>,
}

impl Edited {
    /// Where a place of the new text was in the old one.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let (mut old, mut new) = (0, 0);
        for (range, len) in &self.moves {
            let begins = new + (range.start - old);
            if at < begins {
                break;
            }
            if at < begins + len {
                return range.start;
            }
            (old, new) = (range.end, begins + len);
        }
        old + at.saturating_sub(new)
    }
}

/// Writes the edits into the text, reads what came of it, and compares.
///
/// # Errors
/// Where an edit would change something else too, or meets a form that is not edited.
pub(crate) fn apply(tree: &Tree<'_>, edits: &[Edit]) -> Result<Edited, Fault> {
    if edits.is_empty() {
        return Ok(Edited { text: tree.text.to_owned(), moves: Vec::new() });
    }
    let mut plan = Plan { tree, dropped: HashSet::new(), patches: Vec::new() };
    plan.dropped.extend(edits.iter().filter_map(|edit| match edit {
        Edit::Drop(node) => Some(*node),
        _ => None,
    }));
    for edit in edits {
        plan.alone(edit)?;
        plan.add(edit)?;
    }
    let edited = plan.splice()?;
    prove(tree, edits, &edited.text)?;
    Ok(edited)
}

/// Text that goes, text that comes.
#[derive(Debug)]
struct Patch {
    range: Range<usize>,
    text: String,
    /// Whole lines, the line break before them among them where none follows.
    lines: bool,
    /// How deep the edited node is: of two insertions at one place, the inner comes first.
    depth: usize,
}

struct Plan<'a> {
    tree: &'a Tree<'a>,
    dropped: HashSet<Node>,
    patches: Vec<Patch>,
}

impl Plan<'_> {
    /// Nothing else stands for what is edited.
    fn alone(&self, edit: &Edit) -> Result<(), Fault> {
        let (Edit::Drop(node)
        | Edit::Push(node, _)
        | Edit::Put(node, ..)
        | Edit::Restore(node, _)
        | Edit::Set(node, _)) = edit;
        let value = self.entry_of(*node).map(|entry| entry.value);
        let around = std::iter::successors(Some(*node), |&node| self.tree.parent(node));
        for node in value.into_iter().chain(around) {
            let cell = self.tree.cell(node);
            if let (Some(name), true) = (&cell.anchor, cell.aliased) {
                let what =
                    format!("`*{name}` stands for this elsewhere, which an edit would change too; write it out there");
                return Err(Fault::new(cell.head, what));
            }
        }
        Ok(())
    }

    fn add(&mut self, edit: &Edit) -> Result<(), Fault> {
        match edit {
            Edit::Drop(node) => self.drop(*node),
            Edit::Push(list, item) => self.push(*list, item),
            Edit::Put(map, key, value) => self.put(*map, key, value),
            Edit::Restore(key, text) => self.restore(*key, text),
            Edit::Set(key, value) => self.set(*key, value),
        }
    }

    fn push(&mut self, list: Node, item: &Json) -> Result<(), Fault> {
        if self.tree.cell(list).form == Form::Flow {
            return self.bracket(list, |layout| layout.write(item));
        }
        let column = self.dash(list, 0).and_then(|at| self.column(at)).ok_or_else(|| self.unknown(list))?;
        let lines = self.style(list).items(std::slice::from_ref(item), column);
        let at = self.below(self.tree.cell(list).end, column);
        self.insert_lines(list, at, &lines);
        Ok(())
    }

    fn put(&mut self, map: Node, key: &str, value: &Json) -> Result<(), Fault> {
        if self.tree.cell(map).form == Form::Flow {
            return self.bracket(map, |layout| member(key, &layout.write(value)));
        }
        let column = self.tree.cell(map).indent.ok_or_else(|| self.unknown(map))?;
        let lines = self.style(map).entry(key, value, column);
        let at = self.below(self.tree.cell(map).end, column);
        self.insert_lines(map, at, &lines);
        Ok(())
    }

    fn set(&mut self, key: Node, value: &Json) -> Result<(), Fault> {
        let tree = self.tree;
        let (old, map, colon) = self.behind(key)?;
        let cell = tree.cell(old);
        let token = cell.start..cell.end;
        if cell.properties > 0 || cell.form == Form::Block || tree.text[token.clone()].contains('#') {
            return Err(tree.fault(old, "a value with an anchor, a tag or a comment in it; write it plainly"));
        }
        let has_members =
            !matches!(value, Json::Array(list) if list.is_empty()) && (value.is_array() || value.is_object());
        // With a comment between them, the comment stays where it is.
        let alone = tree.text[colon..token.start.max(colon)].trim().is_empty();
        if has_members && tree.cell(map).form == Form::Block && alone {
            let column = tree.cell(map).indent.ok_or_else(|| self.unknown(map))?;
            let style = self.style(map);
            let lines = match value {
                Json::Array(items) => style.items(items, column + style.dash),
                members => style
                    .entry("", members, column)
                    .split_once('\n')
                    .map(|(_, lines)| lines.to_owned())
                    .unwrap_or_default(),
            };
            if !token.is_empty() {
                self.patch(colon..token.end, String::new(), key);
            }
            let at = self.line_end(token.end.max(colon));
            self.insert_lines(key, at, &lines);
            return Ok(());
        }
        let text = if tree.cell(map).form == Form::Flow {
            self.layout(map).write(value)
        } else if has_members {
            flow(value)
        } else {
            scalar_text(value)
        };
        if token.is_empty() {
            self.patch(colon..colon, format!(" {text}"), key);
        } else {
            self.patch(token, text, key);
        }
        Ok(())
    }

    fn restore(&mut self, key: Node, text: &str) -> Result<(), Fault> {
        // Another tool may have made JSON of it since.
        let foreign = self.tree.is_json() && !is_json(text);
        let json = if foreign { restored(text).and_then(|value| value.json()) } else { None };
        let text = json.as_deref().unwrap_or(text);
        let (old, _, colon) = self.behind(key)?;
        let end = self.tree.cell(old).end.max(colon);
        if self.tree.cell(old).form != Form::Block {
            self.patch(colon..end, text.to_owned(), key);
            return Ok(());
        }
        let first = match self.tree.kind(old) {
            Kind::Seq => self.dash(old, 0),
            _ => Some(self.tree.cell(old).start),
        };
        let begin = first.map(|at| self.line_start(at)).filter(|&at| at >= colon).ok_or_else(|| self.unknown(old))?;
        self.patch(colon..colon, text.to_owned(), key);
        self.drop_lines(old, begin..self.line_end(end));
        Ok(())
    }

    fn drop(&mut self, node: Node) -> Result<(), Fault> {
        let parent = self.tree.parent(node).ok_or_else(|| self.unknown(node))?;
        let members = self.members(parent);
        let place = members.iter().position(|member| member.0 == node).ok_or_else(|| self.unknown(node))?;
        let (_, head, end) = members[place];
        if self.tree.cell(parent).form == Form::Block {
            let begin = match self.tree.kind(parent) {
                Kind::Seq => self.dash(parent, place).ok_or_else(|| self.unknown(node))?,
                _ => head,
            };
            let line = self.line_start(begin);
            if self.tree.text[line..begin].trim_matches([' ', '\u{feff}']).is_empty() {
                self.drop_lines(node, line..self.line_end(end));
            } else if let Some(next) = members.get(place + 1) {
                // Behind the dash of a list's item.
                self.patch(begin..next.1, String::new(), node);
            } else {
                return Err(self.unknown(node));
            }
            return Ok(());
        }
        let leads = members[..=place].iter().all(|member| self.dropped.contains(&member.0));
        let range = match (leads, members.get(place + 1)) {
            (true, Some(next)) => head..next.1,
            (true, None) => head..end,
            (false, _) => members[place - 1].2..end,
        };
        self.patch(range, String::new(), node);
        Ok(())
    }

    /// The members of a container: the node that names each, where it begins and ends.
    fn members(&self, container: Node) -> Vec<(Node, usize, usize)> {
        if self.tree.kind(container) == Kind::Map {
            let entries = self.tree.entries(container);
            return entries.map(|entry| (entry.key, self.tree.start(entry.key), self.tree.entry_end(entry))).collect();
        }
        let items = self.tree.items(container).iter();
        items.map(|&item| (item, self.tree.start(item), self.tree.cell(item).end)).collect()
    }

    /// A new last member in brackets.
    fn bracket(&mut self, container: Node, write: impl FnOnce(&Layout) -> String) -> Result<(), Fault> {
        let layout = self.layout(container);
        let &(_, _, end) = self.members(container).last().ok_or_else(|| self.unknown(container))?;
        let text = match &layout.lead {
            Some(lead) => format!(",{}{lead}{}", layout.newline, write(&layout)),
            None => format!(", {}", write(&layout)),
        };
        self.patch(end..end, text, container);
        Ok(())
    }

    /// How the members of a container in brackets stand.
    fn layout(&self, container: Node) -> Layout {
        let text = self.tree.text;
        let indent = |at: usize| {
            let line = &text[self.line_start(at)..];
            &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
        };
        let start = self.tree.cell(container).start;
        let newline = self.newline(start);
        let first = self.members(container).first().map(|member| member.1);
        let lead = first
            .filter(|&first| self.line_start(first) > start && text[self.line_start(first)..first].trim().is_empty());
        let lead = lead.map(|first| indent(first).to_owned());
        let step = lead.as_deref().and_then(|lead| lead.strip_prefix(indent(start))).filter(|step| !step.is_empty());
        Layout { step: step.unwrap_or("  ").to_owned(), lead, newline }
    }

    /// The map around a key, the key's value, and where its colon ends.
    fn behind(&self, key: Node) -> Result<(Node, Node, usize), Fault> {
        let entry = self.entry_of(key);
        let found = entry.and_then(|entry| Some((entry.value, self.tree.parent(key)?, self.tree.colon(key)?)));
        found.ok_or_else(|| self.unknown(key))
    }

    fn entry_of(&self, key: Node) -> Option<Entry> {
        let map = self.tree.parent(key)?;
        self.tree.entries(map).find(|entry| entry.key == key)
    }

    /// Where the dash of an item stands.
    fn dash(&self, list: Node, place: usize) -> Option<usize> {
        let cell = self.tree.cell(list);
        let from = match place.checked_sub(1) {
            Some(before) => self.tree.cell(cell.children[before]).end,
            None => {
                let key = cell.parent.and_then(|map| self.tree.entries(map).find(|entry| entry.value == list))?.key;
                self.tree.colon(key)?.max(cell.properties)
            }
        };
        let mut at = from;
        loop {
            let rest = &self.tree.text[at..];
            at += rest.len() - rest.trim_start().len();
            match self.tree.text.as_bytes().get(at)? {
                b'-' => return Some(at),
                b'#' => at = self.line_end(at),
                _ => return None,
            }
        }
    }

    fn column(&self, at: usize) -> Option<usize> {
        let before = &self.tree.text[self.line_start(at)..at];
        before.is_ascii().then_some(before.len())
    }

    /// How lists stand in the document of a node: as the first of it does.
    fn style(&self, node: Node) -> Style {
        let root = std::iter::successors(Some(node), |&node| self.tree.parent(node)).last().unwrap_or(node);
        let list = self.tree.find(root, |node| {
            let cell = self.tree.cell(node);
            cell.kind == Kind::Seq
                && cell.form == Form::Block
                && cell.parent.is_some_and(|map| self.tree.kind(map) == Kind::Map)
        });
        let dash = list.and_then(|list| {
            let dash = self.dash(list, 0).and_then(|at| self.column(at))?;
            dash.checked_sub(self.tree.cell(self.tree.cell(list).parent?).indent?)
        });
        Style { dash: dash.unwrap_or(2) }
    }

    /// The line below a block collection that ends at `end`: comments that stand deeper than `column` are its own.
    fn below(&self, end: usize, column: usize) -> usize {
        let mut at = self.line_end(end);
        let mut below = at;
        while at < self.tree.text.len() {
            let next = self.line_end(at);
            let line = self.tree.text[at..next].trim_end();
            let content = line.trim_start_matches(' ');
            if content.starts_with('#') && line.len() - content.len() > column {
                below = next;
            } else if !content.is_empty() {
                break;
            }
            at = next;
        }
        below
    }

    fn line_start(&self, at: usize) -> usize {
        self.tree.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Behind the line break, if there is one.
    fn line_end(&self, at: usize) -> usize {
        self.tree.text[at..].find('\n').map_or(self.tree.text.len(), |end| at + end + 1)
    }

    /// The line break in use before a place, or else anywhere.
    fn newline(&self, at: usize) -> &'static str {
        let text = self.tree.text;
        let last = text[..at].rfind('\n').or_else(|| text.find('\n'));
        if last.is_some_and(|last| text[..last].ends_with('\r')) { "\r\n" } else { "\n" }
    }

    fn insert_lines(&mut self, node: Node, at: usize, lines: &str) {
        let newline = self.newline(at);
        let lines = if at == self.tree.text.len() && !self.tree.text.ends_with('\n') {
            format!("\n{}", lines.trim_end_matches('\n'))
        } else {
            lines.to_owned()
        };
        self.patch(at..at, lines.replace('\n', newline), node);
    }

    fn drop_lines(&mut self, node: Node, range: Range<usize>) {
        let depth = self.depth(node);
        self.patches.push(Patch { range, text: String::new(), lines: true, depth });
    }

    fn patch(&mut self, range: Range<usize>, text: String, node: Node) {
        let depth = self.depth(node);
        self.patches.push(Patch { range, text, lines: false, depth });
    }

    fn depth(&self, node: Node) -> usize {
        std::iter::successors(Some(node), |&node| self.tree.parent(node)).count()
    }

    fn unknown(&self, node: Node) -> Fault {
        self.tree.fault(node, "a form of YAML that is not edited here; write it as an indented block")
    }

    fn splice(mut self) -> Result<Edited, Fault> {
        let old = self.tree.text;
        self.patches.sort_by_key(|patch| (patch.range.start, patch.range.end, Reverse(patch.depth)));
        let mut merged: Vec<Patch> = Vec::new();
        for patch in self.patches {
            match merged.last_mut() {
                Some(last) if last.lines && patch.lines && last.range.end == patch.range.start => {
                    last.range.end = patch.range.end;
                }
                Some(last) if last.range.end > patch.range.start => {
                    return Err(Fault::new(patch.range.start, "two edits of one place; write it as indented blocks"));
                }
                _ => merged.push(patch),
            }
        }
        let (mut text, mut moves, mut copied) = (String::with_capacity(old.len() + (4 << 10)), Vec::new(), 0);
        for mut patch in merged {
            if patch.lines && patch.range.end == old.len() && !old.ends_with('\n') {
                let before = &old[copied..patch.range.start];
                let kept = before.strip_suffix('\n').map(|kept| kept.strip_suffix('\r').unwrap_or(kept));
                patch.range.start = kept.map_or(patch.range.start, |kept| copied + kept.len());
            }
            text.push_str(&old[copied..patch.range.start]);
            text.push_str(&patch.text);
            copied = patch.range.end;
            moves.push((patch.range, patch.text.len()));
        }
        text.push_str(&old[copied..]);
        Ok(Edited { text, moves })
    }
}

/// How what is put into brackets is laid out.
struct Layout {
    /// What a line of a member begins with; `None` where all stand on one line.
    lead: Option<String>,
    step: String,
    newline: &'static str,
}

impl Layout {
    fn write(&self, value: &Json) -> String {
        match &self.lead {
            Some(lead) => flow_lines(value, lead, &self.step).replace('\n', self.newline),
            None => flow(value),
        }
    }
}

/// The text holds what the tree held, with the edits, and nothing else.
fn prove(tree: &Tree<'_>, edits: &[Edit], text: &str) -> Result<(), Fault> {
    let result = Tree::parse(text).map_err(|fault| {
        let at = edits.first().map_or(0, |edit| tree.start(edit.node()));
        Fault::new(at, format!("what would come of it cannot be read ({}); write this as indented blocks", fault.what))
    })?;
    let changes = Changes::of(tree, edits)?;
    let (old, new) = (tree.roots(), result.roots());
    for (i, &root) in old.iter().enumerate() {
        let differs = match new.get(i) {
            Some(&new) => changes.value(tree, root).differs(&value_of(&result, new)),
            None => Some(String::new()),
        };
        if let Some(path) = differs {
            let cure = if tree.text.ends_with('\n') {
                "write this as indented blocks"
            } else {
                "end the file with a line break"
            };
            let what = format!("an edit would change more than it should, at `{path}`; {cure}");
            return Err(tree.fault(root, what));
        }
    }
    if tree.is_json() && !result.is_json() {
        return Err(Fault::new(0, "what would come of this JSON is none; give YAML"));
    }
    if old.len() != new.len() {
        return Err(Fault::new(0, "an edit would add a document; write this as indented blocks"));
    }
    Ok(())
}

impl Edit {
    fn node(&self) -> Node {
        match self {
            Self::Drop(node)
            | Self::Push(node, _)
            | Self::Put(node, ..)
            | Self::Restore(node, _)
            | Self::Set(node, _) => *node,
        }
    }
}

/// The edits by the node they change, for the values: on purpose by another way than the text goes.
#[derive(Default)]
struct Changes {
    dropped: HashSet<Node>,
    added: HashMap<Node, Vec<(Option<Value>, Value)>>,
    set: HashMap<Node, Value>,
}

impl Changes {
    fn of(tree: &Tree<'_>, edits: &[Edit]) -> Result<Self, Fault> {
        let mut changes = Self::default();
        for edit in edits {
            match edit {
                Edit::Drop(node) => {
                    changes.dropped.insert(*node);
                }
                Edit::Push(list, item) => changes.added.entry(*list).or_default().push((None, item.into())),
                Edit::Put(map, key, value) => {
                    let key = Some(Value::Text((*key).to_owned()));
                    changes.added.entry(*map).or_default().push((key, value.into()));
                }
                Edit::Restore(key, text) => {
                    let value = restored(text).ok_or_else(|| {
                        let what =
                            format!("{text:?} is nothing that can have stood behind this key; mend the annotation");
                        tree.fault(*key, what)
                    })?;
                    changes.set.insert(*key, value);
                }
                Edit::Set(key, value) => {
                    changes.set.insert(*key, value.into());
                }
            }
        }
        Ok(changes)
    }

    fn value(&self, tree: &Tree<'_>, node: Node) -> Value {
        let added = || self.added.get(&node).into_iter().flatten().cloned();
        Value::of(tree, node, || {
            if tree.kind(node) == Kind::Seq {
                let kept = tree.items(node).iter().filter(|item| !self.dropped.contains(item));
                return Value::Seq(
                    kept.map(|&item| self.value(tree, item)).chain(added().map(|(_, item)| item)).collect(),
                );
            }
            let kept = tree.entries(node).filter(|entry| !self.dropped.contains(&entry.key));
            let kept = kept.map(|Entry { key, value }| {
                let new = self.set.get(&key).cloned();
                (self.value(tree, key), new.unwrap_or_else(|| self.value(tree, value)))
            });
            Value::Map(kept.chain(added().filter_map(|(key, value)| Some((key?, value)))).collect())
        })
    }
}

/// What a text means that once stood behind a colon: a scalar or something hollow, and nothing that could be smuggled in.
fn restored(text: &str) -> Option<Value> {
    let around = format!("x: {text}\n");
    let tree = Tree::parse(&around).ok()?;
    let &[root] = tree.roots() else { return None };
    let mut entries = tree.entries(root);
    let entry = entries.next().filter(|_| entries.next().is_none())?;
    let plain = tree.is_hollow(entry.value) || tree.scalar(entry.value).is_some();
    (plain && tree.cell(entry.value).form != Form::Block).then(|| value_of(&tree, entry.value))
}

/// What a node holds.
pub(super) fn value_of(tree: &Tree<'_>, node: Node) -> Value {
    Changes::default().value(tree, node)
}
