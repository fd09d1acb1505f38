//! The one source of time.
//!
//! In OTE mode the clock can be moved forward; the offset is kept in the database, so a restart keeps it.
//! Outside OTE the offset is always zero.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chancery_domain::{SignedDuration, Timestamp};

/// Tells the time: the system's, plus an offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that shows the system's time plus an offset.
    pub fn with_offset(offset: SignedDuration) -> Self {
        let clock = Self::default();
        clock.set_offset(offset);
        clock
    }

    /// The time now, in whole microseconds, as the store keeps it.
    pub fn now(&self) -> Timestamp {
        let micros = self.system_micros() + self.offset_micros.load(Ordering::SeqCst);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }

    /// How far the clock is ahead of the system's.
    pub fn offset(&self) -> SignedDuration {
        SignedDuration::from_micros(self.offset_micros.load(Ordering::SeqCst))
    }

    /// Moves the clock; callers keep it from going back.
    pub(crate) fn set_offset(&self, offset: SignedDuration) {
        let micros = i64::try_from(offset.as_micros()).unwrap_or(i64::MAX / 4);
        self.offset_micros.store(micros, Ordering::SeqCst);
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the time comes in")]
    fn system_micros(&self) -> i64 {
        Timestamp::now().as_microsecond()
    }
}
