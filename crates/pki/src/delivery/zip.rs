//! ZIP archives of a few small files, stored as they are.
//!
//! Certificates hardly compress, so nothing is: what is left of the format is headers and a checksum.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::PackError;

/// A file of an archive.
pub struct File {
    /// Its name, ASCII.
    pub name: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Made on Unix, so that the permissions below count; readable since version 1.0.
const MADE_BY: u16 = 3 << 8 | 20;
const NEEDED: u16 = 10;
const PERMISSIONS: u32 = 0o100_644 << 16;

/// Writes an archive (PKWARE's APPNOTE 6.3), its files dated `now`, UTC.
pub fn archive(files: &[File], now: Timestamp) -> Result<Vec<u8>, PackError> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for file in files {
        let offset = length(archive.len())?;
        let about = about(file, now)?;
        archive.extend(0x0403_4b50_u32.to_le_bytes());
        archive.extend(NEEDED.to_le_bytes());
        archive.extend(&about);
        archive.extend(file.name.as_bytes());
        archive.extend(&file.content);

        directory.extend(0x0201_4b50_u32.to_le_bytes());
        directory.extend(MADE_BY.to_le_bytes());
        directory.extend(NEEDED.to_le_bytes());
        directory.extend(&about);
        // No comment, first disk, no internal attributes.
        directory.extend([0; 6]);
        directory.extend(PERMISSIONS.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(file.name.as_bytes());
    }
    let count = u16::try_from(files.len()).map_err(|_| PackError::Malformed)?;
    let (start, size) = (length(archive.len())?, length(directory.len())?);
    archive.extend(directory);
    archive.extend(0x0605_4b50_u32.to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

/// What both headers of a file say: flags, method, time, checksum, sizes, lengths.
fn about(file: &File, now: Timestamp) -> Result<Vec<u8>, PackError> {
    let (time, date) = dos_time(now);
    let name = u16::try_from(file.name.len()).map_err(|_| PackError::Malformed)?;
    let size = length(file.content.len())?;
    let mut about = vec![0; 4];
    about.extend(time.to_le_bytes());
    about.extend(date.to_le_bytes());
    about.extend(crc32(&file.content).to_le_bytes());
    about.extend(size.to_le_bytes());
    about.extend(size.to_le_bytes());
    about.extend(name.to_le_bytes());
    about.extend([0; 2]);
    Ok(about)
}

fn length(count: usize) -> Result<u32, PackError> {
    u32::try_from(count).map_err(|_| PackError::Malformed)
}

/// Time and date as MS-DOS had them: from 1980, to two seconds.
fn dos_time(at: Timestamp) -> (u16, u16) {
    let at = at.to_zoned(TimeZone::UTC);
    let small = |number: i8| u16::from(number.unsigned_abs());
    let years = at.year().clamp(1980, 2107).abs_diff(1980);
    (
        small(at.hour()) << 11 | small(at.minute()) << 5 | (small(at.second()) / 2),
        years << 9 | small(at.month()) << 5 | small(at.day()),
    )
}

/// CRC-32 as of Ethernet (ITU-T V.42).
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc: u32, _| {
            crc >> 1 ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn times_are_those_of_msdos() {
        let at = |text: &str| dos_time(text.parse().unwrap());
        assert_eq!(at("1980-01-01T00:00:00Z"), (0, 0x21));
        assert_eq!(
            at("2026-11-22T08:09:11Z"),
            (8 << 11 | 9 << 5 | 5, 46 << 9 | 11 << 5 | 22)
        );
        assert_eq!(at("1970-01-01T00:00:00Z").1, 0x21);
    }
}
