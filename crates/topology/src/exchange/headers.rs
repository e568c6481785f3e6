//! `headers`: the arguments of the binding are compared with the headers of the message.

use std::sync::Arc;

use field_table::{FieldTable, FieldValue, ShortStr};

use super::{DependsOn, ExchangeType, Found, NewBinding, Routed, Routes, swap_remove};
use crate::{Binding, Refusal, erlang};

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

/// A timestamp in a header counts in milliseconds, one in a binding in seconds.
fn is_equal(wanted: &FieldValue, header: &FieldValue) -> bool {
    match header {
        FieldValue::Timestamp(seconds) => {
            erlang::number(wanted) == Some(i128::from(*seconds) * 1000)
        }
        other => erlang::is_same(wanted, other),
    }
}

fn validate_binding(binding: &NewBinding<'_>) -> Result<(), Refusal> {
    match binding.arguments.get(X_MATCH) {
        None => Ok(()),
        Some(FieldValue::LongStr(mode)) => match &**mode {
            b"all" | b"any" | b"all-with-x" | b"any-with-x" => Ok(()),
            _ => {
                let mode = erlang::term(&FieldValue::LongStr(mode.clone()));
                Err(Refusal::precondition_failed(format!(
                    "Invalid x-match field value {mode}; expected all, any, all-with-x, or any-with-x"
                )))
            }
        },
        Some(other) => Err(Refusal::precondition_failed(format!(
            "Invalid x-match field type {} (value {}); expected longstr",
            other.type_name(),
            erlang::term(other)
        ))),
    }
}
