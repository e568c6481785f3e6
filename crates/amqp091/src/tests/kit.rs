//! A client without a socket, and frames as lines of text.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use amqp091_codec::{
    BasicAck, BasicConsume, BasicGet, BasicProperties, BasicPublish, BasicQos, ChannelOpen,
    ConfirmSelect, ConnectionOpen, ConnectionStartOk, ConnectionTuneOk, Method, Payload,
    Properties, ProtocolHeader, QueueDeclare, ShortBytes, Split, Table, encode_method,
    encode_publish, split_frame,
};
use broker::testing::{MemoryJournal, broker_with};
use broker::{Broker, BrokerConfig, Outbox, Protocol, Status};
use field_table::FieldTable;
use stdx::Timestamp;

use crate::{Connection, Peer};

pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) now: Timestamp,
    /// Sent and not taken yet.
    carry: Vec<u8>,
}

/// A broker with its defaults, whose journal is durable at once.
pub(super) fn broker() -> Arc<Broker> {
    broker_with(BrokerConfig::default(), Arc::default())
}

/// A broker whose journal is durable when told.
pub(super) fn slow_broker() -> (Arc<Broker>, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let broker = broker_with(BrokerConfig::default(), journal.clone());
    journal.hold();
    (broker, journal)
}

/// What a capable client says of itself.
fn client_properties() -> Vec<u8> {
    let capabilities = FieldTable::new()
        .with("authentication_failure_close", true)
        .with("consumer_cancel_notify", true)
        .with("connection.blocked", true);
    let mut fields = Vec::new();
    FieldTable::new().with("capabilities", capabilities).encode_fields(&mut fields);
    fields
}

impl Client {
    /// Connected, nothing sent.
    pub(super) fn connect(broker: &Arc<Broker>) -> Self {
        Self::connect_from(broker, IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(super) fn connect_from(broker: &Arc<Broker>, peer_host: IpAddr) -> Self {
        let now = Timestamp(1_000_000);
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = Peer { peer_host, peer_port: 40_000, host, port: 5672, tls: None };
        let connection = Connection::new(broker.clone(), peer, now);
        Self { connection, now, carry: Vec::new() }
    }

    /// Logged in as guest, channel 1 open.
    pub(super) fn open(broker: &Arc<Broker>) -> Self {
        Self::open_as(broker, "guest")
    }

    pub(super) fn open_as(broker: &Arc<Broker>, user: &str) -> Self {
        Self::connect(broker).opened(user, 0)
    }

    pub(super) fn open_with_heartbeat(broker: &Arc<Broker>, seconds: u16) -> Self {
        Self::connect(broker).opened("guest", seconds)
    }

    fn opened(mut self, user: &str, heartbeat: u16) -> Self {
        let client = &mut self;
        client.header();
        client.login(user, user);
        client.tune(heartbeat);
        client.send(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
        client.send(1, ChannelOpen::default());
        client.said();
        self
    }

    pub(super) fn header(&mut self) {
        self.bytes(&ProtocolHeader::amqp_bytes([0, 0, 9, 1]));
    }

    pub(super) fn login(&mut self, user: &str, password: &str) {
        let fields = client_properties();
        let response = format!("\0{user}\0{password}");
        self.send(
            0,
            ConnectionStartOk {
                client_properties: Table::new(&fields).expect("is a table"),
                mechanism: "PLAIN",
                response: response.as_bytes(),
                locale: "en_US",
            },
        );
    }

    pub(super) fn tune(&mut self, heartbeat: u16) {
        self.send(0, ConnectionTuneOk { channel_max: 2047, frame_max: 131_072, heartbeat });
    }

    pub(super) fn send<'a>(&mut self, channel: u16, method: impl Into<Method<'a>>) {
        let mut bytes = Vec::new();
        encode_method(channel, &method.into(), &mut bytes);
        self.bytes(&bytes);
    }

    /// Presents bytes as a driver does: with what was not taken before in front.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.carry.extend_from_slice(bytes);
        self.read();
    }

    /// True when something was taken.
    fn read(&mut self) -> bool {
        if self.connection.status() != Status::Open || self.carry.is_empty() {
            return false;
        }
        let taken = self.connection.handle_bytes(self.now, &self.carry);
        self.carry.drain(..taken);
        taken != 0
    }

    pub(super) fn declare(&mut self, queue: &str) {
        self.send(1, QueueDeclare { queue, ..QueueDeclare::default() });
    }

    pub(super) fn declare_with(&mut self, queue: &str, arguments: FieldTable) {
        let mut fields = Vec::new();
        arguments.encode_fields(&mut fields);
        let arguments = Table::new(&fields).expect("is a table");
        self.send(1, QueueDeclare { queue, durable: true, arguments, ..QueueDeclare::default() });
    }

    pub(super) fn publish(&mut self, exchange: &str, routing_key: &str, body: &str) {
        self.publish_with(exchange, routing_key, &BasicProperties::default(), false, body);
    }

    pub(super) fn publish_with(
        &mut self,
        exchange: &str,
        routing_key: &str,
        properties: &BasicProperties,
        mandatory: bool,
        body: &str,
    ) {
        let bytes = publish_bytes(exchange, routing_key, properties, mandatory, body);
        self.bytes(&bytes);
    }

    pub(super) fn qos(&mut self, prefetch_count: u16, global: bool) {
        self.send(1, BasicQos { prefetch_size: 0, prefetch_count, global });
    }

    pub(super) fn consume(&mut self, queue: &str, consumer_tag: &str, no_ack: bool) {
        self.send(1, BasicConsume { queue, consumer_tag, no_ack, ..BasicConsume::default() });
    }

    pub(super) fn get(&mut self, queue: &str, no_ack: bool) {
        self.send(1, BasicGet { ticket: 0, queue, no_ack });
    }

    pub(super) fn ack(&mut self, delivery_tag: u64, multiple: bool) {
        self.send(1, BasicAck { delivery_tag, multiple });
    }

    pub(super) fn select_confirms(&mut self) {
        self.send(1, ConfirmSelect { nowait: false });
        self.said();
    }

    /// Lets time pass: every deadline on the way is kept. Ends early with the connection.
    pub(super) fn wait(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(at) = self.connection.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            if matches!(self.connection.status(), Status::Draining | Status::Aborted) {
                return;
            }
        }
        self.now = end;
    }

    /// The frames the client got since it last asked, one a line, and the end of the socket.
    pub(super) fn said(&mut self) -> String {
        let mut text = describe(&self.said_bytes());
        match self.connection.status() {
            Status::Open => {}
            Status::Paused => text.push_str("(paused)\n"),
            Status::Draining => text.push_str("(end)\n"),
            Status::Aborted => text.push_str("(dropped)\n"),
        }
        text
    }
}

impl Client {
    /// The bytes the client got since it last asked.
    pub(super) fn said_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            if self.connection.signal().take() {
                self.connection.handle_wake(self.now);
            }
            let mut out = Outbox::default();
            self.connection.take_output(self.now, &mut out);
            let is_written = !out.is_empty();
            take_all(&mut out, &mut bytes);
            if !self.read() && !is_written {
                return bytes;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.handle_disconnect(self.now);
    }
}

pub(super) fn publish_bytes(
    exchange: &str,
    routing_key: &str,
    properties: &BasicProperties,
    mandatory: bool,
    body: &str,
) -> Vec<u8> {
    let publish = BasicPublish {
        exchange: exchange.into(),
        routing_key: routing_key.into(),
        mandatory,
        ..BasicPublish::default()
    };
    raw_publish_bytes(&publish, &properties.to_bytes(), body)
}

/// With flags and properties as they are, well-formed or not.
pub(super) fn raw_publish_bytes(publish: &BasicPublish<'_>, raw: &[u8], body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_publish(1, publish, raw, body.as_bytes(), 8192, &mut bytes);
    bytes
}

fn take_all(out: &mut Outbox, bytes: &mut Vec<u8>) {
    while !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let count = out.slices(&mut slices);
        let before = bytes.len();
        slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
        let written = bytes.len() - before;
        out.advance(written);
    }
}

fn describe(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    if let Some(rest) = bytes.strip_prefix(b"AMQP") {
        let (version, rest) = rest.split_at(4);
        writeln!(text, "AMQP {version:?}").expect("strings take all");
        bytes = rest;
    }
    while !bytes.is_empty() {
        let Ok(Split::Frame(frame)) = split_frame(bytes, 0) else {
            panic!("half a frame: {bytes:?}")
        };
        bytes = &bytes[frame.wire_len()..];
        let channel = frame.channel;
        match frame.parse().expect("the server's frames are right") {
            Payload::Method(raw) => {
                let method = raw.decode().expect("the server's methods are right");
                writeln!(text, "{channel}: {}", line(&method))
            }
            Payload::Header(header) => writeln!(text, "   {}", properties_line(header.properties)),
            Payload::Body(body) if 64 < body.len() => writeln!(text, "   {} bytes", body.len()),
            Payload::Body(body) => writeln!(text, "   {:?}", String::from_utf8_lossy(body)),
            Payload::Heartbeat => writeln!(text, "heartbeat"),
        }
        .expect("strings take all");
    }
    text
}

fn properties_line(raw: &[u8]) -> String {
    let properties = BasicProperties::from(Properties::parse(raw).expect("are well-formed"));
    let mut text = format!("{properties:?}");
    while let Some(colon) = text.find(": None") {
        let before_name = text[..colon].rfind(' ').map_or(0, |space| space + 1);
        let after = colon + ": None".len();
        let after = after + if text[after..].starts_with(", ") { 2 } else { 0 };
        text.replace_range(before_name..after, "");
    }
    text.replace("BasicProperties {  }", "-").replace("BasicProperties ", "")
}

fn line(method: &Method<'_>) -> String {
    let text = |it: ShortBytes<'_>| it.to_text().into_owned();
    match method {
        Method::BasicDeliver(it) => {
            let again = if it.redelivered { " again" } else { "" };
            let (exchange, key) = (text(it.exchange), text(it.routing_key));
            let tag = text(it.consumer_tag);
            format!("deliver {tag} #{}{again} {exchange:?} {key:?}", it.delivery_tag)
        }
        Method::BasicGetOk(it) => {
            let again = if it.redelivered { " again" } else { "" };
            let (exchange, key) = (text(it.exchange), text(it.routing_key));
            let tag = it.delivery_tag;
            format!("get-ok #{tag}{again} {exchange:?} {key:?} left {}", it.message_count)
        }
        Method::BasicReturn(it) => {
            let (exchange, key) = (text(it.exchange), text(it.routing_key));
            format!("return {} {} {exchange:?} {key:?}", it.reply_code, text(it.reply_text))
        }
        Method::ChannelClose(it) => {
            let by = (it.class_id, it.method_id);
            format!("channel.close {} {:?} {by:?}", it.reply_code, it.reply_text)
        }
        Method::ConnectionClose(it) => {
            let by = (it.class_id, it.method_id);
            format!("connection.close {} {:?} {by:?}", it.reply_code, it.reply_text)
        }
        Method::ConnectionStart(it) => {
            let mechanisms = String::from_utf8_lossy(it.mechanisms);
            format!("start {}-{} {mechanisms}", it.version_major, it.version_minor)
        }
        method => {
            let debug = format!("{method:?}");
            let name = method.name();
            let arguments = debug.split_once('{').map_or("", |(_, rest)| rest);
            let arguments = arguments.trim_end_matches([')', '}', ' ']).trim();
            format!("{name} {arguments}").trim_end().to_owned()
        }
    }
}
