//! Colour for people: on a terminal only, never with `NO_COLOR` (no-color.org) or on a dumb terminal.

use std::{env, fmt::Display};

/// Whether escape sequences are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// For an output that is a terminal, or not.
    pub(super) fn when(terminal: bool) -> Self {
        let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(terminal && !forbidden && env::var_os("TERM").is_none_or(|term| term != "dumb"))
    }

    /// Never colour.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(false)
    }

    pub(super) fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    pub(super) fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    pub(super) fn red(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    pub(super) fn green(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    pub(super) fn yellow(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}
