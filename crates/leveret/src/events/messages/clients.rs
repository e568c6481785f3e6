//! Connections, channels, consumers and logins.

use std::sync::atomic::Ordering::Relaxed;

use broker::{Broker, ChannelEntry, ConnectionEntry, ConsumerFacts, LoginTried};
use field_table::{FieldTable, FieldValue};

use super::values::{address, characters, printed};
use super::{EventMessage, Headers};

/// AMQP 0-9-1 as Erlang's tuple.
const PROTOCOL: &str = "{0,9,1}";

pub(super) fn login(tried: &LoginTried) -> EventMessage {
    let mut headers = Headers::default();
    if let Some(error) = &tried.error {
        headers = headers.with("error", characters(error));
    }
    let headers = headers
        .with("peer_host", address(tried.peer_host))
        .with("peer_port", i64::from(tried.peer_port))
        .with("host", address(tried.host))
        .with("ssl", tried.is_encrypted)
        .with("protocol", PROTOCOL)
        .with("auth_mechanism", tried.mechanism)
        .with("connection_name", tried.connection.as_str())
        .with("connection_type", "network")
        .with("name", tried.user.as_str());
    headers.named(match tried.error {
        None => "user.authentication.success",
        Some(_) => "user.authentication.failure",
    })
}

/// What the client said of itself.
fn client_properties(entry: &ConnectionEntry) -> FieldTable {
    FieldTable::decode_fields(&entry.facts.client_properties).unwrap_or_default()
}

fn given_name(properties: &FieldTable) -> Option<FieldValue> {
    properties.get("connection_name").filter(|it| it.as_long_str().is_some()).cloned()
}

pub(super) fn connection_created(broker: &Broker, entry: &ConnectionEntry) -> EventMessage {
    let facts = &entry.facts;
    let properties = client_properties(entry);
    let is_direct = facts.auth_mechanism.is_empty();
    let tls = facts.tls.as_deref();
    let text = |text: Option<&str>| FieldValue::from(text.unwrap_or_default());
    let mut headers = Headers::default()
        .by(&facts.user)
        .with("node", broker.config().identity.node.as_str())
        .with("connected_at", i64::try_from(facts.connected_at.0).unwrap_or(i64::MAX))
        .with("client_properties", printed(&properties))
        .with("channel_max", i64::from(facts.channel_max))
        .with("frame_max", i64::from(facts.frame_max))
        .with("timeout", i64::from(facts.heartbeat_s))
        .with("vhost", &*facts.vhost)
        .with("user", &*facts.user)
        .with("protocol", PROTOCOL)
        .with("auth_mechanism", facts.auth_mechanism.as_str());
    for name in ["ssl_hash", "ssl_key_exchange"] {
        headers = headers.with(name, "");
    }
    headers = headers
        .with("ssl_cipher", text(tls.map(|tls| tls.cipher.as_str())))
        .with("ssl_protocol", text(tls.map(|tls| tls.protocol.as_str())));
    for name in
        ["peer_cert_serial_number", "peer_cert_validity", "peer_cert_issuer", "peer_cert_subject"]
    {
        headers = headers.with(name, "");
    }
    headers = headers
        .with("ssl", tls.is_some())
        .with("peer_host", address(facts.peer_host))
        .with("host", address(facts.host))
        .with("peer_port", i64::from(facts.peer_port))
        .with("port", i64::from(facts.port))
        .with("name", facts.name.as_str())
        .with("pid", broker.pid(entry.id.0))
        .with("type", if is_direct { "direct" } else { "network" });
    if let Some(given) = given_name(&properties) {
        headers = headers.with("user_provided_name", given);
    }
    headers.named("connection.created")
}

pub(super) fn connection_closed(broker: &Broker, entry: &ConnectionEntry) -> EventMessage {
    let properties = client_properties(entry);
    let mut headers = Headers::default()
        .with("client_properties", printed(&properties))
        .with("node", broker.config().identity.node.as_str())
        .with("pid", broker.pid(entry.id.0))
        .with("name", entry.facts.name.as_str());
    if let Some(given) = given_name(&properties) {
        headers = headers.with("user_provided_name", given);
    }
    headers.named("connection.closed")
}

pub(super) fn channel_created(
    broker: &Broker,
    connection: &ConnectionEntry,
    channel: &ChannelEntry,
) -> EventMessage {
    let facts = &connection.facts;
    Headers::default()
        .by(&facts.user)
        .with("vhost", &*facts.vhost)
        .with("user", &*facts.user)
        .with("number", i64::from(channel.number))
        .with("connection", broker.pid(connection.id.0))
        .with("name", format!("{} ({})", facts.name, channel.number))
        .with("pid", broker.pid(channel.id))
        .named("channel.created")
}

pub(super) fn channel_closed(
    broker: &Broker,
    connection: &ConnectionEntry,
    channel: &ChannelEntry,
) -> EventMessage {
    Headers::default()
        .with("consumer_count", i64::from(channel.consumers.load(Relaxed)))
        .by(&connection.facts.user)
        .with("pid", broker.pid(channel.id))
        .named("channel.closed")
}

pub(super) fn consumer_created(broker: &Broker, facts: &ConsumerFacts) -> EventMessage {
    consumer(
        broker,
        Headers::default()
            .by(&facts.user)
            .with("arguments", printed(&facts.arguments))
            .with("prefetch_count", i64::from(facts.prefetch))
            .with("ack_required", facts.is_ack_required)
            .with("exclusive", facts.is_exclusive),
        facts,
    )
    .named("consumer.created")
}

pub(super) fn consumer_deleted(broker: &Broker, facts: &ConsumerFacts) -> EventMessage {
    consumer(broker, Headers::default().by(&facts.user), facts).named("consumer.deleted")
}

fn consumer(broker: &Broker, headers: Headers, facts: &ConsumerFacts) -> Headers {
    headers
        .with("vhost", &*facts.queue.record.vhost)
        .with("queue", &*facts.queue.record.name)
        .with("channel", broker.pid(facts.channel))
        .with("consumer_tag", &*facts.tag)
}
