//! What an injected object remembers about itself, in annotations: that it was injected, and what stood where something
//! was put. So a second run can take everything out to the byte and start afresh, whatever its options.

use serde_json::{Map, Value as Json};

use super::yaml::{Edit, Entry, Fault, Kind, Node, Tree};

/// The version that injected it.
const INJECTED: &str = "scimshim.io/injected";
/// A JSON object: what stood behind the colon of each key that was there before; `null` for one that was not.
const RESTORE: &str = "scimshim.io/restore";
/// Set by people: `disabled` leaves the workload alone.
pub(super) const WANTED: &str = "scimshim.io/inject";

const METADATA: &str = "metadata";
const ANNOTATIONS: &str = "annotations";

/// Edits of one object, and what they have to remember.
pub(super) struct Change<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) edits: Vec<Edit>,
    originals: Map<String, Json>,
}

impl<'a> Change<'a> {
    pub(super) fn new(tree: &'a Tree<'a>) -> Self {
        Self { tree, edits: Vec::new(), originals: Map::new() }
    }

    /// Puts items at the end of a list that may not be there yet.
    pub(super) fn push(&mut self, map: Node, name: &'static str, items: Vec<Json>) -> Result<(), Fault> {
        match self.tree.own(map, name)? {
            None => self.edits.push(Edit::Put(map, name, items.into())),
            Some(entry) => match self.tree.kind(entry.value) {
                Kind::Null | Kind::Seq if self.tree.is_hollow(entry.value) => self.set(name, entry, items.into())?,
                Kind::Seq => self.edits.extend(items.into_iter().map(|item| Edit::Push(entry.value, item))),
                _ => return Err(self.tree.fault(entry.value, format!("`{name}` is no list; write one"))),
            },
        }
        Ok(())
    }

    /// Puts a scalar under a key that may not be there yet.
    pub(super) fn put(&mut self, map: Node, name: &'static str, value: Json) -> Result<(), Fault> {
        match self.tree.own(map, name)? {
            Some(entry) => self.set(name, entry, value),
            None => {
                self.remember(name, Json::Null);
                self.edits.push(Edit::Put(map, name, value));
                Ok(())
            }
        }
    }

    pub(super) fn remember(&mut self, name: &str, original: Json) {
        self.originals.insert(name.to_owned(), original);
    }

    /// Marks the object, as the last change; `around` has its metadata.
    pub(super) fn mark(&mut self, around: Node) -> Result<(), Fault> {
        let metadata = self.map(around, METADATA)?;
        let annotations = match metadata {
            Found::Map(metadata) => self.map(metadata, ANNOTATIONS)?,
            _ => Found::Nothing,
        };
        for (name, found) in [(METADATA, &metadata), (ANNOTATIONS, &annotations)] {
            if let Found::Hollow(entry) = found {
                self.remember(name, self.tree.raw(*entry)?.into());
            }
        }
        let mut marks = vec![(INJECTED, env!("CARGO_PKG_VERSION").to_owned())];
        if !self.originals.is_empty() {
            marks.push((RESTORE, Json::from(std::mem::take(&mut self.originals)).to_string()));
        }
        let all = || Json::from_iter(marks.iter().map(|(name, value)| ((*name).to_owned(), Json::from(&**value))));
        let both = || Json::from_iter([(ANNOTATIONS.to_owned(), all())]);
        match (metadata, annotations) {
            (Found::Nothing, _) => self.edits.push(Edit::Put(around, METADATA, both())),
            (Found::Hollow(entry), _) => self.edits.push(Edit::Set(entry.key, both())),
            (Found::Map(metadata), Found::Nothing) => self.edits.push(Edit::Put(metadata, ANNOTATIONS, all())),
            (_, Found::Hollow(entry)) => self.edits.push(Edit::Set(entry.key, all())),
            (_, Found::Map(map)) => {
                self.edits.extend(marks.into_iter().map(|(name, value)| Edit::Put(map, name, value.into())));
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, entry: Entry, value: Json) -> Result<(), Fault> {
        self.remember(name, self.tree.raw(entry)?.into());
        self.edits.push(Edit::Set(entry.key, value));
        Ok(())
    }

    fn map(&self, around: Node, name: &str) -> Result<Found, Fault> {
        Ok(match self.tree.own(around, name)? {
            None => Found::Nothing,
            Some(entry) => match self.tree.kind(entry.value) {
                Kind::Null | Kind::Map if self.tree.is_hollow(entry.value) => Found::Hollow(entry),
                Kind::Map => Found::Map(entry.value),
                _ => return Err(self.tree.fault(entry.value, format!("`{name}` is no map; write one"))),
            },
        })
    }
}

/// A map that may not be there.
#[derive(Clone, Copy)]
enum Found {
    Hollow(Entry),
    Map(Node),
    Nothing,
}

/// The marks of an object, and how to take out what they stand for.
pub(super) struct Marked<'a> {
    tree: &'a Tree<'a>,
    around: Node,
    metadata: Entry,
    annotations: Entry,
    originals: Map<String, Json>,
    pub(super) edits: Vec<Edit>,
}

impl<'a> Marked<'a> {
    /// `None` for an object that was not injected; `around` has its metadata.
    pub(super) fn find(tree: &'a Tree<'a>, around: Node) -> Result<Option<Self>, Fault> {
        if !is_marked(tree, around) {
            return Ok(None);
        }
        let own = |map, name| {
            tree.own(map, name)?.ok_or_else(|| tree.fault(map, format!("`{name}` comes from elsewhere; write it out")))
        };
        let metadata = own(around, METADATA)?;
        let annotations = own(metadata.value, ANNOTATIONS)?;
        let originals = match tree.entry(annotations.value, RESTORE) {
            None => Map::new(),
            Some(entry) => {
                let json = tree.scalar(entry.value).and_then(|text| serde_json::from_str(text).ok());
                json.ok_or_else(|| {
                    tree.fault(entry.value, format!("{RESTORE} is no JSON object; take the sidecar out by hand"))
                })?
            }
        };
        Ok(Some(Self { tree, around, metadata, annotations, originals, edits: Vec::new() }))
    }

    /// What stood under a key: `None` where nothing was remembered, `Some(None)` where the key was not there.
    pub(super) fn original(&self, name: &str) -> Option<Option<&str>> {
        self.originals.get(name).map(Json::as_str)
    }

    /// A number that was remembered beside the originals.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.originals.get(name).and_then(Json::as_u64)
    }

    /// Takes items out of a list, and the list with its last one.
    pub(super) fn pull(&mut self, map: Node, name: &str, ours: impl Fn(Node) -> bool) -> Result<(), Fault> {
        let Some(list) = self.tree.own(map, name)? else { return Ok(()) };
        let items = self.tree.items(list.value);
        let ours: Vec<_> = items.iter().copied().filter(|&item| ours(item)).collect();
        if ours.is_empty() {
            return Ok(());
        }
        if ours.len() < items.len() {
            self.edits.extend(ours.into_iter().map(Edit::Drop));
            return Ok(());
        }
        self.give_back(list.key, name);
        Ok(())
    }

    /// Puts back what stood behind a key, or takes it out where nothing is remembered.
    pub(super) fn give_back(&mut self, key: Node, name: &str) {
        self.edits.push(match self.original(name) {
            Some(Some(text)) => Edit::Restore(key, text.to_owned()),
            Some(None) | None => Edit::Drop(key),
        });
    }

    /// Takes out the marks, as the last change.
    pub(super) fn unmark(mut self) -> Vec<Edit> {
        let tree = self.tree;
        let is_ours = |key: Node| matches!(tree.scalar(key), Some(INJECTED | RESTORE));
        let (ours, others): (Vec<_>, Vec<_>) =
            tree.entries(self.annotations.value).map(|entry| entry.key).partition(|&key| is_ours(key));
        let alone = tree.entries(self.metadata.value).count() == 1;
        if !others.is_empty() {
            self.edits.extend(ours.into_iter().map(Edit::Drop));
        } else if alone && self.original(ANNOTATIONS).is_none() && tree.entries(self.around).count() > 1 {
            self.give_back(self.metadata.key, METADATA);
        } else {
            self.give_back(self.annotations.key, ANNOTATIONS);
        }
        self.edits
    }
}

/// Whether the object was injected.
pub(super) fn is_marked(tree: &Tree<'_>, around: Node) -> bool {
    annotation(tree, around, INJECTED).is_some()
}

/// An annotation of the object whose metadata `around` has.
pub(super) fn annotation<'a>(tree: &'a Tree<'_>, around: Node, name: &str) -> Option<&'a str> {
    let annotations = tree.read(tree.read(around, METADATA)?, ANNOTATIONS)?;
    tree.scalar(tree.read(annotations, name)?)
}
