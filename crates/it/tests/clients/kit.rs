//! A third-party client (lapin) in blocking form, so that tests read like transcripts: one call is
//! one step, every step has a deadline, and what fails says so in the broker's words.
//!
//! Arguments and headers are written as [`it::Value`] reads them: `x-max-length=3, x-overflow="drop-head"`.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::OnceLock,
    time::{Duration, Instant},
};

use futures_lite::{Stream, StreamExt};
use it::{Login, RawClient, Server, Value};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ErrorKind, Event,
    ExchangeKind, Queue,
    message::Delivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions,
        BasicNackOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions,
        ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    publisher_confirm::Confirmation,
    types::{AMQPValue, FieldArray, FieldTable},
};
use tokio::runtime::Runtime;

/// How long one step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// The clock of all steps, and the threads of the clients that want tokio.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("threads can be started"))
}

/// One step: its result, or a failed test when it does not come.
#[track_caller]
pub(crate) fn step<T>(step: impl Future<Output = T>) -> T {
    let timed = async { tokio::time::timeout(PATIENCE, step).await };
    runtime().block_on(timed).unwrap_or_else(|_| panic!("no answer within {PATIENCE:?}"))
}

/// Waits for something that only asking again can tell.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(3));
    }
}

/// A broker of this test's own.
pub(crate) struct Broker {
    pub(crate) server: Server,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts with these lines of `rabbitmq.conf`.
    pub(crate) fn with(conf: &str) -> Self {
        Self { server: Server::start(conf) }
    }

    pub(crate) fn client(&self) -> Client {
        self.login("guest", "guest", "/").expect("guest may log in")
    }

    /// A channel of a connection of its own.
    pub(crate) fn channel(&self) -> Ch {
        self.client().into_channel()
    }

    pub(crate) fn login(&self, user: &str, pass: &str, vhost: &str) -> Result<Client, String> {
        let vhost = vhost.replace('/', "%2f");
        let uri = format!("amqp://{user}:{pass}@{}/{vhost}", self.server.address());
        let connection = step(Connection::connect(&uri, ConnectionProperties::default()));
        let connection = connection.map_err(|e| words(&e))?;
        let events = Box::pin(connection.events_listener());
        Ok(Client { connection, events })
    }

    /// An open connection that speaks bytes, for what a library would not do.
    pub(crate) fn raw(&self) -> RawClient {
        RawClient::connect_open(&self.server.address(), &Login::default()).expect("it accepts")
    }

    /// Runs `rabbitmqctl` with these words; its output, without banners.
    #[track_caller]
    pub(crate) fn ctl(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        self.ctl_words(&words)
    }

    /// As [`Self::ctl`], for arguments that contain blanks or are empty.
    #[track_caller]
    pub(crate) fn ctl_words(&self, args: &[&str]) -> String {
        let output = self.server.ctl("rabbitmqctl", &[&["-q"], args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {args:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Client {
    /// A channel that waits for the confirm of every publish.
    #[track_caller]
    pub(crate) fn channel(&self) -> Ch {
        let channel = self.plain_channel();
        step(channel.lapin.confirm_select(ConfirmSelectOptions::default())).expect("confirms");
        channel
    }

    /// A channel as it is after `channel.open`.
    #[track_caller]
    pub(crate) fn plain_channel(&self) -> Ch {
        let lapin = step(self.connection.create_channel()).expect("a channel");
        Ch { lapin, _client: None }
    }

    /// A channel that keeps its connection.
    pub(crate) fn into_channel(self) -> Ch {
        let channel = self.channel();
        Ch { _client: Some(self), ..channel }
    }

    /// The next event of the connection: `blocked: REASON`, `unblocked` or an error.
    #[track_caller]
    pub(crate) fn event(&mut self) -> String {
        match step(self.events.next()) {
            Some(Event::Connected) => self.event(),
            Some(Event::ConnectionBlocked(reason)) => format!("blocked: {reason}"),
            Some(Event::ConnectionUnblocked) => "unblocked".to_owned(),
            Some(Event::Error(error)) => words(&error),
            other => format!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn close(self) {
        step(self.connection.close(200, "bye")).expect("the connection was open");
    }
}

/// A channel.
pub(crate) struct Ch {
    pub(crate) lapin: Channel,
    _client: Option<Client>,
}

/// What a publisher heard.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Ack,
    Nack,
    /// The reply text of the return that came before the ack.
    ReturnAndAck(String),
}

impl Ch {
    /// Declares a durable queue.
    #[track_caller]
    pub(crate) fn queue(&self, name: &str) {
        self.queue_with(name, "");
    }

    /// Declares a durable queue with arguments.
    #[track_caller]
    pub(crate) fn queue_with(&self, name: &str, arguments: &str) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.declare(name, options, arguments).expect("the queue can be declared");
    }

    #[track_caller]
    pub(crate) fn declare(
        &self,
        name: &str,
        options: QueueDeclareOptions,
        arguments: &str,
    ) -> Result<Queue, String> {
        let declared = step(self.lapin.queue_declare(name, options, table(arguments)));
        declared.map_err(|e| words(&e))
    }

    /// Asks for a queue: messages ready and consumers.
    #[track_caller]
    pub(crate) fn counts(&self, name: &str) -> Result<(u32, u32), String> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = self.declare(name, options, "")?;
        Ok((queue.message_count(), queue.consumer_count()))
    }

    /// Messages ready.
    #[track_caller]
    pub(crate) fn ready(&self, name: &str) -> u32 {
        self.counts(name).expect("the queue exists").0
    }

    /// Declares an exchange.
    #[track_caller]
    pub(crate) fn exchange(&self, name: &str, kind: &str) {
        self.exchange_with(name, kind, ExchangeDeclareOptions::default(), "")
            .expect("the exchange can be declared");
    }

    #[track_caller]
    pub(crate) fn exchange_with(
        &self,
        name: &str,
        kind: &str,
        options: ExchangeDeclareOptions,
        arguments: &str,
    ) -> Result<(), String> {
        let kind = ExchangeKind::Custom(kind.to_owned());
        let declared = step(self.lapin.exchange_declare(name, kind, options, table(arguments)));
        declared.map_err(|e| words(&e))
    }

    /// Binds a queue.
    #[track_caller]
    pub(crate) fn bind(&self, queue: &str, exchange: &str, key: &str) {
        self.bind_with(queue, exchange, key, "");
    }

    #[track_caller]
    pub(crate) fn bind_with(&self, queue: &str, exchange: &str, key: &str, arguments: &str) {
        let options = QueueBindOptions::default();
        step(self.lapin.queue_bind(queue, exchange, key, options, table(arguments)))
            .expect("the queue can be bound");
    }

    /// Binds an exchange to another, its source.
    #[track_caller]
    pub(crate) fn bind_exchange(&self, destination: &str, source: &str, key: &str) {
        let options = ExchangeBindOptions::default();
        step(self.lapin.exchange_bind(destination, source, key, options, table("")))
            .expect("the exchange can be bound");
    }

    /// Publishes and waits for the ack.
    #[track_caller]
    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &str) {
        self.send(exchange, key, properties(), body);
    }

    /// Publishes with properties and waits for the ack.
    #[track_caller]
    pub(crate) fn send(&self, exchange: &str, key: &str, properties: BasicProperties, body: &str) {
        let heard = self.offer(exchange, key, properties, body.as_bytes());
        assert_eq!(heard, Ok(Heard::Ack), "publish of {body}");
    }

    /// Publishes, mandatory, and tells what came back.
    #[track_caller]
    pub(crate) fn offer(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<Heard, String> {
        self.offer_with(exchange, key, BasicPublishOptions::default(), properties, body)
    }

    #[track_caller]
    pub(crate) fn offer_with(
        &self,
        exchange: &str,
        key: &str,
        options: BasicPublishOptions,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<Heard, String> {
        let heard = step(async {
            self.lapin.basic_publish(exchange, key, options, body, properties).await?.await
        });
        match heard.map_err(|e| words(&e))? {
            Confirmation::Ack(None) => Ok(Heard::Ack),
            Confirmation::Ack(Some(returned)) => {
                let text = format!("{} {}", returned.reply_code, returned.reply_text);
                Ok(Heard::ReturnAndAck(text))
            }
            Confirmation::Nack(_) => Ok(Heard::Nack),
            Confirmation::NotRequested => Err("this channel has no confirms".to_owned()),
        }
    }

    /// Publishes on a channel without confirms.
    #[track_caller]
    pub(crate) fn publish_unconfirmed(&self, exchange: &str, key: &str, body: &str) {
        let options = BasicPublishOptions::default();
        step(self.lapin.basic_publish(exchange, key, options, body.as_bytes(), properties()))
            .expect("the channel is open");
    }

    /// Gets a message that needs no ack.
    #[track_caller]
    pub(crate) fn get(&self, queue: &str) -> Option<Message> {
        self.get_with(queue, BasicGetOptions { no_ack: true })
    }

    /// Gets a message that has to be settled.
    #[track_caller]
    pub(crate) fn get_unsettled(&self, queue: &str) -> Message {
        self.get_with(queue, BasicGetOptions { no_ack: false }).expect("a message is ready")
    }

    fn get_with(&self, queue: &str, options: BasicGetOptions) -> Option<Message> {
        let message = step(self.lapin.basic_get(queue, options)).expect("the queue can be read");
        message.map(|message| Message { delivery: message.delivery })
    }

    /// Takes all messages that are ready; their bodies.
    #[track_caller]
    pub(crate) fn drain(&self, queue: &str) -> Vec<String> {
        std::iter::from_fn(|| self.get(queue)).map(|message| message.text()).collect()
    }

    /// Waits until a queue has a message, and takes it.
    #[track_caller]
    pub(crate) fn wait_for(&self, queue: &str) -> Message {
        wait_until("a message", || self.get(queue))
    }

    /// Consumes with manual acks.
    #[track_caller]
    pub(crate) fn consume(&self, queue: &str) -> Inbox {
        self.consume_with(queue, BasicConsumeOptions::default(), "").expect("it can be consumed")
    }

    /// Consumes without acks.
    #[track_caller]
    pub(crate) fn consume_auto(&self, queue: &str) -> Inbox {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        self.consume_with(queue, options, "").expect("it can be consumed")
    }

    #[track_caller]
    pub(crate) fn consume_with(
        &self,
        queue: &str,
        options: BasicConsumeOptions,
        arguments: &str,
    ) -> Result<Inbox, String> {
        let consumer = step(self.lapin.basic_consume(queue, "", options, table(arguments)));
        let consumer = consumer.map_err(|e| words(&e))?;
        Ok(Inbox { consumer, channel: self.lapin.clone() })
    }

    /// `basic.qos` for the consumers to come.
    #[track_caller]
    pub(crate) fn prefetch(&self, count: u16) {
        step(self.lapin.basic_qos(count, BasicQosOptions { global: false })).expect("qos");
    }

    /// `basic.qos` for the channel as a whole.
    #[track_caller]
    pub(crate) fn prefetch_of_channel(&self, count: u16) {
        step(self.lapin.basic_qos(count, BasicQosOptions { global: true })).expect("qos");
    }

    #[track_caller]
    pub(crate) fn close(self) {
        step(self.lapin.close(200, "bye")).expect("the channel was open");
    }
}

/// A consumer and what was delivered to it.
pub(crate) struct Inbox {
    pub(crate) consumer: Consumer,
    channel: Channel,
}

impl Inbox {
    /// Waits for the next delivery.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Message {
        let delivery = step(self.consumer.next()).expect("the consumer was cancelled");
        Message { delivery: delivery.expect("the channel is open") }
    }

    /// Waits for the next `count` deliveries; their bodies.
    #[track_caller]
    pub(crate) fn texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().text()).collect()
    }

    /// Whether nothing more was delivered, once the broker has answered one more question: what it
    /// sends before the answer arrives before it.
    #[track_caller]
    pub(crate) fn is_empty(&mut self) -> bool {
        let qos = self.channel.basic_qos(0, BasicQosOptions::default());
        step(qos).expect("the channel is open");
        let next = pin!(self.consumer.next());
        step(futures_lite::future::poll_once(next)).is_none()
    }

    /// Waits for the broker to cancel the consumer.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        let end = step(self.consumer.next());
        assert!(end.is_none(), "expected a cancel, got {end:?}");
    }

    #[track_caller]
    pub(crate) fn cancel(self) {
        let tag = self.consumer.tag();
        step(self.channel.basic_cancel(tag.as_str(), BasicCancelOptions::default()))
            .expect("the channel is open");
    }
}

/// A message as delivered.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) delivery: Delivery,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.delivery.data).into_owned()
    }

    pub(crate) fn is_redelivered(&self) -> bool {
        self.delivery.redelivered
    }

    /// The headers, as a table.
    pub(crate) fn headers(&self) -> FieldTable {
        self.delivery.properties.headers().clone().unwrap_or_default()
    }

    /// A header as text; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers().inner().get(name).map(text).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn ack(&self) {
        step(self.delivery.ack(BasicAckOptions::default())).expect("the channel is open");
    }

    /// Acknowledges this one and all before it.
    #[track_caller]
    pub(crate) fn ack_all(&self) {
        step(self.delivery.ack(BasicAckOptions { multiple: true })).expect("the channel is open");
    }

    #[track_caller]
    pub(crate) fn nack(&self, multiple: bool, requeue: bool) {
        let options = BasicNackOptions { multiple, requeue };
        step(self.delivery.nack(options)).expect("the channel is open");
    }

    #[track_caller]
    pub(crate) fn reject(&self, requeue: bool) {
        step(self.delivery.reject(BasicRejectOptions { requeue })).expect("the channel is open");
    }
}

/// Properties to add to.
pub(crate) fn properties() -> BasicProperties {
    BasicProperties::default()
}

/// Properties of a message that survives a restart.
pub(crate) fn persistent() -> BasicProperties {
    properties().with_delivery_mode(2)
}

/// Properties with these headers.
pub(crate) fn headers(fields: &str) -> BasicProperties {
    properties().with_headers(table(fields))
}

/// What the broker said: `406 PRECONDITION_FAILED - …`; the client's own words for anything else.
pub(crate) fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(said) => format!("{} {}", said.get_id(), said.get_message()),
        _ => error.to_string(),
    }
}

/// A field table from its text form.
pub(crate) fn table(fields: &str) -> FieldTable {
    let Ok(Value::Table(fields)) = Value::parse(&format!("{{{fields}}}")) else {
        panic!("not a table: {fields}");
    };
    lapin_table(fields)
}

fn lapin_table(fields: Vec<(String, Value)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(name.as_str().into(), lapin_value(value));
    }
    table
}

fn lapin_value(value: Value) -> AMQPValue {
    match value {
        Value::Bool(is) => AMQPValue::Boolean(is),
        Value::LongString(bytes) => AMQPValue::LongString(bytes.into()),
        Value::Void => AMQPValue::Void,
        Value::Table(fields) => AMQPValue::FieldTable(lapin_table(fields)),
        Value::Array(items) => {
            let items: Vec<AMQPValue> = items.into_iter().map(lapin_value).collect();
            AMQPValue::FieldArray(FieldArray::from(items))
        }
        Value::Number(octet, bytes) => match (octet, bytes.as_slice()) {
            (b'I', &[a, b, c, d]) => AMQPValue::LongInt(i32::from_be_bytes([a, b, c, d])),
            (b'l', &[a, b, c, d, e, f, g, h]) => {
                AMQPValue::LongLongInt(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            _ => panic!("the tests write no numbers of type {}", char::from(octet)),
        },
        other => panic!("the tests write no {other:?}"),
    }
}

/// A value as text, as [`it::Value`] writes it; times are left out, since they change.
pub(crate) fn text(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(is) => is.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::LongString(string) => format!("{:?}", string.to_string()),
        AMQPValue::Timestamp(_) => "<time>".to_owned(),
        AMQPValue::Void => "void".to_owned(),
        AMQPValue::FieldArray(items) => {
            let items: Vec<String> = items.as_slice().iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        AMQPValue::FieldTable(fields) => {
            let fields = fields.inner().iter();
            let fields: Vec<String> =
                fields.map(|(name, value)| format!("{name}={}", text(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => format!("{other:?}"),
    }
}
