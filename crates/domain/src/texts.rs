//! Texts that people read and certificates show.

/// Whether a character is not to be seen as one: a control, a line or paragraph separator, or one of
/// Unicode's format characters (general categories Cc, Zl, Zp and Cf), by which two texts that look the same
/// differ, or one looks like another.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether a character has no place in a text that people read: a control, a separator of lines or paragraphs,
/// what turns the direction of what follows, or what Unicode will never make a character. Joiners and others that
/// are not seen may be needed.
pub fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fdd0}'..='\u{fdef}'
        )
        || u32::from(character) & 0xfffe == 0xfffe
}

/// Whether there is nothing to be seen of a text.
pub fn is_blank(text: &str) -> bool {
    let mut characters = text.chars();
    characters.all(|character| character.is_whitespace() || is_invisible(character))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_seen_is_told_from_what_can() {
        for character in
            "\0\u{7f}\u{85}\u{ad}\u{200b}\u{200e}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}".chars()
        {
            assert!(is_invisible(character), "{character:?}");
        }
        for character in "a \u{a0}é-、中ا\u{301}\u{3000}😀".chars() {
            assert!(!is_invisible(character), "{character:?}");
        }
    }

    #[test]
    fn what_misleads_is_told_from_what_is_needed() {
        for character in "\0\n\u{2028}\u{202a}\u{202e}\u{2066}\u{fdd0}\u{ffff}\u{10fffe}".chars() {
            assert!(is_misleading(character), "{character:?}");
        }
        for character in "aé中ا\u{200c}\u{200d}\u{ad}\u{fffd}😀".chars() {
            assert!(!is_misleading(character), "{character:?}");
        }
        assert!(is_blank("\u{200b} \u{feff}\u{2060}") && is_blank(""));
        assert!(!is_blank("क\u{94d}\u{200d}") && !is_blank("a"));
    }

    proptest! {
        #[test]
        fn letters_numbers_and_marks_are_seen(text in "[\\p{L}\\p{N}\\p{M}\\p{S}\\p{P}]*") {
            prop_assert!(!text.contains(is_invisible));
        }

        #[test]
        fn formats_and_separators_of_lines_are_not(text in "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]") {
            prop_assert!(text.contains(is_invisible));
        }
    }
}
