//! From the protocol header to `connection.open-ok`.

use std::sync::Arc;

use amqp091_codec::{
    ConnectionOpen, ConnectionOpenOk, ConnectionStart, ConnectionStartOk, ConnectionTune,
    ConnectionTuneOk, ConnectionUpdateSecret, ConnectionUpdateSecretOk, FRAME_MIN_SIZE, MethodId,
    ProtocolHeader, ReplyCode, Table,
};
use auth::{Anonymous, Attempt, Circumstances, Mechanism, Rejection};
use broker::{
    Broker, BrokerConfig, ConnectionFacts, ConnectionState, LoginTried, Occurrence, Status,
};
use field_table::{FieldTable, ValueRef};
use stdx::Timestamp;
use topology::Refusal;

use crate::closing::CLOSING_TIMEOUT_MS;
use crate::connection::{Capabilities, Connection, Peer, Stage};
use crate::errors::{Failure, not_allowed};
use crate::heartbeat::Heartbeat;
use crate::shared::PROTOCOL;
use crate::work::Work;

/// RabbitMQ lets clients wait before it drops them for what they did in the handshake, so that they
/// cannot try many passwords in a short time.
pub(crate) const SILENT_CLOSE_DELAY_MS: u64 = 3000;

/// What the handshake learnt.
#[derive(Debug)]
pub(crate) struct Login {
    mechanism: &'static str,
    /// With the length before them.
    client_properties: Box<[u8]>,
}

impl Connection {
    pub(crate) fn accept_header(&mut self, header: ProtocolHeader) {
        self.log_accepted();
        match header {
            ProtocolHeader::V0_9_1 => self.start(0, 9),
            // RabbitMQ serves clients of AMQP 0-9 as those of 0-9-1.
            ProtocolHeader::V1_1_0_9 => self.start(0, 9),
            ProtocolHeader::Amqp([0, 0, minor, _]) if 9 <= minor => {
                self.refuse_header([0, 0, 9, 1], "client asked for an unsupported protocol version");
            }
            ProtocolHeader::Amqp(_) => {
                self.refuse_header([3, 1, 0, 0], "client asked for an unsupported protocol version");
            }
            ProtocolHeader::Http => self.refuse_header(
                [3, 1, 0, 0],
                "HTTP GET request detected on AMQP port. Ensure the client is connecting to the correct port.",
            ),
            ProtocolHeader::Tls => self.refuse_header(
                [3, 1, 0, 0],
                "TLS client detected on non-TLS AMQP port. Ensure the client is connecting to the correct port.",
            ),
            ProtocolHeader::Unknown(octets) => {
                let text = format!("client did not start with AMQP protocol header: {octets:?}");
                self.refuse_header([3, 1, 0, 0], &text);
            }
        }
    }

    fn refuse_header(&mut self, offered: [u8; 4], explanation: &str) {
        self.log_bad_header(explanation);
        let mut inner = self.shared.lock();
        inner.out.buf().extend_from_slice(&ProtocolHeader::amqp_bytes(offered));
        drop(inner);
        self.deadline = Some(self.now.plus_ms(CLOSING_TIMEOUT_MS));
        self.stage = Stage::Gone(Status::Draining);
    }

    fn start(&mut self, version_major: u8, version_minor: u8) {
        let config = self.broker.config();
        let mut properties = Vec::new();
        server_properties(config, &self.broker.cluster_name()).encode_fields(&mut properties);
        let anonymous = anonymous(config);
        let circumstances = self.circumstances(anonymous.as_ref());
        let mechanisms = Mechanism::announced(&config.mechanisms, circumstances).into_bytes();
        let start = ConnectionStart {
            version_major,
            version_minor,
            server_properties: Table::new(&properties).expect("a table encodes well"),
            mechanisms: &mechanisms,
            locales: b"en_US",
        };
        self.shared.send(0, start);
        self.stage = Stage::Starting;
    }

    pub(crate) fn handle_start_ok(&mut self, start: &ConnectionStartOk<'_>) -> Result<(), Failure> {
        let broker = self.broker.clone();
        let config = broker.config();
        let anonymous = anonymous(config);
        let circumstances = self.circumstances(anonymous.as_ref());
        let mechanism =
            Mechanism::find(start.mechanism.as_bytes(), &config.mechanisms, circumstances);
        let Some(mechanism) = mechanism else {
            let text = format!("unknown authentication mechanism '{}'", start.mechanism);
            return Err(Failure::new(ReplyCode::CommandInvalid, text));
        };
        let attempt = mechanism.respond(start.response, circumstances);
        if let Err(Rejection::Malformed(text)) = attempt {
            self.note_attempt("", false);
            return Err(Failure::new(ReplyCode::SyntaxError, text));
        }
        self.note_client(start.client_properties);
        let claimed = attempt.as_ref().map_or_else(|_| String::new(), |it| it.user.clone());
        let user = match attempt
            .map_err(|it| it.to_string())
            .and_then(|it| self.known(mechanism.name, it))
        {
            Ok(user) => user,
            Err(why) => {
                self.note_attempt(&claimed, false);
                self.refuse_login(mechanism.name, &why);
                return Ok(());
            }
        };
        let is_here = self.peer.peer_host.to_canonical().is_loopback()
            || !config.loopback_users.contains(&user);
        self.note_attempt(&user, is_here);
        if !is_here {
            let text = format!("user '{user}' can only connect via localhost");
            self.refuse_login(mechanism.name, &text);
            return Ok(());
        }
        let mut client_properties = Vec::new();
        start.client_properties.decode().encode_fields(&mut client_properties);
        self.login = Some(Box::new(Login {
            mechanism: mechanism.name,
            client_properties: client_properties.into_boxed_slice(),
        }));
        self.user = user.into();
        let tune = ConnectionTune {
            channel_max: config.channel_max,
            frame_max: config.frame_max,
            heartbeat: config.heartbeat_s,
        };
        self.shared.send(0, tune);
        self.stage = Stage::Tuning;
        Ok(())
    }

    fn note_attempt(&self, user: &str, is_success: bool) {
        self.broker.note_auth_attempt(PROTOCOL, self.peer.peer_host, user, is_success);
    }

    fn circumstances<'a>(&'a self, anonymous: Option<&'a Anonymous>) -> Circumstances<'a> {
        Circumstances { anonymous, certificate: self.certificate.as_deref() }
    }

    /// The user of an attempt, or why it is refused.
    fn known(&self, mechanism: &'static str, attempt: Attempt) -> Result<String, String> {
        let Attempt { user, password } = attempt;
        let is_right = match password {
            Some(password) => self.broker.is_password_of(&user, &password),
            None => self.broker.topology().user(&user).is_some(),
        };
        if is_right {
            self.log_authenticated(&user);
            self.note_login(mechanism, &user, None);
            return Ok(user);
        }
        let why = format!("user '{user}' - invalid credentials");
        self.log_not_authenticated(&user, &why);
        self.note_login(mechanism, &user, Some(&why));
        Err(why)
    }

    fn note_login(&self, mechanism: &'static str, user: &str, error: Option<&str>) {
        self.broker.events.note(|| {
            let tried = LoginTried {
                user: user.to_owned(),
                mechanism,
                connection: self.peer.name(),
                peer_host: self.peer.peer_host,
                peer_port: self.peer.peer_port,
                host: self.peer.host,
                is_encrypted: self.peer.tls.is_some(),
                error: error.map(str::to_owned),
            };
            Occurrence::LoginTried(Box::new(tried))
        });
    }

    /// Reads what matters out of the client's properties.
    fn note_client(&mut self, properties: Table<'_>) {
        if let Some(ValueRef::LongStr(name)) = properties.get("connection_name") {
            let given = String::from_utf8_lossy(name);
            self.log_given_name(&given);
            self.given_name = Some(given.into());
        }
        let Some(ValueRef::Table(fields)) = properties.get("capabilities") else { return };
        let has = |name: &str| {
            let value = field_table::TableScanner::find(fields, name);
            value == Some(ValueRef::Bool(true))
        };
        self.capabilities = Capabilities {
            authentication_failure_close: has("authentication_failure_close"),
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
        };
    }

    /// Wrong user or password. The client is told if it can understand it, and then left waiting.
    fn refuse_login(&mut self, mechanism: &str, why: &str) {
        self.log_login_refused(&format!("{mechanism} login refused: {why}"));
        if self.capabilities.authentication_failure_close {
            let text = format!(
                "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
            );
            self.send_connection_close(&Failure::new(ReplyCode::AccessRefused, text));
        }
        self.stage = Stage::Closed;
        self.deadline = Some(self.now.plus_ms(SILENT_CLOSE_DELAY_MS));
    }

    pub(crate) fn handle_tune_ok(&mut self, tune: ConnectionTuneOk) -> Result<(), Failure> {
        let config = self.broker.config();
        check_negotiated("frame_max", FRAME_MIN_SIZE, config.frame_max, tune.frame_max)?;
        check_negotiated("channel_max", 1, config.channel_max.into(), tune.channel_max.into())?;
        self.tuned = tune;
        self.shared.lock().frame_max = tune.frame_max;
        self.heartbeat = Heartbeat::start(self.now, tune.heartbeat);
        self.stage = Stage::Opening;
        Ok(())
    }

    pub(crate) fn handle_open(&mut self, open: &ConnectionOpen<'_>) -> Result<(), Failure> {
        self.enter(open.virtual_host)?;
        self.shared.send(0, ConnectionOpenOk::default());
        self.log_open();
        Ok(())
    }

    /// A connection of somebody in this process, for whom `user` needs no password: open, without a
    /// handshake, with room for one channel. It counts and is listed like any other.
    ///
    /// # Errors
    /// When a limit or the vhost's permissions keep the user out.
    pub fn direct(
        broker: Arc<Broker>,
        peer: Peer,
        user: &str,
        vhost: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut connection = Self::new(broker, peer, now);
        let frame_max = connection.broker.config().frame_max;
        connection.is_direct = true;
        connection.user = user.into();
        connection.tuned = ConnectionTuneOk { channel_max: 1, frame_max, heartbeat: 0 };
        connection.shared.lock().frame_max = frame_max;
        connection.enter(vhost)?;
        Ok(connection)
    }

    /// From now on it is a connection to this vhost.
    fn enter(&mut self, name: &str) -> Result<(), Refusal> {
        let broker = self.broker.clone();
        let entry = {
            let topology = broker.topology();
            // Whether there is such a vhost is asked after the node's limit.
            let vhost = topology.vhost(name);
            self.vhost = vhost.map_or_else(|| name.into(), |vhost| vhost.name().clone());
            self.shared.lock().vhost = self.vhost.clone();
            let facts = self.facts();
            let config = broker.config();
            let entry = broker.registry.open(self.id, facts, self.mailbox(), config, &topology)?;
            if let Err(refusal) = topology.check_vhost_access(&self.user, name) {
                broker.registry.close(&entry);
                return Err(refusal);
            }
            entry
        };
        if broker.alarms().any() {
            entry.set_state(ConnectionState::Blocking);
        }
        broker.events.note(|| Occurrence::ConnectionOpened(entry.clone()));
        self.entry = Some(entry);
        self.login = None;
        self.certificate = None;
        self.deadline = None;
        self.stage = Stage::Running;
        Ok(())
    }

    fn facts(&self) -> ConnectionFacts {
        let (auth_mechanism, client_properties) = match &self.login {
            Some(login) => (login.mechanism.to_owned(), login.client_properties.clone()),
            None => (String::new(), Box::default()),
        };
        ConnectionFacts {
            name: self.peer.name(),
            user: self.user.clone(),
            vhost: self.vhost.clone(),
            protocol: &[0, 9, 1],
            auth_mechanism,
            peer_host: self.peer.peer_host,
            peer_port: self.peer.peer_port,
            host: self.peer.host,
            port: self.peer.port,
            heartbeat_s: self.tuned.heartbeat,
            frame_max: self.tuned.frame_max,
            channel_max: self.tuned.channel_max,
            client_properties,
            connected_at: self.connected_at,
            tls: self.peer.tls.clone(),
        }
    }

    /// The client has another secret. Passwords are only looked at when a client logs in, so that
    /// only permissions are checked again, as by RabbitMQ's internal backend.
    pub(crate) fn handle_update_secret(
        &mut self,
        work: &mut Work<'_>,
        _update: &ConnectionUpdateSecret<'_>,
    ) -> Result<(), Failure> {
        self.broker.topology().check_vhost_access(&self.user, &self.vhost)?;
        self.reply(0, ConnectionUpdateSecretOk {});
        self.recheck_consumers(work);
        Ok(())
    }
}

/// The bounds of `connection.tune-ok`: not above ours, not unlimited when ours is not.
fn check_negotiated(name: &str, min: u32, ours: u32, theirs: u32) -> Result<(), Failure> {
    let (comparison, bound, limit) = match theirs {
        _ if theirs != 0 && theirs < min => ("lower", "minimum", min),
        _ if ours != 0 && (theirs == 0 || ours < theirs) => ("higher", "maximum", ours),
        _ => return Ok(()),
    };
    let detail = if theirs == 0 { " (no limit)" } else { "" };
    let text = format!(
        "negotiated {name} = {theirs}{detail} is {comparison} than the {bound} allowed value ({limit})"
    );
    Err(not_allowed(text).of(MethodId { class_id: 10, method_id: 30 }))
}

fn anonymous(config: &BrokerConfig) -> Option<Anonymous> {
    let (user, password) = config.anonymous_login.clone()?;
    Some(Anonymous { user, password })
}

/// The capabilities RabbitMQ announces, in its order.
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

fn server_properties(config: &BrokerConfig, cluster_name: &str) -> FieldTable {
    let mut capabilities = FieldTable::new();
    for name in CAPABILITIES {
        capabilities.set(name, true);
    }
    let identity = &config.identity;
    FieldTable::new()
        .with("capabilities", capabilities)
        .with("cluster_name", cluster_name)
        .with("copyright", identity.copyright.as_str())
        .with("information", identity.information.as_str())
        .with("platform", identity.platform.as_str())
        .with("product", identity.product.as_str())
        .with("version", identity.version.as_str())
}
