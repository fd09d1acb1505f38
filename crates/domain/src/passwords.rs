//! Passwords that people choose, and what they must look like. How they are kept is not known here.

use std::fmt;

use crate::fields::Problem;

/// The fewest characters of a password (NIST SP 800-63B §5.1.1.2).
const MIN: usize = 8;

/// The most characters of a password: enough for a sentence, and not worth hashing for its length alone.
const MAX: usize = 128;

/// A password as it was sent. It does not print.
#[derive(Clone, Eq, PartialEq)]
pub struct Password(String);

impl Password {
    /// A password as it was sent.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether nobody can have one so long.
    pub fn is_too_long(&self) -> bool {
        self.0.chars().count() > MAX
    }

    /// Why nobody may have it.
    pub fn problem(&self) -> Option<Problem> {
        let is_short = self.0.chars().count() < MIN;
        (is_short || self.is_too_long()).then_some(Problem::Length { min: MIN, max: MAX })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_length_of_a_password_counts() {
        for text in ["12345678", "a sentence", "pässwört", &"x".repeat(128)] {
            assert_eq!(Password::new(text).problem(), None, "{text}");
        }
        for text in ["", "1234567", &"x".repeat(129)] {
            assert!(Password::new(text).problem().is_some(), "{text}");
        }
        assert_eq!(format!("{:?}", Password::new("s3cret")), "Password");
    }
}
