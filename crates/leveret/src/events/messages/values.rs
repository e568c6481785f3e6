//! Values that RabbitMQ's headers show as Erlang prints them, and JSON as fields.

use std::net::IpAddr;

use field_table::{FieldTable, FieldValue, ShortStr};
use serde_json::Value;

/// Arguments: each a text such as `{<<"x-max-length">>,signedint,5}`.
pub(super) fn printed(table: &FieldTable) -> FieldValue {
    FieldValue::Array(table.iter().map(|(name, value)| field(name, value).into()).collect())
}

fn field(name: &ShortStr, value: &FieldValue) -> String {
    format!("{{{},{},{}}}", binary(name.as_bytes()), value.type_name(), term(value))
}

fn term(value: &FieldValue) -> String {
    let listed = |terms: Vec<String>| format!("[{}]", terms.join(","));
    match value {
        FieldValue::Bool(is_true) => is_true.to_string(),
        FieldValue::F32(number) => format!("{:?}", f64::from(*number)),
        FieldValue::F64(number) => format!("{number:?}"),
        FieldValue::Decimal(decimal) => format!("{{{},{}}}", decimal.scale, decimal.value),
        FieldValue::Timestamp(seconds) => seconds.to_string(),
        FieldValue::LongStr(bytes) | FieldValue::Binary(bytes) => binary(bytes),
        FieldValue::Table(table) => {
            listed(table.iter().map(|(name, it)| field(name, it)).collect())
        }
        FieldValue::Array(values) => {
            listed(values.iter().map(|it| format!("{{{},{}}}", it.type_name(), term(it))).collect())
        }
        FieldValue::Void => "undefined".to_owned(),
        number => number.as_integer().unwrap_or_default().to_string(),
    }
}

/// A binary as text where it is one, else as numbers.
pub(super) fn binary(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => {
            let encoding = if text.is_ascii() { "" } else { "/utf8" };
            format!("<<\"{}\"{encoding}>>", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => {
            let octets: Vec<String> = bytes.iter().map(u8::to_string).collect();
            format!("<<{}>>", octets.join(","))
        }
    }
}

/// An address as Erlang's tuple.
pub(super) fn address(host: IpAddr) -> String {
    let parts: Vec<String> = match host {
        IpAddr::V4(host) => host.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(host) => host.segments().iter().map(u16::to_string).collect(),
    };
    format!("{{{}}}", parts.join(","))
}

/// A text as the list of its characters, which some of RabbitMQ's texts are.
pub(super) fn characters(text: &str) -> FieldValue {
    FieldValue::Array(text.chars().map(|it| FieldValue::I64(i64::from(u32::from(it)))).collect())
}

/// A JSON value as a field.
pub(super) fn json(value: &Value) -> FieldValue {
    match value {
        Value::Null => "null".into(),
        Value::Bool(is_true) => (*is_true).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => FieldValue::Array(values.iter().map(json).collect()),
        Value::Object(fields) => {
            let mut table = FieldTable::new();
            for (name, value) in fields {
                // A longer name cannot be told.
                if let Ok(name) = ShortStr::try_from(name.as_str()) {
                    table.push(name, json(value));
                }
            }
            table.into()
        }
    }
}

/// Texts as an array.
pub(super) fn texts(texts: &[String]) -> FieldValue {
    FieldValue::Array(texts.iter().map(|it| it.as_str().into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_look_as_erlang_prints_them() {
        let inner =
            FieldTable::new().with("basic.nack", true).with("n", vec![1.into(), "s".into()]);
        let table = FieldTable::new()
            .with("x-max-length", 5)
            .with("x-queue-type", "classic")
            .with("x-wide", 5_i64)
            .with("capabilities", inner)
            .with("k\u{e9}y", &[1_u8, 2][..]);
        let FieldValue::Array(printed) = printed(&table) else { panic!("an array") };
        let printed: Vec<_> = printed.iter().filter_map(FieldValue::as_str).collect();
        assert_eq!(
            printed,
            [
                r#"{<<"x-max-length">>,signedint,5}"#,
                r#"{<<"x-queue-type">>,longstr,<<"classic">>}"#,
                r#"{<<"x-wide">>,long,5}"#,
                r#"{<<"capabilities">>,table,[{<<"basic.nack">>,bool,true},{<<"n">>,array,[{signedint,1},{longstr,<<"s">>}]}]}"#,
                "{<<\"k\u{e9}y\"/utf8>>,longstr,<<1,2>>}",
            ]
        );
    }

    #[test]
    fn addresses_are_tuples() {
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert_eq!(address(mapped), "{0,0,0,0,0,65535,32512,1}");
        assert_eq!(address("127.0.0.1".parse().expect("an address")), "{127,0,0,1}");
    }
}
