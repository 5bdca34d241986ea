//! Goods and orders, and where they are kept.

mod process;
mod store;

pub use process::terminated;
pub use store::Store;

use serde::Serialize;

/// Something that can be ordered.
#[derive(Debug, Serialize)]
pub struct Good {
    pub id: i32,
    pub name: String,
    pub note: String,
    /// In cents.
    pub price: i32,
    /// Its colour, as an angle on the colour wheel.
    pub hue: i32,
}

/// What somebody ordered.
#[derive(Debug, Serialize)]
pub struct Order {
    pub id: i32,
    pub good: String,
    pub state: State,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has it yet.
    Open,
    /// A worker has it.
    Taken,
    Done,
}

impl State {
    /// As the database has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Done => "done",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "taken" => Self::Taken,
            _ => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        for state in [State::Open, State::Taken, State::Done] {
            assert_eq!(State::of(state.word()), state);
        }
    }
}
