//! The client's end of a connection without a socket: frames out, what the broker says in.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use amqp091::{Connection, Peer};
use amqp091_codec::{
    BasicProperties, BasicPublish, ChannelOpen, ConnectionOpen, ConnectionStartOk,
    ConnectionTuneOk, Method, Payload, ProtocolHeader, Split, Table, encode_method, encode_publish,
    split_frame,
};
use broker::{Broker, Outbox, Protocol, Status};
use field_table::FieldValue;
use stdx::{Signal, Timestamp};

use crate::tries::Tried;

/// The one channel of each connection.
const CHANNEL: u16 = 1;
const FRAME_MAX: u32 = 131_072;
/// Bytes the socket between us takes before the other side reads.
const SOCKET_BYTES: usize = 256 * 1024;

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Publishes are confirmed, or refused.
    Confirm { tag: u64, is_multiple: bool, is_negative: bool },
    /// A message for a consumer.
    Delivery { tag: u64, tried: Tried, body: Vec<u8> },
    /// A message that was asked for.
    Got { tag: u64, tried: Tried, body: Vec<u8> },
    /// There was none.
    Empty,
    /// Everything sent before was handled.
    QosOk,
    /// A transaction is done.
    Committed,
    /// A queue is there.
    Declared,
    /// A queue is gone.
    Deleted,
    /// The answer to something else.
    Other,
    /// The broker closed the channel or the connection.
    Closed(String),
}

/// A delivery whose body is not whole yet.
struct Open {
    is_get: bool,
    tag: u64,
    tried: Tried,
    body: Vec<u8>,
    body_len: usize,
}

impl Open {
    /// Takes from the message's properties how often it was tried.
    fn count(&mut self, properties: &[u8]) {
        let properties = BasicProperties::decode(properties).expect("the broker's are right");
        let count = |name| {
            let value = properties.headers.as_ref().and_then(|headers| headers.get(name));
            value.and_then(FieldValue::as_integer).map_or(0, |count| count as u32)
        };
        self.tried.acquired = count("x-acquired-count");
        self.tried.failures = count("x-delivery-count");
    }
}

pub(crate) struct Link {
    connection: Connection,
    signal: Arc<Signal>,
    /// Sent, and not taken by the broker yet.
    sent: VecDeque<u8>,
    /// Written by the broker, and no whole frame yet.
    received: Vec<u8>,
    out: Outbox,
    open: Option<Open>,
    said: VecDeque<Said>,
}

impl Link {
    /// Connects; the handshake is sent ahead, as clients may.
    pub(crate) fn connect(broker: &Arc<Broker>, now: Timestamp, port: u16) -> Self {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = Peer { peer_host: host, peer_port: port, host, port: 5672, tls: None };
        let connection = Connection::new(broker.clone(), peer, now);
        let signal = connection.signal();
        let mut link = Self {
            connection,
            signal,
            sent: VecDeque::new(),
            received: Vec::new(),
            out: Outbox::default(),
            open: None,
            said: VecDeque::new(),
        };
        link.sent.extend(ProtocolHeader::amqp_bytes([0, 0, 9, 1]));
        link.send_on(
            0,
            ConnectionStartOk {
                client_properties: Table::EMPTY,
                mechanism: "PLAIN",
                response: b"\0guest\0guest",
                locale: "en_US",
            },
        );
        link.send_on(0, ConnectionTuneOk { channel_max: 2047, frame_max: FRAME_MAX, heartbeat: 0 });
        link.send_on(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
        link.send(ChannelOpen::default());
        link
    }

    pub(crate) fn send<'a>(&mut self, method: impl Into<Method<'a>>) {
        self.send_on(CHANNEL, method);
    }

    fn send_on<'a>(&mut self, channel: u16, method: impl Into<Method<'a>>) {
        let mut bytes = Vec::new();
        encode_method(channel, &method.into(), &mut bytes);
        self.sent.extend(bytes);
    }

    pub(crate) fn publish(&mut self, routing_key: &str, properties: &BasicProperties, body: &[u8]) {
        let publish = BasicPublish { routing_key: routing_key.into(), ..BasicPublish::default() };
        let mut bytes = Vec::new();
        let properties = properties.to_bytes();
        encode_publish(CHANNEL, &publish, &properties, body, FRAME_MAX, &mut bytes);
        self.sent.extend(bytes);
    }

    /// What was heard and not looked at yet, oldest first.
    pub(crate) fn hear(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// The socket is gone.
    pub(crate) fn disconnect(mut self, now: Timestamp) {
        self.connection.handle_disconnect(now);
    }

    /// When the connection wants a turn by itself.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.connection.poll_timeout()
    }

    /// One turn of the connection, of which at most `bytes_max` are read. True when anything moved.
    pub(crate) fn turn(&mut self, now: Timestamp, bytes_max: usize) -> bool {
        let mut has_moved = false;
        if self.signal.take() {
            self.connection.handle_wake(now);
            has_moved = true;
        }
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
            has_moved = true;
        }
        if self.connection.status() == Status::Open && !self.sent.is_empty() {
            let len = bytes_max.max(self.connection.wanted_bytes()).min(self.sent.len());
            let bytes: Vec<u8> = self.sent.iter().take(len).copied().collect();
            let taken = self.connection.handle_bytes(now, &bytes);
            self.sent.drain(..taken);
            has_moved |= 0 < taken;
        }
        self.read(now) || has_moved
    }

    /// Takes what the broker wrote, as much as a socket would.
    fn read(&mut self, now: Timestamp) -> bool {
        let before = self.received.len();
        while self.received.len() - before < SOCKET_BYTES {
            if self.out.is_empty() {
                self.connection.take_output(now, &mut self.out);
            }
            if self.out.is_empty() {
                break;
            }
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.out.slices(&mut slices);
            let at = self.received.len();
            slices[..count].iter().for_each(|slice| self.received.extend_from_slice(slice));
            let written = self.received.len() - at;
            self.out.advance(written);
        }
        let has_moved = before < self.received.len();
        self.understand();
        has_moved
    }

    fn understand(&mut self) {
        let received = std::mem::take(&mut self.received);
        let mut at = 0;
        while let Ok(Split::Frame(frame)) = split_frame(&received[at..], 0) {
            at += frame.wire_len();
            match frame.parse().expect("the broker's frames are right") {
                Payload::Method(raw) => {
                    self.understand_method(&raw.decode().expect("the broker's methods are right"));
                }
                Payload::Header(header) => {
                    if let Some(open) = &mut self.open {
                        open.count(header.properties);
                    }
                    self.understand_body(&[], header.body_size as usize);
                }
                Payload::Body(body) => self.understand_body(body, 0),
                Payload::Heartbeat => {}
            }
        }
        self.received = received;
        self.received.drain(..at);
    }

    fn understand_method(&mut self, method: &Method<'_>) {
        let confirm =
            |tag, is_multiple, is_negative| Said::Confirm { tag, is_multiple, is_negative };
        let said = match method {
            Method::BasicAck(it) => confirm(it.delivery_tag, it.multiple, false),
            Method::BasicNack(it) => confirm(it.delivery_tag, it.multiple, true),
            Method::BasicDeliver(it) => return self.open(false, it.delivery_tag, it.redelivered),
            Method::BasicGetOk(it) => return self.open(true, it.delivery_tag, it.redelivered),
            Method::BasicGetEmpty(_) => Said::Empty,
            Method::ChannelClose(it) => Said::Closed(it.reply_text.to_owned()),
            Method::ConnectionClose(it) => Said::Closed(it.reply_text.to_owned()),
            Method::BasicQosOk(_) => Said::QosOk,
            Method::TxCommitOk(_) => Said::Committed,
            Method::QueueDeclareOk(_) => Said::Declared,
            Method::QueueDeleteOk(_) => Said::Deleted,
            _ => Said::Other,
        };
        self.said.push_back(said);
    }

    fn open(&mut self, is_get: bool, tag: u64, is_redelivered: bool) {
        let tried = Tried { is_redelivered, ..Tried::default() };
        self.open = Some(Open { is_get, tag, tried, body: Vec::new(), body_len: 0 });
    }

    /// A header, which tells the length, or a part of the body.
    fn understand_body(&mut self, part: &[u8], body_len: usize) {
        let Some(open) = &mut self.open else { return };
        open.body.extend_from_slice(part);
        open.body_len += body_len;
        if open.body.len() < open.body_len {
            return;
        }
        let Some(Open { is_get, tag, tried, body, .. }) = self.open.take() else { return };
        self.said.push_back(match is_get {
            true => Said::Got { tag, tried, body },
            false => Said::Delivery { tag, tried, body },
        });
    }
}
