//! JSON strings and numbers as text: scanning, decoding, encoding.

use std::borrow::Cow;

use wide::u8x16;

/// Index of the first byte at or behind `i` that ends or breaks a plain run of a string: `"`, `\` or a control. Sixteen
/// bytes at a time.
#[inline]
pub(super) fn plain_run(bytes: &[u8], mut i: usize) -> usize {
    while let Some(chunk) = bytes.get(i..).and_then(|rest| rest.first_chunk::<16>()) {
        let text = u8x16::new(*chunk);
        let is_control = text.min(u8x16::splat(0x1f)).simd_eq(text);
        let marks = text.simd_eq(u8x16::splat(b'"')) | text.simd_eq(u8x16::splat(b'\\')) | is_control;
        let marks = marks.to_bitmask();
        if marks != 0 {
            return i + marks.trailing_zeros() as usize;
        }
        i += 16;
    }
    while let Some(&byte) = bytes.get(i) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        i += 1;
    }
    i
}

/// The end of a JSON number (RFC 8259 6) that begins at `i`, or `None` where none does.
#[inline]
pub(super) fn number_end(bytes: &[u8], mut i: usize) -> Option<usize> {
    let digits = |mut i: usize| {
        let from = i;
        while bytes.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        (i > from).then_some(i)
    };
    if bytes.get(i) == Some(&b'-') {
        i += 1;
    }
    i = if bytes.get(i) == Some(&b'0') { i + 1 } else { digits(i)? };
    if bytes.get(i) == Some(&b'.') {
        i = digits(i + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(i) {
        i += 1;
        if let Some(b'+' | b'-') = bytes.get(i) {
            i += 1;
        }
        i = digits(i)?;
    }
    Some(i)
}

/// Whether the whole text is a JSON number.
pub fn is_number(text: &str) -> bool {
    number_end(text.as_bytes(), 0) == Some(text.len())
}

/// The characters of a JSON string's inner text; borrowed when it has no escapes.
///
/// The text comes from a parsed document, so its escapes are known to be well formed; a broken one would be kept as
/// it stands.
pub fn decode(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = escape(rest.as_bytes()).unwrap_or(('\\', 1));
        out.push(character);
        rest = &rest[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of the escape at the start of `bytes`, and its length there; `None` where it is broken or a lone
/// surrogate.
pub(super) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((simple, 2))
}

fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?;
        let hex = digits.strip_prefix(b"\\u")?;
        hex.iter().try_fold(0u32, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xd800..0xe000).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(scalar)?, 12))
}

/// The text as a JSON string, quotes included.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_encoded(&mut out, text);
    out
}

/// Appends the text as a JSON string, quotes included.
pub fn push_encoded(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

/// Appends the text with JSON's escapes, without quotes.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let plain = plain_run(rest.as_bytes(), 0);
        out.push_str(&rest[..plain]);
        let Some(special) = rest[plain..].chars().next() else { break };
        match special {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let code = control as usize;
                out.push_str("\\u00");
                out.push(char::from(HEX[(code >> 4) & 15]));
                out.push(char::from(HEX[code & 15]));
            }
        }
        rest = &rest[plain + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_encoding() {
        for text in ["", "plain", "a\"b\\c", "\u{0}\u{1f}\n\t\r", "é🚀\u{7f}", "1234567\"", "12345678\\"] {
            let encoded = encode(text);
            assert_eq!(serde_json::from_str::<String>(&encoded).expect("valid"), text);
            assert_eq!(decode(&encoded[1..encoded.len() - 1]), text);
        }
    }

    #[test]
    fn escapes_are_decoded_with_their_surrogates() {
        assert_eq!(decode(r"\u0061\ud83d\ude80\/\b\f"), "a🚀/\u{8}\u{c}");
        assert_eq!(escape(br"\ud83d"), None);
        assert_eq!(escape(br"\ude80\ud83d"), None);
        assert_eq!(escape(br"\u12g4"), None);
    }

    #[test]
    fn a_plain_run_ends_where_it_is_broken() {
        let breaks = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        for byte in 0..=u8::MAX {
            for behind in [0, b'"', b'\\', 0x1f, b' ', b'!', b'#', b']', 0x80, 0xa2, 0xdc, 0xff] {
                for place in 0..20 {
                    let mut bytes = [b'~'; 24];
                    bytes[place] = byte;
                    bytes[place + 1] = behind;
                    let end = bytes.iter().position(|&byte| breaks(byte)).unwrap_or(bytes.len());
                    assert_eq!(plain_run(&bytes, 0), end, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_json_numbers() {
        for good in ["0", "-0", "7", "1.10", "12345678901234567890123", "1.5e-07", "1E+9", "1e5", "1E-5", "-1.5e+10"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "-", "007", "+1", ".5", "1.", "1e", "0x10", "1 ", "NaN", "--1", "1_000", "1.5.2", "1e5e5"] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
