//! `headers`: the arguments of the binding are compared with the headers of the message.

use std::sync::Arc;

use field_table::{FieldTable, FieldValue, ShortStr};

use super::{DependsOn, ExchangeType, Found, NewBinding, Routed, Routes, swap_remove};
use crate::queue::equivalence::erlang_term;
use crate::{Binding, Refusal};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "headers",
    description: "AMQP headers exchange, as per the AMQP specification",
    depends_on: DependsOn::More,
    validate_binding,
    routes: || Box::<Headers>::default(),
};

const X_MATCH: &str = "x-match";

#[derive(Debug, Default)]
struct Headers(Vec<Arc<Binding>>);

/// How many of a binding's arguments must match, and which count.
#[derive(Clone, Copy, Debug)]
struct Mode {
    all: bool,
    /// Whether arguments starting with `x-` (`x-match` excepted) count.
    with_x: bool,
}

impl Mode {
    fn of(arguments: &FieldTable) -> Self {
        match arguments.get(X_MATCH).and_then(FieldValue::as_long_str) {
            Some(b"any") => Self { all: false, with_x: false },
            Some(b"any-with-x") => Self { all: false, with_x: true },
            Some(b"all-with-x") => Self { all: true, with_x: true },
            _ => Self { all: true, with_x: false },
        }
    }

    fn counts(self, name: &ShortStr) -> bool {
        if self.with_x { name != X_MATCH } else { !name.as_bytes().starts_with(b"x-") }
    }
}

impl Routes for Headers {
    fn add_binding(&mut self, binding: &Arc<Binding>) {
        self.0.push(Arc::clone(binding));
    }

    fn remove_binding(&mut self, binding: &Arc<Binding>) {
        swap_remove(&mut self.0, binding);
    }

    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>) {
        if self.0.is_empty() {
            return;
        }
        let headers = routed.headers();
        for binding in &self.0 {
            if matches(binding.arguments.as_deref(), headers) {
                found.add(&binding.destination);
            }
        }
    }

    fn bindings(&self) -> Vec<Arc<Binding>> {
        self.0.clone()
    }
}

/// Without arguments, all of them match.
fn matches(arguments: Option<&FieldTable>, headers: &FieldTable) -> bool {
    let Some(arguments) = arguments else { return true };
    let mode = Mode::of(arguments);
    let mut counted = arguments.iter().filter(|(name, _)| mode.counts(name));
    let has = |(name, wanted): (&ShortStr, &FieldValue)| has_header(headers, name, wanted);
    if mode.all { counted.all(has) } else { counted.any(has) }
}

/// Of headers with one name RabbitMQ sees the last. A void argument asks only for presence.
fn has_header(headers: &FieldTable, name: &ShortStr, wanted: &FieldValue) -> bool {
    let Some((_, value)) = headers.iter().rev().find(|(other, _)| *other == name) else {
        return false;
    };
    matches!(wanted, FieldValue::Void) || is_equal(wanted, value)
}

/// Erlang's exact equality of the values, which does not see the types on the wire: integers of all
/// widths are alike, as are floats and as are strings and bytes. A timestamp in a header counts in
/// milliseconds, one in a binding in seconds.
fn is_equal(wanted: &FieldValue, header: &FieldValue) -> bool {
    if let FieldValue::Timestamp(seconds) = header {
        return number(wanted) == Some(i128::from(*seconds) * 1000);
    }
    match (number(wanted), number(header)) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return false,
    }
    match (wanted, header) {
        (
            FieldValue::LongStr(a) | FieldValue::Binary(a),
            FieldValue::LongStr(b) | FieldValue::Binary(b),
        ) => a == b,
        _ => match (float(wanted), float(header)) {
            (Some(a), Some(b)) => a == b,
            _ => wanted == header,
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

fn validate_binding(binding: &NewBinding<'_>) -> Result<(), Refusal> {
    match binding.arguments.get(X_MATCH) {
        None => Ok(()),
        Some(FieldValue::LongStr(mode)) => match &**mode {
            b"all" | b"any" | b"all-with-x" | b"any-with-x" => Ok(()),
            _ => {
                let mode = erlang_term(&FieldValue::LongStr(mode.clone()));
                Err(Refusal::precondition_failed(format!(
                    "Invalid x-match field value {mode}; expected all, any, all-with-x, or any-with-x"
                )))
            }
        },
        Some(other) => Err(Refusal::precondition_failed(format!(
            "Invalid x-match field type {} (value {}); expected longstr",
            other.type_name(),
            erlang_term(other)
        ))),
    }
}
