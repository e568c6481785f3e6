//! Erlang's way of writing binaries and tuples, which RabbitMQ's error texts quote.

use std::fmt;

/// Bytes as Erlang's `~w` writes a binary: `<<1,2,3>>`, whatever they are.
pub(crate) struct Octets<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<<")?;
        for (idx, octet) in self.0.iter().enumerate() {
            let separator = if idx == 0 { "" } else { "," };
            write!(f, "{separator}{octet}")?;
        }
        f.write_str(">>")
    }
}

/// A text that grows to the right, as `io_lib` formats one: where a `~tp` breaks a line depends on
/// the column it starts in.
#[derive(Default)]
pub(crate) struct Pretty {
    text: String,
}

impl Pretty {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Bytes as `~tp` writes a binary: as text where all of it is printable, otherwise as numbers.
    ///
    /// Text beyond ASCII is looked for in UTF-8 first, which gets a suffix, then in Latin-1.
    pub(crate) fn push_binary(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.push("<<>>");
        }
        if let Ok(text) = str::from_utf8(bytes)
            && text.chars().all(is_printable)
        {
            let suffix = if text.is_ascii() { "" } else { "/utf8" };
            return self.push_quoted(text.chars(), suffix);
        }
        let latin1 = bytes.iter().map(|&byte| char::from(byte));
        if latin1.clone().all(is_printable) {
            return self.push_quoted(latin1, "");
        }
        self.push(&Octets(bytes).to_string());
    }

    fn push_quoted(&mut self, text: impl Iterator<Item = char>, suffix: &str) {
        self.push("<<\"");
        for character in text {
            match escape(character) {
                Some(letter) => self.text.extend(['\\', letter]),
                None => self.text.push(character),
            }
        }
        self.push("\"");
        self.push(suffix);
        self.push(">>");
    }

    /// A tuple of an atom and numbers as `~tp` writes it: on one line if that keeps to
    /// [`LINE_LEN`], otherwise each number on a line of its own below the atom.
    pub(crate) fn push_tuple(&mut self, tag: &str, numbers: &[u32]) {
        let column = self.text.chars().count();
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let on_one_line = format!("{{{tag},{}}}", numbers.join(","));
        if column + on_one_line.len() <= LINE_LEN {
            return self.push(&on_one_line);
        }
        let line_break = format!(",\n{:indent$}", "", indent = column + 1);
        self.push(&format!("{{{tag}{line_break}{}}}", numbers.join(&line_break)));
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// How far to the right `io_lib` writes a term before it breaks the line.
const LINE_LEN: usize = 78;

/// What `io_lib` takes for text, the control characters with an escape of their own included.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => true,
        _ => escape(character).is_some(),
    }
}

/// The letter that stands for a character after a backslash.
fn escape(character: char) -> Option<char> {
    Some(match character {
        '"' | '\\' => character,
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        _ => return None,
    })
}
