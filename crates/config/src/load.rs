//! Reading files: statements in order, includes, `$(...)`, and all errors of a file at once.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    Config, guards, keys, suggest,
    syntax::{self, Statement},
};

/// Includes within includes; RabbitMQ would go on until the stack ends.
const INCLUDE_DEPTH_MAX: usize = 16;

/// How often one value may point to another before it counts as a circle.
const SUBSTITUTIONS_MAX: usize = 16;

/// RabbitMQ 4.3's key names, one per line, `$word` standing for any word.
const KNOWN_KEYS: &str = include_str!("known-keys.txt");

/// A configuration and what an operator should hear about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Renamed keys, and keys that RabbitMQ has and that change nothing here yet.
    pub notices: Vec<Notice>,
}

/// A file and a line in it, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As it was named.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Something worth a warning in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// A whole line of text, in RabbitMQ's words where it has some.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What; several lines when other keys are suggested.
    pub text: String,
}

/// Why there is no configuration: every problem found, in the order of the lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.problems))]
pub struct LoadError {
    /// Not empty.
    pub problems: Vec<Problem>,
}

fn joined(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.place, p.text)).collect();
    lines.join("\n")
}

/// A key, its value and where it stands.
#[derive(Clone, Debug)]
struct Setting {
    key: Vec<String>,
    value: String,
    place: Place,
}

impl Config {
    /// Reads files, of which a later one overrides an earlier one; a directory stands for all its
    /// `*.conf` in the order of their names. `$(NAME)` in a value is another key's value or an
    /// environment variable, `$(<PATH)` a file's content.
    ///
    /// # Errors
    /// Every line that cannot be used, with RabbitMQ's words and the nearest keys.
    pub fn load(paths: &[PathBuf]) -> Result<Loaded, LoadError> {
        let mut settings = Vec::new();
        let files = paths.iter().flat_map(|path| match path.is_dir() {
            true => matching_files(path, "*.conf"),
            false => vec![path.clone()],
        });
        for file in files {
            read_file(&file, 0, &mut settings).map_err(|p| LoadError { problems: vec![p] })?;
        }
        resolve(settings, &|name| std::env::var(name).ok())
    }

    /// Reads a configuration that is not in a file; `name` stands for it in errors, `env` answers
    /// for environment variables. There is no directory to include from, so `include` is an error.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(
        name: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        let mut settings = Vec::new();
        let refuse_include = |place: Place, _: &str, _: &mut Vec<Setting>| {
            Err(Problem { place, text: "include needs a file to be relative to".to_owned() })
        };
        collect(name, text, &mut settings, &refuse_include)
            .map_err(|problem| LoadError { problems: vec![problem] })?;
        resolve(settings, env)
    }
}

/// Called for each `include`: its place, what it names, and where its settings go.
type Include<'a> = &'a dyn Fn(Place, &str, &mut Vec<Setting>) -> Result<(), Problem>;

fn collect(
    name: &str,
    text: &str,
    settings: &mut Vec<Setting>,
    include: Include<'_>,
) -> Result<(), Problem> {
    let place = |line| Place { file: name.to_owned(), line };
    let statements = syntax::parse(text).map_err(|error| Problem {
        place: place(error.line),
        text: format!("syntax error: {}", error.reason),
    })?;
    for statement in statements {
        match statement {
            Statement::Setting { key, value, line } => {
                settings.push(Setting { key, value, place: place(line) });
            }
            Statement::Include { path, line } => include(place(line), &path, settings)?,
        }
    }
    Ok(())
}

fn read_file(path: &Path, depth: usize, settings: &mut Vec<Setting>) -> Result<(), Problem> {
    let name = path.display().to_string();
    let problem = |line, text| Problem { place: Place { file: name.clone(), line }, text };
    if INCLUDE_DEPTH_MAX < depth {
        return Err(problem(0, format!("includes are nested more than {INCLUDE_DEPTH_MAX} deep")));
    }
    let bytes = std::fs::read(path).map_err(|e| problem(0, format!("cannot be read: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        problem(line, format!("Error converting value on line #{line} to unicode"))
    })?;
    let dir = path.parent().unwrap_or(Path::new(""));
    let first = settings.len();
    collect(&name, &text, settings, &|_, included, settings| {
        let included = dir.join(included);
        let parent = included.parent().unwrap_or(dir);
        let pattern = included.file_name().unwrap_or_default().to_string_lossy();
        for file in matching_files(parent, &pattern) {
            read_file(&file, depth + 1, settings)?;
        }
        Ok(())
    })?;
    for setting in settings[first..].iter_mut().filter(|s| s.place.file == name) {
        let Some(named) = setting.value.strip_prefix("$(<").and_then(|v| v.strip_suffix(')'))
        else {
            continue;
        };
        let content = std::fs::read_to_string(dir.join(named.trim()))
            .map_err(|e| problem(setting.place.line, format!("{}: {e}", named.trim())))?;
        setting.value = content.trim_end_matches(['\n', '\r']).to_owned();
    }
    Ok(())
}

/// Files of `dir` whose names fit a pattern with at most one `*`, sorted.
pub(crate) fn matching_files(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let Some((start, end)) = pattern.split_once('*') else { return vec![dir.join(pattern)] };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            start.len() + end.len() <= name.len() && name.starts_with(start) && name.ends_with(end)
        })
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

fn resolve(
    settings: Vec<Setting>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, LoadError> {
    let file = settings.first().map(|s| s.place.file.clone()).unwrap_or_default();
    let mut notices = Vec::new();
    let mut problems = Vec::new();
    let mut typed = keys::Typed::default();
    let settings = last_of_each(renamed(settings, &mut notices));
    let values: BTreeMap<String, String> =
        settings.iter().map(|s| (s.key.join("."), s.value.clone())).collect();
    for Setting { key, value, place } in settings {
        let name = key.join(".");
        let value = match substituted(&value, &values, env) {
            Ok(value) => value,
            Err(text) => {
                problems.push(Problem { place, text });
                continue;
            }
        };
        if let Some((known, words)) = keys::find(&key) {
            let entry = keys::Entry { words, value: &value };
            if let Err(reason) = (known.set)(&mut typed, &entry) {
                let text = format!("Error transforming datatype for: {name}: {reason}");
                problems.push(Problem { place, text });
            }
        } else if KNOWN_KEYS.lines().any(|pattern| keys::matches(pattern, &key).is_some()) {
            match guards::check(&key, &value) {
                Ok(()) => {
                    notices.push(Notice { place, text: format!("{name} has no effect yet") });
                }
                Err(text) => problems.push(Problem { place, text }),
            }
        } else {
            problems.push(Problem { place, text: unknown_key(&name) });
        }
    }
    match typed.resolve(env) {
        Ok(config) if problems.is_empty() => Ok(Loaded { config, notices }),
        Ok(_) => Err(LoadError { problems }),
        Err(text) => {
            problems.push(Problem { place: Place { file, line: 0 }, text });
            Err(LoadError { problems })
        }
    }
}

/// Old names of keys become the new ones, each with RabbitMQ's warning.
fn renamed(mut settings: Vec<Setting>, notices: &mut Vec<Notice>) -> Vec<Setting> {
    for setting in &mut settings {
        let [word] = setting.key.as_mut_slice() else { continue };
        let Some((old, new)) = keys::RENAMED.iter().find(|(old, _)| old == word) else { continue };
        let text = format!("{old} was renamed to {new}");
        notices.push(Notice { place: setting.place.clone(), text });
        *word = (*new).to_owned();
    }
    settings
}

/// When a key occurs more than once the last value counts, at the first one's position.
fn last_of_each(settings: Vec<Setting>) -> Vec<Setting> {
    let mut kept: Vec<Setting> = Vec::with_capacity(settings.len());
    let mut positions: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for setting in settings {
        match positions.get(&setting.key) {
            Some(idx) => kept[*idx] = setting,
            None => {
                positions.insert(setting.key.clone(), kept.len());
                kept.push(setting);
            }
        }
    }
    kept
}

/// Replaces `$(NAME)` by the value of that key, else of that environment variable.
fn substituted(
    value: &str,
    values: &BTreeMap<String, String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut value = value.to_owned();
    for _ in 0..SUBSTITUTIONS_MAX {
        let Some(start) = value.find("$(") else { return Ok(value) };
        let Some(len) = value[start..].find(')') else { return Ok(value) };
        let name = value[start + 2..start + len].trim();
        let Some(replacement) = values.get(name).cloned().or_else(|| env(name)) else {
            return Err(format!(
                "'$({name})' substitution requires a config variable or an environment variable \
                 '{name}' to be set"
            ));
        };
        value.replace_range(start..=start + len, &replacement);
    }
    Err(format!("Circular RHS substitutions: {value}"))
}

fn unknown_key(name: &str) -> String {
    let nearest = suggest::nearest(name, KNOWN_KEYS.lines().chain(keys::names()), 3);
    format!(
        "You've tried to set {name}, but there is no setting with that name.\n  Did you mean one \
         of these?\n    {}",
        nearest.join("\n    ")
    )
}

#[cfg(test)]
mod tests;
