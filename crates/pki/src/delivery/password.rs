//! The password of a key store.

use std::fmt;

use zeroize::Zeroizing;

/// A password that a key store is made under. Does not print; clears itself.
pub struct Password(Zeroizing<String>);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has 1 to 128 characters")]
    Length,
    /// It holds characters that no keyboard has, or is not UTF-8.
    #[error("a password is text without control characters")]
    NotText,
}

impl Password {
    /// The most characters.
    pub const MAX_LENGTH: usize = 128;

    /// Takes a text in UTF-8 as it is, spaces included.
    pub fn parse(text: &[u8]) -> Result<Self, PasswordError> {
        let text = str::from_utf8(text).map_err(|_| PasswordError::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(PasswordError::NotText);
        }
        match text.chars().count() {
            1..=Self::MAX_LENGTH => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err(PasswordError::Length),
        }
    }

    /// How many characters it has.
    pub fn length(&self) -> usize {
        self.0.chars().count()
    }

    /// In UTF-8, as PBKDF2 is given it.
    pub(super) fn utf8(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// In UTF-16, as Java's key store hashes it.
    pub(super) fn utf16(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it, so that no copy is left behind by growing.
        let mut octets = Zeroizing::new(Vec::with_capacity(2 * self.0.len() + 2));
        for unit in self.0.encode_utf16() {
            octets.extend_from_slice(&unit.to_be_bytes());
        }
        octets
    }

    /// In UTF-16 and with a zero after it, as PKCS #12 derives keys from it (RFC 7292 §B.1).
    pub(super) fn utf16_terminated(&self) -> Zeroizing<Vec<u8>> {
        let mut octets = self.utf16();
        octets.extend_from_slice(&[0, 0]);
        octets
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
