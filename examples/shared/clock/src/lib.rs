//! The time of day as a dependency, so that tests can hold it still.

use std::fmt::Debug;

pub use chrono::{DateTime, NaiveDate, Utc};

/// Something that can be asked for the time.
pub trait Clock: Debug + Send + Sync {
    fn now(&self) -> DateTime<Utc>;

    fn today(&self) -> NaiveDate {
        self.now().date_naive()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_still() {
        let clock = FixedClock(DateTime::UNIX_EPOCH);
        assert_eq!(clock.today().to_string(), "1970-01-01");
        assert_eq!(clock.now(), clock.now());
    }
}
