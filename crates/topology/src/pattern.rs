//! The regular expressions of permissions and policies.

mod syntax;

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use fancy_regex::{CompileError, Regex, RegexBuilder};

/// The longest pattern of a policy, in bytes, as in RabbitMQ.
pub(crate) const PATTERN_LEN_MAX: usize = 1024;

/// The longest pattern of all, in bytes. RabbitMQ has no such limit for permissions.
const SOURCE_LEN_MAX: usize = 16 * 1024;

/// Bytes of a compiled pattern at most, and as many again for what a search remembers: a search takes
/// time in proportion to this, times the name. `\w{1,64}` fits: each `\w` of Unicode takes some 35 KB.
const COMPILED_LEN_MAX: usize = 4 * 1024 * 1024;

/// PCRE's words for a pattern beyond its limits.
const TOO_LARGE: &str = "regular expression is too large";

/// Steps back in a search with look-around or back-references before it is given up, as in RabbitMQ.
/// All others take time in proportion to the name.
const BACKTRACKS_MAX: usize = 50_000;

/// A regular expression for names, compiled once.
///
/// RabbitMQ searches with PCRE, unanchored; a permission's empty pattern means `^$` and so matches only
/// the empty name. An expression that fails while it runs (too much backtracking) matches nothing, as
/// RabbitMQ denies on errors.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    Everything,
    OnlyEmpty,
    /// Was stored, and does not compile.
    Nothing,
    /// Boxed: nearly all patterns are one of the two above.
    Regex(Box<Regex>),
    /// Holds `{variables}`. Remembers what it was first compiled to, with the values that stood for
    /// them: a permission is of one user in one vhost, so that they are nearly always the same.
    Template(OnceLock<Box<(String, Regex)>>),
}

/// Text that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidPattern {
    /// What is wrong: PCRE's words for the usual mistakes, otherwise the engine's.
    pub reason: String,
    /// After how many bytes that shows.
    pub position: usize,
}

impl Pattern {
    /// Compiles the pattern of a permission.
    pub fn new(source: &str) -> Result<Self, InvalidPattern> {
        let matcher = match source {
            "" | "^$" => Matcher::OnlyEmpty,
            ".*" => Matcher::Everything,
            _ => Matcher::Regex(Box::new(compile(source)?)),
        };
        Ok(Self { source: source.into(), matcher })
    }

    /// Compiles the pattern of a policy: an empty one matches all names.
    pub fn search(source: &str) -> Result<Self, InvalidPattern> {
        if source.is_empty() {
            return Ok(Self { source: source.into(), matcher: Matcher::Everything });
        }
        Self::new(source)
    }

    /// Checks `source`, whose `{name}`s stand for values that are known only when it is used.
    pub fn template(source: &str) -> Result<Self, InvalidPattern> {
        if !source.contains('{') {
            return Self::new(source);
        }
        compile(source)?;
        Ok(Self { source: source.into(), matcher: Matcher::Template(OnceLock::new()) })
    }

    /// A pattern that is in a log or a snapshot: whoever took it has answered for it. One that does not
    /// compile any more matches nothing, and stays as it was written.
    pub(crate) fn stored(compile: fn(&str) -> Result<Self, InvalidPattern>, source: &str) -> Self {
        compile(source).unwrap_or_else(|_| Self::nothing(source))
    }

    /// Shows `source`, and matches nothing.
    pub(crate) fn nothing(source: &str) -> Self {
        Self { source: source.into(), matcher: Matcher::Nothing }
    }

    /// Whether it was stored, and is no pattern to this version.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.matcher, Matcher::Nothing)
    }

    /// The text it was made from.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `name` contains a match.
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Everything => true,
            Matcher::OnlyEmpty => name.is_empty(),
            Matcher::Nothing => false,
            Matcher::Regex(regex) => regex.is_match(name).unwrap_or(false),
            Matcher::Template(_) => self.matches_with(name, &[]),
        }
    }

    /// As [`matches`](Self::matches), each `{key}` standing for its value, literally.
    pub fn matches_with(&self, name: &str, variables: &[(&str, &str)]) -> bool {
        let Matcher::Template(first) = &self.matcher else { return self.matches(name) };
        let mut source = Cow::Borrowed(&*self.source);
        for (key, value) in variables {
            let placeholder = format!("{{{key}}}");
            if source.contains(&placeholder) {
                source = source.replace(&placeholder, &fancy_regex::escape(value)).into();
            }
        }
        let is_match = |regex: &Regex| regex.is_match(name).unwrap_or(false);
        match first.get() {
            Some(known) if known.0 == *source => is_match(&known.1),
            _ => {
                let Ok(regex) = compile(&source) else { return false };
                let is_match = is_match(&regex);
                // Who was first stays.
                drop(first.set(Box::new((source.into_owned(), regex))));
                is_match
            }
        }
    }
}

fn compile(source: &str) -> Result<Regex, InvalidPattern> {
    let too_large = |position| InvalidPattern { reason: TOO_LARGE.to_owned(), position };
    if SOURCE_LEN_MAX < source.len() {
        return Err(too_large(SOURCE_LEN_MAX));
    }
    let regex = RegexBuilder::new(source)
        .backtrack_limit(BACKTRACKS_MAX)
        .delegate_size_limit(COMPILED_LEN_MAX)
        .delegate_dfa_size_limit(COMPILED_LEN_MAX)
        .build();
    regex.map_err(|error| match (syntax::mistake(source), &error) {
        (Some((reason, position)), _) => InvalidPattern { reason: reason.to_owned(), position },
        (None, fancy_regex::Error::ParseError(position, reason)) => {
            InvalidPattern { reason: reason.to_string(), position: *position }
        }
        (None, fancy_regex::Error::CompileError(error)) if is_too_large(error) => {
            too_large(source.len())
        }
        (None, _) => InvalidPattern { reason: error.to_string(), position: 0 },
    })
}

fn is_too_large(error: &CompileError) -> bool {
    matches!(error, CompileError::InnerError(inner) if inner.size_limit().is_some())
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(test)]
mod tests;
