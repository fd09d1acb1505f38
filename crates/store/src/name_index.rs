//! The index of common names: which of a reseller's orders have a text somewhere in theirs.
//!
//! It is not kept by the change sets that place orders, which would pay for it, but follows them: a job
//! copies the names of each 64 consecutive orders into a *block*, and of each 131,072 into a *segment* of
//! lists by three letters ([`crate::name_grams`]). Both are written once, for a common name never changes. A
//! search reads, from the newest on: orders that are in no block yet, blocks that are in no segment yet, then
//! segments, and of those the blocks that the lists name. So it finds everything at any time; how far the
//! job has come decides only how long that takes.

use std::collections::HashMap;

use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::name_grams::{Gram, PAGES, Places, common, pages, places, some_grams};
use crate::order_searches::{LOOKED_AT_MOST, Span};
use crate::organizations::literal;
use crate::reading::set_of;
use crate::store::Store;
use crate::values;

const BLOCK_BITS: u32 = 6;
const SEGMENT_BITS: u32 = 17;
const BLOCKS_OF_A_SEGMENT: i64 = 1 << (SEGMENT_BITS - BLOCK_BITS);

/// The most orders outside all blocks that a search looks at.
const LOOSE_MOST: i64 = 1 << 16;

/// The most blocks that a search looks at: for a text without lists to go by, a million orders.
const BLOCKS_MOST: i64 = 1 << 14;

/// How many grams of a text are looked up.
const GRAMS_MOST: usize = 8;

/// How many blocks one run of the job writes, and how many pages one change set.
const BLOCKS_AT_ONCE: i64 = 256;
const PAGES_AT_ONCE: usize = 64;

/// How far the index of a reseller's names has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Names {
    /// The ordinal of the newest order.
    pub(crate) orders: i64,
    blocks: i64,
    segments: i64,
}

impl Names {
    /// How many blocks could be written.
    fn full_blocks(self) -> i64 {
        (self.orders + 1) >> BLOCK_BITS
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
    /// How many orders a reseller has, and how far the index has come; nothing of a reseller that is not.
    pub(crate) async fn names(&self, reseller: ResellerId) -> Result<Names, StoreError> {
        const SQL: &str = "
            select r.order_count, coalesce(x.blocks, 0), coalesce(x.segments, 0)
            from resellers r left join name_indexes x on x.reseller_id = r.id where r.id = $1";
        let row = self.query_one(SQL, values![reseller.0]).await?;
        match row {
            Some(row) => Ok(Names {
                orders: row.int(0)?,
                blocks: row.int(1)?,
                segments: row.int(2)?,
            }),
            None => Ok(Names {
                orders: 0,
                blocks: 0,
                segments: 0,
            }),
        }
    }

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
            text,
            span,
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

    /// The resellers whose index has something to catch up with.
    pub async fn resellers_to_index(&self) -> Result<Vec<ResellerId>, StoreError> {
        const SQL: &str = "
            select r.id from resellers r left join name_indexes x on x.reseller_id = r.id
            where (r.order_count + 1) >> 6 > coalesce(x.blocks, 0)
                or coalesce(x.blocks, 0) >> 11 > coalesce(x.segments, 0)
            order by r.id";
        let rows = self.scan(SQL, Vec::new()).await?;
        rows.iter().map(|row| Ok(ResellerId(row.int(0)?))).collect()
    }

    /// Brings a reseller's index one step further; whether there may be more to do.
    pub async fn index_names(&self, reseller: ResellerId) -> Result<bool, StoreError> {
        let names = self.names(reseller).await?;
        if names.blocks / BLOCKS_OF_A_SEGMENT > names.segments {
            self.write_segment(reseller, names.segments).await?;
        } else if names.full_blocks() > names.blocks {
            let next_segment = (names.segments + 1) * BLOCKS_OF_A_SEGMENT;
            let up_to = (names.blocks + BLOCKS_AT_ONCE).min(next_segment);
            let up_to = up_to.min(names.full_blocks());
            self.write_blocks(reseller, names.blocks, up_to).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Writes the blocks from one to before another.
    async fn write_blocks(
        &self,
        reseller: ResellerId,
        from: i64,
        up_to: i64,
    ) -> Result<(), StoreError> {
        const READ: &str = "
            select ordinal, common_name from orders
            where reseller_id = $1 and ordinal between $2 and $3 order by ordinal";
        const WRITE: &str = "
            insert into name_blocks (reseller_id, block, names) values ($1, $2, $3)
            on conflict (reseller_id, block) do nothing";
        const NOTE: &str = "
            insert into name_indexes (reseller_id, blocks, segments) values ($1, $2, 0)
            on conflict (reseller_id) do update set blocks = excluded.blocks
            where name_indexes.blocks < excluded.blocks";
        let last = (up_to << BLOCK_BITS) - 1;
        let values = values![reseller.0, from << BLOCK_BITS, last];
        let rows = self.scan(READ, values).await?;
        let mut rows = rows.iter().peekable();
        let mut change = Change::new();
        for block in from..up_to {
            let mut names = String::new();
            for ordinal in block << BLOCK_BITS..(block + 1) << BLOCK_BITS {
                // There is no order 0.
                while let Some(row) = rows.next_if(|row| row.int(0).is_ok_and(|at| at <= ordinal)) {
                    names.push_str(row.text(1)?);
                }
                names.push('\n');
            }
            names.pop();
            change.execute(WRITE, values![reseller.0, block, names]);
        }
        change.execute(NOTE, values![reseller.0, up_to]);
        self.commit(change).await.map(drop)
    }

    async fn write_segment(&self, reseller: ResellerId, segment: i64) -> Result<(), StoreError> {
        const WRITE: &str = "
            insert into name_postings (reseller_id, page, segment, postings) values ($1, $2, $3, $4)
            on conflict (reseller_id, page, segment) do nothing";
        const NOTE: &str = "
            update name_indexes set segments = $2 + 1 where reseller_id = $1 and segments = $2";
        let first = segment * BLOCKS_OF_A_SEGMENT;
        let mut blocks = Vec::new();
        for from in (first..first + BLOCKS_OF_A_SEGMENT).step_by(BLOCKS_AT_ONCE as usize) {
            let last = from + BLOCKS_AT_ONCE - 1;
            blocks.extend(self.name_blocks(reseller, from, last).await?);
        }
        // They come the newest first in each batch.
        blocks.sort_unstable_by_key(|(block, _)| *block);
        if blocks.len() as i64 != BLOCKS_OF_A_SEGMENT {
            return Err(StoreError::database("a block of names is missing"));
        }
        let pages = tokio::task::spawn_blocking(move || {
            pages(blocks.iter().flat_map(|(_, names)| names.split('\n')))
        });
        for pages in pages
            .await
            .map_err(StoreError::database)?
            .chunks(PAGES_AT_ONCE)
        {
            let mut change = Change::new();
            for (page, postings) in pages {
                let values = values![reseller.0, *page, segment, &postings[..]];
                change.execute(WRITE, values);
            }
            self.commit(change).await?;
        }
        let mut change = Change::new();
        let conflict = Failure::Conflict {
            what: "name index",
            id: reseller.0,
        };
        change.expect_one(NOTE, values![reseller.0, segment], conflict);
        self.commit(change).await.map(drop)
    }

    /// The blocks of a range, the newest first.
    async fn name_blocks(
        &self,
        reseller: ResellerId,
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        const SQL: &str = "
            select block, names from name_blocks
            where reseller_id = $1 and block between $2 and $3 order by block desc";
        let rows = self.scan(SQL, values![reseller.0, first, last]).await?;
        rows.iter()
            .map(|row| Ok((row.int(0)?, row.string(1)?)))
            .collect()
    }
}

/// A search by name under way.
struct Look<'a> {
    store: &'a Store,
    reseller: ResellerId,
    text: &'a str,
    span: Span,
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
        let [old, new] = [self.span.first, self.span.last].map(|ordinal| ordinal >> BLOCK_BITS);
        let new = new.min(names.blocks - 1);
        let grams = some_grams(self.text, GRAMS_MOST);
        let in_segments = match grams.is_empty() {
            true => 0,
            false => names.segments * BLOCKS_OF_A_SEGMENT,
        };
        self.at_blocks(old.max(in_segments), new).await?;
        let [old, new] =
            [old, new.min(in_segments - 1)].map(|block| block.div_euclid(BLOCKS_OF_A_SEGMENT));
        let (mut new, mut batch) = (new, 1);
        while new >= old && !self.is_cut {
            let from = old.max(new - batch + 1);
            self.at_segments(&grams, from, new).await?;
            (new, batch) = (from - 1, (batch * 4).min(16));
        }
        Ok(())
    }

    /// Looks at the orders from an ordinal on.
    async fn at_orders(&mut self, from: i64) -> Result<(), StoreError> {
        const SQL: &str = "
            select ordinal from orders
            where reseller_id = $1 and ordinal between $2 and $3 and common_name like $4 escape '!'
            order by ordinal desc limit $5";
        let first = from.max(self.span.first);
        let bounded = first.max(self.span.last - LOOSE_MOST + 1);
        if bounded > self.span.last {
            return Ok(());
        }
        let pattern = format!("%{}%", literal(self.text));
        let (reseller, last) = (self.reseller.0, self.span.last);
        let values = values![reseller, bounded, last, pattern, LOOKED_AT_MOST + 1];
        for row in self.store.scan(SQL, values).await? {
            self.found.push(row.int(0)?);
        }
        self.is_cut = self.is_enough() || bounded > first;
        Ok(())
    }

    /// Looks through a range of blocks.
    async fn at_blocks(&mut self, first: i64, last: i64) -> Result<(), StoreError> {
        let (mut last, mut batch) = (last, 64);
        while last >= first && !self.is_cut {
            if self.blocks_left == 0 {
                self.is_cut = true;
                break;
            }
            let from = first.max(last - batch.min(self.blocks_left) + 1);
            let blocks = self.store.name_blocks(self.reseller, from, last).await?;
            self.blocks_left -= last - from + 1;
            self.note(&blocks);
            (last, batch) = (from - 1, (batch * 4).min(1024));
        }
        Ok(())
    }

    /// Looks through a range of segments.
    async fn at_segments(
        &mut self,
        grams: &[Gram],
        first: i64,
        last: i64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            select segment, page, postings from name_postings
            where reseller_id = $1 and page in ($2, $3, $4, $5, $6, $7, $8, $9)
                and segment between $10 and $11";
        let mut values = values![self.reseller.0];
        for at in 0..GRAMS_MOST {
            values.push(grams.get(at).map_or(PAGES, |gram| gram.page()).into());
        }
        values.extend(values![first, last]);
        let rows = self.store.scan(SQL, values).await?;
        let mut found: HashMap<(i64, u32), &[u8]> = HashMap::new();
        for row in &rows {
            found.insert((row.int(0)?, row.small(1)?), row.bytes(2)?);
        }
        for segment in (first..=last).rev() {
            let mut lists = Vec::new();
            let mut is_nowhere = false;
            for gram in grams {
                let place = match found.get(&(segment, gram.page())) {
                    Some(page) => places(page, *gram)
                        .ok_or_else(|| StoreError::database("a page of names is damaged"))?,
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
            let base = segment << SEGMENT_BITS;
            if lists.is_empty() {
                let [first, last] = [base, base + (1 << SEGMENT_BITS) - 1]
                    .map(|at| at.clamp(self.span.first, self.span.last) >> BLOCK_BITS);
                self.at_blocks(first, last).await?;
            } else {
                let places = common(lists).into_iter().rev();
                let ordinals = places.map(|place| base + i64::from(place));
                let span = self.span;
                let mut blocks: Vec<i64> = ordinals
                    .filter(|ordinal| span.contains(*ordinal))
                    .map(|ordinal| ordinal >> BLOCK_BITS)
                    .collect();
                blocks.dedup();
                self.at_listed(&blocks).await?;
            }
            if self.is_cut {
                break;
            }
        }
        Ok(())
    }

    /// Looks at blocks of a list, the newest first.
    async fn at_listed(&mut self, mut blocks: &[i64]) -> Result<(), StoreError> {
        const SQL: &str = "
            select block, names from name_blocks
            where reseller_id = $1 and block in (select cast(key as bigint) from json_each($2))
            order by block desc";
        let mut batch = 64;
        while !blocks.is_empty() && !self.is_cut {
            if self.blocks_left == 0 {
                self.is_cut = true;
                break;
            }
            let count = blocks.len().min(batch).min(self.blocks_left as usize);
            let (these, rest) = blocks.split_at(count);
            let values = values![self.reseller.0, set_of(these)];
            let rows = self.store.scan(SQL, values).await?;
            let found = rows.iter().map(|row| Ok((row.int(0)?, row.string(1)?)));
            let found: Vec<(i64, String)> = found.collect::<Result<_, StoreError>>()?;
            self.blocks_left -= count as i64;
            self.note(&found);
            (blocks, batch) = (rest, (batch * 4).min(1024));
        }
        Ok(())
    }

    /// Notes the names of some blocks that have the text.
    fn note(&mut self, blocks: &[(i64, String)]) {
        for (block, names) in blocks {
            if !names.contains(self.text) {
                continue;
            }
            let named = names.split('\n').enumerate();
            let mut found: Vec<i64> = named
                .filter(|(_, name)| name.contains(self.text) && !name.is_empty())
                .map(|(at, _)| (block << BLOCK_BITS) + at as i64)
                .filter(|ordinal| self.span.contains(*ordinal))
                .collect();
            found.reverse();
            self.found.extend(found);
        }
        self.is_cut |= self.is_enough();
    }

    fn is_enough(&self) -> bool {
        self.found.len() as i64 > LOOKED_AT_MOST
    }
}
