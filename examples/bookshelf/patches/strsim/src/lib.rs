//! The part of strsim's interface that clap uses for its "did you mean" hints,
//! written anew so that the case of the letters does not count.

/// Jaro similarity of two strings: 0.0 has nothing in common, 1.0 is the same but for case.
pub fn jaro(a: &str, b: &str) -> f64 {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }

    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut from_a = Vec::new();
    for (i, &wanted) in a.iter().enumerate() {
        let window = i.saturating_sub(reach)..b.len().min(i + reach + 1);
        if let Some(j) = window.into_iter().find(|&j| !taken[j] && b[j] == wanted) {
            taken[j] = true;
            from_a.push(wanted);
        }
    }
    if from_a.is_empty() {
        return 0.0;
    }

    let from_b = b.iter().zip(&taken).filter(|(_, &t)| t).map(|(c, _)| c);
    let swapped = from_a.iter().zip(from_b).filter(|(x, y)| x != y).count() / 2;
    let common = from_a.len() as f64;
    (common / a.len() as f64 + common / b.len() as f64 + (common - swapped as f64) / common) / 3.0
}

#[cfg(test)]
mod tests {
    use super::jaro;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.001
    }

    #[test]
    fn agrees_with_textbook_values() {
        assert!(close(jaro("martha", "marhta"), 0.944));
        assert!(close(jaro("dixon", "dicksonx"), 0.767));
        assert!(close(jaro("", ""), 1.0));
        assert!(close(jaro("", "list"), 0.0));
        assert!(close(jaro("abc", "xyz"), 0.0));
    }

    #[test]
    fn case_does_not_count() {
        assert!(close(jaro("LIST", "list"), 1.0));
    }
}
