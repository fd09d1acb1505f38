//! Moving the clock, which only OTE mode offers.

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::{Change, Store};

use crate::{App, AppError, Clock};

const CLOCK_OFFSET: &str = "clock_offset_micros";

/// The furthest the clock may be set, so that every date derived from it can be written down.
const LAST_YEAR: i16 = 2199;

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It goes forward only.
    #[error("the clock goes forward only: it is {0} already")]
    Backward(Timestamp),
    /// Beyond what dates are kept for.
    #[error("the clock can be set up to the year {LAST_YEAR}")]
    TooFar,
    /// Keeping the new offset failed.
    #[error(transparent)]
    App(#[from] AppError),
}

impl Clock {
    /// The clock as it was left: the system's time plus the offset on record.
    pub async fn restore(store: &Store) -> Result<Self, AppError> {
        let offset = store.meta(CLOCK_OFFSET).await?;
        let micros = offset.map_or(Ok(0), |text| text.parse());
        let micros = micros.map_err(AppError::internal)?;
        Ok(Self::with_offset(SignedDuration::from_micros(micros)))
    }
}

impl App {
    /// Sets the clock, and runs on from there; a restart keeps it.
    pub async fn set_clock(&self, to: Timestamp) -> Result<Timestamp, ClockError> {
        let _alone = self.0.clock_moves.lock().await;
        let now = self.clock.now();
        if to < now {
            return Err(ClockError::Backward(now));
        }
        self.move_clock(to.duration_since(now)).await
    }

    /// Moves the clock forward.
    pub async fn advance_clock(&self, by: SignedDuration) -> Result<Timestamp, ClockError> {
        let _alone = self.0.clock_moves.lock().await;
        if by.is_negative() {
            return Err(ClockError::Backward(self.clock.now()));
        }
        self.move_clock(by).await
    }

    /// Keeps the new offset, then goes by it. The caller holds `clock_moves`.
    async fn move_clock(&self, by: SignedDuration) -> Result<Timestamp, ClockError> {
        let now = self.clock.now();
        let there = now.checked_add(by).map_err(|_| ClockError::TooFar)?;
        if there.to_zoned(jiff::tz::TimeZone::UTC).year() > LAST_YEAR {
            return Err(ClockError::TooFar);
        }
        let offset = self.clock.offset() + by;
        let mut change = Change::new();
        change.set_meta(CLOCK_OFFSET, &offset.as_micros().to_string());
        self.store.commit(change).await.map_err(AppError::from)?;
        {
            // What is under way stays ours: nobody claims before it is held on to at the new time.
            let _alone = self.stop_claiming().await;
            self.clock.set_offset(offset);
            self.hold_on().await;
        }
        self.wake_worker();
        Ok(self.clock.now())
    }
}
