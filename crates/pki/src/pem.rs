//! PEM: strict when written, lax when read (RFC 7468).
//!
//! Reading takes any line ends and widths, text before the armour, base64 without armour, and what editors,
//! forms and mail programs do to such a text on the way ([`plain`]). It never takes text after the armour: what
//! follows would silently be left out.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

/// Why a text is not the PEM asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemError {
    /// Armour of another kind.
    #[error("this is a {found}, not a {wanted}")]
    Label {
        /// What the armour says.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// No beginning of the armour that can be read.
    #[error("the line '-----BEGIN …-----' is missing or damaged")]
    NoBegin,
    /// No end to the armour.
    #[error("the line '-----END …-----' is missing or damaged")]
    NoEnd,
    /// The label of the end is not that of the beginning.
    #[error("the BEGIN and END lines do not belong together")]
    Mismatch,
    /// Text after the end of the armour.
    #[error("there is more text after the END line")]
    Trailing,
    /// Not base64 inside, because of this character, or because some are missing.
    #[error("the text is not valid base64{}: please copy the whole file again, as plain text", found(.0))]
    Base64(Option<char>),
}

fn found(stray: &Option<char>) -> String {
    stray.map_or_else(String::new, |stray| {
        format!(", since it has {stray:?} in it")
    })
}

const LAX: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes DER under a label, in lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(base64.len() * 65 / 64 + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Reads the one block under one of `labels`, the first of which names the kind in errors, or bare base64.
pub fn decode(text: &str, labels: &[&'static str]) -> Result<Vec<u8>, PemError> {
    let wanted = labels.first().copied().unwrap_or_default();
    let text = plain(text);
    let Some((_, label, rest)) = split_at_armour(&text, "BEGIN") else {
        let capitals = Zeroizing::new(text.to_ascii_uppercase());
        // With a blank beside it, neither word is base64.
        return match capitals.contains("BEGIN ") || capitals.contains("-END ") {
            true => Err(PemError::NoBegin),
            false => decode_base64(&text),
        };
    };
    if !labels.contains(&&*label) {
        let found = label
            .chars()
            .filter(|c| c.is_ascii_uppercase() || *c == ' ')
            .take(40)
            .collect();
        return Err(PemError::Label { found, wanted });
    }
    let (body, end, rest) = split_at_armour(rest, "END").ok_or(PemError::NoEnd)?;
    if end != label {
        return Err(PemError::Mismatch);
    }
    if !rest.trim().is_empty() {
        return Err(PemError::Trailing);
    }
    decode_base64(body)
}

/// Splits a text at its first line of armour with this word: what stands before, the label, what follows.
/// However many dashes there are, at least one before the word.
fn split_at_armour<'a>(text: &'a str, word: &str) -> Option<(&'a str, String, &'a str)> {
    let capitals = Zeroizing::new(text.to_ascii_uppercase());
    let (before, from) = capitals.match_indices(word).find_map(|(at, _)| {
        let before = text[..at].trim_end_matches([' ', '\t']);
        let is_armour = before.ends_with('-');
        is_armour.then(|| (before.trim_end_matches('-'), at + word.len()))
    })?;
    // Without dashes at its end, the label ends with the line.
    let line = text[from..]
        .find(['-', '\r', '\n'])
        .unwrap_or(text.len() - from);
    let words = capitals[from..from + line].split_whitespace();
    let label = words.collect::<Vec<_>>().join(" ");
    let after = text[from + line..].trim_start_matches(['-', ' ']);
    Some((before, label, after))
}

/// What stands for what in a text that was escaped once too often. None of it occurs in base64 or armour.
const ESCAPES: [(&str, &str); 43] = [
    ("\\n", "\n"),
    ("\\r", "\n"),
    ("\\t", " "),
    ("\\/", "/"),
    ("\\\r\n", ""),
    ("\\\n", ""),
    ("<br>", "\n"),
    ("<br/>", "\n"),
    ("<br />", "\n"),
    ("&#10;", "\n"),
    ("&#13;", "\n"),
    ("%0a", "\n"),
    ("%0d", "\n"),
    ("%20", " "),
    ("%2b", "+"),
    ("%2f", "/"),
    ("%3d", "="),
    ("&#x0a;", "\n"),
    ("&#x0d;", "\n"),
    ("&#xa;", "\n"),
    ("&#xd;", "\n"),
    ("&#43;", "+"),
    ("&#47;", "/"),
    ("&#61;", "="),
    ("&#x2b;", "+"),
    ("&#x2f;", "/"),
    ("&#x3d;", "="),
    ("&plus;", "+"),
    ("&sol;", "/"),
    ("&equals;", "="),
    ("&nbsp;", " "),
    ("\\u000a", "\n"),
    ("\\u000d", "\n"),
    ("\\u002b", "+"),
    ("\\u002f", "/"),
    ("\\u003d", "="),
    // Quoted-printable (RFC 2045 §6.7). No '=' but the last one or two is base64.
    ("=\r\n", "\n"),
    ("=\n", "\n"),
    ("=3d", "="),
    // UTF-8 whose octets were taken for characters of Windows: a no-break space, a dash, one without width.
    ("\u{c2}\u{a0}", " "),
    ("\u{e2}\u{20ac}\u{201c}", "-"),
    ("\u{e2}\u{20ac}\u{201d}", "--"),
    ("\u{e2}\u{20ac}\u{2039}", ""),
];

/// How a byte order mark looks when each of its octets was taken for a character, or could not be read.
const BYTE_ORDER_MARKS: [&str; 4] = [
    "\u{ef}\u{bb}\u{bf}",
    "\u{ff}\u{fe}",
    "\u{fe}\u{ff}",
    "\u{fffd}\u{fffd}",
];

/// A pasted text without what cannot be seen (byte order marks, zero-width characters, the NULs of UTF-16 whose
/// octets were taken for characters), with plain spaces, dashes and line ends.
fn plain(text: &str) -> Zeroizing<String> {
    let mut rest = BYTE_ORDER_MARKS
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
        .unwrap_or(text);
    // Never longer than it was, so that no copy of a key is left behind by growing.
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut is_at_line_start = true;
    while let Some(first) = rest.chars().next() {
        let written = plain.len();
        let length = match escape(rest) {
            Some((length, meant)) => {
                plain.push_str(meant);
                length
            }
            None => {
                push_plain(&mut plain, first, is_at_line_start);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
        let new = &plain[written..];
        is_at_line_start = new.ends_with('\n') || (is_at_line_start && new.trim().is_empty());
    }
    plain
}

/// Writes what a character stands for that is no part of an escape.
fn push_plain(plain: &mut String, c: char, is_at_line_start: bool) {
    match c {
        // What a mail program puts before lines it quotes.
        '>' if is_at_line_start => {}
        // The end of a file, to DOS.
        '\0'
        | '\u{1a}'
        | '\u{ad}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => {}
        '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => plain.push('-'),
        // What editors make of two hyphens.
        '\u{2014}' | '\u{2015}' => plain.push_str("--"),
        '\u{85}' | '\u{2028}' | '\u{2029}' => plain.push('\n'),
        other if other.is_whitespace() && !other.is_ascii() => plain.push(' '),
        other => plain.push(other),
    }
}

/// How many backslashes before what is escaped are looked at: each time a text is escaped their number doubles.
const BACKSLASHES: usize = 16;

/// How long an escape at the beginning of a text is, and what it means.
fn escape(text: &str) -> Option<(usize, &'static str)> {
    if !text.starts_with(['\\', '<', '&', '%', '=', '\u{c2}', '\u{e2}']) {
        return None;
    }
    // Escaped again and again, it has more backslashes.
    let octets = text.bytes().take(BACKSLASHES);
    let more = octets.take_while(|octet| *octet == b'\\').count();
    let skipped = more.saturating_sub(1);
    let text = &text.as_bytes()[skipped..];
    let (escaped, meant) = ESCAPES.into_iter().find(|(escaped, _)| {
        let beginning = text.get(..escaped.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(escaped.as_bytes()))
    })?;
    Some((skipped + escaped.len(), meant))
}

/// What is read may be a key: no buffer is left behind, whether it succeeds or not. The alphabet for URLs is
/// taken, too (RFC 4648 §5).
fn decode_base64(text: &str) -> Result<Vec<u8>, PemError> {
    let is_stray =
        |c: &char| !c.is_ascii_alphanumeric() && !c.is_whitespace() && !"+/=-_".contains(*c);
    if let Some(stray) = text.chars().find(is_stray) {
        return Err(PemError::Base64(Some(stray)));
    }
    let octets = text.bytes().filter(|octet| !octet.is_ascii_whitespace());
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(octets.map(|octet| match octet {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }));
    let mut der = Zeroizing::new(vec![0; base64::decoded_len_estimate(compact.len())]);
    let length = LAX
        .decode_slice(&*compact, &mut der)
        .map_err(|_| PemError::Base64(None))?;
    der.truncate(length);
    Ok(std::mem::take(&mut *der))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reading_is_lax_about_form_and_strict_about_kind() {
        let text = "Bag Attributes: x\r\n-----BEGIN CERTIFICATE-----\r\n AQ\r\nID \r\n-----END CERTIFICATE-----\r\n\r\n";
        let labels = &["CERTIFICATE", "X509 CERTIFICATE"];
        assert_eq!(
            decode(text, labels),
            Ok(vec![1, 2, 3].into_iter().take(3).collect())
        );
        assert_eq!(decode(" AQ ID\n", labels), Ok(vec![1, 2, 3]));
        assert_eq!(decode(&format!("{text}x"), labels), Err(PemError::Trailing));
        assert_eq!(
            decode(&format!("{text}{text}"), labels),
            Err(PemError::Trailing)
        );
        assert_eq!(
            decode("-----BEGIN RSA PRIVATE KEY-----\nAQID\n", labels)
                .unwrap_err()
                .to_string(),
            "this is a RSA PRIVATE KEY, not a CERTIFICATE"
        );
        assert_eq!(
            decode("-----BEGIN CERTIFICATE-----\nAQID", labels),
            Err(PemError::NoEnd)
        );
        for headless in [
            "AQID\n-----END CERTIFICATE-----",
            "BEGIN CERTIFICATE\nAQID\n",
        ] {
            assert_eq!(decode(headless, labels), Err(PemError::NoBegin));
        }
    }

    #[test]
    fn what_editors_forms_and_mail_programs_do_is_undone() {
        let good = "-----BEGIN CERTIFICATE-----\nAQID\nBAUG\n-----END CERTIFICATE-----\n";
        let octets_as_characters = |units: fn(u16) -> [u8; 2], mark: &str| {
            let octets = good.encode_utf16().flat_map(units);
            format!("{mark}{}", octets.map(char::from).collect::<String>())
        };
        let bent = [
            good.replace("-----BEGIN", "----BEGIN"),
            good.replace("-----", "-"),
            good.replace("-----", "------"),
            good.replace("-----", "\u{2014}\u{2014}-"),
            good.replace("-----", "\u{2013}"),
            good.replace("-----BEGIN", "----- BEGIN"),
            good.replace("BEGIN ", "BEGIN\u{a0} "),
            good.to_ascii_lowercase()
                .replace("aqid\nbaug", "AQID\nBAUG"),
            good.trim_end().trim_end_matches('-').to_owned(),
            good.replace("CERTIFICATE-----\nA", "CERTIFICATE\nA"),
            good.replace('\n', "\\n"),
            good.replace('\n', "\\\\r\\\\n"),
            good.replace('\n', "\\\n"),
            good.replace('\n', "<br />"),
            good.replace('\n', "%0D%0A").replace(' ', "%20"),
            good.replace('\n', "&#13;&#10;"),
            good.replace('\n', "\u{2028}"),
            good.replace('\n', "\u{a0}\n\u{3000}"),
            good.replace("QI", "Q\u{200b}I\u{ad}"),
            format!("\u{feff}{good}"),
            format!("\u{ef}\u{bb}\u{bf}{good}"),
            octets_as_characters(u16::to_le_bytes, "\u{ff}\u{fe}"),
            octets_as_characters(u16::to_be_bytes, "\u{fe}\u{ff}"),
            octets_as_characters(u16::to_le_bytes, "\u{fffd}\u{fffd}"),
            good.replace('\n', "&#xD;&#xA;"),
            good.replace('\n', "\\u000a"),
            good.replace('\n', "=\r\n"),
            good.replace('\n', "\u{c2}\u{a0}\n"),
            good.replace("QI", "Q\u{e2}\u{20ac}\u{2039}I"),
            good.replace("-----", "\u{e2}\u{20ac}\u{201c}"),
            format!("> {}", good.replace('\n', "\n> ")),
            format!(">> {}", good.replace('\n', "\n>> ")),
            format!("> > {}", good.replace('\n', "\r\n> > ")),
            good.replace('\n', "\\\\\\\\\\\\\\\\n"),
            format!("{good}\u{1a}"),
            "\u{feff}AQIDBAUG".to_owned(),
            "\u{ef}\u{bb}\u{bf}AQID\\nBAUG".to_owned(),
        ];
        for text in bent {
            assert_eq!(
                decode(&text, &["CERTIFICATE"]),
                Ok(vec![1, 2, 3, 4, 5, 6]),
                "{text:?}"
            );
        }
        for text in ["//+/", "__-_", "&#47;&#x2F;&#43;/", "\\u002f/\\u002B/"] {
            assert_eq!(
                decode(text, &["CERTIFICATE"]),
                Ok(vec![255, 255, 191]),
                "{text}"
            );
        }
        for text in ["AQ==", "AQ=3D=3D", "AQ=\n=", "AQ&#61;&#x3d;"] {
            assert_eq!(decode(text, &["CERTIFICATE"]), Ok(vec![1]), "{text}");
        }
        for (text, stray) in [
            ("A!ID", Some('!')),
            ("AQID\u{e9}", Some('\u{e9}')),
            ("AQIDB", None),
        ] {
            assert_eq!(
                decode(text, &["CERTIFICATE"]),
                Err(PemError::Base64(stray)),
                "{text}"
            );
        }
    }

    /// Two texts that differ in length, not in kind: the time for the long one is held against the short one's.
    #[test]
    fn reading_takes_time_in_proportion_to_the_text() {
        const SHORT: usize = 1_024;
        const TIMES: usize = 64;
        let kinds: [fn(usize) -> String; 5] = [
            |length| format!("{}{}", " ".repeat(length / 2), ">".repeat(length / 2)),
            |length| format!("a{}", " >".repeat(length / 2)),
            |length| format!("\n{}", " >".repeat(length / 2)),
            |length| "\\".repeat(length),
            |length| "BEGIN ".repeat(length / 6),
        ];
        for kind in kinds {
            let quickest = |text: &str, runs: usize| {
                let run = || {
                    let began = Instant::now();
                    let _ = decode(text, &["CERTIFICATE"]);
                    began.elapsed()
                };
                (0..runs).map(|_| run()).min().unwrap()
            };
            let (short, long) = (kind(SHORT), kind(SHORT * TIMES));
            let (of_short, of_long) = (quickest(&short, 50), quickest(&long, 5));
            let text = &short[..8];
            // Were it quadratic, it would be 64 times as much.
            let limit = of_short * (8 * TIMES as u32);
            assert!(of_long < limit, "{of_long:?} after {of_short:?}: {text:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in r"[-\\\\nr<%&BEGINDabegindA \n\u{feff}\u{2014}\u{0}é]{0,80}") {
            let _ = decode(&text, &["CERTIFICATE"]);
        }

        #[test]
        fn what_is_written_reads_back(der in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = encode("CERTIFICATE", &der);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            prop_assert_eq!(decode(&text, &["CERTIFICATE"]), Ok(der));
        }
    }
}
