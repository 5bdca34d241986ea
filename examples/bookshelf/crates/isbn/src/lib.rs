//! ISBN-13 numbers. The checksum is computed by `checksum.c`.

use std::ffi::c_int;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[allow(unsafe_code)]
mod ffi {
    use super::c_int;

    extern "C" {
        fn bookshelf_isbn13_checksum(digits: *const u8, length: usize) -> c_int;
    }

    pub(super) fn checksum(digits: &[u8]) -> c_int {
        // SAFETY: the routine reads `length` bytes from `digits` and keeps nothing.
        unsafe { bookshelf_isbn13_checksum(digits.as_ptr(), digits.len()) }
    }
}

/// A valid ISBN-13, without hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Isbn(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IsbnError {
    #[error("an ISBN-13 has 13 digits, this one has {0} characters")]
    Length(usize),
    #[error("an ISBN-13 is made of digits and hyphens only")]
    NotADigit,
    #[error("the check digit of the ISBN does not fit")]
    Checksum,
}

impl FromStr for Isbn {
    type Err = IsbnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|&c| c != '-' && c != ' ').collect();
        match (digits.chars().count(), ffi::checksum(digits.as_bytes())) {
            (13, 0) => Ok(Self(digits)),
            (_, -1) => Err(IsbnError::NotADigit),
            (13, _) => Err(IsbnError::Checksum),
            (length, _) => Err(IsbnError::Length(length)),
        }
    }
}

impl TryFrom<String> for Isbn {
    type Error = IsbnError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Isbn> for String {
    fn from(isbn: Isbn) -> Self {
        isbn.0
    }
}

impl fmt::Display for Isbn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_hyphens() {
        let isbn: Isbn = "978-0-14-143951-8".parse().unwrap();
        assert_eq!(isbn.to_string(), "9780141439518");
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| text.parse::<Isbn>().unwrap_err();
        assert_eq!(error("9780141439519"), IsbnError::Checksum);
        assert_eq!(error("978014143951"), IsbnError::Length(12));
        assert_eq!(error("97801414395X8"), IsbnError::NotADigit);
    }
}
