use bookshelf_catalog::class;
use bookshelf_core::Book;
use html::encode_text;

use crate::GREETING;

/// Fills the placeholders of `index.html`.
pub(crate) fn render(template: &str, books: &[Book]) -> String {
    let rows: String = books.iter().map(row).collect();
    template
        .replace("{{greeting}}", &encode_text(GREETING))
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{books}}", &rows)
}

fn row(book: &Book) -> String {
    let about = &book.about;
    format!(
        "<li class=\"{shelf}\"><cite>{title}</cite> {author} <small>{class}, {shelf}</small></li>\n",
        shelf = about.shelf,
        title = encode_text(&about.title),
        author = encode_text(&about.author),
        class = encode_text(class(about.class).unwrap_or("unclassified")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bookshelf_store::Store;
    use clock::SystemClock;

    #[test]
    fn escapes_what_readers_wrote() {
        let mut books = Store::bundled(SystemClock).unwrap().list(None);
        books[0].about.title = "<script>".to_owned();
        let page = render("{{books}}", &books);
        assert!(page.contains("&lt;script&gt;"));
        assert!(!page.contains("<script>"));
    }
}
