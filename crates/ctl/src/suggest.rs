//! The command that was probably meant.

/// RabbitMQ takes Elixir's limit: below it two names have nothing in common.
const DISTANCE_MIN: f64 = 0.77;

/// The name nearest to the typed one, if any is near. Of equals the last, as in RabbitMQ.
pub(crate) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (jaro(typed, name), name))
        .filter(|(distance, _)| DISTANCE_MIN <= *distance)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// Jaro's similarity, 0 to 1.
fn jaro(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut matched_a = Vec::new();
    for (i, letter) in a.iter().enumerate() {
        let window = i.saturating_sub(reach)..(i + reach + 1).min(b.len());
        if let Some(j) = window.into_iter().find(|j| !taken[*j] && b[*j] == *letter) {
            taken[j] = true;
            matched_a.push(*letter);
        }
    }
    if matched_a.is_empty() {
        return 0.0;
    }
    let matched_b = b.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(letter, _)| letter);
    let swapped = matched_a.iter().zip(matched_b).filter(|(a, b)| a != b).count() / 2;
    let matches = matched_a.len() as f64;
    (matches / a.len() as f64 + matches / b.len() as f64 + (matches - swapped as f64) / matches)
        / 3.0
}

#[cfg(test)]
mod tests;
