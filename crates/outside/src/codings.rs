//! Undoes the coding of a content that came coded although it was asked for as it is (RFC 9110 §8.4).

use std::io::Read;

use chancery_domain::findings::Broken;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::answers::BODY_LIMIT;
use crate::excerpts::shown;

/// How many codings may lie over each other.
const LAYERS: usize = 3;

/// A content without its coding.
#[derive(Debug, Eq, PartialEq)]
pub enum Decoded {
    /// The content.
    Plain(Vec<u8>),
    /// More than [`BODY_LIMIT`].
    TooLarge,
    /// Not to be had.
    Not(Broken),
}

/// Undoes `codings`, which were applied in this order. Never makes more than [`BODY_LIMIT`] of anything.
///
/// A coding that names none (some servers write a character set there) is none.
pub fn decode(codings: &[String], body: &[u8]) -> Decoded {
    if codings.len() > LAYERS {
        return Decoded::Not(Broken::UnknownCoding(shown(&codings.join(", "))));
    }
    let mut content = body.to_vec();
    for coding in codings.iter().rev() {
        let decoded = match coding.as_str() {
            "gzip" | "x-gzip" => inflate(GzDecoder::new(content.as_slice())),
            // With the frame of RFC 1950, as it should be, or without, as some servers send it.
            "deflate" => inflate(ZlibDecoder::new(content.as_slice()))
                .or_else(|_| inflate(DeflateDecoder::new(content.as_slice()))),
            "br" | "zstd" | "compress" | "x-compress" | "dcb" | "dcz" => {
                return Decoded::Not(Broken::UnknownCoding(shown(coding)));
            }
            _ => continue,
        };
        match decoded {
            Ok(Some(decoded)) => content = decoded,
            Ok(None) => return Decoded::TooLarge,
            Err(_) => return Decoded::Not(Broken::Undecodable(shown(coding))),
        }
    }
    Decoded::Plain(content)
}

/// What a decoder makes, or `None` where that is too much.
fn inflate(decoder: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    decoder
        .take(BODY_LIMIT as u64 + 1)
        .read_to_end(&mut content)?;
    Ok((content.len() <= BODY_LIMIT).then_some(content))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn codings(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn contents_come_out_of_their_codings() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"VALUE").unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(b"VALUE").unwrap();
        for (names, body) in [
            ("", b"VALUE".to_vec()),
            ("utf-8", b"VALUE".to_vec()),
            ("gzip", gzip(b"VALUE")),
            ("x-gzip", gzip(b"VALUE")),
            ("gzip gzip", gzip(&gzip(b"VALUE"))),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
        ] {
            assert_eq!(
                decode(&codings(names), &body),
                Decoded::Plain(b"VALUE".to_vec()),
                "{names}"
            );
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_named() {
        let undecodable = |coding| Decoded::Not(Broken::Undecodable(shown(coding)));
        assert_eq!(decode(&codings("gzip"), b"VALUE"), undecodable("gzip"));
        assert_eq!(
            decode(&codings("gzip"), &gzip(b"VALUE")[..12]),
            undecodable("gzip")
        );
        assert_eq!(
            decode(&codings("br"), b"x"),
            Decoded::Not(Broken::UnknownCoding(shown("br")))
        );
        assert!(matches!(
            decode(&codings("gzip gzip gzip gzip"), b""),
            Decoded::Not(_)
        ));
    }

    #[test]
    fn a_small_file_that_would_become_a_large_one_is_given_up() {
        let bomb = gzip(&vec![b'a'; 10_000_000]);
        assert!(bomb.len() < BODY_LIMIT);
        assert_eq!(decode(&codings("gzip"), &bomb), Decoded::TooLarge);
    }
}
