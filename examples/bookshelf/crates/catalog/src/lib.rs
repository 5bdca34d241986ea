//! Dewey classes, generated from `data/dewey.txt` at build time.

const CLASSES: &[(u16, &str)] = include!(concat!(env!("OUT_DIR"), "/dewey.rs"));

/// Name of the main class that a Dewey number belongs to.
pub fn class(number: u16) -> Option<&'static str> {
    CLASSES
        .iter()
        .rev()
        .find(|(first, _)| (*first..first + 100).contains(&number))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn numbers_have_classes() {
        assert_eq!(class(5), Some("Computer science & general works"));
        assert_eq!(class(823), Some("Literature"));
        assert_eq!(class(1000), None);
    }
}
