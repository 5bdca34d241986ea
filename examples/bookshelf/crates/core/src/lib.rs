//! Books, shelves and what both binaries say about them.

mod book;
mod shelf;

pub use book::{Book, NewBook};
pub use bookshelf_isbn::{Isbn, IsbnError};
pub use shelf::Shelf;
