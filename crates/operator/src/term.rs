//! Values as RabbitMQ's tools show them: Erlang's kinds, because each output format treats a name,
//! a text and a process identifier differently.

use std::net::IpAddr;

use field_table::{FieldTable, FieldValue};
use serde::{Deserialize, Serialize};

/// One value of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Term {
    /// `true`, `running`, `classic`: a word out of a known set.
    Atom(String),
    /// A count, size or number.
    Int(i64),
    /// A share or a rate.
    Float(f64),
    /// Any text.
    Text(String),
    /// `<rabbit@host.1795205311.3177.0>`
    Pid(String),
    /// A host's address.
    Address(IpAddr),
    /// `{0,9,1}`, `{node, state}`
    Tuple(Vec<Self>),
    /// Values in order.
    List(Vec<Self>),
    /// Named values, sorted by name.
    Map(Vec<(String, Self)>),
    /// An AMQP table: name, type and value of each field.
    Table(Vec<(String, String, Self)>),
    /// An AMQP array: type and value of each element.
    Array(Vec<(String, Self)>),
}

impl Term {
    /// What RabbitMQ shows for a value that does not exist: nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Atom(String::new())
    }

    /// A word out of a known set.
    #[must_use]
    pub fn atom(name: &str) -> Self {
        Self::Atom(name.to_owned())
    }

    /// Any text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A text, or nothing.
    #[must_use]
    pub fn optional_text(text: Option<&String>) -> Self {
        text.map_or_else(Self::nothing, |text| Self::text(text))
    }

    /// A process identifier, or nothing.
    #[must_use]
    pub fn optional_pid(pid: Option<&String>) -> Self {
        pid.map_or_else(Self::nothing, |pid| Self::Pid(pid.clone()))
    }

    /// A list of words.
    #[must_use]
    pub fn atoms(names: &[String]) -> Self {
        Self::List(names.iter().map(|name| Self::atom(name)).collect())
    }

    /// A map, sorted by name.
    #[must_use]
    pub fn map(mut entries: Vec<(String, Self)>) -> Self {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self::Map(entries)
    }

    /// A table that came with a declare, a consume or a handshake. An empty one is an empty list.
    #[must_use]
    pub fn from_table(table: &FieldTable) -> Self {
        if table.is_empty() {
            return Self::List(Vec::new());
        }
        Self::Table(
            table
                .iter()
                .map(|(key, value)| {
                    (key.to_text().into_owned(), value.type_name().to_owned(), Self::from(value))
                })
                .collect(),
        )
    }
}

impl From<bool> for Term {
    fn from(value: bool) -> Self {
        Self::atom(if value { "true" } else { "false" })
    }
}

impl From<u64> for Term {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&serde_json::Value> for Term {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::atom("null"),
            serde_json::Value::Bool(value) => Self::from(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(values) => Self::List(values.iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => {
                Self::map(fields.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
        }
    }
}

impl From<&FieldValue> for Term {
    fn from(value: &FieldValue) -> Self {
        match value {
            FieldValue::Table(table) => Self::from_table(table),
            FieldValue::Array(values) => Self::Array(
                values.iter().map(|v| (v.type_name().to_owned(), Self::from(v))).collect(),
            ),
            FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => {
                Self::Text(String::from_utf8_lossy(bytes).into_owned())
            }
            FieldValue::Bool(value) => Self::from(*value),
            FieldValue::Void => Self::atom("undefined"),
            FieldValue::F32(value) => Self::Float(f64::from(*value)),
            FieldValue::F64(value) => Self::Float(*value),
            FieldValue::Decimal(decimal) => {
                Self::Float(f64::from(decimal.value) / 10f64.powi(i32::from(decimal.scale)))
            }
            FieldValue::I8(value) => Self::Int((*value).into()),
            FieldValue::U8(value) => Self::Int((*value).into()),
            FieldValue::I16(value) => Self::Int((*value).into()),
            FieldValue::U16(value) => Self::Int((*value).into()),
            FieldValue::I32(value) => Self::Int((*value).into()),
            FieldValue::U32(value) => Self::Int((*value).into()),
            FieldValue::I64(value) => Self::Int(*value),
            FieldValue::Timestamp(seconds) => (*seconds).into(),
        }
    }
}
