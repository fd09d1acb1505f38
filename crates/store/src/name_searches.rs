//! Looking for a text in the names of orders, the newest first: at orders that no block has yet, at blocks
//! that no segment has yet, and at those blocks that the lists of segments leave.

use std::collections::HashMap;

use chancery_domain::names::as_read;
use chancery_domain::resellers::ResellerId;

use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::name_grams::{Gram, Places, Tier, common, places, some_grams};
use crate::name_index::{BLOCK_BITS, Names, block_id, blocks_of, damaged};
use crate::order_places::Span;
use crate::order_searches::LOOKED_AT_MOST;
use crate::organizations::literal;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// The most orders outside all blocks that a search looks at.
const LOOSE_MOST: i64 = 1 << 16;

/// The most blocks that a search looks at: for a text without lists to go by, a million orders.
const BLOCKS_MOST: i64 = 1 << 14;

/// How many grams of a text are looked up.
const GRAMS_MOST: usize = 8;

/// What every name has that is written in letters beyond ASCII (RFC 5890 §2.3.2.1).
const ENCODED: &str = "xn--";

/// A text that names are held against. Names are on record in ASCII; a text in other letters is looked for in what
/// people read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamePart<'a>(pub(crate) &'a str);

impl<'a> NamePart<'a> {
    /// What a name that has the text has on record, for lists to go by.
    fn on_record(self) -> &'a str {
        match self.0.is_ascii() {
            true => self.0,
            false => ENCODED,
        }
    }

    /// Whether a name on record has it.
    pub(crate) fn is_in(self, name: &str) -> bool {
        match self.0.is_ascii() {
            true => name.contains(self.0),
            false => name.contains(ENCODED) && as_read(name).contains(self.0),
        }
    }

    /// A pattern that every name on record has which has the text, and perhaps others.
    pub(crate) fn pattern(self) -> String {
        format!("%{}%", literal(self.on_record()))
    }
}

/// What a search by name has found.
pub(crate) struct NamesFound {
    /// The newest first.
    pub(crate) ordinals: Vec<i64>,
    /// Whether these are all.
    pub(crate) is_complete: bool,
}

impl Store {
    /// The newest of a reseller's orders in a span whose names have a text.
    pub(crate) async fn names_with(
        &self,
        reseller: ResellerId,
        names: Names,
        text: &str,
        span: Span,
    ) -> Result<NamesFound, StoreError> {
        let mut look = Look {
            store: self,
            reseller,
            text: NamePart(text),
            span,
            grams: some_grams(NamePart(text).on_record(), GRAMS_MOST),
            blocks_left: BLOCKS_MOST,
            found: Vec::new(),
            is_cut: false,
        };
        look.through(names).await?;
        look.found.truncate(LOOKED_AT_MOST as usize);
        Ok(NamesFound {
            ordinals: look.found,
            is_complete: !look.is_cut,
        })
    }
}

/// A search under way.
struct Look<'a> {
    store: &'a Store,
    reseller: ResellerId,
    text: NamePart<'a>,
    span: Span,
    grams: Vec<Gram>,
    /// How many blocks may still be read.
    blocks_left: i64,
    found: Vec<i64>,
    /// Whether a bound has ended it early.
    is_cut: bool,
}

impl Look<'_> {
    /// Looks everywhere, the newest first, until a bound is met.
    async fn through(&mut self, names: Names) -> Result<(), StoreError> {
        self.at_orders(names.blocks << BLOCK_BITS).await?;
        let tiers = [Tier::SMALL, Tier::LARGE];
        let ends = tiers.map(|tier| match self.grams.is_empty() {
            true => 0,
            false => names.segments(tier) * blocks_of(tier),
        });
        self.at_blocks(ends[0], names.blocks).await?;
        self.at_segments(Tier::SMALL, ends[1], ends[0]).await?;
        self.at_segments(Tier::LARGE, 0, ends[1]).await
    }

    /// What a range of blocks has in common with the span: the first, and the one after the last.
    fn within(&self, from: i64, end: i64) -> (i64, i64) {
        let [first, last] = [self.span.first, self.span.last].map(|ordinal| ordinal >> BLOCK_BITS);
        (from.max(first), end.min(last + 1))
    }

    /// Looks at the orders from an ordinal on.
    async fn at_orders(&mut self, from: i64) -> Result<(), StoreError> {
        const SQL: &str = "
            select ordinal, common_name from orders
            where reseller_id = $1 and ordinal between $2 and $3 and common_name like $4 escape '!'
            order by ordinal desc limit $5";
        let first = from.max(self.span.first);
        let bounded = first.max(self.span.last - LOOSE_MOST + 1);
        if bounded > self.span.last {
            return Ok(());
        }
        let pattern = self.text.pattern();
        let (reseller, last) = (self.reseller.0, self.span.last);
        let values = values![reseller, bounded, last, pattern, LOOKED_AT_MOST + 1];
        let rows = self.store.scan(SQL, values).await?;
        for row in &rows {
            if self.text.is_in(row.text(1)?) {
                self.found.push(row.int(0)?);
            }
        }
        self.is_cut = rows.len() as i64 > LOOKED_AT_MOST || bounded > first;
        Ok(())
    }

    /// Looks through the blocks from one to before another.
    async fn at_blocks(&mut self, from: i64, end: i64) -> Result<(), StoreError> {
        const SQL: &str = "
            select id, names from name_blocks where id between $1 and $2 order by id desc";
        let (from, mut end) = self.within(from, end);
        let mut batch = 64;
        while end > from && self.may_read() {
            let first = from.max(end - batch.min(self.blocks_left));
            let ids = [first, end - 1].map(|block| block_id(self.reseller, block));
            let rows = self.store.scan(SQL, values![ids[0], ids[1]]).await?;
            self.blocks_left -= end - first;
            self.note(&rows)?;
            (end, batch) = (first, (batch * 8).min(1024));
        }
        Ok(())
    }

    /// Looks at blocks of a list, the newest first.
    async fn at_listed(&mut self, mut blocks: &[i64]) -> Result<(), StoreError> {
        const SQL: ByList = by_list!(
            ["select id, names from name_blocks where id"],
            "$1",
            " order by id desc"
        );
        let mut batch = 64;
        while !blocks.is_empty() && self.may_read() {
            let count = blocks.len().min(batch).min(self.blocks_left as usize);
            let (these, rest) = blocks.split_at(count);
            let ids = these.iter().map(|block| block_id(self.reseller, *block));
            let (sql, list) = SQL.with(self.store, ids);
            let rows = self.store.scan(sql, vec![list]).await?;
            self.blocks_left -= count as i64;
            self.note(&rows)?;
            (blocks, batch) = (rest, (batch * 8).min(1024));
        }
        Ok(())
    }

    /// Looks through the segments of a tier that have the blocks from one to before another.
    async fn at_segments(&mut self, tier: Tier, from: i64, end: i64) -> Result<(), StoreError> {
        let (from, end) = self.within(from, end);
        if end <= from {
            return Ok(());
        }
        let [old, mut new] = [from, end - 1].map(|block| block / blocks_of(tier));
        // A common text is found in the newest segment.
        let mut batch = 1;
        while new >= old && !self.is_cut {
            let first = old.max(new - batch + 1);
            self.at_segment_range(tier, first, new).await?;
            (new, batch) = (first - 1, 16);
        }
        Ok(())
    }

    async fn at_segment_range(
        &mut self,
        tier: Tier,
        first: i64,
        last: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            select segment, page, postings from name_postings
            where reseller_id = $1 and tier = $2 and page in ($3, $4, $5, $6, $7, $8, $9, $10)
                and segment between $11 and $12";
        let mut values = values![self.reseller.0, tier.bits];
        for at in 0..GRAMS_MOST {
            // There is no page of that number.
            let page = self
                .grams
                .get(at)
                .map_or(tier.pages(), |gram| tier.page(*gram));
            values.push(page.into());
        }
        values.extend(values![first, last]);
        let rows = self.store.scan(SQL, values).await?;
        let mut pages: HashMap<(i64, u32), &[u8]> = HashMap::new();
        for row in &rows {
            pages.insert((row.int(0)?, row.small(1)?), row.bytes(2)?);
        }
        for segment in (first..=last).rev() {
            if self.is_cut {
                break;
            }
            let mut lists = Vec::new();
            let mut is_nowhere = false;
            for gram in &self.grams {
                let place = match pages.get(&(segment, tier.page(*gram))) {
                    Some(page) => places(page, *gram).ok_or_else(damaged)?,
                    None => Places::Nowhere,
                };
                match place {
                    Places::Nowhere => is_nowhere = true,
                    Places::List(list) => lists.push(list),
                    Places::Everywhere => {}
                }
            }
            if is_nowhere {
                continue;
            }
            let base = segment << tier.bits;
            if lists.is_empty() {
                let from = segment * blocks_of(tier);
                self.at_blocks(from, from + blocks_of(tier)).await?;
                continue;
            }
            let ordinals = common(lists).into_iter().rev();
            let ordinals = ordinals.map(|place| base + i64::from(place));
            let mut blocks: Vec<i64> = ordinals
                .filter(|ordinal| self.span.contains(*ordinal))
                .map(|ordinal| ordinal >> BLOCK_BITS)
                .collect();
            blocks.dedup();
            self.at_listed(&blocks).await?;
        }
        Ok(())
    }

    /// Notes the names of some blocks that have the text.
    fn note(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let names = row.text(1)?;
            if !names.contains(self.text.on_record()) {
                continue;
            }
            let block = row.int(0)? - block_id(self.reseller, 0);
            let named = names.split('\n').enumerate();
            let mut found: Vec<i64> = named
                .filter(|(_, name)| !name.is_empty() && self.text.is_in(name))
                .map(|(at, _)| (block << BLOCK_BITS) + at as i64)
                .filter(|ordinal| self.span.contains(*ordinal))
                .collect();
            found.reverse();
            self.found.extend(found);
        }
        self.is_cut |= self.is_enough();
        Ok(())
    }

    /// Whether more is wanted and may be read. What is wanted and may not be read is cut off.
    fn may_read(&mut self) -> bool {
        self.is_cut |= self.blocks_left == 0;
        !self.is_cut
    }

    fn is_enough(&self) -> bool {
        self.found.len() as i64 > LOOKED_AT_MOST
    }
}
