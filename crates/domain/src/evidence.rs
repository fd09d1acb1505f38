//! Evidence: what was found about an organization, by whom and when.
//!
//! A piece of it is put on record once and never changed. Which pieces a decision rests on follows from the
//! whole: the newest for each item, and for the cross-check one that is the last word.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::checklists::{ChecklistItem, Source};
use crate::operators::OperatorName;
use crate::registrations::Registration;
use crate::vetting::CaseId;

crate::id! {
    /// The id of a piece of [`Evidence`].
    EvidenceId
}

/// The most characters of a text.
pub const TEXT_MAX: usize = 10_000;

/// The most octets of a file.
pub const FILE_MAX: u64 = 5 * 1024 * 1024;

/// The most characters of a file's name and of a reference.
const NAME_MAX: usize = 500;

/// The most pieces of evidence in a case.
pub const PIECES_MAX: usize = 200;

/// Something that shows an item. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// Of which case.
    pub case: CaseId,
    /// What it shows.
    pub item: ChecklistItem,
    /// Where it comes from.
    pub source: Source,
    /// Where exactly: a URL, an entry's number.
    pub reference: Option<String>,
    /// What was found, in words.
    pub text: Option<String>,
    /// What was found, as a file.
    pub file: Option<EvidenceFile>,
    /// What was found about the registration; with that item only.
    pub registration: Option<Registration>,
    /// Who found it.
    pub collected_by: OperatorName,
    /// When it was found. Its age counts from here.
    pub obtained_at: Timestamp,
    /// When it was put on record.
    pub recorded_at: Timestamp,
}

/// A file on record; its bytes are kept apart.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// How it was called.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Evidence {
    /// Whether there is more of it than is kept.
    pub(crate) fn is_too_large(&self) -> bool {
        let longer =
            |text: Option<&String>, max| text.is_some_and(|text| text.chars().count() > max);
        longer(self.text.as_ref(), TEXT_MAX)
            || longer(self.reference.as_ref(), NAME_MAX)
            || longer(self.file.as_ref().map(|file| &file.name), NAME_MAX)
            || self.file.as_ref().is_some_and(|file| file.size > FILE_MAX)
    }
}

/// When a piece of evidence goes on record beside what is held: now, but after all of that, also where the
/// clock of another server was ahead.
pub fn record_time(held: &[Evidence], now: Timestamp) -> Timestamp {
    let newest = held.iter().map(|held| held.recorded_at).max();
    newest.map_or(now, |newest| {
        now.max(newest + SignedDuration::from_micros(1))
    })
}

/// Who collected any of it. The cross-check collects nothing.
pub(crate) fn collectors(held: &[Evidence]) -> BTreeSet<&OperatorName> {
    let collected = held
        .iter()
        .filter(|held| held.item != ChecklistItem::CrossCheck);
    collected.map(|held| &held.collected_by).collect()
}

/// The piece of evidence that counts for an item: the one obtained last, and for the cross-check one that
/// nothing came after, by someone who collected nothing.
pub(crate) fn used(item: ChecklistItem, held: &[Evidence]) -> Option<&Evidence> {
    let collectors = collectors(held);
    let last = held
        .iter()
        .filter(|held| held.item != ChecklistItem::CrossCheck)
        .map(|held| (held.recorded_at, held.id))
        .max();
    let counts = |held: &&Evidence| {
        held.item == item
            && (item != ChecklistItem::CrossCheck
                || (Some((held.recorded_at, held.id)) > last
                    && !collectors.contains(&held.collected_by)))
    };
    held.iter()
        .filter(counts)
        .max_by_key(|held| (held.obtained_at, held.id))
}
