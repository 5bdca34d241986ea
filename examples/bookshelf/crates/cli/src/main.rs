//! The reading list on the command line.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bookshelf_core::{Isbn, Shelf};
use bookshelf_store::Store;
use clap::{Parser, Subcommand};
use clock::SystemClock;

/// Keep a list of books to read.
#[derive(Debug, Parser)]
#[command(name = "bookshelf", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the books
    List {
        /// Only this shelf: want-to-read, reading or finished
        #[arg(long, env = "BOOKSHELF_SHELF")]
        shelf: Option<Shelf>,
        /// Also take the books of this CSV file
        #[arg(long, value_name = "CSV")]
        import: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check an ISBN
    Check { isbn: Isbn },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::List {
            shelf,
            import,
            json,
        } => list(shelf, import, json),
        Command::Check { isbn } => {
            println!("{isbn} is valid");
            Ok(())
        }
    }
}

fn list(shelf: Option<Shelf>, import: Option<PathBuf>, json: bool) -> Result<()> {
    let store = Store::bundled(SystemClock)?;
    if let Some(path) = import {
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let books = bookshelf_import::read(file)
            .with_context(|| format!("cannot import {}", path.display()))?;
        for book in books {
            store.add(book)?;
        }
    }

    let books = store.list(shelf);
    if json {
        println!("{}", serde_json::to_string_pretty(&books)?);
        return Ok(());
    }
    for book in books {
        let class = bookshelf_catalog::class(book.about.class).unwrap_or("unclassified");
        println!("{:<13} {book} ({class})", book.about.shelf);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn suggestions_ignore_case() {
        let error = Cli::try_parse_from(["bookshelf", "LIST"]).unwrap_err();
        assert!(error.to_string().contains("'list'"), "{error}");
    }
}
