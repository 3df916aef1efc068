//! Elements of a list that are like the one before: what was seen of that one is not looked for again.
//!
//! A walk over a resource finds things by names and kinds, and by the texts of a few values (dates, references, `schemas`).
//! An element with the same names and kinds as one in which nothing was found can only be found fault with for those
//! texts. So the walk notes where they stand, and of elements that are alike only they are looked at.

use super::{
    location::Bases,
    walk::{self, Way},
};
use crate::{
    json::{Doc, Node},
    quirk::Cx,
    scim::Attr,
};

/// What is noted of one element. One with more is hardly like its neighbour, and noting it would cost memory by the size of
/// the body.
const MOST: usize = 100;

/// What a walk over one element has looked at beside names and kinds.
#[derive(Default)]
pub(super) struct Trail<'k> {
    /// Values with their attributes, and those around them.
    texts: Vec<(Node, &'k Attr, u16)>,
    /// Values that make a difference to others.
    same: Vec<Node>,
    /// Something else.
    more: bool,
    /// Nobody asks.
    off: bool,
}

impl<'k> Trail<'k> {
    /// One for a walk of which nobody will ask.
    pub(super) fn off() -> Self {
        Self { off: true, ..Self::default() }
    }

    /// Whether somebody will ask.
    pub(super) fn is_on(&self) -> bool {
        !self.off
    }

    /// The outcome hangs on a value, and on nothing but its text.
    #[inline]
    pub(super) fn text(&mut self, at: Node, attr: &'k Attr, parent: u16) {
        if self.has_room() {
            self.texts.push((at, attr, parent));
        }
    }

    /// What is found elsewhere hangs on a value.
    pub(super) fn same(&mut self, at: Node) {
        if self.has_room() {
            self.same.push(at);
        }
    }

    /// Whether one more is noted.
    #[inline]
    fn has_room(&mut self) -> bool {
        self.more |= self.texts.len() + self.same.len() >= MOST;
        !self.off && !self.more
    }

    /// The outcome hangs on more than can be told in a word.
    pub(super) fn more(&mut self) {
        self.more = true;
    }
}

/// The elements of one list, while they are walked in order.
#[derive(Default)]
pub(super) struct Row<'k> {
    /// The element before, if nothing was found in it.
    before: Option<Node>,
    /// Places in it, and in those that are like it, with what is looked at each time.
    texts: Vec<(u32, &'k Attr, u16)>,
    /// Those with what has to be the same.
    same: Vec<u32>,
}

impl<'k> Row<'k> {
    /// Repairs an element that is like the one before it; `false` where it is not, and has to be walked.
    pub(super) fn repeats(&mut self, cx: &mut Cx<'_>, doc: &mut Doc<'_>, item: Node, bases: Bases<'_>) -> bool {
        let Some(before) = self.before.take().filter(|&before| doc.are_alike(before, item)) else { return false };
        let is_same = |&offset: &u32| doc.raw(doc.at(before, offset)) == doc.raw(doc.at(item, offset));
        if !self.same.iter().all(is_same) {
            return false;
        }
        let mut way = Way { bases, trail: Trail::off() };
        for &(offset, attr, parent) in &self.texts {
            walk::value(cx, doc, doc.at(item, offset), attr, parent, &mut way);
        }
        self.before = Some(item);
        true
    }

    /// An element has been walked, and nothing was found in it.
    pub(super) fn was_clean(&mut self, doc: &Doc<'_>, item: Node, trail: &Trail<'k>) {
        self.same.clear();
        self.same.extend(trail.same.iter().filter_map(|&at| doc.offset(item, at)));
        self.texts.clear();
        self.texts
            .extend(trail.texts.iter().filter_map(|&(at, attr, parent)| Some((doc.offset(item, at)?, attr, parent))));
        // What was moved here stands elsewhere.
        let stands_here = self.same.len() == trail.same.len() && self.texts.len() == trail.texts.len();
        self.before = (stands_here && !trail.more).then_some(item);
    }
}
