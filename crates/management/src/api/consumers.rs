//! Consumers.

use operator::ConsumerInfo;
use serde_json::{Value, json};

use crate::call::Call;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::Answer;

/// A consumer and the node it is on.
struct Consumer {
    info: ConsumerInfo,
    node: String,
}

impl Row for Consumer {
    const KEYS: &'static [Key<Self>] = &[
        ("ack_required", |it| Some(it.info.ack_required.into())),
        ("active", |it| Some(it.info.active.into())),
        ("activity_status", |it| Some(it.info.activity_status.clone().into())),
        ("arguments", |it| Some(json::table(&it.info.arguments))),
        ("channel_details", |it| Some(channel(&it.info, &it.node))),
        ("consumer_tag", |it| Some(it.info.consumer_tag.clone().into())),
        ("consumer_timeout", |it| Some(it.info.timeout_ms.into())),
        ("exclusive", |it| Some(it.info.exclusive.into())),
        ("prefetch_count", |it| Some(it.info.prefetch_count.into())),
        ("queue", |it| Some(json!({ "name": it.info.queue_name, "vhost": *it.info.vhost }))),
    ];

    fn name(&self) -> &str {
        &self.info.queue_name
    }
}

/// The channel that a consumer came through; nothing is known of one that is gone.
fn channel(consumer: &ConsumerInfo, node: &str) -> Value {
    let Some(peer) = &consumer.peer else { return json!({}) };
    json!({
        "connection_name": peer.name,
        "name": format!("{} ({})", peer.name, consumer.channel_number),
        "node": node,
        "number": consumer.channel_number,
        "peer_host": peer.peer_host.to_string(),
        "peer_port": peer.peer_port,
        "user": peer.user,
    })
}

/// A consumer in the details of a queue or a channel.
pub(super) fn value(consumer: &ConsumerInfo, node: &str) -> Value {
    let consumer = Consumer { info: consumer.clone(), node: node.to_owned() };
    listing::whole(&consumer)
}

/// `/api/consumers`, `/api/consumers/:vhost`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    let node = call.broker.node_name();
    let mut rows = Vec::new();
    for vhost in call.vhosts()? {
        call.broker.list_consumers(&vhost, &mut |info| {
            if info.peer.as_ref().is_some_and(|peer| call.sees(&peer.user)) {
                rows.push(Consumer { info, node: node.clone() });
            }
        })?;
    }
    listing::list(call.query, rows)
}
