//! Doors for the fuzz targets.

use reqwest::Url;

use super::discover;

/// The file that a download page links, if it is taken; `asked` is where the page was asked for, and where it came from.
pub fn link(page: &str, asked: &str) -> Option<String> {
    let asked = Url::parse(asked).ok()?;
    discover::link(page, &asked, &asked).ok().map(String::from)
}
