//! Field values as Erlang sees them: RabbitMQ compares and prints them without their types.

use field_table::FieldValue;

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

/// `<<"text">>`, or the bytes as numbers when they are not printable.
fn binary(bytes: &[u8]) -> String {
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
