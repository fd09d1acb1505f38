//! How what was found differs from the value that was wanted.

use super::Excerpt;

/// So many octets of what was found are looked at.
const LOOKED_AT: usize = 16 * 1024;

/// The octets that begin a file compressed by gzip (RFC 1952 §2.3.1).
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Why a content is not the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Difference {
    /// Nothing but white space.
    Empty,
    /// The value, behind a byte order mark.
    ByteOrderMark,
    /// A text of two octets for each character (UTF-16).
    Utf16,
    /// A compressed file that does not say so.
    Compressed,
    /// The value, in quotation marks.
    Quotes,
    /// The value, with white space before, within or after it.
    Spaces,
    /// The value, with characters that cannot be seen.
    Invisible,
    /// The value in other case.
    Case,
    /// An HTML page that holds the value.
    HtmlAround,
    /// An HTML page without it.
    Html,
    /// The beginning or the end of the value.
    Cut,
    /// The value, among other text.
    Among,
    /// Another value of the same form: an older one, or another order's.
    OtherValue,
    /// Anything else.
    Other,
}

impl Difference {
    /// What sets `found` apart from `wanted`; for two that are equal, [`Difference::Other`].
    pub fn between(found: &[u8], wanted: &str) -> Self {
        let found = &found[..found.len().min(LOOKED_AT)];
        if found.starts_with(GZIP_MAGIC) {
            return Self::Compressed;
        }
        if is_utf16(found) {
            return Self::Utf16;
        }
        let text = String::from_utf8_lossy(found);
        let text = text.as_ref();
        if text.trim().is_empty() {
            return Self::Empty;
        }
        if let Some(rest) = text.strip_prefix('\u{feff}')
            && rest.trim_end() == wanted
        {
            return Self::ByteOrderMark;
        }
        if without_quotes(text) == Some(wanted) {
            return Self::Quotes;
        }
        let kept = |drop: fn(char) -> bool| text.chars().filter(|c| !drop(*c)).collect::<String>();
        if kept(char::is_whitespace) == wanted {
            return Self::Spaces;
        }
        if kept(is_invisible) == wanted {
            return Self::Invisible;
        }
        Self::of_text(text, wanted)
    }

    fn of_text(text: &str, wanted: &str) -> Self {
        let bare = text.trim();
        if bare.eq_ignore_ascii_case(wanted) {
            return Self::Case;
        }
        let holds = !wanted.is_empty() && text.contains(wanted);
        match (is_html(bare), holds) {
            (true, true) => Self::HtmlAround,
            (true, false) => Self::Html,
            (false, true) => Self::Among,
            (false, false) if is_part(bare, wanted) => Self::Cut,
            (false, false) if is_of_one_form(bare, wanted) => Self::OtherValue,
            (false, false) => Self::Other,
        }
    }

    /// What to do about it. `what` names the thing at the beginning of a sentence, such as `The file`; `then` says
    /// what is wanted in its place, at the end of one.
    pub fn advice(self, what: &str, then: &str) -> String {
        match self {
            Self::Empty => format!("{what} is empty: {then}."),
            Self::ByteOrderMark => format!(
                "{what} begins with a byte order mark (BOM), which an editor puts there: save it as plain ASCII, or as \
                 UTF-8 without BOM, and {then}."
            ),
            Self::Utf16 => format!(
                "{what} is text in UTF-16 (two bytes for each character): save it as plain ASCII, or as UTF-8 without \
                 BOM, and {then}."
            ),
            Self::Compressed => format!(
                "{what} is compressed (gzip) and is not declared to be: {then}, uncompressed."
            ),
            Self::Quotes => format!(
                "{what} has the value in quotation marks: take the quotation marks away, and {then}."
            ),
            Self::Spaces => format!(
                "{what} has the value with white space before, within or after it: take the white space away, and {then}."
            ),
            Self::Invisible => format!(
                "{what} has the value with characters that cannot be seen, as they come with copying from a page or a \
                 mail: type it anew or paste it as plain text, and {then}."
            ),
            Self::Case => format!(
                "{what} has the value in other case, and small and capital letters count: {then}."
            ),
            Self::HtmlAround => {
                format!("{what} is an HTML page around the value: {then}, as plain text.")
            }
            Self::Html => format!(
                "{what} is an HTML page, perhaps of the site's application, a sign-in, or a check for browsers, and \
                 not the value: let this path be served as it stands, and {then}."
            ),
            Self::Cut => format!("{what} has only a part of the value: {then}."),
            Self::Among => format!("{what} has other text beside the value: {then}."),
            Self::OtherValue => format!(
                "{what} has another value, perhaps an older one or that of another order: {then}."
            ),
            Self::Other => format!("{what} has another content: {then}."),
        }
    }

    /// What was found, for the account of a look: the content where it helps.
    pub(super) fn account(self, quoted: &Excerpt) -> String {
        match self {
            Self::Empty => "an empty file".to_owned(),
            Self::ByteOrderMark => format!("a file with a byte order mark and \"{quoted}\""),
            Self::Utf16 => "a file in UTF-16".to_owned(),
            Self::Compressed => "a compressed file (gzip)".to_owned(),
            Self::Html | Self::HtmlAround => format!("an HTML page, \"{quoted}\""),
            Self::Quotes
            | Self::Spaces
            | Self::Invisible
            | Self::Case
            | Self::Cut
            | Self::Among
            | Self::OtherValue
            | Self::Other => format!("a file with \"{quoted}\""),
        }
    }

    /// How much it tells: of several contents the one that comes nearest to the value is spoken of.
    pub fn nearness(self) -> u8 {
        match self {
            Self::ByteOrderMark
            | Self::Quotes
            | Self::Spaces
            | Self::Invisible
            | Self::Case
            | Self::HtmlAround
            | Self::Among => 4,
            Self::Cut => 3,
            Self::OtherValue => 2,
            Self::Utf16 | Self::Compressed | Self::Html => 1,
            Self::Empty | Self::Other => 0,
        }
    }
}

fn is_utf16(octets: &[u8]) -> bool {
    let has_mark = octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]);
    let zeros = |from: usize| {
        let of_half = octets.iter().skip(from).step_by(2);
        octets.len() >= 4 && of_half.clone().all(|octet| *octet == 0)
    };
    has_mark || zeros(0) || zeros(1)
}

/// What stands between a pair of quotation marks, straight, escaped or typographic.
fn without_quotes(text: &str) -> Option<&str> {
    const MARKS: &[char] = &[
        '"', '\'', '`', '\\', '“', '”', '„', '‟', '‘', '’', '‚', '«', '»', '‹', '›',
    ];
    let inner = text.trim().trim_matches(MARKS).trim();
    (inner.len() < text.trim().len()).then_some(inner)
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fe00}'..='\u{fe0f}'
        )
}

fn is_html(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut head = text;
    if head.len() > 2048 {
        let end = (0..=2048).rev().find(|at| head.is_char_boundary(*at));
        head = &head[..end.unwrap_or(0)];
    }
    let head = head.to_ascii_lowercase();
    let begins = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<?xml",
        "<!--",
        "<script",
        "<meta",
    ];
    begins.iter().any(|tag| head.starts_with(tag))
        || ["<html", "<body", "<title", "<p>", "<div", "<pre", "<br"]
            .iter()
            .any(|tag| head.contains(tag))
}

/// Whether `text` is a piece of `wanted` that is too long to be there by chance.
fn is_part(text: &str, wanted: &str) -> bool {
    const BY_CHANCE: usize = 5;
    let text = text.trim_end_matches("...").trim_end_matches('…');
    text.len() > BY_CHANCE.min(wanted.len() / 2)
        && text.len() < wanted.len()
        && (wanted.starts_with(text) || wanted.ends_with(text))
}

/// Whether two texts are both values as we make them: hexadecimal, of one length, before any dot.
fn is_of_one_form(text: &str, wanted: &str) -> bool {
    let label = |text: &str| text.split('.').next().unwrap_or_default().to_owned();
    let (text, wanted) = (label(text), label(wanted));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    text.len() == wanted.len() && is_hex(&text) && is_hex(&wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUE: &str = "3f2a9c51d8e04b7796a1c0de55aa77bb";

    #[test]
    fn contents_are_told_apart_by_what_is_wrong_with_them() {
        let utf16: Vec<u8> = VALUE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &utf16].concat();
        let cases: [(Vec<u8>, Difference); 25] = [
            (b" \r\n".to_vec(), Difference::Empty),
            (
                [&b"\xef\xbb\xbf"[..], VALUE.as_bytes(), b"\r\n"].concat(),
                Difference::ByteOrderMark,
            ),
            (utf16.clone(), Difference::Utf16),
            (marked, Difference::Utf16),
            (b"\x1f\x8b\x08\x00rest".to_vec(), Difference::Compressed),
            (format!("\"{VALUE}\"\n").into_bytes(), Difference::Quotes),
            (format!("“{VALUE}”").into_bytes(), Difference::Quotes),
            (format!("\\\"{VALUE}\\\"").into_bytes(), Difference::Quotes),
            (format!(" {VALUE}").into_bytes(), Difference::Spaces),
            (format!("\n{VALUE}").into_bytes(), Difference::Spaces),
            (
                format!("{} {}", &VALUE[..8], &VALUE[8..]).into_bytes(),
                Difference::Spaces,
            ),
            (
                format!("\u{200b}{VALUE}").into_bytes(),
                Difference::Invisible,
            ),
            (
                format!("\u{feff}\u{feff}{VALUE}").into_bytes(),
                Difference::Invisible,
            ),
            (format!("{VALUE}\0").into_bytes(), Difference::Invisible),
            (VALUE.to_uppercase().into_bytes(), Difference::Case),
            (
                format!("<html><body>{VALUE}</body></html>").into_bytes(),
                Difference::HtmlAround,
            ),
            (
                format!("<pre>{VALUE}</pre>").into_bytes(),
                Difference::HtmlAround,
            ),
            (
                b"<!DOCTYPE HTML><title>Welcome</title>".to_vec(),
                Difference::Html,
            ),
            (b"\xef\xbb\xbf<!doctype html>".to_vec(), Difference::Html),
            (VALUE.as_bytes()[..20].to_vec(), Difference::Cut),
            (VALUE.as_bytes()[12..].to_vec(), Difference::Cut),
            (format!("value={VALUE}").into_bytes(), Difference::Among),
            (
                format!("{VALUE}\nexample.com").into_bytes(),
                Difference::Among,
            ),
            (
                b"00000000000000000000000000000000".to_vec(),
                Difference::OtherValue,
            ),
            (b"404 page not found".to_vec(), Difference::Other),
        ];
        for (found, difference) in cases {
            let told = Difference::between(&found, VALUE);
            assert_eq!(told, difference, "{}", String::from_utf8_lossy(&found));
            assert!(told.advice("The file", "write x").contains("write x"));
        }
    }

    #[test]
    fn targets_of_aliases_are_compared_by_their_first_label() {
        let wanted = format!("{VALUE}.dcv.platform.example");
        let other = format!("{}.dcv.platform.example", "0".repeat(32));
        assert_eq!(
            Difference::between(other.as_bytes(), &wanted),
            Difference::OtherValue
        );
        let twice = format!("{wanted}.shop.example");
        assert_eq!(
            Difference::between(twice.as_bytes(), &wanted),
            Difference::Among
        );
    }

    proptest! {
        #[test]
        fn no_content_is_beyond_words(found in prop::collection::vec(any::<u8>(), 0..300), value in "[a-f0-9.]{0,40}") {
            let difference = Difference::between(&found, &value);
            prop_assert!(!difference.advice("The file", &value).is_empty());
            prop_assert!(difference.nearness() < 5);
        }
    }
}
