//! DER: a writer for what we sign, and a strict reader for what strangers send.
//!
//! The writer appends; a constructed value is written by a closure and its length put in front afterwards.
//! The reader takes definite, minimal lengths and single-byte tags only, borrows from its input, and has
//! no depth of its own, so that no input can exhaust the stack. It judges no semantics.

use jiff::Timestamp;
use jiff::tz::Offset;

/// Universal and context tags used here.
pub mod tag {
    #![expect(missing_docs, reason = "the names are those of X.680")]
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const ENUMERATED: u8 = 0x0a;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const NUMERIC_STRING: u8 = 0x12;
    pub const PRINTABLE_STRING: u8 = 0x13;
    pub const TELETEX_STRING: u8 = 0x14;
    pub const IA5_STRING: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    pub const BMP_STRING: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// A primitive context tag, `[n]`.
    pub const fn context(n: u8) -> u8 {
        0x80 | n
    }

    /// A constructed context tag, `[n]`.
    pub const fn constructed(n: u8) -> u8 {
        0xa0 | n
    }
}

/// A DER text under construction.
#[derive(Default)]
pub struct Der(Vec<u8>);

impl Der {
    /// An empty text with room for `capacity` octets.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Appends octets that are DER already.
    pub fn raw(&mut self, der: &[u8]) -> &mut Self {
        self.0.extend_from_slice(der);
        self
    }

    /// Appends one value.
    pub fn value(&mut self, tag: u8, content: &[u8]) -> &mut Self {
        self.0.push(tag);
        let (octets, used) = length_octets(content.len());
        self.0.extend_from_slice(&octets[octets.len() - used..]);
        self.raw(content)
    }

    /// Appends one value whose content the closure writes.
    pub fn nest(&mut self, tag: u8, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend_from_slice(&[tag, 0]);
        let start = self.0.len();
        content(self);
        let (octets, used) = length_octets(self.0.len() - start);
        let octets = &octets[octets.len() - used..];
        self.0[start - 1] = octets[0];
        if used > 1 {
            self.0.splice(start..start, octets[1..].iter().copied());
        }
        self
    }

    /// Appends a SEQUENCE.
    pub fn sequence(&mut self, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.nest(tag::SEQUENCE, content)
    }

    /// Appends a non-negative INTEGER from big-endian octets, leading zeros being of no account.
    pub fn unsigned(&mut self, big_endian: &[u8]) -> &mut Self {
        let zeros = big_endian.iter().take_while(|octet| **octet == 0).count();
        let digits = &big_endian[zeros..];
        match digits.first() {
            None => self.value(tag::INTEGER, &[0]),
            Some(first) if first & 0x80 == 0 => self.value(tag::INTEGER, digits),
            Some(_) => self.nest(tag::INTEGER, |der| {
                der.raw(&[0]).raw(digits);
            }),
        }
    }

    /// Appends an OBJECT IDENTIFIER given by its content octets.
    pub fn oid(&mut self, oid: &[u8]) -> &mut Self {
        self.value(tag::OID, oid)
    }

    /// Appends a BIT STRING of whole octets.
    pub fn bit_string(&mut self, octets: &[u8]) -> &mut Self {
        self.nest(tag::BIT_STRING, |der| {
            der.raw(&[0]).raw(octets);
        })
    }

    /// Appends an extension; `critical` is written only where true, as DER wants of a DEFAULT.
    pub fn extension(&mut self, oid: &[u8], critical: bool, value: &[u8]) -> &mut Self {
        self.sequence(|der| {
            der.oid(oid);
            if critical {
                der.value(tag::BOOLEAN, &[0xff]);
            }
            der.value(tag::OCTET_STRING, value);
        })
    }

    /// Appends a time, to the second: UTCTime through 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
    pub fn time(&mut self, at: Timestamp) -> &mut Self {
        let at = Offset::UTC.to_datetime(at);
        let year = u16::try_from(at.year()).unwrap_or(0);
        let mut digits = Vec::with_capacity(15);
        let tag = if (1950..2050).contains(&year) {
            tag::UTC_TIME
        } else {
            push_two(&mut digits, year / 100);
            tag::GENERALIZED_TIME
        };
        push_two(&mut digits, year % 100);
        for part in [at.month(), at.day(), at.hour(), at.minute(), at.second()] {
            push_two(&mut digits, u16::from(part.unsigned_abs()));
        }
        digits.push(b'Z');
        self.value(tag, &digits)
    }

    /// The finished text.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Builds one DER text.
pub fn encode(write: impl FnOnce(&mut Der)) -> Vec<u8> {
    let mut der = Der::default();
    write(&mut der);
    der.finish()
}

fn push_two(digits: &mut Vec<u8>, number: u16) {
    let ascii = |digit: u16| b'0' + (digit % 10) as u8;
    digits.extend_from_slice(&[ascii(number / 10), ascii(number)]);
}

/// The length octets, right-aligned, and how many of them count.
fn length_octets(length: usize) -> ([u8; 9], usize) {
    let mut octets = [0; 9];
    octets[1..].copy_from_slice(&(length as u64).to_be_bytes());
    if length < 0x80 {
        return (octets, 1);
    }
    let digits = 8 - (length as u64).leading_zeros() as usize / 8;
    octets[8 - digits] = 0x80 | digits as u8;
    (octets, digits + 1)
}

/// One value as read.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Identifier, length and content, as they came.
    pub whole: &'a [u8],
}

/// The octets are not DER, or not the DER expected there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("malformed DER")]
pub struct Malformed;

/// Takes values off the front of a DER text.
#[derive(Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `der` from its first octet.
    pub fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next value, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value, whatever it is.
    pub fn next_value(&mut self) -> Result<Value<'a>, Malformed> {
        let (&tag, rest) = self.0.split_first().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (&first, rest) = rest.split_first().ok_or(Malformed)?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let digits = usize::from(first & 0x7f);
            if !(1..=4).contains(&digits) || rest.len() < digits || rest[0] == 0 {
                return Err(Malformed);
            }
            let length = rest[..digits]
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            if length < 0x80 {
                return Err(Malformed);
            }
            (length, &rest[digits..])
        };
        if rest.len() < length {
            return Err(Malformed);
        }
        let (content, rest) = rest.split_at(length);
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Ok(Value {
            tag,
            content,
            whole,
        })
    }

    /// The next value, which has to carry `tag`.
    pub fn expect(&mut self, tag: u8) -> Result<Value<'a>, Malformed> {
        let value = self.next_value()?;
        if value.tag == tag {
            Ok(value)
        } else {
            Err(Malformed)
        }
    }

    /// The inside of the next value, which has to carry `tag`.
    pub fn enter(&mut self, tag: u8) -> Result<Self, Malformed> {
        Ok(Self(self.expect(tag)?.content))
    }

    /// The next value, a non-negative minimal INTEGER, without the octet that only carries the sign.
    pub fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        match self.expect(tag::INTEGER)?.content {
            [] => Err(Malformed),
            [0] => Ok(&[0]),
            [0, second, ..] if second & 0x80 == 0 => Err(Malformed),
            [0, digits @ ..] => Ok(digits),
            [first, ..] if first & 0x80 != 0 => Err(Malformed),
            digits => Ok(digits),
        }
    }

    /// The octets of the next value, a BIT STRING without unused bits.
    pub fn bit_string(&mut self) -> Result<&'a [u8], Malformed> {
        match self.expect(tag::BIT_STRING)?.content {
            [0, octets @ ..] => Ok(octets),
            _ => Err(Malformed),
        }
    }

    /// Succeeds only at the end of the text.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_change_their_type_in_2050() {
        let der = |text: &str| {
            encode(|der| {
                der.time(text.parse().unwrap());
            })
        };
        assert_eq!(der("2026-11-22T08:09:10.9Z"), b"\x17\x0d261122080910Z");
        assert_eq!(der("2049-12-31T23:59:59Z"), b"\x17\x0d491231235959Z");
        assert_eq!(der("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        let der = |octets: &[u8]| {
            encode(|der| {
                der.unsigned(octets);
            })
        };
        assert_eq!(der(&[]), [2, 1, 0]);
        assert_eq!(der(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(der(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn lengths_that_are_not_minimal_are_refused() {
        for der in [
            &[4, 0x81, 1, 0][..],
            &[4, 0x80, 0, 0],
            &[4, 0x82, 0, 1, 0],
            &[4, 2, 0],
            &[4],
        ] {
            assert!(Reader::new(der).next_value().is_err(), "{der:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(lengths in prop::collection::vec(0_usize..70_000, 0..3)) {
            let der = encode(|der| {
                der.sequence(|der| {
                    for length in &lengths {
                        der.value(tag::OCTET_STRING, &vec![7; *length]);
                    }
                });
            });
            let mut outer = Reader::new(&der);
            let mut inner = outer.enter(tag::SEQUENCE).unwrap();
            outer.end().unwrap();
            for length in &lengths {
                prop_assert_eq!(inner.expect(tag::OCTET_STRING).unwrap().content.len(), *length);
            }
            prop_assert!(inner.is_empty());
        }

        #[test]
        fn reading_never_panics(der in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&der);
            while let Ok(value) = reader.next_value() {
                let _ = Reader(value.content).unsigned();
                let _ = Reader(value.content).bit_string();
            }
        }
    }
}
