//! The exchange `amq.rabbitmq.event`: RabbitMQ's event exchange plugin, built in.
//!
//! The broker notes what happens while something is bound to the exchange; here it becomes messages.

mod messages;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amqp091_codec::BasicProperties;
use broker::{Broker, EVENT_EXCHANGE};
use message::MessageRef;
use tokio::sync::oneshot;
use topology::{Command, DeclareExchange};
use tracing::warn;

use messages::EventMessage;

/// The delivery mode of a persistent message.
const PERSISTENT: u8 = 2;

/// Longest wait for the exchange: on a full disk it is declared when there is room.
const DECLARE_MAX: Duration = Duration::from_secs(1);

/// Declares the exchange, if it is not there, and publishes what happens from now on.
pub(crate) async fn start(broker: Arc<Broker>) {
    let vhost = broker.config().event_vhost.clone();
    let is_there =
        broker.topology().vhost(&vhost).is_some_and(|it| it.exchange(EVENT_EXCHANGE).is_some());
    if !is_there {
        declare(&broker, vhost).await;
    }
    tokio::spawn(publish_all(broker));
}

async fn declare(broker: &Broker, vhost: String) {
    let declare = DeclareExchange {
        vhost,
        name: EVENT_EXCHANGE.to_owned(),
        kind: "topic".to_owned(),
        durable: true,
        internal: true,
        ..DeclareExchange::default()
    };
    let (done, declared) = oneshot::channel();
    let then = Box::new(move |result| drop(done.send(result)));
    broker.propose_with(Command::DeclareExchange(declare), then);
    match tokio::time::timeout(DECLARE_MAX, declared).await {
        Ok(Ok(Ok(_))) => {}
        Ok(Ok(Err(refusal))) => {
            warn!("Could not declare exchange '{EVENT_EXCHANGE}', reason: {refusal}");
        }
        Ok(Err(_)) | Err(_) => warn!("exchange '{EVENT_EXCHANGE}' waits to be declared"),
    }
}

async fn publish_all(broker: Arc<Broker>) {
    loop {
        std::future::poll_fn(|ctx| match broker.events.signal.poll_take(ctx) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
        for occurrence in broker.events.take() {
            for message in messages::messages(&broker, &occurrence) {
                publish(&broker, message);
            }
            // There may be many: connections come first.
            tokio::task::yield_now().await;
        }
    }
}

fn publish(broker: &Broker, message: EventMessage) {
    let EventMessage { routing_key, mut headers } = message;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    headers.set("timestamp_in_ms", i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let properties = BasicProperties {
        delivery_mode: Some(PERSISTENT),
        headers: Some(headers.clone()),
        timestamp: Some(now.as_secs()),
        ..BasicProperties::default()
    };
    let message = MessageRef {
        exchange: EVENT_EXCHANGE.as_bytes(),
        routing_key: routing_key.as_bytes(),
        properties: &properties.to_bytes(),
        body: b"",
        image: None,
    };
    let mut turn = broker.begin(net::now());
    broker.publish_own(&mut turn, &broker.config().event_vhost, &message, &headers);
    broker.finish(turn);
}
