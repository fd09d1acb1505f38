//! How often each credential and each reseller called, by day and month: the sums that processes share.

use chancery_domain::rates::Period;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

/// Calls of a subject in a period.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallCount {
    /// Whose, in words of the caller's.
    pub subject: String,
    /// When.
    pub period: Period,
    /// How many.
    pub calls: u64,
}

/// How many counts one change set adds to.
const AT_ONCE: usize = 200;

impl Store {
    /// Adds calls to the shared sums and gives them back as the sums they led to.
    ///
    /// Where an error is told, some may have been added all the same.
    pub async fn add_calls(
        &self,
        mut counts: Vec<CallCount>,
    ) -> Result<Vec<CallCount>, StoreError> {
        const SQL: &str = "
            insert into call_counts (subject, period, calls, ends_at) values ($1, $2, $3, $4)
            on conflict (subject, period) do update
            set calls = call_counts.calls + excluded.calls
            returning calls";
        // All processes lock the rows in one order.
        counts.sort();
        for counts in counts.chunks_mut(AT_ONCE) {
            let mut change = Change::new();
            for count in &*counts {
                let (subject, period) = (&count.subject, count.period.name());
                let calls = i64::try_from(count.calls).unwrap_or(i64::MAX);
                let values = values![subject, period, calls, count.period.ends_at()];
                change.query(SQL, values);
            }
            let answers = self.commit(change).await?;
            for (count, rows) in counts.iter_mut().zip(answers) {
                let row = rows.first().ok_or_else(|| {
                    StoreError::database("a count was added to and its sum is missing")
                })?;
                count.calls = row.small(0)?;
            }
        }
        Ok(counts)
    }

    /// The shared sums of these periods.
    pub async fn calls_of_all(&self, periods: [Period; 2]) -> Result<Vec<CallCount>, StoreError> {
        const SQL: &str = "
            select subject, period, calls from call_counts where period in ($1, $2)";
        let rows = self
            .scan(SQL, values![periods[0].name(), periods[1].name()])
            .await?;
        let read = |row: &crate::values::Row| {
            let named = |name: &str| periods.into_iter().find(|period| period.name() == name);
            Ok(CallCount {
                subject: row.string(0)?,
                period: row.parsed(1, named)?,
                calls: row.small(2)?,
            })
        };
        rows.iter().map(read).collect()
    }
}
