//! The download page of Azure's list: wherever it links, only what it may link is followed.

use scimshim::fuzzing;

use crate::{
    cost::Cost,
    seeds,
    target::{Shape, Target},
};

pub static TARGET: Target = Target {
    name: "feed-page",
    about: "the download page of Azure's list: no link leads to another host or cloud",
    run,
    seeds: || {
        seeds::bytes(&[
            "<a href=\"https://download.microsoft.com/download/7/1/d/71d86715/ServiceTags_Public_20260720.json\">",
            "{\"url\":\"https:\\/\\/download.microsoft.com\\/x\\/ServiceTags_Public_20260720.json\"}",
            "href=&quot;https:&#x2F;&#x2F;download.microsoft.com&#x2F;ServiceTags_China_20260720.json&quot;",
            "<a href='/download/ServiceTags_AzureGovernment_20260720.json'> <a href='ServiceTags_Public_20250714.json?x=1#y'>",
            "https://example.com/ServiceTags_Public_20260720.json http://download.microsoft.com/ServiceTags_Public_20260720.json",
        ])
    },
    words: &[
        "ServiceTags_",
        "Public_20260720.json",
        "China_",
        "https://",
        "download.microsoft.com/",
        "\\u002F",
        "&#x2F;",
        "&amp;",
        "\"",
        "://",
        "@",
        "%2f",
        "microsoft.com.example",
    ],
    shape: Shape::Bytes,
    longest: 8192,
    // Each name is looked at with up to 2 KiB before it.
    cost: Cost { steps: 2_000_000, steps_per_byte: 20_000, room: 2_000_000, room_per_byte: 4_000 },
};

fn run(data: &[u8]) {
    let Ok(page) = std::str::from_utf8(data) else { return };
    let id = |id: &str| format!("https://www.microsoft.com/en-us/download/details.aspx?id={id}");
    for (asked, cloud) in [(id("56519"), Some("Public")), (id("57062"), Some("China")), (id("1"), None)] {
        let Some(link) = fuzzing::link(page, &asked) else { continue };
        let rest = link.strip_prefix("https://").expect("a page that came by https links https");
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        assert!(host == "microsoft.com" || host.ends_with(".microsoft.com"), "it leads to {host}");
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        assert!(name.starts_with("ServiceTags_") && name.ends_with(".json"), "it leads to another file: {link}");
        assert!(cloud.is_none_or(|cloud| name.starts_with(&format!("ServiceTags_{cloud}_"))), "it is another cloud's");
    }
    if let Some(link) = fuzzing::link(page, "http://mirror.internal:8080/feeds/") {
        let ours = link.starts_with("http://mirror.internal:8080/");
        let theirs = link.split('/').nth(2).is_some_and(|host| {
            let host = host.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
            host == "microsoft.com" || host.ends_with(".microsoft.com")
        });
        assert!(ours || theirs, "a mirror sends us elsewhere: {link}");
    }
}
