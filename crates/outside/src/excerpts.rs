//! Turns what strangers say into text fit for an observation: short, on one line, without control characters.

use chancery_domain::findings::Excerpt;

/// The longest text an observation quotes, in characters.
pub(crate) const EXCERPT_LIMIT: usize = 300;

/// `text` with everything unprintable escaped, cut after `limit` characters.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut room = limit;
    for character in text.chars() {
        let escaped: String = match character {
            '"' | '\'' | '\\' => character.to_string(),
            _ => character.escape_debug().collect(),
        };
        let length = escaped.chars().count();
        if length > room {
            out.push('…');
            return out;
        }
        room -= length;
        out.push_str(&escaped);
    }
    out
}

/// What a stranger said, for a finding.
pub(crate) fn shown(text: &str) -> Excerpt {
    Excerpt::new(excerpt(text, EXCERPT_LIMIT))
}

/// Several texts, quoted and separated, cut after [`EXCERPT_LIMIT`] characters in all.
pub(crate) fn excerpt_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts
        .iter()
        .map(|text| format!("\"{}\"", excerpt(text, EXCERPT_LIMIT)))
        .collect();
    excerpt(&quoted.join(", "), EXCERPT_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_quotes_kept() {
        assert_eq!(
            excerpt("a\r\n\u{1b}[31m\u{202e}\"b\"", 99),
            r#"a\r\n\u{1b}[31m\u{202e}"b""#
        );
    }

    #[test]
    fn long_texts_are_cut_at_the_limit() {
        assert_eq!(excerpt("ü".repeat(9).as_str(), 4), "üüüü…");
        assert_eq!(excerpt("abcd", 4), "abcd");
        let list = excerpt_list(&vec!["x".repeat(200); 5]);
        assert_eq!(list.chars().count(), EXCERPT_LIMIT + 1);
    }
}
