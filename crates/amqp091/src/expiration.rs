//! The `expiration` property: a number of milliseconds as text.

/// Longest time to live RabbitMQ takes: ten years in ms.
const TTL_MS_MAX: u64 = 315_360_000_000;
/// Where Erlang's pretty-printer breaks a line.
const LINE_WIDTH: usize = 80;

/// Reads an `expiration`; `Err` is RabbitMQ's explanation.
pub(crate) fn parse(text: &[u8]) -> Result<u64, String> {
    let (sign, digits) = match text {
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign, digits),
        digits => (b'+', digits),
    };
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, leftover) = digits.split_at(len);
    if digits.is_empty() {
        return Err(explain(text, "no_integer", None));
    }
    if !leftover.is_empty() {
        let leftover = format!("\"{}\"", String::from_utf8_lossy(leftover));
        return Err(explain(text, "leftover_string", Some(&leftover)));
    }
    let digits = std::str::from_utf8(digits).expect("digits are ASCII").trim_start_matches('0');
    match (sign, digits, digits.parse()) {
        (_, "", _) => Ok(0),
        (b'-', _, _) => Err(explain(text, "value_negative", Some(&format!("-{digits}")))),
        (_, _, Ok(ttl_ms)) if ttl_ms <= TTL_MS_MAX => Ok(ttl_ms),
        _ => Err(explain(text, "value_too_large", Some(digits))),
    }
}

/// Whether an `expiration` that [`parse`] takes is written as RabbitMQ writes one.
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    !matches!(text, [b'+' | b'-', ..] | [b'0', _, ..])
}

/// `invalid expiration 'TEXT': REASON` with the reason as Erlang prints a term: a tuple that would
/// reach the end of the line has its elements below each other.
fn explain(text: &[u8], reason: &str, argument: Option<&str>) -> String {
    let mut explanation = format!("invalid expiration '{}': ", String::from_utf8_lossy(text));
    let Some(argument) = argument else { return explanation + reason };
    let column = explanation.rsplit('\n').next().map_or(0, |line| line.chars().count());
    let is_broken = LINE_WIDTH <= column + reason.len() + argument.chars().count() + 3;
    let gap = if is_broken { format!("\n{}", " ".repeat(column + 1)) } else { String::new() };
    explanation.push_str(&format!("{{{reason},{gap}{argument}}}"));
    explanation
}

#[cfg(test)]
mod tests;
