//! The text format: `key = value` lines, `#` comments, `'quoted'` values, `include`.
//!
//! The rules are cuttlefish's: a key is words of letters, digits, `_` and `-` joined by dots
//! (`\.` is a dot inside a word); a value ends at the line's end or at the first `#`; between
//! single quotes everything is the value, between triple ones over several lines too.

/// One line that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// `key = value`
    Setting { key: Vec<String>, value: String, line: usize },
    /// `include path`, which may end in a `*` pattern.
    Include { path: String, line: usize },
}

/// Why a line could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) reason: &'static str,
}

/// Splits a file into statements. Stops at the first line that is none, as RabbitMQ does.
pub(crate) fn parse(text: &str) -> Result<Vec<Statement>, SyntaxError> {
    let mut statements = Vec::new();
    let mut lines =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate();
    while let Some((idx, raw)) = lines.next() {
        let line = idx + 1;
        let fail = |reason| SyntaxError { line, reason };
        let content = raw.trim_matches([' ', '\t']);
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(path) = content.strip_prefix("include").and_then(included) {
            statements.push(Statement::Include { path, line });
            continue;
        }
        let Some((key, value)) = content.split_once('=') else {
            return Err(fail("expected `key = value`"));
        };
        let key = split_key(key.trim_end_matches([' ', '\t']))
            .ok_or_else(|| fail("a key consists of letters, digits, `_`, `-` and dots"))?;
        let value = value.trim_start_matches([' ', '\t']);
        let value = if let Some(first) = value.strip_prefix("'''") {
            multi_line(first, lines.by_ref().map(|(_, line)| line))
                .ok_or_else(|| fail("the value's closing ''' is missing"))?
        } else if let Some(quoted) = value.strip_prefix('\'') {
            single_quoted(quoted).map_err(fail)?.to_owned()
        } else {
            unquoted(value).to_owned()
        };
        if value.is_empty() && !content.contains('\'') {
            return Err(fail("the value is missing"));
        }
        statements.push(Statement::Setting { key, value, line });
    }
    Ok(statements)
}

fn included(rest: &str) -> Option<String> {
    let path = unquoted(rest).trim_start_matches([' ', '\t']);
    (rest.starts_with([' ', '\t']) && !path.starts_with('=') && !path.is_empty())
        .then(|| path.to_owned())
}

/// Text up to a comment, without the blanks before it.
fn unquoted(value: &str) -> &str {
    value.split('#').next().unwrap_or("").trim_end_matches([' ', '\t'])
}

fn single_quoted(after_quote: &str) -> Result<&str, &'static str> {
    let (value, rest) = after_quote.split_once('\'').ok_or("the value's closing ' is missing")?;
    if unquoted(rest).is_empty() { Ok(value) } else { Err("unexpected text after the closing '") }
}

fn multi_line<'a>(first: &'a str, more: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut value = String::new();
    for line in std::iter::once(first).chain(more) {
        if let Some((last, _)) = line.split_once("'''") {
            value.push_str(last);
            return Some(value.trim_matches(['\n', '\'']).to_owned());
        }
        value.push_str(line);
        value.push('\n');
    }
    None
}

/// `a.b\.c` is two words: `a` and `b.c`.
fn split_key(key: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        let word = words.last_mut().expect("there is always one word");
        match c {
            '\\' if chars.next() == Some('.') => word.push('.'),
            '.' => words.push(String::new()),
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => word.push(c),
            _ => return None,
        }
    }
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests;
