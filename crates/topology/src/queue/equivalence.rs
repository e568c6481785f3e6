//! Whether an object declared again is declared as it is.

use std::fmt::Display;

use field_table::{FieldTable, FieldValue};

use super::arguments::X_QUEUE_TYPE;
use crate::Refusal;
use crate::refusal::Named;

/// Refuses a property that differs from the declared one.
pub(crate) fn check_property<T: PartialEq + Display>(
    object: Named<'_>,
    name: &str,
    current: T,
    received: T,
) -> Result<(), Refusal> {
    if current == received {
        return Ok(());
    }
    Err(inequivalent(object, name, &format!("'{received}'"), &format!("'{current}'")))
}

/// Refuses the first of the arguments `names` that differs from the declared one. Integers of all
/// widths compare by value, as do floats.
pub(crate) fn check_arguments(
    object: Named<'_>,
    current: &FieldTable,
    received: &FieldTable,
    names: impl Iterator<Item = &'static str>,
) -> Result<(), Refusal> {
    for name in names {
        let (old, new) = (current.get(name), received.get(name));
        match (old, new) {
            (None, None) => {}
            (Some(old), Some(new)) => {
                if !is_same(old, new) {
                    let (new, old) = (untyped(new), untyped(old));
                    return Err(inequivalent(object, name, &new, &old));
                }
            }
            (Some(only), None) | (None, Some(only)) => {
                // A queue without a type is a classic one.
                if name != X_QUEUE_TYPE || only.as_str() != Some("classic") {
                    return Err(inequivalent(object, name, &typed(new), &typed(old)));
                }
            }
        }
    }
    Ok(())
}

fn inequivalent(object: Named<'_>, name: &str, received: &str, current: &str) -> Refusal {
    Refusal::precondition_failed(format!(
        "inequivalent arg '{name}' for {object}: received {received} but current is {current}"
    ))
}

fn is_same(a: &FieldValue, b: &FieldValue) -> bool {
    match (a, b) {
        (
            FieldValue::LongStr(a) | FieldValue::Binary(a),
            FieldValue::LongStr(b) | FieldValue::Binary(b),
        ) => a == b,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b || float(a).is_some_and(|a| Some(a) == float(b)),
        },
    }
}

fn number(value: &FieldValue) -> Option<i128> {
    match value {
        FieldValue::Timestamp(seconds) => Some((*seconds).into()),
        other => other.as_integer().map(Into::into),
    }
}

fn float(value: &FieldValue) -> Option<f64> {
    match value {
        FieldValue::F32(value) => Some((*value).into()),
        FieldValue::F64(value) => Some(*value),
        _ => None,
    }
}

fn typed(value: Option<&FieldValue>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) => format!("the value {} of type '{}'", untyped(value), value.type_name()),
    }
}

fn untyped(value: &FieldValue) -> String {
    format!("'{}'", term(value))
}

/// A value as Erlang would print it, strings as their text.
pub(crate) fn term(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        nested => erlang_term(nested),
    }
}

/// A value as Erlang's `~p` prints it.
pub(crate) fn erlang_term(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::F32(value) => format!("{:?}", f64::from(*value)),
        FieldValue::F64(value) => format!("{value:?}"),
        FieldValue::Decimal(decimal) => format!("{{{},{}}}", decimal.scale, decimal.value),
        FieldValue::Timestamp(seconds) => seconds.to_string(),
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => erlang_binary(bytes),
        FieldValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| {
                let key = erlang_binary(key.as_bytes());
                format!("{{{key},{},{}}}", value.type_name(), erlang_term(value))
            });
            format!("[{}]", fields.collect::<Vec<_>>().join(","))
        }
        FieldValue::Array(values) => {
            let values = values.iter();
            let values = values.map(|v| format!("{{{},{}}}", v.type_name(), erlang_term(v)));
            format!("[{}]", values.collect::<Vec<_>>().join(","))
        }
        FieldValue::Void => "undefined".to_owned(),
        FieldValue::I8(_)
        | FieldValue::U8(_)
        | FieldValue::I16(_)
        | FieldValue::U16(_)
        | FieldValue::I32(_)
        | FieldValue::U32(_)
        | FieldValue::I64(_) => value.as_integer().unwrap_or_default().to_string(),
    }
}

/// `<<"text">>`, or the bytes as numbers when they are not printable.
fn erlang_binary(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let encoding = if text.is_ascii() { "" } else { "/utf8" };
            format!("<<\"{quoted}\"{encoding}>>")
        }
        _ => {
            let numbers = bytes.iter().map(u8::to_string);
            format!("<<{}>>", numbers.collect::<Vec<_>>().join(","))
        }
    }
}
