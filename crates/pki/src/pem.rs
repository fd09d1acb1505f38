//! PEM: strict when written, lax when read (RFC 7468).
//!
//! Reading takes any line ends and widths, text before the armour, and base64 without armour. It never
//! takes text after the armour: what follows would silently be left out.

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
    /// No end to the armour.
    #[error("the line '-----END …-----' is missing")]
    NoEnd,
    /// The label of the end is not that of the beginning.
    #[error("the BEGIN and END lines do not belong together")]
    Mismatch,
    /// Text after the end of the armour.
    #[error("there is more text after the END line")]
    Trailing,
    /// Not base64 inside.
    #[error("the text is not valid base64")]
    Base64,
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
    let Some((_, rest)) = text.split_once("-----BEGIN ") else {
        return decode_base64(text);
    };
    let (label, rest) = rest.split_once("-----").ok_or(PemError::NoEnd)?;
    if !labels.contains(&label) {
        let found = label
            .chars()
            .filter(|c| c.is_ascii_uppercase() || *c == ' ')
            .take(40)
            .collect();
        return Err(PemError::Label { found, wanted });
    }
    let (body, rest) = rest.split_once("-----END ").ok_or(PemError::NoEnd)?;
    let (end, rest) = rest.split_once("-----").ok_or(PemError::NoEnd)?;
    if end != label {
        return Err(PemError::Mismatch);
    }
    if !rest.trim().is_empty() {
        return Err(PemError::Trailing);
    }
    decode_base64(body)
}

/// What is read may be a key: no buffer is left behind, whether it succeeds or not.
fn decode_base64(text: &str) -> Result<Vec<u8>, PemError> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.bytes().filter(|octet| !octet.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; base64::decoded_len_estimate(compact.len())]);
    let length = LAX
        .decode_slice(&*compact, &mut der)
        .map_err(|_| PemError::Base64)?;
    der.truncate(length);
    Ok(std::mem::take(&mut *der))
}

#[cfg(test)]
mod tests {
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
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(der in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = encode("CERTIFICATE", &der);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            prop_assert_eq!(decode(&text, &["CERTIFICATE"]), Ok(der));
        }
    }
}
