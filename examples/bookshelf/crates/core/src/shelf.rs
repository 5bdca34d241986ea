use bookshelf_derive::Keyword;
use serde::{Deserialize, Serialize};

/// Where a book stands in a reader's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Keyword)]
#[serde(rename_all = "kebab-case")]
pub enum Shelf {
    #[default]
    WantToRead,
    Reading,
    Finished,
}

#[cfg(test)]
mod tests {
    use super::Shelf;

    #[test]
    fn keywords_go_there_and_back() {
        for &shelf in Shelf::ALL {
            assert_eq!(shelf.as_str().parse(), Ok(shelf));
        }
        assert_eq!(Shelf::WantToRead.to_string(), "want-to-read");
    }

    #[test]
    fn an_unknown_keyword_lists_the_known_ones() {
        assert_eq!(
            "lent".parse::<Shelf>().unwrap_err(),
            "`lent` is no shelf; expected one of want-to-read, reading, finished"
        );
    }
}
