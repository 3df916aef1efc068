//! Real documents, one after another, through the guards that were made for them. They are not in the repository;
//! `SCIMSHIM_FEED_CORPUS` names their folder. `cargo test --test it feeds::replay -- --nocapture` prints the table.

use std::{collections::BTreeMap, fs, io::Read, path::Path, sync::Arc, time::Instant};

use flate2::read::GzDecoder;
use scimshim::feed::{
    AddressSet, Kind, Outcome, Ranges, Spec, State,
    parse::{self, Document, Wanted},
};
use serde_json::Value;

use super::{Bench, DAY, Origin, corpus, say};

fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
    text
}

/// The daily documents: `last_modified`, and the document.
fn days(folder: &Path) -> Vec<(String, String)> {
    let lines = String::from_utf8(read(&folder.join("okta-ip_ranges.daily-20260608-20260701.jsonl.gz"))).unwrap();
    let day = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["last_modified"].as_str().unwrap().to_owned(), line["feed"].to_string())
    };
    lines.lines().map(day).collect()
}

fn cells(document: &str) -> Vec<Arc<str>> {
    let document: BTreeMap<String, Value> = serde_json::from_str(document).unwrap();
    document.into_keys().map(Into::into).collect()
}

#[tokio::test]
#[allow(clippy::print_stdout)]
async fn none_of_25_days_of_okta_is_refused() {
    let Some(folder) = corpus("none_of_25_days_of_okta_is_refused") else { return };
    let days = days(&folder);
    assert_eq!(days.len(), 25);
    let origin = Origin::start(say(200, "")).await;
    let parts = cells(&days[0].1);
    assert_eq!(parts.len(), 24);
    let bench = Bench::new(vec![Spec { parts, ..origin.spec() }]);
    println!(
        "{:31} {:>6} {:>8} {:>6} {:>6} {:>6}  state",
        "document of", "added", "removed", "kept", "listed", "total"
    );
    let mut us_cell_10 = Vec::new();
    for (date, document) in &days {
        origin.says(say(200, document.clone()).with("last-modified", date));
        let outcome = bench.refresh().await;
        let Outcome::Accepted(changes) = outcome else { panic!("{date}: {outcome:?}") };
        let sum = |of: fn(&scimshim::feed::Change) -> u64| changes.iter().map(of).sum::<u64>();
        let status = bench.status();
        println!(
            "{date:31} {:>6} {:>8} {:>6} {:>6} {:>6}  {}",
            sum(|c| c.added),
            sum(|c| c.removed),
            sum(|c| c.kept),
            sum(|c| c.published),
            sum(|c| c.total),
            status.state.as_str()
        );
        assert_eq!(status.state, State::Fresh);
        us_cell_10.push(changes.into_iter().find(|change| change.part == "us_cell_10").unwrap());
        bench.clock.advance(DAY);
        bench.feeds.tend();
    }
    println!("us_cell_10 by day: added {:?}", us_cell_10.iter().map(|c| c.added).collect::<Vec<_>>());
    // The facts of the newest document, as they were counted by other means.
    let published = |part: &str, document: &str| {
        let read = parse::document(Kind::Okta, None, Wanted::All, document.as_bytes()).unwrap();
        Ranges::of(&read.parts[part]).count()
    };
    let newest = &days[24].1;
    for (part, count) in
        [("us_cell_1", 516), ("us_cell_10", 209), ("us_cell_14", 138), ("emea_cell_1", 421), ("us_cell_5", 81)]
    {
        assert_eq!(published(part, newest), count, "{part}");
    }
    let all = parse::document(Kind::Okta, None, Wanted::All, newest.as_bytes()).unwrap();
    assert_eq!(all.parts.values().map(Vec::len).sum::<usize>(), 4791);
    assert_eq!(Ranges::of(all.parts.values().flatten()).count(), 2053);
    assert_eq!(AddressSet::new(all.parts.values().flatten()).len(), 1850);
    // What the grace keeps costs about a sixth.
    let status = bench.status();
    let (total, kept) =
        status.parts.iter().fold((0, 0), |(total, kept), part| (total + part.addresses, kept + part.kept));
    println!(
        "at the end {total} addresses by cell, of which the grace keeps {kept} ({:.1} %)",
        kept as f64 * 100.0 / (total - kept) as f64
    );
    assert!(kept > 0 && kept < total / 3);
}

#[tokio::test]
async fn two_weeks_without_a_document_are_survived() {
    let Some(folder) = corpus("two_weeks_without_a_document_are_survived") else { return };
    let days = days(&folder);
    let origin = Origin::start(say(200, days[0].1.clone())).await;
    let bench = Bench::new(vec![Spec { parts: cells(&days[0].1), ..origin.spec() }]);
    bench.refresh().await;
    origin.says(say(200, days[24].1.clone()));
    assert!(
        matches!(bench.refresh().await, Outcome::Rejected { .. }),
        "three weeks of churn are not believed of one hour"
    );
    bench.clock.advance(21 * DAY);
    assert!(bench.refresh().await.is_success());
}

#[tokio::test]
async fn what_mirrors_stored_as_the_feed_is_refused_by_name() {
    let Some(folder) = corpus("what_mirrors_stored_as_the_feed_is_refused_by_name") else { return };
    let good = read(&folder.join("azure-ServiceTags_China_20260720.json"));
    let origin = Origin::start(say(200, good)).await;
    let azure = Spec { kind: Kind::AzureServiceTags, parts: vec!["AzureActiveDirectory".into()], ..origin.spec() };
    let bench = Bench::new(vec![azure]);
    assert!(bench.refresh().await.is_success());
    for (name, reason) in [
        ("azure-404-page.html", "html"),
        ("azure-edge-error.html", "html"),
        ("azure-edge-gateway-timeout.html", "html"),
        ("azure-serverbusy.xml", "xml"),
        ("azure-empty.json", "empty"),
    ] {
        origin.says(say(200, read(&folder.join("bad-payloads").join(name))));
        assert_eq!(bench.rejected().await, reason, "{name}");
        assert_eq!((bench.status().state, bench.status().parts[0].entries), (State::Rejected, 44), "{name}");
    }
}

fn tags(folder: &Path, name: &str) -> Document {
    let bytes = read(&folder.join(name));
    let named = ["AzureActiveDirectory".into(), "AzureActiveDirectory.ServiceEndpoint".into()];
    let started = Instant::now();
    let document = parse::document(Kind::AzureServiceTags, None, Wanted::Named(&named), &bytes).unwrap();
    super::report(&format!(
        "{name}: {} bytes, {} tags, parsed in {:?}",
        bytes.len(),
        document.names.len(),
        started.elapsed()
    ));
    document
}

#[test]
fn service_tags_of_every_date_and_cloud_are_read() {
    let Some(folder) = corpus("service_tags_of_every_date_and_cloud_are_read") else { return };
    let aad = |document: &Document| document.parts["AzureActiveDirectory"].clone();
    let newest = tags(&folder, "azure-ServiceTags_Public.20251110.cn376.json.gz");
    assert_eq!((newest.names.len(), newest.change_number), (3041, Some(376)));
    let nets = aad(&newest);
    assert_eq!((nets.len(), nets.iter().filter(|net| net.addr().is_ipv4()).count()), (216, 200));
    assert_eq!(Ranges::of(&nets).v4.count(), 56_820);
    assert_eq!(newest.parts["AzureActiveDirectory.ServiceEndpoint"].len(), 1212);
    // The address that a customer looked for as text.
    let find = |nets: &[ipnet::IpNet]| AddressSet::new(nets).find("20.190.137.45".parse().unwrap());
    assert_eq!(find(&nets).unwrap().to_string(), "20.190.128.0/18");
    assert_eq!(find(&newest.parts["AzureActiveDirectory.ServiceEndpoint"]), None);
    for (name, change_number, count) in [
        ("azure-ServiceTags_Public_20190722.json.gz", 82, 95),
        ("azure-ServiceTags_AzureGovernment_20260720.json", 402, 37),
        ("azure-ServiceTags_China_20260720.json", 405, 44),
    ] {
        let document = tags(&folder, name);
        assert_eq!((document.change_number, aad(&document).len()), (Some(change_number), count), "{name}");
    }
    let (before, after) = (
        tags(&folder, "azure-ServiceTags_Public_20250714.json.gz"),
        tags(&folder, "azure-ServiceTags_Public_20250721.json.gz"),
    );
    let lost = |a: &Document, b: &Document| aad(a).iter().filter(|net| !aad(b).contains(net)).count();
    assert_eq!((lost(&after, &before), lost(&before, &after)), (5, 3));
}

/// Every content that the tag ever had, from its oldest to its newest, a few weeks apart.
#[tokio::test]
async fn no_change_of_entras_tag_since_2020_would_have_been_refused() {
    let Some(folder) = corpus("no_change_of_entras_tag_since_2020_would_have_been_refused") else { return };
    let lines = String::from_utf8(read(&folder.join("azure-AzureActiveDirectory-tag.changes-2019-2025.derived.jsonl")))
        .unwrap();
    let origin = Origin::start(say(200, "")).await;
    let part: Arc<str> = "AzureActiveDirectory".into();
    let bench = Bench::new(vec![Spec { kind: Kind::AzureServiceTags, parts: vec![part], ..origin.spec() }]);
    let mut nets = std::collections::BTreeSet::new();
    let mut judged = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let list = |key: &str| -> Vec<String> {
            line[key].as_array().into_iter().flatten().map(|net| net.as_str().unwrap().to_owned()).collect()
        };
        nets.extend(list("added"));
        for net in list("removed") {
            nets.remove(&net);
        }
        assert_eq!(nets.len() as u64, line["prefixes"].as_u64().unwrap(), "{}", line["seen"]);
        let document = serde_json::json!({ "changeNumber": 1, "values": [
            { "name": "AzureActiveDirectory", "properties": { "addressPrefixes": nets } }
        ]});
        origin.says(say(200, document.to_string()));
        let outcome = bench.refresh().await;
        judged.push((line["seen"].as_str().unwrap().to_owned(), nets.len(), outcome.is_success()));
        assert!(outcome.is_success(), "{}: {outcome:?}", line["seen"]);
    }
    assert!(judged.len() > 20, "{judged:?}");
}

#[test]
fn a_list_of_another_vendor_is_read() {
    let Some(folder) = corpus("a_list_of_another_vendor_is_read") else { return };
    let bytes = read(&folder.join("google-goog.20260821.json"));
    let document = parse::document(Kind::List, None, Wanted::All, &bytes).unwrap();
    assert_eq!(document.parts[parse::WHOLE].len(), 114);
}

/// A look-up in all of Okta and Entra's tag. No limit on the time: other work runs on the machine.
#[test]
fn a_look_up_is_measured() {
    let Some(folder) = corpus("a_look_up_is_measured") else { return };
    let newest = days(&folder).pop().unwrap().1;
    let okta = parse::document(Kind::Okta, None, Wanted::All, newest.as_bytes()).unwrap();
    let azure = tags(&folder, "azure-ServiceTags_Public.20251110.cn376.json.gz");
    let set = AddressSet::new(okta.parts.values().flatten().chain(&azure.parts["AzureActiveDirectory"]));
    assert_eq!(set.len(), 2066);
    let hits: Vec<std::net::IpAddr> = okta.parts.values().flatten().map(ipnet::IpNet::addr).collect();
    let started = Instant::now();
    let mut found = 0;
    for round in 0..100_u32 {
        for address in &hits {
            found += usize::from(set.find(std::hint::black_box(*address)).is_some());
            found += usize::from(
                set.find(std::hint::black_box(std::net::Ipv4Addr::from_bits(round * 40_503_607).into())).is_some(),
            );
        }
    }
    let each = started.elapsed() / u32::try_from(hits.len() * 200).unwrap();
    super::report(&format!(
        "a look-up in {} prefixes: {each:?} ({found} found; build without optimization unless --release)",
        set.len()
    ));
    assert!(found >= hits.len() * 100);
}
