//! The arguments of `queue.declare`: which there are, for which types, and what they may be.

use field_table::{FieldTable, FieldValue};

use super::{Overflow, Properties, QueueKind};
use crate::Refusal;
use crate::refusal::Named;

/// The argument that names the queue type.
pub(crate) const X_QUEUE_TYPE: &str = "x-queue-type";
/// The argument that names where dead letters go.
pub(crate) const X_DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
/// An argument that RabbitMQ refuses as deprecated.
pub(crate) const X_QUEUE_MASTER_LOCATOR: &str = "x-queue-master-locator";

/// Ten years: the longest expiry RabbitMQ takes.
const EXPIRY_MAX_MS: i64 = 315_360_000_000;
/// The highest `x-max-priority`.
const PRIORITY_MAX: i64 = 255;
/// The largest `x-stream-max-segment-size-bytes`.
pub(crate) const SEGMENT_SIZE_MAX: i64 = 3_000_000_000;

/// Says what is wrong with a value, as the Erlang term in RabbitMQ's text.
type Check = fn(&FieldValue, &FieldTable) -> Result<(), String>;

/// A known argument. One that is not in the table is kept and means nothing.
struct Argument {
    name: &'static str,
    kinds: &'static [QueueKind],
    check: Option<Check>,
}

const C: &[QueueKind] = &[QueueKind::Classic];
const Q: &[QueueKind] = &[QueueKind::Quorum];
const S: &[QueueKind] = &[QueueKind::Stream];
const CQ: &[QueueKind] = &[QueueKind::Classic, QueueKind::Quorum];
const CQS: &[QueueKind] = &QueueKind::ALL;

const fn checked(name: &'static str, kinds: &'static [QueueKind], check: Check) -> Argument {
    Argument { name, kinds, check: Some(check) }
}

const fn unchecked(name: &'static str, kinds: &'static [QueueKind]) -> Argument {
    Argument { name, kinds, check: None }
}

/// In the order in which RabbitMQ validates them, which is also the order in which it compares those
/// of a classic queue.
const ARGUMENTS: &[Argument] = &[
    checked("x-expires", CQ, check_expires),
    checked("x-message-ttl", CQ, check_message_ttl),
    checked(X_DEAD_LETTER_EXCHANGE, CQ, check_long_str),
    checked("x-dead-letter-routing-key", CQ, check_dead_letter_routing_key),
    checked("x-dead-letter-strategy", Q, check_dead_letter_strategy),
    checked("x-max-length", CQ, check_not_negative),
    checked("x-max-length-bytes", CQS, check_not_negative),
    checked("x-max-in-memory-length", Q, check_not_negative),
    checked("x-max-in-memory-bytes", Q, check_not_negative),
    checked("x-max-priority", C, check_max_priority),
    checked("x-overflow", CQ, check_overflow),
    unchecked("x-queue-mode", C),
    checked("x-queue-version", C, check_queue_version),
    checked("x-single-active-consumer", CQ, check_bool),
    checked("x-consumer-timeout", Q, check_not_negative),
    checked("x-consumer-disconnected-timeout", Q, check_not_negative),
    checked(X_QUEUE_TYPE, CQS, check_queue_type),
    checked("x-quorum-initial-group-size", Q, check_positive),
    unchecked("x-delivery-limit", Q),
    unchecked("x-delayed-retry-type", Q),
    unchecked("x-delayed-retry-min", Q),
    unchecked("x-delayed-retry-max", Q),
    checked("x-max-age", S, check_max_age),
    checked("x-stream-max-segment-size-bytes", S, check_not_negative),
    checked("x-stream-filter-size-bytes", S, check_not_negative),
    checked("x-initial-cluster-size", S, check_positive),
    unchecked(X_QUEUE_MASTER_LOCATOR, C),
    checked("x-queue-leader-locator", CQS, check_leader_locator),
];

/// The arguments that must be equal when a queue of this type is declared again.
pub(crate) fn compared(kind: QueueKind) -> impl Iterator<Item = &'static str> {
    ARGUMENTS.iter().filter(move |argument| argument.kinds.contains(&kind)).map(|a| a.name)
}

/// The arguments as RabbitMQ stores them: with the queue type, and then in the order of their
/// names, when the client did not say the type.
pub(crate) fn with_queue_type(
    mut arguments: FieldTable,
    vhost_default: Option<QueueKind>,
    properties: Properties,
) -> FieldTable {
    if !arguments.contains_key(X_QUEUE_TYPE) {
        let kind = vhost_default
            .filter(|kind| kind.is_compatible(properties))
            .unwrap_or(QueueKind::Classic);
        arguments.set(X_QUEUE_TYPE, kind.name());
        arguments.sort();
    }
    arguments
}

/// The type these arguments ask for. Where they name none (or nothing sensible, which
/// [`check`] refuses) it is the vhost's.
pub(crate) fn requested_kind(
    arguments: &FieldTable,
    vhost_default: Option<QueueKind>,
) -> QueueKind {
    let fallback = vhost_default.unwrap_or(QueueKind::Classic);
    match arguments.get(X_QUEUE_TYPE).and_then(FieldValue::as_str) {
        None | Some("" | "undefined") => fallback,
        Some(name) => QueueKind::from_name(name).unwrap_or(fallback),
    }
}

/// What is compared when a quorum queue is declared again as a classic one and the operator lets
/// that pass, in RabbitMQ's order.
pub(crate) const RELAXED: [&str; 7] = [
    X_DEAD_LETTER_EXCHANGE,
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-single-active-consumer",
    "x-message-ttl",
];

/// Refuses arguments that a queue of type `kind` cannot have.
pub(crate) fn check(
    queue: Named<'_>,
    arguments: &FieldTable,
    kind: QueueKind,
) -> Result<(), Refusal> {
    if let Some(value) = arguments.get(X_QUEUE_TYPE)
        && !matches!(value.as_str(), Some("" | "undefined"))
    {
        check_one(queue, X_QUEUE_TYPE, value, arguments, check_queue_type)?;
    }
    for argument in ARGUMENTS.iter().filter(|argument| argument.kinds.contains(&kind)) {
        let is_checked = argument.name != X_QUEUE_TYPE;
        if let Some(check) = argument.check.filter(|_| is_checked)
            && let Some(value) = arguments.get(argument.name)
        {
            check_one(queue, argument.name, value, arguments, check)?;
        }
    }
    for (name, _) in arguments.iter() {
        let known = ARGUMENTS.iter().find(|argument| name == argument.name);
        if known.is_some_and(|argument| !argument.kinds.contains(&kind)) {
            return Err(Refusal::precondition_failed(format!(
                "invalid arg '{name}' for {queue} of queue type {}",
                kind.module_name()
            )));
        }
    }
    Ok(())
}

/// Refuses properties and values that only the queue type itself looks at.
pub(crate) fn check_of_kind(
    queue: Named<'_>,
    arguments: &FieldTable,
    kind: QueueKind,
    properties: Properties,
) -> Result<(), Refusal> {
    if kind == QueueKind::Classic {
        return Ok(());
    }
    let wrong = [
        (properties.auto_delete, "auto-delete"),
        (properties.exclusive, "exclusive-owner"),
        (!properties.durable, "non-durable"),
    ];
    if let Some((_, property)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(Refusal::precondition_failed(format!(
            "invalid property '{property}' for {queue}"
        )));
    }
    if kind == QueueKind::Quorum {
        return Ok(());
    }
    let number = |name: &str| arguments.get(name).and_then(FieldValue::as_integer);
    if number("x-stream-max-segment-size-bytes").is_some_and(|size| SEGMENT_SIZE_MAX < size) {
        return Err(Refusal::precondition_failed(
            "Exceeded max value for x-stream-max-segment-size-bytes",
        ));
    }
    if number("x-stream-filter-size-bytes").is_some_and(|size| !(16..=255).contains(&size)) {
        return Err(Refusal::precondition_failed("Invalid value for x-stream-filter-size-bytes"));
    }
    // The type that is still to come: everything about the declaration was right.
    Err(invalid(queue, X_QUEUE_TYPE, &unsupported_type(kind.name())))
}

fn check_one(
    queue: Named<'_>,
    name: &str,
    value: &FieldValue,
    arguments: &FieldTable,
    check: Check,
) -> Result<(), Refusal> {
    check(value, arguments).map_err(|reason| invalid(queue, name, &reason))
}

fn invalid(queue: Named<'_>, name: &str, reason: &str) -> Refusal {
    Refusal::precondition_failed(format!("invalid arg '{name}' for {queue}: {reason}"))
}

fn unsupported_type(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"unsupported queue type '{escaped}'\"")
}

fn unacceptable_type(value: &FieldValue) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

fn integer(value: &FieldValue) -> Result<i64, String> {
    value.as_integer().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn not_negative(value: &FieldValue) -> Result<i64, String> {
    match integer(value)? {
        negative @ ..0 => Err(format!("{{value_negative,{negative}}}")),
        number => Ok(number),
    }
}

fn long_str(value: &FieldValue) -> Result<&[u8], String> {
    value.as_long_str().ok_or_else(|| unacceptable_type(value))
}

fn one_of(value: &FieldValue, known: &[&str], otherwise: &str) -> Result<(), String> {
    let text = long_str(value)?;
    if known.iter().any(|name| name.as_bytes() == text) {
        return Ok(());
    }
    Err(otherwise.to_owned())
}

fn check_not_negative(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    not_negative(value).map(|_| ())
}

fn check_positive(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match not_negative(value)? {
        0 => Err("{value_zero,0}".to_owned()),
        _ => Ok(()),
    }
}

fn check_message_ttl(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match not_negative(value)? {
        late if EXPIRY_MAX_MS < late => Err(format!("{{value_too_large,{late}}}")),
        _ => Ok(()),
    }
}

fn check_expires(value: &FieldValue, arguments: &FieldTable) -> Result<(), String> {
    if integer(value)? == 0 {
        return Err("{value_zero,0}".to_owned());
    }
    check_message_ttl(value, arguments)
}

fn check_max_priority(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match not_negative(value)? {
        high if PRIORITY_MAX < high => Err(format!("{{max_value_exceeded,{high}}}")),
        _ => Ok(()),
    }
}

fn check_queue_version(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match not_negative(value)? {
        2 => Ok(()),
        other => Err(format!("\"unsupported queue version '{other}'\"")),
    }
}

fn check_bool(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    value.as_bool().map(|_| ()).ok_or_else(|| unacceptable_type(value))
}

fn check_long_str(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    long_str(value).map(|_| ())
}

fn check_dead_letter_routing_key(value: &FieldValue, arguments: &FieldTable) -> Result<(), String> {
    long_str(value)?;
    if !arguments.contains_key(X_DEAD_LETTER_EXCHANGE) {
        return Err("routing_key_but_no_dlx_defined".to_owned());
    }
    Ok(())
}

fn check_dead_letter_strategy(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

fn check_overflow(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match Overflow::from_name(long_str(value)?) {
        Some(_) => Ok(()),
        None => Err("invalid_overflow".to_owned()),
    }
}

fn check_leader_locator(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    let known = ["client-local", "balanced", "random", "least-leaders", "min-masters"];
    one_of(value, &known, "invalid_queue_locator_arg")
}

fn check_queue_type(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    let name = String::from_utf8_lossy(long_str(value)?);
    match QueueKind::from_name(&name) {
        Some(_) => Ok(()),
        None => Err(unsupported_type(&name)),
    }
}

fn check_max_age(value: &FieldValue, _: &FieldTable) -> Result<(), String> {
    match is_max_age(long_str(value)?) {
        true => Ok(()),
        false => Err("invalid_max_age".to_owned()),
    }
}

/// `7D`: a number above 0 and one of six units.
pub(crate) fn is_max_age(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let is_positive = number.iter().any(|digit| *digit != b'0');
    is_positive && matches!(unit, b"Y" | b"M" | b"D" | b"h" | b"m" | b"s")
}

#[cfg(test)]
mod tests;
