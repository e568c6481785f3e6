//! From what happened to messages: routing keys and headers, as RabbitMQ's event exchange has them.

mod changes;
mod clients;
mod values;

use broker::{Alarms, Broker, Occurrence};
use field_table::{FieldTable, ShortStr};

/// What a message says; its body is empty.
#[derive(Debug)]
pub(super) struct EventMessage {
    pub(super) routing_key: &'static str,
    pub(super) headers: FieldTable,
}

/// Headers in the making.
#[derive(Default)]
struct Headers(FieldTable);

impl Headers {
    fn with(mut self, name: &'static str, value: impl Into<field_table::FieldValue>) -> Self {
        self.0.push(ShortStr::literal(name), value);
        self
    }

    fn by(self, actor: &str) -> Self {
        self.with("user_who_performed_action", actor)
    }

    fn named(self, routing_key: &'static str) -> EventMessage {
        EventMessage { routing_key, headers: self.0 }
    }
}

/// The messages that tell of something that happened.
pub(super) fn messages(broker: &Broker, occurrence: &Occurrence) -> Vec<EventMessage> {
    match occurrence {
        Occurrence::Changed { actor, command, changes: made } => {
            let mut messages: Vec<_> = made
                .iter()
                .filter_map(|it| changes::of_change(broker, actor, command, it))
                .collect();
            messages.extend(changes::of_command(broker, actor, command, made));
            messages
        }
        Occurrence::LoginTried(tried) => vec![clients::login(tried)],
        Occurrence::ConnectionOpened(entry) => vec![clients::connection_created(broker, entry)],
        Occurrence::ConnectionClosed(entry) => vec![clients::connection_closed(broker, entry)],
        Occurrence::ChannelOpened(connection, channel) => {
            vec![clients::channel_created(broker, connection, channel)]
        }
        Occurrence::ChannelClosed(connection, channel) => {
            vec![clients::channel_closed(broker, connection, channel)]
        }
        Occurrence::ConsumerAdded(facts) => vec![clients::consumer_created(broker, facts)],
        Occurrence::ConsumerRemoved(facts) => vec![clients::consumer_deleted(broker, facts)],
        Occurrence::AlarmChanged { bit, is_on } => {
            let source = if *bit == Alarms::MEMORY { "memory" } else { "disk" };
            let headers = Headers::default()
                .with("source", source)
                .with("node", broker.config().identity.node.as_str());
            vec![headers.named(if *is_on { "alarm.set" } else { "alarm.cleared" })]
        }
    }
}
