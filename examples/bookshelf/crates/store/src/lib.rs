//! The reading list, kept in memory.

use std::sync::{PoisonError, RwLock};

use bookshelf_core::{Book, Isbn, NewBook, Shelf};
use clock::Clock;

const FIRST_BOOKS: &str = include_str!("../data/books.json");

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the book with ISBN {0} is on the list already")]
    Duplicate(Isbn),
    #[error("the bundled reading list is broken")]
    Bundled(#[from] serde_json::Error),
}

/// The reading list; shared by reference between threads.
#[derive(Debug)]
pub struct Store {
    books: RwLock<Vec<Book>>,
    clock: Box<dyn Clock>,
}

impl Store {
    /// An empty list.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self {
            books: RwLock::default(),
            clock: Box::new(clock),
        }
    }

    /// A list with a few books to begin with.
    pub fn bundled(clock: impl Clock + 'static) -> Result<Self, StoreError> {
        let mut store = Self::new(clock);
        store.books = RwLock::new(serde_json::from_str(FIRST_BOOKS)?);
        Ok(store)
    }

    /// The books of one shelf, or all of them.
    pub fn list(&self, shelf: Option<Shelf>) -> Vec<Book> {
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        books
            .iter()
            .filter(|book| shelf.is_none_or(|shelf| book.about.shelf == shelf))
            .cloned()
            .collect()
    }

    /// Puts a book on the list, dated today.
    pub fn add(&self, about: NewBook) -> Result<Book, StoreError> {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        if books.iter().any(|book| book.about.isbn == about.isbn) {
            return Err(StoreError::Duplicate(about.isbn));
        }
        let book = Book::new(about, self.clock.today());
        books.push(book.clone());
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use clock::FixedClock;

    fn bundled() -> Store {
        Store::bundled(FixedClock(DateTime::UNIX_EPOCH)).unwrap()
    }

    #[test]
    fn lists_by_shelf() {
        assert_eq!(bundled().list(None).len(), 3);
        assert_eq!(bundled().list(Some(Shelf::Reading)).len(), 1);
    }

    #[test]
    fn adds_a_book_once() {
        let store = Store::new(FixedClock(DateTime::UNIX_EPOCH));
        let about = bundled().list(None).remove(0).about;
        let book = store.add(about.clone()).unwrap();
        assert_eq!(book.added.to_string(), "1970-01-01");
        assert!(matches!(store.add(about), Err(StoreError::Duplicate(_))));
    }
}
