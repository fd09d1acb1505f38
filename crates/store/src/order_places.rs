//! Where the orders of a page are in a reseller's list: arithmetic of ordinals, of cells and of pages,
//! without a look at the database.

/// Consecutive ordinals, both ends inclusive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Span {
    pub(crate) fn len(self) -> i64 {
        (self.last - self.first + 1).max(0)
    }

    pub(crate) fn contains(self, ordinal: i64) -> bool {
        (self.first..=self.last).contains(&ordinal)
    }

    fn united(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// The levels that orders are counted at: cells are of 2^level ordinals.
pub(crate) const LEVELS: [u32; 3] = [20, 15, 10];

/// The lowest of them, whose cells are buckets.
pub(crate) const BUCKET: u32 = 10;

/// How far apart two orders may be that swapped their ordinals, or nearly.
const SWAPPED: i64 = 256;

/// The buckets around an ordinal that a time was found at: that far, orders may be out of order.
pub(crate) fn around(ordinal: i64, orders: i64) -> Span {
    Span {
        first: ((ordinal - SWAPPED) >> BUCKET << BUCKET).max(1),
        last: ((((ordinal + SWAPPED) >> BUCKET) + 1) << BUCKET).min(orders + 1) - 1,
    }
}

/// The fewest cells that make up a range of buckets: ranges of cells of a level, the newest first.
pub(crate) fn ranges(first: i64, last: i64) -> Vec<(u32, i64, i64)> {
    let [mut old, mut new] = [Vec::new(), Vec::new()];
    let (mut from, mut end) = (first, last + 1);
    let mut level = BUCKET;
    for above in LEVELS.into_iter().rev().skip(1) {
        let cells = 1 << (above - level);
        let [inner_from, inner_end] = [(from + cells - 1) / cells, end / cells];
        if inner_from >= inner_end {
            break;
        }
        old.push((level, from, inner_from * cells));
        new.push((level, inner_end * cells, end));
        (from, end, level) = (inner_from, inner_end, above);
    }
    new.push((level, from, end));
    new.extend(old.into_iter().rev());
    new.retain(|(_, from, end)| from < end);
    new
}

/// A part of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Rows that are looked at one by one.
    Rows(Span),
    /// Orders that are all in the range of time that is asked for. Begins and ends with a bucket, or where
    /// the list does.
    Counted(Span),
}

impl Part {
    pub(crate) fn span(self) -> Span {
        match self {
            Self::Rows(span) | Self::Counted(span) => span,
        }
    }
}

/// The parts of a list of so many orders, the newest first. The limits in time are given as the first
/// ordinals at or after them.
pub(crate) fn parts(orders: i64, from: Option<i64>, before: Option<i64>) -> Vec<Part> {
    let old = from.map(|ordinal| around(ordinal, orders));
    let new = before.map(|ordinal| around(ordinal, orders));
    let between = Span {
        first: old.map_or(1, |old| old.last + 1),
        last: new.map_or(orders, |new| new.first - 1),
    };
    match (old, new) {
        (Some(old), Some(new)) if between.len() == 0 => vec![Part::Rows(old.united(new))],
        _ => [
            new.map(Part::Rows),
            Some(Part::Counted(between)),
            old.map(Part::Rows),
        ]
        .into_iter()
        .flatten()
        .filter(|part| part.span().len() > 0)
        .collect(),
    }
}

/// How many orders that are wanted a stretch of 2^level ordinals has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) level: u32,
    pub(crate) bucket: i64,
    pub(crate) count: i64,
}

impl Cell {
    /// The cells of the level below that it is made of.
    pub(crate) fn parts(self) -> (u32, i64, i64) {
        let mut below = LEVELS.into_iter().filter(|level| *level < self.level);
        let level = below.next().unwrap_or(BUCKET);
        let parts = self.level - level;
        (level, self.bucket << parts, (self.bucket + 1) << parts)
    }
}

/// The page that is looked for: what to leave out, how many to take.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) skip: i64,
    pub(crate) wanted: i64,
}

impl Window {
    /// Goes on behind a part with so many orders, of which so many were taken.
    pub(crate) fn pass(&mut self, count: i64, taken: i64) {
        self.skip -= self.skip.min(count);
        self.wanted -= taken;
    }

    /// Takes the page's share of a part, all of which is given up to the page's end.
    pub(crate) fn cut(&mut self, mut part: Vec<i64>) -> Vec<i64> {
        let count = part.len() as i64;
        part.drain(..count.min(self.skip) as usize);
        part.truncate(usize::try_from(self.wanted).unwrap_or(usize::MAX));
        self.pass(count, part.len() as i64);
        part
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_have_each_bucket_once_the_newest_first(first in 0..70_000_i64, count in 0..70_000_i64) {
            let mut next = first + count;
            let mut cells = 0;
            for (level, from, end) in ranges(first, first + count) {
                let buckets = 1 << (level - BUCKET);
                prop_assert_eq!(end * buckets - 1, next);
                prop_assert!(from < end);
                next = from * buckets - 1;
                cells += if level == LEVELS[0] { 1 } else { end - from };
            }
            prop_assert_eq!(next, first - 1);
            prop_assert!(cells <= 1 + 4 * 31, "{}", cells);
        }

        #[test]
        fn parts_have_each_order_once_the_newest_first(
            orders in 1..20_000_i64,
            from in prop::option::of(1..20_001_i64),
            before in prop::option::of(1..20_001_i64),
        ) {
            let from = from.map(|ordinal| ordinal.min(orders + 1));
            let before = before.map(|ordinal| ordinal.min(orders + 1));
            let limits = (from.unwrap_or(1), before.unwrap_or(orders + 1));
            prop_assume!(limits.0 <= limits.1);
            let parts = parts(orders, from, before);
            let mut next = parts[0].span().last;
            prop_assert!(next >= limits.1 - 1);
            for part in &parts {
                prop_assert_eq!(part.span().last, next);
                next = part.span().first - 1;
                if let Part::Counted(span) = part {
                    // No order near a limit is taken for one that is in time.
                    prop_assert!(from.is_none_or(|from| span.first > from + SWAPPED));
                    prop_assert!(before.is_none_or(|before| span.last < before - SWAPPED));
                    prop_assert!(span.first % 1_024 == 0 || span.first == 1);
                    prop_assert!(span.last % 1_024 == 1_023 || span.last == orders);
                }
            }
            prop_assert!(next < limits.0);
        }
    }
}
