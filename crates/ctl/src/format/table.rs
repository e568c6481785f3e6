//! Tab-separated columns, the default.

use super::erlang;
use operator::Term;

pub(super) fn row(values: &[Term]) -> String {
    values.iter().map(cell).collect::<Vec<_>>().join("\t")
}

/// One value. Texts and words stand as they are, whatever they hold.
pub(super) fn cell(value: &Term) -> String {
    let joined = |values: &[Term]| values.iter().map(cell).collect::<Vec<_>>().join(", ");
    match value {
        Term::Atom(text) | Term::Text(text) | Term::Pid(text) => text.clone(),
        Term::Int(number) => number.to_string(),
        Term::Float(number) => erlang::float(*number),
        Term::Address(ip) => ip.to_canonical().to_string(),
        Term::Tuple(values) if values.len() == 2 => format!("{{{}}}", joined(values)),
        Term::Tuple(values) => {
            let values: Vec<String> = values.iter().map(cell).collect();
            format!("{{{}}}", values.join(","))
        }
        Term::List(values) => format!("[{}]", joined(values)),
        Term::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key} => {}", cell(value))).collect();
            format!("#{{{}}}", entries.join(", "))
        }
        Term::Table(_) | Term::Array(_) => amqp(value),
    }
}

/// AMQP tables lose their types: `[{"x-max-length",10}]`.
fn amqp(value: &Term) -> String {
    match value {
        Term::Table(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, kind, value)| {
                    format!("{{{},{}}}", erlang::string(key), typed(kind, value))
                })
                .collect();
            format!("[{}]", fields.join(","))
        }
        Term::Array(values) => {
            let values: Vec<String> =
                values.iter().map(|(kind, value)| typed(kind, value)).collect();
            format!("[{}]", values.join(","))
        }
        value => erlang::term(value),
    }
}

fn typed(kind: &str, value: &Term) -> String {
    match value {
        Term::Text(text) if kind == "longstr" => erlang::string(text),
        value => amqp(value),
    }
}
