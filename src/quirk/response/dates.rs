//! Dates that are not xsd:dateTime.

use crate::{
    json::{Doc, Kind, Node},
    quirk::{Cx, Id, Mode, Switch, quirk},
};

quirk! {
    /// A date as Unix seconds or milliseconds.
    ///
    /// A dateTime is text in the form of xsd:dateTime (RFC 7643 2.3.5), and SDKs fail on a number.
    ///
    /// A JSON integer becomes `YYYY-MM-DDThh:mm:ssZ`; from 100,000,000,000 on it counts milliseconds, and three digits
    /// of a fraction are written. Only `meta.created`, `meta.lastModified` and declared attributes. Texts of digits,
    /// fractions, negative numbers and what lies behind the year 9999 are left.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","created":1551769414,
    ///   "lastModified":1551769414007}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","created":"2019-03-05T07:03:34Z",
    ///   "lastModified":"2019-03-05T07:03:34.007Z"}}
    /// ```
    pub static DATE_EPOCH = {
        id: "date-epoch",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.5",
        sources: "RFC 7643 2.3.5; no server is named",
    };

    /// A date with a space for the `T`, or an offset without its colon.
    ///
    /// `2022-01-26 16:50:48+0530` is how databases print dates; xsd:dateTime (RFC 7643 2.3.5) has
    /// `2022-01-26T16:50:48+05:30`.
    ///
    /// Space and offset are put right, nothing else: the digits stay. A text that is not exactly such a date is left,
    /// for example one with a zone's name. A zone that is missing is a matter of `date-no-zone`.
    ///
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User",
    ///   "created":"2022-01-26 16:50:48.135+0530"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User",
    ///   "created":"2022-01-26T16:50:48.135+05:30"}}
    /// ```
    pub static DATE_SPACE = {
        id: "date-space",
        direction: Response,
        risk: Safe,
        rfc: "RFC 7643 2.3.5",
        sources: "slashdevops/idp-scim-sync#30",
    };

    /// A date without a zone.
    ///
    /// xsd:dateTime allows it, but then nobody knows which moment is meant: readers take it for their own local time.
    ///
    /// With `date-no-zone` or the switch `date-no-zone-utc` on `fix`, a `Z` is appended. Opt-in, because it is the
    /// operator who has to know that the app means UTC. RFC 7643 2.3.5.
    ///
    /// ```scim
    /// # enable: date-no-zone-utc
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","created":"2019-02-18T08:03:34"}}
    /// ```
    /// ```scim
    /// 200 to GET /Users/2819
    /// content-type: application/scim+json
    ///
    /// {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819",
    ///  "userName":"ada@example.com","meta":{"resourceType":"User","created":"2019-02-18T08:03:34Z"}}
    /// ```
    pub static DATE_NO_ZONE = {
        id: "date-no-zone",
        direction: Response,
        risk: OptIn,
        rfc: "RFC 7643 2.3.5",
        sources: "wso2/product-is#4455, wso2/product-is#6718, PennState/SCIMple-Identity#69",
    };
}

/// Mends a value of a dateTime attribute.
pub(crate) fn fix(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node) {
    match doc.kind(value) {
        Kind::String => {
            let Some(text) = doc.string(value) else { return };
            if is_zoned(text.as_bytes()) {
                return;
            }
            let text = text.into_owned();
            text_date(cx, doc, value, &text);
        }
        Kind::Number => match from_epoch(doc.raw(value)) {
            Some(text) if cx.may(Id::DateEpoch, || doc.pointer(value)) => doc.set_string(value, &text),
            Some(_) => {}
            None => cx.report(Id::DateEpoch, || doc.pointer(value)),
        },
        _ => {}
    }
}

#[cold]
fn text_date(cx: &mut Cx<'_>, doc: &mut Doc<'_>, value: Node, text: &str) {
    let Some((date, zone)) = split(text) else { return };
    let mut fixed = text.to_owned();
    let mended = format!("{}T{}", &date[..10], &date[11..]);
    let zone = match zone {
        Zone::Compact(sign_hours, minutes) => format!("{sign_hours}:{minutes}"),
        Zone::Right(zone) => zone.to_owned(),
    };
    let straight = format!("{mended}{zone}");
    if straight != text {
        if !cx.may(Id::DateSpace, || doc.pointer(value)) {
            return;
        }
        doc.set_string(value, &straight);
        fixed = straight;
    }
    if !zone.is_empty() {
        return;
    }
    let place = || doc.pointer(value);
    let may = match cx.plan.switch(Switch::DateNoZoneUtc) {
        Mode::Fix => {
            cx.findings.note(Id::DateNoZone, true, place);
            true
        }
        Mode::Observe | Mode::Off => cx.may(Id::DateNoZone, place),
    };
    if may {
        fixed.push('Z');
        doc.set_string(value, &fixed);
    }
}

/// Whether it is an xsd:dateTime with a zone, which most are.
fn is_zoned(text: &[u8]) -> bool {
    let Some(zone) = local_end(text) else { return false };
    text[10] == b'T'
        && match &text[zone..] {
            b"Z" => true,
            [b'+' | b'-', a, b, b':', c, d] => offset(*a, *b, *c, *d),
            _ => false,
        }
}

enum Zone<'t> {
    /// `+0530`: sign and hours, minutes.
    Compact(&'t str, &'t str),
    /// As xsd:dateTime has it; empty without one.
    Right(&'t str),
}

/// Date and time, and the zone behind; `None` for what is neither right nor mended here.
fn split(text: &str) -> Option<(&str, Zone<'_>)> {
    let end = local_end(text.as_bytes())?;
    let zone = text.get(end..)?;
    let zone = match zone.as_bytes() {
        b"" | b"Z" => Zone::Right(zone),
        [b'+' | b'-', a, b, b':', c, d] if offset(*a, *b, *c, *d) => Zone::Right(zone),
        [b'+' | b'-', a, b, c, d] if offset(*a, *b, *c, *d) => Zone::Compact(&zone[..3], &zone[3..]),
        _ => return None,
    };
    Some((&text[..end], zone))
}

/// Where `YYYY-MM-DD`, `T` or a space, `hh:mm:ss[.fraction]` ends.
fn local_end(text: &[u8]) -> Option<usize> {
    let head = text.first_chunk::<19>()?;
    let number = |from: usize, to: usize| {
        head[from..to]
            .iter()
            .try_fold(0u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(at, mark)| head[at] != mark) || !matches!(head[10], b'T' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let Some(b'.') = text.get(19) else { return Some(19) };
    let digits = text[20..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(20 + digits)
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Up to 14:00 (XML Schema part 2, 3.2.7.3).
fn offset(a: u8, b: u8, c: u8, d: u8) -> bool {
    [a, b, c, d].iter().all(u8::is_ascii_digit) && {
        let (hours, minutes) = ((a - b'0') * 10 + b - b'0', (c - b'0') * 10 + d - b'0');
        minutes < 60 && (hours < 14 || hours == 14 && minutes == 0)
    }
}

/// From here on a number counts milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973.
const MILLISECONDS: u64 = 100_000_000_000;
/// The last second of the year 9999, the last that four digits can tell.
const LAST: u64 = 253_402_300_799;

/// The date that a JSON integer is as Unix seconds or milliseconds; `None` for other numbers.
fn from_epoch(raw: &str) -> Option<String> {
    let number: u64 = raw.parse().ok()?;
    let (seconds, millis) = if number >= MILLISECONDS { (number / 1000, Some(number % 1000)) } else { (number, None) };
    if seconds > LAST {
        return None;
    }
    let (year, month, day) = civil(seconds / 86_400);
    let time = seconds % 86_400;
    let fraction = millis.map(|millis| format!(".{millis:03}")).unwrap_or_default();
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z", time / 3600, time / 60 % 60, time % 60))
}

/// Year, month and day of a day after 1970-01-01 (Howard Hinnant's `civil_from_days`, for days from 1970 on).
fn civil(day: u64) -> (u64, u64, u64) {
    let z = day + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        for (raw, date) in [
            ("0", Some("1970-01-01T00:00:00Z")),
            ("1551769414", Some("2019-03-05T07:03:34Z")),
            ("951782400", Some("2000-02-29T00:00:00Z")),
            ("99999999999", Some("5138-11-16T09:46:39Z")),
            ("100000000000", Some("1973-03-03T09:46:40.000Z")),
            ("1551769414007", Some("2019-03-05T07:03:34.007Z")),
            ("253402300799999", Some("9999-12-31T23:59:59.999Z")),
            ("253402300800000", None),
            ("-1", None),
            ("1.5", None),
            ("1e9", None),
        ] {
            assert_eq!(from_epoch(raw).as_deref(), date, "{raw}");
        }
    }

    #[test]
    fn dates_with_a_zone_are_told_from_others() {
        for good in ["2019-02-18T08:03:34Z", "2020-02-29T08:03:34.1+05:30", "2023-11-08T16:13:39+00:00"] {
            assert!(is_zoned(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "2019-02-18",
            "2019-02-18T08:03:34",
            "2019-02-18 08:03:34Z",
            "2019-02-30T08:03:34Z",
            "2019-13-01T08:03:34Z",
            "2019-02-18T24:03:34Z",
            "2019-02-18T08:03:34+0530",
            "2019-02-18T08:03:34+15:00",
            "2019-02-18T08:03:34.Z",
        ] {
            assert!(!is_zoned(bad.as_bytes()), "{bad}");
        }
        assert!(split("2019-02-18 08:03:34 +0530").is_none());
        assert!(split("2019-02-18 08:03:34 UTC").is_none());
        assert!(split("2019-02-18 08:03:34é").is_none());
    }
}
