use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Isbn, Shelf};

/// What a reader says about a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBook {
    pub title: String,
    pub author: String,
    pub isbn: Isbn,
    /// Dewey number.
    pub class: u16,
    #[serde(default)]
    pub shelf: Shelf,
}

/// A book on the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub id: Uuid,
    pub added: NaiveDate,
    #[serde(flatten)]
    pub about: NewBook,
}

impl Book {
    /// Puts a new book on the list.
    #[cfg(feature = "new-ids")]
    pub fn new(about: NewBook, added: NaiveDate) -> Self {
        Self {
            id: Uuid::new_v4(),
            added,
            about,
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewBook { title, author, .. } = &self.about;
        write!(f, "{title}, {author}")
    }
}
