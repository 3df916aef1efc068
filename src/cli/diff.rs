//! What changed between two texts, line by line.

use std::io::{self, Write};

use super::paint::Paint;

/// Tables larger than this are not computed; such texts are shown whole, old before new.
const TABLE: usize = 4_000_000;

/// One line of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Both(&'a str),
    New(&'a str),
    Old(&'a str),
}

/// The lines of `old` and `new`, in order, with the fewest differences.
pub(super) fn compare<'a>(old: &'a [String], new: &'a [String]) -> Vec<Line<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut lines: Vec<_> = old[..head].iter().map(|line| Line::Both(line)).collect();
    middle(a, b, &mut lines);
    lines.extend(old[old.len() - tail..].iter().map(|line| Line::Both(line)));
    lines
}

/// The longest common subsequence, by the table.
fn middle<'a>(a: &'a [String], b: &'a [String], lines: &mut Vec<Line<'a>>) {
    let (mut i, mut j) = (0, 0);
    if a.len().saturating_mul(b.len()) <= TABLE {
        let row = b.len() + 1;
        let mut length = vec![0u32; (a.len() + 1) * row];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                length[i * row + j] = if a[i] == b[j] {
                    length[(i + 1) * row + j + 1] + 1
                } else {
                    length[(i + 1) * row + j].max(length[i * row + j + 1])
                };
            }
        }
        while i < a.len() && j < b.len() {
            if a[i] == b[j] {
                lines.push(Line::Both(&a[i]));
                (i, j) = (i + 1, j + 1);
            } else if length[(i + 1) * row + j] >= length[i * row + j + 1] {
                lines.push(Line::Old(&a[i]));
                i += 1;
            } else {
                lines.push(Line::New(&b[j]));
                j += 1;
            }
        }
    }
    lines.extend(a[i..].iter().map(|line| Line::Old(line)));
    lines.extend(b[j..].iter().map(|line| Line::New(line)));
}

/// Writes a comparison: `-` and red for what was, `+` and green for what is, with `context` equal lines around; the first
/// line always, because it says what the text is.
pub(super) fn write(out: &mut dyn Write, paint: Paint, lines: &[Line<'_>], context: usize) -> io::Result<()> {
    let shown = |at: usize| {
        let near = &lines[at.saturating_sub(context)..lines.len().min(at + context + 1)];
        at == 0 || near.iter().any(|line| !matches!(line, Line::Both(_)))
    };
    let mut at = 0;
    while at < lines.len() {
        let gap = (at..lines.len()).take_while(|at| !shown(*at)).count();
        if gap > 1 {
            writeln!(out, "{}", paint.dim(format_args!("    ... {gap} equal lines")))?;
            at += gap;
            continue;
        }
        match lines[at] {
            Line::Both("") => writeln!(out)?,
            Line::Both(text) => writeln!(out, "    {text}")?,
            Line::New(text) => writeln!(out, "{}", paint.green(format_args!("  + {text}")))?,
            Line::Old(text) => writeln!(out, "{}", paint.red(format_args!("  - {text}")))?,
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str, context: usize) -> String {
        let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (split(old), split(new));
        let mut out = Vec::new();
        write(&mut out, Paint::never(), &compare(&old, &new), context).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn only_what_differs_is_marked() {
        assert_eq!(shown("a b c d", "a x c y d", 9), "    a\n  - b\n  + x\n    c\n  + y\n    d\n");
        assert_eq!(shown("a b", "a b", 1), "    a\n    b\n");
        assert_eq!(shown("a b c d e", "a b c d x", 1), "    a\n    ... 2 equal lines\n    d\n  - e\n  + x\n");
    }
}
