//! Values as Erlang sees them: RabbitMQ compares and prints them without their types.

use field_table::FieldValue;
use serde_json::Value;

/// The width at which Erlang's `~p` breaks a term.
const LINE_LEN_MAX: usize = 80;

/// Whether two values are the same to Erlang: integers of all widths are alike, as are floats and as
/// are strings and bytes.
pub(crate) fn is_same(a: &FieldValue, b: &FieldValue) -> bool {
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

/// The number that an integer or a timestamp is.
pub(crate) fn number(value: &FieldValue) -> Option<i128> {
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

/// A value as Erlang would print it, strings as their text.
pub(crate) fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        other => term(other),
    }
}

/// A value as Erlang's `~p` prints it.
pub(crate) fn term(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::F32(value) => format!("{:?}", f64::from(*value)),
        FieldValue::F64(value) => format!("{value:?}"),
        FieldValue::Decimal(decimal) => format!("{{{},{}}}", decimal.scale, decimal.value),
        FieldValue::Timestamp(seconds) => seconds.to_string(),
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => binary(bytes),
        FieldValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| {
                let key = binary(key.as_bytes());
                format!("{{{key},{},{}}}", value.type_name(), term(value))
            });
            format!("[{}]", fields.collect::<Vec<_>>().join(","))
        }
        FieldValue::Array(values) => {
            let values = values.iter();
            let values = values.map(|v| format!("{{{},{}}}", v.type_name(), term(v)));
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

/// A decoded JSON value as Erlang's `~p` prints it, on one line.
pub(crate) fn json(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => match number.to_string() {
            text if text.contains('e') && !text.contains('.') => text.replace('e', ".0e"),
            text => text,
        },
        Value::String(text) => binary(text.as_bytes()),
        // Erlang takes it for a text.
        Value::Array(values) if !values.is_empty() && values.iter().all(is_printable) => {
            let codes = values.iter().filter_map(Value::as_u64);
            let text: String = codes.map(|code| char::from(code as u8)).collect();
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(json).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(key, v)| format!("{} => {}", binary(key.as_bytes()), json(v)));
            format!("#{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

/// Whether a number is a character that Erlang prints.
fn is_printable(value: &Value) -> bool {
    value.as_u64().is_some_and(|code| (32..=126).contains(&code) || (160..=255).contains(&code))
}

/// Named values as Erlang's `~p` prints a list of pairs: on one line if they fit.
pub(crate) fn proplist<'a>(fields: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    let pair = |(key, v): (&String, &Value)| format!("{{{},{}}}", binary(key.as_bytes()), json(v));
    let pairs: Vec<String> = fields.into_iter().map(pair).collect();
    let line = format!("[{}]", pairs.join(","));
    if line.chars().count() <= LINE_LEN_MAX { line } else { format!("[{}]", pairs.join(",\n ")) }
}

/// A string and a number as Erlang's `~p` prints a tuple of them after `column` other characters.
pub(crate) fn text_and_number(column: usize, text: &str, number: usize) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    let line = format!("{{\"{text}\",{number}}}");
    if column + line.chars().count() <= LINE_LEN_MAX {
        return line;
    }
    format!("{{\"{text}\",\n{}{number}}}", " ".repeat(column + 1))
}

/// `<<"text">>`, or the bytes as numbers when they are not printable.
fn binary(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "<<>>".to_owned();
    }
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
