//! The index of common names: which of a reseller's orders have a text somewhere in theirs.
//!
//! It is not kept by the change sets that place orders, which would pay for it, but follows them: a job
//! copies the names of each 64 consecutive orders into a *block*, makes lists by three letters of each 32,768
//! (a *segment*, [`crate::name_grams`]), and merges 32 segments into a larger one, page by page. All of it is
//! written once, for a common name never changes, and read once its number is in `name_indexes`. So
//! [`crate::name_searches`] finds everything at any time; how far the job has come decides only how long
//! that takes.

use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::name_grams::{Tier, merged, pages};
use crate::store::Store;
use crate::values;
use crate::values::Value;

pub(crate) const BLOCK_BITS: u32 = 6;

/// How many segments a larger one is made of.
const MERGED: i64 = 1 << (Tier::LARGE.bits - Tier::SMALL.bits);

/// How many blocks one step writes, and how many pages one change set.
const BLOCKS_AT_ONCE: i64 = 256;
const PAGES_AT_ONCE: usize = 64;

/// How far the index of a reseller's names has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Names {
    /// The ordinal of the newest order.
    pub(crate) orders: i64,
    /// How many blocks there are.
    pub(crate) blocks: i64,
    /// How many small segments.
    segments: i64,
    /// How many large ones.
    merged: i64,
}

impl Names {
    /// How many segments of a tier there are.
    pub(crate) fn segments(self, tier: Tier) -> i64 {
        if tier == Tier::LARGE {
            self.merged
        } else {
            self.segments
        }
    }

    /// How many blocks could be written.
    fn full_blocks(self) -> i64 {
        (self.orders + 1) >> BLOCK_BITS
    }
}

/// How many blocks a segment has.
pub(crate) fn blocks_of(tier: Tier) -> i64 {
    1 << (tier.bits - BLOCK_BITS)
}

/// The id of a block's row.
pub(crate) fn block_id(reseller: ResellerId, block: i64) -> i64 {
    (reseller.0 << 32) + block
}

impl Store {
    /// How many orders a reseller has, and how far the index has come; nothing of a reseller that is not.
    pub(crate) async fn names(&self, reseller: ResellerId) -> Result<Names, StoreError> {
        const SQL: &str = "
            select r.order_count, coalesce(x.blocks, 0), coalesce(x.segments, 0),
                coalesce(x.merged, 0)
            from resellers r left join name_indexes x on x.reseller_id = r.id where r.id = $1";
        match self.query_one(SQL, values![reseller.0]).await? {
            Some(row) => Ok(Names {
                orders: row.int(0)?,
                blocks: row.int(1)?,
                segments: row.int(2)?,
                merged: row.int(3)?,
            }),
            None => Ok(Names::default()),
        }
    }

    /// The resellers whose index has something to catch up with.
    pub async fn resellers_to_index(&self) -> Result<Vec<ResellerId>, StoreError> {
        const SQL: &str = "
            select r.id from resellers r left join name_indexes x on x.reseller_id = r.id
            where (r.order_count + 1) >> 6 > coalesce(x.blocks, 0)
                or coalesce(x.blocks, 0) >> 9 > coalesce(x.segments, 0)
                or coalesce(x.segments, 0) >> 5 > coalesce(x.merged, 0)
            order by r.id";
        let rows = self.scan(SQL, Vec::new()).await?;
        rows.iter().map(|row| Ok(ResellerId(row.int(0)?))).collect()
    }

    /// Brings a reseller's index one step further; whether there may be more to do.
    pub async fn index_names(&self, reseller: ResellerId) -> Result<bool, StoreError> {
        let names = self.names(reseller).await?;
        let in_segment = blocks_of(Tier::SMALL);
        if names.segments / MERGED > names.merged {
            self.merge_segments(reseller, names.merged).await?;
        } else if names.blocks / in_segment > names.segments {
            self.write_segment(reseller, names.segments).await?;
        } else if names.full_blocks() > names.blocks {
            let up_to = (names.blocks + BLOCKS_AT_ONCE).min((names.segments + 1) * in_segment);
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
            insert into name_blocks (id, names) values ($1, $2) on conflict (id) do nothing";
        const NOTE: &str = "
            insert into name_indexes (reseller_id, blocks, segments, merged) values ($1, $2, 0, 0)
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
            change.execute(WRITE, values![block_id(reseller, block), names]);
        }
        change.execute(NOTE, values![reseller.0, up_to]);
        self.commit(change).await.map(drop)
    }

    /// Writes a segment of the small tier, from its blocks.
    async fn write_segment(&self, reseller: ResellerId, segment: i64) -> Result<(), StoreError> {
        const READ: &str = "select names from name_blocks where id between $1 and $2 order by id";
        const NOTE: &str = "
            update name_indexes set segments = $2 + 1 where reseller_id = $1 and segments = $2";
        let first = segment * blocks_of(Tier::SMALL);
        let [first, last] = [first, first + blocks_of(Tier::SMALL) - 1];
        let ids = values![block_id(reseller, first), block_id(reseller, last)];
        let rows = self.scan(READ, ids).await?;
        if rows.len() as i64 != blocks_of(Tier::SMALL) {
            return Err(StoreError::database("a block of names is missing"));
        }
        let pages = tokio::task::spawn_blocking(move || {
            let names = rows
                .iter()
                .map(|row| row.text(0).map(|text| text.split('\n')));
            let names: Vec<_> = names.collect::<Result<_, _>>()?;
            Ok::<_, StoreError>(pages(names.into_iter().flatten()))
        });
        let pages = pages.await.map_err(StoreError::database)??;
        for pages in pages.chunks(PAGES_AT_ONCE) {
            let mut change = Change::new();
            write_pages(&mut change, reseller, Tier::SMALL, segment, pages);
            self.commit(change).await?;
        }
        self.note(NOTE, reseller, segment).await
    }

    /// Writes a segment of the large tier, from those of the small one; and drops what the one before was
    /// made of, which nobody has read since this one began to fill.
    async fn merge_segments(&self, reseller: ResellerId, segment: i64) -> Result<(), StoreError> {
        const READ: &str = "
            select segment, postings from name_postings
            where reseller_id = $1 and tier = $2 and page = $3 and segment between $4 and $5";
        const DROP: &str = "
            delete from name_postings
            where reseller_id = $1 and tier = $2 and page = $3 and segment < $4";
        const NOTE: &str = "
            update name_indexes set merged = $2 + 1 where reseller_id = $1 and merged = $2";
        let small = i64::from(Tier::SMALL.bits);
        let first = segment * MERGED;
        for page in 0..Tier::SMALL.pages() {
            let values = values![reseller.0, small, page, first, first + MERGED - 1];
            let mut parts = vec![Vec::new(); MERGED as usize];
            for row in self.scan(READ, values).await? {
                let at: usize = (row.int(0)? - first).try_into().unwrap_or(usize::MAX);
                if let Some(part) = parts.get_mut(at) {
                    *part = row.bytes(1)?.to_vec();
                }
            }
            let pages = tokio::task::spawn_blocking(move || merged(&parts));
            let pages = pages.await.map_err(StoreError::database)?;
            let pages = pages.ok_or_else(damaged)?;
            let mut change = Change::new();
            write_pages(&mut change, reseller, Tier::LARGE, segment, &pages);
            change.execute(DROP, values![reseller.0, small, page, first]);
            self.commit(change).await?;
        }
        self.note(NOTE, reseller, segment).await
    }

    async fn note(
        &self,
        sql: &'static str,
        reseller: ResellerId,
        segment: i64,
    ) -> Result<(), StoreError> {
        let conflict = Failure::Conflict {
            what: "name index",
            id: reseller.0,
        };
        let mut change = Change::new();
        change.expect_one(sql, values![reseller.0, segment], conflict);
        self.commit(change).await.map(drop)
    }
}

fn write_pages(
    change: &mut Change,
    reseller: ResellerId,
    tier: Tier,
    segment: i64,
    pages: &[(u32, Vec<u8>)],
) {
    const SQL: &str = "
        insert into name_postings (reseller_id, tier, page, segment, postings)
        values ($1, $2, $3, $4, $5)
        on conflict (reseller_id, tier, page, segment) do nothing";
    for (page, postings) in pages {
        let postings = Value::from(&postings[..]);
        change.execute(
            SQL,
            values![reseller.0, tier.bits, *page, segment, postings],
        );
    }
}

pub(crate) fn damaged() -> StoreError {
    StoreError::database("a page of the index of names is damaged")
}
