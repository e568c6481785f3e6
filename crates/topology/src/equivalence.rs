//! Whether an object declared again is declared as it is.

use std::fmt::Display;

use field_table::{FieldTable, FieldValue};

use crate::Refusal;
use crate::erlang;
use crate::queue::arguments::X_QUEUE_TYPE;
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
                if !erlang::is_same(old, new) {
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

fn typed(value: Option<&FieldValue>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) => format!("the value {} of type '{}'", untyped(value), value.type_name()),
    }
}

fn untyped(value: &FieldValue) -> String {
    format!("'{}'", erlang::text(value))
}
