//! What reading Azure's file holds at most, counted by the allocator. Alone in its binary: the count is the process's.

use std::{fmt::Write, time::Instant};

use peak_alloc::PeakAlloc;
use scimshim::feed::{
    Kind,
    parse::{self, Document, Wanted},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// As large as the public file of 2025: 3,041 tags, 4 MB. Reading one tag of it takes less than a quarter
/// of the text again, where a tree of values takes three times it.
#[test]
fn one_tag_of_a_large_file_costs_little() {
    let file = file();
    assert!(file.len() > 4_000_000, "{}", file.len());
    let (document, held) = read(&file);
    assert_eq!((document.names.len(), document.parts["Tag7"].len()), (3041, 44));
    assert!(held < file.len() / 4, "{held} bytes for a file of {}", file.len());
}

fn read(file: &str) -> (Document, usize) {
    let wanted = ["Tag7".into()];
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let started = Instant::now();
    let document = parse::document(Kind::AzureServiceTags, None, Wanted::Named(&wanted), file.as_bytes());
    let peak = MEMORY.peak_usage() - before;
    report(&format!("{} bytes read in {:?} with {peak} bytes beside them", file.len(), started.elapsed()));
    (document.expect("a good file"), peak)
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
