//! JSON, one object per row.

use std::net::IpAddr;

use serde_json::{Map, Value};

use operator::Term;

pub(super) fn row(columns: &[String], values: &[Term]) -> String {
    let object: Map<String, Value> =
        columns.iter().cloned().zip(values.iter().map(value)).collect();
    Value::Object(object).to_string()
}

pub(crate) fn value(term: &Term) -> Value {
    match term {
        Term::Atom(word) => match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "nil" => Value::Null,
            word => Value::from(word),
        },
        Term::Text(text) | Term::Pid(text) => Value::from(text.as_str()),
        Term::Int(number) => Value::from(*number),
        Term::Float(number) => Value::from(*number),
        Term::Address(IpAddr::V4(ip)) => Value::from(ip.octets().to_vec()),
        Term::Address(IpAddr::V6(ip)) => Value::from(ip.segments().to_vec()),
        Term::Tuple(values) | Term::List(values) => values.iter().map(value).collect(),
        Term::Map(entries) => {
            Value::Object(entries.iter().map(|(key, entry)| (key.clone(), value(entry))).collect())
        }
        Term::Table(fields) => fields
            .iter()
            .map(|(key, kind, field)| {
                Value::from(vec![key.as_str().into(), kind.as_str().into(), value(field)])
            })
            .collect(),
        Term::Array(values) => values
            .iter()
            .map(|(kind, item)| Value::from(vec![kind.as_str().into(), value(item)]))
            .collect(),
    }
}
