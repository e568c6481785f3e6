//! AMQP's field tables as JSON and back.

use field_table::{FieldTable, FieldValue, ShortStr};
use operator::Term;
use serde_json::{Map, Number, Value, json};

use crate::reply::Failure;

/// A table as an object.
pub(crate) fn table(table: &FieldTable) -> Value {
    let entries = table.iter().map(|(key, value)| (key.to_text().into_owned(), field(value)));
    Value::Object(entries.collect())
}

fn field(value: &FieldValue) -> Value {
    match value {
        FieldValue::Table(inner) => table(inner),
        FieldValue::Array(values) => Value::Array(values.iter().map(field).collect()),
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => {
            String::from_utf8_lossy(bytes).into_owned().into()
        }
        FieldValue::Bool(value) => (*value).into(),
        FieldValue::Void => Value::Null,
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal(it) => float(f64::from(it.value) / 10f64.powi(i32::from(it.scale))),
        FieldValue::I8(value) => (*value).into(),
        FieldValue::U8(value) => (*value).into(),
        FieldValue::I16(value) => (*value).into(),
        FieldValue::U16(value) => (*value).into(),
        FieldValue::I32(value) => (*value).into(),
        FieldValue::U32(value) => (*value).into(),
        FieldValue::I64(value) => (*value).into(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
    }
}

/// A value of a policy.
pub(crate) fn term(term: &Term) -> Value {
    match term {
        Term::Atom(name) => match name.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        Term::Int(value) => (*value).into(),
        Term::Float(value) => float(*value),
        Term::Text(text) | Term::Pid(text) => text.clone().into(),
        Term::Address(address) => address.to_string().into(),
        Term::Tuple(terms) | Term::List(terms) => terms.iter().map(self::term).collect(),
        Term::Map(entries) => {
            Value::Object(entries.iter().map(|(key, it)| (key.clone(), self::term(it))).collect())
        }
        Term::Table(fields) => {
            let fields = fields.iter().map(|(key, _, it)| (key.clone(), self::term(it)));
            Value::Object(fields.collect())
        }
        Term::Array(values) => values.iter().map(|(_, it)| self::term(it)).collect(),
    }
}

/// What is no number in JSON is shown as none.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// An object as a table. Whole numbers are longs, as RabbitMQ types them.
///
/// # Errors
/// `null`, for which AMQP has a value and RabbitMQ no use; keys longer than 255 bytes.
pub(crate) fn to_table(object: &Map<String, Value>) -> Result<FieldTable, Failure> {
    let mut table = FieldTable::new();
    for (key, value) in object {
        let key = ShortStr::new(key.clone())
            .map_err(|_| Failure::bad_request(format!("argument name is too long: {key}")))?;
        table.insert(key, to_field(value)?);
    }
    table.sort();
    Ok(table)
}

fn to_field(value: &Value) -> Result<FieldValue, Failure> {
    Ok(match value {
        Value::Null => return Err(Failure::bad_request("null_not_allowed")),
        Value::Bool(value) => FieldValue::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => FieldValue::I64(whole),
            (None, float) => FieldValue::F64(float.unwrap_or_default()),
        },
        Value::String(text) => FieldValue::from(text.as_str()),
        Value::Array(values) => {
            FieldValue::Array(values.iter().map(to_field).collect::<Result<Vec<_>, _>>()?)
        }
        Value::Object(object) => FieldValue::Table(to_table(object)?),
    })
}

/// `arguments` of a body, which may be left out.
pub(crate) fn arguments(body: &Map<String, Value>) -> Result<FieldTable, Failure> {
    match body.get("arguments") {
        None => Ok(FieldTable::new()),
        Some(Value::Object(object)) => to_table(object),
        // Where Erlang's empty object and empty list are the same.
        Some(Value::Array(values)) if values.is_empty() => Ok(FieldTable::new()),
        Some(_) => Err(Failure::bad_request("arguments should be a map")),
    }
}

/// A flag of a body, also as the text of one; `false` when it is left out.
pub(crate) fn flag(body: &Map<String, Value>, key: &str) -> Result<bool, Failure> {
    Ok(optional_flag(body, key)?.unwrap_or_default())
}

/// As [`flag`], none when it is left out.
pub(crate) fn optional_flag(body: &Map<String, Value>, key: &str) -> Result<Option<bool>, Failure> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(other) => Err(Failure::bad_request(json!(["not_boolean", other]))),
    }
}

/// A text of a body.
pub(crate) fn text<'a>(
    body: &'a Map<String, Value>,
    key: &str,
) -> Result<Option<&'a str>, Failure> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::bad_request(format!("{key} should be a string"))),
    }
}

/// Tags of users and vhosts: a list, or a text with commas.
pub(crate) fn tags(value: &Value) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::bad_request("tags should be a list or a comma-separated string");
    match value {
        Value::String(text) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(words.map(str::to_owned).collect())
        }
        Value::Array(values) => {
            values.iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}
