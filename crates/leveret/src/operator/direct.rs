//! An AMQP 0-9-1 connection without a socket: so that a publish or a get over HTTP goes the way of every
//! other, with the same checks and texts.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use amqp091::{Connection, Peer};
use amqp091_codec::{
    BasicGet, BasicNack, BasicPublish, BasicReject, ChannelOpen, ConfirmSelect, ConnectionClose,
    Method, Payload, Split, encode_method, encode_publish, split_frame,
};
use broker::{Broker, Outbox, Protocol, Status};
use operator::{Answer, GetMessages, GetMode, GotMessage, Publication, Refusal};
use stdx::Signal;

/// The one channel.
const CHANNEL: u16 = 1;

/// Time until an answer; RabbitMQ gives a confirm as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of messages that one get returns at most; what is left stays in the queue.
const GOT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What the broker said.
enum Said {
    Confirmed { is_negative: bool },
    Returned,
    Got { tag: u64, message: GotMessage },
    Empty,
    Closed { code: u16, text: String },
    Other,
}

/// A message of which not all has come.
struct Open {
    /// `None`: one that comes back because no queue wanted it.
    tag: Option<u64>,
    message: GotMessage,
    body_len: usize,
}

/// A connection with one channel. Its calls block: they are for threads that may.
pub(super) struct Direct {
    connection: Connection,
    signal: Arc<Signal>,
    frame_max: u32,
    /// Sent, and not taken by the broker yet.
    sent: Vec<u8>,
    /// Written by the broker, and no whole frame yet.
    received: Vec<u8>,
    out: Outbox,
    open: Option<Open>,
    said: std::collections::VecDeque<Said>,
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Gets until there is nothing more or it is enough. Messages that are taken are in no queue any more
/// and must not be lost: where a later get fails, those before it are the answer.
fn gather(
    get: GetMessages,
    mut next: impl FnMut() -> Answer<Option<(u64, GotMessage)>>,
) -> Answer<(Vec<u64>, Vec<GotMessage>)> {
    let (mut tags, mut messages) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    while get.count.is_none_or(|count| (messages.len() as u64) < count) && bytes < GOT_BYTES_MAX {
        let (tag, message) = match next() {
            Ok(Some(got)) => got,
            Ok(None) => break,
            Err(_) if get.then == GetMode::Take && !messages.is_empty() => break,
            Err(refusal) => return Err(refusal),
        };
        bytes += message.body.len() + message.properties.len();
        tags.push(tag);
        messages.push(message);
    }
    Ok((tags, messages))
}

impl Direct {
    pub(super) fn open(broker: &Arc<Broker>, user: &str, vhost: &str) -> Answer<Self> {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = Peer { peer_host: host, peer_port: 0, host, port: 0, tls: None };
        let connection = Connection::direct(broker.clone(), peer, user, vhost, net::now())
            .map_err(super::refusal)?;
        let mut direct = Self {
            signal: connection.signal(),
            frame_max: broker.config().frame_max,
            connection,
            sent: Vec::new(),
            received: Vec::new(),
            out: Outbox::default(),
            open: None,
            said: std::collections::VecDeque::new(),
        };
        direct.ask(ChannelOpen::default())?;
        Ok(direct)
    }

    /// Publishes and waits for the confirm; whether a queue got the message.
    pub(super) fn publish(mut self, publication: &Publication) -> Answer<bool> {
        self.ask(ConfirmSelect { nowait: false })?;
        let publish = BasicPublish {
            exchange: publication.exchange.as_str().into(),
            routing_key: publication.routing_key.as_str().into(),
            mandatory: true,
            ..BasicPublish::default()
        };
        let Publication { properties, body, .. } = publication;
        encode_publish(CHANNEL, &publish, properties, body, self.frame_max, &mut self.sent);
        let mut is_routed = true;
        loop {
            match self.hear()? {
                Said::Returned => is_routed = false,
                Said::Confirmed { is_negative: false } => return Ok(is_routed),
                Said::Confirmed { is_negative: true } => {
                    let text = "rejected Unable to publish message. Check queue limits.";
                    return Err(Refusal::Invalid(text.to_owned()));
                }
                Said::Got { .. } | Said::Empty | Said::Other => {}
                Said::Closed { code, text } => return Err(Refusal::Closed { code, text }),
            }
        }
    }

    /// Takes messages out of a queue, and then does with them what is wanted.
    pub(super) fn get(mut self, queue: &str, get: GetMessages) -> Answer<Vec<GotMessage>> {
        let no_ack = get.then == GetMode::Take;
        let next = || match self.ask(BasicGet { queue, no_ack, ..BasicGet::default() })? {
            Said::Got { tag, message } => Ok(Some((tag, message))),
            _ => Ok(None),
        };
        let (tags, messages) = gather(get, next)?;
        for tag in tags {
            self.settle(tag, get.then);
        }
        match self.close() {
            Err(refusal) if !no_ack => Err(refusal),
            _ => Ok(messages),
        }
    }

    fn settle(&mut self, delivery_tag: u64, then: GetMode) {
        match then {
            GetMode::Take => {}
            GetMode::Return => {
                self.send(CHANNEL, BasicNack { delivery_tag, multiple: false, requeue: true });
            }
            GetMode::RejectAndReturn => {
                self.send(CHANNEL, BasicReject { delivery_tag, requeue: true });
            }
            GetMode::Reject => {
                self.send(CHANNEL, BasicReject { delivery_tag, requeue: false });
            }
        }
    }

    /// Closes; what was sent before has taken effect when this returns.
    fn close(mut self) -> Answer<()> {
        self.send(0, ConnectionClose { reply_code: 200, ..ConnectionClose::default() });
        self.hear().map(drop)
    }

    fn send<'a>(&mut self, channel: u16, method: impl Into<Method<'a>>) {
        encode_method(channel, &method.into(), &mut self.sent);
    }

    fn ask<'a>(&mut self, method: impl Into<Method<'a>>) -> Answer<Said> {
        self.send(CHANNEL, method);
        match self.hear()? {
            Said::Closed { code, text } => Err(Refusal::Closed { code, text }),
            said => Ok(said),
        }
    }

    /// What the broker says next.
    fn hear(&mut self) -> Answer<Said> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut ctx = Context::from_waker(&waker);
        loop {
            if let Some(said) = self.said.pop_front() {
                return Ok(said);
            }
            let is_woken = self.signal.poll_take(&mut ctx);
            if is_woken {
                self.connection.handle_wake(net::now());
            }
            if self.turn() || is_woken {
                continue;
            }
            if matches!(self.connection.status(), Status::Draining | Status::Aborted) {
                return Err(Refusal::Unavailable("the connection was closed".to_owned()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = "confirm_timeout Timed out waiting for a publisher confirm. The message \
                            may still have been enqueued. Check the health of the queues bound to \
                            this exchange.";
                return Err(Refusal::Invalid(text.to_owned()));
            }
            let now = net::now();
            let due = self.connection.poll_timeout();
            let wait = due.map_or(left, |at| left.min(Duration::from_millis(at.since_ms(now))));
            thread::park_timeout(wait);
        }
    }

    /// One turn of the connection. True when anything moved.
    fn turn(&mut self) -> bool {
        let now = net::now();
        let mut has_moved = false;
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
            has_moved = true;
        }
        if self.connection.status() == Status::Open && !self.sent.is_empty() {
            let taken = self.connection.handle_bytes(now, &self.sent);
            self.sent.drain(..taken);
            has_moved |= 0 < taken;
        }
        self.read() || has_moved
    }

    fn read(&mut self) -> bool {
        let before = self.received.len();
        loop {
            self.connection.take_output(net::now(), &mut self.out);
            if self.out.is_empty() {
                break;
            }
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.out.slices(&mut slices);
            let at = self.received.len();
            slices[..count].iter().for_each(|slice| self.received.extend_from_slice(slice));
            self.out.advance(self.received.len() - at);
            self.connection.note_written();
        }
        let has_moved = before < self.received.len();
        self.understand();
        has_moved
    }

    /// Takes whole frames. What the broker writes is well-formed; what were not ends it, as a socket's
    /// peer would.
    fn understand(&mut self) {
        let received = std::mem::take(&mut self.received);
        let mut at = 0;
        while let Ok(Split::Frame(frame)) = split_frame(&received[at..], 0) {
            at += frame.wire_len();
            match frame.parse() {
                Ok(Payload::Method(raw)) => {
                    if let Ok(method) = raw.decode() {
                        self.understand_method(&method);
                    }
                }
                Ok(Payload::Header(header)) => {
                    if let Some(open) = &mut self.open {
                        open.message.properties = header.properties.to_vec();
                        open.body_len = header.body_size as usize;
                    }
                    self.understand_body(&[]);
                }
                Ok(Payload::Body(body)) => self.understand_body(body),
                Ok(Payload::Heartbeat) | Err(_) => {}
            }
        }
        self.received.extend_from_slice(&received[at..]);
    }

    fn understand_method(&mut self, method: &Method<'_>) {
        let closed = |code, text: &str| Said::Closed { code, text: text.to_owned() };
        let said = match method {
            Method::BasicAck(_) => Said::Confirmed { is_negative: false },
            Method::BasicNack(_) => Said::Confirmed { is_negative: true },
            Method::BasicGetOk(it) => {
                let message = GotMessage {
                    redelivered: it.redelivered,
                    exchange: String::from_utf8_lossy(it.exchange.as_bytes()).into_owned(),
                    routing_key: String::from_utf8_lossy(it.routing_key.as_bytes()).into_owned(),
                    message_count: u64::from(it.message_count),
                    properties: Vec::new(),
                    body: Vec::new(),
                };
                self.open = Some(Open { tag: Some(it.delivery_tag), message, body_len: 0 });
                return;
            }
            Method::BasicReturn(_) => {
                let message = GotMessage {
                    redelivered: false,
                    exchange: String::new(),
                    routing_key: String::new(),
                    message_count: 0,
                    properties: Vec::new(),
                    body: Vec::new(),
                };
                self.open = Some(Open { tag: None, message, body_len: 0 });
                return;
            }
            Method::BasicGetEmpty(_) => Said::Empty,
            Method::ChannelClose(it) => closed(it.reply_code, it.reply_text),
            Method::ConnectionClose(it) => closed(it.reply_code, it.reply_text),
            _ => Said::Other,
        };
        self.said.push_back(said);
    }

    fn understand_body(&mut self, part: &[u8]) {
        let Some(open) = &mut self.open else { return };
        open.message.body.extend_from_slice(part);
        if open.message.body.len() < open.body_len {
            return;
        }
        let Some(Open { tag, message, .. }) = self.open.take() else { return };
        self.said.push_back(match tag {
            Some(tag) => Said::Got { tag, message },
            None => Said::Returned,
        });
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        // It may be a bug that ends the handler: one more in here would end the process.
        let part = AssertUnwindSafe(|| self.connection.handle_disconnect(net::now()));
        if catch_unwind(part).is_err() {
            tracing::error!("could not release all that a request held, because of a bug");
        }
    }
}

#[cfg(test)]
mod tests;
