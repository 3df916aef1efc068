//! The table, for people.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use super::{Look, Soaked, admin::machine, events::Happened};

/// What was sent, told, and found at the end.
pub(crate) fn table(soaked: &Soaked) -> String {
    let mut sent = BTreeMap::<&str, usize>::new();
    let mut answers = BTreeMap::<u16, usize>::new();
    for book in soaked.books.values() {
        book.sent.iter().for_each(|(what, count)| *sent.entry(what).or_default() += count);
        book.answers.iter().for_each(|(status, count)| *answers.entry(*status).or_default() += count);
    }
    let list = |pairs: Vec<String>| pairs.join(", ");
    let all: usize = sent.values().sum();
    let writes: usize = soaked.books.values().map(|book| book.writes.len()).sum();
    let there: usize = soaked.books.values().map(|book| book.there.len()).sum();
    let longest = soaked.books.values().map(|book| book.longest).max().unwrap_or_default();
    let Happened { app_stopped, app_killed, reloads, bad_reloads, feeds, redis_away } = soaked.happened;
    let mib = |look: Option<&Look>| look.map_or(0.0, |look| look.memory as f64 / 1024.0);
    let looks = &soaked.looks;
    let quarter = looks.get(looks.len() / 4);
    let most = looks.iter().max_by_key(|look| look.memory);
    let verdict = &soaked.verdict;
    let [before, during, after] = soaked.files;
    let own = |name: &str| soaked.page.median_since(&soaked.first, name) * 1e3;
    let rows = [
        ("time", format!("{:.1} min, {} tenants", soaked.took.as_secs_f64() / 60.0, soaked.books.len())),
        ("requests", format!("{all}, {:.0} a second; {writes} of them writes", all as f64 / soaked.took.as_secs_f64())),
        ("by what they were for", list(sent.iter().map(|(what, count)| format!("{what} {count}")).collect())),
        ("answers", list(answers.iter().map(|(status, count)| format!("{status}: {count}")).collect())),
        ("the app", format!("stopped {app_stopped} times, killed {app_killed} times")),
        ("configuration", format!("{reloads} reloads, {bad_reloads} more of a file with a mistake")),
        ("feed", format!("{feeds} changes of what it says, every other one an error or a page of HTML")),
        ("Redis", format!("away {redis_away} times")),
        ("lost", verdict.lost.to_string()),
        ("duplicated", verdict.duplicated.to_string()),
        ("told \"not done\", and done", verdict.untrue.to_string()),
        ("for another tenant", verdict.strangers.to_string()),
        ("answers that were not true", verdict.wrong.len().to_string()),
        ("told \"unknown\" (502, 504), and done", verdict.late.to_string()),
        ("resources at the end", format!("{there}, each as it was told")),
        ("in the shim, p50", format!("{:.2} ms", own("scimshim_overhead_seconds"))),
        ("the longest answer", format!("{:.1} s", longest.as_secs_f64())),
        (
            "memory",
            format!(
                "{:.1} MiB at the start, {:.1} after a quarter, {:.1} at the end, {:.1} at most",
                mib(looks.first()),
                mib(quarter),
                mib(looks.last()),
                mib(most)
            ),
        ),
        ("its growth after the first quarter", format!("{:+.1} MiB (at most 4)", soaked.growth / 1024.0)),
        ("open files", format!("{before} before, {during} at most, {after} after")),
    ];
    let mut table = "| | |\n|---|---|\n".to_owned();
    for (what, value) in rows {
        let _ = writeln!(table, "| {what} | {value} |");
    }
    table
}

/// The page of a run.
pub(crate) fn write(soaked: &Soaked) {
    let page = format!(
        "# Soak\n\n\
         Generated from a run of `UPDATE=1 cargo test --test soak -- --minutes 30`; without arguments the same takes 90 s.\n\n\
         Entra and Okta, one connection for each tenant, at a fixed rate: probes, look-ups by filter, creates, changes with accents\n\
         (PATCH from Entra, PUT from Okta), users switched off and on, deletes, group members in and out, lists page by page. The\n\
         app keeps what it has done in a file, is stopped and killed in turn, and understands only RFC 7644. Meanwhile the\n\
         configuration is reloaded, the feed of the allowlist changes and fails, Redis stands still and dies. What is not told\n\
         success is tried again as each provider does it: Okta repeats after 429, all else begins with a look-up.\n\n\
         At the end every write is held against the app's file by its mark, and every resource against what its tenant was told.\n\n\
         {}.\n\n{}",
        machine(),
        table(soaked)
    );
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/soak.md"), page).unwrap();
}
