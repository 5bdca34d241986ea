//! Reads a reading list from CSV with the columns title, author, isbn, class and, if known, shelf.

use std::io::Read;

use bookshelf_core::NewBook;

#[derive(Debug, thiserror::Error)]
#[error("row {row} is no book")]
pub struct ImportError {
    pub row: usize,
    #[source]
    cause: csv::Error,
}

/// All books of a CSV file, or the first row that is none.
pub fn read(input: impl Read) -> Result<Vec<NewBook>, ImportError> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(input)
        .into_deserialize()
        .enumerate()
        .map(|(index, row)| {
            row.map_err(|cause| ImportError {
                row: index + 1,
                cause,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bookshelf_core::Shelf;

    #[test]
    fn reads_books() {
        let text = "title,author,isbn,class\nEmma,Jane Austen,9780141439587,823\n";
        let books = read(text.as_bytes()).unwrap();
        assert_eq!(books[0].title, "Emma");
        assert_eq!(books[0].shelf, Shelf::WantToRead);
    }

    #[test]
    fn names_the_row() {
        let text = "title,author,isbn,class\nEmma,Jane Austen,1,823\n";
        assert_eq!(read(text.as_bytes()).unwrap_err().row, 1);
    }
}
