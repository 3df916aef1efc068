//! The weekly file behind Azure's download page.
//!
//! The page is a shop window that changes its markup about once a year, so nothing is assumed about elements: any text
//! between delimiters that ends in `ServiceTags_<cloud>_<date>.json` is taken for a link, also where HTML or JSON
//! escapes hide its slashes. What is strict is where the link may lead.

use std::collections::BTreeSet;

use reqwest::Url;

/// As far as a link is looked for to the left of its file name.
const LONGEST: usize = 2048;
/// File names that are looked at; the page has two.
const ENOUGH: usize = 64;
const FILE: &str = "ServiceTags_";

/// Why a page leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DiscoverError {
    #[error("the page has no link to a ServiceTags_{0}_*.json, but to those of {1}; set `url`")]
    Cloud(String, String),
    #[error("the page links the files of several clouds ({0}); set `url` to the one that is meant")]
    Clouds(String),
    #[error("the page links to {0}, which is not on microsoft.com; set `url` if that is right")]
    Foreign(String),
    #[error("the page has no link to a ServiceTags_<cloud>_<date>.json; set `url` or `file`")]
    None,
    #[error("the page came by https and links to http")]
    Plain,
}

/// The pages of Microsoft, by the `id` in their address.
const PAGES: [(&str, &str); 4] =
    [("56519", "Public"), ("57062", "China"), ("57063", "AzureGovernment"), ("57064", "AzureGermany")];

/// The newest file that `page` links. It was asked for at `asked`, which says what is trusted, and came from `at`, where
/// relative links begin.
///
/// The tags of all clouds have the same names, so a file of the wrong one is worse than none. A page of Microsoft is one
/// cloud's, as its id says. Of any other page it is the only cloud, or the public one; between two others there is no
/// choosing.
pub(super) fn link(page: &str, asked: &Url, at: &Url) -> Result<Url, DiscoverError> {
    let page = unescape(page);
    let found = page.match_indices(FILE).take(ENOUGH).filter_map(|(index, _)| Found::at(&page, index, at));
    // One link that leads away says nothing of the others.
    let (mut files, mut refused) = (Vec::new(), None);
    for file in found {
        match may_lead(asked, &file.url) {
            Ok(()) => files.push(file),
            Err(error) => refused = Some(error),
        }
    }
    if files.is_empty() {
        return Err(refused.unwrap_or(DiscoverError::None));
    }
    let clouds: BTreeSet<_> = files.iter().map(|file| file.cloud.clone()).collect();
    let id = asked.query_pairs().find(|(name, _)| name == "id").map(|(_, id)| id);
    let of_page = PAGES.iter().find(|(page, _)| id.as_deref() == Some(page)).map(|(_, cloud)| *cloud);
    let cloud = match (of_page, &clouds) {
        (Some(cloud), _) => cloud.to_owned(),
        (None, clouds) if clouds.contains("Public") => "Public".to_owned(),
        (None, clouds) if clouds.len() == 1 => clouds.iter().cloned().collect(),
        (None, _) => return Err(DiscoverError::Clouds(named(&clouds))),
    };
    let newest = files.into_iter().filter(|file| file.cloud == cloud).max_by(|a, b| a.date.cmp(&b.date));
    newest.map(|file| file.url).ok_or_else(|| DiscoverError::Cloud(cloud, named(&clouds)))
}

fn named(clouds: &BTreeSet<String>) -> String {
    clouds.iter().take(8).map(|cloud| cloud.chars().take(40).collect()).collect::<Vec<String>>().join(", ")
}

/// Whether a page at `page` may send us to `url`.
pub(super) fn may_lead(page: &Url, url: &Url) -> Result<(), DiscoverError> {
    if page.scheme() == "https" && url.scheme() != "https" {
        return Err(DiscoverError::Plain);
    }
    // A mirror may hold the file as well as the page; Microsoft's page has no business elsewhere.
    if is_microsoft(url) || (!is_microsoft(page) && url.origin() == page.origin()) {
        return Ok(());
    }
    Err(DiscoverError::Foreign(url.host_str().unwrap_or("no host").to_owned()))
}

fn is_microsoft(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "microsoft.com" || host.ends_with(".microsoft.com"))
}

/// A link to `ServiceTags_<cloud>_<date>.json`.
struct Found {
    url: Url,
    cloud: String,
    /// Year, month and day.
    date: String,
}

impl Found {
    /// The link whose file name begins at `index`, where there is one.
    fn at(page: &str, index: usize, at: &Url) -> Option<Self> {
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>()=,;`\\".contains(c);
        let mut from = index.saturating_sub(LONGEST);
        while !page.is_char_boundary(from) {
            from += 1;
        }
        let start = page[from..index]
            .rfind(ends)
            .map_or(from, |at| at + from + page[from + at..].chars().next().map_or(1, char::len_utf8));
        let length = page[index..].find(|c| ends(c) || c == '?' || c == '#').unwrap_or(page.len() - index);
        let url = at.join(page.get(start..index + length.min(LONGEST))?).ok()?;
        let name = url.path_segments()?.next_back()?.strip_prefix(FILE)?.strip_suffix(".json")?;
        let (cloud, date) = name.rsplit_once('_')?;
        let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        let (cloud, date) = (cloud.to_owned(), date.to_owned());
        is_date.then_some(Self { url, cloud, date })
    }
}

fn unescape(page: &str) -> String {
    let mut text = page.to_owned();
    for (escaped, plain) in [
        ("\\u002F", "/"),
        ("\\u002f", "/"),
        ("\\/", "/"),
        ("&#x2F;", "/"),
        ("&#x2f;", "/"),
        ("&#47;", "/"),
        ("&#x3A;", ":"),
        ("&#58;", ":"),
        ("&#46;", "."),
        ("&#x2E;", "."),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escaped, plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "https://www.microsoft.com/en-us/download/details.aspx?id=56519";
    const FOUND: &str = "https://download.microsoft.com/download/7/1/d/71d86715/ServiceTags_Public_20251110.json";

    fn find(page: &str) -> Result<String, DiscoverError> {
        let at = PAGE.parse().unwrap();
        link(page, &at, &at).map(Into::into)
    }

    #[test]
    fn the_link_is_found_however_it_is_written() {
        for page in [
            format!(r#"<a data-bi-id="download" href="{FOUND}" class="btn">Download</a>"#),
            format!("<A CLASS='btn' HREF='{FOUND}'>"),
            format!("<a href={FOUND}>"),
            format!(r#"<a href="{}">"#, FOUND.replace('/', "&#47;")),
            format!(r#"{{"url":"{}","size":1}}"#, FOUND.replace('/', "\\/")),
            format!(r#"{{"url":"{}"}}"#, FOUND.replace('/', "\\u002F")),
            format!("<script>{{&quot;url&quot;:&quot;{FOUND}&quot;}}</script>"),
            format!(r#"<p>ServiceTags_Public_20251110.json</p><a href="{FOUND}?x=1">"#),
        ] {
            let found = find(&page.replace("?x=1", ""));
            assert_eq!(found.as_deref(), Ok(FOUND), "{page}");
        }
    }

    #[test]
    fn the_newest_of_several_is_taken() {
        let old = FOUND.replace("20251110", "20251103");
        assert_eq!(find(&format!("<a href='{FOUND}'><a href='{old}'>")).as_deref(), Ok(FOUND));
    }

    #[test]
    fn a_link_may_not_lead_away() {
        let at = |host: &str| format!("<a href='https://{host}/ServiceTags_Public_20251110.json'>");
        assert!(find(&at("microsoft.com")).is_ok());
        for host in
            ["evil.example", "microsoft.com.evil.example", "notmicrosoft.com", "download.microsoft.com@evil.example"]
        {
            assert!(matches!(find(&at(host)), Err(DiscoverError::Foreign(_))), "{host}");
        }
        assert_eq!(find(&format!("<a href='{}'>", FOUND.replace("https", "http"))), Err(DiscoverError::Plain));
        assert_eq!(find("<a href='https://download.microsoft.com/other.json'>"), Err(DiscoverError::None));
        assert_eq!(find("<html>Error</html>"), Err(DiscoverError::None));
    }

    #[test]
    fn only_a_date_makes_a_file_newer() {
        for other in ["ServiceTags_Public_99.json", "ServiceTags_Public_999999999.json", "ServiceTags_Public.json"] {
            let other = FOUND.replace("ServiceTags_Public_20251110.json", other);
            assert_eq!(find(&format!("<a href='{other}'><a href='{FOUND}'>")).as_deref(), Ok(FOUND));
            assert_eq!(find(&format!("<a href='{other}'>")), Err(DiscoverError::None));
        }
    }

    #[test]
    fn a_newer_link_that_leads_away_does_not_hide_the_good_one() {
        let evil = "https://evil.example/ServiceTags_Public_20991231.json";
        assert_eq!(find(&format!("<a href='{evil}'><a href='{FOUND}'>")).as_deref(), Ok(FOUND));
    }

    #[test]
    fn the_page_says_which_cloud_is_meant() {
        let of = |cloud: &str| FOUND.replace("Public_20251110", &format!("{cloud}_20260720"));
        let find = |page: &str, clouds: &[&str]| {
            let at = page.parse().unwrap();
            let links: String = clouds.iter().map(|cloud| format!("<a href='{}'>", of(cloud))).collect();
            link(&links, &at, &at).map(String::from)
        };
        const CHINA: &str = "https://www.microsoft.com/en-us/download/details.aspx?id=57062";
        const OTHER: &str = "https://www.microsoft.com/somewhere";
        assert_eq!(find(PAGE, &["China", "Public", "AzureGovernment"]), Ok(of("Public")));
        assert_eq!(find(CHINA, &["China", "Public"]), Ok(of("China")));
        let error = find(CHINA, &["Public"]).unwrap_err().to_string();
        assert_eq!(error, "the page has no link to a ServiceTags_China_*.json, but to those of Public; set `url`");
        assert_eq!(find(OTHER, &["China", "Public"]), Ok(of("Public")));
        assert_eq!(find(OTHER, &["China"]), Ok(of("China")));
        let error = find(OTHER, &["China", "AzureGovernment"]).unwrap_err();
        assert_eq!(error, DiscoverError::Clouds("AzureGovernment, China".into()));
    }

    #[test]
    fn a_mirror_may_hold_page_and_file() {
        let mirror: Url = "http://mirror.example:8080/page".parse().unwrap();
        let page = "<a href='/files/ServiceTags_Public_20251110.json'>";
        assert_eq!(
            link(page, &mirror, &mirror).unwrap().as_str(),
            "http://mirror.example:8080/files/ServiceTags_Public_20251110.json"
        );
        let moved = "http://mirror.example:8080/new/page".parse().unwrap();
        let near = link("<a href=ServiceTags_Public_20251110.json>", &mirror, &moved).unwrap();
        assert_eq!(near.path(), "/new/ServiceTags_Public_20251110.json");
        let other = "<a href='http://mirror.example:9090/ServiceTags_Public_20251110.json'>";
        assert!(matches!(link(other, &mirror, &mirror), Err(DiscoverError::Foreign(_))));
    }

    proptest! {
        #[test]
        fn no_page_panics(before in ".{0,40}", after in ".{0,40}") {
            let _ = find(&format!("{before}ServiceTags_{after}"));
            let _ = find(&format!("{before}/ServiceTags_1.json{after}"));
        }
    }
}
