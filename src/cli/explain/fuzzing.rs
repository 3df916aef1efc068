//! Doors for the fuzz targets.

use super::{Defaults, guess, show};
use crate::cli::paint::Paint;

/// What is shown to a person who pastes `text`; `None` where it cannot be explained.
pub fn pasted(text: &[u8]) -> Option<Vec<u8>> {
    let (exchange, taken) = guess::exchange(text, None, None, &Defaults::default()).ok()?;
    let mut shown = Vec::new();
    show::show(&exchange, &exchange.explain(), &taken, Paint::when(false), &mut shown).ok()?;
    Some(shown)
}
