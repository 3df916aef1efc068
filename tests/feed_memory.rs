//! What reading Azure's file holds at most, counted by the allocator. Alone in its binary: the count is the process's.

use std::{fmt::Write, time::Instant};

use peak_alloc::PeakAlloc;
use scimshim::feed::{
    Kind,
    parse::{self, Document, ParseError, Wanted},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One after the other: a test beside another would be counted with it.
#[test]
fn reading_is_bounded() {
    one_tag_of_a_large_file_costs_little();
    hostile_bytes_cost_no_more_than_a_large_document();
}

/// As large as the public file of 2025: 3,041 tags, 4 MB. Reading one tag of it takes less than a quarter
/// of the text again, where a tree of values takes three times it.
fn one_tag_of_a_large_file_costs_little() {
    let file = file();
    assert!(file.len() > 4_000_000, "{}", file.len());
    let (document, held) = read(&file);
    assert_eq!((document.names.len(), document.parts["Tag7"].len()), (3041, 44));
    assert!(held < file.len() / 4, "{held} bytes for a file of {}", file.len());
}

/// Whatever a source makes of the bytes that it may send.
fn hostile_bytes_cost_no_more_than_a_large_document() {
    const LIST: usize = 4 << 20;
    const TAGS: usize = 32 << 20;
    let fill = |head: &str, piece: &str, tail: &str, size: usize| {
        let count = (size - head.len() - tail.len()) / piece.len();
        format!("{head}{}{tail}", piece.repeat(count))
    };
    let mut tags = "{\"values\":[".to_owned();
    for tag in 0.. {
        if tags.len() > TAGS - 64 {
            break;
        }
        write!(tags, "{{\"name\":\"{tag}\",\"properties\":{{}}}},").expect("a string takes everything");
    }
    let tag = r#"{"values":[{"name":"Tag7","properties":{"addressPrefixes":["#;
    for (kind, pointer, text) in [
        (Kind::List, None, fill("[", "[0],", "[0]]", LIST)),
        (Kind::List, None, fill("[", "{},", "{}]", LIST)),
        (Kind::List, None, fill(r#"{"prefixes":[{"a":["#, "[0],", r#"0],"ipv4Prefix":"192.0.2.1"}]}"#, LIST)),
        (Kind::List, None, fill("{", r#""":[],"#, r#""":0}"#, LIST)),
        (Kind::List, Some("/b/0"), fill(r#"{"a":["#, "[0],", "0]}", LIST)),
        (Kind::List, None, fill("[", r#""1::","#, r#""1::"]"#, LIST)),
        (Kind::List, None, fill("", "1::\n", "", LIST)),
        (Kind::Okta, None, fill(r#"{"a":{"ip_ranges":["#, r#""","#, r#"""]}}"#, LIST)),
        (Kind::AzureServiceTags, None, tags + "0]}"),
        (Kind::AzureServiceTags, None, fill(tag, r#""1::","#, r#""1::"]}}]}"#, TAGS)),
    ] {
        let (document, peak) = parsed(kind, pointer, &text);
        let what =
            document.map_or_else(|error| error.to_string(), |document| format!("{} parts", document.names.len()));
        report(&what);
        assert!(peak < 32 << 20, "{kind:?} {}...: {peak} bytes, {what}", &text[..40]);
    }
}

fn read(file: &str) -> (Document, usize) {
    let (document, peak) = parsed(Kind::AzureServiceTags, None, file);
    (document.expect("a good file"), peak)
}

fn parsed(kind: Kind, pointer: Option<&str>, file: &str) -> (Result<Document, ParseError>, usize) {
    let wanted = ["Tag7".into()];
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let started = Instant::now();
    let document = parse::document(kind, pointer, Wanted::Named(&wanted), file.as_bytes());
    let peak = MEMORY.peak_usage() - before;
    report(&format!("{} bytes read in {:?} with {peak} bytes beside them", file.len(), started.elapsed()));
    (document, peak)
}

#[allow(clippy::print_stdout)]
fn report(line: &str) {
    println!("{line}");
}

fn file() -> String {
    let mut file = "{\n  \"changeNumber\": 376,\n  \"cloud\": \"Public\",\n  \"values\": [\n".to_owned();
    for tag in 0..3041 {
        let comma = if tag > 0 { "," } else { "" };
        let prefixes: Vec<_> =
            (0..44).map(|n| format!("\n          \"203.{}.{}.{}/32\"", tag / 256, tag % 256, n)).collect();
        write!(
            file,
            "{comma}{{\n      \"name\": \"Tag{tag}\",\n      \"id\": \"Tag{tag}\",\n      \"properties\": {{\n        \
             \"changeNumber\": 1,\n        \"region\": \"\",\n        \"regionId\": 0,\n        \"platform\": \"Azure\",\n        \
             \"systemService\": \"\",\n        \"addressPrefixes\": [{}\n        ],\n        \"networkFeatures\": [\"API\", \"NSG\", \
             \"UDR\", \"FW\", \"VSE\"]\n      }}\n    }}",
            prefixes.join(",")
        )
        .expect("a string takes everything");
    }
    file + "\n  ]\n}\n"
}
