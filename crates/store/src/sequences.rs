//! Ids: reserved from the database in blocks, handed out from memory.
//!
//! A block is a single atomic update, so no two processes ever hand out the same id. What is left of a
//! block when a process ends is never used: ids have gaps, and order ids do not tell how many orders there
//! are. Blocks start small and double while they are used up, so that a short-lived process wastes little
//! and a busy one asks seldom.
//!
//! A block that begins before the end of one that this process has had, or that the record beside the database knows,
//! says that the database went back: its numbers were given out before, and none is given out any more.

use parking_lot::Mutex;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;

/// What is numbered. Each has its own row in the table `sequences`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sequence {
    /// Orders; people read these ids.
    Order,
    /// Contacts; people read these ids.
    Contact,
    /// Customers; people read these ids, which stay clear of those of resellers.
    Customer,
    /// Resellers; people read these ids.
    Reseller,
    /// Organizations; people read these ids.
    Organization,
    /// The public halves of credentials that are numbers.
    AuthUser,
    /// Everything else: issuances, certificates, jobs, events, ledger entries.
    Row,
}

impl Sequence {
    const COUNT: usize = 7;

    /// The name of its row.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Contact => "contact",
            Self::Customer => "customer",
            Self::Reseller => "reseller",
            Self::Organization => "organization",
            Self::AuthUser => "auth-user",
            Self::Row => "row",
        }
    }

    fn largest_block(self) -> i64 {
        match self {
            Self::Order => 1024,
            Self::Contact => 1024,
            Self::Customer => 64,
            Self::Reseller | Self::Organization | Self::AuthUser => 1,
            Self::Row => 8192,
        }
    }
}

#[derive(Default)]
pub(crate) struct Sequences {
    counters: [Counter; Sequence::COUNT],
}

#[derive(Default)]
struct Counter {
    block: Mutex<Block>,
    /// Held by the one caller who reserves the next block, while the others wait for it.
    reserving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Block {
    next: i64,
    end: i64,
    size: i64,
}

impl Counter {
    fn take(&self) -> Option<i64> {
        let mut block = self.block.lock();
        (block.next < block.end).then(|| {
            block.next += 1;
            block.next - 1
        })
    }
}

impl Store {
    /// A number nobody else has or will get.
    pub async fn next_id(&self, sequence: Sequence) -> Result<i64, StoreError> {
        self.refuse_behind()?;
        let counter = &self.sequences().counters[sequence as usize];
        loop {
            if let Some(id) = counter.take() {
                return Ok(id);
            }
            let _turn = counter.reserving.lock().await;
            if let Some(id) = counter.take() {
                return Ok(id);
            }
            let (known, size) = {
                let block = counter.block.lock();
                let size = (block.size * 2).clamp(1, sequence.largest_block());
                (block.end, size)
            };
            let name = sequence.name();
            // Before the database is asked: others may go on meanwhile.
            let recorded = self.record().map_or(0, |record| record.number(name));
            let end = self.reserve(sequence, size).await?;
            let known = known.max(recorded);
            if end - size < known {
                let (given, next) = (known - 1, end - size);
                let why = format!(
                    "numbers of the sequence {name} were given out up to {given}, the database went on at {next}"
                );
                self.declare_behind(&why).await;
                self.refuse_behind()?;
            }
            self.record_reserved(sequence, end).await?;
            *counter.block.lock() = Block {
                next: end - size,
                end,
                size,
            };
        }
    }

    /// Moves a sequence on and answers its new end.
    async fn reserve(&self, sequence: Sequence, size: i64) -> Result<i64, StoreError> {
        const SQL: &str = "update sequences set next = next + $1 where name = $2 returning next";
        let mut change = Change::new();
        change.query(SQL, crate::values![size, sequence.name()]);
        let answers = self.commit(change).await?;
        match answers.first().and_then(|rows| rows.first()) {
            Some(row) => row.int(0),
            None => Err(StoreError::database(
                "the database has no such sequence: migrate it first",
            )),
        }
    }
}
