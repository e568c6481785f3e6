//! The usual mistakes in regular expressions, in PCRE's words and at its positions.
//!
//! Operators know them from RabbitMQ. Only what the engine has refused is looked at here, so that a
//! construct this does not know costs nothing but the familiar words.

/// What a quantifier would follow.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Item,
    /// A quantifier, which a `+` or `?` may still modify.
    Quantifier,
    /// A quantifier and its modifier.
    Modifier,
}

/// What PCRE says about `source`, and after how many bytes; `None` when it is no usual mistake.
pub(super) fn mistake(source: &str) -> Option<(&'static str, usize)> {
    const UNREPEATABLE: &str = "quantifier does not follow a repeatable item";
    let bytes = source.as_bytes();
    let (mut at, mut depth, mut before) = (0, 0_usize, Before::Nothing);
    while let Some(byte) = bytes.get(at) {
        let mut next = at + 1;
        before = match byte {
            b'\\' if next == bytes.len() => return Some(("\\ at end of pattern", next)),
            b'\\' => {
                next = after_escape(bytes, at)?;
                let is_place = b"bBAzZG".contains(&bytes[at + 1]);
                if is_place { Before::Nothing } else { Before::Item }
            }
            b'[' => match after_class(bytes, at)? {
                Some(after) => {
                    next = after;
                    Before::Item
                }
                None => return Some(("missing terminating ] for character class", bytes.len())),
            },
            b'(' => {
                let (after, is_group) = after_group_head(bytes, at)?;
                next = after;
                depth += usize::from(is_group);
                Before::Nothing
            }
            b')' => match depth.checked_sub(1) {
                Some(rest) => {
                    depth = rest;
                    Before::Item
                }
                None => return Some(("unmatched closing parenthesis", next)),
            },
            b'|' | b'^' | b'$' => Before::Nothing,
            b'+' | b'?' if before == Before::Quantifier => Before::Modifier,
            b'*' | b'+' | b'?' if before == Before::Item => Before::Quantifier,
            b'*' | b'+' | b'?' => return Some((UNREPEATABLE, next)),
            b'{' => match after_count(bytes, at) {
                Some(after) if before == Before::Item => {
                    next = after;
                    Before::Quantifier
                }
                Some(after) => return Some((UNREPEATABLE, after)),
                None => Before::Item,
            },
            _ => Before::Item,
        };
        at = next;
    }
    (depth > 0).then_some(("missing closing parenthesis", bytes.len()))
}

/// The position behind the next `end`, from `at` on.
fn after(bytes: &[u8], at: usize, end: u8) -> Option<usize> {
    let len = bytes.get(at..)?.iter().position(|byte| *byte == end)?;
    Some(at + len + 1)
}

/// Behind `\d`, `\p{L}` and the like; `None` for what is quoted, or at the end.
fn after_escape(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes.get(at + 1)?, bytes.get(at + 2)) {
        (b'Q' | b'E', _) => None,
        (b'p' | b'P' | b'x' | b'o' | b'g' | b'k' | b'N', Some(b'{')) => after(bytes, at, b'}'),
        (b'g' | b'k', Some(b'<')) => after(bytes, at, b'>'),
        _ => Some(at + 2),
    }
}

/// Behind `[...]`, if it ends.
#[expect(clippy::option_option, reason = "not understood, and understood but without an end")]
fn after_class(bytes: &[u8], at: usize) -> Option<Option<usize>> {
    let mut at = at + 1;
    if bytes.get(at) == Some(&b'^') {
        at += 1;
    }
    let first = at;
    loop {
        at = match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => return Some(None),
            (Some(b']'), _) if first < at => return Some(Some(at + 1)),
            (Some(b'\\'), None | Some(b'Q')) => return None,
            (Some(b'\\'), Some(_)) => at + 2,
            (Some(b'['), Some(b':')) => match after(bytes, at, b']') {
                Some(end) if bytes[end - 2] == b':' => end,
                _ => at + 1,
            },
            _ => at + 1,
        };
    }
}

/// Behind `(`, `(?:`, `(?<name>` and the like, and whether a group is open now.
fn after_group_head(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    match (bytes.get(at + 1), bytes.get(at + 2), bytes.get(at + 3)) {
        // A verb of PCRE's.
        (Some(b'*'), Some(b'A'..=b'Z' | b'a'..=b'z'), _) => None,
        (Some(b'?'), None, _) => Some((at + 2, true)),
        (Some(b'?'), Some(b':' | b'=' | b'!' | b'>' | b'|'), _) => Some((at + 3, true)),
        (Some(b'?'), Some(b'<'), Some(b'=' | b'!')) => Some((at + 4, true)),
        (Some(b'?'), Some(b'<'), _) | (Some(b'?'), Some(b'P'), Some(b'<')) => {
            Some((after(bytes, at, b'>')?, true))
        }
        (Some(b'?'), Some(_), _) => {
            let flags = bytes[at + 2..].iter();
            let end = at + 2 + flags.take_while(|it| b"imsxUJn-^".contains(it)).count();
            match bytes.get(end)? {
                b')' => Some((end + 1, false)),
                b':' => Some((end + 1, true)),
                _ => None,
            }
        }
        _ => Some((at + 1, true)),
    }
}

/// Behind `{2}`, `{2,}` and `{2,3}`; other braces stand for themselves.
fn after_count(bytes: &[u8], at: usize) -> Option<usize> {
    let end = after(bytes, at, b'}')?;
    let inner = &bytes[at + 1..end - 1];
    let is_count = inner.first().is_some_and(u8::is_ascii_digit)
        && inner.iter().all(|it| it.is_ascii_digit() || *it == b',')
        && inner.iter().filter(|it| **it == b',').count() <= 1;
    is_count.then_some(end)
}
