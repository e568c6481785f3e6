//! Command line words into options and arguments, by the rules of Elixir's OptionParser, which
//! RabbitMQ's tools use: options anywhere, `--name value`, `--name=value`, `--no-name` for flags,
//! `-n value`, `-n=value`, grouped short flags, `--` ends options, `-` and negative numbers are
//! arguments.

use std::collections::BTreeMap;

/// One option a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OptionSpec {
    /// Without the dashes.
    pub(crate) long: &'static str,
    /// One letter.
    pub(crate) short: Option<char>,
    pub(crate) kind: OptionKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// Stored as `true` or `false`.
    Flag,
    Text,
    Integer,
}

pub(crate) const fn flag(long: &'static str) -> OptionSpec {
    OptionSpec { long, short: None, kind: OptionKind::Flag }
}

pub(crate) const fn text(long: &'static str) -> OptionSpec {
    OptionSpec { long, short: None, kind: OptionKind::Text }
}

pub(crate) const fn integer(long: &'static str) -> OptionSpec {
    OptionSpec { long, short: None, kind: OptionKind::Integer }
}

pub(crate) const fn short(spec: OptionSpec, letter: char) -> OptionSpec {
    OptionSpec { short: Some(letter), ..spec }
}

/// Options of every command. Some say something only to RabbitMQ's runtime and are accepted so
/// that scripts go on working.
pub(crate) const COMMON: &[OptionSpec] = &[
    short(text("node"), 'n'),
    short(text("vhost"), 'p'),
    short(flag("quiet"), 'q'),
    short(flag("silent"), 's'),
    short(integer("timeout"), 't'),
    short(flag("longnames"), 'l'),
    short(flag("help"), '?'),
    flag("dry-run"),
    text("formatter"),
    text("printer"),
    text("file"),
    text("script-name"),
    text("rabbitmq-home"),
    text("data-dir"),
    text("mnesia-dir"),
    text("plugins-dir"),
    text("enabled-plugins-file"),
    text("aliases-file"),
    text("erlang-cookie"),
    flag("print-stacktrace"),
];

/// What the words come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The command and its arguments.
    pub(crate) arguments: Vec<String>,
    /// By long name.
    pub(crate) options: BTreeMap<String, String>,
    /// Options that do not exist, or whose value is missing or wrong.
    pub(crate) invalid: Vec<(String, Option<String>)>,
}

/// Sorts words into options and arguments.
pub(crate) fn parse(words: &[String], specific: &[OptionSpec]) -> Words {
    let specs: Vec<OptionSpec> = specific.iter().chain(COMMON).copied().collect();
    let mut parsed = Words::default();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.arguments.extend(words.map(str::to_owned));
            return parsed;
        }
        if !is_option(word) {
            parsed.arguments.push(word.to_owned());
            continue;
        }
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if let Some(letters) = grouped_flags(name, inline, &specs) {
            for spec in letters {
                parsed.options.insert(spec.long.to_owned(), "true".to_owned());
            }
            continue;
        }
        let Some((spec, is_negated)) = find(name, &specs) else {
            // RabbitMQ does not say what an unknown option was set to.
            parsed.invalid.push((name.to_owned(), None));
            continue;
        };
        if spec.kind == OptionKind::Flag {
            let value = if is_negated { "false" } else { inline.unwrap_or("true") };
            parsed.options.insert(spec.long.to_owned(), value.to_owned());
            continue;
        }
        let value = inline.or_else(|| words.next_if(|next| !is_option(next)));
        match value {
            Some(value) if spec.kind == OptionKind::Text || value.parse::<i64>().is_ok() => {
                parsed.options.insert(spec.long.to_owned(), value.to_owned());
            }
            value => parsed.invalid.push((name.to_owned(), value.map(str::to_owned))),
        }
    }
    parsed
}

fn is_option(word: &str) -> bool {
    word.starts_with('-') && word != "-" && word.parse::<f64>().is_err()
}

fn find(name: &str, specs: &[OptionSpec]) -> Option<(OptionSpec, bool)> {
    let Some(long) = name.strip_prefix("--") else {
        let mut letters = name.strip_prefix('-')?.chars();
        let letter = letters.next()?;
        let spec = specs.iter().find(|spec| spec.short == Some(letter))?;
        return letters.next().is_none().then_some((*spec, false));
    };
    if let Some(spec) = specs.iter().find(|spec| spec.long == long) {
        return Some((*spec, false));
    }
    let negated = long.strip_prefix("no-")?;
    let spec = specs.iter().find(|s| s.long == negated && s.kind == OptionKind::Flag)?;
    Some((*spec, true))
}

/// `-qs` is `-q -s` when every letter is a flag.
fn grouped_flags(
    name: &str,
    inline: Option<&str>,
    specs: &[OptionSpec],
) -> Option<Vec<OptionSpec>> {
    let letters = name.strip_prefix('-').filter(|rest| !rest.starts_with('-') && 1 < rest.len())?;
    if inline.is_some() {
        return None;
    }
    letters
        .chars()
        .map(|letter| {
            let is_it = |s: &&OptionSpec| s.short == Some(letter) && s.kind == OptionKind::Flag;
            specs.iter().find(is_it).copied()
        })
        .collect()
}

#[cfg(test)]
mod tests;
