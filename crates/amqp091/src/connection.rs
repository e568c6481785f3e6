//! A connection: its stages and its frames. What happens on channels is in [`crate::channel`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use amqp091_codec::{
    BasicPublish, ConnectionTuneOk, Frame, FrameError, FrameKind, HEARTBEAT, Method,
    MethodArguments, MethodError, MethodId, Payload, ProtocolHeader, RawMethod, Split, split_frame,
};
use auth::CertificateName;
use broker::{
    Broker, ConnectionEntry, ConsumerKey, Lsn, MailboxRef, NoRoom, Outbox, Protocol, Status,
    TlsFacts, Turn,
};
use message::MessageRef;
use stdx::{Signal, Timestamp};
use topology::{ConnectionId, QueueId};

use crate::assembler::{Ahead, expected_method, look_ahead};
use crate::by_number::ByNumber;
use crate::channel::Channel;
use crate::channel::publish::PublishFlags;
use crate::errors::{Failure, Fault, channel_error, unimplemented_method};
use crate::handshake::Login;
use crate::heartbeat::{Heartbeat, Pause};
use crate::memo::PropertiesMemo;
use crate::pending::Pending;
use crate::route_cache::RouteCache;
use crate::shared::{ANSWERS_MAX, OUTBOX_MAX, Shared};
use crate::turn::Pace;
use crate::work::Work;

/// Both ends of the socket.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's address.
    pub peer_host: IpAddr,
    /// The client's port.
    pub peer_port: u16,
    /// Our address.
    pub host: IpAddr,
    /// Our port.
    pub port: u16,
    /// TLS version and cipher suite, when encrypted.
    pub tls: Option<Box<TlsFacts>>,
}

impl Peer {
    /// `peer:port -> host:port`: how RabbitMQ names connections.
    pub(crate) fn name(&self) -> String {
        format!("{}:{} -> {}:{}", self.peer_host, self.peer_port, self.host, self.port)
    }
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for the protocol header.
    Header,
    /// `connection.start` is sent.
    Starting,
    /// `connection.tune` is sent.
    Tuning,
    /// Tuned; waits for `connection.open`.
    Opening,
    Running,
    /// The client wants to close; its exclusive queues are being deleted.
    Closing,
    /// A close or close-ok was sent: only the answer to it matters.
    Closed,
    /// Something is wrong and is not answered, or not at once: no more input until the deadline.
    Silent,
    /// Nothing is left to do.
    Gone(Status),
}

/// What the client said it can do, as far as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capabilities {
    pub(crate) authentication_failure_close: bool,
    pub(crate) consumer_cancel_notify: bool,
    pub(crate) connection_blocked: bool,
}

/// A client's connection. See [`Protocol`] for how it is driven.
pub struct Connection {
    pub(crate) broker: Arc<Broker>,
    pub(crate) shared: Arc<Shared>,
    /// The instant of the call being handled.
    pub(crate) now: Timestamp,
    pub(crate) stage: Stage,
    pub(crate) id: ConnectionId,
    pub(crate) peer: Box<Peer>,
    /// Whom the client's certificate names, for the handshake of an encrypted connection.
    pub(crate) certificate: Option<Box<CertificateName>>,
    /// What is known from the handshake, until the connection is open.
    pub(crate) login: Option<Box<Login>>,
    /// The name the client gave the connection.
    pub(crate) given_name: Option<Box<str>>,
    pub(crate) user: Arc<str>,
    pub(crate) vhost: Arc<str>,
    pub(crate) entry: Option<Arc<ConnectionEntry>>,
    pub(crate) capabilities: Capabilities,
    pub(crate) tuned: ConnectionTuneOk,
    pub(crate) channels: ByNumber<Box<Channel>>,
    pub(crate) routes: Option<Box<RouteCache>>,
    pub(crate) memo: Option<Box<PropertiesMemo>>,
    pub(crate) heartbeat: Heartbeat,
    /// When the stage ends by itself.
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) connected_at: Timestamp,
    /// Opened from inside, without a handshake: not worth a line in the log.
    pub(crate) is_direct: bool,
    /// The control-plane command that input waits for.
    pub(crate) pending: Option<Box<Pending>>,
    pub(crate) next_token: u64,
    pub(crate) exclusive_queues: Vec<QueueId>,
    /// A pause for the sake of a queue's consumers.
    pub(crate) pace: Option<Box<Pace>>,
    /// Bytes of input that the current turn took.
    pub(crate) turn_len: usize,
    /// Newest journal position of our publishes.
    pub(crate) published: Lsn,
    /// Something was published since input last had no reason to wait.
    pub(crate) has_published: bool,
    /// Newest journal position of our settlements.
    pub(crate) settled: Lsn,
    /// Newest position we asked to be woken for.
    pub(crate) notified: Lsn,
    /// Output waits until this is durable.
    pub(crate) hold_until: Lsn,
    /// An alarm is on and the client published since.
    pub(crate) is_blocked: bool,
    /// The client was told.
    pub(crate) has_sent_blocked: bool,
    /// Input waits for the journal.
    pub(crate) is_in_flow: bool,
    /// Input waits for room for a body.
    pub(crate) no_room: Option<NoRoom>,
    /// Input waits until the client has read what it asked for.
    pub(crate) is_unread: bool,
    /// Bytes of answers among what the driver took and has not yet written in full.
    answers_taken: usize,
    /// A heartbeat is due while all other output waits for the journal.
    owes_beat: bool,
    /// Some channel is in confirm mode.
    pub(crate) has_confirms: bool,
    /// The vhost is traced; looked up once a turn.
    pub(crate) is_traced: bool,
    wanted: usize,
}

impl Connection {
    /// A connection whose socket was accepted at `now`.
    pub fn new(broker: Arc<Broker>, peer: Peer, now: Timestamp) -> Self {
        let config = broker.config();
        let tuned = ConnectionTuneOk {
            channel_max: config.channel_max,
            frame_max: config.initial_frame_max,
            heartbeat: 0,
        };
        let handshake_timeout_ms = config.handshake_timeout_ms;
        let nobody: Arc<str> = Arc::default();
        let id = ConnectionId(broker.next_id());
        Self {
            shared: Arc::new(Shared::new(id, tuned.frame_max, config.interceptors.is_sent_time)),
            now,
            stage: Stage::Header,
            id,
            peer: Box::new(peer),
            certificate: None,
            login: None,
            given_name: None,
            user: nobody.clone(),
            vhost: nobody,
            entry: None,
            capabilities: Capabilities::default(),
            tuned,
            channels: ByNumber::default(),
            routes: None,
            memo: None,
            heartbeat: Heartbeat::default(),
            deadline: Some(now.plus_ms(handshake_timeout_ms)),
            connected_at: now,
            is_direct: false,
            pending: None,
            next_token: 1,
            exclusive_queues: Vec::new(),
            pace: None,
            turn_len: 0,
            published: Lsn(0),
            has_published: false,
            settled: Lsn(0),
            notified: Lsn(0),
            hold_until: Lsn(0),
            is_blocked: false,
            has_sent_blocked: false,
            is_in_flow: false,
            no_room: None,
            is_unread: false,
            answers_taken: 0,
            owes_beat: false,
            has_confirms: false,
            is_traced: false,
            wanted: 0,
            broker,
        }
    }

    /// Offers EXTERNAL, if it is enabled: the client's certificate names a user, or says why not.
    #[must_use]
    pub fn with_certificate(mut self, name: CertificateName) -> Self {
        self.certificate = Some(Box::new(name));
        self
    }

    pub(crate) fn mailbox(&self) -> MailboxRef {
        self.shared.clone()
    }

    pub(crate) fn begin(&mut self, now: Timestamp) -> Turn {
        self.now = now;
        self.is_traced = self.broker.is_traced(&self.vhost);
        self.broker.begin(now)
    }

    /// One frame, or as many of a run as can be handled at once. Returns how many bytes it took,
    /// 0 when more are needed.
    fn step<'i>(&mut self, work: &mut Work<'i>, input: &'i [u8]) -> usize {
        match self.stage {
            Stage::Header => return self.handle_header(input),
            Stage::Silent | Stage::Gone(_) => return input.len(),
            Stage::Starting
            | Stage::Tuning
            | Stage::Opening
            | Stage::Running
            | Stage::Closing
            | Stage::Closed => {}
        }
        let frame = match split_frame(input, self.tuned.frame_max) {
            Ok(Split::Frame(frame)) => frame,
            Ok(Split::NeedMore(missing)) => {
                self.wanted = input.len() + missing;
                return 0;
            }
            Err(error) => {
                self.lose_sync(work, error);
                return input.len();
            }
        };
        if frame.channel == 0 {
            self.handle_frame0(work, &frame);
            return frame.wire_len();
        }
        match self.stage {
            Stage::Running => {}
            Stage::Closing | Stage::Closed => return frame.wire_len(),
            _ => {
                self.fail(work, frame.channel, frame.unexpected().into());
                return frame.wire_len();
            }
        }
        match self.handle_channel_frame(work, &frame, input) {
            Ok(taken) => taken,
            Err(fault) => {
                self.fail(work, frame.channel, fault);
                frame.wire_len()
            }
        }
    }

    /// A frame on channel 0, the connection itself.
    fn handle_frame0(&mut self, work: &mut Work<'_>, frame: &Frame<'_>) {
        let is_stopping = matches!(self.stage, Stage::Closing | Stage::Closed);
        let raw = match frame.parse() {
            Ok(Payload::Method(raw)) => raw,
            Ok(Payload::Heartbeat) => return,
            Err(FrameError::UnknownMethod { .. }) => return self.fail(work, 0, Fault::Drop),
            _ if is_stopping => return,
            Ok(Payload::Header(_) | Payload::Body(_)) => {
                return self.fail(work, 0, frame.unexpected().into());
            }
            Err(error) => return self.fail(work, 0, error.into()),
        };
        let method = match raw.decode() {
            Ok(method) => method,
            Err(_) if is_stopping => return,
            // RabbitMQ's reader does not expect this of the methods on channel 0 and takes it for
            // a fault of its own.
            Err(MethodError::CannotDecode { .. } | MethodError::MalformedUtf8 { .. }) => {
                return self.fail(work, 0, Failure::internal().into());
            }
            Err(error) => return self.fail(work, 0, error.into()),
        };
        if let Err(failure) = self.handle_method0(work, &method) {
            self.fail(work, 0, failure.of(method.ids()).into());
        }
    }

    fn handle_method0(&mut self, work: &mut Work<'_>, method: &Method<'_>) -> Result<(), Failure> {
        match (self.stage, method) {
            (Stage::Starting, Method::ConnectionStartOk(start)) => self.handle_start_ok(start),
            (Stage::Tuning, Method::ConnectionTuneOk(tune)) => self.handle_tune_ok(*tune),
            (Stage::Opening, Method::ConnectionOpen(open)) => self.handle_open(open),
            (Stage::Running, Method::ConnectionClose(_)) => {
                self.handle_close(work);
                Ok(())
            }
            (Stage::Running, Method::ConnectionUpdateSecret(update)) => {
                self.handle_update_secret(work, update)
            }
            (Stage::Closing, Method::ConnectionClose(_)) => Ok(()),
            (Stage::Closed, Method::ConnectionClose(_)) => {
                self.shared.send(0, amqp091_codec::ConnectionCloseOk {});
                Ok(())
            }
            (Stage::Closed, Method::ConnectionCloseOk(_)) => {
                self.stage = Stage::Gone(Status::Draining);
                Ok(())
            }
            (Stage::Closing | Stage::Closed, _) => Ok(()),
            _ => Err(self.unexpected_method()),
        }
    }

    fn unexpected_method(&self) -> Failure {
        let state = match self.stage {
            Stage::Header | Stage::Starting => "starting",
            Stage::Tuning => "tuning",
            Stage::Opening => "opening",
            Stage::Running => "running",
            Stage::Closing => "closing",
            Stage::Closed | Stage::Silent | Stage::Gone(_) => "closed",
        };
        channel_error(format!("unexpected method in connection state {state}"))
    }

    /// A frame on a channel of a running connection. `input` starts with it.
    fn handle_channel_frame<'i>(
        &mut self,
        work: &mut Work<'i>,
        frame: &Frame<'i>,
        input: &'i [u8],
    ) -> Result<usize, Fault> {
        let number = frame.channel;
        if frame.kind == FrameKind::Method as u8
            && let Some(raw) = RawMethod::split(frame.payload)
            && self.channels.get(number).is_some_and(|it| it.is_open() && it.assembly.is_idle())
        {
            if raw.id == BasicPublish::ID {
                if let Some(taken) = self.publish_in_place(work, frame, raw, input)? {
                    return Ok(taken);
                }
            } else if is_settlement(raw.id) {
                return self.settle_run(work, input);
            }
        }
        if frame.kind == FrameKind::Header as u8 && !self.may_begin_body(frame) {
            return Ok(0);
        }
        self.handle_parsed(work, frame)?;
        Ok(frame.wire_len())
    }

    /// Whether a body that comes in pieces may begin. If not, the connection waits, and its header
    /// comes again.
    fn may_begin_body(&mut self, frame: &Frame<'_>) -> bool {
        let Some(channel) = self.channels.get(frame.channel) else { return true };
        if !channel.is_open() || !channel.assembly.is_at_header() {
            return true;
        }
        let Ok(Payload::Header(header)) = frame.parse() else { return true };
        let bytes = header.body_size;
        if bytes == 0 || self.broker.config().max_message_size < bytes {
            return true;
        }
        if self.block_under_alarm() {
            return false;
        }
        let shared = &self.shared;
        match self.broker.take_body_room(self.now, self.id, || shared.clone(), bytes) {
            Ok(room) => {
                if let Some(channel) = self.channels.get_mut(frame.channel) {
                    channel.assembly.give_room(room);
                }
                true
            }
            Err(no_room) => {
                self.no_room = Some(no_room);
                self.note_throttled();
                false
            }
        }
    }

    /// A publish whose content follows at once is not copied before it reaches its queue. `None`
    /// when it has to be assembled; 0 when its last bytes are missing.
    fn publish_in_place<'i>(
        &mut self,
        work: &mut Work<'i>,
        frame: &Frame<'i>,
        raw: RawMethod<'i>,
        input: &'i [u8],
    ) -> Result<Option<usize>, Fault> {
        let publish = BasicPublish::decode(raw.arguments)?;
        let rest = &input[frame.wire_len()..];
        match look_ahead(rest, frame.channel, self.tuned.frame_max) {
            Ahead::Pieces => Ok(None),
            Ahead::Missing(missing) => {
                self.wanted = input.len() + missing;
                Ok(Some(0))
            }
            Ahead::Complete(header, body, len) => {
                // RabbitMQ stops at the header of a publish, and takes one that ends with it.
                if !body.is_empty() && self.block_under_alarm() {
                    return Ok(Some(0));
                }
                let message = MessageRef {
                    exchange: publish.exchange.as_bytes(),
                    routing_key: publish.routing_key.as_bytes(),
                    properties: header.properties,
                    body,
                    image: None,
                };
                let flags =
                    PublishFlags { mandatory: publish.mandatory, immediate: publish.immediate };
                let taken = frame.wire_len() + len;
                if let Err(fault) = self.publish(work, frame.channel, flags, message) {
                    // The content is consumed with its method, whatever becomes of it.
                    self.fail(work, frame.channel, blame(fault, BasicPublish::ID));
                }
                if body.is_empty() {
                    self.block_under_alarm();
                }
                Ok(Some(taken))
            }
        }
    }

    /// Any frame on a channel, one at a time.
    fn handle_parsed(&mut self, work: &mut Work<'_>, frame: &Frame<'_>) -> Result<(), Fault> {
        let number = frame.channel;
        let payload = frame.parse()?;
        if let Payload::Heartbeat = payload {
            return Err(frame.unexpected().into());
        }
        if self.channels.get(number).is_none() {
            self.create_channel(number)?;
        }
        let max_message_size = self.broker.config().max_message_size;
        let Some(channel) = self.channels.get_mut(number) else { return Ok(()) };
        if !channel.assembly.is_idle() {
            let kept_max = if channel.is_open() { max_message_size } else { 0 };
            let assembled = channel.assembly.take(&payload, kept_max)?;
            if matches!(payload, Payload::Header(_)) {
                self.block_under_alarm();
            }
            let Some(assembled) = assembled else { return Ok(()) };
            let id = assembled.method.id;
            return self.handle_content(work, number, assembled).map_err(|it| blame(it, id));
        }
        let Payload::Method(raw) = payload else { return Err(expected_method().into()) };
        let method = raw.decode()?;
        if method.has_content() {
            channel.assembly.begin(&method);
            return Ok(());
        }
        let result = self.dispatch(work, number, &method);
        self.note_answers();
        result.map_err(|it| blame(it, method.ids()))
    }

    /// A complete message that came in pieces.
    fn handle_content(
        &mut self,
        work: &mut Work<'_>,
        number: u16,
        assembled: crate::assembler::Assembled,
    ) -> Result<(), Fault> {
        let Some(channel) = self.channels.get(number) else { return Ok(()) };
        if channel.is_closing() {
            return Ok(());
        }
        channel.check_open()?;
        if assembled.method.id != BasicPublish::ID {
            return Err(unimplemented_method().into());
        }
        self.publish_assembled(work, number, assembled)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_unread || self.is_paused_by_us()
    }

    /// Input waits for what the client has no part in.
    fn is_paused_by_us(&self) -> bool {
        let is_held = self.hold_until.0 != 0 && OUTBOX_MAX <= self.shared.lock().out.len();
        let is_paced = self.pace.is_some();
        let is_unwanted = self.is_blocked || self.is_in_flow || self.no_room.is_some();
        self.pending.is_some() || is_unwanted || is_held || is_paced
    }

    /// Looks whether the answers pile up. Not with every frame, for it takes the lock: after what
    /// may be answered at length, and at the end of a turn.
    pub(crate) fn note_answers(&mut self) {
        self.is_unread = ANSWERS_MAX <= self.answers_taken + self.shared.lock().answers();
    }

    /// At the end of a turn: as [`Self::note_answers`], and the broker is told if something was counted.
    pub(crate) fn note_output(&mut self) {
        let mut inner = self.shared.lock();
        self.is_unread = ANSWERS_MAX <= self.answers_taken + inner.answers();
        let (is_much, is_news) = (inner.has_counted_much(), inner.take_counting());
        drop(inner);
        if is_news && self.entry.is_some() {
            self.broker.note_counting(self.id, self.mailbox());
        }
        if is_much {
            self.hand_counts_over();
        }
    }

    /// Makes room for more to be counted.
    #[cold]
    fn hand_counts_over(&mut self) {
        let traffic = {
            let mut inner = self.shared.lock();
            let traffic = inner.take_traffic();
            inner.forget_lanes();
            traffic
        };
        // Routes know lanes by their number.
        self.routes = None;
        traffic.into_iter().for_each(|it| self.broker.leave_traffic(it, true));
    }
}

/// Blames a method for a failure that blames none yet.
pub(crate) fn blame(fault: Fault, method: MethodId) -> Fault {
    match fault {
        Fault::Failure(failure) => Fault::Failure(failure.of(method)),
        Fault::Drop => Fault::Drop,
    }
}

fn is_settlement(id: MethodId) -> bool {
    use amqp091_codec::{BasicAck, BasicNack, BasicReject};
    id == BasicAck::ID || id == BasicNack::ID || id == BasicReject::ID
}

impl Protocol for Connection {
    fn handle_bytes(&mut self, now: Timestamp, input: &[u8]) -> usize {
        let turn = self.begin(now);
        let mut work = Work::new(turn);
        self.heartbeat.received();
        self.wanted = 0;
        let mut taken = 0;
        while taken < input.len() && self.status() == Status::Open {
            match self.step(&mut work, &input[taken..]) {
                0 => break,
                len => taken += len,
            }
        }
        if let Some(entry) = &self.entry {
            entry.received_bytes.fetch_add(taken as u64, Relaxed);
            entry.received_packets.fetch_add(1, Relaxed);
        }
        self.turn_len = taken;
        self.end_turn(work);
        self.turn_len = 0;
        taken
    }

    fn handle_wake(&mut self, now: Timestamp) {
        // It asks again when its header is presented again.
        self.no_room = None;
        let turn = self.begin(now);
        let mut work = Work::new(turn);
        self.handle_events(&mut work);
        self.end_turn(work);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let turn = self.begin(now);
        let work = Work::new(turn);
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            self.handle_deadline();
        }
        self.handle_pace();
        self.no_room.take_if(|it| it.ask_at.is_some_and(|at| at <= now));
        let pause = match () {
            () if self.is_paused_by_us() => Pause::Ours,
            () if self.is_unread => Pause::Theirs,
            () => Pause::None,
        };
        let beat = self.heartbeat.handle_timeout(now, pause);
        if beat.is_missed && self.stage == Stage::Running {
            self.log_missed_heartbeats();
            self.stage = Stage::Gone(Status::Aborted);
        }
        if beat.is_due && self.is_output_held() {
            self.owes_beat = true;
        } else if beat.is_due {
            self.shared.lock().out.buf().extend_from_slice(&HEARTBEAT);
        }
        self.end_turn(work);
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let pace = self.pace.as_ref().map(|pace| pace.look_at);
        let room = self.no_room.and_then(|it| it.ask_at);
        [self.deadline, self.heartbeat.poll_timeout(), pace, room].into_iter().flatten().min()
    }

    fn handle_disconnect(&mut self, now: Timestamp) {
        let turn = self.begin(now);
        let mut work = Work::new(turn);
        self.disconnect(&mut work);
        self.end_turn(work);
    }

    fn take_output(&mut self, now: Timestamp, out: &mut Outbox) {
        self.answers_taken = 0;
        let owes_beat = std::mem::take(&mut self.owes_beat);
        let Some((answers, parked)) = self.take_what_is_not_held(out) else {
            // What is held stands behind it: a slow disk makes nobody look dead.
            if owes_beat {
                out.buf().extend_from_slice(&HEARTBEAT);
                self.note_sent(out.len());
            }
            return;
        };
        self.hold_until = Lsn(0);
        self.answers_taken = answers;
        self.is_unread = ANSWERS_MAX <= self.answers_taken;
        if !out.is_empty() {
            self.note_sent(out.len());
        }
        if !parked.is_empty() {
            let turn = self.begin(now);
            let mut work = Work::new(turn);
            self.resume_parked(&mut work, &parked);
            self.end_turn(work);
        }
    }

    fn status(&self) -> Status {
        match self.stage {
            Stage::Gone(status) => status,
            Stage::Silent => Status::Paused,
            _ if self.is_paused() => Status::Paused,
            _ => Status::Open,
        }
    }

    fn note_written(&mut self) {
        self.heartbeat.written();
    }

    fn give_back(&mut self, _now: Timestamp) {
        let mut inner = self.shared.lock();
        inner.out.shrink(0);
        inner.give_back_counters();
        drop(inner);
        // Known again after one publish; five kilobytes for a connection that may never publish again.
        self.routes = None;
        self.memo = None;
    }

    fn wanted_bytes(&self) -> usize {
        self.wanted
    }

    fn signal(&self) -> Arc<Signal> {
        self.shared.signal.clone()
    }
}

impl Connection {
    /// Whether output waits for the journal.
    fn is_output_held(&self) -> bool {
        self.waits_for_journal() || self.shared.lock().is_held()
    }

    fn waits_for_journal(&self) -> bool {
        self.hold_until.0 != 0 && self.broker.durable() < self.hold_until
    }

    /// Moves output to `out`, unless it waits for the journal. Returns how many bytes of it are answers
    /// and which consumers waited for room.
    fn take_what_is_not_held(&self, out: &mut Outbox) -> Option<(usize, Vec<ConsumerKey>)> {
        if self.waits_for_journal() {
            return None;
        }
        let mut inner = self.shared.lock();
        let answers = inner.take_output(out)?;
        Some((answers, std::mem::take(&mut inner.parked)))
    }

    fn note_sent(&mut self, bytes: usize) {
        self.heartbeat.sent();
        if let Some(entry) = &self.entry {
            entry.sent_bytes.fetch_add(bytes as u64, Relaxed);
            entry.sent_packets.fetch_add(1, Relaxed);
        }
    }

    /// Takes the protocol header.
    fn handle_header(&mut self, input: &[u8]) -> usize {
        let Some(header) = ProtocolHeader::parse(input) else { return 0 };
        self.accept_header(header);
        ProtocolHeader::LEN
    }
}
