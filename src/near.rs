//! The name that was meant, where one is misspelt: for messages only, nothing is ever taken for another.

/// The known name that was probably meant: at most one edit in three characters away.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name longer than any key of ours is no slip of the finger, and the distance is quadratic.
    if name.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|k| (distance(&name.to_ascii_lowercase(), &k.to_ascii_lowercase()), k))
        .filter(|&(d, k)| d <= (k.len() / 3).max(1))
        .min_by_key(|&(d, _)| d)
        .map(|(_, k)| k)
}

/// Edits between two words; two letters that changed places are one (`evn` for `env`).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best.min(table[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        assert_eq!(nearest("lisen", ["listen", "admin"]), Some("listen"));
        assert_eq!(nearest("patch-op-cas", ["patch-op-case", "path-case"]), Some("patch-op-case"));
        assert_eq!(nearest("zebra", ["listen", "admin"]), None);
        assert_eq!(nearest("evn", ["file", "env"]), Some("env"));
        assert_eq!(nearest("us_cel_1", ["us_cell_1", "emea_cell_1"]), Some("us_cell_1"));
        assert_eq!(nearest("", ["us_cell_1"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
