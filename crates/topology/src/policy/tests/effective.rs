//! What a queue acts on, against RabbitMQ's rules written down without any structure.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::Transcript;
use crate::{Command, DeclareQueue, Overflow, QueueKind, SetParameter};
use field_table::{FieldTable, FieldValue, ShortStr};

/// A policy as it is set: name, pattern, `apply-to`, priority, definition.
#[derive(Clone, Debug)]
struct Set {
    is_operators: bool,
    name: String,
    pattern: &'static str,
    apply_to: &'static str,
    priority: i64,
    definition: serde_json::Map<String, Value>,
}

impl Set {
    fn command(&self) -> Command {
        Command::SetParameter(SetParameter {
            vhost: "v".to_owned(),
            component: if self.is_operators { "operator_policy" } else { "policy" }.to_owned(),
            name: self.name.clone(),
            value: json!({
                "pattern": self.pattern,
                "apply-to": self.apply_to,
                "priority": self.priority,
                "definition": self.definition,
            }),
        })
    }

    fn is_for(&self, kind: QueueKind, name: &str) -> bool {
        let is_found = match self.pattern {
            "^q" => name.starts_with('q'),
            "1$" => name.ends_with('1'),
            _ => true,
        };
        let is_meant = match self.apply_to {
            "classic_queues" => kind == QueueKind::Classic,
            "quorum_queues" => kind == QueueKind::Quorum,
            "exchanges" => false,
            _ => true,
        };
        let is_known = kind == QueueKind::Quorum || !self.definition.contains_key("delivery-limit");
        is_found && is_meant && is_known
    }
}

/// Each key with its value, by chance.
fn values(of_operators: bool) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let number = |name: &'static str, from: i64| {
        prop::option::of(from..6).prop_map(move |it| it.map(|it| (name.to_owned(), json!(it))))
    };
    let text = |name: &'static str, words: &'static [&'static str]| {
        prop::option::of(prop::sample::select(words))
            .prop_map(move |it| it.map(|it| (name.to_owned(), json!(it))))
    };
    let numbers = (
        number("max-length", 0),
        number("max-length-bytes", 0),
        number("message-ttl", 0),
        number("expires", 1),
        number("delivery-limit", -2),
    );
    let texts = (
        text("overflow", &["drop-head", "reject-publish"]),
        text("dead-letter-exchange", &["a", "b"]),
        text("dead-letter-routing-key", &["k", "l"]),
    );
    (numbers, texts).prop_map(move |((a, b, c, d, e), (f, g, h))| {
        let for_all = [a, b, c, d, e, f];
        let for_users = [g, h].into_iter().filter(|_| !of_operators);
        for_all.into_iter().chain(for_users).flatten().collect()
    })
}

fn set() -> impl Strategy<Value = Set> {
    let kinds = &["all", "queues", "classic_queues", "quorum_queues", "exchanges"][..];
    any::<bool>().prop_flat_map(move |is_operators| {
        let pattern = prop::sample::select(&["", "^q", "1$"][..]);
        let apply_to = prop::sample::select(kinds);
        let definition = values(is_operators).prop_filter("sets something", |it| !it.is_empty());
        ("[a-d]", pattern, apply_to, -1..2_i64, definition).prop_map(
            move |(name, pattern, apply_to, priority, definition)| Set {
                is_operators,
                name,
                pattern,
                apply_to,
                priority,
                definition,
            },
        )
    })
}

/// The policy that applies, by going through all of them.
fn applied<'a>(
    sets: &'a [Set],
    is_operators: bool,
    kind: QueueKind,
    name: &str,
) -> Option<&'a Set> {
    let mut best: Option<&Set> = None;
    for (place, set) in sets.iter().enumerate() {
        let is_replaced = sets[place + 1..]
            .iter()
            .any(|later| later.name == set.name && later.is_operators == set.is_operators);
        if set.is_operators != is_operators || is_replaced || !set.is_for(kind, name) {
            continue;
        }
        let rank = |set: &Set| (-set.priority, set.name.clone());
        if best.is_none_or(|best| rank(set) < rank(best)) {
            best = Some(set);
        }
    }
    best
}

/// The effective value of a key: the two policies merged, and then with the argument.
fn effective(
    key: &str,
    kind: QueueKind,
    user: Option<&Set>,
    operator: Option<&Set>,
    argument: Option<&Value>,
) -> Option<Value> {
    let of = |set: Option<&Set>| set.and_then(|set| set.definition.get(key)).cloned();
    let number = |value: &Value| value.as_i64().expect("a number");
    let limit = |a: &Value, b: &Value| match (number(a), number(b)) {
        (a, b) if a < 0 || b < 0 => a.max(b),
        (a, b) => a.min(b),
    };
    let policy = match (of(user), of(operator)) {
        (Some(a), Some(b)) => Some(match key {
            "overflow" => b,
            "delivery-limit" => json!(limit(&a, &b)),
            _ => json!(number(&a).min(number(&b))),
        }),
        (a, b) => a.or(b),
    };
    match (policy, argument.cloned()) {
        (Some(policy), Some(argument)) => Some(match key {
            "overflow" if kind == QueueKind::Quorum => policy,
            "overflow" | "dead-letter-exchange" | "dead-letter-routing-key" => argument,
            "delivery-limit" => json!(limit(&policy, &argument)),
            _ => json!(number(&policy).min(number(&argument))),
        }),
        (a, b) => a.or(b),
    }
}

proptest! {
    #[test]
    fn settings_are_what_rabbitmq_makes_of_arguments_and_policies(
        sets in prop::collection::vec(set(), 0..8),
        arguments in values(false),
        name in "[qr][12]",
        is_quorum in any::<bool>(),
    ) {
        let kind = if is_quorum { QueueKind::Quorum } else { QueueKind::Classic };
        let mut arguments = arguments;
        if !arguments.contains_key("dead-letter-exchange") {
            arguments.remove("dead-letter-routing-key");
        }
        if !is_quorum {
            arguments.remove("delivery-limit");
        }
        let mut table = FieldTable::new();
        table.set("x-queue-type", kind.name());
        for (key, value) in &arguments {
            let value = match value {
                Value::String(text) => FieldValue::from(text.as_str()),
                number => FieldValue::I64(number.as_i64().expect("a number")),
            };
            table.insert(ShortStr::new(format!("x-{key}")).expect("short"), value);
        }
        let mut transcript = Transcript::new();
        for set in &sets {
            transcript.apply(&set.command()).expect("is right");
        }
        let declare = DeclareQueue {
            vhost: "v".to_owned(),
            name: name.clone(),
            durable: true,
            arguments: table,
            ..DeclareQueue::default()
        };
        transcript.apply(&Command::DeclareQueue(declare)).expect("is right");
        let record = transcript.state.vhost("v").and_then(|v| v.queue(&name)).expect("is there");
        let settings = transcript.state.settings_of(record);

        let user = applied(&sets, false, kind, &name);
        let operator = applied(&sets, true, kind, &name);
        let value = |key| effective(key, kind, user, operator, arguments.get(key));
        let number = |key| value(key).and_then(|value| value.as_u64());
        let text = |key| value(key).and_then(|value| value.as_str().map(str::to_owned));
        prop_assert_eq!(settings.max_length, number("max-length"));
        prop_assert_eq!(settings.max_length_bytes, number("max-length-bytes"));
        prop_assert_eq!(settings.message_ttl_ms, number("message-ttl"));
        prop_assert_eq!(settings.expires_ms, number("expires"));
        let refuses = text("overflow").as_deref() == Some("reject-publish");
        prop_assert_eq!(settings.overflow == Overflow::RejectPublish, refuses);
        let exchange = settings.dead_letter_exchange.as_deref().map(str::to_owned);
        prop_assert_eq!(exchange, text("dead-letter-exchange"));
        let key = settings.dead_letter_routing_key.as_deref().map(str::to_owned);
        prop_assert_eq!(key, text("dead-letter-routing-key"));
        let limit = settings.quorum.map(|quorum| quorum.delivery_limit);
        let wanted = value("delivery-limit").map_or(Some(20), |value| value.as_u64());
        prop_assert_eq!(limit, is_quorum.then_some(wanted.map(|limit| limit as u32)));
    }
}
