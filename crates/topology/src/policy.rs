//! Policies: settings that operators give to queues and exchanges by their names.

mod applied;
mod keys;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

pub use applied::Applied;

use crate::pattern::{PATTERN_LEN_MAX, Pattern};
use crate::{QueueKind, erlang};

/// What a policy sets: values by key, in the order of the keys.
pub type Definition = Map<String, Value>;

/// Who a policy is by: the two are set apart from each other and merged where both apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// For whoever has the tag `policymaker`.
    User,
    /// For administrators alone: limits that the others cannot lift.
    Operator,
}

impl PolicyKind {
    /// The component of the runtime parameters that it is kept as.
    pub fn component(self) -> &'static str {
        match self {
            Self::User => "policy",
            Self::Operator => "operator_policy",
        }
    }
}

/// What a policy applies to, by the names of the key `apply-to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApplyTo {
    /// Exchanges, and queues of all types.
    #[default]
    All,
    /// Exchanges.
    Exchanges,
    /// Queues of all types.
    Queues,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
}

impl ApplyTo {
    const ALL: [Self; 6] = [
        Self::All,
        Self::Exchanges,
        Self::Queues,
        Self::ClassicQueues,
        Self::QuorumQueues,
        Self::Streams,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exchanges => "exchanges",
            Self::Queues => "queues",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    fn has_exchanges(self) -> bool {
        matches!(self, Self::All | Self::Exchanges)
    }

    fn has(self, kind: QueueKind) -> bool {
        match self {
            Self::All | Self::Queues => true,
            Self::ClassicQueues => kind == QueueKind::Classic,
            Self::QuorumQueues => kind == QueueKind::Quorum,
            Self::Streams => kind == QueueKind::Stream,
            Self::Exchanges => false,
        }
    }
}

/// A policy, user's or operator's.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// The names it is for: found anywhere in them.
    pub pattern: Pattern,
    /// The kinds of objects it is for.
    pub apply_to: ApplyTo,
    /// What it sets.
    pub definition: Definition,
    /// Of those that match an object, the one with the highest applies.
    pub priority: Number,
    /// The types of queues it is for that know all of its keys: RabbitMQ ignores it for others.
    queue_kinds: Vec<QueueKind>,
    /// The value as it was stored, if not all of it is understood.
    stored: Option<Value>,
}

impl Policy {
    /// The policy that the parameter `name` with this value is, or all that is wrong with it, in
    /// RabbitMQ's words and order.
    pub(crate) fn parse(kind: PolicyKind, name: &str, value: &Value) -> Result<Self, Vec<String>> {
        let Value::Object(fields) = value else {
            return Err(vec![format!("{name} not a list {}", erlang::json(value))]);
        };
        let mandatory =
            |key: &str| fields.get(key).ok_or_else(|| format!("Key \"{key}\" not found in {name}"));
        let priority = mandatory("priority").and_then(parse_priority);
        let pattern = mandatory("pattern").and_then(parse_pattern);
        let apply_to = fields.get("apply-to").map_or(Ok(ApplyTo::All), parse_apply_to);
        let definition = mandatory("definition").and_then(|value| keys::parse(kind, name, value));
        let known = ["priority", "pattern", "apply-to", "definition"];
        let unknown = fields.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        let unknown: Vec<_> = unknown.collect();
        let unrecognised = (!unknown.is_empty())
            .then(|| format!("Unrecognised terms {} in {name}", erlang::proplist(unknown)));
        match (unrecognised, definition, apply_to, pattern, priority) {
            (None, Ok(definition), Ok(apply_to), Ok(pattern), Ok(priority)) => {
                let queue_kinds = queue_kinds(apply_to, &definition);
                let (name, stored) = (name.into(), None);
                Ok(Self { name, pattern, apply_to, definition, priority, queue_kinds, stored })
            }
            (unrecognised, definition, apply_to, pattern, priority) => {
                let errors = [definition.err(), apply_to.err(), pattern.err(), priority.err()];
                Err(unrecognised.into_iter().chain(errors.into_iter().flatten()).collect())
            }
        }
    }

    /// The policy that a log or a snapshot holds: whoever took it has answered for it. What is not
    /// understood any more has no effect, and is stored on as it was.
    pub(crate) fn stored(kind: PolicyKind, name: &str, value: &Value) -> Self {
        Self::parse(kind, name, value).unwrap_or_else(|_| Self::in_part(kind, name, value))
    }

    fn in_part(kind: PolicyKind, name: &str, value: &Value) -> Self {
        let field = |key: &str| value.get(key).unwrap_or(&Value::Null);
        let apply_to = value.get("apply-to").map_or(Ok(ApplyTo::All), parse_apply_to);
        let source = field("pattern").as_str().unwrap_or_default();
        let pattern = match (&apply_to, parse_pattern(field("pattern"))) {
            (Ok(_), Ok(pattern)) => pattern,
            _ => Pattern::nothing(source),
        };
        let apply_to = apply_to.unwrap_or_default();
        let definition = keys::understood(kind, field("definition"));
        Self {
            name: name.into(),
            pattern,
            apply_to,
            priority: parse_priority(field("priority")).unwrap_or_else(|_| 0.into()),
            queue_kinds: queue_kinds(apply_to, &definition),
            definition,
            stored: Some(value.clone()),
        }
    }

    /// Whether all that it says has an effect. What a version took another may not understand.
    pub(crate) fn is_understood(&self) -> bool {
        self.stored.is_none()
    }

    /// The value of the parameter that it is kept as.
    pub fn to_value(&self) -> Value {
        if let Some(stored) = &self.stored {
            return stored.clone();
        }
        serde_json::json!({
            "pattern": self.pattern.as_str(),
            "definition": self.definition,
            "priority": self.priority,
            "apply-to": self.apply_to.name(),
        })
    }

    /// Whether it is for a queue of this type and name.
    pub fn matches_queue(&self, kind: QueueKind, name: &str) -> bool {
        self.queue_kinds.contains(&kind) && self.pattern.matches(name)
    }

    /// Whether it is for an exchange of this name.
    pub fn matches_exchange(&self, name: &str) -> bool {
        self.apply_to.has_exchanges() && self.pattern.matches(name)
    }

    /// The one that applies first; the order of the names where RabbitMQ has none.
    fn cmp_rank(&self, other: &Self) -> Ordering {
        let [mine, others] = [self, other].map(|it| it.priority.as_f64().unwrap_or(0.0));
        others.total_cmp(&mine).then_with(|| self.name.cmp(&other.name))
    }
}

fn queue_kinds(apply_to: ApplyTo, definition: &Definition) -> Vec<QueueKind> {
    let kinds = QueueKind::ALL.into_iter().filter(|kind| apply_to.has(*kind));
    kinds.filter(|kind| keys::is_known_to(*kind, definition)).collect()
}

fn parse_priority(value: &Value) -> Result<Number, String> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        other => Err(format!("priority should be a number, actually was {}", erlang::json(other))),
    }
}

fn parse_pattern(value: &Value) -> Result<Pattern, String> {
    let Value::String(source) = value else {
        return Err(format!("pattern should be a binary but was {}", erlang::json(value)));
    };
    if PATTERN_LEN_MAX < source.len() {
        return Err(format!("pattern must not exceed {PATTERN_LEN_MAX} bytes"));
    }
    Pattern::search(source).map_err(|error| {
        let what = "pattern should be regular expression but is invalid: ";
        let reason = erlang::text_and_number(what.len(), &error.reason, error.position);
        format!("{what}{reason}")
    })
}

fn parse_apply_to(value: &Value) -> Result<ApplyTo, String> {
    let name = value.as_str();
    name.and_then(ApplyTo::from_name).ok_or_else(|| {
        // The two spaces are RabbitMQ's.
        format!(
            "apply-to '{}' unrecognised; should be one of: 'queues', 'classic_queues',  \
             'quorum_queues', 'streams', 'exchanges', or 'all'",
            name.map_or_else(|| erlang::json(value), str::to_owned)
        )
    })
}

/// The policies of one kind in a vhost.
#[derive(Debug, Default)]
pub struct Policies {
    by_name: BTreeMap<Arc<str>, Arc<Policy>>,
    /// The one that applies first is the first.
    ranked: Vec<Arc<Policy>>,
}

impl Policies {
    /// The policy called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Policy>> {
        self.by_name.get(name)
    }

    /// All of them in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_name.values()
    }

    /// Those for a queue; the first one applies.
    pub fn of_queue(&self, kind: QueueKind, name: &str) -> impl Iterator<Item = &Arc<Policy>> {
        self.ranked.iter().filter(move |policy| policy.matches_queue(kind, name))
    }

    /// Those for an exchange; the first one applies.
    pub fn of_exchange(&self, name: &str) -> impl Iterator<Item = &Arc<Policy>> {
        self.ranked.iter().filter(move |policy| policy.matches_exchange(name))
    }

    /// Sets a policy; says whether that changed anything.
    pub(crate) fn set(&mut self, policy: Policy) -> bool {
        if self.by_name.get(&policy.name).is_some_and(|old| **old == policy) {
            return false;
        }
        let policy = Arc::new(policy);
        self.ranked.retain(|old| old.name != policy.name);
        let place = self.ranked.partition_point(|other| other.cmp_rank(&policy).is_lt());
        self.ranked.insert(place, Arc::clone(&policy));
        self.by_name.insert(Arc::clone(&policy.name), policy);
        true
    }

    /// Clears a policy; nothing happens if there is none.
    pub(crate) fn clear(&mut self, name: &str) {
        self.ranked.retain(|policy| *policy.name != *name);
        self.by_name.remove(name);
    }
}
