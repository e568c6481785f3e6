//! RabbitMQ's log lines about connections and channels, which log parsers look for.

use amqp091_codec::MethodId;
use broker::QueueRef;
use field_table::FieldValue;
use topology::QueueKind;
use tracing::{debug, error, info, warn};

use crate::connection::{Connection, Stage};
use crate::errors::Failure;

/// Targets of lines that do not belong to RabbitMQ's category `connection`, as most here do.
const CHANNEL: &str = "amqp091::channel";
const QUEUE: &str = "amqp091::queue";
const USER: &str = "amqp091::user";

impl Connection {
    /// `peer:port -> host:port`, and the name the client gave.
    pub(crate) fn log_name(&self) -> String {
        match &self.given_name {
            Some(given) => format!("{} - {given}", self.peer.name()),
            None => self.peer.name(),
        }
    }

    /// As RabbitMQ's log names a process of its own node.
    fn pid(&self) -> String {
        format!("<0.{}.0>", self.id.0)
    }

    fn duration(&self) -> String {
        let ms = self.now.since_ms(self.connected_at);
        let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
        let days = hours / 24;
        match () {
            () if ms < 1000 => format!("{ms}ms"),
            () if minutes == 0 => format!("{seconds}s"),
            () if hours == 0 => format!("{minutes}M, {}s", seconds % 60),
            () if days == 0 => format!("{hours}H, {}M, {}s", minutes % 60, seconds % 60),
            () => format!("{days}D, {}H, {}M, {}s", hours % 24, minutes % 60, seconds % 60),
        }
    }

    fn state_name(&self) -> &'static str {
        match self.stage {
            Stage::Header => "pre_init",
            Stage::Starting => "starting",
            Stage::Tuning => "tuning",
            Stage::Opening => "opening",
            Stage::Running if self.is_blocked => "blocked",
            Stage::Running => "running",
            Stage::Closing => "closing",
            Stage::Closed | Stage::Silent | Stage::Gone(_) => "closed",
        }
    }

    pub(crate) fn log_accepted(&self) {
        info!("accepting AMQP connection {}", self.peer.name());
    }

    pub(crate) fn log_given_name(&self, given: &str) {
        info!("connection {} has a client-provided name: {given}", self.peer.name());
    }

    pub(crate) fn log_open(&self) {
        info!(
            "connection {}: user '{}' authenticated and granted access to vhost '{}'",
            self.log_name(),
            self.user,
            self.vhost
        );
    }

    pub(crate) fn log_authenticated(&self, user: &str) {
        info!(target: USER, "User '{user}' authenticated successfully");
    }

    pub(crate) fn log_not_authenticated(&self, user: &str, why: &str) {
        warn!(target: USER, "User '{user}' failed to authenticate: {why}");
    }

    pub(crate) fn log_login_refused(&self, explanation: &str) {
        error!(
            "Error on AMQP connection {} ({}, state: starting):\n{explanation}",
            self.pid(),
            self.peer.name()
        );
    }

    /// The user must not enter the vhost.
    pub(crate) fn log_entry_refused(&self, explanation: &str) {
        error!(
            "Error on AMQP connection {} ({}, user: '{}', state: opening):\n{explanation}",
            self.pid(),
            self.log_name(),
            self.user
        );
    }

    /// The handshake ends without an answer.
    pub(crate) fn log_handshake_error(&self, explanation: &str) {
        let (pid, name, duration) = (self.pid(), self.log_name(), self.duration());
        let state = self.state_name();
        error!(
            "closing AMQP connection {pid} ({name}, duration: '{duration}'):\n{{handshake_error,{state},{explanation}}}"
        );
    }

    pub(crate) fn log_negotiation_failed(&self, explanation: &str) {
        error!(
            "closing AMQP connection {} ({}):\nfailed to negotiate connection parameters: {explanation}",
            self.pid(),
            self.log_name()
        );
    }

    pub(crate) fn log_handshake_timeout(&self) {
        let (pid, name, duration) = (self.pid(), self.log_name(), self.duration());
        error!(
            "closing AMQP connection {pid} ({name}, duration: '{duration}'):\n{{handshake_timeout,{}}}",
            self.state_name()
        );
    }

    pub(crate) fn log_bad_header(&self, explanation: &str) {
        error!(
            "closing AMQP connection {} (duration: '{}'):\n{explanation}",
            self.peer.name(),
            self.duration()
        );
    }

    pub(crate) fn log_missed_heartbeats(&self) {
        error!(
            "closing AMQP connection {} ({}, duration: '{}'):\nmissed heartbeats from client, timeout: {}s",
            self.pid(),
            self.log_name(),
            self.duration(),
            self.tuned.heartbeat
        );
    }

    pub(crate) fn log_forced(&self, failure: &Failure) {
        warn!(
            "Closing AMQP connection {} ({}, vhost: '{}', user: '{}'): {}",
            self.pid(),
            self.log_name(),
            self.vhost,
            self.user,
            failure.explanation()
        );
    }

    pub(crate) fn log_hard_error(&self, channel: u16, failure: &Failure) {
        error!(
            "Error on AMQP connection {} ({}, vhost: '{}', user: '{}', state: {}), channel {channel}:\n operation {} caused a connection exception {}: {:?}",
            self.pid(),
            self.log_name(),
            self.vhost,
            self.user,
            self.state_name(),
            operation(failure.method),
            failure.code_name(),
            failure.explanation()
        );
    }

    pub(crate) fn log_soft_error(&self, channel: u16, failure: &Failure) {
        error!(
            target: CHANNEL,
            "Channel error on connection {} ({}, vhost: '{}', user: '{}'), channel {channel}:\noperation {} caused a channel exception {}: {}",
            self.pid(),
            self.peer.name(),
            self.vhost,
            self.user,
            operation(failure.method),
            failure.code_name(),
            failure.explanation()
        );
    }

    pub(crate) fn log_dropped(&self) {
        error!(
            "closing AMQP connection {} ({}, duration: '{}'):\nmalformed frame",
            self.pid(),
            self.log_name(),
            self.duration()
        );
    }

    /// The socket is gone.
    pub(crate) fn log_disconnect(&self) {
        if self.is_direct {
            return;
        }
        let (name, duration) = (self.log_name(), self.duration());
        let (vhost, user) = (&self.vhost, &self.user);
        match self.stage {
            Stage::Header => debug!("closing AMQP connection ({name}, duration: '{duration}')"),
            Stage::Closed | Stage::Silent if self.entry.is_some() => info!(
                "closing AMQP connection ({name}, vhost: '{vhost}', user: '{user}', duration: '{duration}')"
            ),
            Stage::Closed if !user.is_empty() => info!(
                "closing AMQP connection ({name}, vhost: 'none', user: '{user}', duration: '{duration}')"
            ),
            Stage::Running | Stage::Closing => warn!(
                "closing AMQP connection {} ({name}, vhost: '{vhost}', user: '{user}', duration: '{duration}'):\nclient unexpectedly closed TCP connection",
                self.pid()
            ),
            Stage::Starting | Stage::Tuning | Stage::Opening => warn!(
                "closing AMQP connection {} ({name}, duration: '{duration}'):\nclient unexpectedly closed TCP connection",
                self.pid()
            ),
            Stage::Closed => info!("closing AMQP connection ({name}, duration: '{duration}')"),
            // Why it ended was told when it did.
            Stage::Silent | Stage::Gone(_) => {}
        }
    }
}

/// Warns of arguments of a new quorum queue that do not do what they say.
pub(crate) fn log_fallbacks(queue: &QueueRef) {
    if queue.record.kind != QueueKind::Quorum {
        return;
    }
    let (queue, settings) = (&queue.record, queue.settings());
    let at_least_once = settings.quorum.as_ref().is_some_and(|it| it.dead_letters_at_least_once);
    let text = |name| queue.arguments.get(name).and_then(FieldValue::as_str);
    let (name, vhost) = (&queue.name, &queue.vhost);
    if text("x-overflow") == Some("reject-publish-dlx") {
        warn!(
            target: QUEUE,
            "Invalid overflow strategy <<\"reject-publish-dlx\">> for quorum queue: queue '{name}' in vhost '{vhost}'"
        );
    }
    let wants_at_least_once = text("x-dead-letter-strategy") == Some("at-least-once");
    if wants_at_least_once && settings.dead_letter_exchange.is_none() {
        warn!(
            target: QUEUE,
            "Disabling dead-lettering for queue '{name}' in vhost '{vhost}' despite configured \
             dead-letter-strategy 'at-least-once' because dead-letter-exchange is not configured."
        );
    } else if wants_at_least_once && !at_least_once {
        warn!(
            target: QUEUE,
            "Falling back to dead-letter-strategy at-most-once for queue '{name}' in vhost \
             '{vhost}' because configured dead-letter-strategy at-least-once is incompatible with \
             effective overflow strategy drop-head. To enable dead-letter-strategy at-least-once, \
             set overflow strategy to reject-publish."
        );
    }
}

fn operation(method: MethodId) -> String {
    if method == MethodId::NONE { "none".to_owned() } else { method.to_string() }
}
