//! Erlang terms.

use std::net::IpAddr;

use operator::Term;

/// A list of rows, each a list of name and value. Rows are not broken at the line's width.
pub(super) fn rows(columns: &[String], rows: &[Vec<Term>]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|values| {
            let pairs: Vec<String> = columns
                .iter()
                .zip(values)
                .map(|(name, value)| format!("{{{},{}}}", atom(name), term(value)))
                .collect();
            format!("[{}]", pairs.join(","))
        })
        .collect();
    format!("[{}]", rows.join(",\n "))
}

pub(crate) fn term(value: &Term) -> String {
    let joined = |values: &[Term]| values.iter().map(term).collect::<Vec<_>>().join(",");
    match value {
        Term::Atom(word) => atom(word),
        Term::Text(text) => binary(text),
        Term::Pid(pid) => pid.clone(),
        Term::Int(number) => number.to_string(),
        Term::Float(number) => float(*number),
        Term::Address(IpAddr::V4(ip)) => {
            format!("{{{}}}", ip.octets().map(|n| n.to_string()).join(","))
        }
        Term::Address(IpAddr::V6(ip)) => {
            format!("{{{}}}", ip.segments().map(|n| n.to_string()).join(","))
        }
        Term::Tuple(values) => format!("{{{}}}", joined(values)),
        Term::List(values) => format!("[{}]", joined(values)),
        Term::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} => {}", atom(key), term(value)))
                .collect();
            format!("#{{{}}}", entries.join(","))
        }
        Term::Table(fields) => format!("[{}]", table_fields(fields).join(",")),
        Term::Array(values) => {
            let values: Vec<String> =
                values.iter().map(|(kind, value)| format!("{{{kind},{}}}", term(value))).collect();
            format!("[{}]", values.join(","))
        }
    }
}

pub(super) fn table_fields(fields: &[(String, String, Term)]) -> Vec<String> {
    fields
        .iter()
        .map(|(key, kind, value)| format!("{{{},{kind},{}}}", binary(key), term(value)))
        .collect()
}

fn atom(word: &str) -> String {
    let is_bare = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '@');
    if is_bare { word.to_owned() } else { format!("'{}'", word.replace('\'', "\\'")) }
}

fn binary(text: &str) -> String {
    if text.is_empty() {
        return "<<>>".to_owned();
    }
    match is_printable(text) {
        true => format!("<<\"{}\">>", escaped(text)),
        false => {
            let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
            format!("<<{}>>", bytes.join(","))
        }
    }
}

/// A list of characters: quoted when all are printable, numbers otherwise, `[]` when empty.
pub(super) fn string(text: &str) -> String {
    if text.is_empty() {
        return "[]".to_owned();
    }
    match is_printable(text) {
        true => format!("\"{}\"", escaped(text)),
        false => {
            let points: Vec<String> = text.chars().map(|c| u32::from(c).to_string()).collect();
            format!("[{}]", points.join(","))
        }
    }
}

/// Erlang's idea of Latin-1 text.
fn is_printable(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}' | '\n' | '\r' | '\t'))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t")
}

/// The shortest text that reads back the same, always with a point.
pub(crate) fn float(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}
