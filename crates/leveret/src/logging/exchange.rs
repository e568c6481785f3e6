//! Log lines as messages of the exchange `amq.rabbitmq.log` (`log.exchange`): the routing key is the
//! level, the body is the line.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use amqp091_codec::BasicProperties;
use broker::Broker;
use config::LogLevel;
use field_table::{FieldTable, ShortStr};
use message::MessageRef;
use tokio::sync::{mpsc, oneshot};
use topology::{Command, DeclareExchange};
use tracing::debug;

pub(super) const EXCHANGE: &str = "amq.rabbitmq.log";
/// Lines that wait to be published; what comes while there are as many is dropped.
const WAITING_MAX: usize = 4096;

/// Where lines go once there is a broker to take them. As in RabbitMQ, those before are lost.
static WAITING: OnceLock<mpsc::Sender<Line>> = OnceLock::new();

thread_local! {
    /// What publishing a line logs is not published: it would never end.
    static IS_PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

struct Line {
    level: &'static str,
    text: Vec<u8>,
}

/// Hands a line over, if there is somebody to take it.
pub(super) fn publish_line(level: LogLevel, text: Vec<u8>) {
    if let Some(waiting) = WAITING.get()
        && !IS_PUBLISHING.get()
    {
        // No room: dropped.
        drop(waiting.try_send(Line { level: level.name(), text }));
    }
}

/// Declares the exchange in `vhost` and publishes what is logged from now on.
pub(crate) async fn start(broker: Arc<Broker>, vhost: String) {
    let (done, declared) = oneshot::channel();
    let declare = DeclareExchange {
        vhost: vhost.clone(),
        name: EXCHANGE.to_owned(),
        kind: "topic".to_owned(),
        durable: true,
        internal: true,
        ..DeclareExchange::default()
    };
    let then = Box::new(move |result| drop(done.send(result)));
    broker.propose_with(Command::DeclareExchange(declare), then);
    if let Ok(Err(refusal)) = declared.await {
        debug!("Could not declare exchange '{EXCHANGE}' in vhost '{vhost}', reason: {refusal}");
    }
    let (sender, lines) = mpsc::channel(WAITING_MAX);
    WAITING.get_or_init(|| sender);
    tokio::spawn(publish_all(broker, vhost, lines));
}

async fn publish_all(broker: Arc<Broker>, vhost: String, mut lines: mpsc::Receiver<Line>) {
    while let Some(line) = lines.recv().await {
        IS_PUBLISHING.set(true);
        publish(&broker, &vhost, &line);
        IS_PUBLISHING.set(false);
    }
}

fn publish(broker: &Broker, vhost: &str, line: &Line) {
    let headers = FieldTable::new().with("node", broker.config().identity.node.as_str());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let properties = BasicProperties {
        content_type: Some(ShortStr::literal("text/plain")),
        headers: Some(headers.clone()),
        timestamp: Some(now.as_secs()),
        ..BasicProperties::default()
    };
    let message = MessageRef {
        exchange: EXCHANGE.as_bytes(),
        routing_key: line.level.as_bytes(),
        properties: &properties.to_bytes(),
        body: &line.text,
        image: None,
    };
    let mut turn = broker.begin(net::now());
    broker.publish_own(&mut turn, vhost, &message, &headers);
    broker.finish(turn);
}
