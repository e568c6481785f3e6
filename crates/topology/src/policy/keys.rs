//! The keys of policies: which there are, what they may be, and how two values of one merge.

use serde_json::Value;

use super::{Definition, PolicyKind};
use crate::pattern::{PATTERN_LEN_MAX, Pattern};
use crate::queue::arguments;
use crate::{QueueKind, erlang};

/// Who validates a key in RabbitMQ; its groups are validated one after the other, and the first
/// mistake ends it.
#[derive(Clone, Copy, PartialEq)]
enum Group {
    Core,
    Classic,
    Quorum,
    Federation,
    Sharding,
}

use Group::{Classic, Core, Federation, Quorum, Sharding};

const GROUPS: [Group; 5] = [Core, Classic, Quorum, Federation, Sharding];

/// What comes of a user's and an operator's value.
#[derive(Clone, Copy)]
enum Merge {
    /// The operator's.
    Operator,
    Smaller,
    Larger,
    /// The smaller one, where negative is without limit: then the larger.
    Limit,
}

struct Key {
    name: &'static str,
    group: Group,
    check: fn(&Value) -> Result<(), String>,
    /// Whether operator policies may have it.
    is_operators: bool,
    merge: Merge,
}

impl Key {
    /// Whether policies of this kind may have it.
    fn is_for(&self, kind: PolicyKind) -> bool {
        kind == PolicyKind::User || self.is_operators
    }
}

const fn key(name: &'static str, group: Group, check: fn(&Value) -> Result<(), String>) -> Key {
    Key { name, group, check, is_operators: false, merge: Merge::Operator }
}

const fn shared(mut key: Key, merge: Merge) -> Key {
    key.is_operators = true;
    key.merge = merge;
    key
}

/// All keys that RabbitMQ 4.3 takes with its plugins on. Not all of them have an effect here: those of
/// streams, federation and sharding wait for what they are about.
const KEYS: &[Key] = &[
    key("alternate-exchange", Core, |v| text(v, "alternate exchange name")),
    key("consumer-disconnected-timeout", Core, |v| from(v, 0, "consumer disconnected timeout")),
    key("consumer-timeout", Core, |v| from(v, 0, "consumer timeout")),
    key("dead-letter-exchange", Core, |v| text(v, "dead letter exchange name")),
    key("dead-letter-routing-key", Core, |v| text(v, "dead letter routing key")),
    key("dead-letter-strategy", Core, |v| {
        one_of(v, &["at-most-once", "at-least-once"], "dead letter strategy")
    }),
    shared(key("message-ttl", Core, |v| from(v, 0, "message TTL")), Merge::Smaller),
    shared(key("expires", Core, |v| from(v, 1, "queue expiry")), Merge::Smaller),
    shared(key("max-length", Core, |v| from(v, 0, "maximum length")), Merge::Smaller),
    shared(
        key("max-length-bytes", Core, |v| from(v, 0, "maximum length in bytes")),
        Merge::Smaller,
    ),
    shared(
        key("max-in-memory-length", Core, |v| from(v, 0, "maximum memory in bytes")),
        Merge::Smaller,
    ),
    shared(
        key("max-in-memory-bytes", Core, |v| from(v, 0, "maximum memory in bytes")),
        Merge::Smaller,
    ),
    key("queue-mode", Core, |v| one_of(v, &["default", "lazy"], "queue-mode value")),
    shared(key("queue-version", Core, check_queue_version), Merge::Operator),
    shared(
        key("overflow", Core, |v| {
            one_of(v, &["drop-head", "reject-publish", "reject-publish-dlx"], "overflow value")
        }),
        Merge::Operator,
    ),
    shared(key("delivery-limit", Core, |v| from(v, i64::MIN, "delivery limit")), Merge::Limit),
    key("max-age", Core, check_max_age),
    key("stream-max-segment-size-bytes", Core, |v| {
        within(v, 0, arguments::SEGMENT_SIZE_MAX, "segment size")
    }),
    key("stream-filter-size-bytes", Core, |v| {
        within(v, 16, 255, "filter size. Valid range is 16-255")
    }),
    key("queue-leader-locator", Core, |v| {
        let known = ["client-local", "balanced", "random", "least-leaders"];
        one_of(v, &known, "queue leader locator value")
    }),
    key("initial-cluster-size", Core, |v| from(v, 0, "cluster size")),
    shared(
        key("queue-master-locator", Classic, |_| {
            Err("use of deprecated queue-master-locator argument is not permitted".to_owned())
        }),
        Merge::Operator,
    ),
    shared(
        key("target-group-size", Quorum, |v| from(v, 1, "qq target count value")),
        Merge::Larger,
    ),
    shared(
        key("delayed-retry-type", Quorum, |v| {
            let what = "delayed retry type. Must be one of: all, failed, returned, disabled";
            one_of(v, &["all", "failed", "returned", "disabled"], what)
        }),
        Merge::Operator,
    ),
    shared(
        key("delayed-retry-min", Quorum, |v| {
            from(v, 1, "delayed retry minimum delay. Must be a positive integer")
        }),
        Merge::Larger,
    ),
    shared(
        key("delayed-retry-max", Quorum, |v| {
            from(v, 1, "delayed retry maximum delay. Must be a positive integer")
        }),
        Merge::Smaller,
    ),
    key("federation-upstream", Federation, |v| text(v, "federation upstream name")),
    key("federation-upstream-set", Federation, |v| text(v, "federation upstream set name")),
    key("federation-upstream-pattern", Federation, check_upstream_pattern),
    key("shards-per-node", Sharding, check_shards),
    key("routing-key", Sharding, |v| match v {
        Value::String(_) => Ok(()),
        other => Err(format!("routing-key should be binary, actually was {}", erlang::json(other))),
    }),
];

/// Keys that classic queues, quorum queues and streams do not know: a policy with one of them does not
/// apply to such a queue at all.
fn unknown_to(kind: QueueKind) -> &'static [&'static str] {
    match kind {
        QueueKind::Classic => &[
            "max-age",
            "stream-max-segment-size-bytes",
            "initial-cluster-size",
            "delivery-limit",
            "dead-letter-strategy",
            "max-in-memory-length",
            "max-in-memory-bytes",
            "target-group-size",
        ],
        QueueKind::Quorum => &[
            "queue-mode",
            "queue-master-locator",
            "max-age",
            "stream-max-segment-size-bytes",
            "initial-cluster-size",
        ],
        QueueKind::Stream => &[
            "expires",
            "message-ttl",
            "dead-letter-exchange",
            "dead-letter-routing-key",
            "max-length",
            "max-in-memory-length",
            "max-in-memory-bytes",
            "overflow",
            "queue-mode",
            "delivery-limit",
            "queue-master-locator",
            "dead-letter-strategy",
            "target-group-size",
        ],
    }
}

/// Whether queues of this type know all of the keys.
pub(super) fn is_known_to(kind: QueueKind, definition: &Definition) -> bool {
    !unknown_to(kind).iter().any(|key| definition.contains_key(*key))
}

/// The value that comes of a user's and an operator's.
pub(super) fn merge<'a>(name: &str, users: &'a Value, operators: &'a Value) -> &'a Value {
    let how = find(name).map_or(Merge::Operator, |key| key.merge);
    let [Some(user), Some(operator)] = [users, operators].map(integer) else {
        return operators;
    };
    let is_users = match how {
        Merge::Operator => false,
        Merge::Smaller => user < operator,
        Merge::Larger => operator < user,
        Merge::Limit if user < 0 || operator < 0 => operator < user,
        Merge::Limit => user < operator,
    };
    if is_users { users } else { operators }
}

/// The definition that this value is, or what is wrong with it.
pub(super) fn parse(kind: PolicyKind, name: &str, value: &Value) -> Result<Definition, String> {
    let Value::Object(definition) = value else {
        return Err(match value {
            Value::Array(values) if values.is_empty() => "no policy provided".to_owned(),
            Value::Array(_) => {
                format!("definition must be a dictionary: {}", erlang::json(value))
            }
            other => format!(
                "parse error while reading policy {name}: {}. Validator: {}.",
                erlang::json(other),
                match kind {
                    PolicyKind::User => "policy_validator",
                    PolicyKind::Operator => "operator_policy_validator",
                }
            ),
        });
    };
    if definition.is_empty() {
        return Err("no policy provided".to_owned());
    }
    let is_known = |key: &Key| key.is_for(kind);
    for group in GROUPS {
        let of_group = |name: &str| find(name).filter(|key| key.group == group && is_known(key));
        for (name, value) in definition {
            if let Some(key) = of_group(name) {
                (key.check)(value)?;
            }
        }
        check_group(group, definition)?;
    }
    let unknown = definition.iter().filter(|(name, _)| !find(name).is_some_and(is_known));
    let unknown: Vec<_> = unknown.collect();
    if unknown.is_empty() {
        return Ok(definition.clone());
    }
    Err(format!("{} are not recognised policy settings", erlang::proplist(unknown)))
}

/// What [`parse`] takes of a definition: keys that are none, and values that may not be, are left out.
pub(super) fn understood(kind: PolicyKind, value: &Value) -> Definition {
    let mut definition = value.as_object().cloned().unwrap_or_default();
    definition.retain(|name, value| {
        find(name).is_some_and(|key| key.is_for(kind) && (key.check)(value).is_ok())
    });
    for group in GROUPS {
        if check_group(group, &definition).is_err() {
            definition.retain(|name, _| find(name).is_some_and(|key| key.group != group));
        }
    }
    definition
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// What several keys of a group may be together.
fn check_group(group: Group, definition: &Definition) -> Result<(), String> {
    let has = |name: &str| definition.contains_key(name);
    match group {
        Core | Classic => Ok(()),
        Quorum => check_delayed_retry(definition),
        Federation => {
            let upstreams = definition.keys().filter_map(|name| find(name));
            if 1 < upstreams.filter(|key| key.group == Federation).count() {
                return Err("cannot specify federation-upstream, federation-upstream-set or \
                            federation-upstream-pattern together"
                    .to_owned());
            }
            Ok(())
        }
        Sharding if has("routing-key") && !has("shards-per-node") => {
            Err("shards-per-node must be specified".to_owned())
        }
        Sharding => Ok(()),
    }
}

fn check_delayed_retry(definition: &Definition) -> Result<(), String> {
    let kind = definition.get("delayed-retry-type").and_then(Value::as_str);
    let [min, max] = ["delayed-retry-min", "delayed-retry-max"]
        .map(|name| definition.get(name).and_then(Value::as_i64));
    match (kind.filter(|kind| *kind != "disabled"), min, max) {
        (Some(kind), None, _) => {
            Err(format!("delayed-retry-min is required when delayed-retry-type is {kind}"))
        }
        (_, Some(min), Some(max)) if max < min => Err(format!(
            "delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})"
        )),
        _ => Ok(()),
    }
}

fn invalid(value: &Value, what: &str) -> String {
    format!("{} is not a valid {what}", erlang::json(value))
}

fn text(value: &Value, what: &str) -> Result<(), String> {
    if value.is_string() { Ok(()) } else { Err(invalid(value, what)) }
}

fn one_of(value: &Value, known: &[&str], what: &str) -> Result<(), String> {
    match value.as_str() {
        Some(text) if known.contains(&text) => Ok(()),
        _ => Err(invalid(value, what)),
    }
}

fn from(value: &Value, min: i64, what: &str) -> Result<(), String> {
    within(value, min, i64::MAX, what)
}

/// A whole number; one that is too large for our limits is as large as they go.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
}

fn within(value: &Value, min: i64, max: i64, what: &str) -> Result<(), String> {
    match integer(value) {
        Some(number) if (min..=max).contains(&number) => Ok(()),
        _ => Err(invalid(value, what)),
    }
}

fn check_queue_version(value: &Value) -> Result<(), String> {
    within(value, 1, 2, "queue-version value")
}

fn check_max_age(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(text) if arguments::is_max_age(text.as_bytes()) => Ok(()),
        _ => Err(invalid(value, "max age")),
    }
}

fn check_upstream_pattern(value: &Value) -> Result<(), String> {
    let Value::String(source) = value else {
        return Err(invalid(value, "federation upstream pattern name"));
    };
    if PATTERN_LEN_MAX < source.len() {
        return Err(format!("federation-upstream-pattern must not exceed {PATTERN_LEN_MAX} bytes"));
    }
    Pattern::search(source).map(drop).map_err(|error| {
        let what = format!("could not compile pattern {source} to a regular expression. Error: ");
        let reason = erlang::text_and_number(what.len(), &error.reason, error.position);
        what + &reason
    })
}

fn check_shards(value: &Value) -> Result<(), String> {
    let found = erlang::json(value);
    match value.as_f64() {
        Some(number) if number < 0.0 => {
            Err(format!("shards-per-node should be greater than 0, actually was {found}"))
        }
        Some(_) => Ok(()),
        None => Err(format!("shards-per-node should be a number, actually was {found}")),
    }
}
