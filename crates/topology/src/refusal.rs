//! What a client asked wrongly, in RabbitMQ's words.

use std::fmt;

/// Which kind of mistake; a front-end maps it to its own code and decides what it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The vhost, user, exchange or queue does not exist (AMQP 0-9-1: 404).
    NotFound,
    /// Arguments or properties are wrong or differ, a limit is reached (406).
    PreconditionFailed,
    /// Permissions or RabbitMQ's own rules forbid it (403).
    AccessRefused,
    /// The queue is exclusive to another connection (405).
    ResourceLocked,
    /// The vhost cannot be used by this user (530).
    NotAllowed,
    /// RabbitMQ does not do this (540).
    NotImplemented,
    /// A deprecated feature that is not permitted (541).
    InternalError,
    /// The user to be added exists (operators' tools only).
    AlreadyExists,
}

/// A request that was turned down. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of mistake.
    pub kind: RefusalKind,
    /// RabbitMQ's text, without the name of the code (`NOT_FOUND - `) before it. May be longer than
    /// the 255 bytes of a short string.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, text)
    }

    pub(crate) fn precondition_failed(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::PreconditionFailed, text)
    }

    pub(crate) fn access_refused(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::AccessRefused, text)
    }

    pub(crate) fn not_allowed(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotAllowed, text)
    }

    pub(crate) fn internal_error(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::InternalError, text)
    }

    pub(crate) fn no_exchange(vhost: &str, name: &str) -> Self {
        Self::not_found(format!("no {}", Named::exchange(vhost, name)))
    }

    pub(crate) fn no_queue(vhost: &str, name: &str) -> Self {
        Self::not_found(format!("no {}", Named::queue(vhost, name)))
    }

    pub(crate) fn no_vhost(name: &str) -> Self {
        Self::not_found(format!("Virtual host \"{name}\" does not exist"))
    }

    pub(crate) fn no_user(name: &str) -> Self {
        Self::not_found(format!("User \"{name}\" does not exist"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// `queue 'q' in vhost 'v'`: how RabbitMQ names an object in its texts.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    kind: &'static str,
    vhost: &'a str,
    name: &'a str,
}

impl<'a> Named<'a> {
    pub(crate) fn queue(vhost: &'a str, name: &'a str) -> Self {
        Self { kind: "queue", vhost, name }
    }

    pub(crate) fn exchange(vhost: &'a str, name: &'a str) -> Self {
        Self { kind: "exchange", vhost, name }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.kind, self.name, self.vhost)
    }
}
