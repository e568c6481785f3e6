//! The text form of methods: `queue.declare queue=c durable arguments={x-max-length=5}`.
//!
//! A line is a list of words. A bare word is a flag, `name=value` a field, a quoted string on its own
//! a body, a braced list on its own the properties of a content header.

use std::fmt::Write as _;

/// A line cut into words, with the fields it names.
#[derive(Debug, Default)]
pub struct Words {
    /// The words that stand alone, in order: flags and positional values.
    pub bare: Vec<String>,
    /// `name=value` pairs, the value as written.
    pub fields: Vec<(String, String)>,
    /// A quoted string standing alone: the body.
    pub body: Option<Vec<u8>>,
    /// A braced list standing alone: the properties.
    pub properties: Option<String>,
}

impl Words {
    /// Cuts a line into words.
    ///
    /// # Errors
    /// When a quote or a bracket is not closed.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = Self::default();
        for token in tokens(line)? {
            if token.starts_with('"') {
                words.body = Some(unquote(&token)?);
            } else if token.starts_with('{') {
                words.properties = Some(token);
            } else if let Some((name, value)) = token.split_once('=') {
                words.fields.push((name.to_owned(), value.to_owned()));
            } else {
                words.bare.push(token);
            }
        }
        Ok(words)
    }

    /// The value of a field, as written.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The text of a field, quotes undone.
    ///
    /// # Errors
    /// When its quotes or escapes are broken.
    pub fn text(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.field(name).map(unquote).transpose()
    }
}

/// Cuts at blanks outside quotes and brackets.
///
/// # Errors
/// When a quote or a bracket is not closed.
pub fn tokens(line: &str) -> Result<Vec<String>, String> {
    split(line, |c| c == ' ')
}

/// Cuts at commas outside quotes and brackets, dropping the blanks around each part.
pub(crate) fn parts(list: &str) -> Result<Vec<String>, String> {
    let cut = split(list, |c| c == ',')?;
    Ok(cut.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
}

fn split(text: &str, is_separator: impl Fn(char) -> bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => {
                current.push(character);
                current.extend(characters.next());
                continue;
            }
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !quoted && depth == 0 && is_separator(character) {
            if !current.is_empty() {
                found.push(std::mem::take(&mut current));
            }
        } else {
            current.push(character);
        }
    }
    if quoted || depth != 0 {
        return Err(format!("unclosed quote or bracket in: {text}"));
    }
    if !current.is_empty() {
        found.push(current);
    }
    Ok(found)
}

/// Undoes [`quote`]; a word without quotes is taken as it is. `"x"*300` repeats.
pub(crate) fn unquote(text: &str) -> Result<Vec<u8>, String> {
    let Some(inner) = text.strip_prefix('"') else {
        return Ok(text.as_bytes().to_vec());
    };
    let (inner, times) = match inner.rsplit_once('"') {
        Some((inner, "")) => (inner, 1),
        Some((inner, tail)) => {
            let times = tail.strip_prefix('*').and_then(|n| n.parse().ok());
            (inner, times.ok_or_else(|| format!("expected \"…\"*N: {text}"))?)
        }
        None => return Err(format!("unclosed quote: {text}")),
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            let mut utf8 = [0; 4];
            bytes.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            continue;
        }
        match characters.next() {
            Some('n') => bytes.push(b'\n'),
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x: {text}"))?;
                bytes.push(byte);
            }
            Some(other) => bytes.extend_from_slice(other.to_string().as_bytes()),
            None => return Err(format!("backslash at the end: {text}")),
        }
    }
    Ok(bytes.repeat(times))
}

/// The quoted form of a string: escapes for quotes, line feeds and whatever is not printable UTF-8.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                '\n' => text.push_str("\\n"),
                other if (other as u32) < 0x20 || other as u32 == 0x7f => {
                    write!(text, "\\x{:02x}", other as u32).expect("a String takes all");
                }
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a String takes all");
        }
    }
    text.push('"');
    text
}

/// The shortest form of a string: bare where it is one plain word.
pub(crate) fn word(bytes: &[u8]) -> String {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-:/@$*#".contains(b);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    quote(bytes)
}
